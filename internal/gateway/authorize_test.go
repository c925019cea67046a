package gateway_test

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/awsapi"
	"cleat/internal/gateway"
	"cleat/internal/store"
)

// guarded is an API whose $connect asks the function "gate" first.
func guarded(change func(*apigw.Definition)) store.Serving {
	p := api{
		routes:    map[string]string{"$connect": "hello", "$disconnect": "bye", "$default": "any"},
		twoWay:    []string{"$default"},
		variables: map[string]string{"gate": "gate"},
	}.serving(2)
	def := definition(p)
	def.Authorizers = []apigw.Authorizer{{
		AuthorizerID: "auth", Name: "gate", AuthorizerType: "REQUEST",
		AuthorizerURI: awsapi.LambdaURI("eu-west-1", awsapi.FunctionARN("eu-west-1", awsapi.DefaultAccount, "${stageVariables.gate}")),
	}}
	for i := range def.Routes {
		if r := &def.Routes[i]; r.RouteKey == apigw.RouteConnect {
			r.AuthorizationType, r.AuthorizerID = apigw.AuthorizationCustom, "auth"
		}
	}
	if change != nil {
		change(def)
	}
	return p
}

func newGuardedNode(t *testing.T, change func(*apigw.Definition)) *node {
	t.Helper()
	n := newTestNode(t, api{}, apigw.LimitsAWS())
	if err := n.Swap(guarded(change)); err != nil {
		t.Fatal(err)
	}
	return n
}

const connectARN = "arn:aws:execute-api:us-east-1:123456789012:" + apiID + "/prod/$connect"

func allow(resource, more string) string {
	return `{"principalId":"user1","policyDocument":{"Version":"2012-10-17","Statement":[{"Action":"execute-api:Invoke","Effect":"Allow","Resource":"` + resource + `"}]}` + more + `}`
}

func deny() string { return strings.Replace(allow("*", ""), "Allow", "Deny", 1) }

// What an authorizer's answer makes of a handshake: spec data-plane §2, events-and-integrations §3.
func TestAuthorizerOutcomes(t *testing.T) {
	answers := func(payload string) func(map[string]any) (awsapi.InvocationResult, error) {
		return func(map[string]any) (awsapi.InvocationResult, error) {
			return awsapi.InvocationResult{Payload: []byte(payload), RequestID: "rid"}, nil
		}
	}
	throws := func(payload string) func(map[string]any) (awsapi.InvocationResult, error) {
		return func(map[string]any) (awsapi.InvocationResult, error) {
			return awsapi.InvocationResult{Payload: []byte(payload), FunctionError: "Unhandled"}, nil
		}
	}
	refuses := func(kind apigw.Kind) func(map[string]any) (awsapi.InvocationResult, error) {
		return func(map[string]any) (awsapi.InvocationResult, error) {
			return awsapi.InvocationResult{}, &apigw.Error{Kind: kind}
		}
	}
	const (
		denied   = `{"Message":"User is not authorized to access this resource"}`
		explicit = `{"Message":"User is not authorized to access this resource with an explicit deny"}`
		config   = `{"message":null}`
	)
	tests := map[string]struct {
		answer  func(map[string]any) (awsapi.InvocationResult, error)
		status  int
		errType string
		body    string // the whole of it, or the message of an error frame's layout
	}{
		"allowed":                 {answers(allow(connectARN, "")), 101, "", ""},
		"allowed by a wildcard":   {answers(allow("arn:aws:execute-api:*:*:*/prod/*", "")), 101, "", ""},
		"explicit deny":           {answers(deny()), 403, "AccessDeniedException", explicit},
		"implicit deny":           {answers(allow(strings.Replace(connectARN, "prod", "dev", 1), "")), 403, "AccessDeniedException", denied},
		"policy of a REST API":    {answers(allow(strings.Replace(connectARN, "$connect", "*/*", 1), "")), 403, "AccessDeniedException", denied},
		"Unauthorized":            {throws(`{"errorMessage":"Unauthorized","errorType":"Error"}`), 401, "UnauthorizedException", "Unauthorized"},
		"another case":            {throws(`{"errorMessage":"unauthorized"}`), 500, "AuthorizerConfigurationException", "Internal server error"},
		"another error":           {throws(`{"errorMessage":"Unauthorized: no token"}`), 500, "AuthorizerConfigurationException", "Internal server error"},
		"an error without JSON":   {throws(`Unauthorized`), 500, "AuthorizerConfigurationException", "Internal server error"},
		"no principal":            {answers(`{"policyDocument":{"Version":"2012-10-17","Statement":[]}}`), 500, "AuthorizerConfigurationException", config},
		"no policy":               {answers(`{"principalId":"u"}`), 500, "AuthorizerConfigurationException", config},
		"broken policy":           {answers(`{"principalId":"u","policyDocument":{"Statement":[{"Effect":"Perhaps"}]}}`), 500, "AuthorizerConfigurationException", config},
		"an HTTP API's answer":    {answers(`{"isAuthorized":true}`), 500, "AuthorizerConfigurationException", config},
		"nested context":          {answers(allow("*", `,"context":{"a":{"b":1}}`)), 500, "AuthorizerConfigurationException", config},
		"too large":               {answers(allow("*", `,"context":{"a":"`+strings.Repeat("x", 8<<10)+`"}`)), 500, "AuthorizerConfigurationException", config},
		"null":                    {answers(`null`), 500, "AuthorizerConfigurationException", config},
		"no JSON":                 {answers(`{`), 500, "AuthorizerConfigurationException", config},
		"may not be called":       {refuses(apigw.KindAccessDenied), 500, "AuthorizerConfigurationException", config},
		"is not there":            {refuses(apigw.KindFunctionNotFound), 500, "AuthorizerConfigurationException", config},
		"is throttled":            {refuses(apigw.KindFunctionConcurrency), 500, "AuthorizerConfigurationException", "Internal server error"},
		"cannot be reached":       {refuses(apigw.KindInternal), 500, "AuthorizerConfigurationException", "Internal server error"},
		"condition on an address": {answers(`{"principalId":"u","policyDocument":{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"127.0.0.0/8"}}}}}`), 101, "", ""},
		"condition not met":       {answers(`{"principalId":"u","policyDocument":{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"true"}}}}}`), 403, "AccessDeniedException", denied},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			n := newGuardedNode(t, nil)
			n.functions.on("gate", tt.answer)
			ws, res, err := n.dial(t, "/prod", nil)
			if res == nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(res.Body)
			if res.StatusCode != tt.status || (ws != nil) != (tt.status == 101) {
				t.Errorf("got %d %s, want %d", res.StatusCode, body, tt.status)
			}
			want := tt.body
			if want != "" && want[0] != '{' {
				want = `{"message": "` + want + `", "connectionId":"`
			}
			if got := string(body); tt.status != 101 && (!strings.HasPrefix(got, want) || strings.HasSuffix(want, "}") && got != want) {
				t.Errorf("got body %s, want %s", body, want)
			}
			if got := res.Header.Get("X-Amzn-Errortype"); got != tt.errType {
				t.Errorf("got error type %q, want %q", got, tt.errType)
			}
			if got, want := n.functions.count("hello"), map[bool]int{true: 1}[tt.status == 101]; got != want {
				t.Errorf("the $connect integration was called %d times, want %d", got, want)
			}
			rec := <-n.records
			if !rec.Authorizer.Taken || !rec.Authorize.Taken || rec.Authorize.Status != map[bool]int{true: 200, false: tt.status}[tt.status == 101] {
				t.Errorf("recorded %+v, %+v", rec.Authorizer, rec.Authorize)
			}
			if tt.status != 101 && (rec.Err == nil || rec.Authorize.Error == "") {
				t.Errorf("the record does not say why: %+v", rec)
			}
		})
	}
}

// A missing identity source: 401 without a call (spec events-and-integrations §3).
func TestIdentitySources(t *testing.T) {
	n := newGuardedNode(t, func(def *apigw.Definition) {
		def.Authorizers[0].IdentitySource = []string{"route.request.header.X-Token", "route.request.querystring.room", "stageVariables.gate", "context.identity.sourceIp"}
	})
	n.functions.returns("gate", allow("*", ""))
	for name, tt := range map[string]struct {
		path   string
		header http.Header
		want   int
	}{
		"all there":        {"/prod?room=1", http.Header{"x-token": {"t"}}, 101},
		"another case":     {"/prod?room=1", http.Header{"X-TOKEN": {"t"}}, 101},
		"no header":        {"/prod?room=1", nil, 401},
		"empty header":     {"/prod?room=1", http.Header{"X-Token": {""}}, 401},
		"no parameter":     {"/prod", http.Header{"X-Token": {"t"}}, 401},
		"empty parameter":  {"/prod?room=", http.Header{"X-Token": {"t"}}, 401},
		"parameter's case": {"/prod?Room=1", http.Header{"X-Token": {"t"}}, 401},
	} {
		t.Run(name, func(t *testing.T) {
			before := n.functions.count("gate")
			_, res, err := n.dial(t, tt.path, tt.header)
			if res == nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(res.Body)
			if res.StatusCode != tt.want {
				t.Fatalf("got %d %s, want %d", res.StatusCode, body, tt.want)
			}
			called := n.functions.count("gate") - before
			if tt.want == 401 && (called != 0 || !strings.HasPrefix(string(body), `{"message": "Unauthorized", "connectionId":"`) || res.Header.Get("X-Amzn-Errortype") != "UnauthorizedException") {
				t.Errorf("called %d times; %v %s", called, res.Header, body)
			}
			if tt.want == 101 && called != 1 {
				t.Errorf("called %d times, want 1", called)
			}
		})
	}
}

// The context of an authorizer goes with every event of the connection, as texts: spec events-and-integrations §1, §3.
func TestAuthorizerContext(t *testing.T) {
	n := newGuardedNode(t, nil)
	n.functions.on("gate", func(map[string]any) (awsapi.InvocationResult, error) {
		time.Sleep(2 * time.Millisecond)
		return awsapi.InvocationResult{RequestID: "rid", Payload: []byte(allow("*", `,"context":{"tenant":"t1","level":3.50,"beta":true,"none":null,"principalId":"mallory","integrationLatency":9},"usageIdentifierKey":"secret-key"`))}, nil
	})
	n.functions.returns("any", `{"body":"x"}`)
	ws := n.open(t)
	say(t, ws, `{}`)
	if got := hear(t, ws); got != "x" {
		t.Fatalf("got %s", got)
	}
	if err := ws.Close(); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"tenant": "t1", "level": "3.50", "beta": "true", "principalId": "user1"}
	for _, function := range []string{"hello", "any", "bye"} {
		event := n.functions.await(t, function)
		got, _ := requestContext(t, event)["authorizer"].(map[string]any)
		got = maps.Clone(got)
		latency, has := got["integrationLatency"].(float64)
		delete(got, "integrationLatency")
		if has != (function == "hello") || has && latency < 1 {
			t.Errorf("%s: integrationLatency %v, %v", function, latency, has)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %v, want %v", function, got, want)
		}
		if b, err := json.Marshal(event); err != nil || strings.Contains(string(b), "secret-key") {
			t.Errorf("%s: the event shows the API key: %s %v", function, b, err)
		}
	}
	gate := n.functions.await(t, "gate")
	if gate["methodArn"] != connectARN || gate["type"] != "REQUEST" || requestContext(t, gate)["authorizer"] != nil {
		t.Errorf("the authorizer was asked %v", gate)
	}
	if got := requestContext(t, gate)["connectionId"]; got != requestContext(t, n.functions.await(t, "hello"))["connectionId"] {
		t.Errorf("the authorizer saw connection %v", got)
	}
	for _, operation := range []string{"connect", "message", "disconnect"} {
		rec := n.record(t, operation)
		principal, _ := rec.Event.Context.Lookup("authorizer.principalId")
		_, latency := rec.Event.Context.Lookup("authorizer.integrationLatency")
		if principal != "user1" || latency != (operation == "connect") {
			t.Errorf("record %s: principal %q, latency %v", rec.Operation, principal, latency)
		}
		if operation == "connect" && (rec.Authorizer.RequestID != "rid" || rec.Authorizer.Status != 200 || rec.Authorizer.Latency < time.Millisecond) {
			t.Errorf("got %+v", rec.Authorizer)
		}
	}
}

// Even one who is refused is named in the log.
func TestDeniedPrincipalIsRecorded(t *testing.T) {
	n := newGuardedNode(t, nil)
	n.functions.returns("gate", deny())
	_, _, _ = n.dial(t, "/prod", nil)
	rec := <-n.records
	if got, _ := rec.Event.Context.Lookup("authorizer.principalId"); got != "user1" {
		t.Errorf("got principal %q", got)
	}
}

// Nobody gets in by a definition that names no authorizer, or a way to authorize that this node does not know.
func TestAuthorizationFailsClosed(t *testing.T) {
	for name, change := range map[string]func(*apigw.Definition){
		"no such authorizer": func(def *apigw.Definition) { def.Authorizers = nil },
		"type":               func(def *apigw.Definition) { def.Authorizers[0].AuthorizerType = "JWT" },
		"URI":                func(def *apigw.Definition) { def.Authorizers[0].AuthorizerURI = "https://example.com" },
		"identity source":    func(def *apigw.Definition) { def.Authorizers[0].IdentitySource = []string{"$request.header.Auth"} },
	} {
		t.Run(name, func(t *testing.T) {
			if err := gateway.Compile(guarded(change)); err == nil || !strings.Contains(err.Error(), "auth") {
				t.Errorf("got %v", err)
			}
		})
	}
	n := newGuardedNode(t, func(def *apigw.Definition) {
		for i := range def.Routes {
			if r := &def.Routes[i]; r.AuthorizationType != "" {
				r.AuthorizationType = "SOMETHING_NEW"
			}
		}
	})
	if _, res, err := n.dial(t, "/prod", nil); res == nil || res.StatusCode != 500 || n.functions.count("hello") != 0 {
		t.Errorf("got %v, %v", res, err)
	}
}
