package backend_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/backend"
)

// pipes is a network in memory: what is behind each address.
type pipes struct {
	*testing.T // of the bubble
	mu         sync.Mutex
	peers      map[string]func(net.Conn) // none: nothing listens
	calls      map[string][]string       // "GET /path" of the requests that were read, by address
	dials      map[string]int
}

func newPipes(t *testing.T) *pipes {
	t.Helper()
	return &pipes{T: t, peers: map[string]func(net.Conn){}, calls: map[string][]string{}, dials: map[string]int{}}
}

func (p *pipes) dial(ctx context.Context, _, addr string) (net.Conn, error) {
	p.mu.Lock()
	p.dials[addr]++
	serve := p.peers[addr]
	p.mu.Unlock()
	if addr == "black:1" { // packets get lost
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if serve == nil {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	}
	ours, theirs := net.Pipe()
	go serve(theirs)
	return ours, nil
}

func (p *pipes) set(addr string, serve func(net.Conn)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.peers[addr] = serve
}

// took returns the requests that an address has read since it was last asked.
func (p *pipes) took(addr string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := strings.Join(p.calls[addr], " ")
	p.calls[addr] = nil
	return out
}

// answers serves each connection's requests with answer; an empty one ends the connection.
func (p *pipes) answers(addr, answer string) {
	p.set(addr, func(c net.Conn) {
		defer c.Close()
		in := bufio.NewReader(c)
		for {
			r, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			_, _ = io.Copy(io.Discard, r.Body)
			p.mu.Lock()
			p.calls[addr] = append(p.calls[addr], r.Method)
			p.mu.Unlock()
			if answer == "" {
				return
			}
			if _, err := io.WriteString(c, answer); err != nil {
				return
			}
		}
	})
}

// hangs reads requests and never answers.
func hangs(c net.Conn) { _, _ = io.Copy(io.Discard, c); _ = c.Close() }

func status(code int) string {
	return "HTTP/1.1 " + strconv.Itoa(code) + " X\r\nContent-Length: 0\r\n\r\n"
}

// inLinks runs a test in a bubble of its own time with links over a network in memory.
func inLinks(t *testing.T, specs []backend.Link, test func(*pipes, *backend.Links)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p := newPipes(t)
		l := backend.NewLinks(backend.NewHTTP(backend.HTTPOptions{Dial: p.dial}), backend.HTTPOptions{Dial: p.dial})
		defer l.Close()
		for _, spec := range specs { // the first check must find somebody
			for _, name := range spec.Targets {
				p.answers(name, status(200))
			}
		}
		if err := l.Swap(specs); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		for _, spec := range specs {
			for _, name := range spec.Targets {
				p.took(name)
			}
		}
		test(p, l)
	})
}

func via(t *testing.T, link, method string) *backend.Request {
	t.Helper()
	r := &backend.Request{Method: method, URL: parse(t, "http://app.internal/ws"), Link: link}
	if method == http.MethodPost {
		r.Body = []byte("message")
	}
	return r
}

func TestLinkTakesTurns(t *testing.T) {
	inLinks(t, []backend.Link{{Name: "main", Targets: []string{"a:1", "b:1", "c:1"}}}, func(p *pipes, l *backend.Links) {
		t := p.T

		for range 6 {
			if resp, err := l.Do(t.Context(), via(t, "main", "POST")); err != nil || resp.Status != 200 {
				t.Fatalf("got %+v, %v", resp, err)
			}
		}
		for _, addr := range []string{"a:1", "b:1", "c:1"} {
			if got := p.took(addr); got != "POST POST" {
				t.Errorf("%s took %q, want two", addr, got)
			}
		}
	})
}

// TestLinkFailsOver: a call that reached nobody goes on to the next target, and the dead one is left out for a while.
func TestLinkFailsOver(t *testing.T) {
	inLinks(t, []backend.Link{{Name: "main", Targets: []string{"a:1", "b:1"}}}, func(p *pipes, l *backend.Links) {
		t := p.T

		p.set("a:1", nil)
		call := func(times int) {
			t.Helper()
			for range times {
				if _, err := l.Do(t.Context(), via(t, "main", "POST")); err != nil {
					t.Fatal(err)
				}
			}
		}
		call(4)
		if got := p.dials["a:1"]; got != 1 {
			t.Errorf("the dead target was tried %d times, want once", got)
		}
		if got := p.took("b:1"); got != "POST POST POST POST" {
			t.Errorf("the other one took %q", got)
		}
		p.answers("a:1", status(200))
		time.Sleep(11 * time.Second)
		call(4)
		if a, b := p.took("a:1"), p.took("b:1"); a != "POST POST" || b != "POST POST" {
			t.Errorf("once it is back they took %q and %q", a, b)
		}
	})
}

// TestLinkNeverRepeats: what a target may have read is not sent again, unless it only reads.
func TestLinkNeverRepeats(t *testing.T) {
	for name, tt := range map[string]struct {
		method string
		answer string
		again  bool
	}{
		"reset, POST":              {"POST", "", false},
		"reset, DELETE":            {"DELETE", "", false},
		"reset, GET":               {"GET", "", true},
		"broken answer, POST":      {"POST", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab", false},
		"no HTTP, POST":            {"POST", "hello\r\n\r\n", false},
		"an error is an answer":    {"POST", status(503), false},
		"a redirect is an answer":  {"GET", "HTTP/1.1 302 Found\r\nLocation: http://other.example/\r\nContent-Length: 0\r\n\r\n", false},
		"switching protocols, GET": {"GET", "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", true},
	} {
		t.Run(name, func(t *testing.T) {
			inLinks(t, []backend.Link{{Name: "main", Targets: []string{"a:1", "b:1"}}}, func(p *pipes, l *backend.Links) {
				t := p.T

				p.answers("b:1", tt.answer) // the second target is the first to be called
				if tt.answer != "" && !strings.Contains(tt.answer, "Length: 0") {
					serve := p.peers["b:1"]
					p.set("b:1", func(c net.Conn) { time.AfterFunc(time.Second, func() { _ = c.Close() }); serve(c) })
				}
				_, err := l.Do(t.Context(), via(t, "main", tt.method))
				failed := err != nil
				if a, b := p.took("a:1"), p.took("b:1"); b != tt.method || (a == tt.method) != tt.again || a != "" && !tt.again {
					t.Errorf("the targets took %q and %q", b, a)
				}
				if want := !tt.again && !strings.Contains(tt.answer, "Length: 0"); failed != want {
					t.Errorf("got %v", err)
				}
				if failed && apigw.KindOf(err) != apigw.KindIntegrationFailure {
					t.Errorf("kind %d", apigw.KindOf(err))
				}
			})
		})
	}
}

func TestLinkTimeouts(t *testing.T) {
	t.Run("hangs", func(t *testing.T) {
		inLinks(t, []backend.Link{{Name: "main", Targets: []string{"a:1", "b:1"}}}, func(p *pipes, l *backend.Links) {
			t := p.T

			p.set("b:1", hangs)
			failures := 0
			for range 8 {
				_, err := l.Do(within(t, 3*time.Second), via(t, "main", "POST"))
				if err != nil {
					failures++
					if apigw.KindOf(err) != apigw.KindIntegrationTimeout || !strings.Contains(err.Error(), "VPC link main: target b:1: POST http://app.internal/ws") {
						t.Errorf("got %v", err)
					}
				}
			}
			if failures != 2 { // in a row take it out
				t.Errorf("%d calls hung, want 2", failures)
			}
		})
	})
	t.Run("black hole", func(t *testing.T) {
		inLinks(t, []backend.Link{{Name: "main", Targets: []string{"a:1", "black:1"}}}, func(p *pipes, l *backend.Links) {
			t := p.T

			start := time.Now()
			for range 4 {
				if _, err := l.Do(within(t, patience), via(t, "main", "POST")); err != nil {
					t.Error(err)
				}
			}
			if took := time.Since(start); took != 2*time.Second {
				t.Errorf("four calls took %s, want one connect time-out of 2 s", took)
			}
		})
	})
	t.Run("cancelled", func(t *testing.T) {
		inLinks(t, []backend.Link{{Name: "main", Targets: []string{"a:1", "b:1"}}}, func(p *pipes, l *backend.Links) {
			t := p.T

			p.set("b:1", hangs)
			for range 6 { // b's turn three times: none counts against it
				ctx, cancel := context.WithCancelCause(t.Context())
				time.AfterFunc(time.Second, func() { cancel(errors.New("shutting down")) })
				if _, err := l.Do(ctx, via(t, "main", "POST")); err != nil && apigw.KindOf(err) != apigw.KindIntegrationFailure {
					t.Errorf("got %v", err)
				}
			}
			if got := p.took("a:1"); got != "POST POST POST" {
				t.Errorf("the other target took %q", got)
			}
		})
	})
}

// TestLinkAllDown: while nobody is healthy everybody is tried.
func TestLinkAllDown(t *testing.T) {
	inLinks(t, []backend.Link{{Name: "main", Targets: []string{"a:1", "b:1"}}}, func(p *pipes, l *backend.Links) {
		t := p.T

		p.set("a:1", nil)
		p.set("b:1", nil)
		for range 2 {
			_, err := l.Do(t.Context(), via(t, "main", "POST"))
			if apigw.KindOf(err) != apigw.KindIntegrationFailure || !strings.Contains(err.Error(), "target a:1: ") || !strings.Contains(err.Error(), "target b:1: ") {
				t.Errorf("got %v", err)
			}
		}
		p.answers("b:1", status(200))
		if _, err := l.Do(t.Context(), via(t, "main", "POST")); err != nil {
			t.Errorf("got %v", err)
		}
	})
}

func TestLinkHealthChecks(t *testing.T) {
	check := &backend.HealthCheck{Path: "/up", Interval: 5 * time.Second, Timeout: time.Second, Healthy: 3, Unhealthy: 2}
	inLinks(t, []backend.Link{{Name: "main", Targets: []string{"a:1", "b:1"}, Check: check}}, func(p *pipes, l *backend.Links) {
		t := p.T

		var got []string
		rounds := func(n int) { time.Sleep(time.Duration(n)*check.Interval + time.Second/2); synctest.Wait() }
		calls := func() string {
			p.took("a:1")
			p.took("b:1")
			for range 2 {
				if _, err := l.Do(t.Context(), via(t, "main", "POST")); err != nil {
					t.Error(err)
				}
			}
			return "a " + p.took("a:1") + ", b " + p.took("b:1")
		}
		got = append(got, calls())
		p.answers("b:1", status(500)) // kept connections are answered as before: checks make their own
		rounds(1)
		got = append(got, "once: "+calls())
		rounds(1)
		got = append(got, "twice: "+calls())
		p.answers("b:1", status(302))
		rounds(2)
		got = append(got, "back twice: "+calls())
		rounds(1)
		got = append(got, "back three times: "+calls())
		p.set("b:1", hangs)
		rounds(3)
		got = append(got, "hangs: "+calls())
		want := []string{
			"a POST, b POST", "once: a POST, b POST", "twice: a POST POST, b ", "back twice: a POST POST, b ", "back three times: a POST, b POST",
			"hangs: a POST POST, b ",
		}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("got %q, want %q", got[i], want[i])
			}
		}
	})
}

// TestLinkRefusedUnderChecks: a target that refused a call stays out until its checks say otherwise.
func TestLinkRefusedUnderChecks(t *testing.T) {
	inLinks(t, []backend.Link{{Name: "main", Targets: []string{"a:1", "b:1"}, Check: &backend.HealthCheck{}}}, func(p *pipes, l *backend.Links) {
		t := p.T

		p.set("b:1", nil)
		call := func() {
			t.Helper()
			if _, err := l.Do(t.Context(), via(t, "main", "POST")); err != nil {
				t.Fatal(err)
			}
		}
		call()
		p.answers("b:1", status(200))
		call()
		call()
		if got := p.took("b:1"); got != "" {
			t.Errorf("it took %q at once", got)
		}
		time.Sleep(21 * time.Second) // two checks, which here are connects
		synctest.Wait()
		call()
		call()
		if got := p.took("b:1"); got != "POST" {
			t.Errorf("after two checks it took %q", got)
		}
	})
}

// TestLinkSwap: what did not change keeps its health, what went away is checked no more.
func TestLinkSwap(t *testing.T) {
	check := &backend.HealthCheck{Interval: time.Second}
	kept := backend.Link{Name: "kept", Targets: []string{"a:1", "b:1"}}
	inLinks(t, []backend.Link{kept, {Name: "gone", Targets: []string{"c:1"}, Check: check}}, func(p *pipes, l *backend.Links) {
		t := p.T

		p.set("b:1", nil)
		if _, err := l.Do(t.Context(), via(t, "kept", "POST")); err != nil { // b is out now
			t.Fatal(err)
		}
		for name, bad := range map[string]backend.Link{
			"it has 0 targets": {Name: "kept"}, "want a host and a port": {Name: "kept", Targets: []string{"a"}},
		} {
			if err := l.Swap([]backend.Link{bad}); err == nil || !strings.Contains(err.Error(), "VPC link kept: ") || !strings.Contains(err.Error(), name) {
				t.Errorf("got %v, want …%s…", err, name)
			}
		}
		if err := l.Swap([]backend.Link{kept}); err != nil {
			t.Fatal(err)
		}
		before, checks := p.dials["b:1"], p.dials["c:1"]
		if _, err := l.Do(t.Context(), via(t, "kept", "POST")); err != nil {
			t.Fatal(err)
		}
		if _, err := l.Do(t.Context(), via(t, "kept", "POST")); err != nil || p.dials["b:1"] != before {
			t.Errorf("%v; the dead target was tried %d times more", err, p.dials["b:1"]-before)
		}
		time.Sleep(10 * time.Second)
		if p.dials["c:1"] != checks {
			t.Errorf("the removed link was checked %d times more", p.dials["c:1"]-checks)
		}
		if _, err := l.Do(t.Context(), via(t, "gone", "POST")); apigw.KindOf(err) != apigw.KindIntegrationConfig || !strings.Contains(err.Error(), `no VPC link "gone"`) {
			t.Errorf("got %v", err)
		}
	})
}

// TestLinkNames: the integration's URL says the Host header and whom the certificate is for; the target says where to,
// and may say in which scheme.
func TestLinkNames(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := ""
		if r.TLS != nil {
			name = r.TLS.ServerName
		}
		_, _ = io.WriteString(w, r.Host+r.RequestURI+" "+name)
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	plain := newTestServer(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Host+r.RequestURI) })
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate()) // which is for example.com
	direct := newTestHTTP(t, backend.HTTPOptions{})
	l := backend.NewLinks(direct, backend.HTTPOptions{RootCAs: roots})
	t.Cleanup(l.Close)
	err := l.Swap([]backend.Link{
		{Name: "pass", Targets: []string{s.Listener.Addr().String()}},
		{Name: "tls", Targets: []string{"https://" + s.Listener.Addr().String()}},
		{Name: "plain", Targets: []string{plain.URL + "/"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ link, url, want, fault string }{
		{link: "pass", url: "https://example.com/ws?x=1", want: "example.com/ws?x=1 example.com"},
		{link: "tls", url: "http://example.com:81/ws", want: "example.com:81/ws example.com"},
		{link: "plain", url: "https://app.internal/ws", want: "app.internal/ws"},
		{link: "pass", url: "https://other.example/ws", fault: "certificate is valid for"},
	} {
		resp, err := l.Do(within(t, patience), &backend.Request{Method: "POST", URL: parse(t, tt.url), Link: tt.link})
		switch {
		case tt.fault != "":
			if err == nil || !strings.Contains(err.Error(), tt.fault) {
				t.Errorf("%s over %s: got %v, want …%s…", tt.url, tt.link, err, tt.fault)
			}
		case err != nil || string(resp.Body) != tt.want:
			t.Errorf("%s over %s: got %+v, %v, want %s", tt.url, tt.link, resp, err, tt.want)
		}
	}
	if _, err := direct.Do(t.Context(), &backend.Request{Method: "POST", URL: parse(t, plain.URL), Link: "plain"}); apigw.KindOf(err) != apigw.KindIntegrationConfig {
		t.Errorf("an HTTP without links: got %v", err)
	}
	if resp, err := l.Do(within(t, patience), &backend.Request{Method: "POST", URL: parse(t, plain.URL)}); err != nil || resp.Status != 200 {
		t.Errorf("without a link: got %+v, %v", resp, err)
	}
}

// deafConn does not notice that the other side has ended the connection, as a reader that has not come to run yet.
type deafConn struct {
	*net.TCPConn
	closed chan struct{}
	once   sync.Once
}

func (c *deafConn) Read(b []byte) (int, error) {
	n, err := c.TCPConn.Read(b)
	if err != nil {
		<-c.closed
	}
	return n, err
}

func (c *deafConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.TCPConn.Close()
}

// TestLinkTargetGone: a target that ended while a connection was kept has read nothing of the next call, which goes on to
// another one at once. Without another one the call fails at once.
func TestLinkTargetGone(t *testing.T) {
	var calls atomic.Int64
	serve := func(http.ResponseWriter, *http.Request) { calls.Add(1) }
	gone, stays := httptest.NewServer(http.HandlerFunc(serve)), newTestServer(t, serve)
	options := backend.HTTPOptions{Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := (&net.Dialer{}).DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return &deafConn{TCPConn: c.(*net.TCPConn), closed: make(chan struct{})}, nil
	}}
	direct := backend.NewHTTP(options)
	l := backend.NewLinks(direct, options)
	t.Cleanup(l.Close)
	if err := l.Swap([]backend.Link{{Name: "main", Targets: []string{gone.Listener.Addr().String(), stays.Listener.Addr().String()}}}); err != nil {
		t.Fatal(err)
	}
	straight := &backend.Request{Method: "POST", URL: parse(t, gone.URL)}
	if _, err := direct.Do(within(t, patience), straight); err != nil {
		t.Fatal(err)
	}
	for i := range 4 { // each target twice
		if i == 2 {
			gone.Close()
		}
		if _, err := l.Do(within(t, patience), via(t, "main", "POST")); err != nil {
			t.Errorf("call %d: %v", i, err)
		}
	}
	if got := calls.Load(); got != 5 {
		t.Errorf("the targets took %d calls, want 5", got)
	}
	start := time.Now()
	_, err := direct.Do(within(t, patience), straight)
	if took := time.Since(start); apigw.KindOf(err) != apigw.KindIntegrationFailure || took > 2*time.Second {
		t.Errorf("directly: got %v after %s, want a refusal at once", err, took)
	}
}

func TestParseLinkTarget(t *testing.T) {
	for s, want := range map[string][2]string{
		"127.0.0.1:9001": {"", "127.0.0.1:9001"}, "http://[::1]:80/": {"http", "[::1]:80"}, "https://app.internal:443": {"https", "app.internal:443"},
	} {
		if scheme, addr, err := backend.ParseLinkTarget(s); err != nil || scheme != want[0] || addr != want[1] {
			t.Errorf("%s: got %q %q, %v", s, scheme, addr, err)
		}
	}
	for _, s := range []string{"", "app.internal", "http://app.internal", "ftp://app:21", "http://app:80/path", "http://user@app:80", ":80", "app:"} {
		if scheme, addr, err := backend.ParseLinkTarget(s); err == nil {
			t.Errorf("%s: got %q %q", s, scheme, addr)
		}
	}
}

// BenchmarkLinksDo is a call through a VPC link; BenchmarkHTTPDo is the same without.
func BenchmarkLinksDo(b *testing.B) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(200) }))
	defer s.Close()
	l := backend.NewLinks(backend.NewHTTP(backend.HTTPOptions{}), backend.HTTPOptions{})
	defer l.Close()
	if err := l.Swap([]backend.Link{{Name: "main", Targets: []string{s.Listener.Addr().String(), s.Listener.Addr().String()}}}); err != nil {
		b.Fatal(err)
	}
	r := &backend.Request{Method: "POST", URL: &url.URL{Scheme: "http", Host: "app.internal"}, Link: "main", Body: bytes.Repeat([]byte("x"), 512)}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := l.Do(b.Context(), r); err != nil {
			b.Fatal(err)
		}
	}
}
