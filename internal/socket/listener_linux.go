package socket

import (
	"net"
	"os"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Listener is a TCP listener whose connections are of type *Conn, waiting or not. They have the options of the listening
// socket, for Accept sets none. It is safe for concurrent use.
type Listener struct {
	file *os.File
	raw  syscall.RawConn // of file
	addr net.Addr
}

var (
	_ net.Listener = (*Listener)(nil)
	_ syscall.Conn = (*Listener)(nil)
)

// NewListener returns a Listener in the place of ln, which is used up: it is closed, whatever NewListener returns. On this
// system the result is a *Listener.
func NewListener(ln *net.TCPListener) (net.Listener, error) {
	addr := ln.Addr()
	file, err := ln.File() // a duplicate, which does not block either
	if closeErr := ln.Close(); err == nil && closeErr != nil {
		err = closeErr
		_ = file.Close() // nothing was done with it
	}
	if err != nil {
		return nil, err
	}
	raw, err := file.SyscallConn()
	if err != nil {
		_ = file.Close() // nothing was done with it
		return nil, err
	}
	return &Listener{file, raw, addr}, nil
}

// acceptance is one call of accept4. It is used again: made anew it would be garbage of every connection.
type acceptance struct {
	conn *Conn
	err  syscall.Errno
	runs int // of accept
	from unix.RawSockaddrAny
	step func(listener uintptr) (done bool) // accept
	once func(listener uintptr)             // the same
}

var acceptances = sync.Pool{New: func() any {
	a := new(acceptance)
	a.step = a.accept
	a.once = func(listener uintptr) { a.accept(listener) }
	return a
}}

// accept accepts what is in the queue; false when there is nothing.
func (a *acceptance) accept(listener uintptr) (done bool) {
	a.runs++
	for {
		size := uint32(unix.SizeofSockaddrAny)
		// Not announced to Go's scheduler, for the reason that Read gives.
		fd, _, err := unix.RawSyscall6(unix.SYS_ACCEPT4, listener, uintptr(unsafe.Pointer(&a.from)), uintptr(unsafe.Pointer(&size)), unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0) //nolint:gosec // G103: as package unix does
		switch err {
		case 0:
			a.conn = &Conn{fd: int(fd)}
			a.conn.setRemote(&a.from)
			return true
		case unix.EINTR, unix.ECONNABORTED: // the client has gone again, which is not the listener's trouble
		case unix.EAGAIN:
			return false
		default:
			a.err = err
			return true
		}
	}
}

// leave gives the acceptance back, and returns what came of it.
func (a *acceptance) leave() (c *Conn, runs int, err syscall.Errno) {
	c, runs, err = a.conn, a.runs, a.err
	a.conn, a.runs, a.err = nil, 0, 0
	acceptances.Put(a)
	return c, runs, err
}

// Accept implements net.Listener: it waits for a connection.
func (l *Listener) Accept() (net.Conn, error) {
	c, _, err := l.AcceptConn()
	if err != nil {
		return nil, err
	}
	return c, nil
}

// AcceptConn is Accept, and tells whether it had to wait.
func (l *Listener) AcceptConn() (c *Conn, waited bool, err error) {
	a, _ := acceptances.Get().(*acceptance)
	err = l.raw.Read(a.step)
	c, runs, errno := a.leave()
	switch {
	case c != nil:
		return c, runs > 1, nil
	case err != nil:
		err = net.ErrClosed // waiting fails for nothing else
	default:
		err = os.NewSyscallError("accept4", errno)
	}
	return nil, false, &net.OpError{Op: "accept", Net: l.addr.Network(), Addr: l.addr, Err: err}
}

// AcceptNow returns a connection that waits in the queue; nil when there is none, or anything is wrong, which Accept then finds.
func (l *Listener) AcceptNow() *Conn {
	a, _ := acceptances.Get().(*acceptance)
	_ = l.raw.Control(a.once) // it is closed: there is no connection then
	c, _, _ := a.leave()
	return c
}

// Close implements net.Listener.
func (l *Listener) Close() error {
	if err := l.file.Close(); err != nil {
		return &net.OpError{Op: "close", Net: l.addr.Network(), Addr: l.addr, Err: net.ErrClosed}
	}
	return nil
}

// Addr implements net.Listener.
func (l *Listener) Addr() net.Addr { return l.addr }

// SyscallConn implements syscall.Conn.
func (l *Listener) SyscallConn() (syscall.RawConn, error) { return l.raw, nil }
