package integration

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"cleat/internal/apigw"
)

// Cleat's own headers on calls of HTTP backends; docs/http-backends.md describes them. A client cannot send them on.
const (
	ownPrefix              = "X-Cleat-"
	headerConnectionID     = ownPrefix + "Connection-Id"
	headerRouteKey         = ownPrefix + "Route-Key"
	headerEventType        = ownPrefix + "Event-Type"
	headerStage            = ownPrefix + "Stage"
	headerDomainName       = ownPrefix + "Domain-Name"
	headerRequestID        = ownPrefix + "Request-Id"
	headerConnectedAt      = ownPrefix + "Connected-At"
	headerDisconnectCode   = ownPrefix + "Disconnect-Code"
	headerDisconnectReason = ownPrefix + "Disconnect-Reason"
)

// dropped are the client's headers that stay behind at the gateway: those of one hop only, those that the gateway sets
// itself, and those that HTTP_PROXY takes off (spec events-and-integrations §6).
var dropped = []string{
	"Connection", "Content-Encoding", "Content-Length", "Content-MD5", "Expect", "Host", "Keep-Alive", "Max-Forwards",
	"Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection", "Server", "TE", "Trailer", "Transfer-Encoding", "Upgrade",
	"WWW-Authenticate",
	"User-Agent", "X-Amzn-Apigateway-Api-Id", "X-Amzn-Trace-Id", "X-Forwarded-For", "X-Forwarded-Proto",
}

// unmappable are the headers that no mapping may set: API Gateway's, and those that frame the request itself.
var unmappable = []string{
	"Content-Length", "Transfer-Encoding", "X-Amzn-Trace-Id", "X-Amzn-Apigateway-Api-Id",
	"Connection", "Expect", "Keep-Alive", "Proxy-Connection", "TE", "Trailer", "Upgrade",
}

func checkMappedHeader(name string) error {
	if isOneOf(name, unmappable) {
		return fmt.Errorf("a mapping cannot set the header %s", name)
	}
	if isOwn(name) {
		return fmt.Errorf("headers that begin with %s are the gateway's own", ownPrefix)
	}
	return nil
}

// isOneOf compares header names as backends may do that turn hyphens into underscores, such as those of WSGI and CGI.
func isOneOf(name string, set []string) bool {
	return slices.ContainsFunc(set, func(s string) bool { return len(s) == len(name) && sameName(name, s) })
}

func isOwn(name string) bool {
	return len(name) >= len(ownPrefix) && sameName(name[:len(ownPrefix)], ownPrefix)
}

// sameName compares a client's header name with one of ours, of the same length.
func sameName(client, ours string) bool {
	for i := range len(ours) {
		c := lower(client[i])
		if c == '_' {
			c = '-'
		}
		if c != lower(ours[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// headerLines are the headers of a call in the making.
type headerLines struct{ apigw.Fields }

func (h *headerLines) add(name, value string) {
	h.Fields = append(h.Fields, apigw.Field{Name: name, Value: value})
}

// set replaces all lines of a name, whatever their spelling.
func (h *headerLines) set(name string, values ...string) {
	h.Fields = slices.DeleteFunc(h.Fields, func(f apigw.Field) bool { return strings.EqualFold(f.Name, name) })
	for _, v := range values {
		h.add(name, v)
	}
}

// clients adds what a client sent with its handshake and may go on to the backend.
func (h *headerLines) clients(fields apigw.Fields) {
	for _, f := range fields {
		if !isOneOf(f.Name, dropped) && !isOwn(f.Name) {
			h.Fields = append(h.Fields, f)
		}
	}
}

// gateways adds what API Gateway says of itself, and of the way the event came, as it was captured (spec
// events-and-integrations §6.3).
func (h *headerLines) gateways(ev *apigw.Event, agent, address string) {
	c := &ev.Context
	h.add("User-Agent", agent)
	h.add("X-Amzn-Apigateway-Api-Id", string(c.APIID))
	switch c.EventType {
	case apigw.EventConnect:
		client, ok := ev.Headers.LastFold("X-Forwarded-For")
		if !ok {
			client = c.Identity.SourceIP
		}
		proto, ok := ev.Headers.LastFold("X-Forwarded-Proto")
		if !ok {
			proto = "https"
		}
		if ev.TraceID != "" {
			h.add("X-Amzn-Trace-Id", ev.TraceID)
		}
		h.add("X-Forwarded-For", client+", "+address)
		h.add("X-Forwarded-Proto", proto+", https")
	case apigw.EventMessage:
		h.add("X-Forwarded-For", address)
		h.add("X-Forwarded-Proto", "https")
	case apigw.EventDisconnect:
		h.add("X-Forwarded-For", ", "+address)
		h.add("X-Forwarded-Proto", "https")
		h.add("x-api-key", "")
		h.add("x-restapi", "")
	}
}

// eventTexts are the values of headers that are nowhere yet, all in one string.
type eventTexts struct{ agent, connectedAt string }

func textsOf(c *apigw.RequestContext, own bool) eventTexts {
	var room [64]byte
	all := append(append(room[:0], "AmazonAPIGateway_"...), c.APIID...)
	agent := len(all)
	if own {
		all = strconv.AppendInt(all, c.ConnectedAt.UnixMilli(), 10)
	}
	s := string(all)
	return eventTexts{s[:agent], s[agent:]}
}

// own adds Cleat's headers.
func (h *headerLines) own(c *apigw.RequestContext, connectedAt string) {
	h.add(headerConnectionID, string(c.ConnectionID))
	h.add(headerRouteKey, printable(c.RouteKey))
	h.add(headerEventType, string(c.EventType))
	h.add(headerStage, c.Stage)
	h.add(headerDomainName, printable(c.DomainName))
	h.add(headerRequestID, string(c.RequestID))
	h.add(headerConnectedAt, connectedAt)
	if c.EventType == apigw.EventDisconnect {
		h.add(headerDisconnectCode, strconv.Itoa(c.DisconnectStatusCode))
		h.add(headerDisconnectReason, printable(c.DisconnectReason))
	}
}

// printable percent-encodes what a header line cannot bear, and the percent sign.
func printable(s string) string {
	plain := func(c byte) bool { return ' ' <= c && c <= '~' && c != '%' }
	i := 0
	for i < len(s) && plain(s[i]) {
		i++
	}
	if i == len(s) {
		return s
	}
	out := []byte(s[:i])
	for ; i < len(s); i++ {
		if c := s[i]; plain(c) {
			out = append(out, c)
		} else {
			out = append(out, '%', hexDigits[c>>4], hexDigits[c&0xf])
		}
	}
	return string(out)
}
