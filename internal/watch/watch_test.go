package watch_test

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"cleat/internal/watch"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// watched is a folder being watched, and what was reported of it.
type watched struct {
	t       *testing.T
	dir     string
	reports chan []string
}

func newWatched(t *testing.T, o watch.Options) *watched {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	w := &watched{t: t, dir: dir, reports: make(chan []string, 100)}
	w.write("src/app.js", "1")
	w.write("node_modules/x/index.js", "1")
	ready, done := make(chan struct{}), make(chan error, 1)
	o.Ready = func() { close(ready) }
	ctx, cancel := context.WithCancel(t.Context())
	go func() { done <- watch.Folder(ctx, dir, o, func(changed []string) { w.reports <- changed }) }()
	select {
	case <-ready:
	case err := <-done:
		t.Fatalf("watching ended: %v", err)
	}
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("watching ended with %v", err)
		}
	})
	return w
}

func (w *watched) path(name string) string { return filepath.Join(w.dir, filepath.FromSlash(name)) }

func (w *watched) write(name, text string) {
	w.t.Helper()
	if err := os.MkdirAll(filepath.Dir(w.path(name)), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(w.path(name), []byte(text), 0o644); err != nil {
		w.t.Fatal(err)
	}
}

// want waits until all names have been reported, and no others before them.
func (w *watched) want(names ...string) {
	w.t.Helper()
	left := slices.Clone(names)
	deadline := time.After(10 * time.Second)
	for len(left) > 0 {
		select {
		case changed := <-w.reports:
			for _, path := range changed {
				rel, err := filepath.Rel(w.dir, path)
				if err != nil || !slices.Contains(names, filepath.ToSlash(rel)) {
					w.t.Errorf("got a report of %s, want %q", path, names)
				}
				left = slices.DeleteFunc(left, func(n string) bool { return n == filepath.ToSlash(rel) })
			}
		case <-deadline:
			w.t.Fatalf("no report of %q", left)
		}
	}
}

func TestWatch(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		do   func(w *watched)
		want []string
	}{
		"a file is written": {
			do:   func(w *watched) { w.write("src/app.js", "2") },
			want: []string{"src/app.js"},
		},
		"an editor renames over a file": {
			do: func(w *watched) {
				w.write("src/.app.js.swp", "2")
				if err := os.Rename(w.path("src/.app.js.swp"), w.path("src/app.js")); err != nil {
					w.t.Fatal(err)
				}
			},
			want: []string{"src/app.js"},
		},
		"a file is removed": {
			do: func(w *watched) {
				if err := os.Remove(w.path("src/app.js")); err != nil {
					w.t.Fatal(err)
				}
			},
			want: []string{"src/app.js"},
		},
		"a new folder, and a file in it at once": {
			do:   func(w *watched) { w.write("lib/deep/er/new.js", "1") },
			want: []string{"lib/deep/er/new.js"},
		},
		"what is ignored stays unmentioned": {
			do: func(w *watched) {
				w.write("node_modules/x/index.js", "2")
				w.write("node_modules/y/index.js", "2")
				w.write(".git/HEAD", "x")
				w.write("src/app.js~", "x")
				w.write("gen/out.js", "x")
				w.write("last.js", "1")
			},
			want: []string{"last.js"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWatched(t, watch.Options{Quiet: 20 * time.Millisecond, Ignore: []string{"gen"}})
			tt.do(w)
			w.want(tt.want...)
		})
	}
}

// What Cleat writes itself is no change, or each line of a log would make the next.
func TestWatchOwnFiles(t *testing.T) {
	t.Parallel()
	w := newWatched(t, watch.Options{Quiet: 20 * time.Millisecond, Own: func(path string, info fs.FileInfo) bool {
		return filepath.Base(path) == info.Name() && info.Name() == "out.txt"
	}})
	w.write("out.txt", "1")
	w.write("src/out.txt", "1")
	w.write("last.js", "1")
	w.want("last.js")
}

// A folder that appeared while watching is watched as well, for what happens later.
func TestWatchFollowsNewFolders(t *testing.T) {
	t.Parallel()
	w := newWatched(t, watch.Options{Quiet: 20 * time.Millisecond})
	w.write("late/a.js", "1")
	w.want("late/a.js")
	w.write("late/b.js", "1")
	w.want("late/b.js")
}

// Many changes within a short time are one report.
func TestWatchDebounces(t *testing.T) {
	t.Parallel()
	w := newWatched(t, watch.Options{Quiet: 300 * time.Millisecond})
	for i := range 20 {
		w.write("src/app.js", strings.Repeat("x", i))
	}
	w.want("src/app.js")
	if n := len(w.reports); n != 0 {
		t.Errorf("got %d further reports, want none", n)
	}
}

// Files elsewhere are watched when they are named; their neighbours are not.
func TestWatchFilesElsewhere(t *testing.T) {
	t.Parallel()
	other, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	w := newWatched(t, watch.Options{Quiet: 20 * time.Millisecond, Files: []string{filepath.Join(other, "shared.yml"), filepath.Join(other, "absent", "x.yml")}})
	rel, err := filepath.Rel(w.dir, other)
	if err != nil {
		t.Fatal(err)
	}
	rel = filepath.ToSlash(rel)
	w.write(rel+"/neighbour.yml", "1")
	w.write(rel+"/shared.yml", "1")
	w.want(rel + "/shared.yml")
}

// A folder that is named by a link is watched like any other, and its files are told of by their real paths, which are
// those of the project.
func TestLinkedFolder(t *testing.T) {
	t.Parallel()
	real, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(real, link); err != nil {
		t.Fatal(err)
	}
	ready, done, reports := make(chan struct{}), make(chan error, 1), make(chan []string, 10)
	ctx, cancel := context.WithCancel(t.Context())
	o := watch.Options{Quiet: 20 * time.Millisecond, Ready: func() { close(ready) }}
	go func() {
		done <- watch.Folder(ctx, link, o, func(changed []string) { reports <- changed })
	}()
	<-ready
	file := filepath.Join(real, "f.js")
	if err := os.WriteFile(file, []byte("2"), 0o600); err != nil {
		t.Fatal(err)
	}
	select {
	case changed := <-reports:
		if !slices.Equal(changed, []string{file}) {
			t.Errorf("got a report of %q, want %s", changed, file)
		}
	case <-time.After(10 * time.Second):
		t.Error("no report")
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("watching ended with %v", err)
	}
}

func TestWatchFails(t *testing.T) {
	t.Parallel()
	err := watch.Folder(t.Context(), filepath.Join(t.TempDir(), "none"), watch.Options{}, func([]string) {})
	if err == nil || !strings.HasPrefix(err.Error(), "watch ") {
		t.Errorf("got error %v", err)
	}
}

// TestElsewhere follows folders outside the project and files in folders that are passed over, such as .serverless, which tools
// remove and make again.
func TestElsewhere(t *testing.T) {
	outside, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	base, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	state := filepath.Join(base, ".serverless", "state.json")
	write := func(path string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(state)
	w := &watched{t: t, dir: base, reports: make(chan []string, 100)}
	ready, done := make(chan struct{}), make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	o := watch.Options{Files: []string{state}, Folders: []string{outside, filepath.Join(base, "absent")}, Ready: func() { close(ready) }}
	go func() { done <- watch.Folder(ctx, base, o, func(changed []string) { w.reports <- changed }) }()
	<-ready
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	write(state)
	w.want(".serverless/state.json")
	rel, err := filepath.Rel(base, filepath.Join(outside, "src", "app.js"))
	if err != nil {
		t.Fatal(err)
	}
	write(filepath.Join(outside, "src", "app.js"))
	w.want(filepath.ToSlash(rel))
	for range 2 {
		if err := os.RemoveAll(filepath.Dir(state)); err != nil {
			t.Fatal(err)
		}
		w.want(".serverless/state.json")
		write(state)
		w.want(".serverless/state.json")
	}
}
