package blueprint

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"unicode"
	"unicode/utf8"

	"cleat/internal/cfn"
)

// Logical IDs, as the Serverless Framework makes them (spec control-plane §16).

// normalName is a function's or authorizer's name within a logical ID: "on-connect_v2" is "OnDashconnectUnderscorev2".
func normalName(name string) string {
	r, n := utf8.DecodeRuneInString(name)
	if n == 0 {
		return ""
	}
	name = string(unicode.ToUpper(r)) + name[n:]
	return strings.NewReplacer("-", "Dash", "_", "Underscore").Replace(name)
}

// NormalRoute is a route key within a logical ID: "$connect" is "Sconnect".
func NormalRoute(key string) string {
	key = strings.NewReplacer("$", "S", "/", "Slash", "-", "Dash", "_", "Underscore", ".", "Period").Replace(key)
	return strings.Map(func(r rune) rune {
		if r < 128 && (unicode.IsLetter(r) || unicode.IsDigit(r)) {
			return r
		}
		return -1
	}, key)
}

// Logical IDs of the resources that a project has one of.
const (
	APIID      = "WebsocketsApi"
	StageID    = "WebsocketsDeploymentStage"
	LogGroupID = "WebsocketsLogGroup"
	RoleID     = "IamRoleLambdaExecution"
)

// FunctionID is the logical ID of a function, by the name that the file gives it.
func FunctionID(name string) string { return normalName(name) + "LambdaFunction" }

// FunctionLogID is that of a function's log group.
func FunctionLogID(name string) string { return normalName(name) + "LogGroup" }

// IntegrationID is that of the integration with a function.
func IntegrationID(function string) string { return normalName(function) + "WebsocketsIntegration" }

// PermissionID is that of the permission to call a function.
func PermissionID(function string) string {
	return normalName(function) + "LambdaPermissionWebsockets"
}

// AuthorizerID is that of an authorizer.
func AuthorizerID(name string) string { return normalName(name) + "WebsocketsAuthorizer" }

// ModelID is that of a model.
func ModelID(name string) string { return normalName(name) + "WebsocketsModel" }

// RouteID is that of a route, by its key.
func RouteID(key string) string { return NormalRoute(key) + "WebsocketsRoute" }

// RouteResponseID is that of a route's response.
func RouteResponseID(key string) string { return RouteID(key) + "Response" }

// APIKeyID is that of an API key.
func APIKeyID(name string) string { return normalName(name) + "ApiKey" }

// UsagePlanID is that of a usage plan.
func UsagePlanID(name string) string { return normalName(name) + "UsagePlan" }

// UsagePlanKeyID is that of a key's place in a plan.
func UsagePlanKeyID(plan, key string) string {
	return normalName(plan) + "UsagePlan" + normalName(key) + "ApiKey"
}

// DeploymentID is the logical ID of a deployment that freezes the given resources: it changes with them, so that a change is
// deployed anew.
func DeploymentID(of *cfn.Value) string {
	h := sha256.New()
	hashValue(h, of)
	return "WebsocketsDeployment" + strings.NewReplacer("+", "", "/", "", "=", "").Replace(base64.StdEncoding.EncodeToString(h.Sum(nil)))
}

// hashValue writes a value in a form that no other value has. Places do not count.
func hashValue(w interface{ Write(p []byte) (int, error) }, v *cfn.Value) {
	var b strings.Builder
	writeValue(&b, v)
	_, _ = w.Write([]byte(b.String())) // a hash's Write does not fail
}

func writeValue(b *strings.Builder, v *cfn.Value) {
	if v == nil {
		return
	}
	b.WriteByte("zbnslm"[v.Kind])
	text := func(s string) {
		b.WriteString(base64.StdEncoding.EncodeToString([]byte(s)))
		b.WriteByte(' ')
	}
	text(v.Text)
	for _, item := range v.Items {
		writeValue(b, item)
	}
	for _, e := range v.Keys {
		text(e.Key)
		writeValue(b, e.Value)
	}
	b.WriteByte('.')
}
