package gateway

import (
	"net/netip"
	"time"
	"unique"

	"cleat/internal/apigw"
	"cleat/internal/conn"
	"cleat/internal/push"
)

// session is what the gateway remembers of a connection: the hub's attachment. It is written before the hub learns of
// it and only read afterwards. Texts that many connections share are kept once (package unique): a connection that
// idles for two hours should cost no copy of its browser's User-Agent.
type session struct {
	stage       *stage
	domainName  unique.Handle[string]
	userAgent   unique.Handle[string]
	sourceIP    netip.Addr
	connectedAt int64 // ms since 1970
}

var _ push.Connection = (*session)(nil)

// Stage implements push.Connection.
func (s *session) Stage() (apigw.APIID, string) { return s.stage.api, s.stage.name }

// Client implements push.Connection.
func (s *session) Client() (netip.Addr, string) { return s.sourceIP, s.userAgent.Value() }

// ConnectedAt implements push.Connection.
func (s *session) ConnectedAt() time.Time { return time.UnixMilli(s.connectedAt) }

// event begins an event of the connection, with what all events have in common (spec events-and-integrations §1).
func (s *session) event(t apigw.EventType, id apigw.ConnectionID, now time.Time, variables map[string]string) *apigw.Event {
	return &apigw.Event{
		Context: apigw.RequestContext{
			EventType:    t,
			RequestID:    apigw.NewRequestID(),
			RequestTime:  now,
			Stage:        s.stage.name,
			ConnectedAt:  s.ConnectedAt(),
			Identity:     apigw.Identity{SourceIP: s.sourceIP.String(), UserAgent: s.userAgent.Value()},
			DomainName:   s.domainName.Value(),
			ConnectionID: id,
			APIID:        s.stage.api,
		},
		StageVariables: variables,
	}
}

// record begins the record of an event.
func record(operation string, ev *apigw.Event) Record {
	c := &ev.Context
	return Record{
		Time: c.RequestTime, Operation: operation, APIID: c.APIID, Stage: c.Stage,
		ConnectionID: c.ConnectionID, RequestID: c.RequestID, RouteKey: c.RouteKey,
	}
}

var _ conn.Handler = (*Gateway)(nil)
