package conn_test

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/conn"
	"cleat/internal/frame"
)

func TestEcho(t *testing.T) {
	eachTransport(t, func(t *testing.T, tr transport) {
		t.Helper()
		h := newTestHandler()
		hub := newTestHub(t, h, conn.Options{Engine: tr.engine})
		h.onMessage = func(id apigw.ConnectionID, attachment any, m conn.Message) {
			if attachment != "mine" || m.Binary {
				t.Errorf("got attachment %v, binary %v", attachment, m.Binary)
			}
			if err := hub.Send(id, m.Data); err != nil {
				t.Errorf("Send: %v", err)
			}
		}
		_, c := connect(t, hub, tr, "mine")
		for _, s := range []string{"hello", "", "é€😀", strings.Repeat("x", 126), strings.Repeat("y", 32<<10)} {
			c.text(s)
			c.wantText(s)
		}
		// 128 KB, in frames of 32 KB as the quota asks for (spec data-plane §3.2), with a ping between them.
		part := strings.Repeat("z", 32<<10)
		c.send(frame.OpText, false, part)
		c.send(frame.OpContinuation, false, part)
		c.send(frame.OpPing, true, "are you there")
		if f := c.frame(); f.Header.OpCode != 0xA || string(f.Payload) != "are you there" {
			t.Fatalf("got %+v %q, want the pong", f.Header, f.Payload)
		}
		c.send(frame.OpContinuation, false, part)
		c.send(frame.OpContinuation, true, part)
		c.wantText(strings.Repeat(part, 4))
	})
}

// What the client sent right behind its handshake comes first, whole or in part.
func TestOpenRest(t *testing.T) {
	eachTransport(t, func(t *testing.T, tr transport) {
		t.Helper()
		h := newTestHandler()
		got := make(chan string, 2)
		h.onMessage = func(_ apigw.ConnectionID, _ any, m conn.Message) { got <- string(m.Data) }
		hub := newTestHub(t, h, conn.Options{Engine: tr.engine, Limits: serial()})
		client, server := tr.pair(t)
		defer client.Close()
		id, err := hub.Reserve(nil)
		if err != nil {
			t.Fatal(err)
		}
		sent := frame.AppendMasked(nil, frame.OpText, true, testKey, []byte("first"))
		sent = frame.AppendMasked(sent, frame.OpText, true, testKey, []byte("second"))
		if err := hub.Open(id, server, conn.Handshake{Rest: slices.Clone(sent[:len(sent)-3])}); err != nil {
			t.Fatal(err)
		}
		if _, err := client.Write(sent[len(sent)-3:]); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"first", "second"} {
			if s := <-got; s != want {
				t.Errorf("got %q, want %q", s, want)
			}
		}
	})
}

// The end of the handshake goes ahead of everything, and whoever has read it finds the connection open (spec data-plane
// §10).
func TestOpenAnswers(t *testing.T) {
	eachTransport(t, func(t *testing.T, tr transport) {
		t.Helper()
		hub := newTestHub(t, newTestHandler(), conn.Options{Engine: tr.engine})
		for range 50 {
			client, server := tr.pair(t)
			id, err := hub.Reserve(nil)
			if err != nil {
				t.Fatal(err)
			}
			sent := make(chan error, 1)
			go func() {
				if _, err := io.ReadFull(client, make([]byte, len("answer"))); err != nil {
					sent <- err
					return
				}
				sent <- hub.Send(id, []byte("x"))
			}()
			if err := hub.Open(id, server, conn.Handshake{Answer: []byte("answer")}); err != nil {
				t.Fatal(err)
			}
			if err := <-sent; err != nil {
				t.Fatalf("after the answer was read: %v", err)
			}
			client.Close()
		}
	})
}

// A client that is gone before its answer never was: spec data-plane §2.3.
func TestOpenLost(t *testing.T) {
	h := newTestHandler()
	hub := newTestHub(t, h, conn.Options{})
	client, server := tcpPair(t)
	id, err := hub.Reserve(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := client.(*net.TCPConn).SetLinger(0); err != nil { // Close resets
		t.Fatal(err)
	}
	client.Close()
	if _, err := server.Read(make([]byte, 1)); err == nil { // the reset has come
		t.Fatal("read from a client that is gone")
	}
	if err := hub.Open(id, server, conn.Handshake{Answer: []byte("answer")}); !errors.Is(err, conn.ErrLost) {
		t.Errorf("got %v, want ErrLost", err)
	}
	if err := hub.Send(id, nil); !errors.Is(err, conn.ErrGone) || hub.Len() != 0 {
		t.Errorf("got %v, %d connections", err, hub.Len())
	}
	if got := hub.Stats(); got.Opened != 0 || got.Closing != 0 {
		t.Errorf("got %+v", got)
	}
}

func serial() apigw.Limits {
	l := apigw.LimitsAWS()
	l.InFlight = 1
	return l
}

// spec data-plane §3: PENDING answers 410, a refused ID is dead at once.
func TestPending(t *testing.T) {
	h := newTestHandler()
	hub := newTestHub(t, h, conn.Options{})
	id, err := hub.Reserve("a")
	if err != nil {
		t.Fatal(err)
	}
	_, infoErr := hub.Info(id)
	for name, err := range map[string]error{
		"Send":       hub.Send(id, []byte("x")),
		"Disconnect": hub.Disconnect(id, conn.ReasonDeleted),
		"Info":       infoErr,
	} {
		if !errors.Is(err, conn.ErrPending) || !errors.Is(err, conn.ErrGone) || apigw.KindOf(err) != apigw.KindGone {
			t.Errorf("%s while pending: %v", name, err)
		}
	}
	if infos, _ := hub.List("", 10, nil); len(infos) != 0 || hub.Len() != 0 {
		t.Errorf("a pending connection is listed: %v", infos)
	}
	hub.Abandon(id)
	hub.Abandon(id)
	if err := hub.Send(id, nil); !errors.Is(err, conn.ErrGone) || errors.Is(err, conn.ErrPending) {
		t.Errorf("Send after Abandon: %v", err)
	}
	client, server := net.Pipe()
	defer client.Close()
	if err := hub.Open(id, server, conn.Handshake{}); !errors.Is(err, conn.ErrGone) {
		t.Errorf("Open after Abandon: %v", err)
	}
	if _, err := client.Read(make([]byte, 1)); err == nil {
		t.Error("Open left the connection open")
	}
	if n := len(h.closed); n != 0 {
		t.Errorf("Closed was called %d times", n)
	}
}

func TestReserveBound(t *testing.T) {
	hub := newTestHub(t, newTestHandler(), conn.Options{MaxConnections: 2})
	first, err := hub.Reserve(nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := hub.Reserve(nil); err != nil {
		t.Fatal(err)
	}
	if _, err := hub.Reserve(nil); !errors.Is(err, conn.ErrFull) {
		t.Errorf("third of two: %v", err)
	}
	hub.Abandon(first)
	second, err := hub.Reserve(nil)
	if err != nil {
		t.Errorf("after Abandon: %v", err)
	}
	if first == second {
		t.Error("an ID was given out twice")
	}
}

func TestInfoAndList(t *testing.T) {
	eachTransport(t, func(t *testing.T, tr transport) {
		t.Helper()
		hub := newTestHub(t, newTestHandler(), conn.Options{Engine: tr.engine})
		var ids []apigw.ConnectionID
		clients := map[apigw.ConnectionID]*testClient{}
		for i := range 5 {
			id, c := connect(t, hub, tr, i)
			ids = append(ids, id)
			clients[id] = c
		}
		before, err := hub.Info(ids[2])
		if err != nil {
			t.Fatal(err)
		}
		if before.ID != ids[2] || before.Attachment != 2 || time.Since(before.OpenedAt) > wait || before.LastActiveAt != before.OpenedAt {
			t.Errorf("got %+v", before)
		}
		done := make(chan struct{})
		go func() { defer close(done); clients[ids[2]].wantText("x") }()
		if err := hub.Send(ids[2], []byte("x")); err != nil {
			t.Fatal(err)
		}
		<-done
		if after, _ := hub.Info(ids[2]); !after.LastActiveAt.After(before.LastActiveAt) {
			t.Error("Send did not count as activity")
		}

		odd := func(a any) bool { return a.(int)%2 == 1 }
		var got []apigw.ConnectionID
		var after apigw.ConnectionID
		for {
			infos, more := hub.List(after, 2, nil)
			for _, i := range infos {
				got = append(got, i.ID)
				after = i.ID
			}
			if !more {
				break
			}
		}
		if !slices.Equal(got, ids) {
			t.Errorf("pages: got %v, want %v", got, ids)
		}
		if infos, more := hub.List("", 10, odd); len(infos) != 2 || more || infos[0].ID != ids[1] || infos[1].ID != ids[3] {
			t.Errorf("odd ones: got %v, %v", infos, more)
		}
		if hub.Len() != 5 {
			t.Errorf("Len is %d", hub.Len())
		}
	})
}

// Two nodes, or two lives of one: an ID is good with its own hub only.
func TestForeignID(t *testing.T) {
	a := newTestHub(t, newTestHandler(), conn.Options{Incarnation: 7})
	b := newTestHub(t, newTestHandler(), conn.Options{Incarnation: 8})
	tr := transports()[0]
	id, _ := connect(t, a, tr, nil)
	connect(t, b, tr, nil)
	if err := b.Send(id, nil); !errors.Is(err, conn.ErrGone) {
		t.Errorf("got %v", err)
	}
	if n, err := conn.ParseID(string(id)); err != nil || n != 7 {
		t.Errorf("incarnation of %s: %d, %v", id, n, err)
	}
}

func TestShutdown(t *testing.T) {
	eachTransport(t, func(t *testing.T, tr transport) {
		t.Helper()
		h := newTestHandler()
		hub := newTestHub(t, h, conn.Options{Engine: tr.engine})
		var wg sync.WaitGroup
		for range 5 {
			_, c := connect(t, hub, tr, nil)
			wg.Go(func() {
				c.wantClose(1001, "Going away")
				c.close(1001, "")
				c.wantEOF()
			})
		}
		late, err := hub.Reserve(nil)
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() { done <- hub.Shutdown(t.Context(), conn.ReasonShutdown) }()
		for range 5 {
			if got := h.waitClosed(t).reason; got != conn.ReasonShutdown {
				t.Errorf("got %+v", got)
			}
		}
		wg.Wait()
		if _, err := hub.Reserve(nil); !errors.Is(err, conn.ErrShutdown) {
			t.Errorf("Reserve: %v", err)
		}
		// A handshake that was under way still gets its $disconnect.
		client, server := tr.pair(t)
		defer client.Close()
		if err := hub.Open(late, server, conn.Handshake{}); err != nil {
			t.Fatal(err)
		}
		go func() {
			_, _ = client.Read(make([]byte, 128))
			client.Close()
		}()
		if got := h.waitClosed(t); got.id != late || got.reason != conn.ReasonShutdown {
			t.Errorf("got %+v", got)
		}
		if err := <-done; err != nil {
			t.Errorf("Shutdown: %v", err)
		}
	})
}

// A handler that takes its time is waited for until the context ends.
func TestShutdownTimeout(t *testing.T) {
	h := newTestHandler()
	release := make(chan struct{})
	h.onClosed = func(apigw.ConnectionID, func()) { <-release }
	hub := newTestHub(t, h, conn.Options{})
	defer close(release)
	_, c := connect(t, hub, transports()[1], nil)
	c.c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := hub.Shutdown(ctx, conn.ReasonShutdown); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestNewRefuses(t *testing.T) {
	bad := apigw.LimitsAWS()
	bad.InFlight = 0
	for name, o := range map[string]conn.Options{
		"limits":      {Limits: bad},
		"no limits":   {},
		"engine":      {Limits: apigw.LimitsAWS(), Engine: "steam"},
		"incarnation": {Limits: apigw.LimitsAWS(), Incarnation: conn.MaxIncarnation + 1},
		"connections": {Limits: apigw.LimitsAWS(), MaxConnections: conn.MaxConnections + 1},
		"bound":       {Limits: apigw.LimitsAWS(), MaxInFlight: -1},
	} {
		if _, err := conn.New(newTestHandler(), o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := conn.New(nil, conn.Options{Limits: apigw.LimitsAWS()}); err == nil {
		t.Error("no handler: no error")
	}
}

// A shutdown closes so many connections a second, as set last, so that their clients do not come back all at once.
func TestShutdownPace(t *testing.T) {
	inBubble(t, conn.Options{}, func(t *testing.T, hub *conn.Hub, h *testHandler, _ apigw.ConnectionID, first *testClient) {
		t.Helper()
		clients := []*testClient{first}
		tr := transport{"pipe", conn.EnginePortable, func(testing.TB) (net.Conn, net.Conn) { return net.Pipe() }}
		for range 4 {
			_, c := connect(t, hub, tr, nil)
			if err := c.c.SetDeadline(time.Time{}); err != nil {
				t.Fatal(err)
			}
			clients = append(clients, c)
		}
		hub.SetCloseRate(2)
		done := make(chan error, 1)
		begin := time.Now()
		go func() { done <- hub.Shutdown(t.Context(), conn.ReasonShutdown) }()
		for i, c := range clients {
			c.wantClose(1001, "Going away")
			if got, want := time.Since(begin), time.Duration(i)*time.Second/2; got < want || got > want+time.Second/10 {
				t.Errorf("connection %d was closed after %v, want %v", i, got, want)
			}
			c.close(1001, "")
			c.wantEOF()
			<-h.ended
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
