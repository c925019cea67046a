package listen

import (
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// deferredFor is for how many seconds a connection whose client says nothing is kept from the listener. Behind it the kernel asks
// the client once more, and then hands the connection over as it is: the server's own time-outs see to it.
const deferredFor = 1

// deferAccept has the kernel hand over connections with the client's first bytes, for in HTTP and TLS the client speaks first
// (tcp(7), TCP_DEFER_ACCEPT). Without, the server is woken as soon as there is a connection, finds nothing to read, has
// the runtime's poller watch it, and is woken again for a request that came right behind.
func deferAccept(raw syscall.RawConn) error {
	var err error
	controlErr := raw.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT, deferredFor)
	})
	if controlErr != nil {
		return controlErr
	}
	if err != nil {
		return fmt.Errorf("have connections wait for their clients' first bytes: %w", err)
	}
	return nil
}
