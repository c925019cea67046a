package http1

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
)

// exchange is one request and its answer. One whose handler has declared that nobody keeps any of it (KeepsNothing) is used
// again, for the next request of the connection or of another.
type exchange struct {
	c       *conn
	ctx     requestContext
	body    body
	w       response
	request *http.Request // its context is ctx
	url     url.URL
	header  http.Header
	values  []string // room for header's

	free  bool          // the handler keeps nothing
	blank *http.Request // what request is made of once more; nil until then
}

// newRequest makes the request that a handler gets, and the exchange that it belongs to.
func (c *conn) newRequest(h *Head) (*http.Request, *exchange) {
	x := c.spare
	c.spare = nil
	if x == nil {
		x = &exchange{header: make(http.Header, len(h.Fields)), values: make([]string, len(h.Fields))}
		x.request = (&http.Request{}).WithContext(&x.ctx)
	}
	x.c = c
	x.ctx.Context, x.ctx.c = c.client.Context, c //nolint:fatcontext // it is the parent of one request at a time
	x.body.c, x.body.left, x.body.last, x.body.closed = c, h.ContentLength, h.Close, false
	x.w = response{c: c, x: x, head: h.Method == http.MethodHead, wantsClose: h.Close, header: x.w.header, contentLength: -1}
	x.url = h.url
	if len(x.values) < len(h.Fields) {
		x.values = make([]string, len(h.Fields))
	}
	h.fill(x.header, x.values)
	r := x.request
	r.Method, r.URL, r.RequestURI = h.Method, &x.url, h.Target
	r.Proto, r.ProtoMajor, r.ProtoMinor = "HTTP/1.1", 1, 1
	r.Header, r.Host, r.Close = x.header, h.Host, h.Close
	r.ContentLength, r.Body = h.ContentLength, http.NoBody
	if h.ContentLength > 0 {
		r.Body = &x.body
	}
	r.RemoteAddr, r.TLS = c.client.RemoteAddr, c.client.TLS
	return r, x
}

// KeepsNothing declares that once its handler has returned nobody holds any of a request or its answer: neither the
// *http.Request, its URL, header, body or context, nor the ResponseWriter or its header. The strings in them may be kept.
// http1 then uses their memory again, in which whoever holds them would find somebody else's request. A handler calls it that
// knows this of itself and of all handlers around it, while it runs. w may be a wrapper with a method Unwrap; where the answer
// is not http1's it does nothing.
func KeepsNothing(w http.ResponseWriter) {
	for {
		switch under := w.(type) {
		case *response:
			under.x.free = true
			return
		case interface{ Unwrap() http.ResponseWriter }:
			w = under.Unwrap()
		default:
			return
		}
	}
}

// maxKept is the largest header, in fields, whose memory is used again.
const maxKept = 32

// recycle empties an exchange that is over, for use again; nil where that must not be. Its body was abandoned.
func (x *exchange) recycle() *exchange {
	// Who asked for the end of the context may yet be told of it, on another goroutine.
	if !x.free || x.ctx.asked.Load() != nil || len(x.values) > maxKept || len(x.w.header) > maxKept {
		return nil
	}
	if x.blank == nil {
		x.blank = (&http.Request{}).WithContext(&x.ctx)
	}
	*x.request = *x.blank // what net/http keeps of its own in it, a ServeMux's pattern say, included
	clear(x.header)
	clear(x.values)
	clear(x.w.header)
	x.c, x.free, x.url = nil, false, url.URL{}
	x.ctx.Context, x.ctx.c = nil, nil //nolint:fatcontext // as above
	x.ctx.ended.Store(false)
	x.w = response{header: x.w.header, done: true}
	x.body.mu.Lock()
	defer x.body.mu.Unlock()
	x.body.c, x.body.left, x.body.closed = nil, 0, true
	return x
}

// requestContext is the context of one request. It ends with the request, with the context that all requests of the
// server share, and when the client has gone. To find the last of these out costs a goroutine that reads, so it is not
// watched for until somebody asks for Done; Err looks for itself until then.
type requestContext struct {
	context.Context // the server's

	c     *conn
	asked atomic.Pointer[asked] // nil until Done was called
	ended atomic.Bool
}

// asked is a context that is told of a client's end.
type asked struct {
	context.Context

	cancel context.CancelFunc
}

// Done implements context.Context.
func (x *requestContext) Done() <-chan struct{} {
	if a := x.asked.Load(); a != nil {
		return a.Done()
	}
	a := &asked{}
	a.Context, a.cancel = context.WithCancel(x.Context)
	if !x.asked.CompareAndSwap(nil, a) {
		a.cancel()
		return x.asked.Load().Done()
	}
	if x.ended.Load() { // see end
		a.cancel()
	} else {
		x.c.watch(x)
	}
	return a.Done()
}

// Err implements context.Context.
func (x *requestContext) Err() error {
	if a := x.asked.Load(); a != nil {
		return a.Err()
	}
	if x.ended.Load() {
		return context.Canceled
	}
	if err := x.Context.Err(); err != nil {
		return err
	}
	if x.c.lost(x) {
		return context.Canceled
	}
	return nil
}

// Value implements context.Context. The lookup by which package context finds a parent must find what Done is of.
func (x *requestContext) Value(key any) any {
	if a := x.asked.Load(); a != nil {
		return a.Value(key)
	}
	return x.Context.Value(key)
}

// end ends the context with its request.
func (x *requestContext) end() {
	x.ended.Store(true)
	if a := x.asked.Load(); a != nil { // otherwise Done finds ended
		a.cancel()
	}
}

// body reads the body of one request. Its methods may be called from several goroutines.
type body struct {
	mu     sync.Mutex
	c      *conn
	left   int64 // bytes that are still to be read; none either when the client has gone ahead of them
	last   bool  // the connection ends with this request
	closed bool
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.closed:
		return 0, http.ErrBodyReadAfterClose
	case b.left == 0:
		return 0, io.EOF
	case len(p) == 0:
		return 0, nil
	}
	n, err := b.c.readBody(p[:min(int64(len(p)), b.left)])
	return n, b.took(n, err)
}

// took notes what was read. The error is that of the body.
func (b *body) took(n int, err error) error {
	b.left -= int64(n)
	switch {
	case b.left == 0:
		err = io.EOF
	case errors.Is(err, io.EOF):
		b.left, err = 0, io.ErrUnexpectedEOF
	default:
		return err
	}
	b.c.bodyDone()
	return err
}

// Close implements io.Closer. It reads what is left, which is at most MaxBody, so that the connection can go on, if it is to.
func (b *body) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil
	}
	b.closed = true
	if b.last {
		return nil
	}
	return b.drain()
}

// drain reads what is left, into the connection's own buffer.
func (b *body) drain() error {
	for b.left > 0 {
		n, err := b.c.skipBody(b.left)
		if err = b.took(n, err); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
	}
	return nil
}

// abandon ends the body without reading what is left; false when somebody reads it at this moment, who must not be waited
// for: a connection that was taken over has no deadline.
func (b *body) abandon() bool {
	if !b.mu.TryLock() {
		return false
	}
	defer b.mu.Unlock()
	b.closed = true
	return true
}

// settle reads what a handler left unread, ahead of the answer; false when the connection cannot go on.
func (b *body) settle() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.drain() != nil {
		return false
	}
	b.closed = true
	return true
}
