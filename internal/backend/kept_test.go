package backend_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/backend"
)

// What a fickle backend does with a request, and with the connection that it came on.
type whim int

const (
	answersAndStays       whim = iota
	answersAndCloses           // before the answer can have been read
	answersAndResets           // the hard way
	answersAndClosesLater      // while the next request may be on its way
	answersAndSays408          // as servers do that are about to close an idle connection
	answersCloseAnnounced      // by Connection: close
	readsAndCloses             // without an answer
	readsAndResets             // without an answer
	readsSomeAndCloses         // in the middle of the head
	answersHalfAndCloses       // in the middle of the body
	whims
)

// answers reports whether whoever called can get a whole answer.
func (w whim) answers() bool { return w <= answersCloseAnnounced }

// ledger is what a fickle backend remembers of the requests of which it has read a byte.
type ledger struct {
	mu   sync.Mutex
	seen map[string][]whim // by ID
}

func (l *ledger) note(id string, w whim) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seen[id] = append(l.seen[id], w)
}

// fickle serves a connection: each request is /{id}, and what becomes of it is decided by its ID alone.
func (l *ledger) fickle(c net.Conn, seed uint64) {
	defer c.Close()
	in := bufio.NewReader(c)
	for {
		if _, err := in.ReadString(' '); err != nil { // POST
			return
		}
		line, err := in.ReadString(' ')
		if err != nil {
			return
		}
		id := strings.Trim(line, "/ ")
		n, err := strconv.ParseUint(id, 10, 64)
		if err != nil {
			l.note(id, whims)
			return
		}
		r := rand.New(rand.NewPCG(seed, n))
		w := whim(r.IntN(int(whims)))
		if r.IntN(2) == 0 { // kept connections are what this is about
			w = answersAndStays
		}
		l.note(id, w)
		if w == readsSomeAndCloses {
			return
		}
		if _, err := http.ReadRequest(bufio.NewReader(io.MultiReader(strings.NewReader("POST / "), in))); err != nil {
			return
		}
		if !l.do(c, w, r) {
			return
		}
	}
}

// do carries out a whim, and reports whether the connection stays.
func (l *ledger) do(c net.Conn, w whim, r *rand.Rand) bool {
	whole := "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
	if w == answersHalfAndCloses {
		whole = whole[:len(whole)-1]
	}
	if w == answersCloseAnnounced {
		whole = strings.Replace(whole, "\r\n", "\r\nConnection: close\r\n", 1)
	}
	if w == answersAndSays408 {
		whole += "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n"
	}
	if w != readsAndCloses && w != readsAndResets {
		if _, err := io.WriteString(c, whole); err != nil {
			return false
		}
	}
	if w == readsAndResets || w == answersAndResets {
		_ = reset(c)
	}
	if w == answersAndClosesLater {
		time.Sleep(time.Duration(r.IntN(300)) * time.Microsecond)
	}
	return w == answersAndStays
}

// TestNoCallLostOrDoubled: a backend closes kept connections at moments that nobody can know, before, during and after
// requests, and remembers by their IDs those of which it has read anything. No call reaches it twice; a call that succeeded
// reached it once; one that failed says what is known, and did not fail because its connection was stale before it began.
func TestNoCallLostOrDoubled(t *testing.T) {
	noCallLostOrDoubled(t, func(*backend.Request) {})
}

// noCallLostOrDoubled has each of many calls prepared by its caller, and made.
func noCallLostOrDoubled(t *testing.T, prepare func(*backend.Request)) {
	t.Helper()
	const callers, calls, seed = 8, 250, 5
	l := &ledger{seen: map[string][]whim{}}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { l.fickle(c, seed) })
		}
	})
	h := newTestHTTP(t, backend.HTTPOptions{})
	outcomes := make([]error, callers*calls)
	var calling sync.WaitGroup
	for k := range callers {
		calling.Go(func() {
			for i := k * calls; i < (k+1)*calls; i++ {
				r := &backend.Request{
					Method: "POST", URL: parse(t, fmt.Sprintf("http://%s/%d", ln.Addr(), i)), Body: []byte("{}"), Deadline: time.Now().Add(time.Minute),
				}
				prepare(r)
				resp, err := h.Do(t.Context(), r)
				if err == nil && string(resp.Body) != "ok" {
					err = fmt.Errorf("another answer: %q", resp.Body)
				}
				outcomes[i] = err
			}
		})
	}
	calling.Wait()
	h.Close()
	if err := ln.Close(); err != nil {
		t.Error(err)
	}
	serving.Wait()

	failed, unknown := 0, 0
	for i, err := range outcomes {
		seen := l.seen[strconv.Itoa(i)]
		said := fmt.Sprint(err)
		inFlight := strings.Contains(said, "may or may not have read it")
		switch {
		case len(seen) > 1:
			t.Errorf("call %d reached the backend %d times: %v", i, len(seen), seen)
		case err == nil && len(seen) == 0:
			t.Errorf("call %d was answered, but did not reach the backend", i)
		case err == nil && !seen[0].answers():
			t.Errorf("call %d was answered by a backend that did %d", i, seen[0])
		case err != nil && apigw.KindOf(err) != apigw.KindIntegrationFailure:
			t.Errorf("call %d: kind %d: %v", i, apigw.KindOf(err), err)
		case err != nil && len(seen) == 0 && !inFlight:
			t.Errorf("call %d failed without having been read, and does not say that it may not have been: %v", i, err)
		// A reset may overtake the answer before it.
		case err != nil && len(seen) == 1 && seen[0].answers() && seen[0] != answersAndResets:
			t.Errorf("call %d failed, though the backend answered by %d: %v", i, seen[0], err)
		}
		if err != nil {
			failed++
		}
		if inFlight {
			unknown++
		}
	}
	if failed == 0 || failed > callers*calls*3/4 {
		t.Errorf("%d of %d calls failed: the backend is not as fickle as it should be", failed, callers*calls)
	}
	t.Logf("%d of %d calls failed, %d of them without anybody knowing whether they were read", failed, callers*calls, unknown)
}

// TestStaleConnectionsOfAllKinds: kept connections that ended before the call began cost it nothing, however many there are
// and however they ended.
func TestStaleConnectionsOfAllKinds(t *testing.T) {
	const kept = 20
	half := func(c net.Conn) error {
		tcp, ok := c.(*net.TCPConn)
		if !ok {
			return errors.New("no TCP connection")
		}
		return tcp.CloseWrite()
	}
	for name, end := range map[string]func(net.Conn) error{
		"closed":            net.Conn.Close,
		"reset":             func(c net.Conn) error { return errors.Join(reset(c), c.Close()) },
		"closed by half":    half,
		"said 408":          say("HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n"),
		"said half of that": say("HTTP"),
	} {
		for _, method := range []string{"POST", "GET"} {
			t.Run(name+", "+method, func(t *testing.T) {
				ln, err := net.Listen("tcp", "127.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				arrived := make(chan net.Conn, kept+1) // one for each request
				release := make(chan struct{})
				var serving sync.WaitGroup
				serving.Go(func() {
					for {
						c, err := ln.Accept()
						if err != nil {
							return
						}
						serving.Go(func() {
							defer c.Close()
							in := bufio.NewReader(c)
							for {
								if r, err := http.ReadRequest(in); err != nil || r.Body.Close() != nil {
									return
								}
								arrived <- c
								<-release
								if say(status(200))(c) != nil {
									return
								}
							}
						})
					}
				})
				h := newTestHTTP(t, backend.HTTPOptions{})
				t.Cleanup(func() { h.Close(); _ = ln.Close(); serving.Wait() })
				call := &backend.Request{Method: method, URL: parse(t, "http://"+ln.Addr().String()), Deadline: time.Now().Add(time.Minute)}
				var calling sync.WaitGroup
				for range kept {
					calling.Go(func() {
						if _, err := h.Do(t.Context(), call); err != nil {
							t.Error(err)
						}
					})
				}
				var conns []net.Conn
				for range kept {
					conns = append(conns, <-arrived)
				}
				close(release)
				calling.Wait()
				if open, idle := h.Connections(); open != kept || idle != kept {
					t.Fatalf("%d connections, %d idle, want %d", open, idle, kept)
				}
				for _, c := range conns {
					if err := end(c); err != nil {
						t.Fatal(err)
					}
				}
				if _, err := h.Do(t.Context(), call); err != nil {
					t.Errorf("the call after: %v", err)
				}
				if n := len(arrived); n != 1 {
					t.Errorf("the call after was read %d times", n)
				}
				if open, idle := h.Connections(); open != 1 || idle != 1 {
					t.Errorf("%d connections, %d idle, want the new one", open, idle)
				}
			})
		}
	}
}

// rigged is a connection that answers once and then does what it is told.
type rigged struct {
	net.Conn
	writes    int
	write     func(p []byte) (int, error) // the second write
	read      error                       // of the read after it; nil: it answers
	unread    string
	tookBytes *int // of second requests
}

func (r *rigged) Write(p []byte) (int, error) {
	if r.writes++; r.writes == 2 {
		n, err := r.write(p)
		*r.tookBytes += n
		return n, err
	}
	r.unread = status(200)
	return len(p), nil
}

func (r *rigged) Read(p []byte) (int, error) {
	if len(r.unread) > 0 {
		n := copy(p, r.unread)
		r.unread = r.unread[n:]
		return n, nil
	}
	if r.writes == 2 {
		return 0, r.read
	}
	return 0, os.ErrDeadlineExceeded // it is idle, and nothing has come
}

func (r *rigged) Close() error                     { return nil }
func (r *rigged) SetDeadline(time.Time) error      { return nil }
func (r *rigged) SetReadDeadline(time.Time) error  { return nil }
func (r *rigged) SetWriteDeadline(time.Time) error { return nil }

// TestEndInFlight: a kept connection that ends while a request goes out. If the kernel took nothing, the call goes on another
// one; if it took a byte, nobody knows, and only a method that reads is used again (RFC 9110 §9.2.2, RFC 9112 §9.3.1).
func TestEndInFlight(t *testing.T) {
	all := func(p []byte) (int, error) { return len(p), nil }
	taking := func(n int, err error) func([]byte) (int, error) {
		return func([]byte) (int, error) { return n, err }
	}
	tests := map[string]struct {
		method string
		write  func([]byte) (int, error)
		read   error
		again  bool   // the call is made on another connection, and succeeds
		want   string // of the error
	}{
		"nothing was written":      {"POST", taking(0, syscall.EPIPE), nil, true, ""},
		"a byte was written":       {"POST", taking(1, syscall.ECONNRESET), nil, false, "reset the connection"},
		"ended without an answer":  {"POST", all, io.EOF, false, "may or may not have read it"},
		"reset without an answer":  {"POST", all, syscall.ECONNRESET, false, "may or may not have read it"},
		"GET, ended":               {"GET", all, io.EOF, true, ""},
		"GET, reset":               {"GET", all, syscall.ECONNRESET, true, ""},
		"DELETE, ended":            {"DELETE", all, io.EOF, false, "may or may not have read it"},
		"GET, a byte was written":  {"GET", taking(1, syscall.ECONNRESET), nil, false, "reset the connection"},
		"GET, nothing was written": {"GET", taking(0, syscall.EPIPE), nil, true, ""},
		"GET, no answer in time":   {"GET", all, os.ErrDeadlineExceeded, false, "timeout"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dials, took := 0, 0
			h := newTestHTTP(t, backend.HTTPOptions{Dial: func(context.Context, string, string) (net.Conn, error) {
				dials++
				return &rigged{write: tt.write, read: tt.read, tookBytes: &took}, nil
			}})
			r := &backend.Request{Method: tt.method, URL: parse(t, "http://b.example/")}
			if _, err := h.Do(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			_, err := h.Do(t.Context(), r)
			if tt.again != (err == nil) || dials == 2 != tt.again {
				t.Errorf("got %v after %d dials", err, dials)
			}
			if err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want …%s…", err, tt.want)
			}
			if tt.again && tt.method != "GET" && took > 0 {
				t.Errorf("%d bytes went out before the call was made again", took)
			}
		})
	}
}
