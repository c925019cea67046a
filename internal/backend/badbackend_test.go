package backend_test

import (
	"bufio"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/backend"
)

// talk writes raw bytes, and says when it cannot.
type talk func(c net.Conn) error

func say(s string) talk { return func(c net.Conn) error { _, err := io.WriteString(c, s); return err } }

// rest waits for the end of the caller.
func rest(c net.Conn) error { _, err := io.Copy(io.Discard, c); return err }

// reset ends a connection the hard way.
func reset(c net.Conn) error {
	if tcp, ok := c.(*net.TCPConn); ok {
		return tcp.SetLinger(0)
	}
	return errors.New("no TCP connection")
}

// badServer reads a request's head and then does what it is told.
func badServer(t *testing.T, steps ...talk) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			buf := make([]byte, 4096)
			_, err = c.Read(buf)
			for _, step := range steps {
				if err == nil {
					err = step(c)
				}
			}
			_ = c.Close()
		}
	}()
	t.Cleanup(func() { _ = ln.Close(); <-done })
	return "http://" + ln.Addr().String()
}

// TestBadBackends: whatever a backend does, the call ends with an answer or a kind (spec events-and-integrations §6.2).
// What TestHTTPFaults and TestHTTPTimeouts have is not repeated here.
func TestBadBackends(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\n"
	tests := map[string]struct {
		steps []talk
		kind  apigw.Kind // zero: want is the body
		want  string
	}{
		"reset before the head":      {[]talk{reset}, apigw.KindIntegrationFailure, "reset the connection"},
		"reset within the body":      {[]talk{say(ok + "Content-Length: 9\r\n\r\nabc"), reset}, apigw.KindIntegrationFailure, "broke off after"},
		"longer than it says":        {[]talk{say(ok + "Content-Length: 3\r\n\r\nabcdef")}, 0, "abc"},
		"length is no number":        {[]talk{say(ok + "Content-Length: many\r\n\r\nabc")}, apigw.KindIntegrationFailure, "bad Content-Length"},
		"length is negative":         {[]talk{say(ok + "Content-Length: -1\r\n\r\nabc")}, apigw.KindIntegrationFailure, "bad Content-Length"},
		"4 GB announced":             {[]talk{say(ok + "Content-Length: 4294967296\r\n\r\n"), rest}, apigw.KindIntegrationFailure, "4294967296 bytes, more than the 2048 allowed"},
		"endless head":               {[]talk{say(ok), func(c net.Conn) error { return drip(c, "X-Long: "+strings.Repeat("x", 1000)+"\r\n", 0) }}, apigw.KindIntegrationFailure, "exceeded"},
		"a head of one line":         {[]talk{say("HTTP/1.1 200 " + strings.Repeat("x", 1<<20))}, apigw.KindIntegrationFailure, ""},
		"interim answers":            {[]talk{say("HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + ok + "Content-Length: 2\r\n\r\nhi")}, 0, "hi"},
		"interim answers for ever":   {[]talk{func(c net.Conn) error { return drip(c, "HTTP/1.1 103 Early Hints\r\n\r\n", 0) }}, apigw.KindIntegrationFailure, "response headers exceeded"},
		"interim and no more":        {[]talk{say("HTTP/1.1 100 Continue\r\n\r\n")}, apigw.KindIntegrationFailure, ""},
		"status of two digits":       {[]talk{say("HTTP/1.1 20 OK\r\n\r\n")}, apigw.KindIntegrationFailure, "malformed HTTP status code"},
		"status beyond 599":          {[]talk{say("HTTP/1.1 999 Odd\r\nContent-Length: 2\r\n\r\nhi")}, 0, "hi"},
		"an older protocol":          {[]talk{say("HTTP/1.0 200 OK\r\n\r\nuntil the end")}, 0, "until the end"},
		"another protocol":           {[]talk{say("RTSP/1.0 200 OK\r\n\r\n")}, apigw.KindIntegrationFailure, "malformed HTTP version"},
		"header without a colon":     {[]talk{say(ok + "no colon here\r\n\r\n")}, apigw.KindIntegrationFailure, "malformed MIME header"},
		"chunk size is no number":    {[]talk{say(ok + "Transfer-Encoding: chunked\r\n\r\nzz\r\n")}, apigw.KindIntegrationFailure, "invalid byte in chunk length"},
		"unknown transfer encoding":  {[]talk{say(ok + "Transfer-Encoding: gzip\r\n\r\nabc")}, apigw.KindIntegrationFailure, "unsupported transfer encoding"},
		"encoding that it is not":    {[]talk{say(ok + "Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nplain")}, 0, "plain"},
		"bytes behind the answer":    {[]talk{say(ok + "Content-Length: 2\r\n\r\nhiHTTP/1.1 500 Odd\r\n\r\n")}, 0, "hi"},
		"trailers":                   {[]talk{say(ok + "Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n2\r\nhi\r\n0\r\nX-Sum: 1\r\n\r\n")}, 0, "hi"},
		"a redirect to itself":       {[]talk{say("HTTP/1.1 307 Temporary Redirect\r\nLocation: /\r\nContent-Length: 4\r\n\r\nloop")}, 0, "loop"},
		"no content, with a body":    {[]talk{say("HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\nbody")}, 0, ""},
		"chunked and a length":       {[]talk{say(ok + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n")}, 0, "hi"},
		"a proxy asks for a user":    {[]talk{say("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 2\r\n\r\nno")}, 0, "no"},
		"TLS alert instead of words": {[]talk{say("\x15\x03\x01\x00\x02\x02\x46")}, apigw.KindIntegrationFailure, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			h := newTestHTTP(t, backend.HTTPOptions{MaxBody: 2048})
			resp, err := h.Do(within(t, patience), &backend.Request{Method: "POST", URL: parse(t, badServer(t, tt.steps...)), Body: []byte("x")})
			if tt.kind == 0 {
				if err != nil || string(resp.Body) != tt.want {
					t.Errorf("got %+v, %v, want %q", resp, err, tt.want)
				}
				return
			}
			if err == nil {
				t.Fatalf("got %+v, want an error", resp)
			}
			if apigw.KindOf(err) != tt.kind || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got kind %d, %.300v, want kind %d, …%s…", apigw.KindOf(err), err, tt.kind, tt.want)
			}
		})
	}
}

// drip writes s again and again until the other side has had enough.
func drip(c net.Conn, s string, pause time.Duration) error {
	for {
		if _, err := io.WriteString(c, s); err != nil {
			return err
		}
		time.Sleep(pause)
	}
}

// TestSlowBackends: an answer that comes a byte at a time ends with the call's deadline, not later.
func TestSlowBackends(t *testing.T) {
	for name, serve := range map[string]func(net.Conn) error{
		"head": func(c net.Conn) error { return drip(c, "H", time.Second) },
		"headers": func(c net.Conn) error {
			return errors.Join(say("HTTP/1.1 200 OK\r\n")(c), drip(c, "A: b\r\n", time.Second))
		},
		"body": func(c net.Conn) error {
			return errors.Join(say("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n")(c), drip(c, "x", time.Second))
		},
		"chunks": func(c net.Conn) error {
			return errors.Join(say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")(c), drip(c, "1\r\nx\r\n", time.Second))
		},
		"trailers": func(c net.Conn) error {
			return errors.Join(say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n")(c), drip(c, "A: b\r\n", time.Second))
		},
		"nothing":          rest,
		"interim answers":  func(c net.Conn) error { return drip(c, "HTTP/1.1 102 Processing\r\n\r\n", time.Second) },
		"does not read it": func(net.Conn) error { time.Sleep(time.Minute); return nil },
	} {
		for _, discard := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, discard %t", name, discard), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					p := newPipes(t)
					p.set("slow.example:80", func(c net.Conn) {
						defer c.Close()
						if name != "does not read it" {
							if r, err := http.ReadRequest(bufio.NewReader(c)); err != nil || r.Body.Close() != nil {
								t.Error("no request came")
							}
						}
						_ = serve(c)
					})
					h := backend.NewHTTP(backend.HTTPOptions{Dial: p.dial})
					defer func() {
						h.Close()
						time.Sleep(time.Minute) // for the backend to see it
					}()
					start := time.Now()
					_, err := h.Do(within(t, 29*time.Second), &backend.Request{
						Method: "POST", URL: parse(t, "http://slow.example/"), Body: []byte("message"), DiscardBody: discard,
					})
					if took := time.Since(start); apigw.KindOf(err) != apigw.KindIntegrationTimeout || took != 29*time.Second {
						t.Errorf("got kind %d, %v after %s, want a time-out after 29 s", apigw.KindOf(err), err, took)
					}
				})
			})
		}
	}
}

// TestEndlessBody: of an answer without end no more is read than is allowed, and no more memory is taken.
func TestEndlessBody(t *testing.T) {
	var sent atomic.Int64
	s := newTestServer(t, func(w http.ResponseWriter, r *http.Request) {
		chunk := make([]byte, 64<<10)
		for sent.Load() < 4<<30 {
			n, err := w.Write(chunk)
			sent.Add(int64(n))
			if err != nil {
				return
			}
		}
	})
	for _, discard := range []bool{false, true} {
		sent.Store(0)
		h := newTestHTTP(t, backend.HTTPOptions{})
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := h.Do(within(t, 20*time.Second), &backend.Request{Method: "POST", URL: parse(t, s.URL), DiscardBody: discard})
		runtime.ReadMemStats(&after)
		if !discard && (apigw.KindOf(err) != apigw.KindIntegrationFailure || !strings.Contains(err.Error(), "bytes allowed")) || discard && err != nil {
			t.Errorf("discard %t: got %v", discard, err)
		}
		h.Close()
		s.CloseClientConnections()
		if n := sent.Load(); n > 64<<20 { // the rest lies in the sockets' buffers
			t.Errorf("discard %t: the backend got rid of %d MB", discard, n>>20)
		}
		if grown := after.TotalAlloc - before.TotalAlloc; grown > 8<<20 {
			t.Errorf("discard %t: %d KB were allocated", discard, grown>>10)
		}
	}
}

// TestHTTP2Backends: trailers are no part of the answer, and a reset stream is a failure.
func TestHTTP2Backends(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/trailers":
			w.Header().Set("Trailer", "Grpc-Status")
			_, _ = io.WriteString(w, "body")
			w.Header().Set("Grpc-Status", "0")
		case "/reset":
			panic(http.ErrAbortHandler)
		case "/half":
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "half")
		}
	}))
	s.EnableHTTP2 = true
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	h := newTestHTTP(t, backend.HTTPOptions{RootCAs: certPool(s)})
	for path, want := range map[string]string{"/trailers": "body", "/reset": "", "/half": ""} {
		resp, err := h.Do(within(t, patience), &backend.Request{Method: "POST", URL: parse(t, s.URL+path), Body: []byte("x")})
		switch {
		case want != "":
			if err != nil || string(resp.Body) != want || resp.Header.Get("Grpc-Status") != "" {
				t.Errorf("%s: got %+v, %v", path, resp, err)
			}
		case apigw.KindOf(err) != apigw.KindIntegrationFailure || err == nil:
			t.Errorf("%s: got %+v, %v", path, resp, err)
		}
	}
}

func certPool(s *httptest.Server) *x509.CertPool {
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return roots
}
