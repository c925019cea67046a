//go:build linux

package run_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"go.uber.org/goleak"

	"cleat/bench/peer"
	"cleat/bench/result"
	"cleat/bench/run"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is a server within this process.
type fake struct {
	name           string
	install, start error
	cannot         string
	started        int
	most           int // connections; 0: any
}

func (f *fake) Name() string                                    { return f.name }
func (f *fake) Install(context.Context, string) (string, error) { return "1", f.install }
func (f *fake) Notes() string                                   { return "" }
func (f *fake) Can(peer.Scenario) (string, bool)                { return f.cannot, f.cannot == "" }

func (f *fake) Start(_ context.Context, s peer.Setup) (peer.Instance, error) {
	f.started++
	if f.start != nil {
		return nil, f.start
	}
	if f.most > 0 && s.Connections > f.most {
		return nil, errors.New("too many connections")
	}
	if s.CertFile != "" {
		return nil, peer.ErrNoTLS
	}
	up := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	return instance{httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := up.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer c.Close()
		for {
			op, b, err := c.ReadMessage()
			if err != nil || c.WriteMessage(op, b) != nil {
				return
			}
		}
	}))}, nil
}

type instance struct{ *httptest.Server }

func (i instance) Addr() string     { return i.Listener.Addr().String() }
func (i instance) Processes() []int { return []int{os.Getpid()} }
func (i instance) Stop() error      { i.Close(); return nil }

func (i instance) Client(int) peer.Client {
	return peer.Client{Path: "/", Message: func(dst []byte, seq uint64, payload []byte) []byte {
		return append(binary.AppendUvarint(dst, seq%64), payload...)
	}}
}

func (i instance) Push(int, string, []byte) (string, []byte) { return i.Addr(), nil }

func TestRun(t *testing.T) {
	good, bad := &fake{name: "good"}, &fake{name: "bad", start: errors.New("no port is free")}
	servers := []peer.Server{good, bad, &fake{name: "unable", cannot: "does no such thing"}, &fake{name: "missing", install: errors.New("no registry")}}
	found, rows, err := run.Run(t.Context(), run.Options{
		Dir: t.TempDir(), Servers: servers, Only: []string{"mock/100", "connect/tls"}, Rounds: 2, Out: io.Discard,
		Durations: run.Durations{Warmup: 10 * time.Millisecond, Measure: 30 * time.Millisecond},
		Backend:   []string{"sh", "-c", "echo 127.0.0.1:1; cat"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) != 4 || found[3].Missing != "no registry" || found[0].Missing != "" {
		t.Errorf("servers are %+v", found)
	}
	r := result.Report{Servers: found, Rows: rows}
	for _, figure := range []string{result.Rate, result.CPU, result.P50, result.P99} {
		if v, ok := r.Value("good", "mock/100/capacity", figure); !ok || v <= 0 {
			t.Errorf("%s is %v", figure, v)
		}
	}
	if row := r.Row("good", "mock/100/2000/s"); row == nil || row.Values[result.Rate].N != 2 {
		t.Errorf("the fixed rate: %+v", row)
	}
	for _, c := range []struct{ server, name, fault string }{
		{"bad", "mock/100", "no port is free"}, {"unable", "mock/100", "does no such thing"}, {"good", "connect/tls", peer.ErrNoTLS.Error()},
	} {
		if row := r.Row(c.server, c.name); row == nil || !strings.Contains(row.Fault, c.fault) {
			t.Errorf("%s in %s: %+v, want %q", c.server, c.name, row, c.fault)
		}
	}
	if row := r.Row("good", "mock/1000/capacity"); row != nil {
		t.Errorf("what was not asked for was measured: %+v", row)
	}
	if bad.started != 2 { // once for each case: a second round would find the same
		t.Errorf("a server that cannot start was started %d times", bad.started)
	}
}

// A server that fails a case is not tried with more of the same, nor in later rounds, but with less and with others.
func TestFailedIsNotTriedWithMore(t *testing.T) {
	weak := &fake{name: "weak", most: 100}
	var out strings.Builder
	_, rows, err := run.Run(t.Context(), run.Options{
		Dir: t.TempDir(), Servers: []peer.Server{weak}, Only: []string{"message", "mock/100"}, Rounds: 2, Out: &out, Brief: true,
		Durations: run.Durations{Warmup: 10 * time.Millisecond, Measure: 30 * time.Millisecond},
		Backend:   []string{"sh", "-c", "echo 127.0.0.1:1; cat"},
	})
	if err != nil {
		t.Fatal(err)
	}
	r := result.Report{Rows: rows}
	for name, want := range map[string]string{
		"message/100B/1000": "too many", "message/100B/10000": "not tried: it failed message/100B/1000",
		"message/4KB/1000": "not tried: it failed message/100B/1000", "message/4KB/10000": "not tried: it failed message/100B/1000",
	} {
		if row := r.Row("weak", name); row == nil || !strings.Contains(row.Fault, want) {
			t.Errorf("%s: %+v, want %q", name, row, want)
		}
	}
	for _, name := range []string{"message/100B/100/capacity", "message/4KB/100/capacity", "mock/100/capacity"} {
		if row := r.Row("weak", name); row == nil || row.Values[result.Rate].N != 2 {
			t.Errorf("%s: %+v, want two rounds", name, row)
		}
	}
	if weak.started != 7 { // three cases twice, and one once
		t.Errorf("it was started %d times, want 7:\n%s", weak.started, out.String())
	}
	if !strings.Contains(out.String(), "mock/100, round 2 of 2, about ") {
		t.Errorf("no word of the time that is left:\n%s", out.String())
	}
}

func TestRunWithoutBackend(t *testing.T) {
	_, _, err := run.Run(t.Context(), run.Options{Dir: t.TempDir(), Rounds: 1, Out: io.Discard, Backend: []string{"true"}})
	if err == nil || !strings.Contains(err.Error(), "backend") {
		t.Errorf("got %v", err)
	}
}

// TestRunBrief: a guard has no use for latencies at rates.
func TestRunBrief(t *testing.T) {
	_, rows, err := run.Run(t.Context(), run.Options{
		Dir: t.TempDir(), Servers: []peer.Server{&fake{name: "good"}}, Only: []string{"mock/100"}, Rounds: 1, Out: io.Discard, Brief: true,
		Durations: run.Durations{Warmup: 10 * time.Millisecond, Measure: 30 * time.Millisecond},
		Backend:   []string{"sh", "-c", "echo 127.0.0.1:1; cat"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 1 || rows[0].Case != "mock/100/capacity" || rows[0].Fault != "" {
		t.Errorf("got %+v", rows)
	}
}
