//go:build linux && !race

package gateway_test

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"cleat/internal/apigw"
)

// TestConnectAllocations is what a handshake costs from the accept to the 101, with a $connect function that takes no time, the
// record included. The client makes system calls alone, which allocate nothing, and leaves without $disconnect being anybody's.
func TestConnectAllocations(t *testing.T) {
	limits := apigw.LimitsAWS()
	limits.ConnectRate = 0
	n := newTestNode(t, api{routes: map[string]string{"$connect": "hello"}, keepAlive: -1}, limits)
	n.functions.fast.Store(&instant{answer: []byte(`{"statusCode":200}`)})
	to := netip.MustParseAddrPort(n.addr)
	sockaddr := &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()}
	request := fmt.Appendf(nil, "GET /prod HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", n.addr)
	answer := make([]byte, 1024)
	got := testing.AllocsPerRun(300, func() {
		if err := comeAndGo(sockaddr, request, answer); err != nil {
			t.Fatal(err)
		}
		<-n.records // the connect's
		<-n.records // its end's
	})
	if got > 36 {
		t.Errorf("%v allocations a connect and its end, want 36 at most", got)
	}
}

// comeAndGo connects, is let in, and leaves.
func comeAndGo(to unix.Sockaddr, request, answer []byte) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &answerWait); err != nil {
		return os.NewSyscallError("setsockopt", err)
	}
	if err := unix.Connect(fd, to); err != nil {
		return os.NewSyscallError("connect", err)
	}
	if _, err := unix.Write(fd, request); err != nil {
		return os.NewSyscallError("write", err)
	}
	n, err := unix.Read(fd, answer)
	if err != nil {
		return os.NewSyscallError("read", err)
	}
	if !bytes.HasPrefix(answer[:n], []byte("HTTP/1.1 101 ")) {
		return fmt.Errorf("answered %q", answer[:n])
	}
	return nil
}

var answerWait = unix.Timeval{Sec: 10}
