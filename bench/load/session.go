//go:build linux

package load

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"time"

	"cleat/bench/evloop"
	"cleat/bench/peer"
	"cleat/bench/wire"
)

// Options say who is to be connected.
type Options struct {
	Addr        string // of the server, an IPv4 address and a port
	Connections int
	// Client is how client i speaks WebSocket. Nil: they speak plain HTTP.
	Client func(i int) peer.Client
	// Request appends the HTTP request that carries a payload, where Client is nil.
	Request func(dst, payload []byte) []byte
}

// width is how many clients connect at a time.
const width = 64

// Session is a set of connected clients. It is for one goroutine, which it keeps on its thread.
type Session struct {
	opts    Options
	to      netip.AddrPort
	loop    *evloop.Loop
	base    time.Time
	clients []*client
	pushers []*client
	run     *run     // nil between runs
	later   []func() // what must wait until the loop has come back

	connected int
	faults    int
	fault     error // the first
	scratch   []byte
	frame     []byte
}

// source is the address of client i: a thousand clients each. 127.0.0.1 is left to the servers.
func source(i int) netip.Addr {
	const each = 1000
	n := 2 + i/each
	return netip.AddrFrom4([4]byte{127, 0, byte(n / 250), byte(2 + n%250)}) //nolint:gosec // G115: some hundred addresses
}

// Open connects all clients, and returns when every one has been let in and knows who it is. Close ends the Session.
func Open(ctx context.Context, o Options) (*Session, error) {
	to, err := netip.ParseAddrPort(o.Addr)
	if err != nil {
		return nil, err
	}
	s := &Session{opts: o, to: to, base: time.Now()}
	if s.loop, err = evloop.New(handler{s}); err != nil {
		return nil, err
	}
	if err := evloop.Pin(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if err := s.connect(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Close ends all connections.
func (s *Session) Close() error {
	runtime.UnlockOSThread()
	return s.loop.Close()
}

// patience is how long a server may take to let the next client in.
const patience = 10 * time.Second

// connect dials the clients, and gives up with the first that is not let in.
func (s *Session) connect(ctx context.Context) error {
	last, since := 0, s.now()
	for len(s.clients) < s.opts.Connections || s.connected < s.opts.Connections {
		for len(s.clients) < s.opts.Connections && len(s.clients)-s.connected < width {
			c := &client{index: len(s.clients), http: s.opts.Client == nil}
			if !c.http {
				c.Client = s.opts.Client(c.index)
			}
			s.clients = append(s.clients, c)
			if err := s.dial(c, s.to); err != nil {
				return err
			}
		}
		if err := s.poll(ctx, time.Second); err != nil {
			return err
		}
		if s.fault != nil {
			return fmt.Errorf("client %d of %d: %w", s.connected+1, s.opts.Connections, s.fault)
		}
		if s.connected != last {
			last, since = s.connected, s.now()
		} else if s.now()-since > int64(patience) {
			return fmt.Errorf("client %d of %d was not let in within %v", s.connected+1, s.opts.Connections, patience)
		}
	}
	return nil
}

func (s *Session) dial(c *client, to netip.AddrPort) (err error) {
	c.conn, err = s.loop.Dial(source(c.index), to, c)
	return err
}

func (s *Session) poll(ctx context.Context, d time.Duration) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	err := s.loop.Poll(d)
	for i := 0; i < len(s.later); i++ { // one may add another
		s.later[i]()
	}
	s.later = s.later[:0]
	return err
}

// now is the generator's clock in nanoseconds.
func (s *Session) now() int64 { return int64(time.Since(s.base)) }

// owner is the client of a connection.
func owner(c *evloop.Conn) *client {
	cl, ok := c.Owner.(*client)
	if !ok {
		panic("a connection without its client")
	}
	return cl
}

// handler is a Session as its loop sees it.
type handler struct{ s *Session }

// Opened is evloop.Handler's.
func (h handler) Opened(c *evloop.Conn, err error) {
	s, cl := h.s, owner(c)
	switch {
	case err != nil:
		s.fail(cl, err)
	case cl.http:
		s.arrived(cl)
	default:
		cl.state = upgrading
		if err := c.Write(wire.Upgrade(cl.index, s.opts.Addr, cl.Path, cl.Header)); err != nil {
			s.fail(cl, err)
		}
	}
}

// Closed is evloop.Handler's.
func (h handler) Closed(c *evloop.Conn, err error) {
	if cl := owner(c); !cl.last { // else it was announced
		h.s.fail(cl, unexpectedEnd(err))
	}
}

// Data is evloop.Handler's.
func (h handler) Data(c *evloop.Conn, b []byte) int {
	cl := owner(c)
	used, err := h.s.data(cl, b)
	if err != nil {
		h.s.fail(cl, err)
		return len(b)
	}
	return used
}

func (s *Session) data(c *client, b []byte) (used int, err error) {
	if c.http {
		return s.responses(c, b)
	}
	if c.state == upgrading {
		used, err = wire.Switched(c.index, b)
		if err != nil || used == 0 {
			return 0, err
		}
		if err := s.greet(c); err != nil {
			return used, err
		}
	}
	n, err := c.texts(b[used:], c.conn.Write, func(text []byte) error { return s.text(c, text) })
	return used + n, err
}

func (s *Session) greet(c *client) error {
	if len(c.Hello) > 0 {
		if err := s.sendText(c, c.Hello); err != nil {
			return err
		}
	}
	if c.Identify == nil {
		s.arrived(c)
		return nil
	}
	c.state = greeting
	return nil
}

func (s *Session) arrived(c *client) {
	c.state = ready
	s.connected++
	if s.run != nil && s.run.arrived != nil {
		s.run.arrived(c)
	}
}

func (s *Session) text(c *client, text []byte) error {
	if c.state == greeting {
		id, ok := c.Identify(text)
		if ok {
			c.id = id
			s.arrived(c)
		}
		return nil
	}
	if c.Reply != nil {
		reply, answer := c.Reply(text)
		if !reply {
			if len(answer) > 0 {
				return s.sendText(c, answer)
			}
			return nil
		}
	}
	return s.answered(c, text)
}

func (s *Session) responses(c *client, b []byte) (used int, err error) {
	for used < len(b) {
		r, n, err := wire.ParseResponse(b[used:])
		if err != nil || n == 0 {
			return used, err
		}
		used += n
		if r.Status < 200 || r.Status > 299 {
			return used, fmt.Errorf("an HTTP request is answered by %d %.100q", r.Status, r.Body)
		}
		c.last = r.Close
		if err := s.answered(c, r.Body); err != nil {
			return used, err
		}
	}
	return used, nil
}

func (s *Session) answered(c *client, body []byte) error {
	if s.run == nil || s.run.answered == nil {
		return nil // a late one
	}
	return s.run.answered(c, body)
}

func (s *Session) sendText(c *client, text []byte) error {
	s.frame = wire.AppendText(s.frame[:0], text)
	return c.conn.Write(s.frame)
}

func (s *Session) fail(c *client, err error) {
	if c.state == gone {
		return
	}
	c.state = gone
	if c.conn != nil {
		c.conn.Close()
	}
	s.faults++
	if s.fault == nil {
		s.fault = err
	}
	if s.run != nil && s.run.lost != nil {
		s.run.lost(c)
	}
}

// IDs are what the clients learned of who they are, in their order.
func (s *Session) IDs() []string {
	ids := make([]string, len(s.clients))
	for i, c := range s.clients {
		ids[i] = c.id
	}
	return ids
}

// Idle lets the clients be, but for what servers ask of idle clients: answers to pings.
func (s *Session) Idle(ctx context.Context, d time.Duration) error {
	for end := s.now() + int64(d); ; {
		left := end - s.now()
		if left <= 0 {
			return nil
		}
		if err := s.poll(ctx, min(time.Duration(left), time.Second)); err != nil {
			return err
		}
		if s.fault != nil {
			return fmt.Errorf("%d idle clients lost, the first: %w", s.faults, s.fault)
		}
	}
}
