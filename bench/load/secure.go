//go:build linux

package load

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// bindLate has the port of a local address chosen when the other end is known, see evloop.Loop.Dial.
func bindLate(_, _ string, raw syscall.RawConn) error {
	var err error
	return errors.Join(raw.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
	}), err)
}

// Secure is a set of clients over TLS that are idle, or talk once. Each has a goroutine that waits for what the server
// sends, as pings must be answered: it is for measuring memory, not speed.
type Secure struct {
	clients []*tlsClient
	wg      sync.WaitGroup
	closed  atomic.Bool

	mu      sync.Mutex // guards the rest
	answers int
	faults  int
	fault   error // the first
}

// talk is what each client says once.
var talk = bytes.Repeat([]byte("0123456789"), 10)

// OpenTLS connects all clients, and returns when every one has been let in and knows who it is. Close ends them.
func OpenTLS(ctx context.Context, o Options) (*Secure, error) {
	s := &Secure{clients: make([]*tlsClient, o.Connections)}
	var next atomic.Int64
	var dialers sync.WaitGroup
	var mu sync.Mutex // guards failed
	var failed error
	for range 32 {
		dialers.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(s.clients) {
					return
				}
				c, err := dialTLS(ctx, o, i, s.text)
				if err != nil {
					mu.Lock()
					failed = errors.Join(failed, fmt.Errorf("client %d: %w", i, err))
					mu.Unlock()
					return
				}
				s.clients[i] = c
			}
		})
	}
	dialers.Wait()
	if failed != nil {
		return nil, errors.Join(failed, s.Close())
	}
	for _, c := range s.clients {
		s.wg.Go(func() { s.serve(c) })
	}
	return s, nil
}

func (s *Secure) serve(c *tlsClient) {
	for {
		if err := c.read(s.text); err != nil {
			if !s.closed.Load() {
				s.mu.Lock()
				s.faults++
				s.fault = errors.Join(s.fault, unexpectedEnd(err))
				s.mu.Unlock()
			}
			return
		}
	}
}

func (s *Secure) text(b []byte) error {
	if !bytes.Contains(b, talk) {
		return fmt.Errorf("an answer has not the message's payload: %.200q", b)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers++
	return nil
}

// Idle lets the clients be.
func (s *Secure) Idle(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fault != nil {
		return fmt.Errorf("%d idle clients lost, the first: %w", s.faults, s.fault)
	}
	return nil
}

// TalkOnce has each client send one message, at so many a second, and waits for the answers.
func (s *Secure) TalkOnce(ctx context.Context, perSecond int) error {
	tick := time.NewTicker(time.Second / time.Duration(perSecond))
	defer tick.Stop()
	for _, c := range s.clients {
		if err := c.write(c.next(talk)); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
	for end := time.Now().Add(drain); ; {
		if err := s.Idle(ctx, 50*time.Millisecond); err != nil {
			return err
		}
		s.mu.Lock()
		n := s.answers
		s.mu.Unlock()
		if n >= len(s.clients) {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("%d of %d clients had an answer", n, len(s.clients))
		}
	}
}

// Close ends all connections.
func (s *Secure) Close() error {
	s.closed.Store(true)
	var errs []error
	for _, c := range s.clients {
		if c != nil {
			errs = append(errs, c.conn.NetConn().Close())
		}
	}
	s.wg.Wait()
	return errors.Join(errs...)
}
