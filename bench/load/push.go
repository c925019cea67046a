//go:build linux

package load

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// Push has pushers, on an HTTP connection each, push to the clients in turn, each its next one when the last is answered.
// requests are whole HTTP requests, of which request i pushes text to client i of the Session; there may be fewer than
// clients. Figures are of the pushes' answers. What was answered must have been delivered a moment later, once and to the
// right client, or it is a fault.
func (s *Session) Push(ctx context.Context, p Plan, pushers int, addr string, requests [][]byte, text []byte) (Figures, error) {
	to, err := netip.ParseAddrPort(addr)
	if err != nil {
		return Figures{}, err
	}
	if err := s.dialPushers(ctx, pushers, to); err != nil {
		return Figures{}, err
	}
	r := newRun()
	pushed, next := make([]int, len(s.clients)), 0
	delivered := make([]int, len(s.clients))
	missing := 0
	push := func(c *client, now int64) {
		at := next % len(requests)
		next++
		pushed[at]++
		missing++
		c.due = max(now, 1)
		r.sent++
		r.underWay++
		if c.last {
			s.redial(c, to, requests[at])
		} else if err := c.conn.Write(requests[at]); err != nil {
			s.fail(c, err)
		}
	}
	r.arrived = func(c *client) {
		if err := c.conn.Write(c.pending); err != nil {
			s.fail(c, err)
		}
	}
	r.answered = func(c *client, body []byte) error {
		if !c.http {
			n := bytes.Count(body, text) // some servers put several into one message
			if n == 0 {
				return fmt.Errorf("client %d was sent something else than what was pushed: %.200q", c.index, body)
			}
			delivered[c.index] += n
			missing -= n
			return nil
		}
		now, due := s.now(), c.due
		c.due = 0
		r.underWay--
		if err := r.record(now, due); err != nil {
			return err
		}
		if r.until == 0 {
			push(c, now)
		}
		return nil
	}
	r.lost = s.lost
	f, err := s.measure(ctx, r, p, func() {
		for _, c := range s.pushers {
			push(c, s.now())
		}
	}, func(int64) time.Duration { return -1 })
	if err != nil {
		return f, err
	}
	s.run = r
	defer func() { s.run = nil }()
	// Some may still be on their way; those that are not there when none has come for a while are lost.
	for last, since := missing, s.now(); missing > 0 && s.now()-since < int64(2*time.Second); {
		if err := s.poll(ctx, 100*time.Millisecond); err != nil {
			return f, err
		}
		if missing != last {
			last, since = missing, s.now()
		}
	}
	f.Pushed = next
	var lost error
	for i := range pushed {
		switch {
		case delivered[i] > pushed[i]:
			return f, fmt.Errorf("client %d has %d messages for %d that were pushed to it", i, delivered[i], pushed[i])
		case delivered[i] < pushed[i] && lost == nil:
			lost = fmt.Errorf("%w: client %d has %d messages of %d that were pushed to it", ErrLost, i, delivered[i], pushed[i])
		}
		f.Lost += pushed[i] - delivered[i]
	}
	return f, lost
}

// ErrLost is Push's where pushes were answered with success and not delivered. The Figures are good and tell how many.
var ErrLost = errors.New("pushes were lost")

// redial has a caller whose server does not keep connections connect anew for its next request.
func (s *Session) redial(c *client, to netip.AddrPort, request []byte) {
	c.conn.Close()
	c.last, c.pending, c.state = false, request, dialing
	if err := s.dial(c, to); err != nil {
		s.fail(c, err)
	}
}

func (s *Session) dialPushers(ctx context.Context, n int, to netip.AddrPort) error {
	s.fault = nil
	want := s.connected + n - len(s.pushers)
	for len(s.pushers) < n {
		c := &client{index: len(s.pushers), http: true}
		s.pushers = append(s.pushers, c)
		if err := s.dial(c, to); err != nil {
			return err
		}
	}
	for s.connected < want {
		if err := s.poll(ctx, time.Second); err != nil {
			return err
		}
		if s.fault != nil {
			return fmt.Errorf("connect to push: %w", s.fault)
		}
	}
	return nil
}
