package blueprint

import (
	"regexp"
	"slices"
	"strings"

	"cleat/internal/apigw"
	"cleat/internal/cfn"
	"cleat/internal/input"
)

// What a function has when nothing is said: the framework's defaults, not Lambda's.
const (
	DefaultTimeout = 6    // seconds
	DefaultMemory  = 1024 // MB
)

// DefaultIdentitySource is what an authorizer looks at when nothing is said.
const DefaultIdentitySource = "route.request.header.Auth"

var (
	stageName    = regexp.MustCompile(`^[A-Za-z0-9_-]{1,128}$`)
	serviceName  = regexp.MustCompile(`^[A-Za-z][0-9A-Za-z-]*$`)
	functionName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
	variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

// IsServiceName reports whether a project can be called so.
func IsServiceName(name string) bool { return serviceName.MatchString(name) }

// IsFunctionName reports whether a function can be called so.
func IsFunctionName(name string) bool { return functionName.MatchString(name) }

// CheckStageName faults a name that no stage can have and reports whether it is one.
func CheckStageName(r *input.Reading, name string, at cfn.Place) bool {
	if stageName.MatchString(name) {
		return true
	}
	r.Faultf(at, "%q is not a stage's name: 1 to 128 letters, digits, - and _", name)
	return false
}

// CheckVariable faults a name that no environment variable can have and reports whether it is one. It warns, once for each
// name, of one that Lambda keeps for itself.
func CheckVariable(r *input.Reading, e cfn.Entry) bool {
	if !variableName.MatchString(e.Key) {
		r.Faultf(e.Place, "%q is not the name of an environment variable: letters, digits and _, not beginning with a digit", e.Key)
		return false
	}
	WarnReserved(r, e)
	return true
}

// WarnReserved warns, once for each name, of a variable that Lambda keeps for itself.
func WarnReserved(r *input.Reading, e cfn.Entry) {
	if apigw.ReservedVariable(e.Key) {
		r.Warnf(e.Place, "environment variable %s is reserved: Lambda sets it itself, and AWS refuses to deploy a function that sets it", e.Key)
	}
}

// WarnLayers warns that layers are not there.
func WarnLayers(r *input.Reading, at cfn.Place) {
	r.Warnf(at, "layers are not mounted: what functions use of them must be in the project's folder too")
}

// CheckIdentity faults identity sources that WebSocket APIs do not take (spec control-plane §8).
func CheckIdentity(r *input.Reading, what string, list *cfn.Value) {
	for _, v := range list.Items {
		text, _ := v.Scalar()
		ok := slices.ContainsFunc([]string{"route.request.header.", "route.request.querystring.", "stageVariables.", "context."}, func(prefix string) bool {
			return strings.HasPrefix(text, prefix) && len(text) > len(prefix)
		})
		if !ok && !cfn.IsIntrinsic(v) {
			r.Faultf(v.Place, "%s: %q is not an identity source: route.request.header.NAME, route.request.querystring.NAME, stageVariables.NAME or context.NAME", what, text)
		}
	}
}

// RouteFault says what is wrong with a route key, "" when nothing is.
func RouteFault(route string) string {
	reserved := []string{apigw.RouteConnect, apigw.RouteDisconnect, apigw.RouteDefault}
	switch {
	case strings.TrimSpace(route) == "":
		return "a route key is empty"
	case len(route) > apigw.QuotaRouteKey:
		return "a route key has at most 128 characters"
	case strings.HasPrefix(route, "$") && !slices.Contains(reserved, route):
		return "route keys that begin with $ are reserved: " + route + " is not one of $connect, $disconnect, $default" + input.DidYouMean(route, reserved)
	}
	return ""
}

// LacksDollar tells whether a selection expression is most likely a path whose "$" was forgotten. Static text, which
// always selects the same route, is legal (spec data-plane §4.2).
func LacksDollar(expression string) bool {
	return strings.HasPrefix(expression, "request.") || strings.HasPrefix(expression, "body.")
}
