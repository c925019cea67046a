package access

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os/user"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/controlapi"
	"cleat/internal/datadir"
	"cleat/internal/eventlog"
	"cleat/internal/throttle"
)

// Audit is the record of every change of a node's definitions and users, and of those that were refused: one JSON object
// a line, written before the change is answered. A line that cannot be written is an error in the node's log and counts as
// a failure; the change stands, for it was made. A nil Audit writes nothing.
//
// Of calls by nobody known only so many get a line of their own, and the others are counted in the next line: whoever can
// reach the listener could otherwise push all that matters out of the files that are kept.
type Audit struct {
	log     *slog.Logger
	failed  atomic.Int64
	nobody  *throttle.Bucket
	skipped atomic.Int64 // since the last line

	mu  sync.Mutex
	out eventlog.Output // guarded by mu
}

// nobodyRate and nobodyBurst bound the lines of calls by nobody known, in lines a second and at once, and maxNobodyText each
// text of them, in bytes. The files that are kept hold them for two weeks at the least, when somebody does nothing but
// that.
const (
	nobodyRate    = 0.1
	nobodyBurst   = 100
	maxNobodyText = 256
)

// auditTime bounds the writing of one line.
const auditTime = 10 * time.Second

// OpenAudit opens the audit log of a data directory, or another target. Nil: there is neither.
func OpenAudit(dataDir string, o Options, log *slog.Logger) (*Audit, error) {
	target := o.Audit
	switch {
	case target != "":
	case dataDir == "":
		return nil, nil //nolint:nilnil // a nil Audit writes nothing
	default:
		target = filepath.Join(dataDir, datadir.AuditFile)
	}
	out, err := eventlog.Open(target, "cleat-audit", o.Std, eventlog.FileOptions{})
	if err != nil {
		return nil, fmt.Errorf("the audit log: %w", err)
	}
	return &Audit{log: log, out: out, nobody: throttle.New(nobodyRate, nobodyBurst)}, nil
}

// auditLine is one line. Who reads it relies on its names.
type auditLine struct {
	Time      time.Time `json:"time"`
	RequestID string    `json:"request_id"`
	User      string    `json:"user,omitempty"` // ARN; empty: nobody was recognized, or nobody had to be
	AccessKey string    `json:"access_key_id,omitempty"`
	SourceIP  string    `json:"source_ip,omitempty"`
	UserAgent string    `json:"user_agent,omitempty"`
	Service   string    `json:"service"`
	Operation string    `json:"operation"`
	Resource  string    `json:"resource"`
	Result    string    `json:"result"` // "done", "refused" or "failed"
	Status    int       `json:"status"`
	Error     string    `json:"error,omitempty"`
	Skipped   int64     `json:"skipped,omitempty"` // calls by nobody known that have no line, since the line before
}

// The results of audited calls.
const (
	auditDone    = "done"
	auditRefused = "refused" // the caller's doing
	auditFailed  = "failed"  // the node's
)

// maxAuditText bounds each text of a line, in bytes.
const maxAuditText = 2 << 10

func cutText(s string, most int) string {
	if len(s) > most {
		s = s[:most] + "…"
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

func auditLineOf(e *controlapi.Entry) auditLine {
	result := auditDone
	switch {
	case e.Status >= 500:
		result = auditFailed
	case e.Status >= 400:
		result = auditRefused
	}
	most := maxAuditText
	if e.Caller.ARN == "" {
		most = maxNobodyText
	}
	return auditLine{
		Time: e.Time, RequestID: string(e.RequestID), User: e.Caller.ARN, AccessKey: e.Caller.AccessKeyID, SourceIP: e.SourceIP,
		UserAgent: cutText(e.UserAgent, most), Service: e.Service, Operation: e.Operation, Resource: cutText(e.Resource, most),
		Result: result, Status: e.Status, Error: cutText(e.Error, most),
	}
}

// Entry writes one line. It may be called concurrently.
func (a *Audit) Entry(e controlapi.Entry) {
	if a == nil {
		return
	}
	if e.Caller.ARN == "" && e.Status >= 400 && !a.nobody.Allow(e.Time) {
		a.skipped.Add(1)
		return
	}
	text := auditLineOf(&e)
	text.Skipped = a.skipped.Swap(0)
	line, err := json.Marshal(text) //nolint:gosec // G117: an access key's ID is no secret
	if err == nil {
		ctx, cancel := context.WithTimeout(context.Background(), auditTime)
		defer cancel()
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.out == nil {
			err = errors.New("it is closed")
		} else {
			err = a.out.Write(ctx, append(line, '\n'), []time.Time{e.Time})
		}
	}
	if err != nil {
		a.failed.Add(1)
		a.log.Error("a line of the audit log could not be written", "operation", e.Operation, "resource", e.Resource, "request_id", string(e.RequestID), "err", err)
	}
}

// failures is how many lines could not be written.
func (a *Audit) failures() int64 {
	if a == nil {
		return 0
	}
	return a.failed.Load()
}

// Close lets go of the target. It may be called again.
func (a *Audit) Close() error {
	if a == nil {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	out := a.out
	if a.out = nil; out == nil {
		return nil
	}
	return out.Close()
}

// offlineEntry is what somebody does to a data directory without a node: their name on this machine stands for the caller.
func offlineEntry(operation, resource string) controlapi.Entry {
	e := controlapi.Entry{Time: time.Now().UTC(), RequestID: apigw.NewRequestID(), Service: serviceCleat, Operation: operation, Resource: resource, Status: 200}
	if u, err := user.Current(); err == nil {
		e.Caller.ARN = "local:" + u.Username // no ARN at all, so that nobody takes it for one
	}
	return e
}
