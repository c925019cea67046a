//go:build !linux

package conn

import (
	"errors"
	"net"
)

// tlsConn would be read by event loops, of which there are none here.
type tlsConn struct{ net.Conn }

// tlsLink is never made here.
type tlsLink struct{}

func (*tlsLink) seal(*[]byte, []byte) error { return errors.ErrUnsupported }
