package gateway

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
	"unique"

	"cleat/internal/apigw"
	"cleat/internal/awsapi"
	"cleat/internal/conn"
	"cleat/internal/integration"
	"cleat/internal/listen"
)

// connect runs the handshake of one client (spec data-plane §2): the ID exists before $connect runs and is PENDING
// until the 101 is out; the 101 waits for the integration; a refusal leaves nothing behind.
func (g *Gateway) connect(w http.ResponseWriter, r *http.Request, st *stage, upgrade listen.Upgrade) {
	g.handshakes.Add(1)
	defer g.handshakes.Done()
	now := time.Now()
	fields := listen.Fields(r)
	s := newSession(r, st, fields, now)
	id, err := g.hub.Reserve(s)
	if err != nil {
		g.refuse(w, r, fmt.Errorf("reserve a connection: %w", err))
		return
	}
	defer g.hub.Abandon(id) // for a panic alone: by the end the ID is pending no more
	snap := st.snapshot.Load()
	o := s.occur(apigw.EventConnect, "connect", id, now, snap.variables)
	o.room.Yield = listen.Yielder(r)
	ev, rec := &o.event, &o.record
	rec.SourceIP, rec.RouteKey = s.sourceIP, apigw.RouteConnect

	res, err := g.runConnect(r, s, snap, o, fields)
	if err == nil {
		waited := rec.Integration.Taken || rec.Authorizer.Taken
		err = g.open(w, r, id, upgrade, res.Subprotocol, waited)
	}
	if err == nil && g.directory.Load().stage(st.api, st.name) != st {
		// Removed meanwhile, and passed over by closeRemoved, which found the ID pending. That looks at the connections behind
		// the new directory, and this at the directory behind the open connection: one of them sees it.
		g.disconnectRemoved(id)
	}
	rec.Duration, rec.Err = time.Since(now), err
	var refusal *refused
	switch {
	case err == nil:
		rec.Status = http.StatusSwitchingProtocols
	case errors.As(err, &refusal):
		rec.Status = refusal.status
		g.hub.Abandon(id)
		if refusal.answer != nil {
			refusal.answer(w, id, ev.Context.RequestID)
		} else {
			hangUp(w)
		}
	default:
		failed(rec, err)
		g.hub.Abandon(id)
		awsapi.WriteHandshakeError(w, err, id, ev.Context.RequestID)
	}
	if g.observeWaits {
		o.room.Yield()
	}
	g.observe(rec)
	o.leave() // a panic leaves it to the garbage collector
}

// refused is a handshake that ended without a 101 and without a failure of ours.
type refused struct {
	status int
	reason string
	answer func(http.ResponseWriter, apigw.ConnectionID, apigw.RequestID) // nil when nobody is left to answer
}

func (r *refused) Error() string { return r.reason }

// runConnect decides whether the client may connect and calls the $connect integration. Without a $connect route
// everybody may connect (spec data-plane §2.5).
func (g *Gateway) runConnect(r *http.Request, s *session, snap *snapshot, o *occurrence, fields apigw.Fields) (integration.Result, error) {
	ev, rec := &o.event, &o.record
	p, ok := snap.table.Lookup(apigw.RouteConnect)
	if err := g.takeConnect(p, ev.Context.RequestTime); err != nil {
		return integration.Result{}, err
	}
	if !ok {
		return integration.Result{}, nil
	}
	ev.Context.RouteKey = apigw.RouteConnect
	ev.TraceID = traceID(fields, ev.Context.RequestTime)
	ev.Headers = connectHeaders(r, fields, ev)
	ev.Query = queryFields(r.URL.RawQuery)
	rec.Target = p.target()
	if p.authorizer != nil {
		o.room.Yield()
	}
	if err := g.admit(r, s, p, ev, rec); err != nil {
		return integration.Result{}, err
	}
	// The integration runs to its end even when the client hangs up meanwhile (spec data-plane §2.3).
	res, err := p.run(g.stopped, ev, rec, &o.room)
	if err == nil && (res.Status < 200 || res.Status > 299) {
		err = refusal(res.Status)
	}
	return res, err
}

// refusal is a $connect integration's own status, which the client gets as it is, without the body and the headers
// (spec data-plane §2 table, open-questions 16 and 17).
func refusal(status int) error {
	if status < 200 || status > 599 { // net/http cannot send it, and no client would read it
		return &apigw.Error{Kind: apigw.KindIntegrationFailure, Err: fmt.Errorf("$connect answered status %d, which is no final HTTP status", status)}
	}
	return &refused{
		status: status,
		reason: fmt.Sprintf("$connect answered status %d", status),
		answer: func(w http.ResponseWriter, id apigw.ConnectionID, request apigw.RequestID) {
			awsapi.WriteHandshakeStatus(w, status, id, request)
		},
	}
}

// open hands the socket to the hub, which sends the 101: no push overtakes it, and none that comes right behind it
// finds the connection still pending (spec data-plane §10). A client that has hung up is looked for where it had the time to,
// for a look is a system call: waited says that somebody was asked whether it may connect.
func (g *Gateway) open(w http.ResponseWriter, r *http.Request, id apigw.ConnectionID, upgrade listen.Upgrade, subprotocol string, waited bool) error {
	if waited && r.Context().Err() != nil {
		return &refused{status: 499, reason: "the client hung up during $connect"}
	}
	answer, err := listen.AppendSwitching(nil, upgrade.Key, subprotocol, upgrade.Deflate.Fields()...)
	if err != nil {
		return &apigw.Error{Kind: apigw.KindIntegrationFailure, Err: fmt.Errorf("Sec-WebSocket-Protocol of the $connect response: %w", err)}
	}
	c, rest, err := listen.TakeOver(w)
	if err != nil {
		return fmt.Errorf("take over the connection: %w", err)
	}
	shaken := conn.Handshake{Answer: answer, Rest: rest, Window: upgrade.Deflate.Window}
	if err := g.hub.Open(id, c, shaken); err != nil {
		return &refused{status: 499, reason: "the connection ended before it was open: " + err.Error()}
	}
	return nil
}

// hangUp ends the connection of a handshake that nobody waits for any more: without an answer of ours net/http would
// send a 200, and who has closed its sending side only would read it.
func hangUp(w http.ResponseWriter) {
	if c, _, err := http.NewResponseController(w).Hijack(); err == nil { // otherwise open took it, and it is closed
		_ = c.Close() // nobody is left to be told
	}
}

func newSession(r *http.Request, st *stage, fields apigw.Fields, now time.Time) *session {
	agent, _ := fields.LastFold("User-Agent")
	return &session{
		stage:       st,
		domainName:  unique.Make(strings.ToLower(r.Host)),
		userAgent:   unique.Make(agent),
		sourceIP:    sourceIP(r),
		connectedAt: now.UnixMilli(),
	}
}

// sourceIP is remoteIP as events have it.
func sourceIP(r *http.Request) string {
	if peer, err := netip.ParseAddrPort(r.RemoteAddr); err == nil && peer.Addr().Is4() {
		text, _, _ := strings.Cut(r.RemoteAddr, ":") // an IPv4 address can be written in one way alone
		return text
	}
	return remoteIP(r).String()
}

// remoteIP is the address that a request came from.
func remoteIP(r *http.Request) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.IPv4Unspecified() // a listener without addresses, such as a Unix socket
	}
	return peer.Addr().Unmap()
}

// remoteText is remoteIP as a text, which is a part of the address where it stands there.
func remoteText(r *http.Request) string {
	addr := remoteIP(r)
	var room [len("255.255.255.255")]byte
	if host, _, ok := strings.Cut(r.RemoteAddr, ":"); ok && addr.Is4() && string(addr.AppendTo(room[:0])) == host {
		return host
	}
	return addr.String()
}

// connectHeaders are the client's headers as the CONNECT event shows them: without Connection and Upgrade, with those
// that the gateway adds (spec events-and-integrations §1.1, data-plane §1). Port and scheme are those that the client
// really used, where AWS has 443 and https only. They are put in the place of fields.
func connectHeaders(r *http.Request, fields apigw.Fields, ev *apigw.Event) apigw.Fields {
	out := fields[:0]
	forwarded := ev.Context.Identity.SourceIP
	for _, f := range fields {
		switch {
		case ours(f.Name):
		case strings.EqualFold(f.Name, "X-Forwarded-For"):
			forwarded = f.Value + ", " + ev.Context.Identity.SourceIP
		default:
			out = append(out, f)
		}
	}
	scheme, port := "http", "80"
	if listen.IsHTTPS(r) {
		scheme, port = "https", "443"
	}
	if strings.Contains(r.Host, ":") { // otherwise the error would cost more than the look
		if _, p, err := net.SplitHostPort(r.Host); err == nil {
			port = p
		}
	}
	return append(out,
		apigw.Field{Name: "X-Amzn-Trace-Id", Value: ev.TraceID},
		apigw.Field{Name: "X-Forwarded-For", Value: forwarded},
		apigw.Field{Name: "X-Forwarded-Port", Value: port},
		apigw.Field{Name: "X-Forwarded-Proto", Value: scheme},
	)
}

// ours tells whether a header of the client's is left out of the CONNECT event, or replaced by the gateway's own.
func ours(name string) bool {
	switch len(name) {
	case len("Upgrade"):
		return strings.EqualFold(name, "Upgrade")
	case len("Connection"):
		return strings.EqualFold(name, "Connection")
	case len("X-Amzn-Trace-Id"):
		return strings.EqualFold(name, "X-Amzn-Trace-Id")
	case len("X-Forwarded-Port"):
		return strings.EqualFold(name, "X-Forwarded-Port")
	case len("X-Forwarded-Proto"):
		return strings.EqualFold(name, "X-Forwarded-Proto")
	}
	return false
}

// traceID is a new trace, or the client's own extended by ours (spec data-plane §9.4).
func traceID(fields apigw.Fields, now time.Time) string {
	fresh := apigw.NewTraceRoot(now)
	if theirs, ok := fields.LastFold("X-Amzn-Trace-Id"); ok && strings.Contains(theirs, "Root=") && len(theirs) < 512 {
		return "Self=" + fresh + ";" + theirs
	}
	return "Root=" + fresh
}

// queryFields decodes a query string, keeping its order. A parameter that cannot be decoded is kept as it came.
func queryFields(raw string) apigw.Fields {
	var out apigw.Fields
	for part := range strings.SplitSeq(raw, "&") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		out = append(out, apigw.Field{Name: unescape(name), Value: unescape(value)})
	}
	return out
}

func unescape(s string) string {
	if u, err := url.QueryUnescape(s); err == nil {
		return u
	}
	return s
}
