package http1_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"cleat/internal/http1"
)

// owner lends a connection and follows what becomes of it.
type owner struct {
	nc    net.Conn
	began func()
}

func (o *owner) Began(*http1.Head) {
	if o.began != nil {
		o.began()
	}
}
func (o *owner) Idle()           {}
func (o *owner) Taken() net.Conn { return o.nc }

// converse serves a client that sends all that it has to say and then reads, until the server is done with it.
func converse(t *testing.T, s *http1.Server, began func(), sent string) (got string, how http1.Outcome) {
	t.Helper()
	ours, theirs := net.Pipe()
	s.Log = slog.New(slog.DiscardHandler)
	s.HeadTimeout, s.BodyTimeout, s.IdleTimeout = 10*time.Second, time.Minute, time.Minute
	answer := make(chan string, 1)
	go func() {
		go func() { _, _ = io.WriteString(theirs, sent) }() // of which not all need be read
		b, _ := io.ReadAll(theirs)
		answer <- string(b)
	}()
	_, how = s.Serve(http1.Client{Conn: ours, Owner: &owner{ours, began}, Context: t.Context(), RemoteAddr: "192.0.2.1:9"})
	if err := ours.Close(); err != nil {
		t.Error(err)
	}
	return <-answer, how
}

// A request that comes while the server begins to end is either handled, and its owner knew before anybody could ask, or not
// begun: the owner closes what it does not know to be under way.
func TestDrainingAsARequestComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		draining := make(chan struct{})
		s := &http1.Server{Draining: draining, Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			t.Error("a request was handled after its server had begun to end")
		})}
		got, how := converse(t, s, func() { close(draining) }, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		if got != "" || how != http1.Over {
			t.Errorf("got %q, %d", got, how)
		}
	})
}

// What a handler left behind can use neither the body nor the answer of its request, for the connection's memory is another's
// by then.
func TestNothingIsLeftToUse(t *testing.T) {
	for name, c := range map[string]struct {
		sent string
		end  func()
	}{
		"it returned":     {"", func() {}},
		"it panicked":     {"", func() { panic(http.ErrAbortHandler) }},
		"closing request": {"Connection: close\r\n", func() {}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var body io.Reader
				var answer *http.ResponseController
				s := &http1.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					body, answer = r.Body, http.NewResponseController(w)
					c.end()
				})}
				_, _ = converse(t, s, nil, "POST / HTTP/1.1\r\nHost: a\r\n"+c.sent+"Content-Length: 5\r\n\r\n12345?\r\n\r\n")
				if n, err := body.Read(make([]byte, 5)); n != 0 || !errors.Is(err, http.ErrBodyReadAfterClose) {
					t.Errorf("read %d bytes of the body, %v", n, err)
				}
				if err := answer.Flush(); err == nil {
					t.Error("the answer could be flushed")
				}
			})
		})
	}
}

// A body that is being read when its connection is taken over keeps nobody waiting, and keeps its memory.
func TestTakenWhileItsBodyIsRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		read := make(chan error, 1)
		s := &http1.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			go func() {
				_, err := io.ReadAll(r.Body)
				read <- err
			}()
			synctest.Wait()
			if _, _, err := http.NewResponseController(w).Hijack(); err != nil {
				t.Error(err)
			}
		})}
		_, how := converse(t, s, nil, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n123")
		if err := <-read; how != http1.Taken || err == nil {
			t.Errorf("got %d, %v", how, err)
		}
	})
}

// Every wait for a client has its time: for its first byte, for the rest of a head, for a body, for the next request.
func TestSlowSenders(t *testing.T) {
	const head, body, idle = 10 * time.Second, time.Minute, 2 * time.Minute
	for name, c := range map[string]struct {
		sent string
		then string // a byte of it each second, over and over
		most time.Duration
	}{
		"nothing":                    {"", "", head},
		"a head, byte by byte":       {"GET / HTTP/1.1\r\n", "X", head},
		"a second head":              {"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /", "X", head},
		"the beginning of a second":  {"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET", "", idle},
		"no second":                  {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "", idle},
		"a body, byte by byte":       {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\n\r\n", "X", body},
		"a body nobody wants":        {"POST /ignore HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\n\r\n", "X", body},
		"line ends behind a POST":    {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n1", "\r\n", head + 4*time.Second},
		"a request whose end waits":  {"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r", "", head},
		"a body, after a quick head": {"POST /watch HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\n\r\n12", "", body},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ours, theirs := net.Pipe()
				s := &http1.Server{
					Log: slog.New(slog.DiscardHandler), HeadTimeout: head, BodyTimeout: body, IdleTimeout: idle,
					Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
						switch r.URL.Path {
						case "/ignore":
							return
						case "/watch":
							defer context.AfterFunc(r.Context(), func() {})()
						}
						_, _ = io.Copy(io.Discard, r.Body)
					}),
				}
				var client sync.WaitGroup
				client.Go(func() { _, _ = io.Copy(io.Discard, theirs) })
				client.Go(func() {
					_, err := io.WriteString(theirs, c.sent)
					for i := 0; err == nil && c.then != ""; i++ {
						time.Sleep(time.Second)
						_, err = io.WriteString(theirs, c.then[i%len(c.then):][:1])
					}
				})
				start := time.Now()
				_, how := s.Serve(http1.Client{Conn: ours, Owner: &owner{nc: ours}, Context: t.Context()})
				if took := time.Since(start); how == http1.Taken || took > c.most {
					t.Errorf("got %d after %s, want within %s", how, took, c.most)
				}
				_ = ours.Close() // a pipe has nothing to say about it
				client.Wait()
			})
		})
	}
}

// A head that goes on without an end is handed on at 4 KB: net/http says what there is to say.
func TestLongHead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &http1.Server{Handler: http.NotFoundHandler()}
		for _, sent := range []string{
			"GET /" + strings.Repeat("a", 5000), "GET / HTTP/1.1\r\nX: " + strings.Repeat("a", 5000), strings.Repeat("GET / HTTP/1.1\r\n", 500),
		} {
			if _, how := converse(t, s, nil, sent); how != http1.Unread {
				t.Errorf("%.20q…: got %d", sent, how)
			}
		}
	})
}
