package conn

import (
	"errors"
	"net"
	"sync"
	"time"
)

// portable is the transport that works with every net.Conn: a goroutine reads, and another one writes while there is
// something to write. It is what other systems use, what connections without a descriptor use, and what the event loops
// are compared with in tests.
type portable struct{ hub *Hub }

// portableLink is what portable keeps of a connection.
type portableLink struct {
	conn    net.Conn
	wake    chan struct{} // the reader may go on; holds one; never closed
	writing bool          // a goroutine writes; guarded by the slot's mutex
}

// portableBuffer is how much is read at a time.
const portableBuffer = 4 << 10

var portableBuffers = sync.Pool{New: func() any { return new([portableBuffer]byte) }}

// adopt begins to serve a connection. The slot's mutex is held, so the reader waits until the connection is open.
func (p *portable) adopt(e entry, c net.Conn) error {
	if err := c.SetDeadline(time.Time{}); err != nil {
		return errors.Join(err, closeError(c.Close()))
	}
	if tcp := tcpBelow(c); tcp != nil {
		p.setKeepAlive(tcp)
	}
	l := &portableLink{conn: c, wake: make(chan struct{}, 1)}
	e.extra().link = l
	generation := e.s.generation
	p.hub.work.add()
	go func() {
		defer p.hub.work.done()
		p.read(e, generation, l)
	}()
	return nil
}

// setKeepAlive is (*Hub).setKeepAlive by package net.
func (p *portable) setKeepAlive(tcp *net.TCPConn) {
	var err error
	switch {
	case p.hub.near(tcp.RemoteAddr()):
		err = tcp.SetKeepAlive(false)
	case p.hub.keepAlive > 0:
		err = tcp.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: p.hub.keepAlive, Interval: p.hub.probeEvery(), Count: keepAliveProbes})
	}
	if err != nil {
		p.hub.log.Debug("setting keep-alive", "err", err)
	}
}

// tcpBelow looks below wrappers, TLS among them, for a TCP connection; nil when there is none.
func tcpBelow(c net.Conn) *net.TCPConn {
	for range maxWrappers {
		switch under := c.(type) {
		case *net.TCPConn:
			return under
		case *tlsConn:
			c = under.Conn
		case interface{ NetConn() net.Conn }:
			c = under.NetConn()
		default:
			return nil
		}
	}
	return nil
}

// maxWrappers bounds the search below wrappers in wrappers.
const maxWrappers = 8

func (p *portable) read(e entry, generation uint32, l *portableLink) {
	buf, _ := portableBuffers.Get().(*[portableBuffer]byte)
	defer portableBuffers.Put(buf)
	for {
		n, err := l.conn.Read(buf[:])
		if !p.received(e, generation, l, buf[:n], err) {
			return
		}
	}
}

// received takes in what one Read returned, waits while the connection is paused, and reports whether to read on.
func (p *portable) received(e entry, generation uint32, l *portableLink, b []byte, err error) bool {
	e.s.mu.Lock()
	defer e.s.mu.Unlock()
	if e.s.generation != generation {
		return false
	}
	p.hub.feed(e, b, p.hub.now(), nil)
	for e.s.generation == generation && e.s.flags&flagPaused != 0 {
		e.s.mu.Unlock()
		<-l.wake
		e.s.mu.Lock()
	}
	if e.s.generation != generation {
		return false
	}
	if err != nil {
		p.hub.readEnded(e, nil)
	}
	return err == nil
}

// write leaves everything to the queue: a net.Conn cannot be asked how much it takes without waiting.
func (p *portable) write(entry, []byte) (int, error) { return 0, nil }

func (p *portable) update(e entry) {
	l := e.r.x.link
	if e.s.flags&flagQueued == 0 || l.writing {
		return
	}
	l.writing = true
	generation := e.s.generation
	p.hub.work.add()
	go func() {
		defer p.hub.work.done()
		p.drain(e, generation, l)
	}()
}

// drain writes until the queue is empty.
func (p *portable) drain(e entry, generation uint32, l *portableLink) {
	h := p.hub
	e.s.mu.Lock()
	defer e.s.mu.Unlock()
	for e.s.generation == generation && e.s.flags&flagQueued != 0 {
		head := e.r.x.queue.head()
		e.s.mu.Unlock()
		n, err := l.conn.Write(head) // bytes appended behind head meanwhile are not touched here
		e.s.mu.Lock()
		switch {
		case e.s.generation != generation || e.s.flags&flagQueued == 0:
		case err != nil:
			h.writeFailed(e, h.now())
		default:
			e.r.x.queue.take(n)
			if e.r.x.queue.size == 0 {
				l.writing = false // flushed may begin anew
				h.flushed(e)
				return
			}
		}
	}
	l.writing = false
}

func (p *portable) resume(e entry) {
	select {
	case e.r.x.link.wake <- struct{}{}:
	default: // it has been told and has not looked yet
	}
}

// closeWrite and close leave the work to a goroutine: over TLS both may wait for the peer.

func (p *portable) closeWrite(e entry) {
	if c, ok := e.r.x.link.conn.(interface{ CloseWrite() error }); ok {
		p.background(c.CloseWrite)
	}
}

func (p *portable) close(e entry) {
	p.resume(e)
	p.background(e.r.x.link.conn.Close)
}

// background runs what ends a connection; an error says that it is ended already.
func (p *portable) background(f func() error) {
	p.hub.work.add()
	go func() {
		defer p.hub.work.done()
		if err := closeError(f()); err != nil {
			p.hub.log.Debug("closing a connection", "err", err)
		}
	}()
}
