package listen_test

import (
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"cleat/internal/listen"
)

// failing is a listener whose Accept fails for a while.
type failing struct {
	net.Listener

	failures atomic.Int32 // to come
	calls    atomic.Int32
	conns    chan net.Conn
	closed   chan struct{}
	once     sync.Once
	err      error
}

func newFailing(n int, err error) *failing {
	f := &failing{conns: make(chan net.Conn), closed: make(chan struct{}), err: err}
	f.failures.Store(int32(n))
	return f
}

func (f *failing) Accept() (net.Conn, error) {
	f.calls.Add(1)
	if f.failures.Add(-1) >= 0 {
		return nil, &net.OpError{Op: "accept", Err: os.NewSyscallError("accept4", f.err)}
	}
	select {
	case c := <-f.conns:
		return c, nil
	case <-f.closed:
		return nil, net.ErrClosed
	}
}
func (f *failing) Close() error   { f.once.Do(func() { close(f.closed) }); return nil }
func (f *failing) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

func TestAcceptSurvivesExhaustion(t *testing.T) {
	t.Parallel()
	for name, err := range map[string]error{"EMFILE": syscall.EMFILE, "ENFILE": syscall.ENFILE, "ENOBUFS": syscall.ENOBUFS, "ECONNABORTED": syscall.ECONNABORTED} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				const failures = 20
				ln := newFailing(failures, err)
				logged := newLog()
				s := startOn(t, ln, listen.Options{Log: logged.logger(), Handler: text("ok")})
				time.Sleep(2 * time.Second)
				if n := ln.calls.Load(); n < 5 || n > 12 {
					t.Errorf("%d attempts in two seconds, want a few with growing pauses", n)
				}
				// Pauses grow to a second and no further, so this is enough for all of them.
				time.Sleep(failures * time.Second)
				ours, theirs := net.Pipe()
				defer theirs.Close()
				ln.conns <- ours
				write(t, theirs, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
				if res, _ := answerOn(t, theirs); res.StatusCode != http.StatusOK {
					t.Errorf("afterwards: %s", res.Status)
				}
				if n := logged.count("accepting connections is paused"); n != 1 {
					t.Errorf("%d lines on one episode", n)
				}
				if n := logged.count("accepting connections again"); n != 1 {
					t.Errorf("%d lines on its end", n)
				}
				if err := s.stop(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestAcceptPauseEndsWithRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := startOn(t, newFailing(1<<30, syscall.EMFILE), listen.Options{Handler: text("never")})
		time.Sleep(10 * time.Second)
		begin := time.Now()
		if err := s.stop(); err != nil || time.Since(begin) > 0 {
			t.Errorf("Run returned %v after %s", err, time.Since(begin))
		}
	})
}
