package access_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"cleat/internal/access"
	"cleat/internal/controlapi"
	"cleat/internal/testkit"
)

// A line has what its entry has, each text within bounds and valid UTF-8; who is not known gets only so many lines, and the
// next one tells how many are not there. After Close nothing is written, which is in the log.
func TestAudit(t *testing.T) {
	var out bytes.Buffer
	var log testkit.Log
	a, err := access.OpenAudit("", access.Options{Audit: "stdout", Std: map[string]io.Writer{"stdout": &out}}, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for range 150 {
		a.Entry(controlapi.Entry{Time: at, Operation: "DeleteApi", Resource: strings.Repeat("é", 1000), Status: 403})
	}
	known := controlapi.Caller{ARN: "arn:aws:iam::123456789012:user/ann", AccessKeyID: "AKIAANN"}
	a.Entry(controlapi.Entry{Time: at, RequestID: "r1", Caller: known, Service: "apigateway", Operation: "CreateApi", Resource: "arn:x", Status: 201})
	a.Entry(controlapi.Entry{Time: at, Caller: known, Operation: "CreateApi", Status: 500, Error: strings.Repeat("e", 5000)})
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Errorf("again: %v", err)
	}
	a.Entry(controlapi.Entry{Time: at, Caller: known, Operation: "AfterTheEnd", Status: 200})

	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 102 { // 100 of nobody
		t.Fatalf("%d lines", len(lines))
	}
	var nobody, done, failed map[string]any
	for to, line := range map[*map[string]any]string{&nobody: lines[0], &done: lines[100], &failed: lines[101]} {
		if err := json.Unmarshal([]byte(line), to); err != nil {
			t.Fatal(err)
		}
	}
	if text, _ := nobody["resource"].(string); nobody["result"] != "refused" || text != strings.Repeat("é", 128)+"…" {
		t.Errorf("got %v", nobody)
	}
	if done["result"] != "done" || done["request_id"] != "r1" || done["user"] != known.ARN || done["access_key_id"] != "AKIAANN" || done["skipped"] != 50.0 {
		t.Errorf("got %v", done)
	}
	if text, _ := failed["error"].(string); failed["result"] != "failed" || len(text) != 2<<10+len("…") || failed["skipped"] != nil {
		t.Errorf("got %v", failed)
	}
	if !strings.Contains(log.String(), "a line of the audit log could not be written") || !strings.Contains(log.String(), "AfterTheEnd") {
		t.Errorf("the log: %s", log.String())
	}
}

// Without a data directory and a target nothing is written, by an audit log that is nil.
func TestNoAudit(t *testing.T) {
	a, err := access.OpenAudit("", access.Options{}, nil)
	if a != nil || err != nil {
		t.Fatalf("got %v, %v", a, err)
	}
	a.Entry(controlapi.Entry{Operation: "CreateApi"})
	if err := a.Close(); err != nil {
		t.Error(err)
	}
}
