package backend_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/backend"
)

// inBubble runs a test in a bubble of its own time with an HTTP over a network in memory.
func inBubble(t *testing.T, o backend.HTTPOptions, test func(*pipes, *backend.HTTP)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p := newPipes(t)
		o.Dial = p.dial
		h := backend.NewHTTP(o)
		defer h.Close()
		test(p, h)
	})
}

func post(t *testing.T, to string) *backend.Request {
	t.Helper()
	return &backend.Request{Method: "POST", URL: parse(t, to), Body: []byte("message")}
}

// slow answers each request after a time.
func slow(after time.Duration) func(net.Conn) {
	return func(c net.Conn) {
		defer c.Close()
		in := bufio.NewReader(c)
		for {
			r, err := http.ReadRequest(in)
			if err != nil || r.Body.Close() != nil {
				return
			}
			time.Sleep(after)
			if _, err := io.WriteString(c, status(200)); err != nil {
				return
			}
		}
	}
}

// TestWaitingIsFair: past the bound, calls are served in the order in which they came; who gives up leaves the others their
// places.
func TestWaitingIsFair(t *testing.T) {
	inBubble(t, backend.HTTPOptions{MaxConnsPerHost: 1}, func(p *pipes, h *backend.HTTP) {
		p.set("b.example:80", slow(time.Second))
		var all sync.WaitGroup
		var served []int
		var mu sync.Mutex
		for i := range 6 {
			all.Go(func() {
				ctx := p.Context()
				r := post(p.T, "http://b.example/")
				switch i {
				case 2: // gives up by its context
					late, cancel := context.WithTimeout(ctx, 1500*time.Millisecond)
					defer cancel()
					ctx = late
				case 3: // and by its deadline
					r.Deadline = time.Now().Add(1500 * time.Millisecond)
				}
				start := time.Now()
				_, err := h.Do(ctx, r)
				if i == 2 || i == 3 {
					if took := time.Since(start); apigw.KindOf(err) != apigw.KindIntegrationTimeout || took != 1500*time.Millisecond {
						p.Errorf("call %d: %v after %s", i, err, took)
					}
					return
				}
				if err != nil {
					p.Errorf("call %d: %v", i, err)
				}
				mu.Lock()
				defer mu.Unlock()
				served = append(served, i)
			})
			synctest.Wait()
		}
		all.Wait()
		if got := fmt.Sprint(served); got != "[0 1 4 5]" {
			p.Errorf("served in the order %s", got)
		}
		if open, idle := h.Connections(); open != 1 || idle != 1 || p.dials["b.example:80"] != 1 {
			p.Errorf("%d connections, %d idle, after %d dials", open, idle, p.dials["b.example:80"])
		}
	})
}

// TestIdleConnectionsAreClosed: by their age, by the bound, and by Close.
func TestIdleConnectionsAreClosed(t *testing.T) {
	burst := func(p *pipes, h *backend.HTTP, n int) {
		var all sync.WaitGroup
		for range n {
			all.Go(func() {
				if _, err := h.Do(p.Context(), post(p.T, "http://b.example/")); err != nil {
					p.Error(err)
				}
			})
		}
		all.Wait()
	}
	want := func(p *pipes, h *backend.HTTP, when string, n int) {
		p.Helper()
		if open, idle := h.Connections(); open != n || idle != n {
			p.Errorf("%s: %d connections, %d idle, want %d", when, open, idle, n)
		}
	}
	inBubble(t, backend.HTTPOptions{IdleTimeout: 10 * time.Second, MaxIdlePerHost: 4}, func(p *pipes, h *backend.HTTP) {
		p.set("b.example:80", slow(time.Millisecond))
		burst(p, h, 6)
		want(p, h, "after a burst", 4)
		time.Sleep(6 * time.Second)
		burst(p, h, 2)
		want(p, h, "after a smaller one", 4)
		time.Sleep(6 * time.Second)
		want(p, h, "when two of them are old", 2)
		time.Sleep(5 * time.Second)
		want(p, h, "when all are", 0)
		burst(p, h, 1)
		want(p, h, "after one call more", 1)
		h.Close()
		want(p, h, "after Close", 0)
		burst(p, h, 1)
		want(p, h, "and then", 1)
	})
	inBubble(t, backend.HTTPOptions{}, func(p *pipes, h *backend.HTTP) {
		p.set("b.example:80", slow(time.Millisecond))
		var call sync.WaitGroup
		call.Go(func() { burst(p, h, 1) })
		synctest.Wait()
		h.Close()
		call.Wait()
		want(p, h, "after Close during a call", 0)
	})
}

// TestDialFailure fails the calls that waited for the connection, one each, and leaves nothing behind.
func TestDialFailure(t *testing.T) {
	inBubble(t, backend.HTTPOptions{ConnectTimeout: time.Second, MaxConnsPerHost: 2}, func(p *pipes, h *backend.HTTP) {
		var all sync.WaitGroup
		for range 3 {
			all.Go(func() {
				if _, err := h.Do(p.Context(), post(p.T, "http://black:1/")); apigw.KindOf(err) != apigw.KindIntegrationTimeout {
					p.Errorf("got %v", err)
				}
			})
		}
		start := time.Now()
		all.Wait()
		if took := time.Since(start); took != 2*time.Second || p.dials["black:1"] != 3 {
			p.Errorf("%s and %d dials, want two rounds of at most two", took, p.dials["black:1"])
		}
		if open, _ := h.Connections(); open != 0 {
			p.Errorf("%d connections are counted", open)
		}
	})
}

// TestCancellation: a context ends its own call, wherever that is, and no other one: neither the next one on its connection
// nor, when it has been the context of several, the calls of another context.
func TestCancellation(t *testing.T) {
	cause := errors.New("shutting down")
	inBubble(t, backend.HTTPOptions{}, func(p *pipes, h *backend.HTTP) {
		p.answers("b.example:80", status(200))
		p.set("hangs.example:80", hangs)
		ok := func(ctx context.Context) {
			p.Helper()
			if _, err := h.Do(ctx, post(p.T, "http://b.example/")); err != nil {
				p.Error(err)
			}
		}
		for range 3 {
			ctx, cancel := context.WithCancel(p.Context())
			ok(ctx)
			cancel()
			synctest.Wait()
		}
		long, end := context.WithCancelCause(p.Context())
		for range 3 {
			ok(long)
		}
		hanging := make(chan error, 2)
		for range 2 {
			go func() {
				_, err := h.Do(long, post(p.T, "http://hangs.example/"))
				hanging <- err
			}()
		}
		synctest.Wait()
		if n := p.dials["b.example:80"]; n != 1 {
			p.Errorf("%d connections for calls one after another", n)
		}
		start := time.Now()
		end(cause)
		for range 2 {
			if err := <-hanging; !errors.Is(err, cause) || apigw.KindOf(err) != apigw.KindIntegrationFailure || time.Since(start) != 0 {
				p.Errorf("got %v after %s", err, time.Since(start))
			}
		}
		if _, err := h.Do(long, post(p.T, "http://b.example/")); !errors.Is(err, cause) {
			p.Errorf("a call of a context that has ended: %v", err)
		}
		p.took("b.example:80")
		ok(p.Context())
		if got := p.took("b.example:80"); got != "POST" {
			p.Errorf("the call after reached the backend as %q", got)
		}
	})
}

// TestLinkDeadline: a call whose time is over tries no further target, and says so as one whose context ended.
func TestLinkDeadline(t *testing.T) {
	inLinks(t, []backend.Link{{Name: "main", Targets: []string{"a:1", "b:1"}}}, func(p *pipes, l *backend.Links) {
		p.set("a:1", hangs)
		p.set("b:1", hangs)
		start := time.Now()
		r := via(p.T, "main", "GET")
		r.Deadline = start.Add(5 * time.Second)
		_, err := l.Do(p.Context(), r)
		if took := time.Since(start); apigw.KindOf(err) != apigw.KindIntegrationTimeout || took != 5*time.Second || strings.Count(err.Error(), "target ") != 1 {
			p.Errorf("got %v after %s", err, took)
		}
	})
}

// TestDeadlines: the deadline of a request ends it as that of a context does, and the time that an answer's head may take does
// not count for its body.
func TestDeadlines(t *testing.T) {
	for name, open := range map[string]func(backend.HTTPOptions) *backend.HTTP{"plain": backend.NewHTTP, "net/http": netHTTP} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPipes(t)
				p.set("hangs.example:80", hangs)
				p.set("slow.example:80", func(c net.Conn) {
					defer c.Close()
					if r, err := http.ReadRequest(bufio.NewReader(c)); err != nil || r.Body.Close() != nil {
						return
					}
					for _, part := range []string{"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", "o", "k"} {
						time.Sleep(8 * time.Second)
						if _, err := io.WriteString(c, part); err != nil {
							return
						}
					}
				})
				h := open(backend.HTTPOptions{Dial: p.dial, ResponseHeaderTimeout: 10 * time.Second})
				defer h.Close()
				for to, want := range map[string]time.Duration{"hangs": 5 * time.Second, "slow": 20 * time.Second} {
					start := time.Now()
					r := post(t, "http://"+to+".example/")
					r.Deadline = start.Add(want)
					_, err := h.Do(t.Context(), r)
					if took := time.Since(start); apigw.KindOf(err) != apigw.KindIntegrationTimeout || took != want {
						t.Errorf("%s: got %v after %s, want %s", to, err, took, want)
					}
				}
				start := time.Now()
				if _, err := h.Do(t.Context(), post(t, "http://hangs.example/")); apigw.KindOf(err) != apigw.KindIntegrationTimeout || time.Since(start) != 10*time.Second {
					t.Errorf("no head: got %v after %s", err, time.Since(start))
				}
				if resp, err := h.Do(t.Context(), post(t, "http://slow.example/")); err != nil || string(resp.Body) != "ok" {
					t.Errorf("a slow body: got %+v, %v", resp, err)
				}
			})
		})
	}
}

// TestHeadAnswers: an answer to HEAD has the length of a body that does not come (RFC 9110 §9.3.2), and the connection stays.
func TestHeadAnswers(t *testing.T) {
	for name, open := range map[string]func(backend.HTTPOptions) *backend.HTTP{"plain": backend.NewHTTP, "net/http": netHTTP} {
		s := newTestServer(t, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "5") })
		h := open(backend.HTTPOptions{})
		t.Cleanup(h.Close)
		for range 2 {
			resp, err := h.Do(within(t, patience), &backend.Request{Method: "HEAD", URL: parse(t, s.URL)})
			if err != nil || resp.Status != 200 || len(resp.Body) != 0 || resp.Header.Get("content-length") != "5" {
				t.Errorf("%s: got %+v, %v", name, resp, err)
			}
		}
	}
}

// TestWhatIsPlain: what takes the short way, by what each kind of call leaves in the pool.
func TestWhatIsPlain(t *testing.T) {
	s := newTestServer(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if r.URL.Path == "/chunked" {
			w.(http.Flusher).Flush()
		}
		_, _ = io.WriteString(w, "ok")
	})
	field := func(name, value string) func(*backend.Request) {
		return func(r *backend.Request) { r.Header = append(r.Header, apigw.Field{Name: name, Value: value}) }
	}
	tests := map[string]struct {
		change func(*backend.Request)
		plain  bool
	}{
		"a message":            {func(*backend.Request) {}, true},
		"a chunked answer":     {func(r *backend.Request) { r.URL.Path = "/chunked" }, true},
		"another host's name":  {field("Host", "other.example"), true},
		"a query":              {func(r *backend.Request) { r.URL.RawQuery = "a=b" }, true},
		"a long message":       {func(r *backend.Request) { r.Body = []byte(strings.Repeat("x", 40<<10)) }, false},
		"a user in the URL":    {func(r *backend.Request) { r.URL = parse(t, strings.Replace(s.URL, "http://", "http://ann:pw@", 1)) }, false},
		"its own framing":      {field("connection", "close"), false},
		"a name outside ASCII": {field("Host", "bücher.example"), false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			h := newTestHTTP(t, backend.HTTPOptions{})
			r := post(t, s.URL+"/")
			tt.change(r)
			if resp, err := h.Do(within(t, patience), r); err != nil || string(resp.Body) != "ok" {
				t.Errorf("got %+v, %v", resp, err)
			}
			if _, idle := h.Connections(); idle == 1 != tt.plain {
				t.Errorf("%d connections in the pool", idle)
			}
		})
	}
}
