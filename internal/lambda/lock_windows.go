package lambda

import (
	"io/fs"
	"os"

	"golang.org/x/sys/windows"
)

// tryLock locks a file until it is closed or the process ends; it fails when somebody else holds the lock.
func tryLock(f *os.File) error {
	return windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &windows.Overlapped{})
}

// ownFolder tells whether a folder belongs to this user: the folder for temporary files is each user's own.
func ownFolder(fs.FileInfo) bool { return true }
