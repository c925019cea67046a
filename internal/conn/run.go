package conn

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
)

// Run moves bytes and keeps time until ctx ends. Then it ends every connection at once, those that Shutdown left and,
// without a Shutdown, all of them, waits for every call of Handler to return, and returns nil. It returns early, having
// done the same, with the error of an event loop that failed. Run may be called once.
func (h *Hub) Run(ctx context.Context) error {
	if h.run.Swap(true) {
		return errors.New("run hub: it ran already")
	}
	loops := []func(context.Context) error{h.wheel.run}
	if h.engine != nil {
		loops = append(loops, h.engine.loops()...)
	}
	inner, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	failed := make(chan error, len(loops)) // never closed
	for _, loop := range loops {
		wg.Go(func() {
			if err := loop(inner); err != nil {
				failed <- err
			}
		})
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	h.endAll()
	waited := h.work.wait(context.WithoutCancel(ctx)) // loops still run: a Handler may wait for what they do
	stop(nil)
	wg.Wait()
	if h.engine != nil {
		h.engine.close()
	}
	return errors.Join(err, waited)
}

// tracker counts what must end before its owner does, and waits for it. Unlike a sync.WaitGroup it may be waited for
// with a context, and added to while at zero.
type tracker struct {
	n atomic.Int64

	mu   sync.Mutex
	zero chan struct{} // closed when n gets to zero, by done; nil when nobody waits
}

func (t *tracker) add() { t.n.Add(1) }

func (t *tracker) done() {
	if t.n.Add(-1) > 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.zero != nil {
		close(t.zero)
		t.zero = nil
	}
}

func (t *tracker) wait(ctx context.Context) error {
	for {
		t.mu.Lock()
		if t.n.Load() == 0 {
			t.mu.Unlock()
			return nil
		}
		if t.zero == nil {
			t.zero = make(chan struct{})
		}
		zero := t.zero
		t.mu.Unlock()
		select {
		case <-zero:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
