//go:build unix

package server

import "golang.org/x/sys/unix"

// descriptors is how many files and sockets the process may have open. Go has raised that to what is allowed at its start.
func descriptors() uint64 {
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil {
		return 0
	}
	return uint64(limit.Cur) //nolint:unconvert // it is signed on some systems
}
