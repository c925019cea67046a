//go:build !unix

package socket

import "syscall"

// CanPeek says that sockets cannot be looked at on this system.
const CanPeek = false

// Peek returns Unknown: a short read has to look instead.
func Peek(syscall.Conn) State { return Unknown }
