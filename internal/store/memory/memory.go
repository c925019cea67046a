// Package memory keeps a store in this process's memory: for cleat dev and for tests. Nothing survives the process.
package memory

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"cleat/internal/store"
)

// Driver is a store.Driver in memory. It starts no goroutine and needs no closing.
type Driver struct {
	mu       sync.RWMutex
	entries  map[string]store.Entry
	revision store.Revision
	watchers map[*watcher]struct{}
}

// watcher is one running Watch. Its pending revision is guarded by the driver's mu.
type watcher struct {
	prefix  string
	pending store.Revision
	wake    chan struct{} // holds one token while pending is unseen; never closed
}

var _ store.Driver = (*Driver)(nil)

// New returns an empty driver.
func New() *Driver {
	return &Driver{entries: map[string]store.Entry{}, watchers: map[*watcher]struct{}{}}
}

// Get returns the entry of a key.
func (d *Driver) Get(ctx context.Context, key string) (store.Entry, error) {
	if err := context.Cause(ctx); err != nil {
		return store.Entry{}, fmt.Errorf("get %s: %w", key, err)
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	e, ok := d.entries[key]
	if !ok {
		return store.Entry{}, fmt.Errorf("get %s: %w", key, store.ErrNotFound)
	}
	return clone(e), nil
}

// List returns the entries under a prefix, ordered by key.
func (d *Driver) List(ctx context.Context, prefix string) ([]store.Entry, store.Revision, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, 0, fmt.Errorf("list %s: %w", prefix, err)
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	var entries []store.Entry
	for key, e := range d.entries {
		if strings.HasPrefix(key, prefix) {
			entries = append(entries, clone(e))
		}
	}
	slices.SortFunc(entries, func(a, b store.Entry) int { return strings.Compare(a.Key, b.Key) })
	return entries, d.revision, nil
}

// Commit makes all the changes or none.
func (d *Driver) Commit(ctx context.Context, changes []store.Change) (store.Revision, error) {
	if err := context.Cause(ctx); err != nil {
		return 0, fmt.Errorf("commit: %w", err)
	}
	if err := store.CheckChanges(changes); err != nil {
		return 0, fmt.Errorf("commit: %w", err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range changes {
		if c := &changes[i]; !c.Expect.Met(d.entries[c.Key].Revision) {
			return 0, fmt.Errorf("commit %s: %w", c.Key, store.ErrConflict)
		}
	}
	if len(changes) == 0 {
		return d.revision, nil
	}
	d.revision++
	for i := range changes {
		if c := &changes[i]; c.Delete {
			delete(d.entries, c.Key)
		} else {
			d.entries[c.Key] = store.Entry{Key: c.Key, Value: slices.Clone(c.Value), Revision: d.revision}
		}
	}
	for w := range d.watchers {
		if slices.ContainsFunc(changes, func(c store.Change) bool { return strings.HasPrefix(c.Key, w.prefix) }) {
			w.notify(d.revision)
		}
	}
	return d.revision, nil
}

// Watch calls changed at the start and after changes under the prefix, until ctx ends.
func (d *Driver) Watch(ctx context.Context, prefix string, changed func(store.Revision)) error {
	w := &watcher{prefix: prefix, wake: make(chan struct{}, 1)}
	d.mu.Lock()
	d.watchers[w] = struct{}{}
	w.notify(d.revision)
	d.mu.Unlock()
	defer func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.watchers, w)
	}()
	for {
		select {
		case <-ctx.Done():
			return fmt.Errorf("watch %s: %w", prefix, context.Cause(ctx))
		case <-w.wake:
			d.mu.RLock()
			r := w.pending
			d.mu.RUnlock()
			if ctx.Err() == nil { // both may be ready; an ended context goes before
				changed(r)
			}
		}
	}
}

// notify notes a revision; the caller holds the driver's mu.
func (w *watcher) notify(r store.Revision) {
	w.pending = r
	select {
	case w.wake <- struct{}{}:
	default: // a token is there already: the watcher will see this revision with it
	}
}

func clone(e store.Entry) store.Entry {
	e.Value = slices.Clone(e.Value)
	return e
}
