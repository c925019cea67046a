//go:build unix && (!linux || race)

package socket

import "syscall"

// The race detector is told by package syscall what happens before what; elsewhere than on Linux there is no other way.

func read(fd uintptr, p []byte) (int, syscall.Errno) { return move(syscall.Read, fd, p) }

func write(fd uintptr, p []byte) (int, syscall.Errno) { return move(syscall.Write, fd, p) }

func move(call func(int, []byte) (int, error), fd uintptr, p []byte) (int, syscall.Errno) {
	n, err := call(int(fd), p)      //nolint:gosec // G115: descriptors are small
	errno, _ := err.(syscall.Errno) //nolint:errorlint // as package syscall makes them
	return n, errno
}
