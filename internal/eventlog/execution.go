package eventlog

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"cleat/internal/apigw"
	"cleat/internal/awsapi"
)

// maxEntry is where AWS cuts an entry of an execution log, in bytes (spec data-plane §8).
const maxEntry = 1024

const entryTime = "2006-01-02T15:04:05.000Z"

// appendExecution appends the entries that a record makes, with line breaks between them: nothing at level OFF, and at
// level ERROR only what led to an error. The texts are Cleat's; what they tell is what AWS's tell (spec data-plane
// §9.2).
func (s *settings) appendExecution(dst []byte, rec *apigw.Record) []byte {
	set, ok := s.routes[rec.RouteKey]
	if !ok {
		set = s.others
	}
	if set.level != LevelInfo && (set.level != LevelError || rec.Err == nil) {
		return dst
	}
	e := entries{text: dst, group: s.group, rec: rec, trace: set.trace}
	switch rec.Event.Context.EventType {
	case apigw.EventConnect:
		e.addf("Client [UserAgent: %s, SourceIp: %s] is connecting to WebSocket API [%s]", rec.Event.Context.Identity.UserAgent, rec.Event.Context.Identity.SourceIP, rec.APIID)
	case apigw.EventMessage:
		e.addf("Client [Connection Id: %s] sent a message of %d bytes", rec.ConnectionID, rec.BytesIn)
		e.body("Message", rec.Event.Body)
	case apigw.EventDisconnect:
		e.addf("Client [Connection Id: %s] disconnected from API [%s] with DisconnectStatusCode: [%d], DisconnectReason: [%s]", rec.ConnectionID, rec.APIID, rec.CloseCode, rec.CloseReason)
	}
	e.route()
	e.step("Authentication", rec.Authenticate)
	e.step("Call of the authorizer", rec.Authorizer)
	e.step("Authorization", rec.Authorize)
	if rec.ValidationError != "" {
		e.addf("Request body does not match the model: %s", rec.ValidationError)
	}
	if rec.Integration.Taken {
		e.body("Endpoint request body after transformations", rec.Request)
		e.addf("Endpoint request to %s", rec.Target)
		e.step("Call of the endpoint", rec.Integration)
		e.body("Endpoint response body before transformations", rec.Response)
	}
	if len(rec.Reply) > 0 {
		e.body("Sent to the client", rec.Reply)
	}
	if rec.Err != nil {
		e.addf("Execution failed: %s", awsapi.Reason(rec.Err))
	}
	e.addf("Completed with status: %d after %d ms", rec.Status, rec.Duration.Milliseconds())
	return e.text
}

// entries are a record's entries in the making.
type entries struct {
	text  []byte
	group string
	rec   *apigw.Record
	trace bool
}

func (e *entries) route() {
	switch {
	case e.rec.RouteKey != "":
		e.addf("Route: %s", e.rec.RouteKey)
	case e.rec.Event.Context.EventType == apigw.EventMessage:
		e.addf("No route: the route selection expression gave %q, and there is no $default", e.rec.Selected)
	}
}

func (e *entries) step(what string, s apigw.Step) {
	if !s.Taken {
		return
	}
	status := "no answer"
	if s.Status != 0 {
		status = fmt.Sprintf("status %d", s.Status)
	}
	text := fmt.Sprintf("%s: %s after %d ms", what, status, s.Latency.Milliseconds())
	if s.Error != "" {
		text += ", " + s.Error
	}
	e.addf("%s", text)
}

// body adds a payload, which only the data trace may show.
func (e *entries) body(what string, payload []byte) {
	if e.trace && len(payload) > 0 {
		e.addf("%s: %s", what, payload)
	}
}

// addf adds one entry: time, group, request ID, text. Control characters are escaped, and the text is cut.
func (e *entries) addf(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if len(text) > maxEntry {
		cut := maxEntry
		for cut > 0 && !utf8.RuneStart(text[cut]) {
			cut--
		}
		text = text[:cut]
	}
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == utf8.RuneError {
			return ' '
		}
		return r
	}, text)
	if len(e.text) > 0 {
		e.text = append(e.text, '\n')
	}
	e.text = e.rec.Time.UTC().AppendFormat(e.text, entryTime)
	e.text = fmt.Appendf(e.text, " %s (%s) %s", e.group, e.rec.RequestID, text)
}
