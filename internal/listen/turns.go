package listen

import (
	"net"
	"time"
)

// turns lets a bounded number of TLS handshakes compute at a time. A handshake costs 0.25-0.4 ms of CPU, and after an
// outage everybody reconnects at once: with all of them sharing the CPU each is slow, clients time out and come back,
// and no handshake ever ends. In turn, the first ones get through and the rest wait in order. A turn is held while
// computing only, so a client that is slow on purpose holds up nobody.
type turns chan struct{} // never closed; blocked senders are served in order

func newTurns(n int) turns { return make(turns, n) }

// turn is one handshake's place. One goroutine uses it.
type turn struct {
	turns  turns
	done   <-chan struct{} // the server ends
	budget time.Duration   // what is left of the client's time
	held   bool
}

// read reads for a handshake: it passes the turn on, waits for the client at the client's expense, and comes back with
// a turn. The write deadline is renewed, because waiting in the queue is not the client's fault.
func (t *turn) read(c net.Conn, p []byte) (int, error) {
	t.release()
	start := time.Now()
	if err := c.SetReadDeadline(start.Add(t.budget)); err != nil {
		return 0, err
	}
	n, err := c.Read(p)
	t.budget -= time.Since(start)
	if err != nil {
		return n, err
	}
	if !t.acquire() {
		return 0, net.ErrClosed
	}
	return n, c.SetWriteDeadline(time.Now().Add(writeTimeout))
}

// writeTimeout bounds the sending of one flight of a handshake: a few KB, which fit an empty socket buffer.
const writeTimeout = 10 * time.Second

// acquire waits for a turn; false when the server ends first.
func (t *turn) acquire() bool {
	select {
	case t.turns <- struct{}{}:
		t.held = true
		return true
	case <-t.done:
		return false
	}
}

// release gives the turn back, if it is held.
func (t *turn) release() {
	if t.held {
		t.held = false
		<-t.turns
	}
}
