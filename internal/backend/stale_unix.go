//go:build unix

package backend

import (
	"errors"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// canPeek says that an idle connection can be looked at without reading from it.
const canPeek = true

// peeker looks at a connection.
type peeker struct {
	raw    syscall.RawConn
	conn   net.Conn // in place of raw, of a connection that is no socket
	peek   func(fd uintptr)
	polled [1]unix.PollFd
	gone   bool
}

// at readies it for a connection.
func (p *peeker) at(c net.Conn) {
	s, ok := c.(syscall.Conn)
	if !ok {
		p.conn = c
		return
	}
	raw, err := s.SyscallConn()
	if err != nil { // it is closed
		p.gone = true
		return
	}
	p.raw = raw
	p.peek = func(fd uintptr) {
		p.polled[0] = unix.PollFd{Fd: int32(fd), Events: unix.POLLIN} //nolint:gosec // descriptors are small
		n, err := unix.Poll(p.polled[:], 0)
		p.gone = n > 0 || err != nil && err != unix.EINTR
	}
}

// stale reports whether the peer of an idle connection has closed it, or has sent what nobody asked for and is about
// to close it. It looks at the socket without reading from it, so that a read that waits there is not disturbed.
func (p *peeker) stale() bool {
	switch {
	case p.conn != nil:
		return !silent(p.conn)
	case p.raw == nil:
		return true
	}
	return p.raw.Control(p.peek) != nil || p.gone
}

// silent reports whether a read of a connection that is no socket would have to wait. A pipe knows without waiting.
func silent(c net.Conn) bool {
	if c.SetReadDeadline(longAgo) != nil {
		return false
	}
	var b [1]byte
	_, err := c.Read(b[:])
	return errors.Is(err, os.ErrDeadlineExceeded)
}

// stale looks at a socket at once; of anything else it knows nothing.
func stale(c net.Conn) bool {
	if _, ok := c.(syscall.Conn); !ok {
		return false
	}
	var p peeker
	p.at(c)
	return p.stale()
}
