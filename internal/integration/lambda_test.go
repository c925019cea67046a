package integration_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/awsapi"
	"cleat/internal/integration"
	"cleat/internal/lambdaevent"
)

var proxyIntegration = apigw.Integration{IntegrationType: apigw.IntegrationAWSProxy, IntegrationURI: functionURI}

// TestProxyResponse holds every row of spec events-and-integrations §2.
func TestProxyResponse(t *testing.T) {
	ok := func(status int) outcome { return outcome{status: status} }
	text := func(status int, body string) outcome { return outcome{status: status, hasBody: true, body: body} }
	malformed := outcome{kind: apigw.KindIntegrationFailure, failed: true}
	tests := map[string]struct {
		payload    string
		want       outcome
		atConnect  *outcome // where $connect differs
		wantsCause string
	}{
		"all members":              {payload: `{"statusCode":201,"headers":{"A":"b"},"multiValueHeaders":{"C":["d","e"]},"body":"hi","isBase64Encoded":false}`, want: text(201, "hi")},
		"empty object":             {payload: `{}`, want: ok(200)},
		"blanks around":            {payload: " \n{ \"body\" : \"x\" }\t", want: text(200, "x")},
		"another key":              {payload: `{"statusCode":200,"message":"hi"}`, want: malformed, wantsCause: `member "message"`},
		"another key's case":       {payload: `{"statuscode":200}`, want: malformed},
		"null":                     {payload: `null`, want: ok(200), atConnect: &malformed},
		"nothing":                  {payload: ``, want: ok(200), atConnect: &malformed},
		"string":                   {payload: `"hello"`, want: malformed, wantsCause: "not a JSON object"},
		"number":                   {payload: `200`, want: malformed},
		"array":                    {payload: `[{"statusCode":200}]`, want: malformed},
		"boolean":                  {payload: `true`, want: malformed},
		"not JSON":                 {payload: `{"statusCode":200`, want: malformed},
		"two objects":              {payload: `{}{}`, want: malformed},
		"status as string":         {payload: `{"statusCode":"201"}`, want: ok(201)},
		"status not numeric":       {payload: `{"statusCode":"ok"}`, want: malformed, wantsCause: `statusCode "ok"`},
		"status with blanks":       {payload: `{"statusCode":" 200"}`, want: malformed},
		"status fraction":          {payload: `{"statusCode":200.5}`, want: malformed},
		"status whole as float":    {payload: `{"statusCode":200.0}`, want: ok(200)},
		"status boolean":           {payload: `{"statusCode":true}`, want: malformed},
		"status null":              {payload: `{"statusCode":null}`, want: ok(200)},
		"status object":            {payload: `{"statusCode":{}}`, want: malformed},
		"status out of range":      {payload: `{"statusCode":1e300}`, want: malformed},
		"status zero":              {payload: `{"statusCode":0}`, want: malformed},
		"status 301":               {payload: `{"statusCode":301}`, want: ok(301)},
		"status 501":               {payload: `{"statusCode":501,"body":"no"}`, want: text(501, "no")},
		"headers null":             {payload: `{"headers":null,"multiValueHeaders":null}`, want: ok(200)},
		"header values":            {payload: `{"headers":{"a":"b","c":true,"d":1,"e":null}}`, want: ok(200)},
		"header object":            {payload: `{"headers":{"a":{}}}`, want: malformed, wantsCause: `headers: "a"`},
		"header array":             {payload: `{"headers":{"a":["b"]}}`, want: malformed},
		"headers array":            {payload: `{"headers":["a"]}`, want: malformed},
		"headers text":             {payload: `{"headers":"a"}`, want: malformed},
		"multi value not array":    {payload: `{"multiValueHeaders":{"a":"b"}}`, want: malformed, wantsCause: `multiValueHeaders: "a"`},
		"multi value of numbers":   {payload: `{"multiValueHeaders":{"a":[1,true,"x"]}}`, want: ok(200)},
		"multi value of objects":   {payload: `{"multiValueHeaders":{"a":[{}]}}`, want: malformed},
		"body object":              {payload: `{"body":{"a":1}}`, want: malformed, wantsCause: "body is not a string"},
		"body array":               {payload: `{"body":[1]}`, want: malformed},
		"body number":              {payload: `{"body":12.50}`, want: text(200, "12.50")},
		"body boolean":             {payload: `{"body":true}`, want: text(200, "true")},
		"body null":                {payload: `{"body":null}`, want: ok(200)},
		"body empty":               {payload: `{"body":""}`, want: text(200, "")},
		"body escapes":             {payload: `{"body":"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00"}`, want: text(200, "\"\\/\b\f\n\r\té😀")},
		"body not UTF-8":           {payload: "{\"body\":\"a\xffb\"}", want: text(200, "a\ufffdb")},
		"base64":                   {payload: `{"body":"aGk=","isBase64Encoded":true}`, want: text(200, "hi")},
		"base64, flag before":      {payload: `{"isBase64Encoded":true,"body":"aGk="}`, want: text(200, "hi")},
		"base64 without padding":   {payload: `{"body":"aGk","isBase64Encoded":true}`, want: text(200, "hi")},
		"base64 flag as string":    {payload: `{"body":"aGk=","isBase64Encoded":"true"}`, want: text(200, "hi")},
		"base64 flag null":         {payload: `{"body":"aGk=","isBase64Encoded":null}`, want: text(200, "aGk=")},
		"base64 flag wrong":        {payload: `{"body":"aGk=","isBase64Encoded":1}`, want: malformed},
		"not base64":               {payload: `{"body":"%","isBase64Encoded":true}`, want: malformed, wantsCause: "not base64"},
		"last duplicate counts":    {payload: `{"statusCode":500,"body":"a","statusCode":200,"body":"b"}`, want: text(200, "b")},
		"over Lambda's size":       {payload: `{"body":"` + strings.Repeat("x", apigw.QuotaLambdaPayload) + `"}`, want: malformed, wantsCause: "more than Lambda's"},
		"subprotocol":              {payload: `{"statusCode":200,"headers":{"sec-websocket-PROTOCOL":"v1"}}`, want: outcome{status: 200, subprotocol: "v1"}},
		"subprotocol, multi value": {payload: `{"statusCode":200,"multiValueHeaders":{"Sec-WebSocket-Protocol":["v0","v1"]}}`, want: outcome{status: 200, subprotocol: "v1"}},
		"subprotocol null":         {payload: `{"statusCode":200,"headers":{"Sec-WebSocket-Protocol":null}}`, want: ok(200)},
		"key with escapes":         {payload: `{"status\u0043ode":204}`, want: ok(204)},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p := compile(t, proxyIntegration, nil, integration.Dependencies{Functions: answering(tt.payload)})
			for _, kind := range []apigw.EventType{apigw.EventConnect, apigw.EventMessage, apigw.EventDisconnect} {
				want := tt.want
				if kind == apigw.EventConnect && tt.atConnect != nil {
					want = *tt.atConnect
				}
				res, err := p.Do(t.Context(), testEvent(kind), new(integration.Room))
				if got := outcomeOf(res, err); got != want {
					t.Errorf("%s: got %+v (%v), want %+v", kind, got, err, want)
				}
				if !strings.Contains(res.Cause, tt.wantsCause) {
					t.Errorf("%s: cause %q, want …%s…", kind, res.Cause, tt.wantsCause)
				}
				if res.FunctionRequestID != "rid" {
					t.Errorf("%s: no request ID of the function", kind)
				}
			}
		})
	}
}

// TestProxyFailures holds the rows of calls that fail.
func TestProxyFailures(t *testing.T) {
	tests := map[string]struct {
		functions *fakeFunctions
		kind      apigw.Kind
	}{
		"function error":  {failing(`{"errorMessage":"boom","errorType":"Error"}`), apigw.KindIntegrationFailure},
		"no permission":   {refusing(apigw.KindAccessDenied), apigw.KindIntegrationConfig},
		"throttled":       {refusing(apigw.KindFunctionConcurrency), apigw.KindIntegrationFailure},
		"missing":         {refusing(apigw.KindFunctionNotFound), apigw.KindIntegrationFailure},
		"bad payload":     {refusing(apigw.KindInvalidContent), apigw.KindIntegrationFailure},
		"too large":       {refusing(apigw.KindPayloadTooLarge), apigw.KindIntegrationFailure},
		"any other error": {refusing(apigw.KindInternal), apigw.KindIntegrationFailure},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p := compile(t, proxyIntegration, nil, integration.Dependencies{Functions: tt.functions})
			res, err := p.Do(t.Context(), testEvent(apigw.EventMessage), new(integration.Room))
			if apigw.KindOf(err) != tt.kind {
				t.Errorf("got %v (kind %d), want kind %d", err, apigw.KindOf(err), tt.kind)
			}
			if name == "function error" && (res.Cause != "app.js:3: boom" || res.FunctionRequestID != "rid") {
				t.Errorf("got %+v", res)
			}
			if awsapi.Message(err) != "Internal server error" {
				t.Errorf("the client would see %q", awsapi.Message(err))
			}
		})
	}
	p := compile(t, proxyIntegration, nil, integration.Dependencies{})
	if _, err := p.Do(t.Context(), testEvent(apigw.EventMessage), new(integration.Room)); apigw.KindOf(err) != apigw.KindIntegrationConfig {
		t.Errorf("without an Invoker: %v", err)
	}
}

func TestProxyInvocation(t *testing.T) {
	f := answering(`{}`)
	in := proxyIntegration
	in.IntegrationURI = "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-west-1:123456789012:function:${stageVariables.fn}:${stageVariables.alias}/invocations"
	in.RequestParameters = map[string]string{"integration.request.header.X-Amz-Invocation-Type": "'Event'"} // open-questions 54
	in.ContentHandlingStrategy = "CONVERT_TO_TEXT"
	p := compile(t, in, nil, integration.Dependencies{Functions: f})
	ev := testEvent(apigw.EventConnect)
	ev.StageVariables = map[string]string{"fn": "onEvent", "alias": "live"}
	if _, err := p.Do(t.Context(), ev, new(integration.Room)); err != nil {
		t.Fatal(err)
	}
	want := awsapi.Invocation{Function: "arn:aws:lambda:eu-west-1:123456789012:function:onEvent:live", Type: awsapi.InvokeRequestResponse, TraceID: ev.TraceID}
	got := f.last
	if string(got.Payload) != string(lambdaevent.AppendProxy(nil, ev)) {
		t.Errorf("payload %s", got.Payload)
	}
	if got.Function != want.Function || got.Type != want.Type || got.TraceID != want.TraceID || got.LogTail {
		t.Errorf("got %+v, want %+v", got, want)
	}
	for name, vars := range map[string]map[string]string{"missing": {"fn": "x"}, "no function": {"fn": "a b", "alias": "live"}} {
		ev.StageVariables = vars
		if _, err := p.Do(t.Context(), ev, new(integration.Room)); apigw.KindOf(err) != apigw.KindIntegrationConfig {
			t.Errorf("%s variable: %v", name, err)
		}
	}
	if f.calls != 1 {
		t.Errorf("%d calls, want 1", f.calls)
	}
}

// TestTimeout tells the integration's own time from the function's and from the caller's.
func TestTimeout(t *testing.T) {
	waiting := &fakeFunctions{answer: func(ctx context.Context, _ awsapi.Invocation) (awsapi.InvocationResult, error) {
		<-ctx.Done()
		return awsapi.InvocationResult{RequestID: "rid"}, &apigw.Error{Kind: apigw.KindInternal, Err: ctx.Err()}
	}}
	in := proxyIntegration
	in.TimeoutInMillis = 50
	p := compile(t, in, nil, integration.Dependencies{Functions: waiting})
	res, err := p.Do(t.Context(), testEvent(apigw.EventMessage), new(integration.Room))
	if apigw.KindOf(err) != apigw.KindIntegrationTimeout || awsapi.Message(err) != "Endpoint request timed out" || awsapi.Status(err) != 504 {
		t.Errorf("own time-out: %v", err)
	}
	if res.FunctionRequestID != "rid" {
		t.Errorf("the result is empty: %+v", res)
	}

	stop := errors.New("the node stops")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(stop)
	p = compile(t, proxyIntegration, nil, integration.Dependencies{Functions: waiting})
	if _, err := p.Do(ctx, testEvent(apigw.EventMessage), new(integration.Room)); apigw.KindOf(err) != apigw.KindIntegrationFailure {
		t.Errorf("caller's end: %v", err)
	}
	ctx, cancelTimeout := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancelTimeout()
	if _, err := p.Do(ctx, testEvent(apigw.EventMessage), new(integration.Room)); apigw.KindOf(err) != apigw.KindIntegrationFailure {
		t.Errorf("caller's time-out: %v", err)
	}

	timedOut := failing(`{"errorType":"Sandbox.Timedout","errorMessage":"RequestId: x Error: Task timed out after 3.00 seconds"}`)
	p = compile(t, in, nil, integration.Dependencies{Functions: timedOut})
	if _, err := p.Do(t.Context(), testEvent(apigw.EventMessage), new(integration.Room)); awsapi.Message(err) != "Internal server error" {
		t.Errorf("function's time-out: %v", err)
	}
}

// TestLambda holds spec events-and-integrations §5 and §8.2 for AWS integrations with a function.
func TestLambda(t *testing.T) {
	def := []apigw.IntegrationResponse{{IntegrationResponseKey: "$default"}}
	errorRules := []apigw.IntegrationResponse{
		{IntegrationResponseKey: "/.*not found.*/", ResponseTemplates: map[string]string{"application/json": `{"error":404}`}},
		{IntegrationResponseKey: "/404/", ResponseTemplates: map[string]string{"application/json": `{"never":true}`}},
		{IntegrationResponseKey: "$default"},
	}
	base := apigw.Integration{IntegrationType: apigw.IntegrationAWS, IntegrationURI: functionURI, IntegrationMethod: "POST"}
	with := func(f func(*apigw.Integration)) apigw.Integration { in := base; f(&in); return in }
	tests := map[string]struct {
		in        apigw.Integration
		responses []apigw.IntegrationResponse
		functions *fakeFunctions
		event     apigw.EventType
		payload   string // that the function got
		kind      awsapi.InvocationType
		want      outcome
	}{
		"pass-through":            {base, def, answering(`{"a":1}`), apigw.EventMessage, `{"action":"say","text":"hi"}`, awsapi.InvokeRequestResponse, outcome{status: 200, hasBody: true, body: `{"a":1}`}},
		"connect without a body":  {base, def, answering(`"x"`), apigw.EventConnect, `{}`, awsapi.InvokeRequestResponse, outcome{status: 200, hasBody: true, body: `"x"`}},
		"connect, no response":    {base, nil, answering(`{}`), apigw.EventConnect, `{}`, awsapi.InvokeRequestResponse, outcome{kind: apigw.KindIntegrationConfig, failed: true}},
		"message, no response":    {base, nil, answering(`{}`), apigw.EventMessage, `{"action":"say","text":"hi"}`, awsapi.InvokeRequestResponse, outcome{status: 200}},
		"disconnect, no response": {base, nil, answering(`{}`), apigw.EventDisconnect, `{}`, awsapi.InvokeRequestResponse, outcome{status: 200}},
		"literal template": {
			with(func(in *apigw.Integration) { in.RequestTemplates = map[string]string{"$default": `{"ping":true}`} }), def, answering(`1`),
			apigw.EventMessage, `{"ping":true}`, awsapi.InvokeRequestResponse,
			outcome{status: 200, hasBody: true, body: "1"},
		},
		"asynchronous": {
			with(func(in *apigw.Integration) {
				in.RequestParameters = map[string]string{"integration.request.header.X-Amz-Invocation-Type": "'Event'"}
			}), def, answering(``),
			apigw.EventMessage, `{"action":"say","text":"hi"}`, awsapi.InvokeEvent,
			outcome{status: 202},
		},
		"unknown invocation type": {
			with(func(in *apigw.Integration) {
				in.RequestParameters = map[string]string{"integration.request.header.X-Amz-Invocation-Type": "context.stage"}
			}), def, answering(``),
			apigw.EventMessage, "", "",
			outcome{kind: apigw.KindIntegrationConfig, failed: true},
		},
		"error matches": {base, errorRules, failing(`{"errorMessage":"user not found here"}`), apigw.EventMessage, `{"action":"say","text":"hi"}`, awsapi.InvokeRequestResponse, outcome{status: 200, hasBody: true, body: `{"error":404}`}},
		"error, exact before pattern": {
			base, errorRules, failing(`{"errorMessage":"404"}`), apigw.EventConnect, `{}`, awsapi.InvokeRequestResponse,
			outcome{status: 404, hasBody: true, body: `{"never":true}`},
		},
		"error, part of a match": {base, []apigw.IntegrationResponse{{IntegrationResponseKey: "/not found/"}}, failing(`{"errorMessage":"user not found"}`), apigw.EventMessage, `{"action":"say","text":"hi"}`, awsapi.InvokeRequestResponse, outcome{kind: apigw.KindIntegrationConfig, failed: true}},
		"error to default":       {base, errorRules, failing(`{"errorMessage":"other"}`), apigw.EventMessage, `{"action":"say","text":"hi"}`, awsapi.InvokeRequestResponse, outcome{status: 200, hasBody: true, body: `{"errorMessage":"other"}`}},
		"error without response": {base, nil, failing(`{"errorMessage":"other"}`), apigw.EventMessage, `{"action":"say","text":"hi"}`, awsapi.InvokeRequestResponse, outcome{kind: apigw.KindIntegrationFailure, failed: true}},
		"refused":                {base, def, refusing(apigw.KindAccessDenied), apigw.EventMessage, `{"action":"say","text":"hi"}`, awsapi.InvokeRequestResponse, outcome{kind: apigw.KindIntegrationConfig, failed: true}},
		"template that is no JSON": {
			with(func(in *apigw.Integration) { in.RequestTemplates = map[string]string{"$default": `ping`} }), def, answering(`1`),
			apigw.EventMessage, "", "",
			outcome{kind: apigw.KindIntegrationFailure, failed: true},
		},
		"never": {
			with(func(in *apigw.Integration) { in.PassthroughBehavior = "NEVER" }), def, answering(`1`),
			apigw.EventMessage, "", "",
			outcome{kind: apigw.KindUnsupportedMediaType, failed: true},
		},
		"no templates match": {
			with(func(in *apigw.Integration) {
				in.PassthroughBehavior, in.TemplateSelectionExpression = "WHEN_NO_TEMPLATES", "${request.body.action}"
				in.RequestTemplates = map[string]string{"x": `{}`}
			}), def, answering(`1`),
			apigw.EventMessage, "", "",
			outcome{kind: apigw.KindUnsupportedMediaType, failed: true},
		},
		"no templates": {
			with(func(in *apigw.Integration) { in.PassthroughBehavior = "WHEN_NO_TEMPLATES" }), def, answering(`1`),
			apigw.EventMessage, `{"action":"say","text":"hi"}`, awsapi.InvokeRequestResponse,
			outcome{status: 200, hasBody: true, body: "1"},
		},
		"template by the body": {
			with(func(in *apigw.Integration) {
				in.TemplateSelectionExpression = "${request.body.action}"
				in.RequestTemplates = map[string]string{"say": `[1]`, "$default": `[2]`}
			}), def, answering(`1`),
			apigw.EventMessage, `[1]`, awsapi.InvokeRequestResponse,
			outcome{status: 200, hasBody: true, body: "1"},
		},
		"template by default": {
			with(func(in *apigw.Integration) {
				in.TemplateSelectionExpression = "\\$default"
				in.RequestTemplates = map[string]string{"say": `[1]`, "$default": `[2]`}
			}), def, answering(`1`),
			apigw.EventMessage, `[2]`, awsapi.InvokeRequestResponse,
			outcome{status: 200, hasBody: true, body: "1"},
		},
		"response to binary": {
			base,
			[]apigw.IntegrationResponse{{IntegrationResponseKey: "$default", ContentHandlingStrategy: "CONVERT_TO_BINARY"}},
			answering(`aGk=`),
			apigw.EventMessage, `{"action":"say","text":"hi"}`, awsapi.InvokeRequestResponse,
			outcome{status: 200, hasBody: true, body: "hi"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p := compile(t, tt.in, tt.responses, integration.Dependencies{Functions: tt.functions})
			res, err := p.Do(t.Context(), testEvent(tt.event), new(integration.Room))
			if got := outcomeOf(res, err); got != tt.want {
				t.Errorf("got %+v (%v), want %+v", got, err, tt.want)
			}
			if got := string(tt.functions.last.Payload); got != tt.payload {
				t.Errorf("the function got %s, want %s", got, tt.payload)
			}
			if tt.functions.last.Type != tt.kind {
				t.Errorf("invocation type %q, want %q", tt.functions.last.Type, tt.kind)
			}
		})
	}
}

// TestRequestToBinary: CONVERT_TO_BINARY decodes a message before it goes on.
func TestRequestToBinary(t *testing.T) {
	f := answering(`1`)
	p := compile(t, apigw.Integration{IntegrationType: apigw.IntegrationAWS, IntegrationURI: functionURI, ContentHandlingStrategy: "CONVERT_TO_BINARY"}, nil, integration.Dependencies{Functions: f})
	ev := testEvent(apigw.EventMessage)
	ev.Body = []byte("eyJhIjoxfQ==")
	if _, err := p.Do(t.Context(), ev, new(integration.Room)); err != nil || string(f.last.Payload) != `{"a":1}` {
		t.Errorf("got %s, %v", f.last.Payload, err)
	}
	ev.Body = []byte("{}")
	if _, err := p.Do(t.Context(), ev, new(integration.Room)); apigw.KindOf(err) != apigw.KindIntegrationFailure {
		t.Errorf("got %v", err)
	}
}

func FuzzProxyResponse(f *testing.F) {
	for _, s := range []string{`{"statusCode":200,"headers":{"a":"b"},"body":"x"}`, `{"body":"aGk=","isBase64Encoded":true}`, `null`, `{"multiValueHeaders":{"a":["b"]}}`, `{"statusCode":"200"`, "{\"body\":\"\xff\"}", `{"body":1e400}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		p := compile(t, proxyIntegration, nil, integration.Dependencies{Functions: answering(string(payload))})
		res, err := p.Do(t.Context(), testEvent(apigw.EventConnect), new(integration.Room))
		if err == nil && (res.Status < 100 || res.Status > 999) {
			t.Errorf("status %d", res.Status)
		}
		if err != nil && apigw.KindOf(err) != apigw.KindIntegrationFailure {
			t.Errorf("kind of %v", err)
		}
		if _, err2 := p.Do(t.Context(), testEvent(apigw.EventMessage), new(integration.Room)); err == nil && err2 != nil {
			t.Errorf("fit for $connect but not for a message: %v", err2)
		}
	})
}

func BenchmarkAWSProxy(b *testing.B) {
	p, err := integration.Compile(&proxyIntegration, nil, integration.Dependencies{Functions: answering(`{"statusCode":200,"body":"ok"}`)})
	if err != nil {
		b.Fatal(err)
	}
	ev := testEvent(apigw.EventMessage)
	ev.Body = []byte(`{"action":"say","text":"` + strings.Repeat("x", 488) + `"}`)
	var room integration.Room
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Do(b.Context(), ev, &room); err != nil {
			b.Fatal(err)
		}
		room.Leave()
	}
}
