package listen_test

import (
	"net"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"cleat/internal/listen"
)

// A connection that a handler takes over has keep-alive from its listener on; the hub relies on it.
func TestKeepAliveIsInherited(t *testing.T) {
	t.Parallel()
	got := make(chan net.Conn, 1)
	ln, err := listen.Open(t.Context(), "127.0.0.1:0", 0)
	if err != nil {
		t.Fatal(err)
	}
	s := startOn(t, ln, listen.Options{Handler: hijackTo(got)})
	write(t, s.dial(t), handshake())
	c := <-got
	defer c.Close()
	socket, ok := c.(syscall.Conn)
	if !ok {
		t.Fatalf("a %T", c)
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	err = raw.Control(func(fd uintptr) {
		for option, want := range map[[2]int]int{
			{unix.SOL_SOCKET, unix.SO_KEEPALIVE}:   1,
			{unix.IPPROTO_TCP, unix.TCP_NODELAY}:   1,
			{unix.IPPROTO_TCP, unix.TCP_KEEPIDLE}:  60,
			{unix.IPPROTO_TCP, unix.TCP_KEEPINTVL}: 5,
			{unix.IPPROTO_TCP, unix.TCP_KEEPCNT}:   12,
		} {
			if got, err := unix.GetsockoptInt(int(fd), option[0], option[1]); err != nil || got != want {
				t.Errorf("option %v: got %d, %v, want %d", option, got, err, want)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}
