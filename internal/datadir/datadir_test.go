package datadir_test

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"cleat/internal/datadir"
	"cleat/internal/store"
)

// Only a folder of a node's own is taken for one.
func TestMark(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		file, text string
		want       string // empty: it is taken
	}{
		"nothing":          {"", "", ""},
		"a sealing key":    {datadir.SealKeyFile, "x", ""},
		"other files":      {"notes.txt", "mine", "it holds notes.txt and no cleat.json"},
		"a later format":   {"cleat.json", `{"format": 99}`, "of a later version of Cleat (format 99"},
		"another's marker": {"cleat.json", `{}`, "is not Cleat's"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "data")
			if tt.file != "" {
				if err := os.Mkdir(dir, 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(dir, tt.file), []byte(tt.text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			err := datadir.Mark(dir)
			if tt.want == "" {
				if again := datadir.Mark(dir); err != nil || again != nil {
					t.Errorf("got %v, and %v", err, again)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

// What a backup has is what a folder has that it is restored to.
func TestRestore(t *testing.T) {
	t.Parallel()
	log := slog.New(slog.DiscardHandler)
	parent := t.TempDir()
	from, to, archive := filepath.Join(parent, "from"), filepath.Join(parent, "to"), filepath.Join(parent, "backup")
	names := func(dir string) []string {
		t.Helper()
		s, done, err := datadir.Open(t.Context(), dir, log)
		if err != nil {
			t.Fatal(err)
		}
		roles, err := store.List(t.Context(), s, store.Roles())
		if closed := done(); err != nil || closed != nil {
			t.Fatal(err, closed)
		}
		var out []string
		for _, r := range roles {
			out = append(out, r.RoleName)
		}
		return out
	}
	s, done, err := datadir.Open(t.Context(), from, log)
	if err != nil {
		t.Fatal(err)
	}
	var b store.Batch
	store.Put(&b, store.Roles().Key("app"), store.Role{RoleName: "app"}, store.Absent())
	if _, err := s.Commit(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := datadir.WriteBackup(t.Context(), &text, s, from); err != nil {
		t.Fatal(err)
	}
	if err := done(); err != nil {
		t.Fatal(err)
	}
	if _, err := datadir.CheckBackup(t.Context(), bytes.NewReader(text.Bytes())); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(archive, text.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	o := datadir.RestoreOptions{Archive: archive, DataDir: to, Log: log}
	if restored, err := datadir.Restore(t.Context(), o); err != nil || restored.Aside != "" || restored.SealKey {
		t.Fatalf("got %+v, %v", restored, err)
	}
	if got := names(to); !slices.Equal(got, []string{"app"}) {
		t.Errorf("got %q", got)
	}
	if _, err := datadir.Restore(t.Context(), o); err == nil || !strings.Contains(err.Error(), "with --force") {
		t.Errorf("over what is there: got %v", err)
	}
	o.Force = true
	restored, err := datadir.Restore(t.Context(), o)
	if err != nil || len(names(restored.Aside)) != 1 || len(names(to)) != 1 {
		t.Errorf("got %+v, %v", restored, err)
	}
}
