package backend_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/backend"
)

func newTestHTTP(t *testing.T, o backend.HTTPOptions) *backend.HTTP {
	t.Helper()
	h := backend.NewHTTP(o)
	t.Cleanup(h.Close)
	return h
}

func newTestServer(tb testing.TB, handler http.HandlerFunc) *httptest.Server {
	tb.Helper()
	s := httptest.NewServer(handler)
	tb.Cleanup(s.Close)
	return s
}

func parse(tb testing.TB, s string) *url.URL {
	tb.Helper()
	u, err := url.Parse(s)
	if err != nil {
		tb.Fatal(err)
	}
	return u
}

// patience is how long a call that must succeed may take, on the slowest of machines.
const patience = time.Minute

func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// The credentials of a URL are for calls that bring none of their own, however those are spelled: a backend gets one
// Authorization header.
func TestAuthorizationOnce(t *testing.T) {
	got := make(chan []string, 1)
	s := newTestServer(t, func(_ http.ResponseWriter, r *http.Request) { got <- r.Header["Authorization"] })
	h := newTestHTTP(t, backend.HTTPOptions{})
	for own, want := range map[string]string{"": "Basic YW5uOnB3", "authorization": "Bearer x", "AUTHORIZATION": "Bearer x"} {
		r := &backend.Request{Method: "GET", URL: parse(t, strings.Replace(s.URL, "http://", "http://ann:pw@", 1))}
		if own != "" {
			r.Header = apigw.Fields{{Name: own, Value: "Bearer x"}}
		}
		if _, err := h.Do(within(t, patience), r); err != nil {
			t.Fatal(err)
		}
		if values := <-got; len(values) != 1 || values[0] != want {
			t.Errorf("%q: got %q, want %q", own, values, want)
		}
	}
}

func TestHTTPDo(t *testing.T) {
	type seen struct {
		method, uri, host, agent, custom, length string
		encoding                                 []string
		body                                     string
	}
	got := make(chan seen, 1)
	s := newTestServer(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- seen{r.Method, r.RequestURI, r.Host, r.Header.Get("User-Agent"), strings.Join(r.Header["X-Custom"], "|"), r.Header.Get("Content-Length"), r.Header["Accept-Encoding"], string(body)}
		w.Header().Set("X-Answer", "yes")
		w.WriteHeader(418)
		_, _ = w.Write([]byte("tea"))
	})
	h := newTestHTTP(t, backend.HTTPOptions{})
	resp, err := h.Do(within(t, patience), &backend.Request{
		Method: "POST", URL: parse(t, s.URL+"/a%2Fb?q=1"), Body: []byte("hello"),
		Header: apigw.Fields{{Name: "user-agent", Value: "me"}, {Name: "X-Custom", Value: "1"}, {Name: "X-Custom", Value: "2"}, {Name: "Host", Value: "other.example"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if resp.Status != 418 || string(resp.Body) != "tea" || resp.Header.Get("X-Answer") != "yes" {
		t.Errorf("got %d %q %v", resp.Status, resp.Body, resp.Header)
	}
	want := seen{"POST", "/a%2Fb?q=1", "other.example", "me", "1|2", "5", nil, "hello"}
	if g := <-got; fmt.Sprint(g) != fmt.Sprint(want) {
		t.Errorf("the backend saw %+v, want %+v", g, want)
	}
}

// TestHTTPEmptyPost: a POST without a body announces its length (spec events-and-integrations §6.3).
func TestHTTPEmptyPost(t *testing.T) {
	addr, requests := rawServer(t, "HTTP/1.1 204 No Content\r\n\r\n")
	h := newTestHTTP(t, backend.HTTPOptions{})
	if _, err := h.Do(within(t, patience), &backend.Request{Method: "POST", URL: parse(t, "http://"+addr)}); err != nil {
		t.Fatal(err)
	}
	if head := <-requests; !strings.Contains(head, "\r\nContent-Length: 0\r\n") {
		t.Errorf("head = %q", head)
	}
}

// rawServer answers each connection's first request with the given bytes and closes. It hands out the request heads.
func rawServer(t *testing.T, answer string) (addr string, heads <-chan string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ch := make(chan string, 16)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			req, err := http.ReadRequest(bufio.NewReader(c))
			if err == nil {
				var head bytes.Buffer
				fmt.Fprintf(&head, "\r\nContent-Length: %d\r\n", req.ContentLength)
				ch <- head.String()
				_, _ = io.WriteString(c, answer)
			}
			_ = c.Close()
		}
	}()
	t.Cleanup(func() { _ = ln.Close(); <-done })
	return ln.Addr().String(), ch
}

func TestHTTPFaults(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := closed.Addr().String()
	_ = closed.Close()
	big := strings.Repeat("x", 3000)
	tests := map[string]struct {
		answer string // of a raw server; empty: url
		url    string
		header apigw.Fields
		kind   apigw.Kind
		want   string
	}{
		"nothing listens":          {url: "http://" + nobody + "/x?secret=1", kind: apigw.KindIntegrationFailure, want: "POST http://" + nobody + "/x: nothing listens there"},
		"no URL":                   {url: "/x", kind: apigw.KindIntegrationConfig, want: "not an absolute http or https URL"},
		"another scheme":           {url: "ftp://127.0.0.1/", kind: apigw.KindIntegrationConfig, want: "not an absolute http or https URL"},
		"header with a line break": {url: "http://" + nobody, header: apigw.Fields{{Name: "X-A", Value: "a\r\nX-B: b"}}, kind: apigw.KindIntegrationConfig, want: "header X-A: its value holds control characters"},
		"header name with a blank": {url: "http://" + nobody, header: apigw.Fields{{Name: "X A", Value: "a"}}, kind: apigw.KindIntegrationFailure, want: "invalid header field name"},
		"no answer":                {answer: " ", kind: apigw.KindIntegrationFailure, want: ""},
		"not HTTP":                 {answer: "SSH-2.0-x\r\n\r\n", kind: apigw.KindIntegrationFailure, want: "malformed HTTP response"},
		"short body":               {answer: "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", kind: apigw.KindIntegrationFailure, want: "the backend's answer broke off after 3 of the 10 bytes it announced"},
		"short chunk":              {answer: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc", kind: apigw.KindIntegrationFailure, want: "the backend's answer broke off after 3 bytes"},
		"too large, announced":     {answer: "HTTP/1.1 200 OK\r\nContent-Length: 3000\r\n\r\n" + big, kind: apigw.KindIntegrationFailure, want: "has 3000 bytes, more than the 2048 allowed"},
		"too large":                {answer: "HTTP/1.1 200 OK\r\n\r\n" + big, kind: apigw.KindIntegrationFailure, want: "more than the 2048 bytes allowed"},
		"two lengths":              {answer: "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", kind: apigw.KindIntegrationFailure, want: "Content-Length"},
		"switching protocols":      {answer: "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n", kind: apigw.KindIntegrationFailure, want: "101 Switching Protocols"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			h := newTestHTTP(t, backend.HTTPOptions{MaxBody: 2048})
			to := tt.url
			if tt.answer != "" {
				addr, _ := rawServer(t, tt.answer)
				to = "http://" + addr
			}
			resp, err := h.Do(within(t, patience), &backend.Request{Method: "POST", URL: parse(t, to), Header: tt.header})
			if err == nil {
				t.Fatalf("got %+v, want an error", resp)
			}
			if apigw.KindOf(err) != tt.kind || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got kind %d, %v, want kind %d, …%s…", apigw.KindOf(err), err, tt.kind, tt.want)
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("the error shows the query: %v", err)
			}
		})
	}
}

func TestHTTPDiscardBody(t *testing.T) {
	s := newTestServer(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(403)
		_, _ = w.Write(bytes.Repeat([]byte("x"), 10_000))
	})
	h := newTestHTTP(t, backend.HTTPOptions{MaxBody: 2048})
	resp, err := h.Do(within(t, patience), &backend.Request{Method: "GET", URL: parse(t, s.URL), DiscardBody: true})
	if err != nil || resp.Status != 403 || resp.Body != nil {
		t.Errorf("got %+v, %v", resp, err)
	}
}

func TestHTTPTimeouts(t *testing.T) {
	release := make(chan struct{})
	s := newTestServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/body" {
			w.Header().Set("Content-Length", "2")
			_, _ = w.Write([]byte("a"))
			w.(http.Flusher).Flush()
		}
		<-release
	})
	silent, err := net.Listen("tcp", "127.0.0.1:0") // accepts nothing: TLS gets no answer
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { close(release); _ = silent.Close() })
	short := 20 * time.Millisecond
	tests := map[string]struct {
		options backend.HTTPOptions
		url     string
		limit   time.Duration
	}{
		"deadline before the head":    {url: s.URL, limit: short},
		"deadline within the body":    {url: s.URL + "/body", limit: short},
		"response header time-out":    {options: backend.HTTPOptions{ResponseHeaderTimeout: short}, url: s.URL, limit: 10 * time.Second},
		"TLS handshake time-out":      {options: backend.HTTPOptions{TLSHandshakeTimeout: short}, url: "https://" + silent.Addr().String(), limit: 10 * time.Second},
		"deadline in a TLS handshake": {url: "https://" + silent.Addr().String(), limit: short},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			h := newTestHTTP(t, tt.options)
			_, err := h.Do(within(t, tt.limit), &backend.Request{Method: "POST", URL: parse(t, tt.url), DiscardBody: false})
			if apigw.KindOf(err) != apigw.KindIntegrationTimeout {
				t.Errorf("got %v (kind %d)", err, apigw.KindOf(err))
			}
		})
	}
	t.Run("cancelled", func(t *testing.T) {
		cause := errors.New("shutting down")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(short, func() { cancel(cause) })
		_, err := newTestHTTP(t, backend.HTTPOptions{}).Do(ctx, &backend.Request{Method: "POST", URL: parse(t, s.URL)})
		if apigw.KindOf(err) != apigw.KindIntegrationFailure || !errors.Is(err, cause) {
			t.Errorf("got %v", err)
		}
	})
}

// TestHTTPBoundsConnections: past the bound a call waits for a place, as long as its context lets it.
func TestHTTPBoundsConnections(t *testing.T) {
	arrived, release := make(chan struct{}, 2), make(chan struct{})
	s := newTestServer(t, func(http.ResponseWriter, *http.Request) {
		arrived <- struct{}{}
		<-release
	})
	h := newTestHTTP(t, backend.HTTPOptions{MaxConnsPerHost: 1})
	r := &backend.Request{Method: "POST", URL: parse(t, s.URL)}
	first := make(chan error, 1)
	go func() {
		_, err := h.Do(within(t, patience), r)
		first <- err
	}()
	<-arrived
	_, err := h.Do(within(t, 20*time.Millisecond), r)
	if apigw.KindOf(err) != apigw.KindIntegrationTimeout || len(arrived) != 0 {
		t.Errorf("the second call: %v, arrived %d times", err, len(arrived))
	}
	close(release)
	if err := <-first; err != nil {
		t.Errorf("the first call: %v", err)
	}
}

func TestHTTPFollowsNoRedirect(t *testing.T) {
	s := newTestServer(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) })
	resp, err := newTestHTTP(t, backend.HTTPOptions{}).Do(within(t, patience), &backend.Request{Method: "GET", URL: parse(t, s.URL)})
	if err != nil || resp.Status != http.StatusFound {
		t.Errorf("got %+v, %v", resp, err)
	}
}

func TestHTTPIgnoresEnvironmentProxy(t *testing.T) {
	// net/http's reader of the environment makes an exception of loopback names, so the host is another one.
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	s := newTestServer(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.RequestURI) })
	proxy := parse(t, s.URL)
	h := newTestHTTP(t, backend.HTTPOptions{Proxy: func(*http.Request) (*url.URL, error) { return proxy, nil }})
	resp, err := h.Do(within(t, patience), &backend.Request{Method: "GET", URL: parse(t, "http://somewhere.invalid/x")})
	if err != nil || string(resp.Body) != "http://somewhere.invalid/x" {
		t.Errorf("through the chosen proxy: %+v, %v", resp, err)
	}
	_, err = newTestHTTP(t, backend.HTTPOptions{}).Do(within(t, patience), &backend.Request{Method: "GET", URL: parse(t, "http://[::ffff:7f00:2]:1/x")})
	if err == nil || strings.Contains(err.Error(), "proxyconnect") || strings.Contains(err.Error(), "127.0.0.1:1") {
		t.Errorf("got %v, want a direct dial", err)
	}
}

func TestHTTPVerifiesTLSAndSpeaksHTTP2(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Proto) }))
	s.EnableHTTP2 = true
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	req := &backend.Request{Method: "POST", URL: parse(t, s.URL), Body: []byte("x")}
	if _, err := newTestHTTP(t, backend.HTTPOptions{}).Do(within(t, patience), req); apigw.KindOf(err) != apigw.KindIntegrationFailure || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("unknown authority: got %v", err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	resp, err := newTestHTTP(t, backend.HTTPOptions{RootCAs: roots}).Do(within(t, patience), req)
	if err != nil || string(resp.Body) != "HTTP/2.0" {
		t.Errorf("got %+v, %v", resp, err)
	}
}

func TestHTTPUserInfo(t *testing.T) {
	s := newTestServer(t, func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		_, _ = io.WriteString(w, user+"/"+password)
	})
	u := parse(t, s.URL)
	u.User = url.UserPassword("ann", "s3cret")
	resp, err := newTestHTTP(t, backend.HTTPOptions{}).Do(within(t, patience), &backend.Request{Method: "GET", URL: u})
	if err != nil || string(resp.Body) != "ann/s3cret" {
		t.Errorf("got %+v, %v", resp, err)
	}
}

// TestHTTPStaleConnections: a backend that closes idle connections must not cost a message. Each round waits until the
// server has closed, but not until the client has noticed.
func TestHTTPStaleConnections(t *testing.T) {
	for name, start := range map[string]func(*httptest.Server){"plain": (*httptest.Server).Start, "TLS": (*httptest.Server).StartTLS} {
		t.Run(name, func(t *testing.T) {
			var calls atomic.Int64
			s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				calls.Add(1)
				_, _ = w.Write(body)
			}))
			closed := make(chan struct{}, 1)
			s.Config.IdleTimeout = time.Millisecond
			s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
				if state == http.StateClosed {
					closed <- struct{}{}
				}
			}
			start(s)
			t.Cleanup(s.Close)
			roots := x509.NewCertPool()
			if s.Certificate() != nil {
				roots.AddCert(s.Certificate())
			}
			h := newTestHTTP(t, backend.HTTPOptions{RootCAs: roots})
			const rounds = 40
			for i := range rounds {
				resp, err := h.Do(within(t, patience), &backend.Request{Method: "POST", URL: parse(t, s.URL), Body: []byte("message")})
				if err != nil || string(resp.Body) != "message" {
					t.Fatalf("call %d: %+v, %v", i, resp, err)
				}
				<-closed
			}
			if got := calls.Load(); got != rounds {
				t.Errorf("the backend got %d calls, want %d", got, rounds)
			}
		})
	}
}

func TestHTTPKeepsConnections(t *testing.T) {
	conns := make(chan struct{}, 100)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write(bytes.Repeat([]byte("x"), 1500))
	}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			conns <- struct{}{}
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	h := newTestHTTP(t, backend.HTTPOptions{})
	for i := range 20 {
		if _, err := h.Do(within(t, patience), &backend.Request{Method: "POST", URL: parse(t, s.URL), DiscardBody: i%2 == 0}); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(conns); n != 1 {
		t.Errorf("20 calls in turn took %d connections, want 1", n)
	}
}

func BenchmarkHTTPDo(b *testing.B) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(200) }))
	defer s.Close()
	h := backend.NewHTTP(backend.HTTPOptions{})
	defer h.Close()
	u, err := url.Parse(s.URL)
	if err != nil {
		b.Fatal(err)
	}
	r := &backend.Request{Method: "POST", URL: u, Body: bytes.Repeat([]byte("x"), 512), Header: apigw.Fields{{Name: "User-Agent", Value: "x"}}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := h.Do(b.Context(), r); err != nil {
			b.Fatal(err)
		}
	}
}
