package socket

import (
	"encoding/binary"
	"net"
	"strconv"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

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
