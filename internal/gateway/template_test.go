package gateway_test

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/backend"
	"cleat/internal/gateway"
	"cleat/internal/store"
)

// echo is an HTTP backend that answers with what it got, and with the status that the path ends in.
type echo struct{}

func (echo) Do(_ context.Context, r *backend.Request) (*backend.Response, error) {
	status, err := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/"))
	if err != nil {
		status = 200
	}
	return &backend.Response{Status: status, Body: r.Body}, nil
}

// shaped is a route with an integration that templates shape.
type shaped struct {
	key, uri          string // no uri: MOCK
	request, response string
	responseKey       string
}

func newTemplateNode(t *testing.T, routes ...shaped) *node {
	t.Helper()
	n := newTestNode(t, api{}, apigw.LimitsAWS())
	swapDefinition(t, n.Gateway, shapedDefinition(routes...))
	return n
}

func shapedDefinition(routes ...shaped) apigw.Definition {
	def := apigw.Definition{RouteSelectionExpression: "$request.body.action"}
	for _, s := range routes {
		in := apigw.Integration{
			IntegrationID: "i" + s.key, IntegrationType: apigw.IntegrationMock, TemplateSelectionExpression: `\$default`,
			RequestTemplates: map[string]string{"$default": s.request},
		}
		if s.uri != "" {
			in.IntegrationType, in.IntegrationURI, in.IntegrationMethod = apigw.IntegrationHTTP, s.uri, "POST"
		}
		response := apigw.IntegrationResponse{IntegrationID: in.IntegrationID, IntegrationResponseKey: s.responseKey}
		if s.responseKey == "" {
			response.IntegrationResponseKey = "$default"
		}
		if s.response != "" {
			response.ResponseTemplates = map[string]string{"$default": s.response}
		}
		def.Integrations = append(def.Integrations, in)
		def.IntegrationResponses = append(def.IntegrationResponses, response)
		def.Routes = append(def.Routes, apigw.Route{RouteID: "r" + s.key, RouteKey: s.key, Target: "integrations/" + in.IntegrationID})
		def.RouteResponses = append(def.RouteResponses, apigw.RouteResponse{RouteID: "r" + s.key, RouteResponseKey: "$default"})
	}
	return def
}

func swapDefinition(tb testing.TB, g *gateway.Gateway, def apigw.Definition) {
	tb.Helper()
	err := g.Swap(store.Serving{Stages: []store.Published{{
		API: &apigw.API{APIID: apiID}, Deployment: &apigw.Deployment{DeploymentID: "shaped"}, Frozen: store.Freeze(&def),
		Stage: &apigw.Stage{StageName: "prod", DeploymentID: "shaped", StageVariables: map[string]string{"env": "beta"}},
	}}})
	if err != nil {
		tb.Fatal(err)
	}
}

// Spec mapping-templates, events-and-integrations §8.2: what a client of a two-way route with templates hears.
func TestTemplatedMessages(t *testing.T) {
	n := newTemplateNode(
		t,
		shaped{key: "ping", request: `{"statusCode": 200}`, response: `{"statusCode":200,"stage":"$context.stage","env":"$stageVariables.env"}`},
		shaped{key: "http", uri: "http://b.example/201", request: `{"text":$input.json('$.text'),"n":#foreach($x in $input.path('$.list'))$x#end}`, response: `$context.status $input.path('$.text') $input.path('$.n')`},
		shaped{key: "raw", uri: "http://b.example/200", request: `$input.body`},
		shaped{key: "unmatched", uri: "http://b.example/404", request: `{}`, responseKey: `/2\d\d/`},
		shaped{key: "bad", request: `$input.path('$.text').substring(100)`},
		shaped{key: "bad answer", request: `{"statusCode": 200}`, response: `$util.parseJson("{")`},
		shaped{key: "no status", request: `{"status": 200}`},
	)
	ws := n.open(t)
	const internal = "Internal server error"
	for message, want := range map[string]string{
		`{"action":"ping"}`: `{"statusCode":200,"stage":"prod","env":"beta"}`,
		`{"action":"http","text":"say \"hi\"","list":[1,2]}`: `201 say "hi" 12`,
		`{ "action":"raw" }`:                          `{ "action":"raw" }`,
		`{"action":"unmatched"}`:                      internal,
		`{"action":"bad","text":"x"}`:                 internal,
		`{"action":"bad answer"}`:                     internal,
		`{"action":"no status","text":"{not, json}"}`: internal,
	} {
		say(t, ws, message)
		got := hear(t, ws)
		if want == internal {
			if !strings.HasPrefix(got, `{"message": "`+internal+`", "connectionId":"`) {
				t.Errorf("%s: got %s, want the error frame", message, got)
			}
		} else if got != want {
			t.Errorf("%s: got %s, want %s", message, got, want)
		}
	}
}

// Spec mapping-templates §5, events-and-integrations §8.2: the status of a templated $connect.
func TestTemplatedConnect(t *testing.T) {
	for name, tt := range map[string]struct {
		route shaped
		path  string
		want  int
	}{
		"mock":                    {shaped{request: `{"statusCode": 200}`}, "/prod", 101},
		"mock refuses":            {shaped{request: `{"statusCode": 403}`}, "/prod", 403},
		"mock by the query":       {shaped{request: `#if($input.params('token') == 'secret'){"statusCode": 200}#else{"statusCode": 401}#end`}, "/prod?token=secret", 101},
		"mock by another query":   {shaped{request: `#if($input.params('token') == 'secret'){"statusCode": 200}#else{"statusCode": 401}#end`}, "/prod?token=guess", 401},
		"override":                {shaped{request: `{"statusCode": 200}`, response: `#set($context.responseOverride.status = 402)`}, "/prod", 402},
		"override in the request": {shaped{request: `{"statusCode": 200}#set($context.responseOverride.status = 402)`}, "/prod", 402},
		"override of http":        {shaped{uri: "http://b.example/500", request: "x", response: `#set($context.responseOverride.status = 200)`}, "/prod", 101},
		"key of the response":     {shaped{uri: "http://b.example/204", request: "x", responseKey: "204"}, "/prod", 101},
		"no response fits":        {shaped{uri: "http://b.example/204", request: "x", responseKey: "200"}, "/prod", 500},
		"template fails":          {shaped{request: `$context.stage.substring(9)`}, "/prod", 500},
	} {
		t.Run(name, func(t *testing.T) {
			tt.route.key = apigw.RouteConnect
			n := newTemplateNode(t, tt.route)
			_, res, err := n.dial(t, tt.path, nil)
			if res == nil {
				t.Fatal(err)
			}
			if res.StatusCode != tt.want {
				t.Errorf("got %d %v, want %d", res.StatusCode, err, tt.want)
			}
		})
	}
}

// The record of a message holds what went to the backend and what came back, for the data trace (spec data-plane §9.2).
func TestRecordHoldsBodies(t *testing.T) {
	n := newTemplateNode(t, shaped{key: "http", uri: "http://b.example/200", request: `<$input.path('$.text')>`, response: `[$input.body]`})
	ws := n.open(t)
	<-n.records
	say(t, ws, `{"action":"http","text":"hi"}`)
	if got := hear(t, ws); got != "[<hi>]" {
		t.Errorf("got %s", got)
	}
	select {
	case r := <-n.records:
		if string(r.Request) != "<hi>" || string(r.Response) != "<hi>" || string(r.Reply) != "[<hi>]" {
			t.Errorf("got request %q, response %q, reply %q", r.Request, r.Response, r.Reply)
		}
	case <-time.After(patience):
		t.Fatal("no record")
	}
}
