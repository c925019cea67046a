//go:build linux

package load_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"cleat/bench/load"
	"cleat/bench/peer"
)

// server is a WebSocket server that names its clients, echoes, and can be pushed to.
type server struct {
	*httptest.Server
	answer func(text []byte) []byte
	lose   bool // pushes are said to be delivered and are not

	mu    sync.Mutex // guards all of it, and writes to conns
	conns map[string]*websocket.Conn
	next  int
	peers map[string]bool // addresses that clients came from
}

func newServer(t *testing.T, secure bool) *server {
	t.Helper()
	s := &server{answer: bytes.Clone, conns: map[string]*websocket.Conn{}, peers: map[string]bool{}}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(s.serve))
	if secure {
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	return s
}

// answers has messages answered so from now on.
func (s *server) answers(by func([]byte) []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = by
}

func (s *server) addr() string { return s.Listener.Addr().String() }

func (s *server) serve(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost {
		s.post(w, r)
		return
	}
	up := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	c, err := up.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer c.Close()
	s.mu.Lock()
	s.next++
	id := fmt.Sprint("client-", s.next)
	s.conns[id] = c
	host, _, _ := net.SplitHostPort(r.RemoteAddr)
	s.peers[host] = true
	s.mu.Unlock()
	for {
		_, text, err := c.ReadMessage()
		if err != nil {
			return
		}
		s.mu.Lock()
		answerTo := s.answer
		s.mu.Unlock()
		answer := answerTo(text)
		if string(text) == "who am I" {
			answer = []byte(id)
		}
		s.mu.Lock()
		err = c.WriteMessage(websocket.TextMessage, answer)
		s.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (s *server) post(w http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.conns[strings.TrimPrefix(r.URL.Path, "/push/")]
	switch {
	case r.URL.Path == "/echo":
		w.Write(text)
	case c == nil:
		http.NotFound(w, r)
	case !s.lose:
		if err := c.WriteMessage(websocket.TextMessage, text); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	}
}

func dialect(int) peer.Client {
	return peer.Client{
		Path: "/ws", Hello: []byte("who am I"),
		Identify: func(text []byte) (string, bool) { return string(text), bytes.HasPrefix(text, []byte("client-")) },
		Message:  func(dst []byte, _ uint64, payload []byte) []byte { return append(dst, payload...) },
	}
}

func open(t *testing.T, s *server, n int) *load.Session {
	t.Helper()
	l, err := load.Open(t.Context(), load.Options{Addr: s.addr(), Connections: n, Client: dialect})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

var plan = load.Plan{Payload: 100, Warmup: 20 * time.Millisecond, Measure: 100 * time.Millisecond}

func TestCapacity(t *testing.T) {
	l := open(t, newServer(t, false), 5)
	marks := 0
	p := plan
	p.Mark = func() error { marks++; return nil }
	f, err := l.Capacity(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	if f.Messages == 0 || f.Faults != 0 || marks != 2 || f.Latency.TotalCount() == 0 || f.Elapsed < p.Measure {
		t.Errorf("got %d messages in %v, %d latencies, %d faults, %d marks", f.Messages, f.Elapsed, f.Latency.TotalCount(), f.Faults, marks)
	}
}

func TestCapacityHTTP(t *testing.T) {
	s := newServer(t, false)
	l, err := load.Open(t.Context(), load.Options{Addr: s.addr(), Connections: 3, Request: func(dst, payload []byte) []byte {
		return fmt.Appendf(dst, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(payload), payload)
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	p := plan
	p.Payload = 4096 // net/http answers that much in chunks
	if f, err := l.Capacity(t.Context(), p); err != nil || f.Messages == 0 {
		t.Errorf("got %d messages, %v", f.Messages, err)
	}
}

// A closed loop would tell of one slow message for each stall of the server.
func TestRateTellsOfAllThatWaited(t *testing.T) {
	s := newServer(t, false)
	const stall = 300 * time.Millisecond
	var n atomic.Int64
	s.answers(func(text []byte) []byte {
		if n.Add(1) == 20 {
			time.Sleep(stall)
		}
		return text
	})
	l := open(t, s, 1)
	f, err := l.Rate(t.Context(), load.Plan{Payload: 32, Measure: 800 * time.Millisecond}, 200)
	if err != nil {
		t.Fatal(err)
	}
	slow := int64(0)
	for _, bar := range f.Latency.Distribution() {
		if time.Duration(bar.From) > stall/3 {
			slow += bar.Count
		}
	}
	// 200 a second are due: 60 in a stall of 300 ms, of which 40 wait for more than a third of it.
	if slow+int64(f.Late) < 35 {
		t.Errorf("%d messages were slow and %d late, want 40", slow, f.Late)
	}
}

func TestRateIsKept(t *testing.T) {
	l := open(t, newServer(t, false), 10)
	f, err := l.Rate(t.Context(), load.Plan{Payload: 32, Measure: 500 * time.Millisecond}, 200)
	if err != nil {
		t.Fatal(err)
	}
	want := f.Elapsed.Seconds() * 200
	if due := float64(f.Latency.TotalCount()) + float64(f.Late); due < want-2 || due > want+2 {
		t.Errorf("%v messages were due, want %v", due, want)
	}
}

func TestAnswersAreChecked(t *testing.T) {
	s := newServer(t, false)
	s.answers(func([]byte) []byte { return []byte("something else") })
	_, err := open(t, s, 2).Capacity(t.Context(), plan)
	if err == nil || !strings.Contains(err.Error(), "is another's") {
		t.Errorf("got %v", err)
	}
}

func TestPush(t *testing.T) {
	for name, c := range map[string]struct{ lose, close bool }{"delivered": {}, "connections not kept": {close: true}, "lost": {lose: true}} {
		t.Run(name, func(t *testing.T) {
			s, lose := newServer(t, false), c.lose
			s.mu.Lock()
			s.lose = lose
			s.mu.Unlock()
			s.Config.SetKeepAlivesEnabled(!c.close)
			l := open(t, s, 4)
			text := []byte("a text that is pushed")
			var requests [][]byte
			for _, id := range l.IDs() {
				requests = append(requests, fmt.Appendf(nil, "POST /push/%s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", id, len(text), text))
			}
			f, err := l.Push(t.Context(), plan, 2, s.addr(), requests, text)
			if errors.Is(err, load.ErrLost) != lose || err != nil && !lose {
				t.Fatalf("got %v", err)
			}
			if f.Messages == 0 {
				t.Error("no pushes")
			}
		})
	}
}

func TestConnects(t *testing.T) {
	s := newServer(t, false)
	f, err := load.Connects(t.Context(), load.Options{Addr: s.addr(), Client: dialect}, plan)
	if err != nil || f.Messages == 0 || f.Faults != 0 {
		t.Errorf("got %d connects, %d faults, %v", f.Messages, f.Faults, err)
	}
}

func TestConnectsRefused(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	defer s.Close()
	_, err := load.Connects(t.Context(), load.Options{Addr: s.Listener.Addr().String(), Client: dialect}, plan)
	if err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("got %v", err)
	}
}

func TestTLS(t *testing.T) {
	s := newServer(t, true)
	o := load.Options{Addr: s.addr(), Connections: 5, Client: dialect}
	long := plan
	long.Measure = 2 * time.Second // for one handshake at least, on the busiest of machines
	f, err := load.TLSConnects(t.Context(), o, long)
	if err != nil || f.Messages == 0 {
		t.Errorf("got %d connects, %v", f.Messages, err)
	}
	l, err := load.OpenTLS(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.TalkOnce(t.Context(), 100); err != nil {
		t.Error(err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

func TestManySources(t *testing.T) {
	s := newServer(t, false)
	l := open(t, s, 1001)
	if err := l.Idle(t.Context(), 10*time.Millisecond); err != nil {
		t.Error(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.peers) != 2 {
		t.Errorf("1,001 clients came from %d addresses, want 2", len(s.peers))
	}
}
