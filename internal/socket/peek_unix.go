//go:build unix

package socket

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// CanPeek says that sockets can be looked at on this system.
const CanPeek = true

// Peek tells what a read of c would find, without reading and without waiting: a read that waits there is not disturbed. A
// socket that it finds broken is of no use any more, for what was wrong with it is told once.
func Peek(c syscall.Conn) State {
	raw, err := c.SyscallConn()
	if err != nil {
		return Ended
	}
	found := Unknown
	err = raw.Control(func(fd uintptr) {
		var b [1]byte
		n, _, err := unix.Recvfrom(int(fd), b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
		switch {
		case err == nil && n > 0:
			found = Ready
		case err == unix.EAGAIN || err == unix.EINTR:
			found = Silent
		case err != unix.ENOTSOCK:
			found = Ended
		}
	})
	if err != nil {
		return Ended
	}
	return found
}
