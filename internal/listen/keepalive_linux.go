package listen

import (
	"errors"
	"fmt"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// KeepAliveInherited tells whether the connections of a TCP listener of Open have keep-alive set already, after a minute of
// silence: here the kernel copies it from the listening socket, which spares every handshake four system calls.
const KeepAliveInherited = true

const (
	keepAliveIdle   = int(time.Minute / time.Second)
	keepAliveProbes = 12 // in a row that go unanswered, a twelfth of the idle time apart (as in package conn)
)

// setKeepAlive prepares a socket to listen, as net.ListenConfig.Control: its connections inherit keep-alive, and TCP_NODELAY,
// which package net sets anew on those that it accepts and package socket does not. Connections that are not upgraded have keep-alive
// too, which does no harm: their own limits are shorter.
func setKeepAlive(_, _ string, raw syscall.RawConn) error {
	var err error
	controlErr := raw.Control(func(descriptor uintptr) {
		fd := int(descriptor)
		err = errors.Join(
			unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, keepAliveIdle),
			unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, keepAliveIdle/keepAliveProbes),
			unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPCNT, keepAliveProbes),
			unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1),
			unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1),
		)
	})
	if err = errors.Join(controlErr, err); err != nil {
		return fmt.Errorf("set the options of connections: %w", err)
	}
	return nil
}
