// Package golden holds tests to archives of text: the files that something is made of and, last, what is expected of it. With
// -update the expectation is written anew, for the author of a change to read. Tests alone import it.
package golden

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "write what comes out into testdata")

// expected is the name of the file with what is expected.
const expected = "want"

// Archives runs a parallel subtest for every archive (txtar) that fits a pattern. run is given the archive without its file
// "want", which what run returns is compared with. The archive's comment is for options and remarks.
func Archives(t *testing.T, pattern string, run func(t *testing.T, ar *txtar.Archive) string) {
	t.Helper()
	names, err := filepath.Glob(pattern)
	if err != nil || len(names) == 0 {
		t.Fatalf("no archives at %s: %v", pattern, err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			t.Parallel()
			ar, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			var want string
			given := &txtar.Archive{Comment: ar.Comment}
			for _, f := range ar.Files {
				if f.Name == expected {
					want = string(f.Data)
					continue
				}
				given.Files = append(given.Files, f)
			}
			files := slices.Clone(given.Files)
			got := run(t, given)
			if *update {
				ar.Files = append(files, txtar.File{Name: expected, Data: []byte(got)})
				if err := os.WriteFile(name, txtar.Format(ar), 0o644); err != nil { //nolint:gosec // G306: a file of the source tree
					t.Fatal(err)
				}
				return
			}
			if got != want {
				t.Errorf("got:\n%s\nwant:\n%s\nfirst difference: %s", got, want, firstDifference(got, want))
			}
		})
	}
}

func firstDifference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range g {
		if i >= len(w) || g[i] != w[i] {
			return fmt.Sprintf("line %d: got %q, want %q", i+1, g[i], slices.Concat(w, make([]string, len(g)))[i])
		}
	}
	return "want goes on"
}

// Options calls set with the options of an archive's comment: lines such as "--stage prod", without the value's blanks. Other
// lines are remarks.
func Options(comment []byte, set func(flag, value string)) {
	for line := range strings.Lines(string(comment)) {
		if flag, value, ok := strings.Cut(strings.TrimSpace(line), " "); ok && strings.HasPrefix(flag, "-") {
			set(flag, value)
		}
	}
}

// Write writes files into a fresh folder and returns its path, links resolved.
func Write(tb testing.TB, files []txtar.File) string {
	tb.Helper()
	dir, err := filepath.EvalSymlinks(tb.TempDir())
	if err != nil {
		tb.Fatal(err)
	}
	for _, f := range files {
		name := filepath.Join(dir, filepath.FromSlash(f.Name))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil { //nolint:gosec // G301: of a test
			tb.Fatal(err)
		}
		if err := os.WriteFile(name, f.Data, 0o644); err != nil { //nolint:gosec // G306: of a test
			tb.Fatal(err)
		}
	}
	return dir
}
