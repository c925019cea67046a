package gateway

import (
	"net/netip"
	"strings"
	"sync"
	"time"
	"unique"

	"cleat/internal/apigw"
	"cleat/internal/awsapi"
	"cleat/internal/conn"
	"cleat/internal/integration"
	"cleat/internal/push"
	"cleat/internal/usageplan"
)

// session is what the gateway remembers of a connection: the hub's attachment. It is written before the hub learns of
// it, its grant until the hub opens the connection, and only read afterwards. Texts that many connections share are kept
// once (package unique): a connection that idles for two hours should cost no copy of its browser's User-Agent.
type session struct {
	stage       *stage
	domainName  unique.Handle[string]
	userAgent   unique.Handle[string]
	sourceIP    string // of its netip.Addr; each event has it
	connectedAt int64  // ms since 1970
	grant       *grant // nil: the client was let in without more being found out about it
}

// grant is what admission found out about a client. It stays with the connection and is never looked into again: later
// changes of authorizers, policies and keys have no effect on an open connection (spec data-plane §3).
type grant struct {
	// authorizer is the context and the principal that a Lambda authorizer gave, and behind them how long that took, which
	// CONNECT events alone show; nil when none ran.
	authorizer apigw.Fields
	// identity is what a signature or an API key adds to the caller's identity.
	identity apigw.Identity
	// usageIdentifierKey is the API key that a Lambda authorizer gave; empty when it gave none. No event shows it.
	usageIdentifierKey string
	// client is on whose account the connection's requests go; nil without an API key.
	client *usageplan.Client
}

// learn adds to the grant what a check found out about the client, and shows it in the event at hand.
func (s *session) learn(ev *apigw.Event, found func(*grant)) {
	if s.grant == nil {
		s.grant = &grant{}
	}
	found(s.grant)
	s.grant.show(ev)
}

var _ push.Connection = (*session)(nil)

// Stage implements push.Connection.
func (s *session) Stage() (apigw.APIID, string) { return s.stage.api, s.stage.name }

// Client implements push.Connection.
func (s *session) Client() (netip.Addr, string) {
	ip, _ := netip.ParseAddr(s.sourceIP) // the text of one
	return ip, s.userAgent.Value()
}

// ConnectedAt implements push.Connection.
func (s *session) ConnectedAt() time.Time { return time.UnixMilli(s.connectedAt) }

// occurrence is an event, the record of it, and what its integration needs: all that handling one takes. It is used
// again once the record has been observed.
type occurrence struct {
	event  apigw.Event
	record apigw.Record
	room   integration.Room
}

var occurrences = sync.Pool{New: func() any { return new(occurrence) }}

// leave gives an occurrence back of which nothing is in use any more.
func (o *occurrence) leave() {
	o.event, o.record = apigw.Event{}, apigw.Record{}
	o.room.Leave()
	occurrences.Put(o)
}

// occur begins an event of the connection with what all events have in common (spec events-and-integrations §1), and the
// record of it. The caller calls leave once all is over.
func (s *session) occur(t apigw.EventType, operation string, id apigw.ConnectionID, now time.Time, variables map[string]string) *occurrence {
	o, _ := occurrences.Get().(*occurrence)
	o.event = apigw.Event{
		Context: apigw.RequestContext{
			EventType:    t,
			RequestID:    apigw.NewRequestID(),
			RequestTime:  now,
			Stage:        s.stage.name,
			ConnectedAt:  s.ConnectedAt(),
			Identity:     apigw.Identity{SourceIP: s.sourceIP, UserAgent: s.userAgent.Value()},
			DomainName:   s.domainName.Value(),
			ConnectionID: id,
			APIID:        s.stage.api,
		},
		StageVariables: variables,
	}
	ev := &o.event
	if s.grant != nil {
		s.grant.show(ev)
	}
	c := &ev.Context
	o.record = apigw.Record{
		Event: ev, Time: now, Operation: operation, APIID: c.APIID, Stage: c.Stage, ConnectionID: id, RequestID: c.RequestID,
	}
	return o
}

// show puts what is known of the client into an event's context.
func (g *grant) show(ev *apigw.Event) {
	c := &ev.Context
	ip, agent := c.Identity.SourceIP, c.Identity.UserAgent
	c.Identity = g.identity
	c.Identity.SourceIP, c.Identity.UserAgent = ip, agent
	c.Authorizer = g.authorizer
	if n := len(g.authorizer); n > 0 && c.EventType != apigw.EventConnect {
		c.Authorizer = g.authorizer[: n-1 : n-1]
	}
}

var _ conn.Handler = (*Gateway)(nil)

// failed notes in a record an error that the client is told of.
func failed(rec *apigw.Record, err error) {
	rec.Err, rec.Status = err, awsapi.Status(err)
	// A signature's refusal goes on to show its sender all that was signed, session tokens among it, which no log may hold.
	rec.ErrorMessage, _, _ = strings.Cut(awsapi.Message(err), "\n")
	rec.ResponseType = awsapi.ResponseType(err)
}
