package conn_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/conn"
	"cleat/internal/frame"
)

// Past InFlight messages of one connection, the Hub stops reading from it: nothing is dropped, nothing piles up.
func TestInFlight(t *testing.T) {
	eachTransport(t, func(t *testing.T, tr transport) {
		t.Helper()
		const n, most = 500, 4
		limits := apigw.LimitsAWS()
		limits.InFlight = most
		h := newTestHandler()
		var now, peak, total atomic.Int64
		gate := make(chan struct{})
		h.onMessage = func(apigw.ConnectionID, any, conn.Message) {
			if v := now.Add(1); v > peak.Load() {
				peak.Store(v)
			}
			<-gate
			now.Add(-1)
			total.Add(1)
		}
		hub := newTestHub(t, h, conn.Options{Engine: tr.engine, Limits: limits})
		_, c := connect(t, hub, tr, nil)
		go func() {
			for i := range n {
				// Of several sizes, so that reading stops within frames and within TLS records.
				if _, err := c.c.Write(frame.AppendMasked(nil, frame.OpText, true, testKey, make([]byte, i*37%5000))); err != nil {
					return
				}
			}
		}()
		eventually(t, "as many as may", func() bool { return now.Load() == most })
		time.Sleep(10 * time.Millisecond) // for one too many to show itself
		close(gate)
		eventually(t, "all messages", func() bool { return total.Load() == n })
		if p := peak.Load(); p > most {
			t.Errorf("%d at a time, want at most %d", p, most)
		}
		if hub.Stats().Pauses == 0 {
			t.Error("reading was never stopped")
		}
	})
}

// With InFlight 1 a connection's messages are handled in order.
func TestSerial(t *testing.T) {
	eachTransport(t, func(t *testing.T, tr transport) {
		t.Helper()
		const n = 300
		h := newTestHandler()
		got := make(chan string, n)
		h.onMessage = func(_ apigw.ConnectionID, _ any, m conn.Message) { got <- string(m.Data) }
		hub := newTestHub(t, h, conn.Options{Engine: tr.engine, Limits: serial()})
		_, c := connect(t, hub, tr, nil)
		go func() {
			for i := range n {
				_, _ = c.c.Write(frame.AppendMasked(nil, frame.OpText, true, testKey, fmt.Append(nil, i)))
			}
		}()
		for i := range n {
			select {
			case s := <-got:
				if s != fmt.Sprint(i) {
					t.Fatalf("got %s, want %d", s, i)
				}
			case <-time.After(wait):
				t.Fatalf("message %d did not come", i)
			}
		}
	})
}

// The node-wide bound: connections take turns, and every one gets its own.
func TestMaxInFlight(t *testing.T) {
	eachTransport(t, func(t *testing.T, tr transport) {
		t.Helper()
		const conns, each, most = 20, 30, 3
		h := newTestHandler()
		var now, peak, total atomic.Int64
		h.onMessage = func(apigw.ConnectionID, any, conn.Message) {
			if v := now.Add(1); v > peak.Load() {
				peak.Store(v)
			}
			time.Sleep(50 * time.Microsecond)
			now.Add(-1)
			total.Add(1)
		}
		hub := newTestHub(t, h, conn.Options{Engine: tr.engine, MaxInFlight: most})
		var wg sync.WaitGroup
		for range conns {
			_, c := connect(t, hub, tr, nil)
			wg.Go(func() {
				for range each {
					_, _ = c.c.Write(frame.AppendMasked(nil, frame.OpText, true, testKey, []byte("x")))
				}
			})
		}
		eventually(t, "all messages", func() bool { return total.Load() == conns*each })
		wg.Wait()
		if p := peak.Load(); p > most {
			t.Errorf("%d at a time, want at most %d", p, most)
		}
	})
}

// Disconnect works on a connection that is not read from.
func TestDisconnectPaused(t *testing.T) {
	eachTransport(t, func(t *testing.T, tr transport) {
		t.Helper()
		h := newTestHandler()
		gate := make(chan struct{})
		h.onMessage = func(apigw.ConnectionID, any, conn.Message) { <-gate }
		hub := newTestHub(t, h, conn.Options{Engine: tr.engine, Limits: serial()})
		id, c := connect(t, hub, tr, nil)
		go func() {
			for range 3 {
				_, _ = c.c.Write(frame.AppendMasked(nil, frame.OpText, true, testKey, []byte("x")))
			}
		}()
		eventually(t, "a pause", func() bool { return hub.Stats().Pauses > 0 })
		if err := hub.Disconnect(id, conn.ReasonDeleted); err != nil {
			t.Fatal(err)
		}
		c.wantClose(1000, "Connection Closed Normally")
		c.close(1000, "")
		c.wantEOF()
		close(gate)
		h.waitClosed(t)
	})
}

// A client that is gone while it is not read from is found when reading goes on.
func TestLostPaused(t *testing.T) {
	eachTransport(t, func(t *testing.T, tr transport) {
		t.Helper()
		h := newTestHandler()
		gate := make(chan struct{})
		h.onMessage = func(apigw.ConnectionID, any, conn.Message) { <-gate }
		hub := newTestHub(t, h, conn.Options{Engine: tr.engine, Limits: serial()})
		_, c := connect(t, hub, tr, nil)
		c.bytes(frame.AppendMasked(frame.AppendMasked(nil, frame.OpText, true, testKey, []byte("x")), frame.OpText, true, testKey, []byte("y")))
		eventually(t, "a pause", func() bool { return hub.Stats().Pauses > 0 })
		c.c.Close()
		close(gate)
		if got := h.waitClosed(t).reason.Code; got != 1006 {
			t.Errorf("got %d", got)
		}
		if n := hub.Stats().MessagesIn; n != 2 {
			t.Errorf("%d messages, want both", n)
		}
	})
}

// A queue bounded in bytes: a client that does not read gets so much and no more (spec management-api §8), all of it in
// order once it reads.
func TestBufferFull(t *testing.T) {
	eachTransport(t, func(t *testing.T, tr transport) {
		t.Helper()
		limits := apigw.LimitsAWS()
		limits.WriteQueue = 64 << 10
		hub := newTestHub(t, newTestHandler(), conn.Options{Engine: tr.engine, Limits: limits})
		id, c := connect(t, hub, tr, nil)
		var sent [][]byte
		for i := range 100_000 {
			p := bytes.Repeat([]byte{byte('a' + i%26)}, 1000+i%5000)
			err := hub.Send(id, p)
			if errors.Is(err, conn.ErrBufferFull) {
				if apigw.KindOf(err) != apigw.KindLimitExceeded {
					t.Errorf("kind %v", apigw.KindOf(err))
				}
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			sent = append(sent, p)
		}
		if len(sent) == 100_000 || hub.Stats().BufferFull != 1 {
			t.Fatal("the queue never filled")
		}
		for _, p := range sent {
			c.wantText(string(p))
		}
		eventually(t, "room again", func() bool { return hub.Send(id, []byte("again")) == nil })
		c.wantText("again")
	})
}

func TestSendSizes(t *testing.T) {
	eachTransport(t, func(t *testing.T, tr transport) {
		t.Helper()
		hub := newTestHub(t, newTestHandler(), conn.Options{Engine: tr.engine})
		id, c := connect(t, hub, tr, nil)
		if err := hub.Send(id, make([]byte, 128<<10+1)); !errors.Is(err, conn.ErrTooLarge) || apigw.KindOf(err) != apigw.KindPayloadTooLarge {
			t.Errorf("got %v", err)
		}
		for _, n := range []int{0, 1, 125, 126, 32 << 10, 32<<10 + 1, 65535, 65536, 128 << 10} {
			want := strings.Repeat("é", n/2) + strings.Repeat("x", n%2)
			if err := hub.Send(id, []byte(want)); err != nil {
				t.Fatalf("%d bytes: %v", n, err)
			}
			c.wantText(want)
		}
		if err := hub.SendBinary(id, []byte{1, 2}); err != nil {
			t.Fatal(err)
		}
		if f := c.frame(); f.Header.OpCode != 2 || string(f.Payload) != "\x01\x02" {
			t.Errorf("got %+v", f)
		}
	})
}

// Pings of a client that does not read must not fill memory.
func TestPingFlood(t *testing.T) {
	eachTransport(t, func(t *testing.T, tr transport) {
		t.Helper()
		limits := apigw.LimitsAWS()
		limits.WriteQueue = 16 << 10
		hub := newTestHub(t, newTestHandler(), conn.Options{Engine: tr.engine, Limits: limits})
		_, c := connect(t, hub, tr, nil)
		var b []byte
		for range 200 {
			b = frame.AppendMasked(b, frame.OpPing, true, testKey, make([]byte, 125))
		}
		eventually(t, "a dropped pong", func() bool {
			c.bytes(b)
			return hub.Stats().PongsDropped > 0
		})
	})
}

// Binary messages where the limits allow them.
func TestBinaryAllowed(t *testing.T) {
	h := newTestHandler()
	got := make(chan conn.Message, 1)
	h.onMessage = func(_ apigw.ConnectionID, _ any, m conn.Message) { got <- m }
	hub := newTestHub(t, h, conn.Options{Limits: apigw.LimitsOpen()})
	_, c := connect(t, hub, transports()[1], nil)
	c.send(frame.OpBinary, true, "\xff\x00")
	if m := <-got; !m.Binary || string(m.Data) != "\xff\x00" {
		t.Errorf("got %+v", m)
	}
}
