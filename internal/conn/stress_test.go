package conn_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/conn"
	"cleat/internal/frame"
)

// Connections come, talk, and go in every way at once, while everybody pushes to everybody: exactly one Closed for each
// that was opened, every echo complete, nothing left. Slots and descriptors are used again all the time.
func TestStress(t *testing.T) {
	eachTransport(t, func(t *testing.T, tr transport) {
		t.Helper()
		const workers, lives = 8, 12
		limits := apigw.LimitsAWS()
		limits.InFlight = 3
		limits.CloseTimeout = 500 * time.Millisecond
		h := newTestHandler()
		hub := newTestHub(t, h, conn.Options{Engine: tr.engine, Limits: limits, MaxInFlight: 8})
		h.onMessage = func(id apigw.ConnectionID, _ any, m conn.Message) {
			if err := hub.Send(id, m.Data); err != nil && !errors.Is(err, conn.ErrGone) {
				t.Errorf("Send: %v", err)
			}
		}
		var opened atomic.Int64
		var ids sync.Map
		stop := make(chan struct{})
		var pushers, clients sync.WaitGroup
		pushers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				ids.Range(func(id, _ any) bool {
					err := hub.Send(id.(apigw.ConnectionID), []byte("push"))
					if err != nil && !errors.Is(err, conn.ErrGone) && !errors.Is(err, conn.ErrBufferFull) {
						t.Errorf("push: %v", err)
					}
					return true
				})
				hub.List("", 5, nil)
				time.Sleep(100 * time.Microsecond)
			}
		})
		for w := range workers {
			clients.Go(func() {
				rnd := rand.New(rand.NewPCG(1, uint64(w)))
				for range lives {
					id, c := connect(t, hub, tr, nil)
					opened.Add(1)
					ids.Store(id, nil)
					live(t, hub, id, c.c, rnd)
					c.c.Close()
				}
			})
		}
		clients.Wait()
		for range opened.Load() {
			h.waitClosed(t)
		}
		close(stop)
		pushers.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), wait)
		defer cancel()
		if err := hub.Shutdown(ctx, conn.ReasonShutdown); err != nil {
			t.Fatal(err)
		}
		for id, reasons := range h.closed {
			if len(reasons) != 1 {
				t.Errorf("%s: closed %d times", id, len(reasons))
			}
		}
		if int64(len(h.closed)) != opened.Load() || hub.Len() != 0 {
			t.Errorf("%d opened, %d closed, %d left", opened.Load(), len(h.closed), hub.Len())
		}
	})
}

// live is one client's life: it reads all the time, sends some, and ends in some way.
func live(t *testing.T, hub *conn.Hub, id apigw.ConnectionID, c net.Conn, rnd *rand.Rand) {
	t.Helper()
	var reading sync.WaitGroup
	reading.Go(func() {
		b := make([]byte, 4096)
		for {
			if _, err := c.Read(b); err != nil {
				return
			}
		}
	})
	defer reading.Wait()
	defer c.Close()
	for range rnd.IntN(20) {
		op, fin := frame.OpText, true
		if rnd.IntN(5) == 0 {
			op = frame.OpPing
		}
		p := make([]byte, rnd.IntN(100)*rnd.IntN(2)+rnd.IntN(20))
		for i := range p {
			p[i] = 'a'
		}
		if _, err := c.Write(frame.AppendMasked(nil, op, fin, testKey, p)); err != nil {
			return
		}
	}
	switch rnd.IntN(4) {
	case 0: // vanish
	case 1:
		_, _ = c.Write(frame.AppendMasked(nil, frame.OpClose, true, testKey, []byte{0x03, 0xe8}))
	case 2:
		_, _ = c.Write([]byte{0xff, 0xff})
	case 3:
		if err := hub.Disconnect(id, conn.ReasonDeleted); err != nil && !errors.Is(err, conn.ErrGone) {
			t.Errorf("Disconnect: %v", err)
		}
	}
}
