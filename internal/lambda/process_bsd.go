//go:build unix && !linux

package lambda

import (
	"syscall"
)

// dieWithParent has no counterpart here: a worker ends when it finds its Runtime API gone.
func dieWithParent(*syscall.SysProcAttr) {}

// awaitExit has no portable counterpart: what a process leaves behind when it ends by itself is not killed here.
func awaitExit(int) bool { return false }
