package integration_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"go.uber.org/goleak"

	"cleat/internal/apigw"
	"cleat/internal/awsapi"
	"cleat/internal/integration"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const functionURI = "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-west-1:123456789012:function:onEvent/invocations"

// at is 2024-03-12T20:57:22.124Z, as in spec events-and-integrations §1.1.
var at = time.UnixMilli(1710277042124)

// testEvent is an event of the spec's examples.
func testEvent(kind apigw.EventType) *apigw.Event {
	ev := &apigw.Event{Context: apigw.RequestContext{
		EventType: kind, RequestID: "Qyi3UG41tjMFlUg=", RequestTime: at, Stage: "prod", ConnectedAt: time.UnixMilli(1710277042123),
		Identity:   apigw.Identity{SourceIP: "192.0.2.7", UserAgent: "demo/1.0"},
		DomainName: "a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com", ConnectionID: "Qyi07eCbtjMCJKw=", APIID: "a1b2c3d4e5",
	}}
	switch kind {
	case apigw.EventConnect:
		ev.Context.RouteKey = apigw.RouteConnect
		ev.TraceID = "Root=1-65f0c1d2-0123456789abcdef01234567"
		ev.Headers = apigw.Fields{
			{Name: "Host", Value: "a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com"},
			{Name: "User-Agent", Value: "demo/1.0"},
			{Name: "Sec-WebSocket-Version", Value: "13"},
			{Name: "Sec-WebSocket-Key", Value: "Q0FGRUJBQkVERUFEQkVFRg=="},
			{Name: "X-Amzn-Trace-Id", Value: ev.TraceID},
			{Name: "X-Forwarded-For", Value: "192.0.2.7"},
			{Name: "X-Forwarded-Port", Value: "443"},
			{Name: "X-Forwarded-Proto", Value: "https"},
		}
	case apigw.EventMessage:
		ev.Context.RouteKey = "say"
		ev.Context.MessageID = "W9I-IeqhoAMCFvw="
		ev.Body = []byte(`{"action":"say","text":"hi"}`)
	case apigw.EventDisconnect:
		ev.Context.RouteKey = apigw.RouteDisconnect
		ev.Context.DisconnectStatusCode = 1005
		ev.Context.DisconnectReason = "Client-side close frame status not set"
	}
	return ev
}

// fakeFunctions is an Invoker that remembers its last call.
type fakeFunctions struct {
	answer func(ctx context.Context, call awsapi.Invocation) (awsapi.InvocationResult, error)
	last   awsapi.Invocation
	calls  int
}

func (f *fakeFunctions) Invoke(ctx context.Context, call awsapi.Invocation) (awsapi.InvocationResult, error) {
	f.last = call
	f.calls++
	return f.answer(ctx, call)
}

// answering is a fake whose functions answer the given payload.
func answering(payload string) *fakeFunctions {
	return &fakeFunctions{answer: func(context.Context, awsapi.Invocation) (awsapi.InvocationResult, error) {
		return awsapi.InvocationResult{Payload: []byte(payload), RequestID: "rid"}, nil
	}}
}

// failing is a fake whose functions throw.
func failing(payload string) *fakeFunctions {
	return &fakeFunctions{answer: func(context.Context, awsapi.Invocation) (awsapi.InvocationResult, error) {
		return awsapi.InvocationResult{Payload: []byte(payload), FunctionError: "Unhandled", RequestID: "rid", Cause: "app.js:3: boom"}, nil
	}}
}

// refusing is a fake that runs no function.
func refusing(kind apigw.Kind) *fakeFunctions {
	return &fakeFunctions{answer: func(context.Context, awsapi.Invocation) (awsapi.InvocationResult, error) {
		return awsapi.InvocationResult{}, &apigw.Error{Kind: kind, Err: errors.New("refused")}
	}}
}

func compile(t *testing.T, in apigw.Integration, responses []apigw.IntegrationResponse, d integration.Dependencies) *integration.Plan {
	t.Helper()
	p, err := integration.Compile(&in, responses, d)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// outcome is what of a Result and an error the tables compare.
type outcome struct {
	kind        apigw.Kind // of the error; zero: none
	failed      bool
	status      int
	hasBody     bool
	body        string
	subprotocol string
}

func outcomeOf(res integration.Result, err error) outcome {
	o := outcome{status: res.Status, hasBody: res.HasBody, body: string(res.Body), subprotocol: res.Subprotocol}
	if err != nil {
		o = outcome{kind: apigw.KindOf(err), failed: true}
	}
	return o
}
