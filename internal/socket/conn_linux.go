package socket

import (
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Conn is a TCP connection that a poller learns of only when somebody has to wait for it: the first Read that finds
// nothing, or the first Write that does not get rid of all, hands its descriptor to the runtime's poller, where it stays.
// Up to there deadlines are but noted. It is otherwise like a *net.TCPConn, its errors included, and like one safe for
// concurrent use.
type Conn struct {
	remote net.TCPAddr
	room   [net.IPv6len]byte // for remote.IP

	writing sync.Mutex // held by Write, so that no write comes into the middle of another; taken ahead of mu

	mu          sync.Mutex
	fd          int // -1: file has it, or it is closed or detached
	file        *os.File
	raw         syscall.RawConn // of file
	readBy      time.Time       // deadlines, which file has too; zero: none
	writeBy     time.Time
	unavailable bool // closed or detached
	beforeWait  func()
}

var (
	_ net.Conn     = (*Conn)(nil)
	_ syscall.Conn = (*Conn)(nil)
)

// Read implements net.Conn.
func (c *Conn) Read(p []byte) (int, error) {
	n, file, err := c.readNow(p)
	if file != nil {
		n, err = file.Read(p)
	}
	return n, c.explain("read", err)
}

// readNow reads without waiting, or returns the file to read from.
func (c *Conn) readNow(p []byte) (int, *os.File, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.unavailable:
		return 0, nil, net.ErrClosed
	case c.file != nil:
		return 0, c.file, nil
	case len(p) == 0:
		return 0, nil, nil
	}
	if !isPast(c.readBy) {
		switch n, err := Read(uintptr(c.fd), p); {
		case err == 0 && n == 0:
			return 0, nil, io.EOF
		case err == 0:
			return n, nil, nil
		case err != unix.EAGAIN:
			return 0, nil, os.NewSyscallError("read", err)
		}
	}
	file, err := c.poll()
	return 0, file, err
}

// Write implements net.Conn.
func (c *Conn) Write(p []byte) (int, error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	n, file, err := c.writeNow(p)
	if file != nil {
		var more int
		more, err = file.Write(p[n:])
		n += more
	}
	return n, c.explain("write", err)
}

// writeNow writes as much as the system takes at once, and returns the file to write the rest to, if there is any.
func (c *Conn) writeNow(p []byte) (int, *os.File, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.unavailable:
		return 0, nil, net.ErrClosed
	case c.file != nil:
		return 0, c.file, nil
	}
	n := 0
	if !isPast(c.writeBy) {
		var err syscall.Errno
		switch n, err = Write(uintptr(c.fd), p); {
		case err == unix.EAGAIN:
			n = 0
		case err != 0:
			return 0, nil, os.NewSyscallError("write", err)
		case n == len(p):
			return n, nil, nil
		}
	}
	file, err := c.poll()
	return n, file, err
}

// isPast tells whether a deadline is over.
func isPast(t time.Time) bool { return !t.IsZero() && time.Until(t) <= 0 }

// BeforeWait has f called once, before anybody waits for the connection for the first time. f must not use the connection.
// It is set before the connection is in use.
func (c *Conn) BeforeWait(f func()) { c.beforeWait = f }

// poll gives the descriptor to the runtime's poller. mu is held.
func (c *Conn) poll() (*os.File, error) {
	if c.beforeWait != nil {
		c.beforeWait()
	}
	c.file = os.NewFile(uintptr(c.fd), "socket")
	c.fd = -1
	raw, err := c.file.SyscallConn()
	if err != nil {
		return nil, err
	}
	c.raw = raw
	if err := errors.Join(c.file.SetReadDeadline(c.readBy), c.file.SetWriteDeadline(c.writeBy)); err != nil {
		return nil, err // the poller has no room for another descriptor
	}
	return c.file, nil
}

// explain makes an error what package net would have made of it.
func (c *Conn) explain(op string, err error) error {
	if err == nil || err == io.EOF { //nolint:errorlint // os.File returns io.EOF itself, as net.Conn has to
		return err
	}
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		err = path.Err
		if errno, ok := errors.AsType[syscall.Errno](err); ok {
			err = os.NewSyscallError(op, errno)
		}
	}
	if errors.Is(err, os.ErrClosed) {
		err = net.ErrClosed
	}
	return &net.OpError{Op: op, Net: "tcp", Addr: c.RemoteAddr(), Err: err}
}

// Close implements net.Conn.
func (c *Conn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.unavailable {
		return c.explain("close", net.ErrClosed)
	}
	c.unavailable = true
	if c.file != nil {
		return c.explain("close", c.file.Close())
	}
	fd := c.fd
	c.fd = -1
	return c.explain("close", os.NewSyscallError("close", unix.Close(fd)))
}

// Detach returns the descriptor, which does not block and is the caller's from then on: the connection is as if closed.
// It returns false, and does nothing, for a connection that is in the poller, or that is closed.
func (c *Conn) Detach() (fd int, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.unavailable || c.file != nil {
		return -1, false
	}
	c.unavailable = true
	fd, c.fd = c.fd, -1
	return fd, true
}

// LocalAddr implements net.Conn.
func (c *Conn) LocalAddr() net.Addr {
	var local syscall.Sockaddr
	err := c.Control(func(fd uintptr) {
		local, _ = syscall.Getsockname(int(fd)) // nil when it fails
	})
	if err != nil || local == nil {
		return &net.TCPAddr{}
	}
	return tcpAddr(local)
}

// RemoteAddr implements net.Conn.
func (c *Conn) RemoteAddr() net.Addr { return &c.remote }

// SetDeadline implements net.Conn.
func (c *Conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// SetReadDeadline implements net.Conn.
func (c *Conn) SetReadDeadline(t time.Time) error {
	return c.setDeadline(&c.readBy, (*os.File).SetReadDeadline, t)
}

// SetWriteDeadline implements net.Conn.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	return c.setDeadline(&c.writeBy, (*os.File).SetWriteDeadline, t)
}

func (c *Conn) setDeadline(note *time.Time, set func(*os.File, time.Time) error, t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.unavailable:
		return c.explain("set", net.ErrClosed)
	case c.file != nil:
		if err := set(c.file, t); err != nil {
			return c.explain("set", err)
		}
	}
	*note = t // also for poll, should Unpoll have been called
	return nil
}

// CloseWrite ends the sending direction, as that of *net.TCPConn.
func (c *Conn) CloseWrite() error {
	var err error
	controlErr := c.Control(func(fd uintptr) { err = os.NewSyscallError("shutdown", unix.Shutdown(int(fd), unix.SHUT_WR)) })
	if controlErr != nil {
		err = net.ErrClosed
	}
	return c.explain("close", err)
}

// SyscallConn implements syscall.Conn. Of what it returns, Read and Write wait as those of package net do.
func (c *Conn) SyscallConn() (syscall.RawConn, error) { return (*rawConn)(c), nil }

// Control calls f with the descriptor, which is open for so long. f must not block, and not use the connection.
func (c *Conn) Control(f func(fd uintptr)) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.unavailable:
		return c.explain("raw-control", net.ErrClosed)
	case c.file != nil:
		return c.explain("raw-control", c.raw.Control(f))
	}
	f(uintptr(c.fd))
	return nil
}

// rawConn is a Conn as syscall.RawConn.
type rawConn Conn

// Control implements syscall.RawConn.
func (r *rawConn) Control(f func(fd uintptr)) error { return (*Conn)(r).Control(f) }

// Read implements syscall.RawConn.
func (r *rawConn) Read(f func(fd uintptr) bool) error {
	raw, err := r.polled()
	if err == nil {
		err = raw.Read(f)
	}
	return (*Conn)(r).explain("raw-read", err)
}

// Write implements syscall.RawConn.
func (r *rawConn) Write(f func(fd uintptr) bool) error {
	raw, err := r.polled()
	if err == nil {
		err = raw.Write(f)
	}
	return (*Conn)(r).explain("raw-write", err)
}

// polled has the poller know of the connection, and returns what may wait for it.
func (r *rawConn) polled() (syscall.RawConn, error) {
	c := (*Conn)(r)
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.unavailable:
		return nil, net.ErrClosed
	case c.file == nil:
		if _, err := c.poll(); err != nil {
			return nil, err
		}
	}
	return c.raw, nil
}
