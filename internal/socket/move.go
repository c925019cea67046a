//go:build unix

package socket

import "syscall"

// Read reads a descriptor that does not block. On Linux Go's scheduler is not told: it would look for somebody to lend the
// processor to, for the few microseconds that this takes, and its monitor, awake every 20 us for it, would take processors
// away in the middle of a call. What fails has moved nothing; EINTR is none of the errors. An empty p reads nothing.
func Read(fd uintptr, p []byte) (int, syscall.Errno) { return again(read, fd, p) }

// Write is Read for writing.
func Write(fd uintptr, p []byte) (int, syscall.Errno) { return again(write, fd, p) }

func again(call func(uintptr, []byte) (int, syscall.Errno), fd uintptr, p []byte) (int, syscall.Errno) {
	if len(p) == 0 {
		return 0, 0
	}
	for {
		switch n, err := call(fd, p); err {
		case 0:
			return n, 0
		case syscall.EINTR:
		default:
			return 0, err
		}
	}
}
