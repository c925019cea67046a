//go:build unix

package backend

import (
	"errors"
	"net"
	"os"
	"syscall"

	sock "cleat/internal/socket"
)

// canPeek says that an idle connection can be looked at without reading from it.
const canPeek = true

// stale reports whether the peer of an idle connection has closed it, or has sent what nobody asked for and is about to
// close it. It looks at the socket without reading from it, so that a read that waits there is not disturbed; of anything
// else it knows nothing.
func stale(c net.Conn) bool {
	s, ok := c.(syscall.Conn)
	if !ok {
		return false
	}
	found := sock.Peek(s)
	return found == sock.Ready || found == sock.Ended
}

// spoke is stale for connections of every kind, as long as nobody reads from them.
func spoke(c net.Conn) bool {
	if _, ok := c.(syscall.Conn); ok {
		return stale(c)
	}
	return !silent(c)
}

// silent reports whether a read of a connection that is no socket would have to wait. A pipe knows without waiting.
func silent(c net.Conn) bool {
	if c.SetReadDeadline(longAgo) != nil {
		return false
	}
	var b [1]byte
	_, err := c.Read(b[:])
	return errors.Is(err, os.ErrDeadlineExceeded)
}
