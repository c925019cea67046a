package integration

import (
	"fmt"
	"strings"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/vtl"
)

// exchange is one event on its way through an integration: what its mappings and templates read, and what they overrode.
// It lives for one call, on one goroutine.
type exchange struct {
	ev      *apigw.Event
	payload vtl.Payload // of the request,
	read    bool        // once somebody has read it
	// overrides is what request templates put under $context.requestOverride and $context.responseOverride.
	overrides vtl.Overrides
	// yield is called before a template takes long; nil: nobody waits.
	yield func()
	// What templates see of the request and of the answer, and its payload. They stand here because they would be allocated.
	request, response vtl.Input
	converted, answer vtl.Payload
}

// Room is what handling one event takes, for use with one event after the other. The zero value is ready.
type Room struct {
	// Yield, where it is not nil, is called on the caller's goroutine, once at most, before a backend is waited for and before
	// a template takes longer than a few hundred microseconds. A MOCK integration with a usual template never calls it.
	Yield func()
	// Await, where it is not nil, waits on the caller's goroutine as conn.Message.Await does. An HTTP integration hands it to its
	// backend's call, and Yield with it; the others do without.
	Await func(fd int, until time.Time) bool

	exchange exchange
	result   answer
	payload  []byte // what a request template gave
	body     []byte // what a response template gave
}

// mostRoom is how many bytes of each kind a Room keeps for the next event.
const mostRoom = 16 << 10

// begin lets go of the event before.
func (r *Room) begin(ev *apigw.Event) *exchange {
	r.exchange = exchange{ev: ev, yield: r.Yield}
	r.result = answer{}
	return &r.exchange
}

func (r *Room) yield() {
	if r.Yield != nil {
		r.Yield()
	}
}

// Leave lets go of the last event, and of what came of it: Result.Body and Result.Request must not be in use any more.
func (r *Room) Leave() {
	payload, body := r.payload[:0], r.body[:0]
	if cap(payload) > mostRoom {
		payload = nil
	}
	if cap(body) > mostRoom {
		body = nil
	}
	*r = Room{payload: payload, body: body}
}

// document is the message's JSON, which the request template and the mappings share.
func (x *exchange) document() (any, error) { return x.requestPayload().Document() }

func (x *exchange) requestPayload() *vtl.Payload {
	if !x.read {
		x.payload.Reset(x.ev.Body)
		x.read = true
	}
	return &x.payload
}

// overriddenHeaders checks what a template put under $context.requestOverride.header by the rules of mapped headers.
func (x *exchange) overriddenHeaders() (apigw.Fields, error) {
	for _, f := range x.overrides.Header {
		if err := checkMappedHeader(f.Name); err != nil {
			return nil, misconfigured("request template: $context.requestOverride.header: %w", err)
		}
		if !parameterName.MatchString(f.Name) || strings.ContainsAny(f.Value, "\r\n\x00") {
			return nil, misconfigured("request template: $context.requestOverride.header: %q cannot be sent as a header", f.Name)
		}
	}
	return x.overrides.Header, nil
}

// pathValue is what fills the placeholder of a name.
func (x *exchange) pathValue(mappings []mapping, name string) (string, bool) {
	if v, ok := x.overrides.Path.Last(name); ok {
		return v, true
	}
	for i := range mappings {
		if m := &mappings[i]; m.in == inPath && m.name == name {
			values := m.from.append(nil, x)
			return strings.Join(values, ","), len(values) > 0
		}
	}
	return "", false
}

// input is what the request template sees.
func (x *exchange) input() *vtl.Input {
	x.request = vtl.Input{Event: x.ev, Payload: x.requestPayload(), Overrides: x.overrides, Yield: x.yield}
	return &x.request
}

// templateFault is a template that could not be rendered: 500 at $connect (spec mapping-templates §1).
func templateFault(of string, err error) error {
	return &apigw.Error{Kind: apigw.KindIntegrationConfig, Err: fmt.Errorf("%s: %w", of, err)}
}
