package listen

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// States of a clientConn as net/http reports them.
const (
	stateNew    int32 = iota // no request has been read yet
	stateActive              // a request is under way
	stateIdle                // waits for the next request
)

// connKey is the context key under which a request finds its *clientConn.
type connKey struct{}

// clientConn is a connection as net/http sees it, decrypted. It records the head of the first request for Fields.
type clientConn struct {
	net.Conn               // what net/http reads: raw, or TLS over raw
	raw      *rawConn      // what was accepted
	limit    int           // most bytes of head to record
	patience time.Duration // for each piece of an answer
	done     <-chan struct{}

	state     atomic.Int32
	recording atomic.Bool

	mu   sync.Mutex
	seen []byte // the head so far; nil when there is none to show
	full bool   // seen is a whole head
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
		return c.done
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
	switch c := c.(type) {
	case *tlsClientConn:
		return c.tls
	case *clientConn:
		if !c.raw.pending {
			return c.raw.Conn
		}
	}
	return c
}

func (s *Server) newClientConn(nc net.Conn) *clientConn {
	raw := &rawConn{Conn: nc}
	c := &clientConn{Conn: raw, raw: raw, limit: s.o.MaxHeaderBytes + headSlack, patience: s.o.WriteTimeout, done: s.done}
	c.recording.Store(true)
	return c
}

// NetConn returns the connection below, as tls.Conn does.
func (c *clientConn) NetConn() net.Conn { return c.Conn }

// CloseWrite lets net/http half-close a connection after a refusal, so that the client gets to read it.
func (c *clientConn) CloseWrite() error { return closeWrite(c.Conn) }

// abort closes the connection below TLS: at once, without a goodbye that could block.
func (c *clientConn) abort() { _ = c.raw.Close() } // whoever reads it gets the error

// Read reads what the client sent and records it while it belongs to the first request's head.
func (c *clientConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
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
		if err := c.SetWriteDeadline(time.Now().Add(c.patience)); err != nil {
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
	from := len(c.seen)
	c.seen = append(c.seen, p[:min(len(p), c.limit-from)]...)
	if end := endOfHead(c.seen, from); end > 0 {
		c.seen, c.full = c.seen[:end], true
		c.recording.Store(false)
	} else if len(c.seen) == c.limit {
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
	c.seen = nil
}

// head returns the raw head of the first request while that request is served, else nil. Nobody writes to it any more.
func (c *clientConn) head() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.seen
}

// rawConn is an accepted connection with the byte that was read from it to tell TLS from plain HTTP. While a handshake
// runs over it, it passes its turn on whenever it waits for the client.
type rawConn struct {
	net.Conn

	first   byte
	pending bool // first is still to be read
	turn    *turn
	origin  origin // of a PROXY protocol header
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
	}
	return c.Conn.Read(p)
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

// response is a ResponseWriter whose Hijack hands out the bare connection.
type response struct{ http.ResponseWriter }

var (
	_ http.Hijacker = (*response)(nil)
	_ http.Flusher  = (*response)(nil)
	_ io.ReaderFrom = (*response)(nil)
)

// Unwrap serves http.ResponseController.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Flush implements http.Flusher.
func (w *response) Flush() {
	if f, ok := w.ResponseWriter.(http.Flusher); ok {
		f.Flush()
	}
}

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
