//go:build unix

package http1

import (
	"errors"
	"net"

	"golang.org/x/sys/unix"
)

// peek looks without waiting what a read of the socket below a connection would find.
func peek(c net.Conn) peeked {
	socket := socketOf(c)
	if socket == nil {
		return peekUnknown
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return peekEnded
	}
	found := peekUnknown
	err = raw.Control(func(fd uintptr) {
		var b [1]byte
		n, _, err := unix.Recvfrom(int(fd), b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
		switch {
		case err == nil && n > 0:
			found = peekBytes
		case err == nil:
			found = peekEnded
		case errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR):
			found = peekSilent
		default:
			found = peekEnded
		}
	})
	if err != nil {
		return peekEnded
	}
	return found
}
