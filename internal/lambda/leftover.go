package lambda

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"

	"cleat/internal/filelock"
)

// A pool's folder holds a lock file that the pool keeps locked. The system takes the lock away when the process ends in
// whatever way, so that the next pool can tell what a killed one left behind.

const (
	dirPrefix    = "cleat-lambda-"
	lockName     = "lock"
	maxLeftovers = 100   // folders that one New removes
	maxTempNames = 20000 // entries of the folder that it looks through for them
	maxDirTries  = 5
)

var leftoverName = regexp.MustCompile(`^` + dirPrefix + `[0-9]{1,20}$`) // as os.MkdirTemp names them

// makeDir makes a fresh folder in temp and locks it. Whoever closes the file gives the folder up.
func makeDir(temp string) (dir string, lock *os.File, err error) {
	for range maxDirTries {
		if dir, err = os.MkdirTemp(temp, dirPrefix); err != nil {
			return "", nil, err
		}
		if lock, err = lockDir(dir); err == nil {
			return dir, lock, nil
		}
		err = errors.Join(err, os.RemoveAll(dir))
	}
	return "", nil, err
}

// lockDir locks a fresh folder. It fails when somebody swept the folder before it was locked.
func lockDir(dir string) (*os.File, error) {
	name := filepath.Join(dir, lockName)
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // in the pool's own folder
	if err != nil {
		return nil, err
	}
	locked, err := filelock.Try(f)
	if err == nil && !locked {
		err = errors.New("somebody else has it")
	}
	if err == nil {
		if _, err = os.Stat(name); err == nil {
			return f, nil
		}
	}
	return nil, errors.Join(fmt.Errorf("lock %s: %w", name, err), f.Close())
}

// removeDir removes a folder whose lock is held. The lock file goes last: until then nobody else touches the rest. It
// goes while it is still locked, or a pool that was about to lock its fresh folder would take over one that is about to
// vanish; only where open files cannot be removed it goes after that.
func removeDir(dir string, lock *os.File) error {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		if e.Name() != lockName {
			err = errors.Join(err, os.RemoveAll(filepath.Join(dir, e.Name())))
		}
	}
	_ = os.Remove(lock.Name()) // where it fails, RemoveAll does it
	return errors.Join(err, lock.Close(), os.RemoveAll(dir))
}

// sweep removes folders in temp that pools of this user left behind whose process has ended. A folder without a lock
// file is left alone: it may be one that is being made.
func sweep(temp string, log *slog.Logger) {
	if temp == "" {
		temp = os.TempDir()
	}
	folder, err := os.Open(temp) //nolint:gosec // the pool's own option
	if err != nil {
		return // making a folder in it says what is wrong
	}
	entries, err := folder.ReadDir(maxTempNames)
	if closed := folder.Close(); err != nil || closed != nil {
		return // an empty folder, or one that cannot be listed: nothing to find
	}
	removed := 0
	for _, e := range entries {
		if removed == maxLeftovers {
			break
		}
		if !leftoverName.MatchString(e.Name()) {
			continue
		}
		dir := filepath.Join(temp, e.Name())
		switch gone, err := removeLeftover(dir); {
		case err != nil:
			log.Debug("folder of an ended process is left behind", "folder", dir, "err", err)
		case gone:
			removed++
			log.Debug("removed the folder of an ended process", "folder", dir)
		}
	}
}

// removeLeftover removes a folder if its owner is gone.
func removeLeftover(dir string) (gone bool, err error) {
	info, err := os.Lstat(dir)
	if err != nil || !info.IsDir() || !ownFolder(info) {
		return false, ignoreAbsent(err)
	}
	name := filepath.Join(dir, lockName)
	if info, err = os.Lstat(name); err != nil || !info.Mode().IsRegular() {
		return false, ignoreAbsent(err)
	}
	f, err := os.OpenFile(name, os.O_RDWR, 0) //nolint:gosec // a regular file in a folder of this user's
	if err != nil {
		return false, ignoreAbsent(err)
	}
	if locked, err := filelock.Try(f); err != nil || !locked {
		return false, f.Close() // its owner lives
	}
	return true, removeDir(dir, f)
}

func ignoreAbsent(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
