// Package storetest is the suite that every store.Driver must pass. Tests of drivers call Run.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"cleat/internal/store"
)

// patience bounds every wait for something that must happen.
const patience = 10 * time.Second

// Run holds drivers to the contract of store.Driver. open returns a fresh, empty driver and closes it with the test.
func Run(t *testing.T, open func(tb testing.TB) store.Driver) {
	t.Helper()
	for name, test := range map[string]func(subject){
		"GetAndList":         testGetAndList,
		"Members":            testMembers,
		"Delete":             testDelete,
		"Expect":             testExpect,
		"AllOrNothing":       testAllOrNothing,
		"Invalid":            testInvalid,
		"Copies":             testCopies,
		"EmptyBatch":         testEmptyBatch,
		"Since":              testSince,
		"SinceLongAgo":       testSinceLongAgo,
		"Concurrent":         testConcurrent,
		"WatchStart":         testWatchStart,
		"WatchChanges":       testWatchChanges,
		"WatchOtherPrefix":   testWatchOtherPrefix,
		"WatchSeesCommit":    testWatchSeesCommit,
		"EndedContext":       testEndedContext,
		"BatchSeenTogether":  testBatchSeenTogether,
		"LargeValueAndBatch": testLarge,
	} {
		t.Run(name, func(t *testing.T) { test(subject{t, open(t)}) })
	}
	t.Run("Model", func(t *testing.T) {
		rapid.Check(t, func(rt *rapid.T) { checkModel(rt, open(t)) })
	})
}

// subject is a driver under test. The tests are no helpers: their lines are what a failure should point at.
type subject struct {
	t *testing.T
	d store.Driver
}

func put(key, value string) store.Change { return store.Change{Key: key, Value: []byte(value)} }

func commit(t *testing.T, d store.Driver, changes ...store.Change) store.Revision {
	t.Helper()
	r, err := d.Commit(t.Context(), changes)
	if err != nil {
		t.Fatalf("commit: %v", err)
	}
	return r
}

func get(t *testing.T, d store.Driver, key string) store.Entry {
	t.Helper()
	e, err := d.Get(t.Context(), key)
	if err != nil {
		t.Fatalf("get: %v", err)
	}
	return e
}

func list(t *testing.T, d store.Driver, prefix string) (string, store.Revision) {
	t.Helper()
	entries, r, err := d.List(t.Context(), prefix)
	if err != nil {
		t.Fatalf("list: %v", err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Key+"="+string(e.Value))
	}
	return strings.Join(all, " "), r
}

func testGetAndList(s subject) {
	t, d := s.t, s.d
	if _, err := d.Get(t.Context(), "a"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("get of an empty store: %v, want ErrNotFound", err)
	}
	r1 := commit(t, d, put("a/x", "1"), put("b", "2"), put("a/y/z", "3"))
	if r1 == 0 {
		t.Error("the first commit has revision zero")
	}
	r2 := commit(t, d, put("a/x", "4"))
	if r2 <= r1 {
		t.Errorf("the second commit has revision %d, not after %d", r2, r1)
	}
	if e := get(t, d, "a/x"); e.Key != "a/x" || string(e.Value) != "4" || e.Revision <= r1 || e.Revision > r2 {
		t.Errorf("got %+v, want 4 with a revision in (%d, %d]", e, r1, r2)
	}
	if e := get(t, d, "b"); e.Revision == 0 || e.Revision > r1 {
		t.Errorf("an untouched entry has revision %d, want at most %d", e.Revision, r1)
	}
	for prefix, want := range map[string]string{
		"": "a/x=4 a/y/z=3 b=2", "a/": "a/x=4 a/y/z=3", "a": "a/x=4 a/y/z=3", "a/x": "a/x=4", "c": "", "x": "",
	} {
		if got, r := list(t, d, prefix); got != want || r != r2 {
			t.Errorf("list %q: %q at %d, want %q at %d", prefix, got, r, want, r2)
		}
	}
}

func testMembers(s subject) {
	t, d := s.t, s.d
	r := commit(t, d, put("a", "1"), put("a/x", "2"), put("a/x/y", "3"), put("a/x/y/z", "4"), put("a/x-", "5"), put("a/x0", "6"),
		put("a/x=/only/deeper", "7"), put("a/xy", "8"), put("a0", "9"), put("b/x", "10"))
	for prefix, want := range map[string]string{
		"a/": "a/x=2 a/x-=5 a/x0=6 a/xy=8", "": "a=1 a0=9", "a/x/": "a/x/y=3", "a/x=/": "", "c/": "", "b/": "b/x=10",
	} {
		entries, at, err := d.Members(t.Context(), prefix)
		if err != nil || at != r {
			t.Fatalf("members of %q: at %d, %v", prefix, at, err)
		}
		var all []string
		for _, e := range entries {
			all = append(all, e.Key+"="+string(e.Value))
		}
		if got := strings.Join(all, " "); got != want {
			t.Errorf("members of %q: %q, want %q", prefix, got, want)
		}
	}
}

func testDelete(s subject) {
	t, d := s.t, s.d
	r1 := commit(t, d, put("a", "1"), put("b", "2"))
	r2 := commit(t, d, store.Change{Key: "a", Delete: true}, store.Change{Key: "never", Delete: true})
	if r2 <= r1 {
		t.Errorf("a deletion has revision %d, not after %d", r2, r1)
	}
	if _, err := d.Get(t.Context(), "a"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("get of a deleted key: %v, want ErrNotFound", err)
	}
	if got, _ := list(t, d, ""); got != "b=2" {
		t.Errorf("list after deletion: %q, want b=2", got)
	}
	commit(t, d, store.Change{Key: "a", Value: []byte("again"), Expect: store.Absent()})
	if got, _ := list(t, d, "a"); got != "a=again" {
		t.Errorf("a deleted key written again: %q", got)
	}
}

func testExpect(s subject) {
	t, d := s.t, s.d
	commit(t, d, put("a", "1"))
	at := get(t, d, "a").Revision
	fails := map[string]store.Change{
		"absent, but there":         {Key: "a", Value: []byte("x"), Expect: store.Absent()},
		"older revision":            {Key: "a", Value: []byte("x"), Expect: store.At(at + 100)},
		"revision of an absent key": {Key: "b", Value: []byte("x"), Expect: store.At(at)},
		"deletion":                  {Key: "a", Delete: true, Expect: store.At(at + 100)},
	}
	for name, c := range fails {
		if _, err := d.Commit(t.Context(), []store.Change{c}); !errors.Is(err, store.ErrConflict) {
			t.Errorf("%s: %v, want ErrConflict", name, err)
		}
	}
	if got, _ := list(t, d, ""); got != "a=1" {
		t.Errorf("after conflicts: %q, want a=1", got)
	}
	commit(t, d,
		store.Change{Key: "a", Value: []byte("2"), Expect: store.At(at)},
		store.Change{Key: "b", Value: []byte("3"), Expect: store.Absent()})
	if got, _ := list(t, d, ""); got != "a=2 b=3" {
		t.Errorf("after met expectations: %q, want a=2 b=3", got)
	}
	if _, err := d.Commit(t.Context(), []store.Change{{Key: "a", Delete: true, Expect: store.At(at)}}); !errors.Is(err, store.ErrConflict) {
		t.Errorf("a revision of before: %v, want ErrConflict", err)
	}
}

func testAllOrNothing(s subject) {
	t, d := s.t, s.d
	r1 := commit(t, d, put("a", "1"), put("b", "2"))
	_, err := d.Commit(t.Context(), []store.Change{
		put("a", "x"), {Key: "b", Delete: true}, put("c", "x"), {Key: "d", Value: []byte("x"), Expect: store.At(r1)},
	})
	if !errors.Is(err, store.ErrConflict) {
		t.Fatalf("got %v, want ErrConflict", err)
	}
	if got, r := list(t, d, ""); got != "a=1 b=2" || r != r1 {
		t.Errorf("after a refused batch: %q at %d, want a=1 b=2 at %d", got, r, r1)
	}
}

func testInvalid(s subject) {
	t, d := s.t, s.d
	for name, changes := range map[string][]store.Change{
		"empty key":      {put("", "x")},
		"blank":          {put("a b", "x")},
		"leading slash":  {put("/a", "x")},
		"trailing slash": {put("a/", "x")},
		"double slash":   {put("a//b", "x")},
		"dot":            {put("a.b", "x")},
		"wildcard":       {put("a/*", "x")},
		"too long":       {put(strings.Repeat("k", store.MaxKey+1), "x")},
		"twice":          {put("a", "x"), put("a", "y")},
		"large batch":    large("a", "b", "c"),
		"large value":    {put("a", strings.Repeat("x", store.MaxValue+1))},
		"many":           slices.Repeat([]store.Change{put("a", "x")}, store.MaxChanges+1),
	} {
		if _, err := d.Commit(t.Context(), append([]store.Change{put("good", "x")}, changes...)); !errors.Is(err, store.ErrInvalid) {
			t.Errorf("%s: %v, want ErrInvalid", name, err)
		}
	}
	if got, _ := list(t, d, ""); got != "" {
		t.Errorf("after invalid batches: %q, want nothing", got)
	}
}

// large writes the largest value to each of the keys.
func large(keys ...string) []store.Change {
	value := strings.Repeat("x", store.MaxValue)
	var changes []store.Change
	for _, key := range keys {
		changes = append(changes, put(key, value))
	}
	return changes
}

func testLarge(s subject) {
	t, d := s.t, s.d
	changes := []store.Change{put("large", strings.Repeat("x", store.MaxValue))}
	for i := range store.MaxChanges - 1 {
		changes = append(changes, put(fmt.Sprintf("many/%04d", i), "v"))
	}
	commit(t, d, changes...)
	if n := len(get(t, d, "large").Value); n != store.MaxValue {
		t.Errorf("a value of %d bytes came back with %d", store.MaxValue, n)
	}
	if entries, _, err := d.List(t.Context(), "many/"); err != nil || len(entries) != store.MaxChanges-1 {
		t.Errorf("got %d entries, %v", len(entries), err)
	}
}

func testCopies(s subject) {
	t, d := s.t, s.d
	value := []byte("1")
	commit(t, d, store.Change{Key: "a", Value: value})
	value[0] = 'x'
	if got := string(get(t, d, "a").Value); got != "1" {
		t.Errorf("the store shares memory with who commits: got %q, want 1", got)
	}
	one, other := append(get(t, d, "a").Value, 'y'), append(get(t, d, "a").Value, 'z')
	if string(one) != "1y" || string(other) != "1z" {
		t.Errorf("two who append to a value that they read got %q and %q", one, other)
	}
}

func testEmptyBatch(s subject) {
	t, d := s.t, s.d
	r1 := commit(t, d, put("a", "1"))
	if r2 := commit(t, d); r2 != r1 {
		t.Errorf("an empty batch moved the revision from %d to %d", r1, r2)
	}
}

func testConcurrent(s subject) {
	t, d := s.t, s.d
	const workers, rounds = 4, 25
	commit(t, d, put("n", ""))
	var wg sync.WaitGroup
	errs := make(chan error, workers)
	for range workers {
		wg.Go(func() {
			for done := 0; done < rounds; {
				e, err := d.Get(t.Context(), "n")
				if err == nil {
					_, err = d.Commit(t.Context(), []store.Change{{Key: "n", Value: append(e.Value, 'x'), Expect: store.At(e.Revision)}})
				}
				switch {
				case err == nil:
					done++
				case !errors.Is(err, store.ErrConflict):
					errs <- err
					return
				}
			}
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		t.Error(err)
	}
	if n := len(get(t, d, "n").Value); n != workers*rounds {
		t.Errorf("%d of %d increments survived", n, workers*rounds)
	}
}

// apply takes a delta into a copy of the store.
func apply(t *testing.T, copied map[string]string, delta store.Delta) {
	t.Helper()
	if delta.Whole {
		clear(copied)
	}
	if !slices.IsSortedFunc(delta.Entries, func(a, b store.Entry) int { return strings.Compare(a.Key, b.Key) }) || !slices.IsSorted(delta.Deleted) {
		t.Errorf("a delta out of order: %+v", delta)
	}
	for _, e := range delta.Entries {
		copied[e.Key] = string(e.Value)
	}
	for _, key := range delta.Deleted {
		delete(copied, key)
	}
}

// testSince keeps a copy of the store by deltas alone.
func testSince(s subject) {
	t, d := s.t, s.d
	copied := map[string]string{}
	at := store.Revision(0)
	for i, changes := range [][]store.Change{
		{put("a/x", "1"), put("b", "1")},
		{put("a/x", "2")},
		{{Key: "b", Delete: true}, put("c", "1")},
		{put("b", "again")},
		{{Key: "never", Delete: true}},
	} {
		commit(t, d, changes...)
		if i == 1 {
			continue // two commits in one delta
		}
		delta, err := d.Since(t.Context(), at)
		if err != nil {
			t.Fatal(err)
		}
		if delta.Whole != (at == 0) {
			t.Errorf("the delta since %d: whole is %t", at, delta.Whole)
		}
		apply(t, copied, delta)
		at = delta.Revision
		entries, r, err := d.List(t.Context(), "")
		if err != nil || r != at {
			t.Fatalf("the list is at %d, the delta at %d, %v", r, at, err)
		}
		want := map[string]string{}
		for _, e := range entries {
			want[e.Key] = string(e.Value)
		}
		if !maps.Equal(copied, want) {
			t.Errorf("got %v by deltas, want %v", copied, want)
		}
	}
	delta, err := d.Since(t.Context(), at)
	if err != nil || delta.Whole || len(delta.Entries)+len(delta.Deleted) != 0 || delta.Revision != at {
		t.Errorf("a delta of nothing: %+v, %v", delta, err)
	}
}

// testSinceLongAgo asks for more than a driver remembers.
func testSinceLongAgo(s subject) {
	t, d := s.t, s.d
	first := commit(t, d, put("first", "1"), put("gone", "1"))
	commit(t, d, store.Change{Key: "gone", Delete: true})
	changes := make([]store.Change, store.MaxChanges)
	for i := range changes {
		changes[i] = put(fmt.Sprintf("k/%d", i), "v")
	}
	for range 6 {
		commit(t, d, changes...)
	}
	delta, err := d.Since(t.Context(), first)
	if err != nil {
		t.Fatal(err)
	}
	copied := map[string]string{"first": "1", "gone": "1"}
	apply(t, copied, delta)
	if len(copied) != store.MaxChanges+1 || copied["gone"] != "" {
		t.Errorf("%d entries by a delta from long ago, want %d", len(copied), store.MaxChanges+1)
	}
}

// watch runs a Watch until the test ends and hands over its calls.
func watch(t *testing.T, d store.Driver, prefix string) <-chan store.Revision {
	t.Helper()
	ctx, cancel := context.WithCancelCause(context.Background())
	calls := make(chan store.Revision, 1000)
	ended := make(chan error, 1)
	go func() { ended <- d.Watch(ctx, prefix, func(r store.Revision) { calls <- r }) }()
	errEnd := errors.New("the test is over")
	t.Cleanup(func() {
		cancel(errEnd)
		select {
		case err := <-ended:
			if !errors.Is(err, errEnd) {
				t.Errorf("Watch ended with %v, want the cause of its context", err)
			}
		case <-time.After(patience):
			t.Error("Watch outlives its context")
		}
	})
	return calls
}

// await waits for a call with at least that revision.
func await(t *testing.T, calls <-chan store.Revision, at store.Revision) {
	t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case r := <-calls:
			if r >= at {
				return
			}
		case <-deadline:
			t.Fatalf("no call for revision %d", at)
		}
	}
}

func testWatchStart(s subject) {
	t, d := s.t, s.d
	await(t, watch(t, d, ""), 0)
	r := commit(t, d, put("a", "1"))
	await(t, watch(t, d, ""), r)
	await(t, watch(t, d, "other/"), 0)
}

func testWatchChanges(s subject) {
	t, d := s.t, s.d
	all, some := watch(t, d, ""), watch(t, d, "a/")
	await(t, all, 0)
	await(t, some, 0)
	for i := range 5 {
		r := commit(t, d, put("a/x", fmt.Sprint(i)), put("b", "y"))
		await(t, all, r)
		await(t, some, r)
	}
	r := commit(t, d, store.Change{Key: "a/x", Delete: true})
	await(t, all, r)
	await(t, some, r)
}

func testWatchOtherPrefix(s subject) {
	t, d := s.t, s.d
	calls := watch(t, d, "a/")
	await(t, calls, 0)
	for i := range 50 {
		commit(t, d, put("b", fmt.Sprint(i)))
	}
	r := commit(t, d, put("a/x", "1"))
	n := 0
	for last := store.Revision(0); last < r; n++ {
		select {
		case last = <-calls:
		case <-time.After(patience):
			t.Fatal("no call for a change under the prefix")
		}
	}
	if n > 10 {
		t.Errorf("%d calls for changes outside the prefix", n)
	}
}

// testWatchSeesCommit reads the store inside the callback: what the revision promises must be there.
func testWatchSeesCommit(s subject) {
	t, d := s.t, s.d
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	started, last := make(chan struct{}), make(chan store.Revision, 1)
	go func() {
		<-started
		var r store.Revision
		for i := range 20 {
			var err error
			if r, err = d.Commit(ctx, []store.Change{put("n", fmt.Sprint(i))}); err != nil {
				t.Error(err)
			}
		}
		last <- r
	}()
	first := true
	err := d.Watch(ctx, "", func(r store.Revision) {
		if ctx.Err() != nil {
			t.Error("a call began after the context had ended")
			return
		}
		_, now, err := d.List(ctx, "")
		if err != nil || now < r {
			t.Errorf("told of revision %d, but the list is at %d, %v", r, now, err)
		}
		if first {
			first = false
			close(started)
		}
		if e, err := d.Get(ctx, "n"); err == nil && string(e.Value) == "19" {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Watch: %v; the last commit was not seen", err)
	}
	<-last
}

func testEndedContext(s subject) {
	t, d := s.t, s.d
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := d.Commit(ctx, []store.Change{put("a", "1")}); !errors.Is(err, context.Canceled) {
		t.Errorf("commit: %v", err)
	}
	if _, err := d.Get(ctx, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("get: %v", err)
	}
	if _, _, err := d.List(ctx, ""); !errors.Is(err, context.Canceled) {
		t.Errorf("list: %v", err)
	}
	if _, _, err := d.Members(ctx, ""); !errors.Is(err, context.Canceled) {
		t.Errorf("members: %v", err)
	}
	if _, err := d.Since(ctx, 0); !errors.Is(err, context.Canceled) {
		t.Errorf("since: %v", err)
	}
	if err := d.Watch(ctx, "", func(store.Revision) {}); !errors.Is(err, context.Canceled) {
		t.Errorf("watch: %v", err)
	}
}

// testBatchSeenTogether reads while batches that keep two keys equal are written.
func testBatchSeenTogether(s subject) {
	t, d := s.t, s.d
	commit(t, d, put("a", "0"), put("b", "0"))
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 200 {
			v := fmt.Sprint(i)
			if _, err := d.Commit(context.Background(), []store.Change{put("a", v), put("b", v)}); err != nil {
				t.Error(err)
			}
		}
	}()
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		entries, _, err := d.List(t.Context(), "")
		if err != nil || len(entries) != 2 || string(entries[0].Value) != string(entries[1].Value) {
			t.Fatalf("half a batch was seen: %+v, %v", entries, err)
		}
	}
}

// checkModel makes random batches and compares with a map.
func checkModel(rt *rapid.T, d store.Driver) {
	ctx := context.Background()
	model, revisions := map[string]string{}, map[string]store.Revision{}
	keys := []string{"a", "a/b", "a/c", "b/a", "c"}
	for range rapid.IntRange(1, 12).Draw(rt, "batches") {
		var changes []store.Change
		ok := true
		next := maps.Clone(model)
		for _, key := range keys {
			switch rapid.IntRange(0, 3).Draw(rt, "what of "+key) {
			case 0:
				v := rapid.StringMatching(`[a-z]{0,4}`).Draw(rt, "value")
				changes = append(changes, put(key, v))
				next[key] = v
			case 1:
				changes = append(changes, store.Change{Key: key, Delete: true})
				delete(next, key)
			default:
				continue
			}
			c := &changes[len(changes)-1]
			_, there := model[key]
			switch rapid.IntRange(0, 7).Draw(rt, "expect") {
			case 0:
				c.Expect = store.Absent()
				ok = ok && !there
			case 1:
				c.Expect = store.At(revisions[key] + 1)
				ok = false
			case 2:
				if there {
					c.Expect = store.At(revisions[key])
				}
			}
		}
		_, err := d.Commit(ctx, changes)
		if ok != (err == nil) {
			rt.Fatalf("commit of %+v: %v, want success %t", changes, err, ok)
		}
		if ok {
			model = next
		}
		entries, _, err := d.List(ctx, "")
		if err != nil {
			rt.Fatal(err)
		}
		got := map[string]string{}
		for _, e := range entries {
			got[e.Key], revisions[e.Key] = string(e.Value), e.Revision
		}
		if !maps.Equal(got, model) {
			rt.Fatalf("got %v, want %v", got, model)
		}
	}
}
