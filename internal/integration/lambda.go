package integration

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"cleat/internal/apigw"
	"cleat/internal/awsapi"
	"cleat/internal/jsonpath"
	"cleat/internal/lambdaevent"
)

// lambdaTarget is the function that an integration's URI names.
type lambdaTarget struct {
	functions awsapi.Invoker
	uri       awsapi.FunctionURI
}

// lambdaTarget reads the integration's URI. It returns as well a short name for the function.
func (c *compiler) lambdaTarget() (lambdaTarget, string) {
	t := lambdaTarget{functions: c.deps.Functions}
	if m := c.in.IntegrationMethod; m != "" && m != "POST" {
		c.fault("integrationMethod: %q; Lambda functions are called by POST", m)
	}
	var err error
	if t.uri, err = awsapi.ParseFunctionURI(c.in.IntegrationURI); err != nil {
		c.fault("integrationUri: %w", err)
	}
	return t, t.uri.Short()
}

// invoke makes a call of the function, which call does not name yet. Its Result holds what the log wants; the error says
// that the function could not be run.
func (t *lambdaTarget) invoke(ctx context.Context, deadline time.Time, ev *apigw.Event, call awsapi.Invocation) (awsapi.InvocationResult, Result, error) {
	if t.functions == nil {
		return awsapi.InvocationResult{}, Result{}, misconfigured("this node calls no Lambda functions")
	}
	function, err := t.uri.Function(ev.StageVariables)
	if err != nil {
		return awsapi.InvocationResult{}, Result{}, misconfigured("integrationUri: %w", err)
	}
	call.Function, call.TraceID = function, ev.TraceID
	ctx, cancel := context.WithDeadlineCause(ctx, deadline, errTimeout)
	defer cancel()
	out, err := t.functions.Invoke(ctx, call)
	res := Result{
		Called: true, CallStatus: awsapi.InvokeStatus(call.Type, err), FunctionRequestID: out.RequestID, Cause: out.Cause,
		Request: call.Payload, Response: out.Payload,
	}
	if err != nil {
		err = &apigw.Error{Kind: invokeKind(err), Err: err}
	}
	return out, res, err
}

// invokeKind maps a refused call to what becomes of the event: without a permission the integration cannot work as it
// is set up, all else is a failure of the backend (spec events-and-integrations §2, open-questions 13 and 14).
func invokeKind(err error) apigw.Kind {
	if apigw.KindOf(err) == apigw.KindAccessDenied {
		return apigw.KindIntegrationConfig
	}
	return apigw.KindIntegrationFailure
}

// functionFailure is the error of a function that failed.
func functionFailure(out *awsapi.InvocationResult, res *Result) error {
	if res.Cause == "" {
		res.Cause = errorMessage(out.Payload)
	}
	return failure("the function failed (%s): %s", out.FunctionError, res.Cause)
}

// lambdaProxy is an AWS_PROXY integration: the function gets the event and answers in a fixed form.
type lambdaProxy struct{ lambdaTarget }

// lambdaProxy checks the integration's mappings and leaves them alone: they have no effect here (open-questions 54).
func (c *compiler) lambdaProxy() (caller, string) {
	t, name := c.lambdaTarget()
	_, faults := parseMappings(c.in.RequestParameters)
	c.faults = append(c.faults, faults...)
	return &lambdaProxy{t}, name
}

func (p *lambdaProxy) call(ctx context.Context, deadline time.Time, ev *apigw.Event, _ *Room) (Result, error) {
	payload := lambdaevent.AppendProxy(make([]byte, 0, lambdaevent.Size(ev)), ev)
	out, res, err := p.invoke(ctx, deadline, ev, awsapi.Invocation{Type: awsapi.InvokeRequestResponse, Payload: payload})
	switch {
	case err != nil:
		return res, err
	case out.FunctionError != "":
		return res, functionFailure(&out, &res)
	}
	answer, err := parseProxyResponse(out.Payload, ev.Context.EventType == apigw.EventConnect)
	if err != nil {
		res.Cause = fmt.Sprintf("the function's answer is not a proxy response: %v", err)
		return res, failure("%s", res.Cause)
	}
	res.Status, res.BackendStatus = answer.status, answer.status
	res.Subprotocol, res.Body, res.HasBody = answer.subprotocol, answer.body, answer.hasBody
	return res, nil
}

// lambda is an AWS integration with a function: it gets a payload of the integration's making, and its answer is
// shaped by integration responses (spec events-and-integrations §5).
type lambda struct {
	lambdaTarget
	request       requestShape
	invocation    *source // of X-Amz-Invocation-Type; nil: RequestResponse
	clientContext *source // of X-Amz-Client-Context; nil: none
	responses     *responses
}

// Headers of Lambda's Invoke that mappings and $context.requestOverride.header can set. Lambda makes nothing of others.
const (
	invocationTypeHeader = "X-Amz-Invocation-Type"
	clientContextHeader  = "X-Amz-Client-Context"
)

// aws is an AWS integration: with a function, which is called by Invoke wherever it runs, or with another service.
func (c *compiler) aws() (caller, string) {
	if _, err := awsapi.ParseLambdaURI(c.in.IntegrationURI); err == nil {
		return c.lambda()
	}
	return c.awsService()
}

func (c *compiler) lambda() (caller, string) {
	t, name := c.lambdaTarget()
	l := &lambda{lambdaTarget: t, request: c.requestShape()}
	mappings, faults := parseMappings(c.in.RequestParameters)
	c.faults = append(c.faults, faults...)
	for i := range mappings {
		m := &mappings[i]
		switch {
		case m.in != inHeader:
			c.fault("requestParameters: %q: Lambda functions have no path and no query string to set", m.key())
		case strings.EqualFold(m.name, invocationTypeHeader):
			l.invocation = &m.from
		case strings.EqualFold(m.name, clientContextHeader):
			l.clientContext = &m.from
		}
	}
	l.responses = c.parseResponses("${integration.response.body.errorMessage}")
	return l, name
}

func (l *lambda) call(ctx context.Context, deadline time.Time, ev *apigw.Event, _ *Room) (Result, error) {
	x := exchange{ev: ev}
	call, err := l.newCall(&x)
	if err != nil {
		return Result{Request: call.Payload}, err
	}
	out, res, err := l.invoke(ctx, deadline, ev, call)
	if err != nil {
		return res, err
	}
	a := answer{body: out.Payload}
	if a.StatusCode = res.CallStatus; call.Type != awsapi.InvokeRequestResponse {
		a.body = nil
	}
	if out.FunctionError != "" {
		a.ErrorMessage = errorMessage(out.Payload)
		if err := functionFailure(&out, &res); len(l.responses.entries) == 0 {
			return res, err // no response says what the failure means
		}
	}
	x.overrides.Status = 0 // only a response template decides that
	shaped, err := l.responses.apply(nil, &x, &a)
	res.Status, res.BackendStatus, res.Body, res.HasBody = shaped.Status, shaped.BackendStatus, shaped.Body, shaped.HasBody
	return res, err
}

// newCall is the call that an event makes, but for the function's name.
func (l *lambda) newCall(x *exchange) (awsapi.Invocation, error) {
	var call awsapi.Invocation
	var err error
	if call.Payload, err = l.request.payload(x); err != nil {
		return call, err
	}
	if len(call.Payload) == 0 {
		call.Payload = []byte("{}") // what the function sees of an empty body
	}
	if !jsonpath.Valid(call.Payload) {
		return call, failure("Could not parse request body into json: the payload for the function is %s", excerpt(string(call.Payload[:min(len(call.Payload), 64)])))
	}
	overrides, err := x.overriddenHeaders()
	if err != nil {
		return call, err
	}
	if call.Type, err = l.invocationType(x, overrides); err != nil {
		return call, err
	}
	call.ClientContext, err = l.context(x, overrides)
	return call, err
}

// header is what an event gives for a header of the call, and whether it gives anything.
func (l *lambda) header(x *exchange, overrides apigw.Fields, name string, from *source) (string, bool) {
	if v, ok := overrides.LastFold(name); ok {
		return v, true
	}
	if from == nil {
		return "", false
	}
	values := from.append(nil, x)
	if len(values) == 0 {
		return "", false
	}
	return values[0], true
}

func (l *lambda) invocationType(x *exchange, overrides apigw.Fields) (awsapi.InvocationType, error) {
	value, ok := l.header(x, overrides, invocationTypeHeader, l.invocation)
	if !ok {
		return awsapi.InvokeRequestResponse, nil
	}
	switch t := awsapi.InvocationType(value); t {
	case awsapi.InvokeRequestResponse, awsapi.InvokeEvent, awsapi.InvokeDryRun:
		return t, nil
	}
	return "", misconfigured("integration.request.header.%s: %q is not one of RequestResponse, Event and DryRun", invocationTypeHeader, value)
}

// context is the client context, which the header holds as base64 of JSON.
func (l *lambda) context(x *exchange, overrides apigw.Fields) ([]byte, error) {
	value, ok := l.header(x, overrides, clientContextHeader, l.clientContext)
	if !ok {
		return nil, nil
	}
	context, err := decodeBase64([]byte(value))
	if err != nil || !jsonpath.Valid(context) {
		return nil, misconfigured("integration.request.header.%s: %q is not JSON in base64", clientContextHeader, excerpt(value))
	}
	return context, nil
}

// errorMessage is what a failed function's answer is selected by (spec lambda §2, §9).
func errorMessage(payload []byte) string {
	if !jsonpath.Valid(payload) {
		return string(payload[:min(len(payload), 256)])
	}
	return gjson.GetBytes(payload, "errorMessage").String()
}
