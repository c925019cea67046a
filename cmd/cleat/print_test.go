package main

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/control/stacks"
	"cleat/internal/lambda"
	"cleat/internal/project"
	"cleat/internal/server"
	"cleat/internal/terminal"
)

// One readable line for each event, and nothing from outside that could steer a terminal or forge a line.
func TestTextEvents(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for name, test := range map[string]struct {
		record *apigw.Record
		want   string
	}{
		"connect": {
			&apigw.Record{Time: at, Operation: "connect", ConnectionID: "Qyi07eCbtjMCJKw=", RouteKey: "$connect", Target: "hello", Status: 101, Duration: 1500 * time.Microsecond},
			"03:04:05.001  connect      Qyi07eCbtjMCJKw=  $connect → hello  101  1.5 ms",
		},
		"message without a route": {
			&apigw.Record{Time: at, Operation: "message", ConnectionID: "Qyi07eCbtjMCJKw=", Selected: "nope", Status: 403, BytesIn: 17, BytesOut: 90, Err: &apigw.Error{Kind: apigw.KindForbidden, Err: errors.New("no such route")}},
			`03:04:05.000  message      Qyi07eCbtjMCJKw=  (no route "nope")  403  0.0 ms  17 B in  90 B out  Forbidden: no such route`,
		},
		"disconnect": {
			&apigw.Record{Time: at, Operation: "disconnect", ConnectionID: "Qyi07eCbtjMCJKw=", RouteKey: "$disconnect", CloseCode: 4001, CloseReason: "bye\x1b[2J", Status: 200},
			"03:04:05.000  disconnect   Qyi07eCbtjMCJKw=  $disconnect 4001 bye\uFFFD[2J  200  0.0 ms",
		},
		"gone": {
			&apigw.Record{Time: at, Operation: "post", ConnectionID: "Qyi07eCbtjMCJKw=", Path: "/dev/@connections/Qyi07eCbtjMCJKw%3D", Status: 410, Err: &apigw.Error{Kind: apigw.KindGone, Err: errors.New("the connection is gone")}},
			"03:04:05.000  post         Qyi07eCbtjMCJKw=  /dev/@connections/Qyi07eCbtjMCJKw%3D  410  0.0 ms  the connection is gone",
		},
		"no fallback's fault": {
			&apigw.Record{Time: at, Operation: "message", ConnectionID: "Qyi07eCbtjMCJKw=", RequestID: "W9I-JG0qoAMFxGA=", Event: &apigw.Event{}, RouteKey: "$default", Selected: "nope\x1b[2J", Target: "f", Status: 502, Err: &apigw.Error{Kind: apigw.KindIntegrationFailure, Err: errors.New("it threw\nat line 1")}},
			"03:04:05.000  message      Qyi07eCbtjMCJKw=  $default (for \"nope\\x1b[2J\") → f  502  0.0 ms  Internal server error: it threw; at line 1  request W9I-JG0qoAMFxGA=",
		},
		"a backend that objects": {
			&apigw.Record{Time: at, Operation: "message", ConnectionID: "Qyi07eCbtjMCJKw=", RouteKey: "put", Target: "dynamodb PutItem", Status: 400, Integration: apigw.Step{Taken: true, Status: 400, Error: "no table conns"}},
			"03:04:05.000  message      Qyi07eCbtjMCJKw=  put → dynamodb PutItem  400  0.0 ms  no table conns",
		},
		"forged text": {
			&apigw.Record{Time: at, Operation: "post", ConnectionID: "X", Status: 400, Err: &apigw.Error{Kind: apigw.KindBadRequest, Message: "Invalid connectionId: \x1b[31mX\nforged"}},
			"03:04:05.000  post         X                   400  0.0 ms  Invalid connectionId: \uFFFD[31mX",
		},
		"forged ID": {
			&apigw.Record{Time: at, Operation: "post", ConnectionID: apigw.ConnectionID("\x1b[31mX\n03:04:05" + strings.Repeat("y", 100)), Status: 400, Err: &apigw.Error{Kind: apigw.KindBadRequest, Message: "Invalid"}},
			"03:04:05.000  post         \uFFFD[31mX\uFFFD03:04:05yyyyyyyyyyyyyyyyyyyyy…    400  0.0 ms  Invalid",
		},
		"forged ID, told": {
			&apigw.Record{Time: at, Operation: "get", ConnectionID: "x", Status: 400, Err: &apigw.Error{Kind: apigw.KindBadRequest, Message: "Invalid connectionId: \x1b]0;title\x07\u009b2J"}},
			"03:04:05.000  get          x                   400  0.0 ms  Invalid connectionId: \uFFFD]0;title\uFFFD\uFFFD2J",
		},
		"forged ID, with a cause": {
			&apigw.Record{Time: at, Operation: "get", ConnectionID: "x", Status: 404, Err: &apigw.Error{Kind: apigw.KindNotFound, Message: "No method found matching route \x1b[2J", Err: errors.New("nothing there")}},
			"03:04:05.000  get          x                   404  0.0 ms  No method found matching route \uFFFD[2J: nothing there",
		},
		"signature": {
			&apigw.Record{Time: at, Operation: "get", ConnectionID: "x", Status: 403, Err: refusedSignatureError{}},
			"03:04:05.000  get          x                   403  0.0 ms  It does not match.: for the log",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			r := &textReporter{out: terminal.NewWriter(&out)}
			r.Event(test.record)
			if got := strings.TrimSuffix(out.String(), "\n"); got != test.want {
				t.Errorf("got  %q\nwant %q", got, test.want)
			}
		})
	}
}

// refusedSignatureError is an error whose sender is shown the request.
type refusedSignatureError struct{}

func (refusedSignatureError) Error() string { return "for the log" }

func (refusedSignatureError) Unwrap() error {
	return &apigw.Error{Kind: apigw.KindInvalidSignature, Message: "It does not match.\n\nx-amz-security-token:secret"}
}

// An API without its default endpoint is shown by its custom domain names alone.
func TestStartedWithoutEndpoint(t *testing.T) {
	started := server.Started{
		Project: &project.Project{Name: "chat", Stage: "dev", Region: "eu-west-1"}, Addr: "localhost:3001",
		Outcome: stacks.Outcome{APIs: []stacks.APISummary{{
			ID: "a1b2c3d4e5", Stages: []string{"dev", "other"}, EndpointDisabled: true,
			Domains: []stacks.DomainSummary{{Name: "*.chat.test", Key: "v1", Stage: "dev"}, {Name: "chat.localhost", Stage: "dev"}},
		}}},
	}
	var out bytes.Buffer
	(&textReporter{out: terminal.NewWriter(&out)}).Started(started)
	want := `
  API          a1b2c3d4e5  stage dev, its default endpoint is disabled
  Custom       ws://*.chat.test:3001/v1
               with "127.0.0.1 any.chat.test" in the hosts file, or: wscat -c ws://localhost:3001/v1 -H 'Host: any.chat.test'
  Custom       ws://chat.localhost:3001

  API          a1b2c3d4e5  stage other, its default endpoint is disabled
`
	if got := out.String(); !strings.Contains(got, want) || strings.Contains(got, "ws://localhost:3001/dev") {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	out.Reset()
	(&jsonReporter{log: slog.New(slog.NewJSONHandler(&out, nil))}).Started(started)
	first, _, _ := strings.Cut(out.String(), "\n")
	if !strings.Contains(first, `"domain_urls":["ws://*.chat.test:3001/v1","ws://chat.localhost:3001"]`) || strings.Contains(first, `"url"`) {
		t.Errorf("got %s", first)
	}
}

// What a runtime puts in front of a line is shown once.
func TestFunctionLines(t *testing.T) {
	const id = "0d4ff3a2-6c57-4d1c-8e7e-111111111111"
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for text, want := range map[string]string{
		"2026-01-02T03:04:05.000Z\t" + id + "\tINFO\thello\tworld": "INFO hello\tworld",
		"[WARNING]\t2026-01-02T03:04:05.000Z\t" + id + "\tcareful": "[WARNING] careful",
		"plain":         "plain",
		"bell\x07 here": "bell\uFFFD here",
		"a\tb\tc\td":    "a\tb\tc\td",
	} {
		var out bytes.Buffer
		r := &textReporter{out: terminal.NewWriter(&out)}
		r.Line(lambda.Line{Function: "f", RequestID: id, Stream: lambda.StreamStdout, Text: text, Time: at})
		if got := strings.TrimSuffix(out.String(), "\n"); got != "03:04:05.000    0d4ff3a2   f │ "+want {
			t.Errorf("got %q, want it to end in %q", got, want)
		}
	}
	var out bytes.Buffer
	r := &textReporter{out: terminal.NewWriter(&out)}
	r.Line(lambda.Line{Function: "f", RequestID: id, Stream: lambda.StreamPlatform, Text: "START", Time: at})
	if out.Len() != 0 {
		t.Errorf("platform lines are for the debug level, got %q", out.String())
	}
}
