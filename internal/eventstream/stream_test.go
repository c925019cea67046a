package eventstream_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/eventstream"
	"cleat/internal/listen"
)

// reader is a listener's end: what it was sent, for as long as it takes anything.
type reader struct {
	header http.Header
	stuck  chan struct{} // where not nil, a write waits until it is closed
	gone   bool          // writes fail

	mu       sync.Mutex
	status   int          // guarded by mu
	sent     bytes.Buffer // guarded by mu
	flushed  int          // guarded by mu: of sent
	deadline time.Time    // guarded by mu
}

func (r *reader) Header() http.Header { return r.header }

func (r *reader) WriteHeader(status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status = status
}

func (r *reader) Write(b []byte) (int, error) {
	if r.stuck != nil {
		<-r.stuck
	}
	if r.gone {
		return 0, errors.New("broken pipe")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sent.Write(b)
}

func (r *reader) FlushError() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.flushed = r.sent.Len()
	return nil
}

func (r *reader) SetWriteDeadline(at time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.deadline = at
	return nil
}

// lines are what has left for the listener.
func (r *reader) lines() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Collect(strings.Lines(string(r.sent.Bytes()[:r.flushed])))
}

// follow has r listen until ended is called, which waits for it; it begins within the bubble of the test.
func follow(t *testing.T, s *eventstream.Stream, r *reader) (ended func()) {
	t.Helper()
	r.header = http.Header{}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.ServeHTTP(r, httptest.NewRequestWithContext(ctx, http.MethodGet, "/_cleat/events", http.NoBody))
	}()
	synctest.Wait()
	return func() { cancel(); <-done }
}

func record(id string) *apigw.Record {
	return &apigw.Record{Time: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), Operation: "connect", ConnectionID: apigw.ConnectionID(id)}
}

func line(id string) string {
	return `{"time":"2026-03-01T12:00:00.000Z","operation":"connect","connection_id":"` + id + `","ms":0}` + "\n"
}

// Everybody who listens gets every event from then on, one a line, at once and with time to take it.
func TestStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := eventstream.New()
		s.Send(record("before"))
		var first, second reader
		endFirst := follow(t, s, &first)
		kept := record("both")
		s.Send(kept)
		kept.ConnectionID = "used again"
		synctest.Wait()
		endSecond := follow(t, s, &second)
		s.Send(record("later"))
		synctest.Wait()
		endFirst()
		s.Send(record("last"))
		synctest.Wait()
		endSecond()
		if want := []string{line("both"), line("later")}; !slices.Equal(first.lines(), want) {
			t.Errorf("got %q, want %q", first.lines(), want)
		}
		if want := []string{line("later"), line("last")}; !slices.Equal(second.lines(), want) {
			t.Errorf("got %q, want %q", second.lines(), want)
		}
		if got := first.header.Get("Content-Type"); got != "application/x-ndjson" {
			t.Errorf("Content-Type: got %q", got)
		}
		if first.deadline != time.Now().Add(10*time.Second) {
			t.Errorf("a write may take until %s, at %s", first.deadline, time.Now())
		}
	})
}

// Who reads too slowly holds nobody up, and is told how much they missed.
func TestSlowListener(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const queue = 1024
		s := eventstream.New()
		slow := reader{stuck: make(chan struct{})}
		end := follow(t, s, &slow)
		s.Send(record("taken"))
		synctest.Wait() // it is being written
		for range queue + 7 {
			s.Send(record("queued"))
		}
		close(slow.stuck)
		synctest.Wait()
		got := slow.lines()
		want := []string{line("taken"), "{\"missed\":7}\n", line("queued")}
		if len(got) != 2+queue || !slices.Equal(got[:3], want) {
			t.Errorf("got %d lines, %q, want %d, %q", len(got), got[:min(3, len(got))], 2+queue, want)
		}
		s.Send(record("after"))
		synctest.Wait()
		if got := slow.lines(); got[len(got)-1] != line("after") || len(got) != 3+queue {
			t.Errorf("got %q after all was taken", got[len(got)-1])
		}
		end()
	})
}

// A listener that is gone ends with the next event, and its place is another's: there are 32 of them.
func TestListenersAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most = 32
		s := eventstream.New()
		var ends []func()
		gone := reader{gone: true}
		ends = append(ends, follow(t, s, &gone))
		for range most - 1 {
			ends = append(ends, follow(t, s, new(reader)))
		}
		var refused, taken reader
		follow(t, s, &refused)()
		if refused.status != http.StatusServiceUnavailable {
			t.Errorf("listener %d: got status %d, want 503", most+1, refused.status)
		}
		s.Send(record("x"))
		synctest.Wait()
		ends = append(ends, follow(t, s, &taken))
		if taken.status != 0 {
			t.Errorf("in the place of one that is gone: got status %d", taken.status)
		}
		for _, end := range ends {
			end()
		}
	})
}

// A stream ends in order when its server begins to end, rather than holding the end up.
func TestStreamEndsWithServer(t *testing.T) {
	ln, err := listen.Open(t.Context(), "127.0.0.1:0", 0)
	if err != nil {
		t.Fatal(err)
	}
	s := eventstream.New()
	server := listen.New(ln, listen.Options{Log: slog.New(slog.DiscardHandler), Handler: s, Plain: true})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	res, err := http.Get("http://" + ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	s.Send(record("x")) // the head has been sent, so that somebody listens
	text := bufio.NewReader(res.Body)
	if got, err := text.ReadString('\n'); got != line("x") || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	stop()
	if rest, err := io.ReadAll(text); len(rest) > 0 || err != nil {
		t.Errorf("got %q, %v after the end began", rest, err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	http.DefaultClient.CloseIdleConnections()
}
