package stacks

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"cleat/internal/store"
)

// UndoneError says that a change was committed, that the node could not serve it, and what became of it.
type UndoneError struct {
	Cause error
	// Undo is why the change could not be taken back; nil: the store holds what it held before.
	Undo error
}

func (e *UndoneError) Error() string {
	if e.Undo != nil {
		return fmt.Sprintf("the change was made, the node cannot serve it (%v), and it could not be taken back: %v", e.Cause, e.Undo)
	}
	return fmt.Sprintf("the node cannot serve the change, so it was taken back: %v", e.Cause)
}

func (e *UndoneError) Unwrap() []error { return []error{e.Cause, e.Undo} }

// undo takes a commit back.
type undo struct {
	batch  *store.Batch
	before values
}

// undoTime bounds the taking back of a commit, which goes on when whoever asked for the change is gone.
const undoTime = 30 * time.Second

// because takes the commit back, because of what Stack.Settle said, and has the node serve what was there before.
func (u *undo) because(ctx context.Context, in *store.Store, s Stack, cause error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTime)
	defer cancel()
	err := u.commit(ctx, in)
	if err == nil {
		err = s.Settle(ctx)
	}
	return &UndoneError{Cause: cause, Undo: err}
}

// commit writes what was there before, in one batch, unless somebody has changed any of it since.
func (u *undo) commit(ctx context.Context, in *store.Store) error {
	var b store.Batch
	for _, change := range u.batch.Changes() {
		key := store.Raw(change.Key)
		now, revision, err := store.Get(ctx, in, key)
		absent := errors.Is(err, store.ErrNotFound)
		switch {
		case err != nil && !absent:
			return err
		case absent != change.Delete, !absent && !bytes.Equal(now, change.Value):
			return fmt.Errorf("%s: %w", change.Key, store.ErrConflict)
		}
		expect := store.Absent()
		if !absent {
			expect = store.At(revision)
		}
		if old := u.before[change.Key]; old != nil {
			store.Put(&b, key, old, expect)
		} else if !absent {
			store.Delete(&b, key, expect)
		}
	}
	_, err := in.Commit(ctx, &b)
	return err
}
