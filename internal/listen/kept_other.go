//go:build !linux

package listen

import "syscall"

// canMove tells whether readFD and writeFD work.
const canMove = false

func readFD(uintptr, []byte) (int, syscall.Errno) { return 0, syscall.EINVAL }

func writeFD(uintptr, []byte) (int, syscall.Errno) { return 0, syscall.EINVAL }
