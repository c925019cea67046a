//go:build unix

package backend

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// stale reports whether the peer of an idle connection has closed it, or has sent what nobody asked for and is about
// to close it. It looks at the socket without reading from it, so that a read that waits there is not disturbed.
func stale(c net.Conn) bool {
	s, ok := c.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return true
	}
	gone := false
	err = raw.Control(func(fd uintptr) {
		var b [1]byte
		_, _, err := unix.Recvfrom(int(fd), b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
		gone = err != unix.EAGAIN && err != unix.EWOULDBLOCK && err != unix.EINTR
	})
	return gone || err != nil
}
