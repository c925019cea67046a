package socket_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"cleat/internal/socket"
)

// listenTCP returns a listener whose connections inherit what package net would set.
func listenTCP(t *testing.T, address string) net.Listener {
	t.Helper()
	var set net.ListenConfig
	set.Control = func(_, _ string, raw syscall.RawConn) error {
		var err error
		return errors.Join(raw.Control(func(fd uintptr) {
			err = errors.Join(unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1),
				unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NODELAY, 1))
		}), err)
	}
	ln, err := set.Listen(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() }) // a test may have closed it
	return ln
}

// listenOurs returns a Listener of package socket.
func listenOurs(t *testing.T, address string) *socket.Listener {
	t.Helper()
	tcp, _ := listenTCP(t, address).(*net.TCPListener)
	ln, err := socket.NewListener(tcp)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() }) // a test may have closed it
	ours, ok := ln.(*socket.Listener)
	if !ok {
		t.Fatalf("NewListener made a %T", ln)
	}
	return ours
}

// pair returns both ends of a connection: the server's as package socket or as package net has it.
func pair(t *testing.T, ours bool) (server net.Conn, client *net.TCPConn) {
	t.Helper()
	ln := listenTCP(t, "127.0.0.1:0")
	if ours {
		ln = listenOurs(t, "127.0.0.1:0")
	}
	dialed, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	client, _ = dialed.(*net.TCPConn)
	if server, err = ln.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Close() // a test may have closed either
		_ = client.Close()
	})
	return server, client
}

// outcome says of an error what callers look at.
func outcome(err error) string {
	if err == nil || err == io.EOF { //nolint:errorlint // net.Conn must return it as it is
		return fmt.Sprint(err)
	}
	var op *net.OpError
	s := fmt.Sprintf("op %v", errors.As(err, &op))
	if op != nil {
		s += " " + op.Op
	}
	if timeout, ok := errors.AsType[net.Error](err); ok {
		s += fmt.Sprintf(" timeout %v", timeout.Timeout())
	}
	for _, known := range []error{net.ErrClosed, os.ErrDeadlineExceeded, unix.ECONNRESET, unix.EPIPE} {
		s += fmt.Sprintf(" %v", errors.Is(err, known))
	}
	return s
}

// Whatever is done with a connection comes to the same as with package net's.
func TestConnIsAsNets(t *testing.T) {
	t.Parallel()
	later := func(f func()) { time.AfterFunc(20*time.Millisecond, f) }
	big := bytes.Repeat([]byte("0123456789abcdef"), 1<<20)
	for name, do := range map[string]func(t *testing.T, s net.Conn, c *net.TCPConn) []string{
		"what is there and what comes": func(t *testing.T, s net.Conn, c *net.TCPConn) []string {
			t.Helper()
			said := []string{}
			buf := make([]byte, 5)
			send(t, c, "hello")
			n, err := io.ReadFull(s, buf)
			said = append(said, string(buf[:n]), outcome(err))
			later(func() { send(t, c, "world"); _ = c.CloseWrite() })
			n, err = io.ReadFull(s, buf)
			said = append(said, string(buf[:n]), outcome(err))
			for range 2 {
				_, err = s.Read(buf)
				said = append(said, outcome(err))
			}
			n, err = s.Write([]byte("bye"))
			return append(said, fmt.Sprint(n), outcome(err))
		},
		"the end": func(_ *testing.T, s net.Conn, c *net.TCPConn) []string {
			_ = c.Close() // its other end reads it
			_, err := io.ReadFull(s, make([]byte, 1))
			return []string{outcome(err)}
		},
		"a reset": func(_ *testing.T, s net.Conn, c *net.TCPConn) []string {
			_ = c.SetLinger(0)
			_ = c.Close() // resets
			time.Sleep(time.Millisecond)
			_, err := s.Read(make([]byte, 1))
			_, werr := s.Write([]byte("x"))
			return []string{outcome(err), outcome(werr)}
		},
		"nothing": func(_ *testing.T, s net.Conn, _ *net.TCPConn) []string {
			n, err := s.Read(nil)
			m, werr := s.Write(nil)
			return []string{fmt.Sprint(n, m), outcome(err), outcome(werr)}
		},
		"a deadline that is over": func(t *testing.T, s net.Conn, c *net.TCPConn) []string {
			t.Helper()
			send(t, c, "there")
			said := []string{outcome(s.SetDeadline(time.Unix(1, 0)))}
			n, err := s.Read(make([]byte, 9))
			m, werr := s.Write([]byte("x"))
			said = append(said, fmt.Sprint(n, m), outcome(err), outcome(werr))
			said = append(said, outcome(s.SetDeadline(time.Time{})))
			n, err = s.Read(make([]byte, 9))
			return append(said, fmt.Sprint(n), outcome(err))
		},
		"deadlines that come": func(_ *testing.T, s net.Conn, _ *net.TCPConn) []string {
			said := []string{outcome(s.SetReadDeadline(time.Now().Add(10 * time.Millisecond)))}
			_, err := s.Read(make([]byte, 9))
			said = append(said, outcome(err), outcome(s.SetWriteDeadline(time.Now().Add(10*time.Millisecond))))
			_, err = s.Write(big)
			return append(said, outcome(err))
		},
		"a deadline for who waits": func(_ *testing.T, s net.Conn, _ *net.TCPConn) []string {
			later(func() { _ = s.SetReadDeadline(time.Unix(1, 0)) })
			_, err := s.Read(make([]byte, 9))
			return []string{outcome(err)}
		},
		"a close for who waits": func(_ *testing.T, s net.Conn, _ *net.TCPConn) []string {
			later(func() { _ = s.Close() })
			_, err := s.Read(make([]byte, 9))
			return []string{outcome(err)}
		},
		"after a close": func(_ *testing.T, s net.Conn, _ *net.TCPConn) []string {
			said := []string{outcome(s.Close()), outcome(s.Close())}
			_, err := s.Read(make([]byte, 9))
			_, werr := s.Write([]byte("x"))
			raw, rawErr := s.(syscall.Conn).SyscallConn()
			said = append(said, outcome(rawErr), outcome(raw.Control(func(uintptr) {})))
			return append(said, outcome(err), outcome(werr), outcome(s.SetDeadline(time.Time{})),
				outcome(s.(interface{ CloseWrite() error }).CloseWrite()))
		},
		"more than fits": func(t *testing.T, s net.Conn, c *net.TCPConn) []string {
			t.Helper()
			var got []byte
			var reading sync.WaitGroup
			reading.Go(func() { got, _ = io.ReadAll(c) })
			n, err := s.Write(big)
			said := []string{fmt.Sprint(n), outcome(err), outcome(s.(interface{ CloseWrite() error }).CloseWrite())}
			reading.Wait()
			return append(said, fmt.Sprint(bytes.Equal(got, big)))
		},
		"addresses": func(t *testing.T, s net.Conn, c *net.TCPConn) []string {
			t.Helper()
			if got, want := s.RemoteAddr().String(), c.LocalAddr().String(); got != want {
				t.Errorf("the client is at %s, want %s", got, want)
			}
			if got, want := s.LocalAddr().String(), c.RemoteAddr().String(); got != want {
				t.Errorf("the server is at %s, want %s", got, want)
			}
			return []string{s.RemoteAddr().Network(), fmt.Sprintf("%T %T", s.RemoteAddr(), s.LocalAddr())}
		},
		"options": func(t *testing.T, s net.Conn, _ *net.TCPConn) []string {
			t.Helper()
			raw, err := s.(syscall.Conn).SyscallConn()
			if err != nil {
				t.Fatal(err)
			}
			said := []string{}
			err = raw.Control(func(fd uintptr) {
				for _, o := range [][2]int{{unix.IPPROTO_TCP, unix.TCP_NODELAY}, {unix.SOL_SOCKET, unix.SO_KEEPALIVE}} {
					v, err := unix.GetsockoptInt(int(fd), o[0], o[1])
					said = append(said, fmt.Sprint(v, err))
				}
				closes, err := unix.FcntlInt(fd, unix.F_GETFD, 0)
				said = append(said, fmt.Sprint(closes, err))
			})
			return append(said, outcome(err))
		},
		"raw waiting": func(t *testing.T, s net.Conn, c *net.TCPConn) []string {
			t.Helper()
			raw, err := s.(syscall.Conn).SyscallConn()
			if err != nil {
				t.Fatal(err)
			}
			later(func() { send(t, c, "x") })
			n := 0
			err = raw.Read(func(fd uintptr) bool {
				n, _ = unix.Read(int(fd), make([]byte, 2))
				return n == 1
			})
			werr := raw.Write(func(uintptr) bool { return true })
			return []string{outcome(err), outcome(werr), fmt.Sprint(n)}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, c := pair(t, true)
			got := do(t, s, c)
			s, c = pair(t, false)
			want := do(t, s, c)
			if g, w := fmt.Sprintf("%q", got), fmt.Sprintf("%q", want); g != w {
				t.Errorf("got  %s\nwant %s", g, w)
			}
		})
	}
}

func send(t *testing.T, c net.Conn, text string) {
	t.Helper()
	if _, err := c.Write([]byte(text)); err != nil {
		t.Error(err)
	}
}

func TestRemoteAddrOfIPv6(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"[::]:0", "[::1]:0"} {
		probe, err := net.Listen("tcp", at)
		if err != nil {
			t.Skip("this machine has no IPv6: ", err)
		}
		_ = probe.Close() // nobody connected
		ln := listenOurs(t, at)
		_, port, _ := net.SplitHostPort(ln.Addr().String())
		host := "127.0.0.1" // by the wildcard an IPv4 address in IPv6's form
		if at == "[::1]:0" {
			host = "::1"
		}
		client, err := net.Dial("tcp", net.JoinHostPort(host, port))
		if err != nil {
			t.Fatal(err)
		}
		c, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if got, want := c.RemoteAddr().String(), client.LocalAddr().String(); got != want {
			t.Errorf("%s: the client is at %s, want %s", at, got, want)
		}
		_, _ = c.Close(), client.Close() // nothing was sent
	}
}

func TestDetach(t *testing.T) {
	t.Parallel()
	s, client := pair(t, true)
	c, _ := s.(*socket.Conn)
	fd, ok := c.Detach()
	if !ok {
		t.Fatal("a new connection cannot be detached")
	}
	defer unix.Close(fd)
	if err := c.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("closing what is detached: %v, want %v", err, net.ErrClosed)
	}
	if _, err := unix.Write(fd, []byte("still there")); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len("still there"))
	if _, err := io.ReadFull(client, got); err != nil || string(got) != "still there" {
		t.Errorf("the client read %q, %v", got, err)
	}
	if _, ok := c.Detach(); ok {
		t.Error("it was detached twice")
	}
}

// Who has waited for a connection has it in the poller, from which nobody can take it.
func TestDetachAfterWaiting(t *testing.T) {
	t.Parallel()
	s, _ := pair(t, true)
	c, _ := s.(*socket.Conn)
	if err := c.SetReadDeadline(time.Now().Add(time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("Read: %v, want a time-out", err)
	}
	if _, ok := c.Detach(); ok {
		t.Error("it was detached")
	}
}

func TestNewListenerUsesUp(t *testing.T) {
	t.Parallel()
	tcp, _ := listenTCP(t, "127.0.0.1:0").(*net.TCPListener)
	at := tcp.Addr().String()
	ln, err := socket.NewListener(tcp)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if err := tcp.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("closing what was used up: %v, want %v", err, net.ErrClosed)
	}
	if got := ln.Addr().String(); got != at {
		t.Errorf("it listens on %s, want %s", got, at)
	}
	if _, err := socket.NewListener(tcp); err == nil {
		t.Error("a closed listener was taken")
	}
}

func TestAcceptNowNeverWaits(t *testing.T) {
	t.Parallel()
	ln := listenOurs(t, "127.0.0.1:0")
	if c := ln.AcceptNow(); c != nil {
		t.Errorf("accepted %v, and nobody has connected", c.RemoteAddr())
	}
	client, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	var c *socket.Conn
	for end := time.Now().Add(10 * time.Second); c == nil && time.Now().Before(end); runtime.Gosched() {
		c = ln.AcceptNow()
	}
	if c == nil {
		t.Fatal("the connection that waits was not accepted")
	}
	_ = c.Close() // nothing was sent
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	if c := ln.AcceptNow(); c != nil {
		t.Errorf("accepted %v of a closed listener", c.RemoteAddr())
	}
}

// Several wait at a time; each gets a connection, and the end of the listener ends the wait of the others.
func TestAcceptWaits(t *testing.T) {
	t.Parallel()
	ln := listenOurs(t, "127.0.0.1:0")
	const waiting, come = 4, 3
	accepted := make(chan error, waiting)
	for range waiting {
		go func() {
			c, err := ln.Accept()
			if err == nil {
				_ = c.Close() // nothing was sent
			}
			accepted <- err
		}()
	}
	for range come {
		client, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		if err := <-accepted; err != nil {
			t.Fatal(err)
		}
	}
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-accepted; !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept of a closed listener: %v, want %v", err, net.ErrClosed)
	}
	if err := ln.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("closing it again: %v, want %v", err, net.ErrClosed)
	}
}

func TestBeforeWait(t *testing.T) {
	t.Parallel()
	s, client := pair(t, true)
	c, _ := s.(*socket.Conn)
	waits := make(chan struct{}, 2)
	c.BeforeWait(func() { waits <- struct{}{} })
	if _, err := client.Write([]byte("ab")); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 1)
	for read := 0; read < 2; { // the first may have to wait
		n, err := c.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		read += n
	}
	if err := c.SetReadDeadline(time.Now().Add(time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := c.Read(b); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("Read: %v, want a time-out", err)
		}
	}
	if n := len(waits); n != 1 {
		t.Errorf("called %d times before it was waited for, want once", n)
	}
}

// What waits in the poller is read and written through its RawConn without allocating.
func TestRawConnAllocatesNothing(t *testing.T) {
	server, peer := pair(t, true)
	raw, err := server.(*socket.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 8)
	read := func(fd uintptr) bool { _, err := socket.Read(fd, b); return err != syscall.EAGAIN }
	write := func(fd uintptr) bool { _, err := socket.Write(fd, b); return err != syscall.EAGAIN }
	if got := testing.AllocsPerRun(100, func() {
		if _, err := peer.Write(b); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(raw.Read(read), raw.Write(write)); err != nil {
			t.Fatal(err)
		}
	}); got > 0 {
		t.Errorf("%v allocations", got)
	}
}

// What is taken from package net, or out of the poller again, reads, writes and heeds its deadlines as before.
func TestTakeAndUnpoll(t *testing.T) {
	t.Parallel()
	s, client := pair(t, false)
	remote := s.RemoteAddr().String()
	c := socket.Take(s)
	if _, ok := c.(*socket.Conn); !ok || c.RemoteAddr().String() != remote {
		t.Fatalf("took %T from %v, want a *socket.Conn from %s", c, c.RemoteAddr(), remote)
	}
	defer c.Close()
	b := make([]byte, 5)
	for range 3 {
		if err := c.SetReadDeadline(time.Now().Add(time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Read(b); !errors.Is(err, os.ErrDeadlineExceeded) { // it is in the poller now
			t.Fatalf("Read: %v, want a time-out", err)
		}
		if !socket.Unpoll(c) {
			t.Fatal("it is in the poller still")
		}
		if _, err := c.Read(b); !errors.Is(err, os.ErrDeadlineExceeded) { // of before
			t.Fatalf("Read: %v, want a time-out", err)
		}
		if err := c.SetReadDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
		if !socket.Unpoll(c) {
			t.Fatal("it is in the poller still")
		}
		time.AfterFunc(5*time.Millisecond, func() { send(t, client, "hello") })
		if _, err := io.ReadFull(c, b); err != nil || string(b) != "hello" {
			t.Fatalf("read %q, %v", b, err)
		}
		if _, err := c.Write([]byte("there")); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(client, b); err != nil || string(b) != "there" {
			t.Fatalf("the client read %q, %v", b, err)
		}
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if socket.Unpoll(c) {
		t.Error("a closed one can be used")
	}
	other, _ := net.Pipe()
	defer other.Close()
	if socket.Take(other) != other || socket.Unpoll(other) {
		t.Error("a pipe is no socket")
	}
}
