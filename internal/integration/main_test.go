package integration_test

import (
	"context"
	"errors"
	"testing"

	"go.uber.org/goleak"

	"cleat/internal/apigw"
	"cleat/internal/awsapi"
	"cleat/internal/integration"
	"cleat/internal/testkit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const functionURI = "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-west-1:123456789012:function:onEvent/invocations"

// testEvent is an event of the spec's examples.
var testEvent = testkit.Event

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
