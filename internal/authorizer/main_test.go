package authorizer_test

import (
	"context"
	"testing"
	"time"

	"go.uber.org/goleak"

	"cleat/internal/apigw"
	"cleat/internal/authorizer"
	"cleat/internal/awsapi"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// function is an Invoker with one function behind it, which remembers its last call.
type function struct {
	answer func(ctx context.Context) (awsapi.InvocationResult, error)
	last   awsapi.Invocation
	calls  int
}

func (f *function) Invoke(ctx context.Context, call awsapi.Invocation) (awsapi.InvocationResult, error) {
	f.last = call
	f.calls++
	return f.answer(ctx)
}

func answering(payload string) *function {
	return &function{answer: func(context.Context) (awsapi.InvocationResult, error) {
		return awsapi.InvocationResult{Payload: []byte(payload), RequestID: "rid"}, nil
	}}
}

const uri = "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-west-1:123456789012:function:gate/invocations"

func compile(tb testing.TB, a apigw.Authorizer, f *function) *authorizer.Request {
	tb.Helper()
	a.AuthorizerType = "REQUEST"
	if a.AuthorizerURI == "" {
		a.AuthorizerURI = uri
	}
	d := authorizer.Dependencies{Region: "eu-west-1", Account: "123456789012"}
	if f != nil {
		d.Functions = f
	}
	r, err := authorizer.Compile(&a, d)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

func connectEvent() *apigw.Event {
	return &apigw.Event{
		Context: apigw.RequestContext{
			EventType: apigw.EventConnect, RouteKey: apigw.RouteConnect, RequestID: "Qyi3UG41tjMFlUg=", RequestTime: time.UnixMilli(1710277042124),
			Stage: "prod", ConnectedAt: time.UnixMilli(1710277042123), Identity: apigw.Identity{SourceIP: "192.0.2.7"},
			DomainName: "h.example", ConnectionID: "Qyi07eCbtjMCJKw=", APIID: "a1b2c3d4e5",
		},
		Headers: apigw.Fields{{Name: "Host", Value: "h.example"}, {Name: "X-Forwarded-Proto", Value: "https"}},
		TraceID: "Root=1-65f0c1d2-0123456789abcdef01234567",
	}
}
