package listen_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"cleat/internal/http1"
	"cleat/internal/listen"
)

// script is a connection whose client has said all that it will say and reads whatever comes. Reads give at most piece
// bytes at a time, so that what is sent can be made to come in parts anywhere.
type script struct {
	mu    sync.Mutex
	in    []byte
	out   bytes.Buffer
	piece int
	late  bool // the read deadline has passed
	over  chan struct{}
	close func()
}

func newScript(sent []byte, piece int) *script {
	c := &script{in: sent, piece: piece, over: make(chan struct{})}
	c.close = sync.OnceFunc(func() { close(c.over) })
	return c
}

func (c *script) Read(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.late:
		return 0, os.ErrDeadlineExceeded
	case len(c.in) == 0:
		return 0, io.EOF
	}
	n := copy(p, c.in[:min(len(c.in), c.piece)])
	c.in = c.in[n:]
	return n, nil
}

func (c *script) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.out.Write(p)
}

func (c *script) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.late = !t.IsZero() && t.Before(time.Now())
	return nil
}

func (c *script) Close() error                     { c.close(); return nil }
func (c *script) CloseWrite() error                { return nil }
func (c *script) SetDeadline(t time.Time) error    { return c.SetReadDeadline(t) }
func (c *script) SetWriteDeadline(time.Time) error { return nil }
func (c *script) LocalAddr() net.Addr              { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80} }

func (c *script) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 9} }

// scripts is a listener at which scripts come in.
type scripts struct {
	conns chan net.Conn
	done  chan struct{}
	close func()
}

func newScripts() *scripts {
	l := &scripts{conns: make(chan net.Conn), done: make(chan struct{})}
	l.close = sync.OnceFunc(func() { close(l.done) })
	return l
}

func (l *scripts) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *scripts) Close() error   { l.close(); return nil }
func (l *scripts) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80} }

// answers has a script served and returns all that the server sent, with times made equal.
func (l *scripts) answers(tb testing.TB, sent []byte, piece int) string {
	tb.Helper()
	c := newScript(sent, piece)
	l.conns <- c
	select {
	case <-c.over:
	case <-time.After(wait):
		tb.Fatalf("the connection of %q is still open", sent)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return date.ReplaceAllString(c.out.String(), "Date: now\r\n")
}

var date = regexp.MustCompile(`Date: [A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT\r\n`)

// twins are a Server and a bare net/http server with one handler and the same limits.
func twins(tb testing.TB) (ours, theirs *scripts) {
	tb.Helper()
	return twinsOf(tb, behave)
}

// thrifty is behave as a handler that keeps nothing, whose requests are made of those before them.
func thrifty(w http.ResponseWriter, r *http.Request) {
	http1.KeepsNothing(w)
	behave(w, r)
}

func twinsOf(tb testing.TB, handler http.HandlerFunc) (ours, theirs *scripts) {
	tb.Helper()
	ours, theirs = newScripts(), newScripts()
	quiet := slog.New(slog.DiscardHandler)
	s := listen.New(ours, listen.Options{Log: quiet, Handler: handler, ShutdownTimeout: time.Second})
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- s.Run(ctx) }()
	h := &http.Server{
		Handler: handler, MaxHeaderBytes: 10240, ReadHeaderTimeout: wait, IdleTimeout: wait,
		ErrorLog: slog.NewLogLogger(quiet.Handler(), slog.LevelDebug),
	}
	served := make(chan error, 1)
	go func() { served <- h.Serve(theirs) }()
	tb.Cleanup(func() {
		cancel()
		if err := <-ran; err != nil {
			tb.Error(err)
		}
		_ = h.Close()
		<-served
	})
	return ours, theirs
}

// behave does what the first segment of the path asks for.
func behave(w http.ResponseWriter, r *http.Request) {
	what, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	h := w.Header()
	flush := func() { _ = http.NewResponseController(w).Flush() }
	switch what {
	case "nothing":
	case "status":
		w.WriteHeader(http.StatusAccepted)
	case "odd-status":
		w.WriteHeader(599)
		_, _ = io.WriteString(w, "odd")
	case "empty":
		h.Set("Content-Length", "0")
		h["x-amzn-RequestId"] = []string{"a", "b"}
		w.WriteHeader(http.StatusOK)
	case "short":
		_, _ = io.WriteString(w, "<html>short")
	case "typed":
		h.Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, "{}")
	case "encoded":
		h.Set("Content-Encoding", "gzip")
		_, _ = io.WriteString(w, "\x1f\x8b")
	case "no-type":
		h["Content-Type"] = nil
		_, _ = io.WriteString(w, "text")
	case "own-date":
		h.Set("Date", "yesterday")
		_, _ = io.WriteString(w, "text")
	case "no-date":
		h["Date"] = nil
	case "long":
		for range 10 {
			_, _ = w.Write(bytes.Repeat([]byte("0123456789"), 100))
		}
	case "huge":
		_, _ = w.Write(bytes.Repeat([]byte("0123456789"), 10_000))
		_, _ = w.Write(bytes.Repeat([]byte("x"), 3000))
		_, _ = io.Copy(w, strings.NewReader(strings.Repeat("y", 70_000)))
		_, _ = io.Copy(w, io.LimitReader(r.Body, 5))
	case "flush":
		flush()
		_, _ = io.WriteString(w, "one")
		flush()
		_, _ = io.WriteString(w, "two")
		h.Set("X-Late", "1")
	case "flush-length":
		h.Set("Content-Length", "6")
		flush()
		_, _ = io.WriteString(w, "one")
		flush()
		_, _ = io.WriteString(w, "two")
	case "too-much":
		h.Set("Content-Length", "3")
		_, err := io.WriteString(w, "four")
		_, _ = io.WriteString(w, "abc")
		_, _ = io.WriteString(w, fmt.Sprint(err))
	case "too-little":
		h.Set("Content-Length", "10")
		_, _ = io.WriteString(w, "four")
	case "bad-length":
		h.Set("Content-Length", "ten")
		_, _ = io.WriteString(w, "four")
	case "late-header":
		h.Set("X-A", "early")
		w.WriteHeader(http.StatusOK)
		h.Set("X-A", "late")
		h.Set("Content-Type", "late/late")
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.WriteString(w, "text")
	case "first-header-late":
		w.WriteHeader(http.StatusOK)
		w.Header().Set("X-A", "late")
	case "wild-header":
		h["X-Wild"] = []string{" a\r\nX-Evil: b ", "\tc", ""}
		h["not a name"] = []string{"x"}
		h["b"], h["B"] = []string{"small"}, []string{"large"}
		_, _ = io.WriteString(w, "text")
	case "no-content":
		h.Set("Content-Length", "5")
		h.Set("Content-Type", "text/plain")
		h.Set("Transfer-Encoding", "chunked")
		w.WriteHeader(http.StatusNoContent)
		_, err := io.WriteString(w, "12345")
		h.Set("X-Error", fmt.Sprint(err))
	case "not-modified":
		h.Set("Content-Length", "5")
		h.Set("Content-Type", "text/plain")
		h.Set("Etag", `"x"`)
		w.WriteHeader(http.StatusNotModified)
	case "switch":
		h.Set("Connection", "Upgrade")
		h.Set("Upgrade", "websocket")
		w.WriteHeader(http.StatusSwitchingProtocols)
	case "upgrade-required":
		h["Sec-WebSocket-Version"], h["Upgrade"], h["Connection"] = []string{"13"}, []string{"websocket"}, []string{"Upgrade"}
		w.WriteHeader(http.StatusUpgradeRequired)
		_, _ = io.WriteString(w, "no")
	case "close":
		h.Set("Connection", "close")
		_, _ = io.WriteString(w, "bye")
	case "close-too":
		h["Connection"] = []string{"upgrade, close", "x"}
		_, _ = io.WriteString(w, "bye")
	case "identity":
		h.Set("Transfer-Encoding", "identity")
		_, _ = io.WriteString(w, "until the end")
	case "chunked":
		h.Set("Transfer-Encoding", "chunked")
		_, _ = io.WriteString(w, "own chunks")
	case "both":
		h.Set("Transfer-Encoding", "gzip")
		h.Set("Content-Length", "4")
		_, _ = io.WriteString(w, "both")
	case "hints":
		h.Set("Link", "</x>")
		h.Set("Content-Length", "4")
		w.WriteHeader(http.StatusEarlyHints)
		h.Del("Link")
		_, _ = io.WriteString(w, "text")
	case "panic":
		panic("on purpose")
	case "panic-later":
		_, _ = io.WriteString(w, "text")
		panic(http.ErrAbortHandler)
	case "panic-much-later":
		_, _ = w.Write(bytes.Repeat([]byte("0123456789"), 300))
		panic(http.ErrAbortHandler)
	case "exit":
		runtime.Goexit()
	case "exit-watched":
		_ = context.AfterFunc(r.Context(), func() {})
		runtime.Goexit()
	case "bad-status":
		w.WriteHeader(99)
	case "half":
		_, err := io.ReadFull(r.Body, make([]byte, 3))
		_, _ = fmt.Fprint(w, err)
	case "close-body":
		err := r.Body.Close()
		_, again := r.Body.Read(make([]byte, 1))
		_, _ = fmt.Fprint(w, err, again)
	case "read-after":
		_, _ = io.WriteString(w, "text")
		flush()
		_, err := r.Body.Read(make([]byte, 1))
		_, _ = fmt.Fprint(w, err)
	case "watched":
		stop := context.AfterFunc(r.Context(), func() {})
		defer stop()
		b, err := io.ReadAll(r.Body)
		_, _ = fmt.Fprintf(w, "%q %v", b, err)
	case "hijack":
		b, _ := io.ReadAll(r.Body)
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		rest, _ := io.ReadAll(rw)
		_, _ = fmt.Fprintf(c, "%q then %q", b, rest)
		_, err = w.Write([]byte("x"))
		_, _ = fmt.Fprint(c, err)
		_ = c.Close()
	default:
		b, err := io.ReadAll(r.Body)
		_, _ = fmt.Fprintf(w, "%s %s %s %q %q close:%v length:%d %v\n%s %q\n", r.Method, r.RequestURI, r.Proto, r.Host, r.URL, r.Close, r.ContentLength, r.TransferEncoding, r.RemoteAddr, r.URL.EscapedPath())
		for _, name := range slices.Sorted(maps.Keys(r.Header)) {
			_, _ = fmt.Fprintf(w, "%s: %q\n", name, r.Header[name])
		}
		_, _ = fmt.Fprintf(w, "%q %v", b, err)
	}
}

// behaviours are those of behave.
var behaviours = strings.Fields(`nothing status odd-status empty short typed encoded no-type own-date no-date long huge flush flush-length too-much too-little
	bad-length late-header first-header-late wild-header no-content not-modified switch upgrade-required close close-too identity chunked both
	hints panic panic-later panic-much-later exit exit-watched bad-status half close-body read-after watched hijack echo`)

// requests are conversations that both servers must have in the same words; %s is what a handler is to do.
var requests = map[string]string{
	"GET":                    "GET /%s HTTP/1.1\r\nHost: a.example\r\n\r\n",
	"HEAD":                   "HEAD /%s HTTP/1.1\r\nHost: a.example\r\n\r\n",
	"POST":                   "POST /%s HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\n\r\n12345",
	"POST, less than said":   "POST /%s HTTP/1.1\r\nHost: a.example\r\nContent-Length: 50\r\n\r\n12345",
	"POST, much":             "POST /%s HTTP/1.1\r\nHost: a.example\r\nContent-Length: 20000\r\n\r\n" + strings.Repeat("0123456789", 2000),
	"POST, chunked":          "POST /%s HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n0\r\n\r\n",
	"POST, closing":          "POST /%s HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\nConnection: close\r\n\r\n12345",
	"POST, closing short":    "POST /%s HTTP/1.1\r\nHost: a.example\r\nContent-Length: 50\r\nConnection: close\r\n\r\n12345",
	"POST, lenient line end": "POST /%s HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\n\r\n12345\r\n",
	"closing":                "GET /%s HTTP/1.1\r\nHost: a.example\r\nConnection: keep-alive, Close\r\n\r\n",
	"old":                    "GET /%s HTTP/1.0\r\nHost: a.example\r\nConnection: keep-alive\r\n\r\n",
	"expecting":              "POST /%s HTTP/1.1\r\nHost: a.example\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n12345",
	"many fields":            "DELETE /%s/%%61?x=%%20&y HTTP/1.1\r\nhost: A.example:80\r\nx-A:  1 \r\nX-a:\t2\r\nCookie: a\r\nUser-Agent:\r\ncookie: b\r\nPragma: no-cache\r\nCache-Control: x\r\n\r\n",
	"Pragma":                 "GET /%s HTTP/1.1\r\nHost: a\r\nPragma: no-cache\r\n\r\n",
	"bare line ends":         "GET /%s HTTP/1.1\nHost: a\n\n",
	"whole URL":              "GET http://b.example/%s HTTP/1.1\r\nHost: a\r\n\r\n",
	"continued":              "GET /%s HTTP/1.1\r\nHost: a\r\nX: 1\r\n 2\r\n\r\n",
	"no host":                "GET /%s HTTP/1.1\r\n\r\n",
	"two hosts":              "GET /%s HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
	"wrong host":             "GET /%s HTTP/1.1\r\nHost: a b\r\n\r\n",
	"blank before colon":     "GET /%s HTTP/1.1\r\nHost : a\r\n\r\n",
	"wrong escape":           "GET /%s%%zz HTTP/1.1\r\nHost: a\r\n\r\n",
	"two lengths":            "POST /%s HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n12345",
	"lengths that differ":    "POST /%s HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n12345",
	"length and chunks":      "POST /%s HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"signed length":          "POST /%s HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\n12345",
	"wrong version":          "GET /%s HTTP/1.7\r\nHost: a\r\n\r\n",
	"other method":           "BREW /%s HTTP/1.1\r\nHost: a\r\n\r\n",
	"no HTTP":                "hello /%s\r\n",
	"half a head":            "GET /%s HTTP/1.1\r\nHost:",
	"upgrade":                "GET /%s HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n\x81\x00",
}

// TestSameAnswers has each conversation with both servers: what a client reads must not tell which of them it talks to.
func TestSameAnswers(t *testing.T) {
	t.Parallel()
	sameAnswers(t, behave)
}

// TestSameAnswersAgain is TestSameAnswers with requests that are made of those before them: of these nothing may show.
func TestSameAnswersAgain(t *testing.T) {
	t.Parallel()
	sameAnswers(t, thrifty)
}

func sameAnswers(t *testing.T, handler http.HandlerFunc) {
	t.Helper()
	ours, theirs := twinsOf(t, handler)
	const next = "GET /echo HTTP/1.1\r\nHost: next\r\n\r\n"
	for name, request := range requests {
		for _, what := range behaviours {
			once := []byte(fmt.Sprintf(request, what))
			twice := slices.Concat(once, []byte(next), once, []byte(next))
			for _, sent := range [][]byte{once, twice} {
				want := theirs.answers(t, sent, len(sent))
				pieces := []int{len(sent), 7}
				if what == "echo" && len(sent) < 1000 {
					pieces = append(pieces, 1, 2, 3)
				}
				for _, piece := range pieces {
					if got := ours.answers(t, sent, piece); got != want {
						t.Errorf("%s, %s, in pieces of %d bytes: got\n%q\nwant\n%q", name, what, piece, shortened(got), shortened(want))
					}
				}
			}
		}
	}
}

func shortened(s string) string {
	if len(s) > 1000 {
		return s[:300] + "…" + s[len(s)-300:]
	}
	return s
}

// A body that is more than http1 takes goes to net/http, whatever becomes of it there.
func TestSameAnswersToMuch(t *testing.T) {
	t.Parallel()
	ours, theirs := twins(t)
	for _, what := range []string{"echo", "nothing"} { // net/http lingers half a second where much is left unread
		for _, size := range []int{http1.MaxBody, http1.MaxBody + 1, 300_000} {
			sent := fmt.Appendf(nil, "POST /%s HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", what, size, bytes.Repeat([]byte("x"), size))
			sent = append(sent, "GET /echo HTTP/1.1\r\nHost: next\r\n\r\n"...)
			if got, want := ours.answers(t, sent, len(sent)), theirs.answers(t, sent, len(sent)); got != want {
				t.Errorf("%s, %d bytes: got\n%q\nwant\n%q", what, size, shortened(got), shortened(want))
			}
		}
	}
}

// FuzzSameAnswers sends whatever comes to mind to both servers.
func FuzzSameAnswers(f *testing.F) {
	for _, request := range requests {
		if len(request) < 1000 {
			f.Add([]byte(fmt.Sprintf(request, "echo")+fmt.Sprintf(request, "half")), uint8(0))
		}
	}
	for _, what := range behaviours {
		f.Add([]byte(fmt.Sprintf(requests["POST"], what)+"GET / HTTP/1.1\r\nHost: b\r\n\r\n"), uint8(9))
	}
	f.Fuzz(func(t *testing.T, sent []byte, piece uint8) {
		if len(sent) > 4000 || bytes.Contains(sent, []byte("/hijack")) && bytes.Contains(sent, []byte("chunked")) {
			return // how much net/http has buffered of chunks behind a request is its own affair
		}
		size := int(piece)
		if size == 0 {
			size = len(sent) + 1
		}
		synctest.Test(t, func(t *testing.T) { // net/http lingers half a second over some connections, which is nothing here
			for name, handler := range map[string]http.HandlerFunc{"a handler": behave, "one that keeps nothing": thrifty} {
				ours, theirs := twinsOf(t, handler)
				want, got := theirs.answers(t, sent, size), ours.answers(t, sent, size)
				if got != want {
					t.Errorf("%s: %q in pieces of %d bytes: got\n%q\nwant\n%q", name, sent, size, shortened(got), shortened(want))
				}
			}
		})
	})
}

// A test of the tests: a script is read as it was written.
func TestScript(t *testing.T) {
	t.Parallel()
	ours, _ := twins(t)
	res, err := http.ReadResponse(bufio.NewReader(strings.NewReader(ours.answers(t, []byte(fmt.Sprintf(requests["GET"], "echo")), 5))), httptest.NewRequest(http.MethodGet, "/", nil))
	if err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(res.Body); err != nil || !strings.HasPrefix(string(body), "GET /echo HTTP/1.1 \"a.example\"") {
		t.Errorf("got %s, %v", body, err)
	}
}
