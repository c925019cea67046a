//go:build unix

package backend_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/backend"
)

// small is a network whose sockets hold few bytes: a listener, and what dials it.
func small(t *testing.T, network string) (net.Listener, func(ctx context.Context, _, _ string) (net.Conn, error)) {
	t.Helper()
	const room = 4 << 10
	at := "127.0.0.1:0"
	if network == "unix" {
		dir, err := os.MkdirTemp("", "s") // t.TempDir's names may be too long for a socket
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.RemoveAll(dir) })
		at = filepath.Join(dir, "s")
	}
	bounded := func(option int) func(_, _ string, c syscall.RawConn) error {
		return func(_, _ string, c syscall.RawConn) error {
			var set error
			return errors.Join(c.Control(func(fd uintptr) { set = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, option, room) }), set)
		}
	}
	ln, err := (&net.ListenConfig{Control: bounded(syscall.SO_RCVBUF)}).Listen(t.Context(), network, at)
	if err != nil {
		t.Fatal(err)
	}
	return ln, func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{Control: bounded(syscall.SO_SNDBUF)}).DialContext(ctx, network, ln.Addr().String())
	}
}

// longest is the longest body that is written before the answer is read. It fits into no socket of small.
var longest = bytes.Repeat([]byte("0123456789abcdef"), 2<<10)

// TestRequestLargerThanSocket: what the kernel does not take at once is written as the backend reads, on a new connection and
// on one that was kept.
func TestRequestLargerThanSocket(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) { requestLargerThanSocket(t, network) })
	}
}

func requestLargerThanSocket(t *testing.T, network string) {
	t.Helper()
	sum := func(b []byte) string { s := sha256.Sum256(b); return fmt.Sprintf("%x", s[:8]) }
	ln, dial := small(t, network)
	var serving sync.WaitGroup
	accepted := 0
	serving.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			accepted++
			serving.Go(func() {
				defer c.Close()
				in := bufio.NewReaderSize(c, 512) // it goes on by as much at a time
				for {
					r, err := http.ReadRequest(in)
					if err != nil {
						return
					}
					body, err := io.ReadAll(r.Body)
					if err != nil {
						return
					}
					if _, err := fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n%s", sum(body)); err != nil {
						return
					}
				}
			})
		}
	})
	h := newTestHTTP(t, backend.HTTPOptions{Dial: dial})
	for i, body := range [][]byte{longest, []byte("small"), longest[1:], longest} {
		resp, err := h.Do(within(t, patience), &backend.Request{Method: "POST", URL: parse(t, "http://b.example"), Body: body})
		if err != nil || string(resp.Body) != sum(body) {
			t.Errorf("request %d: got %+v, %v, want %s", i, resp, err, sum(body))
		}
	}
	h.Close()
	if err := ln.Close(); err != nil {
		t.Error(err)
	}
	serving.Wait()
	if accepted != 1 {
		t.Errorf("%d connections", accepted)
	}
}

// TestRequestThatNobodyReads: a backend that takes a beginning of the request and no more costs the call its time-out, or its
// context's end, and the connection is not used again.
func TestRequestThatNobodyReads(t *testing.T) {
	cause := errors.New("shutting down")
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network+", its deadline", func(t *testing.T) {
			err := unread(t, network, 100*time.Millisecond, func(context.CancelCauseFunc) {})
			if apigw.KindOf(err) != apigw.KindIntegrationTimeout {
				t.Errorf("got %v (kind %d)", err, apigw.KindOf(err))
			}
		})
		t.Run(network+", its context", func(t *testing.T) {
			err := unread(t, network, patience, func(end context.CancelCauseFunc) { end(cause) })
			if !errors.Is(err, cause) || apigw.KindOf(err) != apigw.KindIntegrationFailure {
				t.Errorf("got %v (kind %d)", err, apigw.KindOf(err))
			}
		})
	}
}

// unread makes a call, for so long, of which the backend reads one byte; then begun may end its context.
func unread(t *testing.T, network string, limit time.Duration, begun func(context.CancelCauseFunc)) error {
	t.Helper()
	ln, dial := small(t, network)
	ctx, end := context.WithCancelCause(t.Context())
	defer end(nil)
	over := make(chan struct{})
	var serving sync.WaitGroup
	serving.Go(func() {
		c, err := ln.Accept()
		if err != nil { // the call was over before
			return
		}
		defer c.Close()
		if _, err := io.ReadFull(c, make([]byte, 1)); err == nil {
			begun(end)
		}
		<-over
	})
	h := newTestHTTP(t, backend.HTTPOptions{Dial: dial})
	_, err := h.Do(ctx, &backend.Request{Method: "POST", URL: parse(t, "http://b.example"), Body: longest, Deadline: time.Now().Add(limit)})
	if open, idle := h.Connections(); open != 0 || idle != 0 {
		t.Errorf("%d connections, %d idle after %v", open, idle, err)
	}
	close(over)
	if err := ln.Close(); err != nil {
		t.Error(err)
	}
	serving.Wait()
	return err
}
