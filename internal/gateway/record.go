package gateway

import (
	"time"

	"cleat/internal/apigw"
)

// Record says how one event went: a connect, a message, a disconnect, a management request or a refusal. It is what
// the event log and later the access log are made of.
type Record struct {
	Time time.Time
	// Operation is "connect", "message", "disconnect", a push.Outcome's operation ("post", "get", "delete", "list"), or
	// "refused" for a request that addressed nothing.
	Operation    string
	APIID        apigw.APIID
	Stage        string
	ConnectionID apigw.ConnectionID
	RequestID    apigw.RequestID
	RouteKey     string // the route that matched; empty when none did
	Selected     string // what the route selection expression gave, for a message that no route took
	Target       string // where the route leads, in few words
	Path         string // of a management request or a refusal
	SourceIP     string // connects
	// Status is the HTTP status of a connect or a management request; for messages and disconnects the backend's, or
	// the status of the error.
	Status        int
	BackendStatus int
	Duration      time.Duration
	BytesIn       int // of the client's message
	BytesOut      int // of the reply, or of the push
	CloseCode     int // disconnects
	CloseReason   string
	// Err is why it failed, nil when it did not. Its text is for the log and may name files and causes.
	Err error
}
