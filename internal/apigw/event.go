package apigw

import (
	"slices"
	"strings"
	"time"
)

// EventType is what happened to a connection.
type EventType string

// The event types (spec events-and-integrations §1).
const (
	EventConnect    EventType = "CONNECT"
	EventMessage    EventType = "MESSAGE"
	EventDisconnect EventType = "DISCONNECT"
)

// Field is one name with its value, as in a header line or a query string. Order and the sender's spelling are kept.
type Field struct{ Name, Value string }

// Fields are header lines or query parameters in the order they came.
type Fields []Field

// Last returns the last value of a name, spelled exactly so, and whether there is one. API Gateway shows the last
// value wherever it shows one (spec events-and-integrations §1.1).
func (f Fields) Last(name string) (string, bool) {
	for _, x := range slices.Backward(f) {
		if x.Name == name {
			return x.Value, true
		}
	}
	return "", false
}

// LastFold is Last without regard to case.
func (f Fields) LastFold(name string) (string, bool) {
	for _, x := range slices.Backward(f) {
		if strings.EqualFold(x.Name, name) {
			return x.Value, true
		}
	}
	return "", false
}

// Identity is the caller as events show it (spec events-and-integrations §1.1).
type Identity struct {
	SourceIP  string
	UserAgent string // empty when the client sent none
	APIKey    string
	APIKeyID  string

	// What a verified signature tells of the caller (spec events-and-integrations §4); empty without one.

	AccountID      string
	AccessKey      string
	Caller         string
	User           string
	UserARN        string
	PrincipalOrgID string
}

// RequestContext is the request context of one event. It is filled once by gateway and then only read.
type RequestContext struct {
	RouteKey     string
	EventType    EventType
	RequestID    RequestID // also the extended request ID: equal in WebSocket events (spec data-plane §3)
	RequestTime  time.Time
	Stage        string
	ConnectedAt  time.Time
	Identity     Identity
	DomainName   string
	ConnectionID ConnectionID
	APIID        APIID
	MessageID    string // MESSAGE only
	// Authorizer holds the principal and the authorizer's context; nil when no CUSTOM authorizer ran.
	Authorizer Fields
	// DisconnectStatusCode and DisconnectReason belong to DISCONNECT only.
	DisconnectStatusCode int
	DisconnectReason     string
}

// clfTime is the layout of requestTime, "12/Mar/2024:20:57:22 +0000".
const clfTime = "02/Jan/2006:15:04:05 -0700"

// RequestTimeCLF is the request time as events and logs print it.
func (c *RequestContext) RequestTimeCLF() string {
	var room [len(clfTime)]byte
	return string(c.AppendRequestTimeCLF(room[:0]))
}

// AppendRequestTimeCLF appends RequestTimeCLF.
func (c *RequestContext) AppendRequestTimeCLF(dst []byte) []byte {
	return c.RequestTime.UTC().AppendFormat(dst, clfTime)
}

// Event is one thing that happened to a connection, on its way to an integration. It is read-only once made.
type Event struct {
	Context RequestContext
	// Headers and Query are what the client sent with its handshake (CONNECT only). Headers do not hold Connection
	// and Upgrade; names are spelled as the client spelled them.
	Headers Fields
	Query   Fields
	// StageVariables is nil when the stage has none.
	StageVariables map[string]string
	// Body is the message (MESSAGE only): text, or any bytes when Binary is set, which profile "aws" never does.
	Body   []byte
	Binary bool
	// TraceID is the X-Amzn-Trace-Id of this event, "Root=1-…".
	TraceID string
}
