// Package watch follows the files of a folder: it tells what changed, soon and once, and passes over what build tools,
// package managers and editors write for themselves. What a change means its caller knows, package server.
package watch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"

	"cleat/internal/glob"
	"cleat/internal/input"
)

// Options say what to watch besides the folder itself, and how.
type Options struct {
	// Files are absolute paths of further files; those in the folder are watched anyway, unless they are in one that is passed over.
	Files []string
	// Folders are absolute paths of further folders, to be followed like the folder itself. One that is not there is not.
	Folders []string
	// Ignore are names of files and folders to pass over, wherever they lie, besides the usual ones (node_modules, .git,
	// .serverless, caches, editors' temporary files). They are patterns of package glob.
	Ignore []string
	// Own, when not nil, tells of a file that Cleat writes itself, a log or its own output: that it changes means nothing.
	Own func(path string, info fs.FileInfo) bool
	// Quiet is how long nothing must change before a report. Zero means 75 ms.
	Quiet time.Duration
	// Ready, when not nil, is called once after everything is being watched.
	Ready func()
}

const (
	defaultQuiet = 75 * time.Millisecond
	maxHeldBack  = 10 // times Quiet: a report is never later than this after the first change
	maxFolders   = 10_000
	maxChanged   = 1_000 // names in one report
)

// ignoredNames are what build tools, package managers and editors write.
var ignoredNames = []string{
	"node_modules", ".git", ".hg", ".svn", ".serverless", ".webpack", ".webpackCache", ".esbuild", ".build", ".cache", ".turbo",
	".nx", ".parcel-cache", ".next", ".dynamodb", ".aws-sam", "__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache",
	".venv", "venv", ".tox", ".nyc_output", "coverage", ".idea", ".vscode", ".terraform", ".DS_Store",
	"*~", "*.swp", "*.swx", "*.swo", "*.tmp", "*.pyc", ".#*", "#*#", "4913", "*.log", "*___jb_*___", ".goutputstream-*",
}

// Folder calls fn with what changed in the folder dir (absolute paths below the folder's real one, links resolved; sorted)
// until ctx is done; then it returns nil. Changes within a short time are one report, and fn is never called twice at a time:
// what changes meanwhile is reported after it. New folders are followed; a file that an editor replaces by renaming another over
// it counts as changed. An error means that watching has ended, or could not begin.
func Folder(ctx context.Context, dir string, o Options, fn func(changed []string)) error {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return fmt.Errorf("watch %s: %w", dir, err)
	}
	abs = input.RealPath(abs) // WalkDir does not enter a root that is a link
	notify, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch %s: %w", dir, err)
	}
	if o.Quiet <= 0 {
		o.Quiet = defaultQuiet
	}
	w := &watcher{roots: []string{abs}, o: o, notify: notify, files: map[string]bool{}, changed: map[string]bool{}}
	err = w.addTree(abs, false)
	if err == nil {
		err = w.addFolders()
	}
	if err == nil {
		w.addFiles()
		if o.Ready != nil {
			o.Ready()
		}
		err = w.run(ctx, fn)
	}
	if err = errors.Join(err, notify.Close()); err != nil {
		return fmt.Errorf("watch %s: %w", dir, err)
	}
	return nil
}

// watcher is one Folder being watched. One goroutine uses it.
type watcher struct {
	roots   []string // the folder, then the further ones
	o       Options
	notify  *fsnotify.Watcher
	folders int
	files   map[string]bool // absolute paths of files that lie elsewhere
	changed map[string]bool
}

func (w *watcher) ignored(name string) bool {
	match := func(pattern string) bool { return glob.Match(pattern, name) }
	return slices.ContainsFunc(ignoredNames, match) || slices.ContainsFunc(w.o.Ignore, match)
}

// addTree watches a folder and all in it. In a folder that has come newly, the files that are there already count as
// changed: they were written before anybody watched.
func (w *watcher) addTree(root string, isNew bool) error {
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil && path == w.roots[0]:
			return err
		case err != nil:
			return nil //nolint:nilerr // gone again, or not ours to read: nothing to watch
		case !slices.Contains(w.roots, path) && w.ignored(d.Name()):
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case !d.IsDir():
			if isNew {
				w.note(path)
			}
			return nil
		}
		if w.folders++; w.folders > maxFolders {
			w.folders = len(w.notify.WatchList()) // those that are gone no longer count
		}
		if w.folders > maxFolders {
			return fmt.Errorf("more than %d folders: name what need not be watched", maxFolders)
		}
		if err := w.notify.Add(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s: %w", path, err)
		}
		return nil
	})
}

// addFolders watches the further folders.
func (w *watcher) addFolders() error {
	for _, name := range w.o.Folders {
		path := input.RealPath(name)
		if _, inside := w.within(path); inside || !input.IsDir(path) {
			continue
		}
		w.roots = append(w.roots, path)
		if err := w.addTree(path, false); err != nil {
			return err
		}
	}
	return nil
}

// within is the path of a file below the folder watched that it is in; ok is false for a file elsewhere.
func (w *watcher) within(path string) (rel string, ok bool) {
	for _, root := range w.roots {
		if rel, err := filepath.Rel(root, path); err == nil && filepath.IsLocal(rel) {
			return rel, true
		}
	}
	return "", false
}

// passedOver reports whether a file, by its path below a folder watched, is none that is told of.
func (w *watcher) passedOver(rel string) bool {
	return rel != "." && slices.ContainsFunc(strings.Split(rel, string(filepath.Separator)), w.ignored)
}

// addFiles watches the folders of files that are not followed anyway: of the folder itself, for editors replace files.
func (w *watcher) addFiles() {
	for _, name := range w.o.Files {
		path := input.RealPath(name)
		if rel, inside := w.within(path); inside && !w.passedOver(rel) {
			continue
		}
		if err := w.notify.Add(filepath.Dir(path)); err == nil { // a folder that is not there cannot change
			w.files[path] = true
		}
	}
}

// folderBack follows a folder that was removed with the files that lie in it, once it is made again: tools make theirs anew.
func (w *watcher) folderBack(e fsnotify.Event) {
	if !e.Has(fsnotify.Create) {
		return
	}
	for path := range w.files {
		if filepath.Dir(path) == e.Name {
			_ = w.notify.Add(e.Name) // gone again: there will be another event
			w.note(path)
		}
	}
}

func (w *watcher) run(ctx context.Context, fn func([]string)) error {
	quiet := time.NewTimer(time.Hour)
	quiet.Stop()
	defer quiet.Stop()
	var first time.Time
	for {
		select {
		case <-ctx.Done():
			return nil
		case err, ok := <-w.notify.Errors:
			if !ok {
				return fsnotify.ErrClosed
			}
			if !errors.Is(err, fsnotify.ErrEventOverflow) {
				return err
			}
			w.note(w.roots[0]) // too much at once to tell what: everything may have changed
		case e, ok := <-w.notify.Events:
			if !ok {
				return fsnotify.ErrClosed
			}
			if err := w.event(e); err != nil {
				return err
			}
		case <-quiet.C:
			changed := w.report()
			first = time.Time{}
			if ctx.Err() == nil && len(changed) > 0 {
				fn(changed)
			}
			continue
		}
		if len(w.changed) == 0 {
			continue
		}
		if first.IsZero() {
			first = time.Now()
		}
		quiet.Reset(min(w.o.Quiet, max(0, maxHeldBack*w.o.Quiet-time.Since(first))))
	}
}

func (w *watcher) event(e fsnotify.Event) error {
	if e.Op == fsnotify.Chmod {
		return nil
	}
	if w.files[e.Name] {
		w.note(e.Name)
		return nil
	}
	if rel, inside := w.within(e.Name); !inside || w.passedOver(rel) {
		w.folderBack(e)
		return nil
	}
	info, err := os.Lstat(e.Name)
	if err == nil && info.IsDir() {
		if e.Has(fsnotify.Create) {
			return w.addTree(e.Name, true)
		}
		return nil // what changed in it has events of its own
	}
	if err == nil && w.o.Own != nil && w.o.Own(e.Name, info) {
		return nil
	}
	w.note(e.Name)
	return nil
}

func (w *watcher) note(path string) {
	if len(w.changed) < maxChanged {
		w.changed[path] = true
	}
}

func (w *watcher) report() []string {
	names := slices.Sorted(maps.Keys(w.changed))
	clear(w.changed)
	return names
}
