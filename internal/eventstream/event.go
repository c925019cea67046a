// Package eventstream shows what happens in a node to whoever listens: records in the form that leaves the process, and a stream of
// them. The callers are package server, which serves GET /_cleat/events with it, and cmd/cleat.
package eventstream

import (
	"strings"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/awsapi"
)

// Event is an apigw.Record in the form that leaves the process: a line of "cleat dev --log-format json" and of
// GET /_cleat/events. Members without a value are left out.
type Event struct {
	Time          string  `json:"time"`
	Operation     string  `json:"operation"`
	APIID         string  `json:"api_id,omitempty"`
	Stage         string  `json:"stage,omitempty"`
	ConnectionID  string  `json:"connection_id,omitempty"`
	RequestID     string  `json:"request_id,omitempty"`
	RouteKey      string  `json:"route_key,omitempty"`
	Selected      string  `json:"selected,omitempty"`
	Target        string  `json:"target,omitempty"`
	Path          string  `json:"path,omitempty"`
	SourceIP      string  `json:"source_ip,omitempty"`
	Status        int     `json:"status,omitempty"`
	BackendStatus int     `json:"backend_status,omitempty"`
	Millis        float64 `json:"ms"`
	BytesIn       int     `json:"bytes_in,omitempty"`
	BytesOut      int     `json:"bytes_out,omitempty"`
	CloseCode     int     `json:"close_code,omitempty"`
	CloseReason   string  `json:"close_reason,omitempty"`
	// Error is why it failed: what the client was told and, behind it, the cause. Told is the former alone, and
	// ResponseType AWS's name for it.
	Error        string `json:"error,omitempty"`
	Told         string `json:"told,omitempty"`
	ResponseType string `json:"response_type,omitempty"`
	Validation   string `json:"validation_error,omitempty"`
	// The steps that were taken.
	Authenticate *Step `json:"authenticate,omitempty"`
	Authorizer   *Step `json:"authorizer,omitempty"`
	Authorize    *Step `json:"authorize,omitempty"`
	Integration  *Step `json:"integration,omitempty"`
}

// Step is an apigw.Step in the form that leaves the process.
type Step struct {
	Status    int     `json:"status,omitempty"`
	Millis    float64 `json:"ms"`
	RequestID string  `json:"request_id,omitempty"`
	Error     string  `json:"error,omitempty"`
}

// stepOf is the outward form of a step, nil for one that was not taken.
func stepOf(s *apigw.Step) *Step {
	if !s.Taken {
		return nil
	}
	return &Step{s.Status, millis(s.Latency), s.RequestID, s.Error}
}

// firstLine leaves out what the sender of a wrong signature is shown of its own request, for that holds its session token.
func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}

func millis(d time.Duration) float64 {
	return float64(d.Round(10*time.Microsecond)) / float64(time.Millisecond)
}

// Of is the outward form of a record.
func Of(r *apigw.Record) Event {
	e := Event{
		Time: r.Time.UTC().Format("2006-01-02T15:04:05.000Z"), Operation: r.Operation, APIID: string(r.APIID), Stage: r.Stage,
		ConnectionID: string(r.ConnectionID), RequestID: string(r.RequestID), RouteKey: r.RouteKey, Selected: r.Selected,
		Target: r.Target, Path: r.Path, SourceIP: r.SourceIP, Status: r.Status, BackendStatus: r.BackendStatus,
		Millis: millis(r.Duration), Told: firstLine(r.ErrorMessage), ResponseType: r.ResponseType, Validation: r.ValidationError,
		Authenticate: stepOf(&r.Authenticate), Authorizer: stepOf(&r.Authorizer), Authorize: stepOf(&r.Authorize), Integration: stepOf(&r.Integration),
		BytesIn: r.BytesIn, BytesOut: r.BytesOut, CloseCode: r.CloseCode, CloseReason: r.CloseReason,
	}
	if r.Err != nil {
		e.Error = awsapi.Reason(r.Err)
	}
	return e
}
