package listen

import (
	"context"
	"io"
	"net"
	"net/netip"
	"time"
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

// RunTunnel copies between two connections as a tunnel does.
func RunTunnel(ctx context.Context, a, b net.Conn, idle time.Duration) {
	(&tunnel{a: stream{a, a}, b: stream{b, b}, idle: idle}).run(ctx)
}

// NewKept is newKept of a connection that has a socket.
func NewKept(c net.Conn) io.ReadWriter { return newKept(c) }

// Trim has the goroutines end that wait for something to do, as happens every few seconds.
func (s *Server) Trim() { s.crew.trim() }

// Waiting counts the goroutines that wait for something to do.
func (s *Server) Waiting() int { return int(s.crew.waiting.Load()) }
