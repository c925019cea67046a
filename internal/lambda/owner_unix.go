//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package lambda

import (
	"io/fs"
	"os"
	"syscall"
)

// ownFolder tells whether a folder belongs to this user alone.
func ownFolder(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == os.Getuid() && info.Mode().Perm()&0o022 == 0
}
