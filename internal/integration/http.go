package integration

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/backend"
)

// httpCaller is an HTTP_PROXY or HTTP integration (spec events-and-integrations §6).
type httpCaller struct {
	backend  HTTP
	method   string
	link     string // of the VPC; empty: none
	uri      text
	url      *url.URL // nil when the URI depends on the event
	mappings []mapping
	query    bool // some mapping sets a query parameter
	own      bool // send Cleat's own headers
	gateway  string
	request  requestShape
	// responses is nil for HTTP_PROXY, which shapes nothing.
	responses *responses
}

// anyMethod stands for whatever method came in. Events have none, so they go out as most backends expect them.
const anyMethod = "ANY"

func (c *compiler) http() (caller, string) {
	h := &httpCaller{
		backend: c.deps.HTTP, own: c.deps.ConnectionHeaders, gateway: c.deps.GatewayAddress,
		method: c.httpMethod(), link: c.vpcLink(),
	}
	var faults []error
	h.mappings, faults = parseMappings(c.in.RequestParameters)
	c.faults = append(c.faults, faults...)
	h.query = slices.ContainsFunc(h.mappings, func(m mapping) bool { return m.in == inQuery })
	shown := c.httpURI(h)
	if c.in.IntegrationType == apigw.IntegrationHTTP {
		h.request = c.requestShape()
		h.responses = c.parseResponses("${integration.response.statuscode}")
	} else { // a proxy integration passes the message as it is, whatever templates there are
		c.checkHandling("contentHandlingStrategy", c.in.ContentHandlingStrategy)
		h.request.handling = c.in.ContentHandlingStrategy
	}
	return h, h.method + " " + shown
}

// httpMethod is the method with which the backend is called.
func (c *compiler) httpMethod() string {
	switch m := c.in.IntegrationMethod; m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return m
	case anyMethod:
	case "":
		c.fault("integrationMethod: %s integrations need one, such as POST", c.in.IntegrationType)
	default:
		c.fault("integrationMethod: %q is not an HTTP method", m)
	}
	return http.MethodPost
}

// vpcLink is the link through which the backend is called, empty when it is called directly.
func (c *compiler) vpcLink() string {
	if c.in.ConnectionType != vpcLink {
		return ""
	}
	if c.in.ConnectionID == "" {
		c.fault("connectionId: connectionType VPC_LINK needs the name or the ID of a VPC link")
	}
	return c.in.ConnectionID
}

// checkPlaceholders wants a path mapping for each placeholder of a URI.
func (c *compiler) checkPlaceholders(uri *text, mappings []mapping) {
	for _, name := range uri.placeholders() {
		if !slices.ContainsFunc(mappings, func(m mapping) bool { return m.in == inPath && m.name == name }) {
			c.fault("integrationUri: nothing fills {%s}: requestParameters has no %spath.%s", name, targetPrefix, name)
		}
	}
}

// httpURI reads the integration's URI and returns it as it may be shown.
func (c *compiler) httpURI(h *httpCaller) string {
	var err error
	if h.uri, err = parseText(c.in.IntegrationURI, true); err != nil {
		c.fault("integrationUri: %w", err)
		return ""
	}
	c.checkPlaceholders(&h.uri, h.mappings)
	if !h.uri.static() {
		return c.in.IntegrationURI
	}
	if h.url, err = parseURL(c.in.IntegrationURI); err != nil {
		c.fault("integrationUri: %w", err)
		return ""
	}
	return (&url.URL{Scheme: h.url.Scheme, Host: h.url.Host, Path: h.url.Path, RawPath: h.url.RawPath}).String()
}

var errNotHTTP = errors.New("not an absolute http or https URL")

func parseURL(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil {
		return nil, err
	}
	if (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return nil, errNotHTTP
	}
	u.Fragment, u.RawFragment = "", ""
	return u, nil
}

// httpCall is one call of an HTTP backend and all that it is made of, in one piece. Whoever makes the call may keep it.
type httpCall struct {
	exchange
	request backend.Request
	lines   [16]apigw.Field // room for most requests' headers
}

func (h *httpCaller) call(ctx context.Context, deadline time.Time, ev *apigw.Event, room *Room) (Result, error) {
	if h.backend == nil {
		return Result{}, misconfigured("this node calls no HTTP backends")
	}
	x := &httpCall{exchange: exchange{ev: ev, yield: room.Yield}}
	req := &x.request
	if err := h.shape(x); err != nil {
		return Result{}, err
	}
	req.Deadline, req.Yield, req.Await = deadline, room.Yield, room.Await
	resp, err := h.backend.Do(ctx, req)
	if err != nil {
		return Result{Called: true, Cause: err.Error(), Request: req.Body}, err
	}
	if h.responses != nil {
		a := answer{body: resp.Body}
		a.StatusCode = resp.Status
		if h.responses.headers {
			a.Headers = fieldsOf(resp.Header)
		}
		x.overrides.Status = 0 // only a response template decides that
		res, err := h.responses.apply(nil, &x.exchange, &a)
		res.Called, res.CallStatus, res.Request, res.Response = true, resp.Status, req.Body, resp.Body
		return res, err
	}
	return Result{
		Called: true, CallStatus: resp.Status, Status: resp.Status, BackendStatus: resp.Status,
		Subprotocol: resp.Header.Get(subprotocolHeader), Body: resp.Body, HasBody: len(resp.Body) > 0, Request: req.Body, Response: resp.Body,
	}, nil
}

func (h *httpCaller) proxy() bool { return h.responses == nil }

// shape makes the request of an event.
func (h *httpCaller) shape(x *httpCall) error {
	ev, req := x.ev, &x.request
	req.Method, req.Link = h.method, h.link
	req.DiscardBody = h.proxy() && ev.Context.EventType != apigw.EventMessage
	var err error
	// HTTP_PROXY sends no body but a message; without templates the shape passes that on. The template comes first, for
	// it may override the rest.
	if !h.proxy() || ev.Context.EventType == apigw.EventMessage {
		if req.Body, err = h.request.payload(&x.exchange); err != nil {
			return err
		}
	}
	if req.URL, err = h.requestURL(&x.exchange); err != nil {
		return err
	}
	if bodyless(h.method) {
		req.Body = nil
	}
	req.Header, err = h.requestHeader(x)
	return err
}

func (h *httpCaller) requestHeader(x *httpCall) (apigw.Fields, error) {
	ev, hasBody := x.ev, len(x.request.Body) > 0
	overrides, err := x.overriddenHeaders()
	if err != nil {
		return nil, err
	}
	lines := headerLines{x.lines[:0]}
	if h.proxy() && ev.Context.EventType == apigw.EventConnect {
		lines.clients(ev.Headers)
	}
	texts := textsOf(&ev.Context, h.own)
	lines.gateways(ev, texts.agent, h.gateway)
	switch {
	case !h.proxy():
		lines.add("Accept", "application/json")
		lines.add("Content-Type", "application/json")
		if port, ok := ev.Headers.LastFold("X-Forwarded-Port"); ok {
			lines.add("X-Forwarded-Port", port)
		}
	case hasBody && ev.Binary:
		lines.add("Content-Type", "application/octet-stream")
	case hasBody:
		lines.add("Content-Type", "application/json; charset=UTF-8")
	}
	var room [4]string
	for i := range h.mappings {
		if m := &h.mappings[i]; m.in == inHeader {
			if values := m.from.append(room[:0], &x.exchange); len(values) > 0 {
				lines.set(m.name, values...)
			}
		}
	}
	for _, f := range overrides {
		lines.set(f.Name, f.Value)
	}
	if h.own {
		lines.own(&ev.Context, texts.connectedAt)
	}
	return lines.Fields, nil
}

// requestURL fills the URI and adds the query: what the URI says, the client's own parameters under HTTP_PROXY at
// $connect, and the mapped ones, which take the place of the client's, as a template's overrides do of theirs.
func (h *httpCaller) requestURL(x *exchange) (*url.URL, error) {
	ev, u := x.ev, h.url
	if u == nil {
		filled, err := h.uri.expand(ev, func(name string) (string, bool) { return x.pathValue(h.mappings, name) })
		if err != nil {
			return nil, err
		}
		if u, err = parseURL(filled); err != nil {
			return nil, misconfigured("integrationUri: %w", err)
		}
	}
	passed := h.proxy() && len(ev.Query) > 0
	if !h.query && !passed && len(x.overrides.Query) == 0 {
		return u, nil
	}
	var query strings.Builder
	query.WriteString(u.RawQuery)
	add := func(name, value string) {
		if query.Len() > 0 {
			query.WriteByte('&')
		}
		query.WriteString(url.QueryEscape(name) + "=" + url.QueryEscape(value))
	}
	mapped := map[string]bool{}
	for _, f := range x.overrides.Query {
		mapped[f.Name] = true
		add(f.Name, f.Value)
	}
	for i := range h.mappings {
		m := &h.mappings[i]
		if _, overridden := x.overrides.Query.Last(m.name); m.in != inQuery || overridden {
			continue
		}
		for _, v := range m.from.append(nil, x) {
			mapped[m.name] = true
			add(m.name, v)
		}
	}
	if passed {
		for _, f := range ev.Query {
			if !mapped[f.Name] {
				add(f.Name, f.Value)
			}
		}
	}
	changed := *u
	changed.RawQuery = query.String()
	return &changed, nil
}

func fieldsOf(h backend.Header) apigw.Fields {
	var out apigw.Fields
	for name, value := range h.All() {
		out = append(out, apigw.Field{Name: name, Value: value})
	}
	return out
}
