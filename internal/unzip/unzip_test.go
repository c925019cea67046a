package unzip_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"cleat/internal/testkit"
	"cleat/internal/unzip"
)

var bounds = unzip.Options{MaxBytes: 1 << 20, MaxFiles: 1000, Folder: 0o700, File: 0o600}

// unpack unpacks a zip file into a folder of a fresh one, and returns both.
func unpack(tb testing.TB, archive []byte, o unzip.Options) (parent, dir string, err error) {
	tb.Helper()
	parent, err = filepath.EvalSymlinks(tb.TempDir())
	if err != nil {
		tb.Fatal(err)
	}
	file := filepath.Join(parent, "a.zip")
	dir = filepath.Join(parent, "code")
	if err := errors.Join(os.WriteFile(file, archive, 0o600), os.Mkdir(dir, 0o700)); err != nil {
		tb.Fatal(err)
	}
	f, err := os.Open(file)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	return parent, dir, unzip.To(context.Background(), f, dir, o)
}

// Files and folders get the modes that the caller names, and whoever may read an executable may execute it.
func TestModes(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such modes")
	}
	archive := testkit.Zip(t, testkit.ZipFile{Name: "lib/a.js"}, testkit.ZipFile{Name: "bin/run", Mode: 0o755}, testkit.ZipFile{Name: "open", Mode: 0o666})
	for name, tt := range map[string]struct{ file, executable fs.FileMode }{
		"own":  {0o600, 0o700},
		"read": {0o444, 0o555},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := bounds
			o.File = tt.file
			_, dir, err := unpack(t, archive, o)
			if err != nil {
				t.Fatal(err)
			}
			for name, want := range map[string]fs.FileMode{"lib/a.js": tt.file, "bin/run": tt.executable, "open": tt.file, "lib": fs.ModeDir | 0o700, "bin": fs.ModeDir | 0o700} {
				if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode() != want {
					t.Errorf("%s: got %v, %v; want %v", name, info.Mode(), err, want)
				}
			}
		})
	}
}

// Each bound holds by itself, and exactly.
func TestBounds(t *testing.T) {
	t.Parallel()
	var files []testkit.ZipFile
	for _, top := range []string{"a", "b", "c", "d"} {
		files = append(files, testkit.ZipFile{Name: top + "/1/2/f", Text: "12345"})
	}
	archive := testkit.Zip(t, files...) // 4 entries in 12 folders, 20 bytes
	for name, tt := range map[string]struct {
		o    unzip.Options
		want error
	}{
		"within":  {unzip.Options{MaxBytes: 20, MaxFiles: 12}, nil},
		"bytes":   {unzip.Options{MaxBytes: 19, MaxFiles: 12}, unzip.ErrTooLarge},
		"folders": {unzip.Options{MaxBytes: 20, MaxFiles: 11}, unzip.ErrTooLarge},
		"entries": {unzip.Options{MaxBytes: 20, MaxFiles: 3}, unzip.ErrTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tt.o.Folder, tt.o.File = bounds.Folder, bounds.File
			if _, _, err := unpack(t, archive, tt.o); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

// Who gives up waiting is not kept.
func TestCancelled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	mine := errors.New("enough")
	cancel(mine)
	file := filepath.Join(t.TempDir(), "a.zip")
	if err := os.WriteFile(file, testkit.Zip(t, testkit.ZipFile{Name: "a"}), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if err := unzip.To(ctx, f, t.TempDir(), bounds); !errors.Is(err, mine) {
		t.Errorf("got %v, want %v", err, mine)
	}
}

// FuzzTo: whatever a zip file says, nothing is written outside of its folder, no link leads out of it, and the sender is told.
func FuzzTo(f *testing.F) {
	link := func(name, target string) testkit.ZipFile {
		return testkit.ZipFile{Name: name, Text: target, Mode: fs.ModeSymlink | 0o777}
	}
	f.Add(testkit.Zip(f, testkit.ZipFile{Name: "a/b.js", Text: "x"}, link("l", "a")))
	f.Add(testkit.Zip(f, testkit.ZipFile{Name: "../b"}))
	f.Add(testkit.Zip(f, testkit.ZipFile{Name: "x"}, link("l", ".."), testkit.ZipFile{Name: "l/y"}))
	f.Add([]byte("PK\x05\x06" + strings.Repeat("\x00", 18)))
	f.Fuzz(func(t *testing.T, archive []byte) {
		parent, dir, err := unpack(t, archive, bounds)
		if outside, err := os.ReadDir(parent); err != nil || len(outside) != 2 {
			t.Fatalf("outside of the folder: %v, %v", outside, err)
		}
		if err != nil {
			if !errors.Is(err, unzip.ErrInvalid) && !errors.Is(err, unzip.ErrTooLarge) {
				t.Errorf("got %v", err)
			}
			return
		}
		if err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
			if real, err := filepath.EvalSymlinks(path); err == nil && real != dir && !strings.HasPrefix(real, dir+string(filepath.Separator)) {
				t.Errorf("%s leads to %s", path, real)
			}
			return err
		}); err != nil {
			t.Error(err)
		}
	})
}
