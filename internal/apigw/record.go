package apigw

import (
	"bytes"
	"time"
)

// Record says how one event went: a connect, a message, a disconnect, a management request or a refusal. It is what the
// event log, the access and execution logs, the metrics and the meter are made of. Package gateway fills it once the
// event is over; from then on it is only read, and only until gateway.Options.Observe returns: Clone is for keeping.
type Record struct {
	Time time.Time
	// Operation is "connect", "message", "disconnect", a push.Outcome's operation ("post", "get", "delete", "list"), or
	// "refused" for a request that addressed nothing.
	Operation    string
	APIID        APIID
	Stage        string
	ConnectionID ConnectionID
	RequestID    RequestID
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
	BytesIn       int  // of the client's message
	BytesOut      int  // of what was for the client: the reply, the error frame, or the push
	Sent          bool // BytesOut went to the client; an empty message goes, too
	CloseCode     int  // disconnects
	CloseReason   string
	// Err is why it failed, nil when it did not. Its text is for the log and may name files and causes.
	Err error

	// ErrorMessage is what the client was told of Err, and ResponseType AWS's name for such an answer, as in
	// "INTEGRATION_FAILURE"; both are empty when the gateway made no error of its own, and when AWS has no name.
	ErrorMessage, ResponseType string

	// Event is what happened, nil for a management request and a refusal. It is shared: never change it.
	Event *Event
	// The steps that were taken, in their order; a step that was not taken has at most an Error, which is what kept it from
	// being taken (spec data-plane §9.1).

	Authenticate Step // the caller's signature was verified
	Authorizer   Step // the Lambda authorizer was called
	Authorize    Step // a policy was evaluated
	Integration  Step // the backend was called
	// ValidationError says what a model objects to, "[object has missing required properties ([\"price\"])]".
	ValidationError string
	// Request is what went to the backend after the mapping and Response what it answered before, where the integration
	// has such; Reply is what the client was sent. They are for the data trace of the execution log.
	Request, Response, Reply []byte
}

// Clone returns a copy that may be kept, with its event and all texts.
func (r *Record) Clone() *Record {
	c := *r
	c.Request, c.Response, c.Reply = bytes.Clone(r.Request), bytes.Clone(r.Response), bytes.Clone(r.Reply)
	if r.Event != nil {
		ev := *r.Event
		ev.Body = bytes.Clone(ev.Body)
		c.Event = &ev
	}
	return &c
}

// StageKey names a stage of an API.
type StageKey struct {
	APIID APIID
	Stage string
}

// StageKey names the stage that the record is about.
func (r *Record) StageKey() StageKey { return StageKey{r.APIID, r.Stage} }

// ServedStage is a stage that is served, for those who observe its records.
type ServedStage struct {
	APIID     APIID
	Stage     *Stage // never nil; not to be changed
	RouteKeys []string
	// Revision tells one state of the stage from the next: while it stays, nothing of the above has changed. Zero tells
	// nothing.
	Revision uint64
}

// Key names the stage.
func (s *ServedStage) Key() StageKey { return StageKey{s.APIID, s.Stage.StageName} }

// Step is one part of an event's handling.
type Step struct {
	Taken bool
	// Status is as HTTP would say it. For a backend it is that of the call itself, where Record.BackendStatus is what its code
	// says: 200 for a function that ran, zero where nobody answered.
	Status  int
	Latency time.Duration // zero where nothing was waited for
	// RequestID is that of the call of a function or a service; empty where there is none.
	RequestID string
	Error     string // in words, for the log; empty when the step succeeded
}
