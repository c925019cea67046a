package integration

import (
	"context"
	"fmt"
	"strings"

	"github.com/tidwall/gjson"

	"cleat/internal/apigw"
	"cleat/internal/awsapi"
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

// invoke calls the function. Its Result holds what the log wants; the error says that the function could not be run.
func (t *lambdaTarget) invoke(ctx context.Context, ev *apigw.Event, payload []byte, kind awsapi.InvocationType) (awsapi.InvocationResult, Result, error) {
	if t.functions == nil {
		return awsapi.InvocationResult{}, Result{}, misconfigured("this node calls no Lambda functions")
	}
	function, err := t.uri.Function(ev.StageVariables)
	if err != nil {
		return awsapi.InvocationResult{}, Result{}, misconfigured("integrationUri: %w", err)
	}
	out, err := t.functions.Invoke(ctx, awsapi.Invocation{Function: function, Type: kind, Payload: payload, TraceID: ev.TraceID})
	res := Result{FunctionRequestID: out.RequestID, Cause: out.Cause}
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

func (p *lambdaProxy) call(ctx context.Context, ev *apigw.Event) (Result, error) {
	payload := lambdaevent.AppendProxy(make([]byte, 0, lambdaevent.Size(ev)), ev)
	out, res, err := p.invoke(ctx, ev, payload, awsapi.InvokeRequestResponse)
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
	request    requestShape
	invocation *source // of X-Amz-Invocation-Type; nil: RequestResponse
	responses  *responses
}

const invocationTypeHeader = "X-Amz-Invocation-Type"

func (c *compiler) lambda() (caller, string) {
	if _, err := awsapi.ParseLambdaURI(c.in.IntegrationURI); err != nil && !strings.Contains(c.in.IntegrationURI, ":lambda:") {
		c.fault("integrationUri: %q is not a Lambda function's; other AWS services are not supported by this version", c.in.IntegrationURI)
		return nil, ""
	}
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
		case strings.EqualFold(m.name, "X-Amz-Client-Context"):
			c.fault("requestParameters: %q is not supported by this version", m.key())
		} // Lambda makes nothing of other headers
	}
	l.responses = c.parseResponses("${integration.response.body.errorMessage}")
	return l, name
}

func (l *lambda) call(ctx context.Context, ev *apigw.Event) (Result, error) {
	payload, err := l.request.payload(ev)
	if err != nil {
		return Result{}, err
	}
	if len(payload) == 0 {
		payload = []byte("{}") // what the function sees of an empty body
	}
	if !gjson.ValidBytes(payload) {
		return Result{}, failure("the payload for the function is not JSON, which Lambda refuses: %s", excerpt(string(payload[:min(len(payload), 64)])))
	}
	kind, err := l.invocationType(ev)
	if err != nil {
		return Result{}, err
	}
	out, res, err := l.invoke(ctx, ev, payload, kind)
	if err != nil {
		return res, err
	}
	a := answer{body: out.Payload}
	switch kind {
	case awsapi.InvokeEvent:
		a.StatusCode, a.body = 202, nil
	case awsapi.InvokeDryRun:
		a.StatusCode, a.body = 204, nil
	default:
		a.StatusCode = 200
	}
	if out.FunctionError != "" {
		a.ErrorMessage = errorMessage(out.Payload)
		if err := functionFailure(&out, &res); len(l.responses.entries) == 0 {
			return res, err // no response says what the failure means
		}
	}
	shaped, err := l.responses.apply(ev, &a)
	shaped.FunctionRequestID, shaped.Cause = res.FunctionRequestID, res.Cause
	return shaped, err
}

func (l *lambda) invocationType(ev *apigw.Event) (awsapi.InvocationType, error) {
	if l.invocation == nil {
		return awsapi.InvokeRequestResponse, nil
	}
	values := l.invocation.append(nil, ev)
	if len(values) == 0 {
		return awsapi.InvokeRequestResponse, nil
	}
	switch t := awsapi.InvocationType(values[0]); t {
	case awsapi.InvokeRequestResponse, awsapi.InvokeEvent, awsapi.InvokeDryRun:
		return t, nil
	}
	return "", misconfigured("integration.request.header.%s: %q is not one of RequestResponse, Event and DryRun", invocationTypeHeader, values[0])
}

// errorMessage is what a failed function's answer is selected by (spec lambda §2, §9).
func errorMessage(payload []byte) string {
	if !gjson.ValidBytes(payload) {
		return string(payload[:min(len(payload), 256)])
	}
	return gjson.GetBytes(payload, "errorMessage").String()
}
