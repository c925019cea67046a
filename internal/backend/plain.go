package backend

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	sock "cleat/internal/socket"
)

// plainConn is a connection for plain HTTP/1.1. One call at a time has it; while it is idle it has neither goroutine nor
// buffer.
type plainConn struct {
	net.Conn
	host  *host
	sock  socket
	kept  bool      // it has been idle, or a call has been answered on it: its peer may have closed it meanwhile
	since time.Time // when it became idle, under the pool's lock

	// What ends a call early whose context ends. The context of most calls is the same one, the gateway's own, and asking a
	// context to call back costs more than the rest of this file; so the second call in a row whose context has the same
	// Done leaves that standing for those to come.
	done  <-chan struct{} // of the last call's context
	stop  func() bool     // unless nil, abort is called when done is closed, or stop
	stays bool
	abort func()
}

var longAgo = time.Unix(1, 0)

func newPlainConn(h *host, nc net.Conn) *plainConn {
	c := &plainConn{Conn: sock.Take(nc), host: h}
	c.sock.at(c.Conn)
	c.abort = func() { _ = c.SetDeadline(longAgo) } // of a closed connection it fails, and nothing waits there
	return c
}

func (c *plainConn) close() {
	if c.stop != nil {
		c.stop()
	}
	_ = c.Close() // what it has to say about closing adds nothing
}

// begin readies an unused, or idle, connection for a call. It reports false when it cannot be used: the context of a call
// before may just be ending it.
func (c *plainConn) begin(ctx context.Context) bool {
	done := ctx.Done()
	c.stays = done == c.done
	c.done = done
	if c.stop != nil && !c.stays {
		stopped := c.stop()
		c.stop = nil
		if !stopped {
			return false
		}
	}
	if done != nil && c.stop == nil {
		c.stop = context.AfterFunc(ctx, c.abort)
	}
	return true
}

// end ends a call that was answered, and reports whether another one may follow.
func (c *plainConn) end() bool {
	c.kept = true
	if c.stop == nil || c.stays {
		return true
	}
	stopped := c.stop()
	c.stop = nil
	return stopped
}

// limit sets the deadline of reads and writes, limitRead that of reads. The context is asked afterwards: should it end only
// then, abort has the last word.
func (c *plainConn) limit(ctx context.Context, deadline time.Time) error {
	if err := c.SetDeadline(deadline); err != nil {
		return err
	}
	return ctx.Err()
}

func (c *plainConn) limitRead(ctx context.Context, deadline time.Time) error {
	if err := c.SetReadDeadline(deadline); err != nil {
		return err
	}
	return ctx.Err()
}

// bufferSize holds most requests, and the heads of most answers: longer ones are for net/http.
const bufferSize = 4 << 10

// buffers are lent to calls that have a connection.
var buffers = bufferPool{sync.Pool{New: func() any { return new([]byte) }}}

type bufferPool struct{ pool sync.Pool }

func (p *bufferPool) get() *[]byte {
	b, _ := p.pool.Get().(*[]byte) // the pool holds nothing else
	if *b == nil {
		*b = make([]byte, 0, bufferSize)
	}
	return b
}

// plainCall is one call of plain HTTP/1.1 under way. A call that may have reached its backend is not made again, unless its
// method is safe and its kept connection ended without an answer (RFC 9112 §9.3.1).
type plainCall struct {
	plainRequest
	h        *HTTP
	ctx      context.Context //nolint:containedctx // it lives for this call
	deadline time.Time       // zero: when ctx ends
	sent     bool            // the backend may have read some of it
}

func (x *plainCall) do() (*Response, error) {
	for {
		resp, err := x.attempt()
		if !errors.Is(err, errStale) {
			return resp, err
		}
	}
}

// errStale is a kept connection that was of no use; the call can be made on another one.
var errStale = errors.New("the backend had closed the connection")

// errInFlight is the end of a kept connection with a request on its way that cannot be made again.
var errInFlight = errors.New("the backend closed a kept connection while the request was on its way, and may or may not have read it")

func (x *plainCall) attempt() (*Response, error) {
	pool := x.h.pool
	c, err := pool.get(x.ctx, x.Request, x.deadline)
	if err != nil {
		return nil, err
	}
	if !c.begin(x.ctx) {
		pool.drop(c)
		return nil, errStale
	}
	room := buffers.get()
	resp, again, err := x.on(c, room)
	buffers.pool.Put(room)
	if again && c.end() {
		pool.put(c)
	} else {
		pool.drop(c)
	}
	return resp, err
}

// on makes the call on a connection, with room for what is written and then for what is read; again says that another call
// may follow there.
func (x *plainCall) on(c *plainConn, room *[]byte) (resp *Response, again bool, err error) {
	*room = x.append((*room)[:0])
	a := answerReader{
		c: c, ctx: x.ctx, request: x.Request, deadline: x.deadline, method: x.Method, maxBody: x.h.maxBody, discard: x.DiscardBody, buf: (*room)[:cap(*room)],
	}
	wrote, read, err := x.turn(&a, *room)
	x.sent = x.sent || wrote > 0
	if wrote < len(*room) {
		if wrote == 0 && c.kept && !x.over(x.ctx) {
			err = errStale // the kernel took nothing, for it knew of the end by then
		}
		return nil, false, err
	}
	resp, again, err = a.read(read, err)
	switch {
	case err == nil, a.got, !c.kept, x.over(x.ctx), errors.Is(err, os.ErrDeadlineExceeded):
		return resp, again, err
	case isSafe(x.Method):
		return nil, false, errStale
	}
	return nil, false, fmt.Errorf("%w: %w", errInFlight, err)
}

// turn writes the request and reads what comes first of its answer.
func (x *plainCall) turn(a *answerReader, request []byte) (wrote, read int, err error) {
	c, by := a.c, x.deadline
	if head := time.Now().Add(x.h.headTimeout); by.IsZero() || head.Before(by) {
		a.hurried, by = true, head
	}
	if c.sock.raw != nil {
		if err = c.limitRead(x.ctx, by); err != nil {
			return 0, 0, err
		}
		wrote, read, err = c.sock.turn(c.Conn, request, a.buf, !c.kept, x.Await, by)
		if err != nil || wrote == len(request) {
			return wrote, read, err
		}
	} else if c.kept && spoke(c.Conn) {
		return 0, 0, errStale
	}
	x.yield()
	if err = c.limit(x.ctx, x.deadline); err != nil {
		return wrote, 0, err
	}
	n, err := c.Write(request[wrote:])
	if wrote += n; err != nil {
		return wrote, 0, err
	}
	if a.hurried {
		if err = c.limitRead(x.ctx, time.Now().Add(x.h.headTimeout)); err != nil {
			return wrote, 0, err
		}
	}
	read, err = c.Read(a.buf)
	return wrote, read, err
}
