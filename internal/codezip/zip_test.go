package codezip_test

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"cleat/internal/codezip"
)

// folder makes a folder of files; those whose name ends in ! can be executed.
func folder(t *testing.T, files ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range files {
		name, executable := strings.CutSuffix(name, "!")
		mode := os.FileMode(0o600)
		if executable {
			mode = 0o700
		}
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("content of "+name), mode); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func names(t *testing.T, p codezip.Package) []string {
	t.Helper()
	r, err := zip.NewReader(bytes.NewReader(p.Zip), int64(len(p.Zip)))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, f := range r.File {
		out = append(out, f.Name)
	}
	return out
}

// The same files give the same bytes, whenever and wherever they were written.
func TestDeterministic(t *testing.T) {
	files := []string{"b.js", "a/z.js", "a.js", "bootstrap!", "node_modules/x/index.js"}
	one, err := codezip.Folder(folder(t, files...), codezip.Options{})
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(files)
	dir := folder(t, files...)
	if err := os.Chtimes(filepath.Join(dir, "a.js"), time.Unix(1, 0), time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	two, err := codezip.Folder(dir, codezip.Options{})
	if err != nil || one.SHA256 != two.SHA256 || !bytes.Equal(one.Zip, two.Zip) || len(one.SHA256) != 64 {
		t.Errorf("%s and %s, %v", one.SHA256, two.SHA256, err)
	}
	if got, want := names(t, one), []string{"a.js", "a/z.js", "b.js", "bootstrap", "node_modules/x/index.js"}; !slices.Equal(got, want) || one.Files != 5 {
		t.Errorf("got %q, want %q", got, want)
	}
	r, err := zip.NewReader(bytes.NewReader(one.Zip), int64(len(one.Zip)))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range r.File {
		if executable := f.Mode()&0o111 != 0; executable != (f.Name == "bootstrap") {
			t.Errorf("%s has the mode %v", f.Name, f.Mode())
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "a.js"), []byte("changed"), 0o600); err != nil {
		t.Fatal(err)
	}
	if three, err := codezip.Folder(dir, codezip.Options{}); err != nil || three.SHA256 == one.SHA256 {
		t.Errorf("a change is not seen: %v", err)
	}
}

func TestPatterns(t *testing.T) {
	all := []string{".git/config", "sub/.git/config", ".serverless/x", "sub/.serverless/x", "a.js", "a.test.js", "lib/b.js", "lib/b.test.js", "lib/deep/c.js", "docs/x.md", "node_modules/p/index.js", "node_modules/q/index.js"}
	for name, c := range map[string]struct {
		ignore   string
		patterns []string
		want     string
	}{
		"nothing named":       {"", nil, "a.js a.test.js docs/x.md lib/b.js lib/b.test.js lib/deep/c.js node_modules/p/index.js node_modules/q/index.js sub/.serverless/x"},
		"a name anywhere":     {"*.test.js\nnode_modules/\nsub\n", nil, "a.js docs/x.md lib/b.js lib/deep/c.js"},
		"from the folder":     {"# comment\n\n/a*.js\n/node_modules\nlib/*.js\n", nil, "docs/x.md lib/deep/c.js sub/.serverless/x"},
		"stars over folders":  {"**/deep\nnode_modules/**\n!node_modules/q/**\n", nil, "a.js a.test.js docs/x.md lib/b.js lib/b.test.js node_modules/q/index.js sub/.serverless/x"},
		"a folder, no file":   {"a.js/\nlib/\ndocs/\nsub/\nnode_modules/", nil, "a.js a.test.js"},
		"serverless patterns": {"", []string{"!**", "lib/**", "!lib/*.test.js"}, "lib/b.js lib/deep/c.js"},
		"both":                {"lib\n", []string{"lib/b.js", "!./docs/**", "!node_modules/**", "!sub/**"}, "a.js a.test.js lib/b.js"},
	} {
		dir := folder(t, all...)
		if c.ignore != "" {
			if err := os.WriteFile(filepath.Join(dir, codezip.IgnoreFile), []byte(c.ignore), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		p, err := codezip.Folder(dir, codezip.Options{Patterns: c.patterns})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := strings.Join(names(t, p), " "); got != c.want {
			t.Errorf("%s:\ngot  %s\nwant %s", name, got, c.want)
		}
	}
}

// Links inside of the folder are files of it; those out of it are refused rather than sent.
func TestLinks(t *testing.T) {
	dir := folder(t, "packages/p/index.js", "a.js")
	if err := os.Symlink("packages", filepath.Join(dir, "node_modules")); err != nil {
		if runtime.GOOS == "windows" { // which lets few users make any
			t.Skip(err)
		}
		t.Fatal(err)
	}
	p, err := codezip.Folder(dir, codezip.Options{})
	if err != nil || !slices.Equal(names(t, p), []string{"a.js", "node_modules/p/index.js", "packages/p/index.js"}) {
		t.Errorf("got %q, %v", names(t, p), err)
	}
	if err := os.Symlink("/etc/hostname", filepath.Join(dir, "secret")); err != nil {
		t.Fatal(err)
	}
	if _, err := codezip.Folder(dir, codezip.Options{}); err == nil || !strings.Contains(err.Error(), "outside of the folder") {
		t.Errorf("got %v", err)
	}
	if _, err := codezip.Folder(dir, codezip.Options{Patterns: []string{"!secret"}}); err != nil {
		t.Errorf("left out: %v", err)
	}
	if err := os.Remove(filepath.Join(dir, "secret")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(".", filepath.Join(dir, "circle")); err != nil {
		t.Fatal(err)
	}
	if _, err := codezip.Folder(dir, codezip.Options{}); err == nil || !strings.Contains(err.Error(), "circle") {
		t.Errorf("got %v", err)
	}
}

func TestBounds(t *testing.T) {
	dir := folder(t, "a.js", "b.js")
	if _, err := codezip.Folder(dir, codezip.Options{MaxSize: 20}); !errors.Is(err, codezip.ErrTooLarge) {
		t.Errorf("got %v", err)
	}
	if _, err := codezip.Folder(t.TempDir(), codezip.Options{}); err == nil {
		t.Error("an empty folder is packed")
	}
	if _, err := codezip.Folder(filepath.Join(dir, "none"), codezip.Options{}); err == nil {
		t.Error("no folder is packed")
	}
}

func BenchmarkFolder(b *testing.B) {
	dir := b.TempDir()
	for i := range 500 {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("f%d.js", i)), bytes.Repeat([]byte("const x = 1;\n"), 200), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		if _, err := codezip.Folder(dir, codezip.Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
