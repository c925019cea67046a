package http1

import (
	"net"
	"syscall"
	"time"

	"cleat/internal/socket"
)

// Finding out that a client has gone, while its request is being handled. Nothing but a read tells, and what a read finds
// may be the next request, so it goes on into the connection's buffer.

// longAgo is a deadline that makes a read return.
var longAgo = time.Unix(1, 0)

// watch has a request's context end when its client goes, from now on or from the end of the body on.
func (c *conn) watch(x *requestContext) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.current != x || c.wanted {
		return
	}
	c.wanted = true
	if c.consumed {
		c.startWatching()
	}
}

// startWatching begins to read, once: bytes say that the client is there, and are left for later. Its caller holds mu.
func (c *conn) startWatching() {
	x := c.current
	if x == nil || c.watching != nil || c.taken {
		return
	}
	if c.err != nil {
		x.asked.Load().cancel()
		return
	}
	c.makeRoom()
	if c.end == len(c.buf) {
		return // so much was sent ahead that nobody can tell
	}
	c.setReadDeadline(time.Time{})
	ended, room := make(chan struct{}), c.buf[c.end:]
	c.watching = ended
	go func() {
		n, err := c.nc.Read(room)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.end += n
		if err != nil && (over(err) || !c.aborted) {
			c.err = err
			x.asked.Load().cancel()
		}
		c.watching = nil
		close(ended)
	}()
}

// stopWatching ends the goroutine that reads, if there is one, and waits for it.
func (c *conn) stopWatching() {
	c.mu.Lock()
	ended := c.watching
	c.aborted = ended != nil
	c.mu.Unlock()
	if ended == nil {
		return
	}
	_ = c.nc.SetReadDeadline(longAgo) // of a closed connection, whose read has ended too
	<-ended
	c.mu.Lock()
	defer c.mu.Unlock()
	c.aborted = false
	c.setReadDeadline(time.Time{})
}

// glance is the longest that a look at a connection takes which cannot be peeked into, or whose TLS must be asked.
const glance = time.Millisecond

// lost looks once whether the client of the current request has gone. A client that has sent more counts as there, as
// with net/http.
func (c *conn) lost(x *requestContext) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.current != x || c.taken || !c.consumed || c.watching != nil:
		return false
	case c.err != nil:
		return true
	}
	switch peek(c.nc) {
	case socket.Silent:
		return false
	case socket.Ended:
		return true
	case socket.Ready:
		if c.client.TLS == nil {
			return false
		}
		// They may be TLS's own goodbye.
	case socket.Unknown:
	}
	c.makeRoom()
	if c.end == len(c.buf) {
		return false
	}
	c.setReadDeadline(time.Now().Add(glance))
	n, err := c.nc.Read(c.buf[c.end:])
	c.end += n
	if over(err) {
		c.err = err
	}
	return c.err != nil
}

// peek looks without waiting what a read of the socket below a connection would find.
func peek(c net.Conn) socket.State {
	if s := socketOf(c); s != nil {
		return socket.Peek(s)
	}
	return socket.Unknown
}

// socketOf looks below wrappers for what has a descriptor; nil when nothing has.
func socketOf(c net.Conn) syscall.Conn {
	for range 8 {
		switch under := c.(type) {
		case syscall.Conn:
			return under
		case interface{ NetConn() net.Conn }:
			c = under.NetConn()
		default:
			return nil
		}
	}
	return nil
}
