package natskv_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"cleat/internal/store"
	"cleat/internal/store/natskv"
	"cleat/internal/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open opens a store and closes it with the test.
func open(tb testing.TB, o natskv.Options) *natskv.Driver {
	tb.Helper()
	d, err := natskv.Open(tb.Context(), o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := d.Close(); err != nil {
			tb.Error(err)
		}
	})
	return d
}

func TestDriver(t *testing.T) {
	storetest.Run(t, func(tb testing.TB) store.Driver {
		tb.Helper()
		return open(tb, natskv.Options{Dir: tb.TempDir(), NoSync: true})
	})
}

func put(key, value string) store.Change { return store.Change{Key: key, Value: []byte(value)} }

func commit(tb testing.TB, d store.Driver, changes ...store.Change) store.Revision {
	tb.Helper()
	r, err := d.Commit(tb.Context(), changes)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

// contents is everything in a store, with the revisions.
func contents(tb testing.TB, d store.Driver) string {
	tb.Helper()
	entries, _, err := d.List(tb.Context(), "")
	if err != nil {
		tb.Fatal(err)
	}
	var all strings.Builder
	for _, e := range entries {
		fmt.Fprintf(&all, "%s=%s@%d ", e.Key, e.Value, e.Revision)
	}
	return all.String()
}

// reopened opens a store again after closing it.
func reopened(tb testing.TB, d *natskv.Driver, o natskv.Options) *natskv.Driver {
	tb.Helper()
	if err := d.Close(); err != nil {
		tb.Fatal(err)
	}
	return open(tb, o)
}

func TestReopen(t *testing.T) {
	o := natskv.Options{Dir: filepath.Join(t.TempDir(), "made", "by", "open")}
	d := open(t, o)
	commit(t, d, put("a", "1"), put("b", "2"), put("c", "3"))
	commit(t, d, put("a", "4"), store.Change{Key: "b", Delete: true})
	r := commit(t, d, put("empty", ""))
	want := contents(t, d)
	d = reopened(t, d, o)
	if got := contents(t, d); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if now := commit(t, d, put("d", "5")); now <= r {
		t.Errorf("revision %d after revision %d", now, r)
	}
	info, err := os.Stat(o.Dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder has mode %v, %v, want 0700", info.Mode(), err)
	}
}

// What has been overwritten leaves the disk, what counts keeps its revision, and nothing of it is lost on the way.
func TestClean(t *testing.T) {
	o := natskv.Options{Dir: t.TempDir(), NoSync: true, Garbage: 256 << 10}
	d := open(t, o)
	random := rand.New(rand.NewPCG(1, 2))
	kept := commit(t, d, put("kept", "since ever"), put("deleted", "x"))
	commit(t, d, store.Change{Key: "deleted", Delete: true})
	const rounds, size = 2000, 16_000
	for i := range rounds {
		commit(t, d, put(fmt.Sprintf("k/%d", random.IntN(20)), strings.Repeat(fmt.Sprintf("%08d", i), size/8)), put(fmt.Sprintf("once/%d", i), "x"), store.Change{Key: fmt.Sprintf("once/%d", i-5), Delete: true})
	}
	want := contents(t, d)
	d = reopened(t, d, o)
	if got := contents(t, d); got != want {
		t.Error("the store holds something else after it was cleaned and opened again")
	}
	if e, err := d.Get(t.Context(), "kept"); err != nil || e.Revision != kept {
		t.Errorf("an entry of old has revision %d, %v, want %d", e.Revision, err, kept)
	}
	if _, err := d.Commit(t.Context(), []store.Change{{Key: "kept", Value: []byte("x"), Expect: store.At(kept)}}); err != nil {
		t.Error(err)
	}
	if used := blocks(t, o.Dir); used > rounds*size/2 {
		t.Errorf("%d bytes on disk of %d that were written", used, rounds*size)
	}
}

// blocks is the size of the log's files.
func blocks(tb testing.TB, dir string) int64 {
	tb.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "jetstream", "$G", "streams", "*", "msgs", "*.blk"))
	if err != nil || len(files) == 0 {
		tb.Fatalf("no blocks, %v", err)
	}
	var n int64
	for _, f := range files {
		info, err := os.Stat(f)
		if err != nil {
			tb.Fatal(err)
		}
		n += info.Size()
	}
	return n
}

func TestOneAtATime(t *testing.T) {
	o := natskv.Options{Dir: t.TempDir()}
	d := open(t, o)
	if _, err := natskv.Open(t.Context(), o); err == nil || !strings.Contains(err.Error(), o.Dir) || !strings.Contains(err.Error(), "another process has it open") {
		t.Errorf("opened twice: %v", err)
	}
	commit(t, d, put("a", "1")) // the first is none the worse
	reopened(t, d, o)
}

func TestClosed(t *testing.T) {
	d := open(t, natskv.Options{Dir: t.TempDir(), NoSync: true})
	watching, watched := make(chan struct{}), make(chan error, 1)
	go func() {
		watched <- d.Watch(context.Background(), "", func(store.Revision) { close(watching) })
	}()
	<-watching
	for range 2 {
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-watched; err == nil {
		t.Error("a Watch ends without an error")
	}
	if _, err := d.Get(t.Context(), "a"); err == nil || errors.Is(err, store.ErrNotFound) {
		t.Errorf("get: %v", err)
	}
	if _, _, err := d.List(t.Context(), ""); err == nil {
		t.Error("a closed store is listed")
	}
	if _, err := d.Since(t.Context(), 0); err == nil {
		t.Error("a closed store has changes")
	}
	if _, err := d.Commit(t.Context(), []store.Change{put("a", "1")}); err == nil {
		t.Error("a closed store takes commits")
	}
}

// What is missing from the middle of the log, or before it, is noticed: nobody is served half a store.
func TestDamage(t *testing.T) {
	for name, damage := range map[string]func(stream string) error{
		"a block is gone":       func(stream string) error { return os.Remove(filepath.Join(stream, "msgs", "2.blk")) },
		"a block is spoilt":     func(stream string) error { return spoil(filepath.Join(stream, "msgs", "2.blk")) },
		"the description is":    func(stream string) error { return os.WriteFile(filepath.Join(stream, "meta.inf"), []byte("{"), 0o600) },
		"the description is no": func(stream string) error { return os.Remove(filepath.Join(stream, "meta.inf")) },
	} {
		t.Run(name, func(t *testing.T) {
			o := natskv.Options{Dir: t.TempDir(), NoSync: true, Garbage: 1 << 30}
			d := open(t, o)
			value := strings.Repeat("x", store.MaxValue/2)
			for i := range 6 {
				commit(t, d, put(fmt.Sprintf("k/%d", i), value))
			}
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
			if err := damage(filepath.Join(o.Dir, "jetstream", "$G", "streams", "STORE")); err != nil {
				t.Fatal(err)
			}
			d, err := natskv.Open(t.Context(), o)
			if err == nil {
				t.Errorf("opened with %d entries", len(strings.Fields(contents(t, d))))
				_ = d.Close()
			} else if !strings.Contains(err.Error(), "cleat restore") {
				t.Errorf("%v, want a hint at what to do", err)
			}
		})
	}
}

// spoil changes bytes in the middle of a file.
func spoil(file string) error {
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	for i := range 100 {
		content[len(content)/2+i] ^= 0xFF
	}
	return os.WriteFile(file, content, 0o600)
}

func TestNoFolder(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := natskv.Open(t.Context(), natskv.Options{Dir: file}); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("got %v, want an error that names the file", err)
	}
}

// BenchmarkCommit is one change of an API: two small values and the bookkeeping, on disk before it returns.
func BenchmarkCommit(b *testing.B) {
	for name, o := range map[string]natskv.Options{"synced": {}, "unsynced": {NoSync: true}} {
		b.Run(name, func(b *testing.B) {
			o.Dir = b.TempDir()
			d := open(b, o)
			value := strings.Repeat("x", 500)
			for i := range b.N {
				commit(b, d, put("apis/a", value), put(fmt.Sprintf("apis/a/routes/%d", i%300), value))
			}
		})
	}
}
