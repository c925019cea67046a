package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"cleat/internal/apigw"
)

// Store is the typed layer over a Driver. It is safe for concurrent use and needs no closing: who made the driver
// closes it.
type Store struct {
	driver  Driver
	decoded memos
	fresh   fresh
}

// New returns the typed layer over a driver.
func New(d Driver) *Store { return &Store{driver: d} }

// Get returns a value and its revision. It fails with ErrNotFound.
func Get[T any](ctx context.Context, s *Store, key Key[T]) (T, Revision, error) {
	var v T
	e, err := s.driver.Get(ctx, key.path)
	if err != nil {
		return v, 0, err
	}
	err = decode(e, &v)
	return v, e.Revision, err
}

// List returns the members of a collection, ordered by ID.
func List[T any](ctx context.Context, s *Store, c Collection[T]) ([]T, error) {
	entries, _, err := s.driver.Members(ctx, c.prefix)
	if err != nil {
		return nil, err
	}
	var all []T
	for _, e := range entries {
		if err := appendDecoded(e, &all); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// Batch collects changes that are made together. The zero Batch is empty and ready. It is not safe for concurrent use.
type Batch struct {
	changes []Change
	made    map[string]*apigw.Definition // what of it was frozen, by key
	err     error
}

// Put adds the writing of a value.
func Put[T any](b *Batch, key Key[T], v T, expect Expect) {
	value, err := json.Marshal(v)
	if err != nil {
		b.err = errors.Join(b.err, fmt.Errorf("write %s to the store: %w", key.path, err))
		return
	}
	b.changes = append(b.changes, Change{Key: key.path, Value: value, Expect: expect})
}

// Delete adds the deletion of a value. Deleting an absent one is no error.
func Delete[T any](b *Batch, key Key[T], expect Expect) {
	b.changes = append(b.changes, Change{Key: key.path, Delete: true, Expect: expect})
}

// Raw is the key of a value that is read and written as the driver has it, for keys kept as text, such as those in a Stack.
func Raw(key string) Key[json.RawMessage] { return Key[json.RawMessage]{key} }

// DeleteKey is Delete for a key kept as text, such as those in a Stack.
func (b *Batch) DeleteKey(key string) {
	b.changes = append(b.changes, Change{Key: key, Delete: true})
}

// Len is the number of changes.
func (b *Batch) Len() int { return len(b.changes) }

// Changes are the changes in the order in which they were added, with their values as JSON. They must not be changed.
func (b *Batch) Changes() []Change { return b.changes }

// Commit makes all changes of a batch or none. It fails with ErrConflict or ErrInvalid. The batch may be committed
// again after a failure.
func (s *Store) Commit(ctx context.Context, b *Batch) (Revision, error) {
	if b.err != nil {
		return 0, b.err
	}
	changes := slices.Clone(b.changes)
	for i := range changes {
		var err error
		if changes[i].Value, err = pack(changes[i].Value); err != nil {
			return 0, fmt.Errorf("write %s to the store: %w", changes[i].Key, err)
		}
		if d := b.made[changes[i].Key]; d != nil {
			s.fresh.offer(freshDefinition{changes[i].Key, changes[i].Value, d})
		}
	}
	r, err := s.driver.Commit(ctx, changes)
	if err != nil {
		for key := range b.made {
			s.fresh.drop(key)
		}
	}
	return r, err
}

// Entries returns everything in the store, as it was at the revision that it returns, ordered by key.
func (s *Store) Entries(ctx context.Context) ([]Entry, Revision, error) {
	return s.driver.List(ctx, "")
}

// Watch calls changed once at the start and then after every change of the store; one call may stand for many changes.
// It blocks until ctx ends, whose cause it returns wrapped, and calls changed from its own goroutine only: a caller that
// reads the store in changed misses nothing.
func (s *Store) Watch(ctx context.Context, changed func()) error {
	return s.driver.Watch(ctx, "", func(Revision) { changed() })
}

// Functions returns all local functions, ordered by name.
func (s *Store) Functions(ctx context.Context) ([]apigw.Function, error) {
	return List(ctx, s, Functions())
}
