package codestore_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cleat/internal/codestore"
	"cleat/internal/testkit"
)

func sha(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func open(tb testing.TB, dir string, o codestore.Options) *codestore.Store {
	tb.Helper()
	s, err := codestore.Open(dir, o)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// files are the names of all that is below a folder.
func files(tb testing.TB, dir string) []string {
	tb.Helper()
	var all []string
	if err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(dir, path)
		all = append(all, filepath.ToSlash(rel))
		return err
	}); err != nil {
		tb.Fatal(err)
	}
	return all[1:]
}

// code is files without the mark of the machine's start.
func code(tb testing.TB, dir string) []string {
	tb.Helper()
	return slices.DeleteFunc(files(tb, dir), func(name string) bool { return name == "boot" })
}

// What is put can be run: files with their modes, folders, links that stay inside.
func TestPut(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, codestore.Options{})
	entries := []testkit.ZipFile{{Name: "./index.js", Text: "x"}, {Name: "lib/", Mode: fs.ModeDir | 0o755}, {Name: "lib/deep/a.js", Text: "a"}, {Name: "bootstrap", Text: "#!", Mode: 0o755}}
	if runtime.GOOS != "windows" {
		entries = append(entries, testkit.ZipFile{Name: "link.js", Text: "lib/deep/a.js", Mode: fs.ModeSymlink | 0o777}, testkit.ZipFile{Name: "lib/up", Text: "../index.js", Mode: fs.ModeSymlink | 0o777}, testkit.ZipFile{Name: "dangling", Text: "nowhere", Mode: fs.ModeSymlink | 0o777})
	}
	b := testkit.Zip(t, entries...)
	put, err := s.Put(t.Context(), bytes.NewReader(b), sha(b))
	if want := (codestore.Code{SHA256: sha(b), Size: int64(len(b))}); err != nil || put != want {
		t.Fatalf("got %+v, %v, want %+v", put, err, want)
	}
	at, err := s.Dir(t.Context(), sha(b))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"index.js": "x", "lib/deep/a.js": "a", "link.js": "a", "lib/up": "x"} {
		if got, err := os.ReadFile(filepath.Join(at, name)); (err != nil || string(got) != want) && runtime.GOOS != "windows" {
			t.Errorf("%s: got %q, %v, want %q", name, got, err, want)
		}
	}
	if info, err := os.Stat(filepath.Join(at, "bootstrap")); err != nil || info.Mode()&0o111 == 0 && runtime.GOOS != "windows" {
		t.Errorf("bootstrap: got %v, %v, want it executable", info, err)
	}
	if again, err := s.Put(t.Context(), bytes.NewReader(b), ""); err != nil || again != put {
		t.Errorf("again: got %+v, %v", again, err)
	}
	top, err := os.ReadDir(dir)
	if err != nil || len(top) != 3 {
		t.Errorf("the folder holds %v, %v", top, err)
	}
}

// Folders that were not synced are of no account once the machine has gone down; those of a process that was killed are.
func TestMachineDown(t *testing.T) {
	dir := t.TempDir()
	b := testkit.Zip(t, testkit.ZipFile{Name: "a.js", Text: "a"})
	if _, err := open(t, dir, codestore.Options{}).Put(t.Context(), bytes.NewReader(b), ""); err != nil {
		t.Fatal(err)
	}
	open(t, dir, codestore.Options{})
	if got := code(t, dir); len(got) != 3 && runtime.GOOS == "linux" {
		t.Errorf("after a crash of the process: got %v", got)
	}
	if err := os.WriteFile(filepath.Join(dir, "boot"), []byte("another"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := open(t, dir, codestore.Options{})
	if got, want := code(t, dir), []string{sha(b) + ".zip"}; !slices.Equal(got, want) {
		t.Errorf("after one of the machine: got %v, want %v", got, want)
	}
	if at, err := s.Dir(t.Context(), sha(b)); err != nil || !slices.Equal(files(t, at), []string{"a.js"}) {
		t.Errorf("got %v, %v", at, err)
	}
}

// A folder that is gone is made again, and what a crash left half goes; the zip file is what counts.
func TestCrash(t *testing.T) {
	dir := t.TempDir()
	b := testkit.Zip(t, testkit.ZipFile{Name: "a.js", Text: "a"})
	if _, err := open(t, dir, codestore.Options{}).Put(t.Context(), bytes.NewReader(b), ""); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(dir, sha(b))); err != nil {
		t.Fatal(err)
	}
	for _, half := range []string{"tmp-1/x", "tmp-2.zip/y"} {
		if err := os.MkdirAll(filepath.Join(dir, half), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	s := open(t, dir, codestore.Options{})
	if got := code(t, dir); len(got) != 1 {
		t.Errorf("after Open: got %v", got)
	}
	at, err := s.Dir(t.Context(), sha(b))
	if err != nil {
		t.Fatal(err)
	}
	if got := files(t, at); !slices.Equal(got, []string{"a.js"}) {
		t.Errorf("got %v", got)
	}
	if got := code(t, dir); len(got) != 3 {
		t.Errorf("after Dir: got %v", got)
	}
}

func TestRefused(t *testing.T) {
	link := func(name, target string) testkit.ZipFile {
		return testkit.ZipFile{Name: name, Text: target, Mode: fs.ModeSymlink | 0o777}
	}
	a := testkit.ZipFile{Name: "a", Text: "a"}
	small := codestore.Options{MaxZip: 16 << 10, MaxCode: 10 << 10, MaxFiles: 20}
	zeros := strings.Repeat("\x00", 11<<10)
	var many []testkit.ZipFile
	for range 21 {
		many = append(many, testkit.ZipFile{Name: strings.Repeat("d/", len(many)) + "a"})
	}
	var deep []testkit.ZipFile
	for _, top := range []string{"a", "b", "c", "d", "e"} {
		deep = append(deep, testkit.ZipFile{Name: top + "/1/2/3/4/f"})
	}
	for name, tt := range map[string]struct {
		zip  []byte
		want error
	}{
		"many folders":              {testkit.Zip(t, deep...), codestore.ErrTooLarge},
		"no zip file":               {[]byte("hello"), codestore.ErrInvalid},
		"empty":                     {testkit.Zip(t), codestore.ErrInvalid},
		"folders only":              {testkit.Zip(t, testkit.ZipFile{Name: "d/", Mode: fs.ModeDir | 0o755}), codestore.ErrInvalid},
		"above":                     {testkit.Zip(t, a, testkit.ZipFile{Name: "../b"}), codestore.ErrInvalid},
		"above by a detour":         {testkit.Zip(t, a, testkit.ZipFile{Name: "x/../../b"}), codestore.ErrInvalid},
		"absolute":                  {testkit.Zip(t, a, testkit.ZipFile{Name: "/etc/b"}), codestore.ErrInvalid},
		"backslashes":               {testkit.Zip(t, a, testkit.ZipFile{Name: `..\b`}), codestore.ErrInvalid},
		"a long name":               {testkit.Zip(t, a, testkit.ZipFile{Name: strings.Repeat("d/", 2100)}), codestore.ErrInvalid},
		"twice":                     {testkit.Zip(t, a, a), codestore.ErrInvalid},
		"file and folder":           {testkit.Zip(t, a, testkit.ZipFile{Name: "a/b"}), codestore.ErrInvalid},
		"a pipe":                    {testkit.Zip(t, a, testkit.ZipFile{Name: "p", Mode: fs.ModeNamedPipe | 0o644}), codestore.ErrInvalid},
		"a link out":                {testkit.Zip(t, a, link("l", "../x")), codestore.ErrInvalid},
		"an absolute link":          {testkit.Zip(t, a, link("l", "/etc")), codestore.ErrInvalid},
		"a link to nothing":         {testkit.Zip(t, a, link("l", "")), codestore.ErrInvalid},
		"a link out through a link": {testkit.Zip(t, a, testkit.ZipFile{Name: "d/e/f"}, link("d/e/l", "../.."), link("m", "d/e/l/..")), codestore.ErrInvalid},
		"a file through a link":     {testkit.Zip(t, a, link("l", "."), testkit.ZipFile{Name: "l/b"}), codestore.ErrInvalid},
		"a large zip file":          {append(testkit.Zip(t, a), make([]byte, 16<<10)...), codestore.ErrTooLarge},
		"much in little":            {testkit.Zip(t, testkit.ZipFile{Name: "z", Text: zeros}), codestore.ErrTooLarge},
		"much in all":               {testkit.Zip(t, testkit.ZipFile{Name: "y", Text: zeros[:6<<10]}, testkit.ZipFile{Name: "z", Text: zeros[:6<<10]}), codestore.ErrTooLarge},
		"many entries":              {testkit.Zip(t, many...), codestore.ErrTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := open(t, dir, small)
			got, err := s.Put(t.Context(), bytes.NewReader(tt.zip), "")
			if !errors.Is(err, tt.want) {
				t.Errorf("got %+v, %v, want %v", got, err, tt.want)
			}
			if left := code(t, dir); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
	dir := t.TempDir()
	if _, err := open(t, dir, small).Put(t.Context(), bytes.NewReader(testkit.Zip(t, a)), sha(nil)); !errors.Is(err, codestore.ErrHash) || len(code(t, dir)) > 0 {
		t.Errorf("another hash: got %v and %v", err, code(t, dir))
	}
}

func TestNotFound(t *testing.T) {
	s := open(t, t.TempDir(), codestore.Options{})
	for _, name := range []string{sha(nil), "", "..", "A" + sha(nil)[1:]} {
		if _, err := s.Dir(t.Context(), name); !errors.Is(err, codestore.ErrNotFound) {
			t.Errorf("Dir(%q): got %v", name, err)
		}
		if _, err := s.Stat(name); !errors.Is(err, codestore.ErrNotFound) {
			t.Errorf("Stat(%q): got %v", name, err)
		}
	}
}

// Code that nobody uses goes after the grace, counted from when nobody used it.
func TestSweep(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := open(t, dir, codestore.Options{Grace: time.Hour})
		kept, asked, gone := testkit.Zip(t, testkit.ZipFile{Name: "kept"}), testkit.Zip(t, testkit.ZipFile{Name: "asked"}), testkit.Zip(t, testkit.ZipFile{Name: "gone"})
		for _, b := range [][]byte{kept, asked, gone} {
			if _, err := s.Put(t.Context(), bytes.NewReader(b), ""); err != nil {
				t.Fatal(err)
			}
		}
		used := map[string]bool{sha(kept): true}
		sweep := func(want ...[]byte) {
			t.Helper()
			if err := s.Sweep(used); err != nil {
				t.Fatal(err)
			}
			left := map[string]bool{}
			for _, name := range code(t, dir) {
				left[strings.TrimSuffix(strings.Split(name, "/")[0], ".zip")] = true
			}
			if len(left) != len(want) || slices.ContainsFunc(want, func(b []byte) bool { return !left[sha(b)] }) {
				t.Errorf("left are %v, want %d", slices.Sorted(maps.Keys(left)), len(want))
			}
		}
		sweep(kept, asked, gone)
		time.Sleep(59 * time.Minute)
		sweep(kept, asked, gone)
		if _, err := s.Stat(sha(asked)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute)
		sweep(kept, asked)
		time.Sleep(59 * time.Minute)
		sweep(kept, asked)
		time.Sleep(2 * time.Minute)
		sweep(kept)
	})
}
