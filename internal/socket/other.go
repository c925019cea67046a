//go:build !linux

package socket

import "net"

// NewListener returns ln: there is nothing better on this system.
func NewListener(ln *net.TCPListener) (net.Listener, error) { return ln, nil }

// Listener is nothing on this system.
type Listener struct{ net.Listener }

// AcceptConn returns nothing: there is no Listener on this system.
func (*Listener) AcceptConn() (*Conn, bool, error) { return nil, false, net.ErrClosed }

// AcceptNow returns nil.
func (*Listener) AcceptNow() *Conn { return nil }

// Conn is nothing on this system.
type Conn struct{ net.Conn }

// Detach returns false.
func (*Conn) Detach() (fd int, ok bool) { return -1, false }

// BeforeWait does nothing.
func (*Conn) BeforeWait(func()) {}

// Take returns c: there is no Conn on this system.
func Take(c net.Conn) net.Conn { return c }

// Unpoll returns false.
func Unpoll(net.Conn) bool { return false }
