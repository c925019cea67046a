package datadir

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"cleat/internal/filelock"
	"cleat/internal/store"
	"cleat/internal/store/backup"
	"cleat/internal/store/natskv"
)

// backedUp are the files of a data directory that a backup has beside the store, as patterns of filepath.Glob. Not in it
// are the audit log, which is a record of this node, and the sealing key: whoever has both the key and a backup has all
// secrets, so that the key should be kept apart.
var backedUp = []string{CodeFolder + "/*.zip", UsageFolder + "/*.json"}

// WriteBackup writes an archive of all that a node keeps in its store and in its data directory, which is empty where there is
// none. Files are those that are there once the entries have been read: none that an entry names goes away so soon
// (codestore.Options.Grace).
func WriteBackup(ctx context.Context, w io.Writer, s *store.Store, dir string) error {
	from := backup.Source{Store: s, Dir: dir}
	if info, ok := debug.ReadBuildInfo(); ok {
		from.Version = info.Main.Version
	}
	if dir != "" {
		for _, pattern := range backedUp {
			found, err := fs.Glob(os.DirFS(dir), pattern)
			if err != nil {
				return err
			}
			from.Files = append(from.Files, found...)
		}
	}
	return backup.Write(ctx, w, from)
}

// RestoreOptions say what is restored, and where to.
type RestoreOptions struct {
	Archive string // file
	DataDir string // made if it is absent
	// Force puts what is in the data directory aside, into a folder in it. Without it only an empty one is taken.
	Force bool
	Log   *slog.Logger // required
}

// Restored says what a Restore has done.
type Restored struct {
	Manifest backup.Manifest
	Aside    string // where what was there before is now; empty: there was nothing
	// SealKey tells whether the data directory has a sealing key. Without the one that the backup was made under, access keys
	// in it cannot be used.
	SealKey bool
}

// Names of what Restore works with inside of a data directory.
const (
	restoringDir = "restoring"
	asidePrefix  = "before-restore-"
)

// Restore makes a data directory what a backup says. The whole archive is checked before anything is changed, everything
// is made beside what is there, and then takes its place; if that is interrupted no node starts from the directory until it
// has been restored again. It fails when a node runs on the directory.
func Restore(ctx context.Context, o RestoreOptions) (done Restored, err error) {
	if done.Manifest, err = readArchive(ctx, o.Archive, backup.Target{}); err != nil {
		return done, err
	}
	if err := os.MkdirAll(o.DataDir, dataMode); err != nil {
		return done, err
	}
	unlock, err := lock(o.DataDir)
	if err != nil {
		return done, err
	}
	unlock = sync.OnceValue(unlock)
	defer func() { err = errors.Join(err, unlock()) }()
	old, err := occupied(o.DataDir)
	if err != nil {
		return done, err
	}
	if len(old) > 0 && !o.Force {
		return done, fmt.Errorf("%s is in use: it holds %s; with --force what is in it is put aside", o.DataDir, strings.Join(old, ", "))
	}
	work := filepath.Join(o.DataDir, restoringDir)
	if err := os.RemoveAll(work); err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	if err := extract(ctx, o, work); err != nil {
		return done, err
	}
	if done.Aside, err = replace(o.DataDir, work, old, unlock); err != nil {
		return done, err
	}
	_, err = os.Stat(filepath.Join(o.DataDir, SealKeyFile))
	done.SealKey = err == nil
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return done, err
}

func readArchive(ctx context.Context, file string, to backup.Target) (backup.Manifest, error) {
	f, err := os.Open(file) //nolint:gosec // G304: the user names it
	if err != nil {
		return backup.Manifest{}, err
	}
	defer func() { _ = f.Close() }() // it was only read
	m, err := backup.Read(ctx, f, to)
	if err != nil {
		return m, fmt.Errorf("%s: %w", file, err)
	}
	return m, nil
}

// lock keeps nodes from a data directory. It locks the store's file, if there is a store.
func lock(dir string) (unlock func() error, err error) {
	f, err := os.OpenFile(filepath.Join(dir, StoreFolder, natskv.LockFile), os.O_RDWR, 0) //nolint:gosec // G304: a fixed name
	if errors.Is(err, fs.ErrNotExist) {
		return func() error { return nil }, nil
	}
	if err != nil {
		return nil, err
	}
	ok, err := filelock.Try(f)
	if err == nil && !ok {
		err = fmt.Errorf("a node runs on %s: stop it first", dir)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f.Close, nil
}

// occupied are the names in a data directory that a backup would take the place of.
func occupied(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		name := e.Name()
		if isOwnOfNode(name) || name == restoringDir {
			continue
		}
		names = append(names, name)
	}
	return names, nil
}

// extract makes a data directory of an archive.
func extract(ctx context.Context, o RestoreOptions, dir string) (err error) {
	if err := os.Mkdir(dir, dataMode); err != nil {
		return err
	}
	driver, err := natskv.Open(ctx, natskv.Options{Dir: filepath.Join(dir, StoreFolder), Log: o.Log})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, driver.Close()) }()
	in := &intake{ctx: ctx, store: store.New(driver), dir: dir}
	if _, err := readArchive(ctx, o.Archive, backup.Target{Entry: in.entry, File: in.file}); err != nil {
		return err
	}
	if err := in.flush(); err != nil {
		return err
	}
	return writeMarker(dir)
}

// intake takes in an archive.
type intake struct {
	ctx   context.Context //nolint:containedctx // it is the context of the one extract
	store *store.Store
	dir   string
	batch store.Batch
	size  int // bytes in batch
}

// Bounds of a batch: with the largest value it still fits into one commit.
const (
	intakeChanges = 1000
	intakeBytes   = 4 << 20
)

func (in *intake) entry(key string, value json.RawMessage) error {
	store.Put(&in.batch, store.Raw(key), value, store.Absent())
	in.size += len(key) + len(value)
	if in.batch.Len() < intakeChanges && in.size < intakeBytes {
		return nil
	}
	return in.flush()
}

func (in *intake) flush() error {
	_, err := in.store.Commit(in.ctx, &in.batch)
	in.batch, in.size = store.Batch{}, 0
	return err
}

func (in *intake) file(name string, content io.Reader) error {
	top, _, isBelow := strings.Cut(name, "/")
	if !isBelow || top == StoreFolder {
		return errors.New("no backup has it at this place")
	}
	path := filepath.Join(in.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), dataMode); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) //nolint:gosec // G304: a local path below the directory
	if err != nil {
		return err
	}
	_, err = io.Copy(f, content)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// replace puts what is in work into the place of the old names, the marker out first and in last: without it no node
// takes the directory, so that the lock on it, which Windows would not let move, can go then.
func replace(dir, work string, old []string, unlock func() error) (aside string, err error) {
	if len(old) > 0 {
		aside = filepath.Join(dir, asidePrefix+time.Now().UTC().Format("20060102T150405.000"))
		if err := os.Mkdir(aside, dataMode); err != nil {
			return "", err
		}
		old = markerFirst(old)
		err := moveAll(dir, aside, old[:1])
		if err = errors.Join(err, unlock(), moveAll(dir, aside, old[1:])); err != nil {
			return aside, err
		}
	}
	made, err := os.ReadDir(work)
	if err != nil {
		return aside, err
	}
	names := make([]string, 0, len(made))
	for _, e := range made {
		names = append(names, e.Name())
	}
	names = markerFirst(names)
	slices.Reverse(names)
	return aside, moveAll(work, dir, names)
}

func markerFirst(names []string) []string {
	names = slices.Clone(names)
	slices.SortStableFunc(names, func(a, b string) int {
		switch {
		case a == marker:
			return -1
		case b == marker:
			return 1
		}
		return 0
	})
	return names
}

func moveAll(from, to string, names []string) error {
	for _, name := range names {
		if err := os.Rename(filepath.Join(from, name), filepath.Join(to, name)); err != nil {
			return err
		}
		if err := errors.Join(syncDir(from), syncDir(to)); err != nil {
			return err
		}
	}
	return nil
}

// CheckBackup reads a backup to its end and says what is in it, or what is wrong with it.
func CheckBackup(ctx context.Context, r io.Reader) (backup.Manifest, error) {
	return backup.Read(ctx, r, backup.Target{})
}
