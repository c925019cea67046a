package blueprint_test

import (
	"testing"

	"cleat/internal/blueprint"
)

func TestLogicalIDs(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ got, want string }{
		"function":           {blueprint.FunctionID("onConnect"), "OnConnectLambdaFunction"},
		"dash":               {blueprint.FunctionID("on-connect"), "OnDashconnectLambdaFunction"},
		"underscore":         {blueprint.FunctionID("on_connect"), "OnUnderscoreconnectLambdaFunction"},
		"non-ASCII":          {blueprint.FunctionID("épée"), "ÉpéeLambdaFunction"},
		"$connect":           {blueprint.RouteID("$connect"), "SconnectWebsocketsRoute"},
		"custom":             {blueprint.RouteID("sendMessage"), "sendMessageWebsocketsRoute"},
		"special characters": {blueprint.RouteID("a/b-c_d.e f"), "aSlashbDashcUnderscoredPeriodefWebsocketsRoute"},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: got %s, want %s", name, tt.got, tt.want)
		}
	}
}
