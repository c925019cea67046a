package backend_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"cleat/internal/apigw"
	"cleat/internal/backend"
)

// leader counts what a call does with its caller's event loop.
type leader struct {
	waits  bool // Await waits; otherwise it yields at once
	awaits int
	yields int
}

func (l *leader) await(fd int, until time.Time) bool {
	l.awaits++
	if !l.waits {
		l.yields++
		return false
	}
	most := 5 * time.Second
	if !until.IsZero() {
		most = max(time.Until(until), 0)
	}
	left := unix.NsecToTimespec(int64(most))
	n, err := unix.Ppoll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, &left, nil)
	if err != nil || n == 0 {
		l.yields++
		return false
	}
	return true
}

func (l *leader) request(u *url.URL, body string) *backend.Request {
	return &backend.Request{Method: http.MethodPost, URL: u, Body: []byte(body), Yield: func() { l.yields++ }, Await: l.await}
}

// A call over a kept connection need not yield, nor once it has: what it waited for in Go's poller leaves it again.
func TestAwait(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(w, r.Body)
	}))
	defer server.Close()
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	h := backend.NewHTTP(backend.HTTPOptions{})
	defer h.Close()
	for i, tc := range []struct{ waits, yields bool }{
		{true, true}, // for a connection to be made
		{true, false}, {true, false}, {false, true}, {true, false}, {false, true}, {false, true}, {true, false},
	} {
		l := leader{waits: tc.waits}
		resp, err := h.Do(t.Context(), l.request(u, "hello"))
		if err != nil || string(resp.Body) != "hello" {
			t.Fatalf("call %d: %v, %v", i, resp, err)
		}
		if got := l.yields > 0; got != tc.yields {
			t.Errorf("call %d yielded: %v, want %v", i, got, tc.yields)
		}
		if l.awaits != 1 {
			t.Errorf("call %d awaited %d times", i, l.awaits)
		}
	}
	if open, _ := h.Connections(); open != 1 {
		t.Errorf("%d connections, want 1", open)
	}
}

// An answer in pieces is awaited to its first, and yielded for from then on.
func TestAwaitPieces(t *testing.T) {
	const head, body = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "hello"
	for name, cut := range map[string]int{"in the head": 10, "before the body": len(head), "in the body": len(head) + 2} {
		t.Run(name, func(t *testing.T) {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			var yielded atomic.Bool
			done := make(chan error, 1)
			go func() {
				done <- func() error {
					c, err := ln.Accept()
					if err != nil {
						return err
					}
					defer c.Close()
					if _, err := c.Read(make([]byte, 4096)); err != nil {
						return err
					}
					_, err = io.WriteString(c, (head + body)[:cut])
					for end := time.Now().Add(10 * time.Second); !yielded.Load() && time.Now().Before(end); {
						time.Sleep(time.Millisecond)
					}
					if !yielded.Load() {
						return errors.New("the call has not yielded, and waits")
					}
					_, restErr := io.WriteString(c, (head + body)[cut:])
					return errors.Join(err, restErr)
				}()
			}()
			h := backend.NewHTTP(backend.HTTPOptions{})
			defer h.Close()
			l := leader{waits: true}
			u := &url.URL{Scheme: "http", Host: ln.Addr().String()}
			r := l.request(u, "x")
			asked := false
			r.Yield = func() { yielded.Store(asked) }
			r.Await = func(fd int, until time.Time) bool {
				asked = true
				return l.await(fd, until)
			}
			resp, err := h.Do(t.Context(), r)
			if err != nil || string(resp.Body) != body {
				t.Errorf("%v, %v", resp, err)
			}
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
}

// A backend that never answers: deadline and the context's end hold as they do without Await.
func TestAwaitInVain(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0") // the kernel takes what is sent
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	u := &url.URL{Scheme: "http", Host: ln.Addr().String()}
	for name, tc := range map[string]struct {
		prepare func(r *backend.Request, cancel context.CancelFunc)
		want    apigw.Kind
	}{
		"deadline": {func(r *backend.Request, _ context.CancelFunc) { r.Deadline = time.Now().Add(20 * time.Millisecond) }, apigw.KindIntegrationTimeout},
		"cancelled while awaiting": {func(r *backend.Request, cancel context.CancelFunc) {
			r.Await = func(int, time.Time) bool { cancel(); return false }
		}, apigw.KindIntegrationFailure},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			h := backend.NewHTTP(backend.HTTPOptions{})
			defer h.Close()
			l := leader{waits: true}
			r := l.request(u, "x")
			tc.prepare(r, cancel)
			_, err := h.Do(ctx, r)
			if e, ok := errors.AsType[*apigw.Error](err); !ok || e.Kind != tc.want {
				t.Errorf("got %v, want kind %v", err, tc.want)
			}
		})
	}
}

// The promise of TestNoCallLostOrDoubled holds for calls whose callers wait by themselves, all the time or now and then.
func TestNoCallLostOrDoubledWhileLeading(t *testing.T) {
	var calls atomic.Int32
	var awaited atomic.Int32
	noCallLostOrDoubled(t, func(r *backend.Request) {
		l := &leader{waits: calls.Add(1)%4 != 0}
		r.Yield = func() { l.yields++ }
		r.Await = func(fd int, until time.Time) bool {
			awaited.Add(1)
			return l.await(fd, until)
		}
	})
	if awaited.Load() == 0 {
		t.Error("nobody waited by itself")
	}
}
