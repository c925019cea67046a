package listen_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"cleat/internal/listen"
	"cleat/internal/testkit"
)

// keptWays are package net's own way to read and write a connection, and the one that must be like it.
var keptWays = map[string]func(net.Conn) io.ReadWriter{
	"net":  func(c net.Conn) io.ReadWriter { return c },
	"kept": func(c net.Conn) io.ReadWriter { return listen.NewKept(c) },
}

// A message of several times the buffers of a socket arrives whole in both directions at once, though both ends have to
// wait for each other.
func TestKeptMoves(t *testing.T) {
	for name, way := range keptWays {
		ours, theirs := testkit.TCPPair(t)
		c, sent := way(ours), bytes.Repeat([]byte("0123456789abcdef"), 1<<19)
		written := make(chan error, 2)
		for _, w := range []io.Writer{c, theirs} {
			go func() {
				n, err := w.Write(sent)
				if err == nil && n != len(sent) {
					err = io.ErrShortWrite
				}
				written <- err
			}()
		}
		read := make(chan []byte, 2)
		for _, r := range []io.Reader{c, theirs} {
			go func() {
				got := make([]byte, len(sent))
				n, _ := io.ReadFull(r, got)
				read <- got[:n]
			}()
		}
		for range 2 {
			if err := <-written; err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if got := <-read; !bytes.Equal(got, sent) {
				t.Errorf("%s: %d bytes came, not the %d that were sent", name, len(got), len(sent))
			}
		}
	}
}

// How a read and a write end is told in the same words.
func TestKeptEnds(t *testing.T) {
	fill := func(c io.Writer) error {
		for {
			if _, err := c.Write(make([]byte, 1<<20)); err != nil {
				return err
			}
		}
	}
	read := func(c io.Reader) error { _, err := c.Read(make([]byte, 1)); return err }
	for name, end := range map[string]struct {
		do   func(c io.ReadWriter, ours, theirs *net.TCPConn) error
		want error
	}{
		"the peer closes": {func(c io.ReadWriter, _, theirs *net.TCPConn) error { _ = theirs.Close(); return read(c) }, io.EOF},
		"a deadline of the past": {func(c io.ReadWriter, ours, _ *net.TCPConn) error {
			_ = ours.SetReadDeadline(time.Unix(1, 0))
			return read(c)
		}, os.ErrDeadlineExceeded},
		"a deadline while waiting": {func(c io.ReadWriter, ours, _ *net.TCPConn) error {
			_ = ours.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
			return read(c)
		}, os.ErrDeadlineExceeded},
		"nobody reads": {func(c io.ReadWriter, ours, _ *net.TCPConn) error {
			_ = ours.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
			return fill(c)
		}, os.ErrDeadlineExceeded},
		"closed before a read":  {func(c io.ReadWriter, ours, _ *net.TCPConn) error { _ = ours.Close(); return read(c) }, net.ErrClosed},
		"closed before a write": {func(c io.ReadWriter, ours, _ *net.TCPConn) error { _ = ours.Close(); return fill(c) }, net.ErrClosed},
		"nothing to read into":  {func(c io.ReadWriter, _, _ *net.TCPConn) error { _, err := c.Read(nil); return err }, nil},
		"the peer resets, read": {func(c io.ReadWriter, _, theirs *net.TCPConn) error { reset(theirs); return read(c) }, errReset},
	} {
		var told [2]string
		for i, way := range []string{"net", "kept"} {
			ours, theirs := testkit.TCPPair(t)
			err := end.do(keptWays[way](ours), ours, theirs)
			if !errors.Is(err, end.want) {
				t.Errorf("%s, %s: got %v, want %v", name, way, err, end.want)
			}
			if op, ok := errors.AsType[*net.OpError](err); ok {
				told[i] = op.Op + " " + op.Net + ": " + op.Err.Error()
			}
		}
		if told[0] != told[1] {
			t.Errorf("%s: net says %q and kept %q", name, told[0], told[1])
		}
	}
}

const errReset = syscall.ECONNRESET

// reset ends a connection with a reset, and waits for nothing.
func reset(c *net.TCPConn) {
	_ = c.SetLinger(0)
	_ = c.Close()
}

// A call allocates nothing.
func TestKeptAllocatesNothing(t *testing.T) {
	ours, theirs := testkit.TCPPair(t)
	ours2, other := listen.NewKept(ours), listen.NewKept(theirs)
	b := make([]byte, 100)
	if got := testing.AllocsPerRun(100, func() {
		if _, err := ours2.Write(b); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(other, b); err != nil {
			t.Fatal(err)
		}
	}); got > 0 {
		t.Errorf("%v allocations", got)
	}
}
