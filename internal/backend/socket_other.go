//go:build !unix

package backend

import (
	"net"
	"time"
)

// socket is none: net/http makes all calls here (canPeek).
type socket struct{ raw any }

func (*socket) at(net.Conn) {}

func (*socket) turn(net.Conn, []byte, []byte, bool, func(int, time.Time) bool, time.Time) (wrote, read int, err error) {
	return 0, 0, errStale
}
