package socket_test

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"cleat/internal/socket"
	"cleat/internal/testkit"
)

// Peek finds what a read would, takes nothing and disturbs nobody who waits in a read.
func TestPeek(t *testing.T) {
	if !socket.CanPeek {
		t.Skip("nothing can be looked at on this system")
	}
	broken := func(c *net.TCPConn) error { return errors.Join(c.SetLinger(0), c.Close()) }
	for name, test := range map[string]struct {
		peer func(*net.TCPConn) error
		own  func(*net.TCPConn) error
		want socket.State
	}{
		"nothing":        {want: socket.Silent},
		"bytes":          {peer: func(c *net.TCPConn) error { _, err := io.WriteString(c, "hi"); return err }, want: socket.Ready},
		"bytes, the end": {peer: func(c *net.TCPConn) error { _, err := io.WriteString(c, "hi"); return errors.Join(err, c.Close()) }, want: socket.Ready},
		"half an end":    {peer: (*net.TCPConn).CloseWrite, want: socket.Ended},
		"the end":        {peer: (*net.TCPConn).Close, want: socket.Ended},
		"a reset":        {peer: broken, want: socket.Ended},
		"closed here":    {own: (*net.TCPConn).Close, want: socket.Ended},
	} {
		own, peer := testkit.TCPPair(t)
		if test.peer != nil {
			if err := test.peer(peer); err != nil {
				t.Fatal(err)
			}
		}
		if test.own != nil {
			if err := test.own(own); err != nil {
				t.Fatal(err)
			}
		}
		got := socket.Peek(own)
		for until := time.Now().Add(time.Minute); got != test.want && time.Now().Before(until); got = socket.Peek(own) {
			time.Sleep(time.Millisecond) // the kernel may take a moment to carry it over
		}
		if got != test.want {
			t.Errorf("%s: got %d, want %d", name, got, test.want)
		}
		if got != socket.Ready {
			continue
		}
		b := make([]byte, 2)
		if _, err := io.ReadFull(own, b); err != nil || string(b) != "hi" {
			t.Errorf("%s: read %q, %v afterwards", name, b, err)
		}
	}

	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	var pipe syscall.Conn = r
	if got := socket.Peek(pipe); got != socket.Unknown {
		t.Errorf("a pipe: got %d, want %d", got, socket.Unknown)
	}
}

// A read that waits goes on waiting while somebody looks.
func TestPeekBesideRead(t *testing.T) {
	own, peer := testkit.TCPPair(t)
	read := make(chan string, 1)
	go func() {
		b := make([]byte, 2)
		_, err := io.ReadFull(own, b)
		if err != nil {
			t.Error(err)
		}
		read <- string(b)
	}()
	for range 100 {
		if got := socket.Peek(own); got != socket.Silent && socket.CanPeek {
			t.Fatalf("got %d, want %d", got, socket.Silent)
		}
	}
	if _, err := io.WriteString(peer, "hi"); err != nil {
		t.Fatal(err)
	}
	if got := <-read; got != "hi" {
		t.Errorf("read %q", got)
	}
}
