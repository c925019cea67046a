package socket

import (
	"encoding/binary"
	"net"
	"strconv"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Accepter takes connections out of the queue of a listener, as far as there are any. It is safe for concurrent use.
type Accepter struct{ listener syscall.RawConn }

// NewAccepter returns an Accepter of a listener, which remains its owner's to wait on and to close. It is nil for what is
// no *net.TCPListener, and for one whose socket has not both TCP_NODELAY and keep-alive on, as package net would set them:
// connections have the options of the listening socket, for Accept sets none.
func NewAccepter(ln net.Listener) *Accepter {
	tcp, ok := ln.(*net.TCPListener)
	if !ok {
		return nil
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return nil
	}
	fit := false
	err = raw.Control(func(fd uintptr) {
		alive, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_KEEPALIVE)
		prompt, promptErr := unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NODELAY)
		fit = err == nil && promptErr == nil && alive != 0 && prompt != 0
	})
	if err != nil || !fit {
		return nil
	}
	return &Accepter{raw}
}

// Accept returns a connection that waits in the queue, without waiting for one; nil when there is none. It is nil too
// when anything is wrong, which the listener's own Accept then finds. The caller closes the connection.
func (a *Accepter) Accept() *Conn {
	var c *Conn
	err := a.listener.Control(func(listener uintptr) {
		var from unix.RawSockaddrAny
		size := uint32(unix.SizeofSockaddrAny)
		// Not announced to Go's scheduler, for the reason that move gives.
		fd, _, err := unix.RawSyscall6(unix.SYS_ACCEPT4, listener, uintptr(unsafe.Pointer(&from)), uintptr(unsafe.Pointer(&size)), unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0) //nolint:gosec // G103: as package unix does
		if err == 0 {
			c = &Conn{fd: int(fd)}
			c.setRemote(&from)
		}
	})
	if err != nil {
		return nil // it is closed: there is no connection then
	}
	return c
}

// setRemote notes the address of the client, in the form in which package net has it.
func (c *Conn) setRemote(from *unix.RawSockaddrAny) {
	switch from.Addr.Family {
	case unix.AF_INET:
		a := (*unix.RawSockaddrInet4)(unsafe.Pointer(from)) //nolint:gosec // G103: its family says so
		c.remote.IP = append(c.room[:0], a.Addr[:]...)
		c.remote.Port = hostOrder(&a.Port)
	case unix.AF_INET6:
		a := (*unix.RawSockaddrInet6)(unsafe.Pointer(from)) //nolint:gosec // G103: its family says so
		c.remote.IP = append(c.room[:0], a.Addr[:]...)
		c.remote.Port, c.remote.Zone = hostOrder(&a.Port), zone(a.Scope_id)
	default: // not reached: it is TCP
	}
}

// hostOrder reads a port as it stands in memory.
func hostOrder(port *uint16) int {
	return int(binary.BigEndian.Uint16((*[2]byte)(unsafe.Pointer(port))[:])) //nolint:gosec // G103: two bytes
}

// tcpAddr is an address as package net gives it.
func tcpAddr(a syscall.Sockaddr) *net.TCPAddr {
	switch a := a.(type) {
	case *syscall.SockaddrInet4:
		return &net.TCPAddr{IP: a.Addr[:], Port: a.Port}
	case *syscall.SockaddrInet6:
		return &net.TCPAddr{IP: a.Addr[:], Port: a.Port, Zone: zone(a.ZoneId)}
	}
	return &net.TCPAddr{} // not reached: it is TCP
}

// zone is the name of a link, of which only addresses that are good on one link have any.
func zone(index uint32) string {
	if index == 0 {
		return ""
	}
	if link, err := net.InterfaceByIndex(int(index)); err == nil {
		return link.Name
	}
	return strconv.FormatUint(uint64(index), 10)
}
