package listen

import (
	"syscall"
	"unsafe"
)

// canMove tells whether readFD and writeFD work.
const canMove = true

// readFD and writeFD read and write a descriptor that does not block. What fails has moved nothing.

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
