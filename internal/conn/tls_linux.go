package conn

import (
	"crypto/tls"
	"errors"
	"net"
	"time"
)

// errAgain says that a read would wait. crypto/tls takes a temporary time-out as such: it keeps what it has of a record,
// and goes on with the next Read.
var errAgain error = againError{}

type againError struct{}

func (againError) Error() string   { return "no bytes at hand" }
func (againError) Timeout() bool   { return true }
func (againError) Temporary() bool { return true }

// tlsConn is what a tls.Conn of ServerTLS reads from and writes to. Until handOver that is a net.Conn; then it is a
// descriptor of the epoll engine, and every call is made with the slot's mutex held.
type tlsConn struct {
	net.Conn // nil after handOver

	hub    *Hub
	e      entry
	budget int     // how many more reads may ask the kernel
	gather *[]byte // takes what is written, while not nil
	over   bool    // after the slot's end: what is written goes to the kernel as far as it takes it
}

func (c *tlsConn) handOver(h *Hub, e entry) { c.Conn, c.hub, c.e = nil, h, e }

// Read reads without waiting. One read of the kernel is allowed at a time, for it fills a large buffer: whatever it left
// is reported again, and a client that sends without end does not hold the loop.
func (c *tlsConn) Read(p []byte) (int, error) {
	if c.Conn != nil {
		return c.Conn.Read(p)
	}
	if c.budget == 0 {
		return 0, errAgain
	}
	c.budget--
	return readFD(int(c.e.s.fd), p)
}

// Write never takes less than all: crypto/tls could not go on with the rest of a record. What the kernel does not take is
// queued.
func (c *tlsConn) Write(p []byte) (int, error) {
	switch {
	case c.Conn != nil:
		return c.Conn.Write(p)
	case c.gather != nil:
		*c.gather = append(*c.gather, p...)
		return len(p), nil
	case c.over:
		return writeFD(int(c.e.s.fd), p)
	}
	c.hub.raw(c.e, p, c.hub.now())
	if c.e.s.flags&flagNoWrite != 0 {
		return 0, net.ErrClosed
	}
	return len(p), nil
}

// Close closes the connection before handOver; the descriptor behind it is the transport's to close.
func (c *tlsConn) Close() error {
	if c.Conn != nil {
		return c.Conn.Close()
	}
	return nil
}

// SetDeadline and its halves mean nothing to a descriptor that is never waited for.

func (c *tlsConn) SetDeadline(t time.Time) error {
	if c.Conn != nil {
		return c.Conn.SetDeadline(t)
	}
	return nil
}

func (c *tlsConn) SetReadDeadline(t time.Time) error {
	if c.Conn != nil {
		return c.Conn.SetReadDeadline(t)
	}
	return nil
}

func (c *tlsConn) SetWriteDeadline(t time.Time) error {
	if c.Conn != nil {
		return c.Conn.SetWriteDeadline(t)
	}
	return nil
}

// tlsLink is a TLS connection whose descriptor the epoll engine has.
type tlsLink struct {
	conn *tls.Conn
	wire *tlsConn
	trim *tlsTrim // shared by all
}

// seal appends the records that p makes: one write for all, where crypto/tls would write each.
func (l *tlsLink) seal(to *[]byte, p []byte) error {
	l.wire.gather = to
	_, err := l.conn.Write(p)
	l.wire.gather = nil
	return err
}

// goodbye sends a close_notify if none was sent and the kernel takes it.
func (l *tlsLink) goodbye() {
	l.wire.over = true
	if err := l.conn.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		// The peer is gone, which is why most connections come here.
		l.wire.hub.log.Debug("ending a TLS connection", "err", err)
	}
}

// readTLS reads once from the kernel and takes in all that TLS makes of it. by is the event loop that the caller leads,
// nil for none.
func (s *epollSet) readTLS(e entry, l *tlsLink, bufs *buffers, now int64, by *loop) {
	l.trim.lend(l.conn, bufs.raw[:0])
	l.wire.budget = 1
	for e.s.state != stateFree && e.s.flags&flagPaused == 0 {
		n, err := l.conn.Read(bufs.plain[:tlsPlainSize])
		s.hub.feed(e, bufs.plain[:n], now, by)
		if err == nil {
			continue
		}
		if !errors.Is(err, errAgain) && e.s.state != stateFree {
			s.hub.readEnded(e, by)
		}
		break
	}
	l.trim.takeBack(l.conn)
}
