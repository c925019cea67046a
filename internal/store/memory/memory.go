// Package memory keeps a store in this process's memory: for cleat dev and for tests. Nothing survives the process.
package memory

import (
	"context"
	"fmt"
	"sync"

	"cleat/internal/store"
)

// Driver is a store.Driver in memory. It starts no goroutine and needs no closing.
type Driver struct {
	store.Table
	committing sync.Mutex
}

var _ store.Driver = (*Driver)(nil)

// New returns an empty driver.
func New() *Driver { return &Driver{} }

// Commit makes all the changes or none.
func (d *Driver) Commit(ctx context.Context, changes []store.Change) (store.Revision, error) {
	if err := context.Cause(ctx); err != nil {
		return 0, fmt.Errorf("commit: %w", err)
	}
	if err := store.CheckChanges(changes); err != nil {
		return 0, fmt.Errorf("commit: %w", err)
	}
	d.committing.Lock()
	defer d.committing.Unlock()
	if err := d.Check(changes); err != nil {
		return 0, fmt.Errorf("commit: %w", err)
	}
	if len(changes) == 0 {
		return d.Revision(), nil
	}
	r := d.Revision() + 1
	entries, deleted := store.Split(r, changes)
	d.Apply(r, entries, deleted)
	return r, nil
}
