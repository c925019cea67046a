package authorizer_test

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/authorizer"
	"cleat/internal/awsapi"
)

const (
	resource = "arn:aws:execute-api:eu-west-1:123456789012:a1b2c3d4e5/prod/$connect"
	policy   = `"policyDocument":{"Version":"2012-10-17","Statement":[{"Action":"execute-api:Invoke","Effect":"Allow","Resource":"` + resource + `"}]}`
)

// What a function may answer: spec events-and-integrations §3, its numbered list.
func TestResult(t *testing.T) {
	principal := apigw.Field{Name: "principalId", Value: "u"}
	tests := map[string]struct {
		payload string
		want    apigw.Fields // nil: KindAuthorizerConfig
		key     string
		why     string
	}{
		"least":                 {payload: `{"principalId":"u",` + policy + `}`, want: apigw.Fields{principal}},
		"context":               {payload: `{"context":{"b":"1","a":2.0,"c":true,"d":false,"e":null,"f":""},"principalId":"u",` + policy + `}`, want: apigw.Fields{{Name: "b", Value: "1"}, {Name: "a", Value: "2.0"}, {Name: "c", Value: "true"}, {Name: "d", Value: "false"}, {Name: "f", Value: ""}, principal}},
		"context null":          {payload: `{"context":null,"principalId":"u",` + policy + `}`, want: apigw.Fields{principal}},
		"principal a number":    {payload: `{"principalId":12,` + policy + `}`, want: apigw.Fields{{Name: "principalId", Value: "12"}}},
		"other members":         {payload: `{"principalId":"u","x":{"y":1},` + policy + `}`, want: apigw.Fields{principal}},
		"key":                   {payload: `{"principalId":"u","usageIdentifierKey":"k",` + policy + `}`, want: apigw.Fields{principal}, key: "k"},
		"the last counts":       {payload: `{"principalId":"x","context":{"a":"1"},"principalId":"u","context":{"a":"2","b":"x","a":"3"},` + policy + `}`, want: apigw.Fields{{Name: "b", Value: "x"}, {Name: "a", Value: "3"}, principal}},
		"reserved names":        {payload: `{"principalId":"u","context":{"principalId":"x","integrationLatency":1},` + policy + `}`, want: apigw.Fields{principal}},
		"8 KB":                  {payload: pad(`{"principalId":"u",`+policy+`,"pad":"`, 8<<10), want: apigw.Fields{principal}},
		"more than 8 KB":        {payload: pad(`{"principalId":"u",`+policy+`,"pad":"`, 8<<10+1), why: "8193 bytes"},
		"nested context":        {payload: `{"principalId":"u","context":{"a":{}},` + policy + `}`, why: `context: "a" must be`},
		"list in context":       {payload: `{"principalId":"u","context":{"a":[1]},` + policy + `}`, why: `context: "a" must be`},
		"context a list":        {payload: `{"principalId":"u","context":[],` + policy + `}`, why: "context must be an object"},
		"context a text":        {payload: `{"principalId":"u","context":"x",` + policy + `}`, why: "context must be an object"},
		"principal an object":   {payload: `{"principalId":{},` + policy + `}`, why: "principalId"},
		"principal null":        {payload: `{"principalId":null,` + policy + `}`, why: "principalId"},
		"principal's case":      {payload: `{"principalID":"u",` + policy + `}`, why: "principalId"},
		"policy a text":         {payload: `{"principalId":"u","policyDocument":"{}"}`, why: "policyDocument"},
		"policy a list":         {payload: `{"principalId":"u","policyDocument":[]}`, why: "policyDocument"},
		"policy without effect": {payload: `{"principalId":"u","policyDocument":{"Statement":[{}]}}`, why: "policyDocument"},
		"key an object":         {payload: `{"principalId":"u","usageIdentifierKey":{},` + policy + `}`, why: "usageIdentifierKey"},
		"a list":                {payload: `[]`, why: "not an object"},
		"null":                  {payload: `null`, why: "not an object"},
		"nothing":               {payload: ``, why: "not JSON"},
		"not JSON":              {payload: `{"principalId":"u",` + policy, why: "not JSON"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var rec apigw.Record
			got, err := compile(t, apigw.Authorizer{}, answering(tt.payload)).Authorize(t.Context(), connectEvent(), &rec)
			if tt.want == nil {
				if apigw.KindOf(err) != apigw.KindAuthorizerConfig || !strings.Contains(err.Error(), tt.why) || rec.Authorize.Status != 500 {
					t.Errorf("got %v, recorded %+v, want …%s…", err, rec.Authorize, tt.why)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			n := len(got.Context) - 1
			if last := got.Context[n]; last.Name != "integrationLatency" {
				t.Errorf("the last is %v", last)
			}
			if !reflect.DeepEqual(got.Context[:n], tt.want) || got.UsageIdentifierKey != tt.key {
				t.Errorf("got %v, key %q, want %v, %q", got.Context[:n], got.UsageIdentifierKey, tt.want, tt.key)
			}
			if rec.Authorizer.RequestID != "rid" || rec.Authorizer.Status != 200 || rec.Authorizer.Error != "" || rec.Authorize.Status != 200 {
				t.Errorf("recorded %+v, %+v", rec.Authorizer, rec.Authorize)
			}
		})
	}
}

func pad(start string, size int) string {
	return start + strings.Repeat("x", size-len(start)-len(`"}`)) + `"}`
}

func TestInvocation(t *testing.T) {
	f := answering(`{"principalId":"u",` + policy + `}`)
	a := apigw.Authorizer{AuthorizerURI: strings.Replace(uri, ":gate", ":gate-${stageVariables.env}:live", 1)}
	r := compile(t, a, f)
	ev := connectEvent()
	if _, err := r.Authorize(t.Context(), ev, new(apigw.Record)); apigw.KindOf(err) != apigw.KindAuthorizerConfig || f.calls != 0 {
		t.Errorf("without the stage variable: %v, %d calls", err, f.calls)
	}
	ev.StageVariables = map[string]string{"env": "beta"}
	if _, err := r.Authorize(t.Context(), ev, new(apigw.Record)); err != nil {
		t.Fatal(err)
	}
	if f.last.Function != "arn:aws:lambda:eu-west-1:123456789012:function:gate-beta:live" || f.last.TraceID != ev.TraceID || f.last.Type != awsapi.InvokeRequestResponse {
		t.Errorf("got %+v", f.last)
	}
	var event struct {
		MethodARN string `json:"methodArn"`
		Headers   map[string]string
	}
	if err := json.Unmarshal(f.last.Payload, &event); err != nil || event.MethodARN != resource || event.Headers["Upgrade"] != "websocket" {
		t.Errorf("got %s, %v", f.last.Payload, err)
	}
	if _, err := compile(t, apigw.Authorizer{}, nil).Authorize(t.Context(), ev, new(apigw.Record)); apigw.KindOf(err) != apigw.KindAuthorizerConfig {
		t.Errorf("a node without functions: %v", err)
	}
}

// A function that does not answer is given up after 29 seconds, and one whose caller ends at once.
func TestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &function{answer: func(ctx context.Context) (awsapi.InvocationResult, error) {
			<-ctx.Done()
			return awsapi.InvocationResult{}, ctx.Err()
		}}
		r := compile(t, apigw.Authorizer{}, f)
		start := time.Now()
		var rec apigw.Record
		_, err := r.Authorize(t.Context(), connectEvent(), &rec)
		if took := time.Since(start); took != authorizer.Timeout || apigw.KindOf(err) != apigw.KindAuthorizerFailure || !strings.Contains(err.Error(), "longer than 29s") {
			t.Errorf("after %s: %v", took, err)
		}
		if rec.Authorizer.Latency != authorizer.Timeout || rec.Authorizer.Error == "" {
			t.Errorf("recorded %+v", rec.Authorizer)
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(errors.New("the node ends"))
		if _, err := r.Authorize(ctx, connectEvent(), &rec); apigw.KindOf(err) != apigw.KindAuthorizerFailure || strings.Contains(err.Error(), "longer than") {
			t.Errorf("got %v", err)
		}
	})
}

func TestCompileFaults(t *testing.T) {
	for name, tt := range map[string]struct {
		a    apigw.Authorizer
		want []string
	}{
		"type":   {apigw.Authorizer{AuthorizerType: "JWT", AuthorizerURI: uri}, []string{`authorizerType: "JWT"`}},
		"URI":    {apigw.Authorizer{AuthorizerType: "REQUEST", AuthorizerURI: "arn:aws:lambda:eu-west-1:123456789012:function:gate"}, []string{"authorizerUri: "}},
		"source": {apigw.Authorizer{AuthorizerType: "REQUEST", AuthorizerURI: uri, IdentitySource: []string{"$request.header.Auth"}}, []string{`identitySource: "$request.header.Auth"`}},
		"all":    {apigw.Authorizer{IdentitySource: []string{"context.", "route.request.header.a b"}}, []string{"authorizerType", "authorizerUri", `"context."`, `"route.request.header.a b"`}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := authorizer.Compile(&tt.a, authorizer.Dependencies{})
			for _, want := range tt.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want …%s…", err, want)
				}
			}
		})
	}
}

// FuzzResult finds answers of a function that make Authorize misbehave. Whom it lets in has a principal and a policy by
// encoding/json's reading too, and a context of texts.
func FuzzResult(f *testing.F) {
	for _, s := range []string{
		`{"principalId":"u",` + policy + `,"context":{"a":1,"b":"\u00e9","c":null}}`, `{"principalId":"u","policyDocument":{}}`,
		`{"principalId":1,` + policy + `,"usageIdentifierKey":"k"}`, `{"errorMessage":"Unauthorized"}`, `[]`, `{`, `{"principalId":"u",` + policy + `,"policyDocument":{"Statement":[]}}`,
	} {
		f.Add([]byte(s), false)
	}
	f.Add([]byte(`{"errorMessage":"Unauthorized"}`), true)
	f.Fuzz(func(t *testing.T, payload []byte, failed bool) {
		fn := &function{answer: func(context.Context) (awsapi.InvocationResult, error) {
			out := awsapi.InvocationResult{Payload: payload}
			if failed {
				out.FunctionError = "Unhandled"
			}
			return out, nil
		}}
		grant, err := compile(t, apigw.Authorizer{}, fn).Authorize(t.Context(), connectEvent(), new(apigw.Record))
		if err != nil {
			if _, ok := errors.AsType[*apigw.Error](err); !ok {
				t.Errorf("an error without a kind: %v", err)
			}
			return
		}
		var seen map[string]json.RawMessage
		if failed || json.Unmarshal(payload, &seen) != nil || seen["principalId"] == nil || seen["policyDocument"] == nil {
			t.Fatalf("let in by %q", payload)
		}
		names := map[string]bool{}
		for _, field := range grant.Context {
			if names[field.Name] {
				t.Errorf("%s is there twice", field.Name)
			}
			names[field.Name] = true
		}
	})
}

func BenchmarkAuthorize(b *testing.B) {
	r := compile(b, apigw.Authorizer{IdentitySource: []string{"route.request.header.Host"}}, answering(`{"principalId":"u",`+policy+`,"context":{"tenant":"t1","level":3}}`))
	ev := connectEvent()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Authorize(b.Context(), ev, new(apigw.Record)); err != nil {
			b.Fatal(err)
		}
	}
}
