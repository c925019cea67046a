//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package lambda

import (
	"io/fs"
	"os"
	"syscall"
)

// tryLock locks a file until it is closed or the process ends; it fails when somebody else holds the lock.
func tryLock(f *os.File) error {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
}

// ownFolder tells whether a folder belongs to this user alone.
func ownFolder(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == os.Getuid() && info.Mode().Perm()&0o022 == 0
}
