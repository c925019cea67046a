package socket

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// Take returns c as a Conn, so that a poller knows of it only once somebody has to wait for it: see Unpoll. c is not to be used
// any more. What is no *net.TCPConn, or cannot be taken, is returned as it is.
func Take(c net.Conn) net.Conn {
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return c
	}
	remote, ok := tcp.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return c
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return c
	}
	fd := duplicate(raw)
	if fd < 0 {
		return c
	}
	_ = tcp.Close() // the connection lives on by its other descriptor
	return &Conn{fd: fd, remote: *remote}
}

// Unpoll takes a Conn out of the poller again, where it got by waiting, and reports whether it is in none now. Nobody may be
// waiting. Of anything but a Conn it knows nothing.
func Unpoll(of net.Conn) bool {
	c, ok := of.(*Conn)
	if !ok {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.unavailable || c.file == nil {
		return !c.unavailable
	}
	fd := duplicate(c.raw)
	if fd < 0 {
		return false
	}
	_ = c.file.Close() // as above
	c.fd, c.file, c.raw = fd, nil, nil
	return true
}

// duplicate returns another descriptor of a socket, or -1.
func duplicate(of syscall.RawConn) int {
	fd := -1
	err := of.Control(func(old uintptr) {
		var err error
		if fd, err = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 0); err != nil {
			fd = -1
		}
	})
	if err != nil {
		return -1
	}
	return fd
}
