//go:build linux && !race

package backend

import (
	"syscall"
	"unsafe"
)

// readFD and writeFD move bytes of a descriptor that does not block, without telling Go's scheduler: it would look for
// somebody to lend the processor to, for the few microseconds that this takes. The race detector is not told either, so it gets the others.

func readFD(fd uintptr, p []byte) (int, syscall.Errno) { return moveFD(syscall.SYS_READ, fd, p) }

func writeFD(fd uintptr, p []byte) (int, syscall.Errno) { return moveFD(syscall.SYS_WRITE, fd, p) }

func moveFD(call, fd uintptr, p []byte) (int, syscall.Errno) {
	for {
		n, _, err := syscall.RawSyscall(call, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p))) //nolint:gosec // G103: as package syscall does
		switch err {
		case 0:
			return int(n), 0
		case syscall.EINTR:
		default:
			return 0, err
		}
	}
}
