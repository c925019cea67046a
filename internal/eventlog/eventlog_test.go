package eventlog_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/eventlog"
)

// output keeps what it is given.
type output struct {
	mu     sync.Mutex
	text   strings.Builder
	err    error
	block  chan struct{} // Write waits for it; nil: it does not
	closed bool
}

func (o *output) Write(_ context.Context, text []byte, times []time.Time) error {
	if o.block != nil {
		<-o.block
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if n := bytes.Count(text, []byte{'\n'}); n != len(times) {
		return errors.New("as many times as lines, please")
	}
	o.text.Write(text)
	return o.err
}

func (o *output) Close() error {
	o.closed = true
	return nil
}

func (o *output) lines() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return strings.Split(strings.TrimSuffix(o.text.String(), "\n"), "\n")
}

func record(t apigw.EventType) *apigw.Record {
	at := time.UnixMilli(1710277042124)
	ev := &apigw.Event{Body: []byte(`{"secret":1}`), Context: apigw.RequestContext{
		EventType: t, RequestID: "Qyi3UG41tjMFlUg=", RequestTime: at, Stage: "prod", ConnectionID: "Qyi07eCbtjMCJKw=", APIID: "a1",
		Identity: apigw.Identity{SourceIP: "192.0.2.7", UserAgent: "demo/1.0"},
	}}
	return &apigw.Record{Time: at, Operation: strings.ToLower(string(t)), APIID: "a1", Stage: "prod", ConnectionID: "Qyi07eCbtjMCJKw=", RequestID: "Qyi3UG41tjMFlUg=", Event: ev, Duration: 5 * time.Millisecond}
}

func stages(change func(*apigw.Stage)) []apigw.ServedStage {
	s := apigw.Stage{StageName: "prod"}
	change(&s)
	return []apigw.ServedStage{{APIID: "a1", Stage: &s}}
}

// run starts a Log and returns what ends it.
func run(t *testing.T, l *eventlog.Log) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	}
}

var discard = slog.New(slog.DiscardHandler)

// One line for each connect, message and disconnect, in the stage's format (spec data-plane §9.1).
func TestAccess(t *testing.T) {
	out := &output{}
	l := eventlog.New(eventlog.Options{Access: out, Log: discard})
	s := stages(func(s *apigw.Stage) {
		s.AccessLogSettings = &apigw.AccessLogSettings{Format: "$context.eventType $context.requestId"}
	})
	if err := l.Swap(s, eventlog.Overrides{}); err != nil {
		t.Fatal(err)
	}
	stop := run(t, l)
	for _, e := range []apigw.EventType{apigw.EventConnect, apigw.EventMessage, apigw.EventDisconnect} {
		l.Observe(record(e))
	}
	l.Observe(&apigw.Record{Operation: "post", APIID: "a1", Stage: "prod"})
	gone := record(apigw.EventMessage)
	gone.Stage = "other"
	l.Observe(gone)
	if err := l.Swap(s, eventlog.Overrides{AccessFormat: "mine $context.requestId"}); err != nil {
		t.Fatal(err)
	}
	l.Observe(record(apigw.EventMessage))
	stop()
	want := "CONNECT Qyi3UG41tjMFlUg=\nMESSAGE Qyi3UG41tjMFlUg=\nDISCONNECT Qyi3UG41tjMFlUg=\nmine Qyi3UG41tjMFlUg="
	if got := strings.Join(out.lines(), "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if !out.closed {
		t.Error("the output was not closed")
	}
	if err := l.Swap(s, eventlog.Overrides{AccessFormat: "no ID"}); err == nil {
		t.Error("a format without a request ID was taken")
	}
}

// Levels and data trace decide what an execution log tells (spec data-plane §9.2).
// What is known of a stage is of its last revision, and of the last overrides.
func TestSwapAgain(t *testing.T) {
	out := &output{}
	l := eventlog.New(eventlog.Options{Access: out, Log: discard})
	stop := run(t, l)
	for _, step := range []struct {
		revision  uint64
		format    string
		overrides eventlog.Overrides
	}{
		{1, "first $context.requestId", eventlog.Overrides{}},
		{1, "first $context.requestId", eventlog.Overrides{AccessFormat: "override $context.requestId"}},
		{1, "first $context.requestId", eventlog.Overrides{}},
		{2, "second $context.requestId", eventlog.Overrides{}},
		{0, "third $context.requestId", eventlog.Overrides{}},
		{0, "fourth $context.requestId", eventlog.Overrides{}},
	} {
		s := stages(func(s *apigw.Stage) { s.AccessLogSettings = &apigw.AccessLogSettings{Format: step.format} })
		s[0].Revision = step.revision
		if err := l.Swap(s, step.overrides); err != nil {
			t.Fatal(err)
		}
		l.Observe(record(apigw.EventMessage))
	}
	stop()
	var got []string
	for _, line := range out.lines() {
		word, _, _ := strings.Cut(line, " ")
		got = append(got, word)
	}
	if want := []string{"first", "override", "first", "second", "third", "fourth"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestExecution(t *testing.T) {
	failed := func() *apigw.Record {
		r := record(apigw.EventMessage)
		r.RouteKey, r.Target, r.Err = "say", "my-function", errors.New("the function failed\nbadly")
		r.Request, r.Response = []byte(`{"mapped":1}`), []byte(`{"errorMessage":"boom"}`)
		r.Integration = apigw.Step{Taken: true, Status: 200, Latency: 3 * time.Millisecond, Error: "boom"}
		r.Authorize = apigw.Step{Taken: true, Status: 200}
		return r
	}
	for name, test := range map[string]struct {
		settings  apigw.RouteSettings
		overrides eventlog.Overrides
		record    *apigw.Record
		want      []string // in this order
		not       []string
	}{
		"off by default": {record: failed()},
		"off":            {settings: apigw.RouteSettings{LoggingLevel: "OFF"}, record: failed()},
		"errors only": {
			settings: apigw.RouteSettings{LoggingLevel: "ERROR"}, record: failed(),
			want: []string{"2024-03-12T20:57:22.124Z /aws/apigateway/a1/prod (Qyi3UG41tjMFlUg=) Client [Connection Id: Qyi07eCbtjMCJKw=] sent a message", "Route: say", "Authorization: status 200", "Endpoint request to my-function", "Call of the endpoint: status 200 after 3 ms, boom", "Execution failed: Internal server error: the function failed; badly"},
			not:  []string{"secret", "mapped", "errorMessage"},
		},
		"no error at level ERROR": {settings: apigw.RouteSettings{LoggingLevel: "ERROR"}, record: record(apigw.EventConnect)},
		"info":                    {settings: apigw.RouteSettings{LoggingLevel: "INFO"}, record: record(apigw.EventConnect), want: []string{"Client [UserAgent: demo/1.0, SourceIp: 192.0.2.7] is connecting to WebSocket API [a1]", "Completed with status"}},
		"disconnect": {settings: apigw.RouteSettings{LoggingLevel: "INFO"}, record: func() *apigw.Record {
			r := record(apigw.EventDisconnect)
			r.CloseCode, r.CloseReason = 1001, "Going away"
			return r
		}(), want: []string{"Client [Connection Id: Qyi07eCbtjMCJKw=] disconnected from API [a1] with DisconnectStatusCode: [1001], DisconnectReason: [Going away]"}},
		"no route":   {settings: apigw.RouteSettings{LoggingLevel: "INFO"}, record: func() *apigw.Record { r := record(apigw.EventMessage); r.Selected = "nope"; return r }(), want: []string{`gave "nope"`}},
		"data trace": {settings: apigw.RouteSettings{LoggingLevel: "INFO", DataTraceEnabled: true}, record: failed(), want: []string{`Message: {"secret":1}`, `Endpoint request body after transformations: {"mapped":1}`, `Endpoint response body before transformations: {"errorMessage":"boom"}`}},
		"data trace of a handshake": {
			settings: apigw.RouteSettings{LoggingLevel: "INFO", DataTraceEnabled: true},
			record: func() *apigw.Record {
				r := record(apigw.EventConnect)
				r.Event.Headers = apigw.Fields{{Name: "authorization", Value: `Digest response="tell nobody"`}, {Name: "X-Api-Key", Value: "key-of-somebody"}, {Name: "X-Room", Value: "blue-and-green"}, {Name: "Cookie", Value: "a=b"}}
				r.Event.Query = apigw.Fields{{Name: "X-Amz-Security-Token", Value: "token/of+somebody=="}}
				r.Event.Context.Identity.APIKey = "key-of-another"
				r.Integration.Taken, r.Request = true, []byte(`{"headers":{"authorization":"Digest response=\"tell nobody\"","X-Room":"blue-and-green","Cookie":"a=b"},"t":"token/of+somebody==","k":"key-of-somebody key-of-another"}`)
				r.Response = []byte(`Digest response="tell nobody"`)
				return r
			}(),
			want: []string{`{"headers":{"authorization":"******","X-Room":"blue-and-green","Cookie":"a=b"},"t":"******","k":"****** ******"}`, "before transformations: ******"},
		},
		"nothing that steers a terminal": {
			settings: apigw.RouteSettings{LoggingLevel: "INFO"},
			record: func() *apigw.Record {
				r := record(apigw.EventConnect)
				r.Event.Context.Identity.UserAgent = "a\x1b[2J\u009b2J\x9b2J\u0085b"
				return r
			}(),
			want: []string{"UserAgent: a [2J 2J 2J b,"},
		},
		"default": {overrides: eventlog.Overrides{DefaultLevel: "INFO"}, record: record(apigw.EventConnect), want: []string{"Completed with status"}},
		"default in place of OFF": {
			settings: apigw.RouteSettings{LoggingLevel: "OFF"}, overrides: eventlog.Overrides{DefaultLevel: "INFO"}, record: record(apigw.EventConnect),
			want: []string{"Completed with status"},
		},
		"a level of its own": {settings: apigw.RouteSettings{LoggingLevel: "ERROR"}, overrides: eventlog.Overrides{DefaultLevel: "INFO"}, record: record(apigw.EventConnect)},
		"no default":         {settings: apigw.RouteSettings{LoggingLevel: "ERROR"}, overrides: eventlog.Overrides{DefaultLevel: "INFO", ExecutionLevel: "OFF"}, record: failed()},
		"overridden":         {overrides: eventlog.Overrides{ExecutionLevel: "INFO", DataTrace: true}, record: failed(), want: []string{`Message: {"secret":1}`}},
	} {
		t.Run(name, func(t *testing.T) {
			out := &output{}
			l := eventlog.New(eventlog.Options{Execution: out, Log: discard})
			if err := l.Swap(stages(func(s *apigw.Stage) { s.DefaultRouteSettings = &test.settings }), test.overrides); err != nil {
				t.Fatal(err)
			}
			stop := run(t, l)
			l.Observe(test.record)
			stop()
			text := out.text.String()
			if (text == "") != (test.want == nil) {
				t.Errorf("got %q", text)
			}
			for _, want := range test.want {
				at := strings.Index(text, want)
				if at < 0 {
					t.Fatalf("%q is missing, or not behind the others:\n%s", want, out.text.String())
				}
				text = text[at:]
			}
			for _, not := range test.not {
				if strings.Contains(out.text.String(), not) {
					t.Errorf("%q must not be shown", not)
				}
			}
		})
	}
}

// An entry is cut where AWS cuts it (spec data-plane §8).
func TestExecutionEntrySize(t *testing.T) {
	out := &output{}
	l := eventlog.New(eventlog.Options{Execution: out, Log: discard})
	if err := l.Swap(stages(func(*apigw.Stage) {}), eventlog.Overrides{ExecutionLevel: "INFO", DataTrace: true}); err != nil {
		t.Fatal(err)
	}
	stop := run(t, l)
	r := record(apigw.EventMessage)
	r.Event.Body = []byte(strings.Repeat("é", 5000))
	l.Observe(r)
	stop()
	for _, line := range out.lines() {
		_, text, _ := strings.Cut(line, ") ")
		if len(text) > 1024 {
			t.Errorf("an entry has %d bytes", len(text))
		}
	}
}

// An output that hangs holds nobody up: lines are dropped, counted and told of.
func TestSlowOutput(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said bytes.Buffer
		out := &output{block: make(chan struct{})}
		l := eventlog.New(eventlog.Options{Access: out, Log: slog.New(slog.NewTextHandler(&said, nil))})
		long := strings.Repeat("x", 3000)
		if err := l.Swap(stages(func(*apigw.Stage) {}), eventlog.Overrides{AccessFormat: "$context.requestId " + long}); err != nil {
			t.Fatal(err)
		}
		stop := run(t, l)
		for range 4000 { // 12 MB
			l.Observe(record(apigw.EventMessage))
		}
		lost, _ := l.Dropped()
		if lost < 1000 {
			t.Errorf("%d lines were dropped, the queue has no bound", lost)
		}
		close(out.block)
		stop()
		if got := uint64(len(out.lines())); got+lost != 4000 {
			t.Errorf("%d lines written and %d dropped, of 4000", got, lost)
		}
		if !strings.Contains(said.String(), "lines of a log were lost") {
			t.Errorf("nobody was told: %s", said.String())
		}
	})
}

func TestFileRotates(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.log")
	out, err := eventlog.Open(path, "demo", nil, eventlog.FileOptions{MaxSize: 10, Keep: 2})
	if err != nil {
		t.Fatal(err)
	}
	for _, batch := range []string{"one\ntwo\n", "three\nfour\nfive\n", "a line that is longer than a file may be\n", "six\n"} {
		if err := out.Write(t.Context(), []byte(batch), nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{path: "six\n", path + ".1": "a line that is longer than a file may be\n", path + ".2": "four\nfive\n"} {
		got, err := os.ReadFile(name)
		if err != nil || string(got) != want {
			t.Errorf("%s: got %q, %v, want %q", filepath.Base(name), got, err, want)
		}
	}
	if _, err := os.Stat(path + ".3"); err == nil {
		t.Error("more files are kept than were asked for")
	}
	again, err := eventlog.Open(path, "demo", nil, eventlog.FileOptions{MaxSize: 10, Keep: 2})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(again.Write(t.Context(), []byte("7\n"), nil), again.Close()); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(path); string(got) != "six\n7\n" {
		t.Errorf("a file is not gone on with: %q", got)
	}
}

func TestOpen(t *testing.T) {
	var std bytes.Buffer
	out, err := eventlog.Open("stdout", "demo", map[string]io.Writer{"stdout": &std}, eventlog.FileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(out.Write(t.Context(), []byte("x\n"), nil), out.Close()); err != nil || std.String() != "x\n" {
		t.Errorf("got %q, %v", std.String(), err)
	}
	for target, want := range map[string]string{
		"":                       "no target",
		"ftp://x/y":              "want stdout, stderr, a file",
		"http://":                "is not a URL",
		t.TempDir():              "open the log file",
		"/nonexistent/dir/x.log": "open the log file",
	} {
		if _, err := eventlog.Open(target, "demo", nil, eventlog.FileOptions{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", target, err, want)
		}
	}
}

// What a collector's URL holds is for the collector alone: the error of one that cannot be reached goes into Cleat's own log.
func TestCollectorErrorHoldsNoSecret(t *testing.T) {
	out, err := eventlog.Open("http://ann:pw@127.0.0.1:1/in?token=tell-nobody", "demo", nil, eventlog.FileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // one attempt is enough
	err = errors.Join(out.Write(ctx, []byte("x\n"), nil), out.Close())
	if err == nil || strings.Contains(err.Error(), "tell-nobody") || strings.Contains(err.Error(), "pw") || !strings.Contains(err.Error(), "127.0.0.1:1/in") {
		t.Errorf("got %v", err)
	}
	if _, err := eventlog.Open("http://ann:pw@/in", "demo", nil, eventlog.FileOptions{}); err == nil || strings.Contains(err.Error(), "pw") {
		t.Errorf("got %v", err)
	}
}

// A collector gets the lines by POST; one that cannot take them now gets them again.
func TestCollectors(t *testing.T) {
	var mu sync.Mutex
	var paths, kinds, bodies, users []string
	var failures atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if failures.Add(-1) >= 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		body, _ := io.ReadAll(r.Body)
		user, _, _ := r.BasicAuth()
		mu.Lock()
		defer mu.Unlock()
		paths, kinds, bodies, users = append(paths, r.URL.Path), append(kinds, r.Header.Get("Content-Type")), append(bodies, string(body)), append(users, user)
	}))
	defer server.Close()
	at := time.Unix(1710277042, 124)
	for _, target := range []string{strings.Replace(server.URL, "http://", "http://ann:pw@", 1) + "/in", "otlp+" + server.URL} {
		failures.Store(1)
		out, err := eventlog.Open(target, "demo", nil, eventlog.FileOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(out.Write(t.Context(), []byte("{\"a\":1}\nb\xff\n"), []time.Time{at, at}), out.Close()); err != nil {
			t.Fatal(err)
		}
	}
	if len(bodies) != 2 || paths[0] != "/in" || kinds[0] != "application/x-ndjson" || bodies[0] != "{\"a\":1}\nb\xff\n" || users[0] != "ann" {
		t.Fatalf("got %q %q %q %q", paths, kinds, bodies, users)
	}
	var otlp struct {
		ResourceLogs []struct {
			Resource struct {
				Attributes []struct {
					Key   string
					Value struct{ StringValue string }
				}
			}
			ScopeLogs []struct {
				LogRecords []struct {
					TimeUnixNano string
					Body         struct{ StringValue string }
				}
			}
		}
	}
	if err := json.Unmarshal([]byte(bodies[1]), &otlp); err != nil {
		t.Fatal(err)
	}
	records := otlp.ResourceLogs[0].ScopeLogs[0].LogRecords
	if paths[1] != "/v1/logs" || kinds[1] != "application/json" || otlp.ResourceLogs[0].Resource.Attributes[0].Value.StringValue != "demo" ||
		len(records) != 2 || records[0].Body.StringValue != `{"a":1}` || records[1].Body.StringValue != "b\uFFFD" || records[0].TimeUnixNano != "1710277042000000124" {
		t.Errorf("got %s at %s", bodies[1], paths[1])
	}

	failures.Store(100)
	out, err := eventlog.Open(server.URL, "demo", nil, eventlog.FileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := out.Write(ctx, []byte("x\n"), nil); err == nil || !strings.Contains(err.Error(), "503") {
		t.Errorf("a collector that fails: got %v", err)
	}
	if err := out.Close(); err != nil {
		t.Error(err)
	}
}

func BenchmarkObserve(b *testing.B) {
	l := eventlog.New(eventlog.Options{Access: &output{}, Log: discard})
	if err := l.Swap(stages(func(*apigw.Stage) {}), eventlog.Overrides{}); err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx) }()
	rec := record(apigw.EventMessage)
	b.ReportAllocs()
	for b.Loop() {
		l.Observe(rec)
	}
	cancel()
	<-done
}
