package integration

import (
	"fmt"
	"strings"

	"cleat/internal/apigw"
	"cleat/internal/vtl"
)

// exchange is one event on its way through an integration: what its mappings and templates read, and what they overrode.
// It lives for one call, on one goroutine.
type exchange struct {
	ev      *apigw.Event
	payload *vtl.Payload // of the request; nil until somebody reads it
	// overrides is what request templates put under $context.requestOverride and $context.responseOverride.
	overrides vtl.Overrides
	// yield is called before a template takes long; nil: nobody waits.
	yield func()
}

// document is the message's JSON, which the request template and the mappings share.
func (x *exchange) document() (any, error) { return x.requestPayload().Document() }

func (x *exchange) requestPayload() *vtl.Payload {
	if x.payload == nil {
		x.payload = vtl.NewPayload(x.ev.Body)
	}
	return x.payload
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
	return &vtl.Input{Event: x.ev, Payload: x.requestPayload(), Overrides: x.overrides, Yield: x.yield}
}

// templateFault is a template that could not be rendered: 500 at $connect (spec mapping-templates §1).
func templateFault(of string, err error) error {
	return &apigw.Error{Kind: apigw.KindIntegrationConfig, Err: fmt.Errorf("%s: %w", of, err)}
}
