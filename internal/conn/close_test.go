package conn_test

import (
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/conn"
	"cleat/internal/frame"
)

// spec data-plane §3.3: what $disconnect says when the client closes; the close frame is echoed (§3.2).
func TestClientCloses(t *testing.T) {
	for name, tc := range map[string]struct {
		code   int // 0: none in the frame
		text   string
		reason conn.CloseReason
	}{
		"no status":      {0, "", conn.CloseReason{Code: 1005, Text: "Client-side close frame status not set", Label: "client_close"}},
		"normal":         {1000, "", conn.CloseReason{Code: 1000, Label: "client_close"}},
		"tab closed":     {1001, "", conn.CloseReason{Code: 1001, Label: "client_close"}},
		"own code, text": {4001, "bye", conn.CloseReason{Code: 4001, Text: "bye", Label: "client_close"}},
	} {
		t.Run(name, func(t *testing.T) {
			eachTransport(t, func(t *testing.T, tr transport) {
				t.Helper()
				h := newTestHandler()
				hub := newTestHub(t, h, conn.Options{Engine: tr.engine})
				goneInClosed := make(chan error, 1)
				h.onClosed = func(id apigw.ConnectionID, _ func()) { goneInClosed <- hub.Send(id, nil) }
				id, c := connect(t, hub, tr, "att")
				if tc.code == 0 {
					c.send(frame.OpClose, true, "")
				} else {
					c.close(tc.code, tc.text)
				}
				c.wantClose(tc.code, tc.text)
				c.wantEOF()
				got := h.waitClosed(t)
				if want := (closedCall{id, "att", tc.reason}); got != want {
					t.Errorf("got %+v, want %+v", got, want)
				}
				if err := <-goneInClosed; !errors.Is(err, conn.ErrGone) {
					t.Errorf("Send within Closed: %v", err)
				}
			})
		})
	}
}

// spec data-plane §3.2: what a client must not send, and with which code its connection ends.
func TestViolations(t *testing.T) {
	masked := func(op frame.Opcode, fin bool, p string) []byte {
		return frame.AppendMasked(nil, op, fin, testKey, []byte(p))
	}
	for name, tc := range map[string]struct {
		send  []byte
		code  int
		text  string
		label string
	}{
		"frame too big": {masked(frame.OpText, true, strings.Repeat("x", 32<<10+1)), 1009, "Message Too Big", "too_big"},
		"binary":        {masked(frame.OpBinary, true, "x"), 1003, "Binary payloads unsupported", "binary"},
		"not UTF-8":     {masked(frame.OpText, true, "\xff"), 1007, "Invalid frame payload data", "invalid_payload"},
		"not masked":    {[]byte{0x81, 1, 'x'}, 1002, "Protocol error", "protocol_error"},
		"reserved bit":  {[]byte{0xc1, 0x81, 0, 0, 0, 0, 'x'}, 1002, "Protocol error", "protocol_error"},
	} {
		t.Run(name, func(t *testing.T) {
			eachTransport(t, func(t *testing.T, tr transport) {
				t.Helper()
				h := newTestHandler()
				h.onMessage = func(_ apigw.ConnectionID, _ any, m conn.Message) {
					t.Errorf("a message of %d bytes came through", len(m.Data))
				}
				hub := newTestHub(t, h, conn.Options{Engine: tr.engine})
				id, c := connect(t, hub, tr, nil)
				go func() { // a pipe is read from only as it is written to
					_, _ = c.c.Write(tc.send)
					_, _ = c.c.Write(masked(frame.OpText, true, "ignored"))
				}()
				c.wantClose(tc.code, tc.text)
				if got, want := h.waitClosed(t), (closedCall{id, nil, conn.CloseReason{Code: tc.code, Text: tc.text, Label: tc.label}}); got != want {
					t.Errorf("got %+v, want %+v", got, want)
				}
				if !strings.HasSuffix(tr.name, "/pipe") { // which cannot be half closed
					c.wantEOF()
				}
			})
		})
	}
}

// A client in the middle of a long send still gets to see why it is cut off: the socket is not closed under unread bytes.
func TestRefusedWhileSending(t *testing.T) {
	for _, tr := range transports() {
		if strings.HasSuffix(tr.name, "/pipe") {
			continue
		}
		t.Run(tr.name, func(t *testing.T) {
			h := newTestHandler()
			hub := newTestHub(t, h, conn.Options{Engine: tr.engine})
			_, c := connect(t, hub, tr, nil)
			c.bytes(frame.AppendMasked(nil, frame.OpText, true, testKey, make([]byte, 4<<20)))
			c.wantClose(1009, "Message Too Big")
			c.wantEOF()
		})
	}
}

// DELETE @connections (spec management-api §3.3): 1000, whatever the client answers.
func TestDisconnect(t *testing.T) {
	eachTransport(t, func(t *testing.T, tr transport) {
		t.Helper()
		h := newTestHandler()
		hub := newTestHub(t, h, conn.Options{Engine: tr.engine})
		id, c := connect(t, hub, tr, nil)
		if err := hub.Disconnect(id, conn.ReasonDeleted); err != nil {
			t.Fatal(err)
		}
		if err := hub.Disconnect(id, conn.ReasonDeleted); !errors.Is(err, conn.ErrGone) {
			t.Errorf("second Disconnect: %v", err)
		}
		c.wantClose(1000, "Connection Closed Normally")
		c.text("late") // does not count any more
		c.close(4000, "no, me")
		c.wantEOF()
		if got := h.waitClosed(t).reason; got != conn.ReasonDeleted {
			t.Errorf("got %+v", got)
		}
		eventually(t, "the slot is free", func() bool { return hub.Stats().Closing == 0 })
		if n := hub.Stats().MessagesIn; n != 0 {
			t.Errorf("%d messages", n)
		}
	})
}

// A client that does not answer a close frame is waited for no longer than CloseTimeout.
func TestCloseTimeout(t *testing.T) {
	eachTransport(t, func(t *testing.T, tr transport) {
		t.Helper()
		limits := apigw.LimitsAWS()
		limits.CloseTimeout = 300 * time.Millisecond
		hub := newTestHub(t, newTestHandler(), conn.Options{Engine: tr.engine, Limits: limits})
		id, c := connect(t, hub, tr, nil)
		if err := hub.Disconnect(id, conn.ReasonDeleted); err != nil {
			t.Fatal(err)
		}
		c.wantClose(1000, "Connection Closed Normally")
		begin := time.Now()
		c.wantEOF()
		if d := time.Since(begin); d < 200*time.Millisecond || d > 3*time.Second {
			t.Errorf("the socket was closed after %v", d)
		}
	})
}

// A client that is gone without a close frame (spec data-plane §3.3: 1006).
func TestLost(t *testing.T) {
	lost := conn.CloseReason{Code: 1006, Text: "Connection Closed Abnormally", Label: "lost"}
	for name, end := range map[string]func(c net.Conn){
		"closed": func(c net.Conn) { c.Close() },
		"reset": func(c net.Conn) {
			if under, ok := c.(interface{ NetConn() net.Conn }); ok {
				c = under.NetConn()
			}
			if tcp, ok := c.(*net.TCPConn); ok {
				_ = tcp.SetLinger(0)
			}
			c.Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			eachTransport(t, func(t *testing.T, tr transport) {
				t.Helper()
				h := newTestHandler()
				got := make(chan string, 1)
				h.onMessage = func(_ apigw.ConnectionID, _ any, m conn.Message) { got <- string(m.Data) }
				hub := newTestHub(t, h, conn.Options{Engine: tr.engine})
				id, c := connect(t, hub, tr, nil)
				c.text("last words")
				if s := <-got; s != "last words" {
					t.Errorf("got %q", s)
				}
				c.send(frame.OpText, false, "half a mess")
				end(c.c)
				if got, want := h.waitClosed(t), (closedCall{id, nil, lost}); got != want {
					t.Errorf("got %+v, want %+v", got, want)
				}
				if err := hub.Send(id, []byte("x")); !errors.Is(err, conn.ErrGone) {
					t.Errorf("Send: %v", err)
				}
			})
		})
	}
}

// Messages that came before the end of the stream are handled although the client is gone.
func TestMessagesBeforeEOF(t *testing.T) {
	eachTransport(t, func(t *testing.T, tr transport) {
		t.Helper()
		const n = 200
		h := newTestHandler()
		got := make(chan struct{}, n)
		h.onMessage = func(apigw.ConnectionID, any, conn.Message) {
			time.Sleep(time.Microsecond)
			got <- struct{}{}
		}
		hub := newTestHub(t, h, conn.Options{Engine: tr.engine})
		_, c := connect(t, hub, tr, nil)
		var all []byte
		for range n {
			all = frame.AppendMasked(all, frame.OpText, true, testKey, []byte("message"))
		}
		c.bytes(all)
		c.c.Close()
		for i := range n {
			select {
			case <-got:
			case <-time.After(wait):
				t.Fatalf("%d of %d messages", i, n)
			}
		}
		h.waitClosed(t)
	})
}

// A panic in the Handler costs its connection and no other (style: 1011).
func TestPanic(t *testing.T) {
	eachTransport(t, func(t *testing.T, tr transport) {
		t.Helper()
		h := newTestHandler()
		h.onMessage = func(_ apigw.ConnectionID, _ any, m conn.Message) {
			if string(m.Data) == "boom" {
				panic("boom")
			}
		}
		hub := newTestHub(t, h, conn.Options{Engine: tr.engine})
		id, c := connect(t, hub, tr, nil)
		other, _ := connect(t, hub, tr, nil)
		c.text("boom")
		c.wantClose(1011, "Internal server error")
		if got := h.waitClosed(t); got.id != id || got.reason.Code != 1011 || got.reason.Label != "panic" {
			t.Errorf("got %+v", got)
		}
		if _, err := hub.Info(other); err != nil {
			t.Errorf("the other connection: %v", err)
		}
		if n := hub.Stats().Panics; n != 1 {
			t.Errorf("%d panics counted", n)
		}
	})
}
