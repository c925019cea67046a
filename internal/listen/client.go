package listen

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"cleat/internal/http1"
)

// States of a clientConn.
const (
	stateNew    int32 = iota // no request has been read yet
	stateActive              // a request is under way
	stateIdle                // waits for the next request
	stateTaken               // a handler has it
)

// connKey is the context key under which a request finds its *clientConn.
type connKey struct{}

// connContext is what context.WithValue would make of the server's context and the connection, within the connection.
type connContext struct {
	context.Context

	client *clientConn
}

// Value implements context.Context.
func (x *connContext) Value(key any) any {
	if key == (connKey{}) {
		return x.client
	}
	return x.Context.Value(key)
}

// clientConn is a connection as http1 and net/http see it, decrypted. It keeps the head of the first request for Fields:
// http1 has one to show, and of what net/http reads it is recorded.
type clientConn struct {
	net.Conn          // what is read: raw, or TLS over raw
	raw      *rawConn // what was accepted
	server   *Server
	context  connContext // of the requests that http1 serves

	state     atomic.Int32
	leads     atomic.Bool // the goroutine that serves it is to accept the next connection too
	yields    func()      // yield
	recording atomic.Bool
	unread    []byte // what http1 has read and left to net/http

	mu    sync.Mutex
	plain *http1.Head // of a first request that http1 serves; else nil
	seen  []byte      // the head so far; nil when there is none to show
	full  bool        // seen is a whole head
}

var _ http1.Owner = (*clientConn)(nil)

// Began implements http1.Owner.
func (c *clientConn) Began(h *http1.Head) {
	if c.state.Swap(stateActive) == stateNew {
		c.mu.Lock()
		c.plain = h
		c.mu.Unlock()
	}
}

// Idle implements http1.Owner.
func (c *clientConn) Idle() {
	if !c.raw.served {
		c.raw.served = true
		c.raw.kept = newKept(c.raw.Conn)
	}
	c.yield()
	c.server.idle(c)
}

// yield has another goroutine accept connections before the one that serves this connection waits for something.
func (c *clientConn) yield() {
	if c.leads.Swap(false) {
		c.server.crew.succeed()
	}
}

// Yielder returns what a handler that yields (Options.Yields) calls before it waits. It may be called at any time, on any
// goroutine, and more than once.
func Yielder(r *http.Request) func() {
	if c, ok := r.Context().Value(connKey{}).(*clientConn); ok {
		return c.yields
	}
	return func() {}
}

// Taken implements http1.Owner.
func (c *clientConn) Taken() net.Conn {
	c.state.Store(stateTaken)
	c.server.leave(c)
	return bare(c)
}

// tlsClientConn is a clientConn over TLS: net/http asks it for the state of TLS, and must not ask a plain one.
type tlsClientConn struct {
	*clientConn
	tls handshaker
}

// ConnectionState lets net/http fill in Request.TLS.
func (c *tlsClientConn) ConnectionState() tls.ConnectionState { return c.tls.ConnectionState() }

// Draining returns a channel that is closed when the Server which took the request begins to end. Answers that go on
// for as long as the client likes, such as event streams, must end then, or they hold up the shutdown until they are
// cut off. It is nil for a request that no Server took.
func Draining(r *http.Request) <-chan struct{} {
	if c, ok := r.Context().Value(connKey{}).(*clientConn); ok {
		return c.server.done
	}
	return nil
}

// clientOf returns the clientConn in a connection that net/http holds, nil when it is none.
func clientOf(c net.Conn) *clientConn {
	switch c := c.(type) {
	case *clientConn:
		return c
	case *tlsClientConn:
		return c.clientConn
	}
	return nil
}

// bare returns what a hijacker gets: the connection without this package's wrappers. The head of a request has been
// read through it, so nothing is left in them.
func bare(c net.Conn) net.Conn {
	client := clientOf(c)
	switch {
	case client == nil, len(client.unread) > 0, client.raw.pending:
		return c
	case client.Conn == net.Conn(client.raw):
		return client.raw.Conn
	}
	return client.Conn // TLS
}

func (s *Server) newClientConn(nc net.Conn) *clientConn {
	var both struct { // which live as long as each other
		client clientConn
		raw    rawConn
	}
	c := &both.client
	both.raw.Conn = nc
	c.raw, c.Conn, c.server = &both.raw, &both.raw, s
	c.context = connContext{s.base, c}
	c.yields = c.yield
	return c
}

// NetConn returns the connection below, as tls.Conn does.
func (c *clientConn) NetConn() net.Conn { return c.Conn }

// CloseWrite lets net/http half-close a connection after a refusal, so that the client gets to read it.
func (c *clientConn) CloseWrite() error { return closeWrite(c.Conn) }

// abort closes the connection below TLS: at once, without a goodbye that could block.
func (c *clientConn) abort() { _ = c.raw.Close() } // whoever reads it gets the error

// Read reads what the client sent and records it while it belongs to the first request's head.
func (c *clientConn) Read(p []byte) (n int, err error) {
	if len(c.unread) > 0 {
		n = copy(p, c.unread)
		c.unread = c.unread[n:]
	} else {
		n, err = c.Conn.Read(p)
	}
	if n > 0 && c.recording.Load() {
		c.record(p[:n])
	}
	return n, err
}

// maxWrite is how much of an answer goes out under one deadline.
const maxWrite = 64 << 10

// Write sends a part of an answer, for as long as the client keeps taking it.
func (c *clientConn) Write(p []byte) (int, error) {
	sent := 0
	for {
		piece := p[sent:min(len(p), sent+maxWrite)]
		if err := c.SetWriteDeadline(time.Now().Add(c.server.o.WriteTimeout)); err != nil {
			return sent, err
		}
		n, err := c.Conn.Write(piece)
		sent += n
		if err != nil || sent == len(p) {
			return sent, err
		}
	}
}

func (c *clientConn) record(p []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.recording.Load() {
		return
	}
	from, limit := len(c.seen), c.server.o.MaxHeaderBytes+headSlack
	c.seen = append(c.seen, p[:min(len(p), limit-from)]...)
	if end := endOfHead(c.seen, from); end > 0 {
		c.seen, c.full = c.seen[:end], true
		c.recording.Store(false)
	} else if len(c.seen) == limit {
		c.seen = nil // net/http refuses such a head
		c.recording.Store(false)
	}
}

// seal ends the recording when the request has been read.
func (c *clientConn) seal() {
	if !c.recording.Swap(false) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.full {
		c.seen = nil
	}
}

// drop forgets the head when its request is done.
func (c *clientConn) drop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.plain, c.seen = nil, nil
}

// head returns the head of the first request while that request is served, else nothing: as http1 has read it, or raw. Nobody
// writes to it any more.
func (c *clientConn) head() (plain *http1.Head, raw []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.plain, c.seen
}

// rawConn is an accepted connection with the byte that was read from it to tell TLS from plain HTTP. While a handshake
// runs over it, it passes its turn on whenever it waits for the client.
type rawConn struct {
	net.Conn

	first   byte
	pending bool // first is still to be read
	turn    *turn
	origin  origin // of a PROXY protocol header
	served  bool   // http1 has answered a request
	kept    *kept  // what reads and writes since then; nil: Conn does
}

// RemoteAddr is the client's address: what a trusted proxy says, else the other end of the socket.
func (c *rawConn) RemoteAddr() net.Addr {
	if a := c.origin.addr(); a != nil {
		return a
	}
	return c.Conn.RemoteAddr()
}

// NetConn returns the accepted connection.
func (c *rawConn) NetConn() net.Conn { return c.Conn }

// CloseWrite shuts the sending half down.
func (c *rawConn) CloseWrite() error { return closeWrite(c.Conn) }

// Read implements net.Conn.
func (c *rawConn) Read(p []byte) (int, error) {
	switch {
	case c.pending && len(p) > 0:
		p[0], c.pending = c.first, false
		return 1, nil
	case c.turn != nil:
		return c.turn.read(c.Conn, p)
	case c.kept != nil:
		return c.kept.Read(p)
	}
	return c.Conn.Read(p)
}

// Write implements net.Conn.
func (c *rawConn) Write(p []byte) (int, error) {
	if c.kept != nil {
		return c.kept.Write(p)
	}
	return c.Conn.Write(p)
}

// sniff reads the first byte, within a time-out, and leaves it to be read again.
func (c *rawConn) sniff(timeout time.Duration) (byte, error) {
	if err := c.SetReadDeadline(time.Now().Add(timeout)); err != nil {
		return 0, err
	}
	var b [1]byte
	if _, err := io.ReadFull(c.Conn, b[:]); err != nil {
		return 0, err
	}
	c.first, c.pending = b[0], true
	return b[0], c.SetReadDeadline(time.Time{})
}

// closeWriter is what TCP and TLS connections can do beyond net.Conn.
type closeWriter interface{ CloseWrite() error }

func closeWrite(c net.Conn) error {
	if w, ok := c.(closeWriter); ok {
		return w.CloseWrite()
	}
	return c.Close()
}

// taker is http1's ResponseWriter.
type taker interface {
	Take() (net.Conn, []byte, error)
}

// TakeOver is Hijack for who needs no buffers: rest is what was read of the connection behind the request. As with Hijack
// the connection is the caller's from then on, and has no deadline. w may be a wrapper with a method Unwrap.
func TakeOver(w http.ResponseWriter) (nc net.Conn, rest []byte, err error) {
	for under := w; under != nil; {
		if t, ok := under.(taker); ok {
			return t.Take()
		}
		wrapper, ok := under.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			break
		}
		under = wrapper.Unwrap()
	}
	nc, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, nil, err
	}
	peeked, err := buffered.Peek(buffered.Reader.Buffered())
	if err != nil {
		return nil, nil, errors.Join(err, nc.Close()) // not reached: what is buffered can be peeked at
	}
	_ = nc.SetDeadline(time.Time{}) // of a broken connection, which its next use tells
	return nc, bytes.Clone(peeked), nil
}

// response is a ResponseWriter of net/http whose Hijack hands out the bare connection.
type response struct{ http.ResponseWriter }

var (
	_ http.Hijacker   = (*response)(nil)
	_ http.Flusher    = (*response)(nil)
	_ io.ReaderFrom   = (*response)(nil)
	_ io.StringWriter = (*response)(nil)
)

// Unwrap serves http.ResponseController.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Flush implements http.Flusher.
func (w *response) Flush() {
	if f, ok := w.ResponseWriter.(http.Flusher); ok {
		f.Flush()
	}
}

// WriteString implements io.StringWriter: net/http parts an answer in other places than with Write.
func (w *response) WriteString(s string) (int, error) { return io.WriteString(w.ResponseWriter, s) }

// ReadFrom implements io.ReaderFrom.
func (w *response) ReadFrom(r io.Reader) (int64, error) { return io.Copy(w.ResponseWriter, r) }

// Hijack implements http.Hijacker: see Server.
func (w *response) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, buffered, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	return bare(c), buffered, nil
}
