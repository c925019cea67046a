//go:build !linux

package listen

import "syscall"

// KeepAliveInherited tells whether the connections of a TCP listener of Open have keep-alive set already.
const KeepAliveInherited = false

func setKeepAlive(string, string, syscall.RawConn) error { return nil }
