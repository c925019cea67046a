package integration

import (
	"context"
	"errors"
	"fmt"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/awsapi"
	"cleat/internal/backend"
)

// HTTP calls HTTP backends, until ctx ends or the request's deadline passes; *backend.Links is the one in use.
type HTTP interface {
	Do(ctx context.Context, r *backend.Request) (*backend.Response, error)
}

// Dependencies are what plans need to reach their backends, and what they tell them. Compile asks for none of them, so
// that a definition can be checked without; Do fails with KindIntegrationConfig where one is missing.
type Dependencies struct {
	Functions awsapi.Invoker // needed by integrations with a Lambda function
	HTTP      HTTP           // needed by integrations with an HTTP backend
	Services  Services       // needed by integrations with an AWS service other than Lambda
	Region    string         // where this node poses to be
	Account   string         // whose account it poses to be
	// ConnectionHeaders adds the X-Cleat-… headers of docs/http-backends.md to every HTTP call.
	ConnectionHeaders bool
	// GatewayAddress is this node's own part of X-Forwarded-For. Empty: 127.0.0.1.
	GatewayAddress string
}

// Result is what an integration answered.
type Result struct {
	// Status decides at $connect: 2xx lets the client in. It is zero when the backend gave none because it failed.
	Status int
	// Subprotocol is the Sec-WebSocket-Protocol header of a proxy integration's answer, for $connect.
	Subprotocol string
	// Body is the answer for the client of a two-way route, when HasBody says that there is one.
	Body    []byte
	HasBody bool

	// The rest is for the log.

	Called            bool   // the backend was called, whatever came of it
	CallStatus        int    // of the call itself: 200 for a function that ran, whatever its code says; zero without an answer
	BackendStatus     int    // status that the backend's code gave, before any mapping; zero when it gave none
	FunctionRequestID string // of the call of a function or an AWS service
	Cause             string // why the backend failed, in its own words
	// Request is what went to the backend after the mapping, and Response what it answered before.
	Request, Response []byte
}

// Plan is one integration, compiled. It is immutable and safe for concurrent use.
type Plan struct {
	target  string
	timeout time.Duration
	mock    *mock  // instead of a caller
	caller  caller // nil for MOCK
	awaits  bool   // the caller yields by itself, and may not have to
}

// caller is one integration type's way of handling an event, until ctx ends or the deadline passes. Its error has a kind, or
// is the context's. The room's Yield has been called, unless the Plan says that the caller awaits.
type caller interface {
	call(ctx context.Context, deadline time.Time, ev *apigw.Event, room *Room) (Result, error)
}

// Compile makes the plan of a single integration and its integration responses: see Set.
func Compile(in *apigw.Integration, responses []apigw.IntegrationResponse, d Dependencies) (*Plan, error) {
	return NewSet(d).Compile(in, responses)
}

func (s *Set) compile(in *apigw.Integration, responses []apigw.IntegrationResponse) (*Plan, error) {
	c := &compiler{set: s, in: in, responses: responses, deps: s.deps}
	p := &Plan{timeout: in.Timeout()}
	c.checkCommon()
	switch in.IntegrationType {
	case apigw.IntegrationAWSProxy:
		p.caller, p.target = c.lambdaProxy()
	case apigw.IntegrationAWS:
		p.caller, p.target = c.aws()
	case apigw.IntegrationHTTPProxy, apigw.IntegrationHTTP:
		p.caller, p.target = c.http()
		p.awaits = true
	case apigw.IntegrationMock:
		p.mock, p.target = c.mock(), "mock"
	default:
		c.fault("integrationType: %q is not one of AWS_PROXY, AWS, HTTP_PROXY, HTTP and MOCK", in.IntegrationType)
	}
	if len(c.faults) > 0 {
		return nil, errors.Join(c.faults...)
	}
	return p, nil
}

// vpcLink is the connectionType of a private integration.
const vpcLink = "VPC_LINK"

// compiler gathers an integration's faults, so that all of them are told at once.
type compiler struct {
	set       *Set
	in        *apigw.Integration
	responses []apigw.IntegrationResponse
	deps      Dependencies
	faults    []error
}

func (c *compiler) fault(format string, args ...any) {
	c.faults = append(c.faults, fmt.Errorf(format, args...))
}

func (c *compiler) checkCommon() {
	if c.in.TimeoutInMillis < 0 {
		c.fault("timeoutInMillis: %d is negative", c.in.TimeoutInMillis)
	}
	switch t := c.in.ConnectionType; t {
	case "", "INTERNET":
	case vpcLink:
		if k := c.in.IntegrationType; k != apigw.IntegrationHTTP && k != apigw.IntegrationHTTPProxy {
			c.fault("connectionType: %q is for HTTP and HTTP_PROXY integrations", t)
		}
	default:
		c.fault("connectionType: %q is not one of INTERNET and VPC_LINK", t)
	}
	switch c.in.PassthroughBehavior {
	case "", whenNoMatch, whenNoTemplates, never:
	default:
		c.fault("passthroughBehavior: %q is not one of WHEN_NO_MATCH, WHEN_NO_TEMPLATES and NEVER", c.in.PassthroughBehavior)
	}
	if v := c.in.PayloadFormatVersion; v != "" && v != "1.0" {
		c.fault(`payloadFormatVersion: %q; WebSocket APIs have "1.0" only`, v)
	}
}

// errTimeout tells of the end of an integration's own time, as against that of its caller's context.
var errTimeout = errors.New("the integration took longer than its timeoutInMillis")

// Do handles one event, in a room that is used again: Result.Body and Result.Request may be in it, and are good until
// Room.Leave. A backend that answers, with whatever status, is no error: Result.Status tells. The error is
// an *apigw.Error: KindIntegrationTimeout when the backend took longer than timeoutInMillis, KindIntegrationFailure
// when it failed, KindIntegrationConfig when the integration cannot work as it is set up, KindUnsupportedMediaType
// when passthroughBehavior refuses the event. The Result holds what is known even then.
func (p *Plan) Do(ctx context.Context, ev *apigw.Event, room *Room) (Result, error) {
	if p.mock != nil { // it waits for nobody, so its time-out means nothing
		return p.mock.answer(ev, room)
	}
	if !p.awaits || room.Await == nil {
		room.yield()
	}
	deadline := time.Now().Add(p.timeout)
	res, err := p.caller.call(ctx, deadline, ev, room)
	switch {
	case err == nil:
		return res, nil
	case ctx.Err() == nil && !time.Now().Before(deadline):
		return res, &apigw.Error{Kind: apigw.KindIntegrationTimeout, Err: fmt.Errorf("%s after %s: %w", p.target, p.timeout, errors.Join(errTimeout, err))}
	}
	if _, ok := errors.AsType[*apigw.Error](err); !ok {
		err = &apigw.Error{Kind: apigw.KindIntegrationFailure, Err: err}
	}
	return res, err
}

// Target names the backend in a few words, for a line of a log: a function's name, "POST http://127.0.0.1:8080/ws" or
// "mock".
func (p *Plan) Target() string { return p.target }

// failure is a backend that failed: 502 at $connect, "Internal server error" to a client (spec data-plane §2, §6).
func failure(format string, args ...any) error {
	return &apigw.Error{Kind: apigw.KindIntegrationFailure, Err: fmt.Errorf(format, args...)}
}

// misconfigured is an integration that cannot work as it is set up: 500 at $connect.
func misconfigured(format string, args ...any) error {
	return &apigw.Error{Kind: apigw.KindIntegrationConfig, Err: fmt.Errorf(format, args...)}
}
