package listen_test

import (
	"io"
	"net/http"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"cleat/internal/listen"
)

func startOpened(t *testing.T, o listen.Options) server {
	t.Helper()
	ln, err := listen.Open(t.Context(), "127.0.0.1:0", 0)
	if err != nil {
		t.Fatal(err)
	}
	return startOn(t, ln, o)
}

func TestAcceptIsDeferred(t *testing.T) {
	t.Parallel()
	ln, err := listen.Open(t.Context(), "127.0.0.1:0", 0)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	raw, err := ln.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	err = raw.Control(func(fd uintptr) {
		if got, err := unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT); err != nil || got == 0 {
			t.Errorf("TCP_DEFER_ACCEPT is %d, %v", got, err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A client that says nothing is let in after all, and cut off as any other.
func TestSilentClientIsCutOff(t *testing.T) {
	t.Parallel()
	s := startOpened(t, listen.Options{Handler: text("ok"), HandshakeTimeout: 50 * time.Millisecond})
	c := s.dial(t)
	if err := c.SetReadDeadline(time.Now().Add(wait)); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(c); err != nil || len(got) > 0 {
		t.Errorf("the silent client got %q, %v, want the end of the connection", got, err)
	}
}

// Who waits holds up nobody, whatever he waits for: another goroutine accepts meanwhile.
func TestWaitingHoldsUpNobody(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		yields bool
		first  string // of the client that is waited for
	}{
		"a handler that does not yield": {false, "GET /wait HTTP/1.1\r\nHost: a\r\n\r\n"},
		"a handler that yields":         {true, "GET /yield HTTP/1.1\r\nHost: a\r\n\r\n"},
		"half a head":                   {true, "GET / HT"},
		"half a body":                   {true, "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n1"},
		"the next request":              {true, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"},
		"net/http":                      {true, "GET /yield HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"},
		"half a head for net/http":      {true, "TRACE / HTTP/1.1\r\nHo"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			release := make(chan struct{})
			handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch r.URL.Path {
				case "/yield":
					listen.Yielder(r)()
					listen.Yielder(r)() // does nothing more
					<-release
				case "/wait":
					<-release
				case "/body":
					_, _ = io.Copy(io.Discard, r.Body) // it ends with the connection
				}
				_, _ = io.WriteString(w, "ok")
			})
			s := startOpened(t, listen.Options{Handler: handler, Yields: test.yields})
			defer close(release)
			write(t, s.dial(t), test.first)
			for range 20 { // one after the other, with whoever is left
				c := s.dial(t)
				write(t, c, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
				if res, _ := answerOn(t, c); res.StatusCode != http.StatusOK {
					t.Fatalf("answered %s", res.Status)
				}
			}
		})
	}
}

// A handler that ends its goroutine, or panics, does not end the accepting of connections.
func TestLeaderIsLost(t *testing.T) {
	t.Parallel()
	s := startOpened(t, listen.Options{Yields: true, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasPrefix(r.URL.Path, "/exit"):
			runtime.Goexit()
		case strings.HasPrefix(r.URL.Path, "/panic"):
			panic("as planned")
		}
		_, _ = io.WriteString(w, "ok")
	})})
	for _, path := range []string{"/exit", "/panic", "/exit", "/exit"} {
		c := s.dial(t)
		write(t, c, "GET "+path+" HTTP/1.1\r\nHost: a\r\n\r\n")
		if err := c.SetReadDeadline(time.Now().Add(wait)); err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(c); err != nil || len(got) > 0 {
			t.Errorf("%s: %q, %v, want the end of the connection", path, got, err)
		}
	}
	c := s.dial(t)
	write(t, c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	if res, _ := answerOn(t, c); res.StatusCode != http.StatusOK {
		t.Errorf("answered %s", res.Status)
	}
}

// Where connections queue several goroutines accept, and all clients are served.
func TestManyAtATime(t *testing.T) {
	t.Parallel()
	s := startOpened(t, listen.Options{Handler: text("ok"), Yields: true})
	const clients, each = 16, 40
	failed := make(chan error, clients)
	for range clients {
		go func() {
			client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: wait}
			for range each {
				res, err := client.Get("http://" + s.Addr().String())
				if err != nil {
					failed <- err
					return
				}
				if err := res.Body.Close(); err != nil {
					failed <- err
					return
				}
			}
			failed <- nil
		}()
	}
	for range clients {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
}
