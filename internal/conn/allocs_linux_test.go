//go:build !race

package conn_test

import (
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
