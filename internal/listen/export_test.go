package listen

import (
	"io"
	"net"
	"net/netip"
)

// ParseHead and EndOfHead are reached by fuzz targets, which cannot afford a server per input.
var (
	ParseHead = parseHead
	EndOfHead = endOfHead
)

// ReadProxyHeader gives the parts of what readProxyHeader reads.
func ReadProxyHeader(r io.Reader) (client netip.AddrPort, tls bool, err error) {
	o, err := readProxyHeader(r)
	return o.client, o.tls, err
}

// NewKept is newKept of a connection that has a socket.
func NewKept(c net.Conn) io.ReadWriter { return newKept(c) }
