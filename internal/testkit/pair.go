package testkit

import (
	"net"
	"testing"
)

// TCPPair returns both ends of a TCP connection over the loopback. The test's end closes what is still open.
func TCPPair(tb testing.TB) (client, server *net.TCPConn) {
	tb.Helper()
	ln, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = ln.Close() }() // the connection is there
	dialled, err := (&net.Dialer{}).DialContext(tb.Context(), "tcp", ln.Addr().String())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = dialled.Close() }) // it may be closed
	server, err = ln.AcceptTCP()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = server.Close() }) // as above
	client, _ = dialled.(*net.TCPConn)
	return client, server
}
