// Package testkit is what the tests of several packages need. Nothing else may import it.
package testkit

import (
	"time"

	"cleat/internal/apigw"
)

// at is 2024-03-12T20:57:22.124Z, as in spec events-and-integrations §1.1.
var at = time.UnixMilli(1710277042124)

// Event is an event of the spec's examples.
func Event(kind apigw.EventType) *apigw.Event {
	ev := &apigw.Event{Context: apigw.RequestContext{
		EventType: kind, RequestID: "Qyi3UG41tjMFlUg=", RequestTime: at, Stage: "prod", ConnectedAt: time.UnixMilli(1710277042123),
		Identity:   apigw.Identity{SourceIP: "192.0.2.7", UserAgent: "demo/1.0"},
		DomainName: "a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com", ConnectionID: "Qyi07eCbtjMCJKw=", APIID: "a1b2c3d4e5",
	}}
	switch kind {
	case apigw.EventConnect:
		ev.Context.RouteKey = apigw.RouteConnect
		ev.TraceID = "Root=1-65f0c1d2-0123456789abcdef01234567"
		ev.Headers = apigw.Fields{
			{Name: "Host", Value: "a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com"},
			{Name: "User-Agent", Value: "demo/1.0"},
			{Name: "Sec-WebSocket-Version", Value: "13"},
			{Name: "Sec-WebSocket-Key", Value: "Q0FGRUJBQkVERUFEQkVFRg=="},
			{Name: "X-Amzn-Trace-Id", Value: ev.TraceID},
			{Name: "X-Forwarded-For", Value: "192.0.2.7"},
			{Name: "X-Forwarded-Port", Value: "443"},
			{Name: "X-Forwarded-Proto", Value: "https"},
		}
	case apigw.EventMessage:
		ev.Context.RouteKey = "say"
		ev.Context.MessageID = "W9I-IeqhoAMCFvw="
		ev.Body = []byte(`{"action":"say","text":"hi"}`)
	case apigw.EventDisconnect:
		ev.Context.RouteKey = apigw.RouteDisconnect
		ev.Context.DisconnectStatusCode = 1005
		ev.Context.DisconnectReason = "Client-side close frame status not set"
	}
	return ev
}
