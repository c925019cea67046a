package server

import (
	"context"
	"sync"
	"time"

	"cleat/internal/store"
)

// effect knows up to which revision of the store changes have taken effect. The zero value has seen none.
type effect struct {
	mu       sync.Mutex
	revision store.Revision
	moved    chan struct{} // closed when revision grows; nil while nobody waits
}

// reach notes that what the store holds at a revision is served.
func (e *effect) reach(r store.Revision) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if r <= e.revision {
		return
	}
	e.revision = r
	if e.moved != nil {
		close(e.moved)
		e.moved = nil
	}
}

// effectTimeout bounds the wait for a change to take effect. A change that cannot be served, which the log tells of, is
// acknowledged after it: it has been made all the same.
const effectTimeout = 2 * time.Second

// await waits until a revision is served, for as long as effectTimeout and ctx allow.
func (e *effect) await(ctx context.Context, r store.Revision) {
	timeout := time.NewTimer(effectTimeout)
	defer timeout.Stop()
	for {
		e.mu.Lock()
		if e.revision >= r {
			e.mu.Unlock()
			return
		}
		if e.moved == nil {
			e.moved = make(chan struct{})
		}
		moved := e.moved
		e.mu.Unlock()
		select {
		case <-moved:
		case <-timeout.C:
			return
		case <-ctx.Done():
			return
		}
	}
}
