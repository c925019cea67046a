package integration

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/awsapi"
	"cleat/internal/backend"
)

// Services calls AWS services; *backend.Services is the one in use.
type Services interface {
	Call(ctx context.Context, call *backend.ServiceCall) (*backend.Response, error)
}

// awsService is an AWS integration with a service other than Lambda's Invoke (spec events-and-integrations §7). The
// service's errors are statuses like others, for integration responses to select by.
type awsService struct {
	services  Services
	method    string
	uri       text
	target    *awsapi.ServiceURI // nil when the URI depends on the event
	mappings  []mapping
	request   requestShape
	responses *responses
}

// unmappableSigned are the headers that no mapping may set on a signed request, besides unmappable (spec
// events-and-integrations §6): those of the signature among them.
var unmappableSigned = []string{
	"Authorization", "Proxy-Authenticate", "X-Amz-Date", "X-Amz-Security-Token", "X-Amz-Content-Sha256",
}

const amzTarget = "X-Amz-Target"

func (c *compiler) awsService() (caller, string) {
	s := &awsService{services: c.deps.Services, method: c.httpMethod(), request: c.requestShape()}
	var faults []error
	s.mappings, faults = parseMappings(c.in.RequestParameters)
	c.faults = append(c.faults, faults...)
	for i := range s.mappings {
		if m := &s.mappings[i]; m.in == inHeader && isOneOf(m.name, unmappableSigned) {
			c.fault("requestParameters: %q: a mapping cannot set the header %s of a signed request", m.key(), m.name)
		}
	}
	s.responses = c.parseResponses("${integration.response.statuscode}")
	return s, c.serviceURI(s)
}

// serviceURI reads the integration's URI and returns it as it may be shown. What the URI depends on is checked with
// stand-ins first, so that a slip of the pen is found at once.
func (c *compiler) serviceURI(s *awsService) string {
	var err error
	if s.uri, err = parseText(c.in.IntegrationURI, true); err != nil {
		c.fault("integrationUri: %w", err)
		return ""
	}
	c.checkPlaceholders(&s.uri, s.mappings)
	parsed, err := awsapi.ParseServiceURI(s.uri.example())
	if err != nil {
		c.fault("integrationUri: %w", err)
		return ""
	}
	if s.uri.static() {
		s.target = &parsed
	} else if raw, err := awsapi.ParseServiceURI(c.in.IntegrationURI); err == nil {
		return raw.String()
	}
	return parsed.String()
}

func (s *awsService) call(ctx context.Context, deadline time.Time, ev *apigw.Event, _ *Room) (Result, error) {
	if s.services == nil {
		return Result{}, misconfigured("this node calls no AWS services")
	}
	x := exchange{ev: ev}
	call, err := s.newCall(&x)
	if err != nil {
		return Result{}, err
	}
	ctx, cancel := context.WithDeadlineCause(ctx, deadline, errTimeout)
	defer cancel()
	resp, err := s.services.Call(ctx, call)
	if err != nil {
		return Result{Called: true, Cause: err.Error(), Request: call.Body}, err
	}
	a := answer{body: resp.Body}
	a.StatusCode = resp.Status
	if s.responses.headers {
		a.Headers = fieldsOf(resp.Header)
	}
	x.overrides.Status = 0 // only a response template decides that
	res, err := s.responses.apply(nil, &x, &a)
	res.FunctionRequestID, res.Cause = resp.Header.Get("X-Amzn-Requestid"), backend.ServiceError(resp)
	res.Called, res.CallStatus, res.Request, res.Response = true, resp.Status, call.Body, resp.Body
	if err == nil && len(s.responses.entries) == 0 && ev.Context.EventType == apigw.EventMessage {
		res.Body, res.HasBody = resp.Body, len(resp.Body) > 0 // the service's own JSON, for a two-way route
	}
	return res, err
}

// newCall is the call that an event makes. The template comes first, for it may override the rest.
func (s *awsService) newCall(x *exchange) (*backend.ServiceCall, error) {
	body, err := s.request.payload(x)
	if err != nil {
		return nil, err
	}
	target, err := s.resolve(x)
	if err != nil {
		return nil, err
	}
	call := &backend.ServiceCall{URI: target, Method: s.method, Query: s.query(x)}
	if !bodyless(s.method) {
		call.Body = body
	}
	if call.Header, err = s.header(x, target, len(call.Body) > 0); err != nil {
		return nil, err
	}
	// An action without a target of the JSON protocol, known or mapped, is one of the query protocol.
	if _, targeted := call.Header.LastFold(amzTarget); target.Action != "" && !targeted {
		call.Query = strings.TrimSuffix("Action="+target.Action+"&"+call.Query, "&")
	}
	return call, nil
}

func (s *awsService) header(x *exchange, target *awsapi.ServiceURI, hasBody bool) (apigw.Fields, error) {
	overrides, err := x.overriddenHeaders()
	if err != nil {
		return nil, err
	}
	for _, f := range overrides {
		if isOneOf(f.Name, unmappableSigned) {
			return nil, misconfigured("request template: $context.requestOverride.header: the header %s of a signed request cannot be set", f.Name)
		}
	}
	lines := headerLines{make(apigw.Fields, 0, 8+len(s.mappings))}
	lines.add("User-Agent", "AmazonAPIGateway_"+string(x.ev.Context.APIID))
	lines.add("X-Amzn-Apigateway-Api-Id", string(x.ev.Context.APIID))
	if x.ev.TraceID != "" {
		lines.add("X-Amzn-Trace-Id", x.ev.TraceID)
	}
	lines.add("Accept", "application/json")
	known, contentType, isJSON := target.JSONTarget()
	switch {
	case isJSON:
		lines.add(amzTarget, known)
		lines.add("Content-Type", contentType)
	case hasBody:
		lines.add("Content-Type", "application/json")
	}
	var room [4]string
	for i := range s.mappings {
		if m := &s.mappings[i]; m.in == inHeader {
			if values := m.from.append(room[:0], x); len(values) > 0 {
				lines.set(m.name, values...)
			}
		}
	}
	for _, f := range overrides {
		lines.set(f.Name, f.Value)
	}
	return lines.Fields, nil
}

// query is the mapped parameters, but for those that a template overrides.
func (s *awsService) query(x *exchange) string {
	var query strings.Builder
	for _, f := range x.overrides.Query {
		addQuery(&query, f.Name, f.Value)
	}
	for i := range s.mappings {
		m := &s.mappings[i]
		if _, overridden := x.overrides.Query.Last(m.name); m.in != inQuery || overridden {
			continue
		}
		for _, v := range m.from.append(nil, x) {
			addQuery(&query, m.name, v)
		}
	}
	return query.String()
}

// resolve is what the URI names for an event.
func (s *awsService) resolve(x *exchange) (*awsapi.ServiceURI, error) {
	if s.target != nil {
		return s.target, nil
	}
	filled, err := s.uri.expand(x.ev, func(name string) (string, bool) { return x.pathValue(s.mappings, name) })
	if err != nil {
		return nil, err
	}
	target, err := awsapi.ParseServiceURI(filled)
	if err != nil {
		return nil, misconfigured("integrationUri: %w", err)
	}
	return &target, nil
}

// addQuery adds a parameter in the encoding that signatures are made of, where a blank is %20.
func addQuery(query *strings.Builder, name, value string) {
	if query.Len() > 0 {
		query.WriteByte('&')
	}
	query.WriteString(escapeSegment(name) + "=" + strings.ReplaceAll(url.QueryEscape(value), "+", "%20"))
}

// bodyless are the methods that carry no body to a backend (spec events-and-integrations §6).
func bodyless(method string) bool {
	return slices.Contains([]string{http.MethodGet, http.MethodHead, http.MethodOptions}, method)
}
