//go:build unix && (!linux || race)

package backend

import "syscall"

// readFD and writeFD move bytes of a descriptor that does not block.

func readFD(fd uintptr, p []byte) (int, syscall.Errno) { return moveFD(syscall.Read, fd, p) }

func writeFD(fd uintptr, p []byte) (int, syscall.Errno) { return moveFD(syscall.Write, fd, p) }

func moveFD(call func(int, []byte) (int, error), fd uintptr, p []byte) (int, syscall.Errno) {
	for {
		n, err := call(int(fd), p)                  //nolint:gosec // G115: descriptors are small
		switch err, _ := err.(syscall.Errno); err { //nolint:errorlint // as package syscall makes them
		case 0:
			return n, 0
		case syscall.EINTR:
		default:
			return 0, err
		}
	}
}
