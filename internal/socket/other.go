//go:build !linux

package socket

import "net"

// Accepter is nothing on this system.
type Accepter struct{}

// NewAccepter returns nil: there is no Accepter on this system.
func NewAccepter(net.Listener) *Accepter { return nil }

// Accept returns nil.
func (*Accepter) Accept() *Conn { return nil }

// Conn is nothing on this system.
type Conn struct{ net.Conn }

// Detach returns false.
func (*Conn) Detach() (fd int, ok bool) { return -1, false }

// Take returns c: there is no Conn on this system.
func Take(c net.Conn) net.Conn { return c }

// Unpoll returns false.
func Unpoll(net.Conn) bool { return false }
