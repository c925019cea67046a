package http1

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// Server serves the plain requests of connections. All fields are required; they are not changed once in use.
type Server struct {
	Handler http.Handler
	Log     *slog.Logger // what net/http would log goes there at debug level
	// HeadTimeout bounds the wait for the first request of a connection, and for the rest of a head that has begun.
	HeadTimeout time.Duration
	// BodyTimeout bounds the reading of a request that has begun. It does not bound its handling.
	BodyTimeout time.Duration
	// IdleTimeout bounds the wait for the next request.
	IdleTimeout time.Duration
	// Draining is closed when no further request is to be served.
	Draining <-chan struct{}
}

// Owner is who lends a connection to Serve. Its methods are called by the goroutine that serves the connection, but for
// Taken, which a handler may call on another.
type Owner interface {
	// Began tells that a request has come, which is about to be handled unless the server drains. The head is good until
	// its handler has returned.
	Began(*Head)
	// Idle tells that its answer is out, and that the connection waits for the next.
	Idle()
	// Taken tells that a handler takes the connection over, and returns what it gets.
	Taken() net.Conn
}

// Client is a connection to serve.
type Client struct {
	// Conn must not be read or written by anybody else. Who gives it bounds its writes.
	Conn  net.Conn
	Owner Owner
	// Context is the parent of the requests' contexts.
	Context    context.Context
	RemoteAddr string               // as in http.Request
	TLS        *tls.ConnectionState // nil without TLS
}

// Outcome is how Serve leaves a connection.
type Outcome int

// Outcomes.
const (
	// Over: there is nothing more to do on the connection, which the caller has to close.
	Over Outcome = iota
	// Taken: a handler has taken it over.
	Taken
	// Unread: what comes next is not plain.
	Unread
)

// bufferSize bounds the head of a plain request, and what is read of a body ahead of its handler.
const bufferSize = 4 << 10

// buffers are what a connection borrows while it is served.
type buffers struct {
	in    [bufferSize]byte
	out   []byte
	head  Head      // of the request at hand
	spare *exchange // empty; nil: there is none
}

// keepOut bounds the buffers for answers that are used again.
const keepOut = 16 << 10

var spare = sync.Pool{New: func() any { return &buffers{out: make([]byte, 0, 1<<10)} }}

// Serve serves the requests of a connection one after the other, until the connection ends, a handler takes it, or a
// request is not plain. unread, with the last of these, is what was read and not served.
func (s *Server) Serve(client Client) (unread []byte, how Outcome) {
	lent, _ := spare.Get().(*buffers)
	c := &conn{server: s, client: client, nc: client.Conn, head: &lent.head, buf: lent.in[:], out: lent.out[:0], spare: lent.spare}
	lent.spare = nil
	defer func() {
		c.stopWatching() // which reads into what is lent; it runs where a handler has ended its goroutine
		if c.read {
			return // into what is lent, by who knows whom
		}
		if cap(c.out) <= keepOut {
			lent.out = c.out[:0]
		}
		clear(lent.head.Fields[:cap(lent.head.Fields)])
		lent.head = Head{Fields: lent.head.Fields[:0]}
		lent.spare = c.spare
		spare.Put(lent)
	}()
	for {
		switch c.next() {
		case Odd:
			return bytes.Clone(c.buf[c.start:c.end]), Unread
		case Partial:
			return nil, Over
		case Plain:
		}
		client.Owner.Began(c.head) // first: who begins to drain spares what has begun, and closes all else
		if s.draining() {
			return nil, Over
		}
		if how, more := c.serve(c.head); !more {
			if how == Over && c.unread {
				c.linger()
			}
			return nil, how
		}
		client.Owner.Idle()
		if s.draining() {
			return nil, Over
		}
	}
}

func (s *Server) draining() bool {
	select {
	case <-s.Draining:
		return true
	default:
		return false
	}
}

// conn is a connection while it is served.
type conn struct {
	server *Server
	client Client
	nc     net.Conn
	head   *Head
	buf    []byte
	out    []byte    // of the answer, what was not sent yet
	spare  *exchange // for the next request; nil: make one
	later  bool      // not the first request
	// blank is how many line ends ahead of the next request are passed over: some clients end a POST with one more (RFC
	// 9112 §2.2). net/http allows for four bytes.
	blank int
	began time.Time // when the first byte of the request was there
	timed bool      // it is that of the body
	read  bool      // a handler has left somebody behind who reads the body of the last request
	// unread says that the last request was answered and that some of its body may yet come.
	unread bool

	mu         sync.Mutex
	start, end int             // of what buf holds; the goroutine of a watch alone moves end while it runs
	current    *requestContext // of the request being handled
	consumed   bool            // its body was read, so that what comes next is another request or the client's end
	wanted     bool            // somebody wants to know when the client has gone
	watching   chan struct{}   // closed when the goroutine that reads has ended; nil: there is none
	aborted    bool            // it is to end
	err        error           // how reading ended
	taken      bool
}

// next reads the head of the next request: Partial says that the connection has ended, and Odd that net/http knows
// what to say.
func (c *conn) next() Verdict {
	patience, least := c.server.HeadTimeout, 1
	if c.later {
		patience, least = c.server.IdleTimeout, 4 // bytes that net/http waits for before it begins to read another head
	}
	c.setReadDeadline(time.Now().Add(patience))
	begun := false
	for {
		if !begun && c.end-c.start >= least {
			begun, c.began = true, time.Now()
		}
		if begun {
			for c.blank > 0 && c.start < c.end && (c.buf[c.start] == '\r' || c.buf[c.start] == '\n') {
				c.start++
				c.blank--
			}
			switch n, v := c.head.parse(c.buf[c.start:c.end]); {
			case v == Plain:
				c.start += n
				c.blank, c.later = 0, true
				if c.head.Method == http.MethodPost {
					c.blank = maxBlank
				}
				return Plain
			case v == Odd || c.end-c.start == len(c.buf):
				return Odd
			}
			if patience != c.server.HeadTimeout {
				patience = c.server.HeadTimeout
				c.setReadDeadline(c.began.Add(patience))
			}
		}
		if c.err != nil {
			if begun && over(c.err) {
				return Odd // net/http has an answer to half a head
			}
			return Partial
		}
		c.makeRoom()
		n, err := c.nc.Read(c.buf[c.end:])
		c.end += n
		c.err = err // what came with it is looked at first
	}
}

// maxBlank is how many bytes of line ends behind a POST net/http passes over: some clients end its body with one (RFC 9112
// §2.2).
const maxBlank = 4

// makeRoom moves what buf holds to its beginning.
func (c *conn) makeRoom() {
	if c.start > 0 {
		c.end = copy(c.buf, c.buf[c.start:c.end])
		c.start = 0
	}
}

func (c *conn) setReadDeadline(t time.Time) {
	if err := c.nc.SetReadDeadline(t); err != nil && c.err == nil {
		c.err = err
	}
	c.timed = false
}

// serve handles one request and sends the answer; more tells whether another one may follow.
func (c *conn) serve(h *Head) (how Outcome, more bool) {
	r, x := c.newRequest(h)
	finished := false
	c.mu.Lock()
	c.current, c.consumed, c.wanted = &x.ctx, h.ContentLength == 0, false
	c.mu.Unlock()
	defer func() {
		if h.ContentLength > 0 {
			c.read = !x.body.abandon()
			c.unread = finished && !c.read && x.body.left > 0
		}
		if more && !c.read {
			c.spare = x.recycle()
		}
	}()
	finished = c.handle(x, r)
	c.stopWatching()
	c.mu.Lock()
	taken := c.taken
	c.mu.Unlock()
	if taken {
		return Taken, false
	}
	if !finished {
		if x.w.sent {
			_ = x.w.flush() // as far as the answer had come
		}
		return Over, false
	}
	more = x.w.finish()
	if h.ContentLength > 0 {
		more = x.body.Close() == nil && more
	}
	return Over, more
}

// lingerTime is how long a client may go on sending what nobody wants to read.
const lingerTime = 500 * time.Millisecond

// linger has the client read its answer before the connection is closed: to close it while bytes of the client's are unread or on
// their way is a reset, which takes the answer from it (RFC 9112 §9.6). net/http closes at once here, and does as much
// for bodies that are larger.
func (c *conn) linger() {
	half, ok := c.nc.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	c.setReadDeadline(time.Now().Add(lingerTime))
	for c.err == nil {
		_, c.err = c.nc.Read(c.buf)
	}
}

// handle calls the handler; false when it panicked.
func (c *conn) handle(x *exchange, r *http.Request) (ok bool) {
	defer func() {
		x.ctx.end()
		c.mu.Lock()
		c.current = nil
		c.mu.Unlock()
		if v := recover(); v != nil {
			if err, is := v.(error); !is || !errors.Is(err, http.ErrAbortHandler) {
				c.server.Log.Error("panic in a handler", "method", r.Method, "path", r.URL.Path, "err", v)
			}
		}
	}()
	c.server.Handler.ServeHTTP(&x.w, r)
	return true
}

// readBody reads a part of the body: what is buffered, or else what comes.
func (c *conn) readBody(p []byte) (int, error) {
	if c.start < c.end {
		n := copy(p, c.buf[c.start:c.end])
		c.start += n
		return n, nil
	}
	if c.err != nil {
		return 0, c.err
	}
	if !c.timed {
		c.setReadDeadline(c.began.Add(c.server.BodyTimeout))
		c.timed = true
	}
	n, err := c.nc.Read(p)
	if errors.Is(err, io.EOF) {
		c.err = err
	}
	return n, err
}

// skipBody reads up to so many bytes of the body and forgets them.
func (c *conn) skipBody(most int64) (int, error) {
	if c.start < c.end {
		n := int(min(most, int64(c.end-c.start)))
		c.start += n
		return n, nil
	}
	return c.readBody(c.buf[:min(most, bufferSize)])
}

// bodyDone tells that the body was read to its end.
func (c *conn) bodyDone() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.consumed = true
	if c.wanted {
		c.startWatching()
	}
}

// take hands the connection to a handler, with what was read and not used.
func (c *conn) take() (net.Conn, []byte, error) {
	c.stopWatching()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.taken || c.current == nil {
		return nil, nil, http.ErrHijacked
	}
	c.taken = true
	var rest []byte
	if c.start < c.end {
		rest = bytes.Clone(c.buf[c.start:c.end])
	}
	nc := c.client.Owner.Taken()
	_ = nc.SetDeadline(time.Time{}) // of a broken connection, which its next use tells
	return nc, rest, nil
}

// over tells whether an error of a read is the end of a connection, and not only of the patience of who read.
func over(err error) bool {
	var timeout net.Error
	return err != nil && (!errors.As(err, &timeout) || !timeout.Timeout())
}

var _ io.Closer = (*body)(nil)
