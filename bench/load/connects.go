//go:build linux

package load

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"cleat/bench/evloop"
	"cleat/bench/wire"
)

// distinct is how many clients there are where each connects but for a moment: enough for ports, and for servers that
// keep something of each for a while.
const distinct = 20_000

// Connects has clients connect, a number of them at a time, each of whom leaves as soon as it has been let in and greeted,
// and makes room for the next. Figures are of clients let in; Plan's payload does not matter.
func Connects(ctx context.Context, o Options, p Plan) (f Figures, err error) {
	to, err := netip.ParseAddrPort(o.Addr)
	if err != nil {
		return f, err
	}
	s := &Session{opts: o, to: to, base: time.Now()}
	if s.loop, err = evloop.New(handler{s}); err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if err := evloop.Pin(); err != nil {
		return f, err
	}
	r := newRun()
	total := 0
	enter := func(c *client) {
		i := total % distinct
		total++
		*c = client{Client: o.Client(i), index: i, due: max(s.now(), 1)}
		r.sent++
		r.underWay++
		if err := s.dial(c, to); err != nil {
			c.state, c.due = gone, 0
			r.underWay--
			s.faults++
			if s.fault == nil {
				s.fault = err
			}
		}
	}
	next := func(c *client) {
		c.due = 0
		r.underWay--
		if r.until == 0 {
			enter(c)
		}
	}
	r.arrived = func(c *client) {
		now, due := s.now(), c.due
		c.conn.Close()
		c.state = gone
		_ = r.record(now, due) // it is within the histogram
		// The loop has not come back from this connection: it must not be another yet.
		s.later = append(s.later, func() { next(c) })
	}
	r.lost = func(c *client) { s.later = append(s.later, func() { next(c) }) }
	p.Payload = 32
	return s.measure(ctx, r, p, func() {
		for range width {
			c := new(client)
			s.clients = append(s.clients, c)
			enter(c)
		}
	}, func(int64) time.Duration { return -1 })
}

// TLSConnects is Connects over TLS. It has a goroutine for each client that connects.
func TLSConnects(ctx context.Context, o Options, p Plan) (Figures, error) {
	r := newRun()
	base := time.Now()
	var mu sync.Mutex // guards r, failed, faults
	var failed error
	faults := 0
	var over atomic.Bool
	var total atomic.Int64
	var wg sync.WaitGroup
	const atATime = 32
	for range atATime {
		wg.Go(func() {
			for !over.Load() && ctx.Err() == nil {
				i := int(total.Add(1)) % distinct
				begin := time.Since(base)
				c, err := dialTLS(ctx, o, i, nil)
				if err == nil {
					err = c.conn.NetConn().Close() // as the plain ones: no close_notify
				}
				mu.Lock()
				if err != nil {
					failed = cmp.Or(failed, err)
					faults++
				} else {
					_ = r.record(int64(time.Since(base)), int64(begin)) // it is within the histogram
				}
				mu.Unlock()
				if err != nil {
					return
				}
			}
		})
	}
	stage := func(d time.Duration) error {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(d):
			return mark(p)
		}
	}
	err := stage(p.Warmup)
	mu.Lock()
	r.from = int64(time.Since(base))
	mu.Unlock()
	if err == nil {
		err = stage(p.Measure)
	}
	mu.Lock()
	r.until = int64(time.Since(base))
	mu.Unlock()
	over.Store(true)
	wg.Wait()
	f := Figures{Messages: r.done, Elapsed: time.Duration(r.until - r.from), Latency: r.latency, Faults: faults}
	if failed != nil {
		f.Fault = failed.Error()
	}
	return f, errors.Join(failed, err)
}

// tlsClient is one WebSocket client over TLS.
type tlsClient struct {
	client

	conn *tls.Conn
	in   []byte
	buf  []byte
	mu   sync.Mutex // guards writes
}

// dialTLS connects, is let in and greeted. text is shown what comes with the greeting, nil for none to come.
//
// The key exchange is X25519 whatever else a server could do: OpenSSL's version decides whether it knows the post-quantum
// one, which costs twice as much, and the rows of a table should have done the same.
func dialTLS(ctx context.Context, o Options, i int, text func([]byte) error) (*tlsClient, error) {
	d := net.Dialer{Timeout: patience, KeepAlive: -1, LocalAddr: &net.TCPAddr{IP: source(i).AsSlice()}, Control: bindLate}
	raw, err := d.DialContext(ctx, "tcp", o.Addr)
	if err != nil {
		return nil, err
	}
	cfg := &tls.Config{InsecureSkipVerify: true, CurvePreferences: []tls.CurveID{tls.X25519, tls.CurveP256}} //nolint:gosec // G402: a server on loopback with a certificate of its own
	c := &tlsClient{client: client{Client: o.Client(i), index: i}, conn: tls.Client(raw, cfg), buf: make([]byte, 4<<10)}
	err = func() error {
		if err := c.conn.SetDeadline(time.Now().Add(patience)); err != nil {
			return err
		}
		if _, err := c.conn.Write(wire.Upgrade(c.index, o.Addr, c.Path, c.Header)); err != nil {
			return err
		}
		for c.state = upgrading; c.state != ready; {
			if err := c.read(text); err != nil {
				return unexpectedEnd(err)
			}
		}
		return c.conn.SetDeadline(time.Time{})
	}()
	if err != nil {
		_ = raw.Close() // the other error says more
		return nil, err
	}
	return c, nil
}

// read waits for bytes and sees to all that is whole.
func (c *tlsClient) read(text func([]byte) error) error {
	n, err := c.conn.Read(c.buf)
	if err != nil {
		return err
	}
	c.in = append(c.in, c.buf[:n]...)
	used := 0
	if c.state == upgrading {
		if used, err = wire.Switched(c.index, c.in); err != nil || used == 0 {
			return err
		}
		c.state = ready
		if len(c.Hello) > 0 {
			if err := c.write(wire.AppendText(nil, c.Hello)); err != nil {
				return err
			}
		}
		if c.Identify != nil {
			c.state = greeting
		}
	}
	more, err := c.texts(c.in[used:], c.write, func(b []byte) error {
		if c.state == greeting {
			if id, ok := c.Identify(b); ok {
				c.id, c.state = id, ready
			}
			return nil
		}
		if c.Reply != nil {
			reply, answer := c.Reply(b)
			if !reply && len(answer) > 0 {
				return c.write(wire.AppendText(nil, answer))
			}
			if !reply {
				return nil
			}
		}
		if text == nil {
			return nil
		}
		return text(b)
	})
	c.in = append(c.in[:0], c.in[used+more:]...)
	if len(c.in) == 0 {
		c.in = nil
	}
	return err
}

func (c *tlsClient) write(b []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, err := c.conn.Write(b)
	return err
}

// next is the frame of the client's next message.
func (c *tlsClient) next(payload []byte) []byte {
	c.seq++
	return wire.AppendText(nil, c.Message(nil, c.seq, payload))
}
