package server

import (
	"errors"
	"net"
	"strconv"
)

// userAddr is a listening address as a person would type it: "localhost:3001" for loopback and for every address.
func userAddr(a net.Addr) string {
	host, port := splitAddr(a)
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() || ip.Equal(net.IPv4(127, 0, 0, 1)) {
		host = "localhost"
	}
	return net.JoinHostPort(host, port)
}

// loopbackAddr is where a process on this machine reaches a listening address.
func loopbackAddr(a net.Addr) string {
	host, port := splitAddr(a)
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

func splitAddr(a net.Addr) (host, port string) {
	if t, ok := a.(*net.TCPAddr); ok {
		return t.IP.String(), strconv.Itoa(t.Port)
	}
	return a.String(), ""
}

// ignoreClosed drops the error of closing what is closed already.
func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// isLoopback tells whether only this machine reaches a listening address.
func isLoopback(a net.Addr) bool {
	t, ok := a.(*net.TCPAddr)
	return ok && t.IP.IsLoopback()
}
