package listen_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"cleat/internal/apigw"
	"cleat/internal/listen"
	"cleat/internal/testkit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// wait is the longest that anything in these tests may take.
const wait = 10 * time.Second

// server is a Server that runs until its test ends.
type server struct {
	*listen.Server

	stop func() error // ends Run and returns its error, once
}

func start(t *testing.T, o listen.Options) server {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return startOn(t, ln, o)
}

func startOn(t *testing.T, ln net.Listener, o listen.Options) server {
	t.Helper()
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.ShutdownTimeout == 0 {
		o.ShutdownTimeout = time.Second
	}
	s := listen.New(ln, o)
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- s.Run(ctx) }()
	stop := sync.OnceValue(func() error {
		cancel()
		select {
		case err := <-ran:
			return err
		case <-time.After(wait):
			return errors.New("Run does not return")
		}
	})
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return server{Server: s, stop: stop}
}

func (s server) dial(t *testing.T) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(wait)); err != nil {
		t.Fatal(err)
	}
	return c
}

func write(t *testing.T, c net.Conn, s string) {
	t.Helper()
	if _, err := io.WriteString(c, s); err != nil {
		t.Fatal(err)
	}
}

// answerOn reads one answer with its body.
func answerOn(t *testing.T, c net.Conn) (*http.Response, string) {
	t.Helper()
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(body)
}

func text(s string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, s) })
}

// pair is a server's and a client's side of TLS with each other.
func pair(t *testing.T) (serverSide func(net.Conn) net.Conn, clientSide *tls.Config) {
	t.Helper()
	cert, pool := newCertificate(t)
	cfg := &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"http/1.1"}, MinVersion: tls.VersionTLS12}
	return func(c net.Conn) net.Conn { return tls.Server(c, cfg) }, &tls.Config{RootCAs: pool, ServerName: "localhost", MinVersion: tls.VersionTLS12}
}

func TestPlainAndTLSOnOnePort(t *testing.T) {
	t.Parallel()
	serverSide, clientSide := pair(t)
	s := start(t, listen.Options{TLS: serverSide, Plain: true, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, "%s TLS:%v", r.Proto, r.TLS != nil)
	})})
	plain := s.dial(t)
	write(t, plain, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	if _, body := answerOn(t, plain); body != "HTTP/1.1 TLS:false" {
		t.Errorf("plain: %q", body)
	}
	clientSide.NextProtos = []string{"h2", "http/1.1"}
	secure := tls.Client(s.dial(t), clientSide)
	write(t, secure, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	if _, body := answerOn(t, secure); body != "HTTP/1.1 TLS:true" {
		t.Errorf("TLS: %q", body)
	}
	// The connection is kept for a next request.
	write(t, secure, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
	if res, _ := answerOn(t, secure); res.StatusCode != http.StatusOK {
		t.Errorf("second request: %s", res.Status)
	}
}

func TestTLSOnlyTellsPlainClients(t *testing.T) {
	t.Parallel()
	serverSide, _ := pair(t)
	s := start(t, listen.Options{TLS: serverSide, Handler: text("never")})
	c := s.dial(t)
	write(t, c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	if res, body := answerOn(t, c); res.StatusCode != http.StatusBadRequest || !strings.Contains(body, "HTTPS") {
		t.Errorf("answer %s %q", res.Status, body)
	}
	// What is neither TLS nor HTTP gets no answer beyond TLS's own.
	c = s.dial(t)
	write(t, c, "\x00\x01\x02\x03\x04\x05\x06\x07")
	if b, err := io.ReadAll(c); err == nil && strings.Contains(string(b), "HTTP") {
		t.Errorf("answer %q", b)
	}
}

func TestHTTP2IsNotSpoken(t *testing.T) {
	t.Parallel()
	s := start(t, listen.Options{Handler: text("never")})
	c := s.dial(t)
	write(t, c, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
	if res, _ := answerOn(t, c); res.StatusCode != http.StatusHTTPVersionNotSupported {
		t.Errorf("answer %s", res.Status)
	}
}

func TestHijackGetsTheBareConnection(t *testing.T) {
	t.Parallel()
	serverSide, clientSide := pair(t)
	type taken struct {
		c        net.Conn
		buffered string
		fields   apigw.Fields
	}
	got := make(chan taken, 1)
	s := start(t, listen.Options{TLS: serverSide, Plain: true, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fields := listen.Fields(r)
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		b, err := rw.Peek(rw.Reader.Buffered())
		if err != nil {
			t.Error(err)
		}
		got <- taken{c, string(b), fields}
	})})
	dials := map[string]struct {
		dial func() net.Conn
		bare func(net.Conn) bool
	}{
		"plain": {
			func() net.Conn { return s.dial(t) },
			func(c net.Conn) bool { _, ok := c.(*net.TCPConn); return ok },
		},
		"TLS": {func() net.Conn { return tls.Client(s.dial(t), clientSide) }, func(c net.Conn) bool {
			tc, ok := c.(*tls.Conn)
			if !ok {
				return false
			}
			below, ok := tc.NetConn().(interface{ NetConn() net.Conn })
			if !ok {
				return false
			}
			_, ok = below.NetConn().(*net.TCPConn)
			return ok
		}},
	}
	for name, d := range dials {
		client := d.dial()
		// A frame that came with the handshake belongs to whoever takes over.
		write(t, client, handshake()+"\x81\x00early")
		h := <-got
		if !d.bare(h.c) {
			t.Errorf("%s: hijacked a %T", name, h.c)
		}
		if v, _ := h.fields.Last("Sec-WebSocket-Key"); v != testKey {
			t.Errorf("%s: fields %q", name, h.fields)
		}
		// What was not buffered yet is still to be read, and nothing is lost in between.
		rest := make([]byte, len("\x81\x00early")-len(h.buffered))
		if _, err := io.ReadFull(h.c, rest); err != nil || h.buffered+string(rest) != "\x81\x00early" {
			t.Errorf("%s: %q and %q, %v", name, h.buffered, rest, err)
		}
		write(t, h.c, "hello")
		b := make([]byte, 5)
		if _, err := io.ReadFull(client, b); err != nil || string(b) != "hello" {
			t.Errorf("%s: client read %q, %v", name, b, err)
		}
		_ = h.c.Close()
	}
}

func TestHijackedOutlivesTheServer(t *testing.T) {
	t.Parallel()
	got := make(chan net.Conn, 1)
	s := start(t, listen.Options{MaxConns: 1, Handler: hijackTo(got)})
	client := s.dial(t)
	write(t, client, handshake())
	server := <-got
	defer server.Close()
	// It has left the count of one.
	next := s.dial(t)
	write(t, next, handshake())
	defer (<-got).Close()
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	write(t, server, "x")
	if _, err := io.ReadFull(client, make([]byte, 1)); err != nil {
		t.Errorf("after the server's end: %v", err)
	}
}

func hijackTo(got chan<- net.Conn) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		c, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			got <- c
		}
	})
}

func TestHeadLimit(t *testing.T) {
	t.Parallel()
	s := start(t, listen.Options{Handler: text("ok")})
	for size, want := range map[int]int{10240: http.StatusOK, 20000: http.StatusRequestHeaderFieldsTooLarge} {
		c := s.dial(t)
		write(t, c, "GET / HTTP/1.1\r\nHost: a\r\nX-Big: "+strings.Repeat("a", size)+"\r\n\r\n")
		if res, _ := answerOn(t, c); res.StatusCode != want {
			t.Errorf("a header of %d bytes: %s, want %d", size, res.Status, want)
		}
	}
}

func TestSlowClientsAreCutOff(t *testing.T) {
	t.Parallel()
	serverSide, _ := pair(t)
	s := start(t, listen.Options{
		TLS: serverSide, Plain: true, Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }),
		HandshakeTimeout: 50 * time.Millisecond, BodyTimeout: 50 * time.Millisecond, IdleTimeout: 50 * time.Millisecond,
	})
	for name, sent := range map[string]string{
		"no byte":             "",
		"a byte of TLS":       "\x16",
		"part of a TLS hello": "\x16\x03\x01\x02\x00\x01\x00",
		"part of a head":      "GET / HTTP/1.1\r\nHost: a\r\nX",
		"part of a body":      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc",
		"no second request":   "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := s.dial(t)
			write(t, c, sent)
			begin := time.Now()
			if _, err := io.ReadAll(c); errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("still open after %s", time.Since(begin))
			}
		})
	}
}

func TestClientsThatDoNotReadAreCutOff(t *testing.T) {
	t.Parallel()
	ended := make(chan error, 1)
	s := start(t, listen.Options{WriteTimeout: 50 * time.Millisecond, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, err := w.Write(make([]byte, 64<<20))
		ended <- err
	})})
	c := s.dial(t)
	write(t, c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	select {
	case err := <-ended:
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Write: %v, want a time-out", err)
		}
	case <-time.After(wait):
		t.Error("the handler still writes")
	}
}

func TestLongAnswers(t *testing.T) {
	t.Parallel()
	serverSide, clientSide := pair(t)
	long := strings.Repeat("0123456789abcdef", 32<<10)
	s := start(t, listen.Options{TLS: serverSide, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.Copy(w, strings.NewReader(long[:1000]))
		w.(http.Flusher).Flush()
		_, _ = io.WriteString(w, long[1000:])
	})})
	c := tls.Client(s.dial(t), clientSide)
	write(t, c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	if _, body := answerOn(t, c); body != long {
		t.Errorf("%d bytes came, want %d", len(body), len(long))
	}
}

// TestStalledHandshakesHoldUpNobody fills the single turn with clients that stop in the middle of TLS.
func TestStalledHandshakesHoldUpNobody(t *testing.T) {
	t.Parallel()
	serverSide, clientSide := pair(t)
	s := start(t, listen.Options{TLS: serverSide, MaxHandshakes: 1, Handler: text("ok"), HandshakeTimeout: wait})
	for range 20 {
		write(t, s.dial(t), "\x16\x03\x01\x02\x00\x01\x00\x01")
	}
	c := tls.Client(s.dial(t), clientSide)
	write(t, c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	if res, _ := answerOn(t, c); res.StatusCode != http.StatusOK {
		t.Errorf("answer %s", res.Status)
	}
}

// TestHandshakesTakeTurns lets many handshakes run and counts how many compute at a time.
func TestHandshakesTakeTurns(t *testing.T) {
	t.Parallel()
	cert, pool := newCertificate(t)
	var at, most atomic.Int32
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		now := at.Add(1)
		defer at.Add(-1)
		for old := most.Load(); now > old && !most.CompareAndSwap(old, now); old = most.Load() {
		}
		time.Sleep(2 * time.Millisecond) // stands for the signature; a turn is held all along
		return &cert, nil
	}}
	s := start(t, listen.Options{TLS: func(c net.Conn) net.Conn { return tls.Server(c, cfg) }, MaxHandshakes: 2, Handler: text("ok")})
	var clients sync.WaitGroup
	for range 16 {
		clients.Go(func() {
			c, err := tls.Dial("tcp", s.Addr().String(), &tls.Config{RootCAs: pool, ServerName: "localhost", MinVersion: tls.VersionTLS12})
			if err != nil {
				t.Error(err)
				return
			}
			_ = c.Close()
		})
	}
	clients.Wait()
	if got := most.Load(); got > 2 {
		t.Errorf("%d handshakes computed at a time, want 2 at most", got)
	}
}

func TestWrongTLSOption(t *testing.T) {
	t.Parallel()
	s := start(t, listen.Options{TLS: func(c net.Conn) net.Conn { return c }, Handler: text("never")})
	c := s.dial(t)
	write(t, c, "\x16")
	if b, _ := io.ReadAll(c); len(b) != 0 {
		t.Errorf("answer %q", b)
	}
}

func TestInject(t *testing.T) {
	t.Parallel()
	serverSide, clientSide := pair(t)
	s := start(t, listen.Options{TLS: serverSide, Plain: true, Handler: text("inside")})
	outer := s.dial(t) // Run is at work once it has answered
	write(t, outer, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	answerOn(t, outer)
	ours, theirs := testkit.TCPPair(t)
	s.Inject(ours)
	c := tls.Client(theirs, clientSide)
	write(t, c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	if _, body := answerOn(t, c); body != "inside" {
		t.Errorf("body %q", body)
	}
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	ours, theirs = testkit.TCPPair(t)
	s.Inject(ours)
	if _, err := theirs.Read(make([]byte, 1)); err == nil {
		t.Error("a connection injected after the end is open")
	}
}

func TestPanicEndsTheConnectionOnly(t *testing.T) {
	t.Parallel()
	logged := newLog()
	s := start(t, listen.Options{Log: logged.logger(), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/panic" {
			panic("boom")
		}
	})})
	c := s.dial(t)
	write(t, c, "GET /panic HTTP/1.1\r\nHost: a\r\n\r\n")
	if b, err := io.ReadAll(c); err != nil || len(b) != 0 {
		t.Errorf("answer %q, %v", b, err)
	}
	if !logged.has("panic in a handler") || !logged.has("boom") {
		t.Errorf("log %q", logged.String())
	}
	c = s.dial(t)
	write(t, c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	if res, _ := answerOn(t, c); res.StatusCode != http.StatusOK {
		t.Errorf("afterwards: %s", res.Status)
	}
}

func TestShutdownWaitsForRequests(t *testing.T) {
	t.Parallel()
	begun, finish := make(chan struct{}), make(chan struct{})
	s := start(t, listen.Options{ShutdownTimeout: wait, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(begun)
		<-listen.Draining(r)
		<-finish
		if r.Context().Err() != nil {
			t.Error("the context ended before the request")
		}
		_, _ = io.WriteString(w, "done")
	})})
	busy, silent, idle := s.dial(t), s.dial(t), s.dial(t)
	_ = idle
	write(t, busy, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	<-begun
	ended := make(chan error, 1)
	go func() { ended <- s.stop() }()
	// A connection without a request is closed at once, and no new one comes in.
	if _, err := silent.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("silent connection: %v", err)
	}
	select {
	case err := <-ended:
		t.Fatalf("Run returned before the request had ended: %v", err)
	default:
	}
	close(finish)
	if _, body := answerOn(t, busy); body != "done" {
		t.Errorf("body %q", body)
	}
	if err := <-ended; err != nil {
		t.Errorf("Run: %v", err)
	}
}

func TestShutdownCutsOff(t *testing.T) {
	t.Parallel()
	begun := make(chan struct{})
	s := start(t, listen.Options{ShutdownTimeout: 20 * time.Millisecond, Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(begun)
		<-r.Context().Done()
	})})
	c := s.dial(t)
	write(t, c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	<-begun
	if err := s.stop(); err != nil {
		t.Errorf("Run: %v", err)
	}
	if _, err := io.ReadAll(c); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the connection is still open")
	}
}

func TestShutdownReportsStubbornHandlers(t *testing.T) {
	t.Parallel()
	begun, finish := make(chan struct{}), make(chan struct{})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := listen.New(ln, listen.Options{Log: slog.New(slog.DiscardHandler), ShutdownTimeout: time.Millisecond, Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(begun)
		<-finish
	})})
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- s.Run(ctx) }()
	c := server{Server: s}.dial(t)
	write(t, c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	<-begun
	cancel()
	if err := <-ran; err == nil || !strings.Contains(err.Error(), "1 handlers still run") {
		t.Errorf("Run: %v", err)
	}
	close(finish)
}

func TestRunOnce(t *testing.T) {
	t.Parallel()
	s := start(t, listen.Options{Handler: text("ok")})
	c := s.dial(t)
	write(t, c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	answerOn(t, c)
	if err := s.Run(context.Background()); err == nil {
		t.Error("a second Run returned nil")
	}
	if err := s.Close(); err != nil {
		t.Errorf("Close during Run: %v", err)
	}

	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	never := listen.New(ln, listen.Options{Log: slog.New(slog.DiscardHandler), Handler: text("never")})
	for range 2 {
		if err := never.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	if _, err := ln.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the listener after Close: %v", err)
	}
	if err := never.Run(context.Background()); err == nil {
		t.Error("Run after Close returned nil")
	}
}

func TestListenerClosedByOthers(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := listen.New(ln, listen.Options{Log: slog.New(slog.DiscardHandler), Handler: text("never")})
	_ = ln.Close()
	if err := s.Run(context.Background()); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Run: %v, want net.ErrClosed", err)
	}
}

func TestMaxConnsShedsIdleOnes(t *testing.T) {
	t.Parallel()
	s := start(t, listen.Options{MaxConns: 2, Handler: text("ok")})
	ask := func() net.Conn {
		c := s.dial(t) // stays open for a next request
		write(t, c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		if res, _ := answerOn(t, c); res.StatusCode != http.StatusOK {
			t.Fatalf("answer %s", res.Status)
		}
		return c
	}
	first := ask()
	for range 9 {
		ask()
	}
	// A connection turns idle a moment after its client has the answer, so on a busy machine others may go before the
	// first; but as long as there are more clients than room its turn comes.
	for end := time.Now().Add(wait); ; ask() {
		if err := first.SetReadDeadline(time.Now().Add(5 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		if _, err := first.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			return
		}
		if time.Now().After(end) {
			t.Fatal("the first connection was not closed")
		}
	}
}

// logs is a log to look into.
type logs struct {
	mu sync.Mutex
	b  strings.Builder
}

func newLog() *logs { return &logs{} }

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
func (l *logs) count(s string) int   { return strings.Count(l.String(), s) }
func (l *logs) has(s string) bool    { return l.count(s) > 0 }
func (l *logs) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }
