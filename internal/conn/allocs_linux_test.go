//go:build !race

package conn_test

import (
	"io"
	"strings"
	"testing"

	"cleat/internal/apigw"
	"cleat/internal/conn"
	"cleat/internal/frame"
)

// A message costs one allocation: its payload, which the Handler then owns. Over TLS, crypto/tls makes one more for each of
// its two looks at a record.
func TestReceiveAllocations(t *testing.T) {
	for name, want := range map[string]float64{"epoll/tcp": 1, "epoll/tls": 3} {
		t.Run(name, func(t *testing.T) {
			got := make(chan struct{})
			h := newTestHandler()
			h.onMessage = func(apigw.ConnectionID, any, conn.Message) { got <- struct{}{} }
			hub := newTestHub(t, h, conn.Options{})
			_, c := connect(t, hub, named(t, name), nil)
			b := frame.AppendMasked(nil, frame.OpText, true, testKey, []byte(strings.Repeat("x", 1000)))
			n := testing.AllocsPerRun(2000, func() {
				c.bytes(b)
				<-got
			})
			if n > want {
				t.Errorf("%v allocations a message, want %v", n, want)
			}
		})
	}
}

// With permessage-deflate a message costs no more: what inflating and deflating take comes from pools.
func TestDeflateAllocations(t *testing.T) {
	text := strings.Repeat("all work and no play ", 100)
	in := frame.AppendMasked(nil, frame.OpText, true, testKey, deflate(t, text))
	in[0] |= rsv1
	got := make(chan struct{})
	h := newTestHandler()
	h.onMessage = func(_ apigw.ConnectionID, _ any, m conn.Message) {
		if len(m.Data) != len(text) {
			t.Errorf("got %d bytes, want %d", len(m.Data), len(text))
		}
		got <- struct{}{}
	}
	hub := newTestHub(t, h, conn.Options{})
	id, c := connectAs(t, hub, named(t, "epoll/tcp"), nil, conn.Handshake{Window: frame.MaxWindow})
	payload := []byte(text)
	size := len(frame.AppendDeflated(nil, frame.OpText, payload, 0, frame.MaxWindow))
	buf := make([]byte, size)
	n := testing.AllocsPerRun(2000, func() {
		c.bytes(in)
		<-got
		if err := hub.Send(id, payload); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(c.c, buf); err != nil || buf[0]&rsv1 == 0 {
			t.Fatalf("%v, first byte %#x", err, buf[0])
		}
	})
	if n > 1 {
		t.Errorf("%v allocations for a message there and one back, want 1", n)
	}
}

// A push costs none, as long as the client keeps up.
func TestSendAllocations(t *testing.T) {
	hub := newTestHub(t, newTestHandler(), conn.Options{})
	id, c := connect(t, hub, named(t, "epoll/tcp"), nil)
	payload := make([]byte, 1000)
	buf := make([]byte, 1004)
	n := testing.AllocsPerRun(2000, func() {
		if err := hub.Send(id, payload); err != nil {
			t.Fatal(err)
		}
		for got := 0; got < len(buf); {
			k, err := c.c.Read(buf[got:])
			if err != nil {
				t.Fatal(err)
			}
			got += k
		}
	})
	if n > 0 {
		t.Errorf("%v allocations a push", n)
	}
}
