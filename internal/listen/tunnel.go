package listen

import (
	"context"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// stream is one end of a tunnel: a connection, and what was read from it already in front of the rest.
type stream struct {
	net.Conn
	r io.Reader
}

// tunnel copies between two connections, both ways, until both have said all, one breaks, nothing moves for idle, or
// its context ends. It closes both.
type tunnel struct {
	a, b stream
	idle time.Duration

	moved atomic.Int64 // when bytes last moved, in Unix nanoseconds
}

const tunnelBuffer = 32 << 10

func (t *tunnel) run(ctx context.Context) {
	t.moved.Store(time.Now().UnixNano())
	stop := context.AfterFunc(ctx, t.cut)
	defer stop()
	var back sync.WaitGroup
	back.Go(func() { t.pipe(t.a, t.b) })
	t.pipe(t.b, t.a)
	back.Wait()
	t.cut()
}

// cut ends both directions at once.
func (t *tunnel) cut() {
	_ = t.a.Close() // a second close is an error that says nothing
	_ = t.b.Close()
}

// pipe copies from one end to the other. At the end of what came in, it passes the end on and leaves the other
// direction open; at any other failure it ends both.
func (t *tunnel) pipe(to, from stream) {
	buf := make([]byte, tunnelBuffer)
	for {
		n, err := t.read(from, buf)
		if n > 0 {
			if to.SetWriteDeadline(time.Now().Add(t.idle)) != nil {
				break
			}
			if _, werr := to.Write(buf[:n]); werr != nil {
				break
			}
			t.moved.Store(time.Now().UnixNano())
		}
		if err == io.EOF { //nolint:errorlint // io.Reader returns io.EOF itself; a wrapped one would be a broken connection
			if closeWrite(to.Conn) == nil {
				return
			}
			break
		}
		if err != nil {
			break
		}
	}
	t.cut()
}

// read reads once. Its deadline is that of the whole tunnel: what moved the other way postpones it.
func (t *tunnel) read(from stream, buf []byte) (int, error) {
	for {
		deadline := time.Unix(0, t.moved.Load()).Add(t.idle)
		if err := from.SetReadDeadline(deadline); err != nil {
			return 0, err
		}
		n, err := from.r.Read(buf)
		if ne, ok := err.(net.Error); n == 0 && ok && ne.Timeout() && time.Unix(0, t.moved.Load()).Add(t.idle).After(time.Now()) { //nolint:errorlint // a net.Conn returns its net.Error itself
			continue
		}
		return n, err
	}
}
