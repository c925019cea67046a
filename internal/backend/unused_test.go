package backend_test

import (
	"context"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/backend"
)

// TestUnusedConnection: a connection whose caller gave up while it was made waits for the next one, as one that was used
// does; a backend that closes it meanwhile has read nothing, so the call is made on another.
func TestUnusedConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipes(t)
		p.set("b.example:80", func(c net.Conn) {
			time.Sleep(2 * time.Second)
			_ = c.Close() // its caller finds out
		})
		h := backend.NewHTTP(backend.HTTPOptions{Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
			time.Sleep(time.Second)
			return p.dial(ctx, network, addr)
		}})
		defer h.Close()
		r := post(t, "http://b.example/")
		r.Deadline = time.Now().Add(time.Second / 2)
		if _, err := h.Do(t.Context(), r); apigw.KindOf(err) != apigw.KindIntegrationTimeout {
			t.Fatalf("got %v", err)
		}
		time.Sleep(time.Second)
		if open, idle := h.Connections(); open != 1 || idle != 1 {
			t.Fatalf("%d connections, %d idle", open, idle)
		}
		time.Sleep(3 * time.Second)
		p.answers("b.example:80", status(200))
		if _, err := h.Do(t.Context(), post(t, "http://b.example/")); err != nil {
			t.Error(err)
		}
		if n := p.dials["b.example:80"]; n != 2 {
			t.Errorf("%d dials", n)
		}
	})
}
