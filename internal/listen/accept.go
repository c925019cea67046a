package listen

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"time"

	"cleat/internal/http1"
	"cleat/internal/socket"
)

// Pauses after an Accept that failed.
const (
	minPause = 5 * time.Millisecond
	maxPause = time.Second
)

// crewRest is for how long a goroutine of the crew waits at most.
const crewRest = 10 * time.Second

// accept has connections accepted until ctx ends or the listener is closed, which is an error.
func (s *Server) accept(ctx context.Context) error {
	s.accepting = ctx
	s.crew.begin() //nolint:contextcheck // a connection outlives ctx: end gives it its time
	tidy := time.NewTicker(crewRest)
	defer tidy.Stop()
	for {
		select {
		case err := <-s.crew.ended:
			return err
		case <-tidy.C:
			s.crew.trim()
		}
	}
}

// lead accepts connections, and serves at once those that need not be waited for, until another goroutine of the crew leads or
// accepting has ended. A failure but the end is taken to pass: descriptors
// (EMFILE, ENFILE) and memory (ENOBUFS, ENOMEM) come back, aborted connections (ECONNABORTED) are the clients' own
// doing. It pauses, longer each time, and logs the first failure of an episode and its end.
func (s *Server) lead() {
	failures, streak := 0, 0
	for {
		if !s.reserve(s.accepting) {
			s.crew.end(nil)
			return
		}
		nc, waited, err := s.next()
		switch {
		case err == nil && nc == nil: // another leader waits
			<-s.slots
			return
		case err == nil:
			if failures > 0 {
				s.o.Log.Info("accepting connections again", "addr", s.ln.Addr().String(), "failures", failures)
				failures = 0
			}
			if streak++; waited {
				streak = 0
			} else if streak%queueLong == 0 {
				s.crew.grow()
			}
			if !s.admit(nc) {
				return
			}
			continue
		}
		<-s.slots
		if s.accepting.Err() != nil {
			s.crew.end(nil)
			return
		}
		if errors.Is(err, net.ErrClosed) {
			s.crew.end(fmt.Errorf("accept on %s: %w", s.ln.Addr(), err))
			return
		}
		if failures == 0 {
			s.o.Log.Warn("accepting connections is paused", "addr", s.ln.Addr().String(), "err", err)
		}
		s.shed() // idle connections are descriptors that can be had at once
		pause := time.NewTimer(min(minPause<<min(failures, 16), maxPause))
		failures++
		select {
		case <-pause.C:
		case <-s.accepting.Done():
			pause.Stop()
		}
	}
}

// queueLong is how many connections in a row wait already before one more goroutine accepts.
const queueLong = 8

// next returns the next connection, and whether it had to be waited for; none when another leader waits for it.
func (s *Server) next() (nc net.Conn, waited bool, err error) {
	if s.queue == nil {
		nc, err = s.ln.Accept()
		return nc, true, err
	}
	if !s.crew.alone() {
		if c := s.queue.AcceptNow(); c != nil {
			return c, false, nil
		}
		if s.crew.leave() {
			return nil, false, nil
		}
	}
	c, waited, err := s.queue.AcceptConn()
	if err != nil {
		return nil, waited, err
	}
	return c, waited, nil
}

// reserve waits for a slot, at the expense of idle connections; false when ctx ends first.
func (s *Server) reserve(ctx context.Context) bool {
	select {
	case s.slots <- struct{}{}:
		return true
	default:
	}
	// From here on a connection that turns idle is closed by stateChanged; shed closes those that are idle already.
	s.full.Store(true)
	defer s.full.Store(false)
	s.shed()
	select {
	case s.slots <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

// admit lets an accepted connection in, for which a slot is reserved. It is for leaders, and reports whether the caller still
// leads.
func (s *Server) admit(nc net.Conn) (leads bool) {
	t, ok := s.enter(nc)
	if !ok {
		return true
	}
	direct, ok := nc.(*socket.Conn)
	if !ok || t.prepares {
		s.crew.run(t)
		return true
	}
	direct.BeforeWait(t.client.yields)
	t.client.leads.Store(true)
	defer t.client.yield() // where a handler has ended its goroutine
	t.run()
	return t.client.leads.Swap(false)
}

// enter counts a connection in, for which a slot is reserved; false when the server has ended, and the connection with it.
func (s *Server) enter(nc net.Conn) (task, bool) {
	c := s.newClientConn(nc)
	if !s.join(c) {
		<-s.slots
		c.abort()
		return task{}, false
	}
	prefaced := s.o.ProxyProtocol.peer(nc.RemoteAddr())
	if s.o.TLS == nil && !prefaced {
		return task{server: s, client: c}, true
	}
	if !s.begin() {
		s.leave(c)
		c.abort()
		return task{}, false
	}
	return task{server: s, client: c, prepares: true, prefaced: prefaced}, true
}

// task is to serve a new connection.
type task struct {
	server             *Server
	client             *clientConn
	prepares, prefaced bool // something comes before HTTP, for which begin was called; a PROXY protocol header does
	over               bool // who gets this ends
}

func (t task) run() {
	ready, ok := net.Conn(t.client), true
	if t.prepares {
		ready, ok = t.server.prepare(t.client, t.prefaced)
	}
	if ok {
		t.server.converse(t.client, ready)
	}
}

// prepare does what comes before HTTP, for which begin was called; false when the connection has ended.
func (s *Server) prepare(c *clientConn, prefaced bool) (ready net.Conn, ok bool) {
	defer s.finish()
	if prefaced {
		if err := s.readPreface(c.raw); err != nil {
			s.o.Log.Warn("a trusted proxy sent no PROXY protocol header", "remote_addr", c.raw.Conn.RemoteAddr().String(), "err", err)
			s.drop(c, err)
			return nil, false
		}
	}
	if s.o.TLS == nil {
		return c, true
	}
	return s.secure(c)
}

// readPreface reads the PROXY protocol header that a trusted proxy begins its connections with.
func (s *Server) readPreface(c *rawConn) error {
	err := c.SetReadDeadline(time.Now().Add(s.o.HandshakeTimeout))
	if err != nil {
		return err
	}
	if c.origin, err = readProxyHeader(c.Conn); err != nil {
		return err
	}
	return c.SetReadDeadline(time.Time{})
}

// Inject serves a connection that was accepted elsewhere, such as the inside of a CONNECT tunnel, as if it had come in
// by the listener. The server owns it from then on; before Run, after its end and at MaxConns it is closed at once.
func (s *Server) Inject(nc net.Conn) {
	if !s.begin() {
		_ = nc.Close() // its client learns by it
		return
	}
	defer s.finish()
	select {
	case s.slots <- struct{}{}:
		if t, ok := s.enter(nc); ok {
			s.crew.run(t)
		}
	default:
		s.o.Log.Warn("too many connections to serve another tunnel", "max", s.o.MaxConns)
		_ = nc.Close() // its client learns by it
	}
}

// converse speaks HTTP on a connection that is ready for it: http1 serves the plain requests, and from the first one
// on that is not, net/http serves the connection.
func (s *Server) converse(c *clientConn, nc net.Conn) {
	client := http1.Client{Conn: c, Owner: c, Context: &c.context}
	switch a := c.raw.RemoteAddr().(type) {
	case nil:
	case *net.TCPAddr: // as its String, for less
		at := a.AddrPort()
		client.RemoteAddr = netip.AddrPortFrom(at.Addr().Unmap(), at.Port()).String()
	default:
		client.RemoteAddr = a.String()
	}
	if secure, ok := nc.(*tlsClientConn); ok {
		state := secure.ConnectionState()
		client.TLS = &state
	}
	how := http1.Over
	defer func() { // also where a handler has ended its goroutine
		if how == http1.Over && c.state.Load() != stateTaken {
			_ = c.Close() // its client learns by it
			s.leave(c)
		}
	}()
	var unread []byte
	unread, how = s.plain.Serve(client)
	switch how {
	case http1.Over:
	case http1.Unread:
		c.unread = unread
		c.recording.Store(c.state.Load() == stateNew)
		s.pass(c, nc)
	case http1.Taken: // leave was called then
	}
}

// pass gives a connection to net/http.
func (s *Server) pass(c *clientConn, nc net.Conn) {
	c.yield()
	select {
	case s.incoming.conns <- nc:
	case <-s.done:
		s.leave(c)
		c.abort()
	}
}

// recordHandshake is the first byte of a TLS connection (RFC 8446 §5.1), which no HTTP request begins with.
const recordHandshake = 0x16

// secure does what comes before HTTP on a listener that speaks TLS; false when the connection has ended.
func (s *Server) secure(c *clientConn) (ready net.Conn, ok bool) {
	if s.o.Plain {
		b, err := c.raw.sniff(s.o.HandshakeTimeout)
		if err != nil {
			s.drop(c, err)
			return nil, false
		}
		if b != recordHandshake {
			return c, true
		}
	}
	hs, ok := s.o.TLS(c.raw).(handshaker)
	if !ok {
		s.o.Log.Error("the TLS option made something that is not TLS")
		s.drop(c, errors.New("no TLS"))
		return nil, false
	}
	if err := s.handshake(c.raw, hs); err != nil {
		refusePlain(c.raw.Conn, err)
		s.drop(c, fmt.Errorf("TLS handshake: %w", err))
		return nil, false
	}
	c.Conn = hs
	return &tlsClientConn{clientConn: c, tls: hs}, true
}

// handshake runs the server side of TLS, computing only when it is its turn.
func (s *Server) handshake(raw *rawConn, hs handshaker) error {
	t := &turn{turns: s.turns, done: s.done, budget: s.o.HandshakeTimeout}
	raw.turn = t
	// The client's time is bounded by the turn, and at the end of the server the connection is closed: no context.
	err := hs.HandshakeContext(context.Background())
	t.release()
	raw.turn = nil
	if err != nil {
		return err
	}
	return raw.SetDeadline(time.Time{})
}

// refusePlain answers a client that speaks plain HTTP where TLS alone is spoken.
func refusePlain(nc net.Conn, err error) {
	var header tls.RecordHeaderError
	if !errors.As(err, &header) || header.Conn == nil {
		return
	}
	switch string(header.RecordHeader[:]) {
	case "GET /", "HEAD ", "POST ", "PUT /", "OPTIO", "DELET", "CONNE":
		// The client may be gone; there is nothing to tell it then.
		_, _ = io.WriteString(nc, "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\nThis port speaks HTTPS: use https:// or wss://\n")
	}
}

// drop ends a connection that never came to be HTTP.
func (s *Server) drop(c *clientConn, cause error) {
	s.o.Log.Debug("a connection ended before its first request", "remote_addr", c.raw.RemoteAddr().String(), "err", cause)
	c.abort()
	s.leave(c)
}
