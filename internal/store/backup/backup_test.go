package backup_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"cleat/internal/apigw"
	"cleat/internal/store"
	"cleat/internal/store/backup"
	"cleat/internal/store/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// source is a store with a large and some small values, and a folder with files.
func source(tb testing.TB) (backup.Source, *store.Store) {
	tb.Helper()
	s := store.New(memory.New())
	var b store.Batch
	large := apigw.Definition{}
	for i := range 300 {
		large.Routes = append(large.Routes, apigw.Route{RouteID: fmt.Sprint(i), RouteKey: "<key> & " + fmt.Sprint(i)})
	}
	store.Put(&b, store.APIs().Key("a"), apigw.API{APIID: "a", Name: "chät <b>"}, store.Absent())
	store.Put(&b, store.Definitions("a").Key("d"), large, store.Absent())
	if _, err := s.Commit(tb.Context(), &b); err != nil {
		tb.Fatal(err)
	}
	dir := tb.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "code"), 0o700); err != nil {
		tb.Fatal(err)
	}
	for name, text := range map[string]string{"code/one.zip": "1", "code/two.zip": strings.Repeat("2", 100_000)} {
		if err := os.WriteFile(filepath.Join(dir, filepath.FromSlash(name)), []byte(text), 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	return backup.Source{Store: s, Dir: dir, Files: []string{"code/one.zip", "code/two.zip"}, Version: "v1"}, s
}

func archive(tb testing.TB, s backup.Source) []byte {
	tb.Helper()
	var out bytes.Buffer
	if err := backup.Write(tb.Context(), &out, s); err != nil {
		tb.Fatal(err)
	}
	return out.Bytes()
}

func TestRoundTrip(t *testing.T) {
	from, s := source(t)
	to, files := store.New(memory.New()), map[string]string{}
	m, err := backup.Read(t.Context(), bytes.NewReader(archive(t, from)), backup.Target{
		Entry: func(key string, value json.RawMessage) error {
			var b store.Batch
			store.Put(&b, store.Raw(key), value, store.Absent())
			_, err := to.Commit(t.Context(), &b)
			return err
		},
		File: func(name string, content io.Reader) error {
			text, err := io.ReadAll(content)
			files[name] = string(text)
			return err
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	want, revision, err := s.Entries(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got, _, err := to.Entries(t.Context())
	if err != nil || len(got) != len(want) {
		t.Fatalf("%d entries, %v, want %d", len(got), err, len(want))
	}
	for i := range want {
		if got[i].Key != want[i].Key || !bytes.Equal(got[i].Value, want[i].Value) {
			t.Errorf("got %s=%.60q, want %s=%.60q", got[i].Key, got[i].Value, want[i].Key, want[i].Value)
		}
	}
	if m.Version != "v1" || m.Revision != uint64(revision) || m.Entries != 2 || len(m.Members) != 3 {
		t.Errorf("the manifest says %+v", m)
	}
	if len(files) != 2 || files["code/one.zip"] != "1" || len(files["code/two.zip"]) != 100_000 {
		t.Errorf("%d files", len(files))
	}
}

// Whatever is cut off or changed is noticed.
func TestDamaged(t *testing.T) {
	from, _ := source(t)
	whole := archive(t, from)
	read := func(b []byte) error {
		_, err := backup.Read(t.Context(), bytes.NewReader(b), backup.Target{})
		return err
	}
	if err := read(whole); err != nil {
		t.Fatal(err)
	}
	for n := 0; n < len(whole); n += 1 + len(whole)/200 {
		if read(whole[:n]) == nil {
			t.Errorf("the first %d of %d bytes are a backup", n, len(whole))
		}
		if n < 10 {
			continue // the header of gzip has a date, and nobody's
		}
		damaged := bytes.Clone(whole)
		damaged[n] ^= 0x10
		if read(damaged) == nil && !bytes.Equal(unzipped(t, damaged), unzipped(t, whole)) {
			t.Errorf("nobody notices that byte %d of %d has changed", n, len(whole))
		}
	}
}

// unzipped is what an archive holds: in a run of equal bytes, a copy from elsewhere in the run is the same.
func unzipped(t *testing.T, archive []byte) []byte {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestFaults(t *testing.T) {
	from, _ := source(t)
	missing := from
	missing.Files = []string{"code/three.zip"}
	if err := backup.Write(t.Context(), io.Discard, missing); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := backup.Write(ctx, io.Discard, from); !errors.Is(err, context.Canceled) {
		t.Errorf("write: %v", err)
	}
	if _, err := backup.Read(ctx, bytes.NewReader(archive(t, from)), backup.Target{}); !errors.Is(err, context.Canceled) {
		t.Errorf("read: %v", err)
	}
	outside := from
	outside.Files = []string{"../" + filepath.Base(from.Dir) + "/code/one.zip"}
	if _, err := backup.Read(t.Context(), bytes.NewReader(archive(t, outside)), backup.Target{}); err == nil {
		t.Error("a file outside of the data directory is taken")
	}
}

// FuzzRead holds Read to its promises for any bytes: it ends, hands over local names and valid keys only, and what it calls
// a backup is the same when it is read again.
func FuzzRead(f *testing.F) {
	from, _ := source(f)
	f.Add(archive(f, from))
	from.Files = nil
	f.Add(archive(f, from))
	f.Add([]byte("no archive"))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := backup.Read(t.Context(), bytes.NewReader(b), backup.Target{
			Entry: func(key string, _ json.RawMessage) error {
				return store.CheckChanges([]store.Change{{Key: key}})
			},
			File: func(name string, _ io.Reader) error {
				if !filepath.IsLocal(name) {
					t.Errorf("the file %q is handed over", name)
				}
				return nil
			},
		})
		if err != nil {
			return
		}
		if again, err := backup.Read(t.Context(), bytes.NewReader(b), backup.Target{}); err != nil || again.Entries != m.Entries {
			t.Errorf("read again: %+v, %v", again, err)
		}
	})
}
