package conn_test

import (
	"strings"
	"testing"

	"cleat/internal/apigw"
	"cleat/internal/conn"
	"cleat/internal/frame"
)

func named(tb testing.TB, name string) transport {
	tb.Helper()
	for _, tr := range transports() {
		if tr.name == name {
			return tr
		}
	}
	tb.Fatalf("no transport %s", name)
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
