//go:build !linux

package listen

import "net"

// kept is nothing on this system: package net's way is the only one.
type kept struct{ net.Conn }

func newKept(net.Conn) *kept { return nil }
