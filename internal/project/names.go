package project

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

// normalRoute is a route key within a logical ID: "$connect" is "Sconnect".
func normalRoute(key string) string {
	key = strings.NewReplacer("$", "S", "/", "Slash", "-", "Dash", "_", "Underscore", ".", "Period").Replace(key)
	return strings.Map(func(r rune) rune {
		if r < 128 && (unicode.IsLetter(r) || unicode.IsDigit(r)) {
			return r
		}
		return -1
	}, key)
}

const (
	apiID      = "WebsocketsApi"
	stageID    = "WebsocketsDeploymentStage"
	logGroupID = "WebsocketsLogGroup"
	roleID     = "IamRoleLambdaExecution"
)

func functionID(name string) string     { return normalName(name) + "LambdaFunction" }
func functionLogID(name string) string  { return normalName(name) + "LogGroup" }
func integrationID(fn string) string    { return normalName(fn) + "WebsocketsIntegration" }
func permissionID(fn string) string     { return normalName(fn) + "LambdaPermissionWebsockets" }
func authorizerID(name string) string   { return normalName(name) + "WebsocketsAuthorizer" }
func modelID(name string) string        { return normalName(name) + "WebsocketsModel" }
func routeID(key string) string         { return normalRoute(key) + "WebsocketsRoute" }
func routeResponseID(key string) string { return routeID(key) + "Response" }
func apiKeyID(name string) string       { return normalName(name) + "ApiKey" }
func usagePlanID(name string) string    { return normalName(name) + "UsagePlan" }
func usagePlanKeyID(plan, key string) string {
	return normalName(plan) + "UsagePlan" + normalName(key) + "ApiKey"
}

func deploymentID(of *cfn.Value) string {
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
