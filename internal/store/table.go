package store

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"strings"
	"sync"

	"github.com/tidwall/btree"
)

// Table is the entries of a store in memory, ordered by key, with those who watch them. Drivers answer from one. Its
// methods are safe for concurrent use, but Check and the Apply that relies on it are two steps: a driver makes one
// commit at a time. The zero Table is empty and ready; it starts no goroutine.
type Table struct {
	mu       sync.RWMutex
	entries  btree.Map[string, kept]
	revision Revision
	lost     error // why nothing can be read any more; nil while it can

	// touched are the keys of past changes, oldest first. What came up to forgotten is not in it any more.
	touched   []touch
	forgotten Revision

	watchers map[*watcher]struct{}
}

// kept is what there is of an entry beside its key. Key and value are parts of larger pieces of memory (pieceSize).
type kept struct {
	value    []byte
	revision Revision
}

func (k kept) entry(key string) Entry { return Entry{Key: key, Value: k.value, Revision: k.revision} }

// touch is the change of one key.
type touch struct {
	key      string
	revision Revision
}

// remembered bounds how many changes a Table remembers: enough for a reader to be a few large batches behind.
const remembered = 4 * MaxChanges

// watcher is one running Watch. Its pending revision is guarded by the table's mu.
type watcher struct {
	prefix  string
	pending Revision
	wake    chan struct{} // holds one token while pending is unseen, or the table's loss is; never closed
}

// Get is Driver's.
func (t *Table) Get(ctx context.Context, key string) (Entry, error) {
	if err := context.Cause(ctx); err != nil {
		return Entry{}, fmt.Errorf("get %s: %w", key, err)
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	if t.lost != nil {
		return Entry{}, fmt.Errorf("get %s: %w", key, t.lost)
	}
	k, ok := t.entries.Get(key)
	if !ok {
		return Entry{}, fmt.Errorf("get %s: %w", key, ErrNotFound)
	}
	return k.entry(key), nil
}

// Lookup returns the entry of a key, for the driver itself: it needs no context and knows no loss.
func (t *Table) Lookup(key string) (Entry, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	k, ok := t.entries.Get(key)
	return k.entry(key), ok
}

// List is Driver's.
func (t *Table) List(ctx context.Context, prefix string) ([]Entry, Revision, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, 0, fmt.Errorf("list %s: %w", prefix, err)
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	if t.lost != nil {
		return nil, 0, fmt.Errorf("list %s: %w", prefix, t.lost)
	}
	return t.list(prefix), t.revision, nil
}

func (t *Table) list(prefix string) []Entry {
	var entries []Entry
	if prefix == "" {
		entries = make([]Entry, 0, t.entries.Len())
	}
	t.entries.Ascend(prefix, func(key string, k kept) bool {
		if !strings.HasPrefix(key, prefix) {
			return false
		}
		entries = append(entries, k.entry(key))
		return true
	})
	return entries
}

// Members is Driver's. It does not walk through what lies deeper.
func (t *Table) Members(ctx context.Context, prefix string) ([]Entry, Revision, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, 0, fmt.Errorf("list the members of %s: %w", prefix, err)
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	if t.lost != nil {
		return nil, 0, fmt.Errorf("list the members of %s: %w", prefix, t.lost)
	}
	var entries []Entry
	at := t.entries.Iter()
	for ok := at.Seek(prefix); ok && strings.HasPrefix(at.Key(), prefix); {
		member, _, deeper := strings.Cut(at.Key()[len(prefix):], "/")
		if deeper {
			ok = at.Seek(prefix + member + afterSlash)
			continue
		}
		entries = append(entries, at.Value().entry(at.Key()))
		ok = at.Next()
	}
	return entries, t.revision, nil
}

// afterSlash comes after all that begins with a slash, and before all else that comes after it.
const afterSlash = "0"

// Since is Driver's.
func (t *Table) Since(ctx context.Context, r Revision) (Delta, error) {
	if err := context.Cause(ctx); err != nil {
		return Delta{}, fmt.Errorf("list what changed since %d: %w", r, err)
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	if t.lost != nil {
		return Delta{}, fmt.Errorf("list what changed since %d: %w", r, t.lost)
	}
	d := Delta{Revision: t.revision}
	if r == 0 || r < t.forgotten || r > t.revision {
		d.Whole, d.Entries = true, t.list("")
		return d, nil
	}
	first := sort.Search(len(t.touched), func(i int) bool { return t.touched[i].revision > r })
	keys := make([]string, 0, len(t.touched)-first)
	for _, c := range t.touched[first:] {
		keys = append(keys, c.key)
	}
	slices.Sort(keys)
	for _, key := range slices.Compact(keys) {
		if k, ok := t.entries.Get(key); ok {
			d.Entries = append(d.Entries, k.entry(key))
		} else {
			d.Deleted = append(d.Deleted, key)
		}
	}
	return d, nil
}

// Revision returns that of the last Apply.
func (t *Table) Revision() Revision {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.revision
}

// Check returns ErrConflict, with the key, for the first change whose expectation does not hold.
func (t *Table) Check(changes []Change) error {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if t.lost != nil {
		return t.lost
	}
	for i := range changes {
		c := &changes[i]
		if !c.Expect.checked {
			continue
		}
		if k, _ := t.entries.Get(c.Key); !c.Expect.Met(k.revision) {
			return fmt.Errorf("%s: %w", c.Key, ErrConflict)
		}
	}
	return nil
}

// Apply makes the table what it is after a commit of that revision: with these entries, whose revisions are their own,
// and without these keys. It copies keys and values, and wakes those who watch.
func (t *Table) Apply(r Revision, entries []Entry, deleted []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.revision = r
	keys, values := copyKeys(entries), copyValues(entries)
	for i, key := range keys {
		t.entries.Set(key, kept{values[i], entries[i].Revision})
		t.touched = append(t.touched, touch{key, r})
	}
	for _, key := range deleted {
		t.entries.Delete(key)
		t.touched = append(t.touched, touch{key, r})
	}
	t.forget()
	for w := range t.watchers {
		below := func(key string) bool { return strings.HasPrefix(key, w.prefix) }
		if slices.ContainsFunc(entries, func(e Entry) bool { return below(e.Key) }) || slices.ContainsFunc(deleted, below) {
			w.notify(r)
		}
	}
}

// Split returns what changes make of their keys in a commit of that revision, for Apply.
func Split(r Revision, changes []Change) (entries []Entry, deleted []string) {
	for i := range changes {
		if c := &changes[i]; c.Delete {
			deleted = append(deleted, c.Key)
		} else {
			entries = append(entries, Entry{Key: c.Key, Value: c.Value, Revision: r})
		}
	}
	return entries, deleted
}

// forget drops old touches, half of them at a time so that it costs little for each.
func (t *Table) forget() {
	if len(t.touched) <= remembered {
		return
	}
	n := len(t.touched) - remembered/2
	t.forgotten = t.touched[n-1].revision
	t.touched = slices.Clone(t.touched[n:])
}

// Lose makes all methods fail with an error from now on, Watch included. The first error counts.
func (t *Table) Lose(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.lost != nil {
		return
	}
	t.lost = err
	for w := range t.watchers {
		w.notify(t.revision)
	}
}

// Watch is Driver's.
func (t *Table) Watch(ctx context.Context, prefix string, changed func(Revision)) error {
	w := &watcher{prefix: prefix, wake: make(chan struct{}, 1)}
	t.mu.Lock()
	if t.watchers == nil {
		t.watchers = map[*watcher]struct{}{}
	}
	t.watchers[w] = struct{}{}
	w.notify(t.revision)
	t.mu.Unlock()
	defer func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.watchers, w)
	}()
	for {
		select {
		case <-ctx.Done():
			return fmt.Errorf("watch %s: %w", prefix, context.Cause(ctx))
		case <-w.wake:
			t.mu.RLock()
			r, lost := w.pending, t.lost
			t.mu.RUnlock()
			switch {
			case ctx.Err() != nil: // both may be ready; an ended context goes before
			case lost != nil:
				return fmt.Errorf("watch %s: %w", prefix, lost)
			default:
				changed(r)
			}
		}
	}
}

// notify notes a revision; the caller holds the table's mu.
func (w *watcher) notify(r Revision) {
	w.pending = r
	select {
	case w.wake <- struct{}{}:
	default: // a token is there already: the watcher will see this revision with it
	}
}
