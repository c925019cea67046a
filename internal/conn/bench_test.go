package conn_test

import (
	"runtime"
	"strings"
	"testing"

	"cleat/internal/apigw"
	"cleat/internal/conn"
	"cleat/internal/frame"
)

// A message costs one allocation: its payload, which the Handler then owns. Over TLS, crypto/tls makes one more for each of
// its two looks at a record.
func TestReceiveAllocations(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("counts the allocations of the epoll engine")
	}
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
	if runtime.GOOS != "linux" {
		t.Skip("counts the allocations of the epoll engine")
	}
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

func named(t testing.TB, name string) transport {
	t.Helper()
	for _, tr := range transports() {
		if tr.name == name {
			return tr
		}
	}
	t.Fatalf("no transport %s", name)
	panic("unreachable")
}

// BenchmarkEcho is a message to the Handler and one back, client included, one at a time.
func BenchmarkEcho(b *testing.B) {
	for _, tr := range transports() {
		b.Run(tr.name, func(b *testing.B) {
			h := newTestHandler()
			hub := newTestHub(b, h, conn.Options{Engine: tr.engine})
			h.onMessage = func(id apigw.ConnectionID, _ any, m conn.Message) { _ = hub.Send(id, m.Data) }
			_, c := connect(b, hub, tr, nil)
			in := frame.AppendMasked(nil, frame.OpText, true, testKey, []byte(strings.Repeat("x", 120)))
			out := make([]byte, 122)
			b.ReportAllocs()
			for b.Loop() {
				c.bytes(in)
				for got := 0; got < len(out); {
					k, err := c.c.Read(out[got:])
					if err != nil {
						b.Fatal(err)
					}
					got += k
				}
			}
		})
	}
}

// BenchmarkInfo is the look-up of a connection by its ID.
func BenchmarkInfo(b *testing.B) {
	hub := newTestHub(b, newTestHandler(), conn.Options{})
	id, _ := connect(b, hub, transports()[1], nil)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := hub.Info(id); err != nil {
			b.Fatal(err)
		}
	}
}
