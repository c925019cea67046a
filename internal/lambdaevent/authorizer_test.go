package lambdaevent_test

import (
	"encoding/json"
	"testing"

	"cleat/internal/apigw"
	"cleat/internal/lambdaevent"
)

const methodARN = "arn:aws:execute-api:eu-west-1:123456789012:a1b2c3d4e5/prod/$connect"

// TestAppendAuthorizer holds the layout of spec events-and-integrations §3 to the byte.
func TestAppendAuthorizer(t *testing.T) {
	const (
		start   = `{"type":"REQUEST","methodArn":"` + methodARN + `","headers":{"Connection":"upgrade","content-length":"0","Host":"h.example","Upgrade":"websocket"},"multiValueHeaders":{"Connection":["upgrade"],"content-length":["0"],"Host":["h.example"],"Upgrade":["websocket"]},`
		context = `"requestContext":{"routeKey":"$connect","eventType":"CONNECT",` + headOfContext + times + `}`
	)
	tests := map[string]struct {
		change func(*apigw.Event)
		want   string
	}{
		"empty maps": {
			func(*apigw.Event) {},
			start + `"queryStringParameters":{},"multiValueQueryStringParameters":{},"stageVariables":{},` + context,
		},
		"everything": {
			func(ev *apigw.Event) {
				ev.Query = apigw.Fields{{Name: "token", Value: "abc"}, {Name: "token", Value: "d"}}
				ev.StageVariables = map[string]string{"env": "beta"}
				ev.Context.Authorizer = apigw.Fields{{Name: "principalId", Value: "nobody yet"}}
				ev.Headers = append(ev.Headers, apigw.Field{Name: "Content-Length", Value: "7"})
			},
			start + `"queryStringParameters":{"token":"d"},"multiValueQueryStringParameters":{"token":["abc","d"]},"stageVariables":{"env":"beta"},` + context,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			ev := testEvent(apigw.EventConnect)
			ev.Headers = apigw.Fields{{Name: "Host", Value: "h.example"}}
			tt.change(ev)
			before := *ev
			got := string(lambdaevent.AppendAuthorizer(nil, ev, methodARN))
			if got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
			if !json.Valid([]byte(got)) {
				t.Error("it is not JSON")
			}
			if len(ev.Headers) != len(before.Headers) || len(ev.Context.Authorizer) != len(before.Context.Authorizer) {
				t.Error("the event was changed")
			}
		})
	}
}
