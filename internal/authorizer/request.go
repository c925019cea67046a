package authorizer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tidwall/gjson"

	"cleat/internal/apigw"
	"cleat/internal/awsapi"
	"cleat/internal/iampolicy"
	"cleat/internal/lambdaevent"
)

// Timeout bounds the call of an authorizer's function: that of integrations. AWS documents none for WebSocket APIs.
const Timeout = apigw.QuotaIntegrationTimeout

// Dependencies are what authorizers need to reach their functions. Compile asks for none of them, so that a definition
// can be checked without.
type Dependencies struct {
	Functions awsapi.Invoker // Authorize fails with KindAuthorizerConfig where it is missing
	Region    string         // where this node poses to be; empty: awsapi.DefaultRegion
	Account   string         // whose account it poses to be; empty: awsapi.DefaultAccount
}

// Request is a Lambda REQUEST authorizer, compiled. It is immutable and safe for concurrent use.
type Request struct {
	uri       awsapi.FunctionURI
	sources   []identitySource
	functions awsapi.Invoker
	region    string
	account   string
}

// Grant is what an authorizer said of a client.
type Grant struct {
	// Context holds the context's values as texts, then the principalId, and last the integrationLatency in milliseconds,
	// which the CONNECT event alone shows.
	Context apigw.Fields
	// UsageIdentifierKey is the API key that the authorizer brings for the client; empty when it brings none.
	UsageIdentifierKey string
}

// Compile makes a Request of an authorizer's definition. The error names every field at fault.
func Compile(a *apigw.Authorizer, d Dependencies) (*Request, error) {
	r := &Request{functions: d.Functions, region: d.Region, account: d.Account}
	if r.region == "" {
		r.region = awsapi.DefaultRegion
	}
	if r.account == "" {
		r.account = awsapi.DefaultAccount
	}
	var faults []error
	if a.AuthorizerType != "REQUEST" {
		faults = append(faults, fmt.Errorf("authorizerType: %q; WebSocket APIs have REQUEST only", a.AuthorizerType))
	}
	var err error
	if r.uri, err = awsapi.ParseFunctionURI(a.AuthorizerURI); err != nil {
		faults = append(faults, fmt.Errorf("authorizerUri: %w", err))
	}
	for _, text := range a.IdentitySource {
		source, err := parseIdentitySource(text)
		if err != nil {
			faults = append(faults, err)
		}
		r.sources = append(r.sources, source)
	}
	return r, errors.Join(faults...)
}

// errTimeout marks the end of the function's own time, as against that of the caller's context.
var errTimeout = errors.New("the authorizer took longer than " + Timeout.String())

// Authorize decides whether the client of a CONNECT event may connect, and notes in rec how that went. The error is an
// *apigw.Error: KindUnauthorized when an identity source is missing (the function is not called then) or the function
// said Unauthorized, KindAccessDenied when the policy does not allow it, KindAuthorizerConfig when the answer is not what
// an authorizer may answer or the function may not be called, KindAuthorizerFailure when it failed or took too long. The
// Grant holds what is known even when the policy denies, for the log.
func (r *Request) Authorize(ctx context.Context, ev *apigw.Event, rec *apigw.Record) (Grant, error) {
	grant, err := r.authorize(ctx, ev, rec)
	rec.Authorize = apigw.Step{Taken: true, Status: 200}
	if err != nil {
		rec.Authorize.Status, rec.Authorize.Error = awsapi.Status(err), err.Error()
	}
	return grant, err
}

func (r *Request) authorize(ctx context.Context, ev *apigw.Event, rec *apigw.Record) (Grant, error) {
	for i := range r.sources {
		if s := &r.sources[i]; !s.present(ev) {
			return Grant{}, &apigw.Error{Kind: apigw.KindUnauthorized, Err: fmt.Errorf("the identity source %s is missing or empty", s.text)}
		}
	}
	resource := awsapi.ExecuteAPIARN(r.region, r.account, ev.Context.APIID, ev.Context.Stage, apigw.RouteConnect)
	payload, err := r.invoke(ctx, ev, resource, &rec.Authorizer)
	if err != nil {
		return Grant{}, err
	}
	res, err := parseResult(payload)
	if err != nil {
		rec.Authorizer.Error = err.Error()
		return Grant{}, misconfigured("authorizer %s: %w", r.uri.Short(), err)
	}
	grant := Grant{UsageIdentifierKey: res.usageKey}
	grant.Context = make(apigw.Fields, 0, len(res.context)+2)
	grant.Context = append(append(grant.Context, res.context...),
		apigw.Field{Name: principalID, Value: res.principal},
		apigw.Field{Name: integrationLatency, Value: fmt.Sprint(rec.Authorizer.Latency.Milliseconds())})
	return grant, r.decide(res.policy, resource, ev)
}

// decide evaluates the policy that the function returned.
func (r *Request) decide(document []byte, resource string, ev *apigw.Event) error {
	policy, err := iampolicy.Parse(document, iampolicy.UseAuthorizer)
	if err != nil {
		return misconfigured("authorizer %s: policyDocument: %w", r.uri.Short(), err)
	}
	c := &ev.Context
	referer, _ := ev.Headers.LastFold("Referer")
	scheme, _ := ev.Headers.LastFold("X-Forwarded-Proto")
	result := iampolicy.Evaluate([]*iampolicy.Policy{policy}, &iampolicy.Request{
		Action: awsapi.InvokeAction, Resources: []string{resource},
		Context: iampolicy.NewContext(iampolicy.Origin{
			Time: c.RequestTime, SourceIP: c.Identity.SourceIP, UserAgent: c.Identity.UserAgent, Referer: referer,
			TLS: scheme == "https", Region: r.region,
		}),
	})
	denied := &apigw.Error{Kind: apigw.KindAccessDenied, Err: fmt.Errorf("the policy of authorizer %s for %s: %s", r.uri.Short(), resource, result)}
	switch result.Decision {
	case iampolicy.Allow:
		return nil
	case iampolicy.ExplicitDeny:
		denied.Message = awsapi.Message(denied) + " with an explicit deny"
	case iampolicy.ImplicitDeny:
	}
	return denied
}

// invoke calls the function and returns its answer.
func (r *Request) invoke(ctx context.Context, ev *apigw.Event, resource string, step *apigw.Step) ([]byte, error) {
	if r.functions == nil {
		return nil, misconfigured("this node calls no Lambda functions")
	}
	function, err := r.uri.Function(ev.StageVariables)
	if err != nil {
		return nil, misconfigured("authorizerUri: %w", err)
	}
	payload := lambdaevent.AppendAuthorizer(make([]byte, 0, lambdaevent.Size(ev)), ev, resource)
	ctx, cancel := context.WithTimeoutCause(ctx, Timeout, errTimeout)
	defer cancel()
	start := time.Now()
	out, err := r.functions.Invoke(ctx, awsapi.Invocation{Function: function, Type: awsapi.InvokeRequestResponse, Payload: payload, TraceID: ev.TraceID})
	*step = apigw.Step{Taken: true, Status: awsapi.InvokeStatus(awsapi.InvokeRequestResponse, err), Latency: time.Since(start), RequestID: out.RequestID}
	switch {
	case err != nil:
		err = r.unreachable(ctx, err)
	case out.FunctionError != "":
		err = r.failed(&out)
	}
	if err != nil {
		step.Error = err.Error()
	}
	return out.Payload, err
}

// unreachable is the error of a function that could not be run: one that is not there or may not be called is a matter of
// how the authorizer is set up.
func (r *Request) unreachable(ctx context.Context, err error) error {
	if errors.Is(context.Cause(ctx), errTimeout) {
		err = errors.Join(errTimeout, err)
	} else if kind := apigw.KindOf(err); kind == apigw.KindAccessDenied || kind == apigw.KindFunctionNotFound {
		return misconfigured("authorizer %s: %w", r.uri.Short(), err)
	}
	return &apigw.Error{Kind: apigw.KindAuthorizerFailure, Err: fmt.Errorf("authorizer %s: %w", r.uri.Short(), err)}
}

// failed is the error of a function that threw. One text alone is an answer: it sends the client away with 401.
func (r *Request) failed(out *awsapi.InvocationResult) error {
	message := ""
	if gjson.ValidBytes(out.Payload) {
		message = gjson.GetBytes(out.Payload, "errorMessage").String()
	}
	if message == "Unauthorized" {
		return &apigw.Error{Kind: apigw.KindUnauthorized, Err: fmt.Errorf("authorizer %s said Unauthorized", r.uri.Short())}
	}
	cause := out.Cause
	if cause == "" {
		cause = message
	}
	return &apigw.Error{Kind: apigw.KindAuthorizerFailure, Err: fmt.Errorf("authorizer %s failed (%s): %s", r.uri.Short(), out.FunctionError, cause)}
}

// misconfigured is an authorizer that cannot work as it is set up.
func misconfigured(format string, args ...any) error {
	return &apigw.Error{Kind: apigw.KindAuthorizerConfig, Err: fmt.Errorf(format, args...)}
}
