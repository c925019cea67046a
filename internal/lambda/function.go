package lambda

import (
	"container/list"
	"context"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"cleat/internal/apigw"
)

// function is one function and its workers.
type function struct {
	pool *Pool
	name string

	planning sync.Mutex // held while a plan is made; taken before mu

	mu         sync.Mutex
	def        apigw.Function
	generation int  // grows whenever the definition or the code changes; workers of an older one are retired
	gone       bool // not in the pool any more
	plan       *plan
	idle       []*worker // ready for an event; the one used last is at the end
	count      int       // workers that are starting, live or ending
	settling   int       // workers that have answered and have not asked for the next event yet
	waiters    list.List // of *waiter, oldest first
	waiting    int       // bytes of payload that the waiters hold
	bundles    []string  // files, oldest first
}

// waiter waits for a worker. It gets one message: a worker, or nil when there may be room to start one.
type waiter struct {
	turn chan *worker
	size int           // bytes of its payload
	at   *list.Element // nil when it is not among the waiters any more; guarded by the function's mu
}

func (f *function) definition() apigw.Function {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.def
}

func (f *function) redefine(def apigw.Function) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.generation > 0 && reflect.DeepEqual(f.def, def) {
		return
	}
	f.def = def
	f.retire()
	for range min(f.waiters.Len(), f.limit()-f.count) { // there may be room that there was not
		f.wake()
	}
}

func (f *function) remove() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.gone = true
	f.retire()
	for f.waiters.Len() > 0 {
		f.next(nil)
	}
}

// retire starts a new generation. f.mu is held.
func (f *function) retire() {
	f.generation++
	f.plan = nil
	for _, w := range f.idle {
		w.kill(causeRetired)
	}
	f.idle = nil
}

func (f *function) refresh(changed []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if changed == nil || slices.ContainsFunc(changed, f.contains) {
		f.retire()
	}
}

// contains tells whether a file belongs to the function's code. f.mu is held.
func (f *function) contains(path string) bool {
	if f.plan != nil && slices.Contains(f.plan.inputs, path) {
		return true
	}
	rel, err := filepath.Rel(f.def.CodeDir, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

func (f *function) endIdle(before time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.idle = slices.DeleteFunc(f.idle, func(w *worker) bool {
		if w.idleSince.After(before) {
			return false
		}
		w.kill(causeIdle)
		return true
	})
}

// limit is how many workers the function may have. f.mu is held.
func (f *function) limit() int {
	switch {
	case f.def.Concurrency == apigw.NoConcurrency:
		return 0
	case f.def.Concurrency > 0:
		return f.def.Concurrency
	}
	return f.pool.o.MaxWorkers
}

// acquire returns a worker for one invocation with a payload of size bytes: an idle one, or else (fresh) one that has
// just been started. With all workers busy it waits as long as ctx lasts; where the function reserves its own
// concurrency it fails at once, as AWS does, unless patient.
func (f *function) acquire(ctx context.Context, size int, patient bool) (w *worker, fresh bool, err error) {
	settled := false // waited long enough for a worker that was about to be ready
	for {
		f.mu.Lock()
		if f.gone {
			f.mu.Unlock()
			return nil, false, notFound(f.definition().ARN)
		}
		if n := len(f.idle); n > 0 {
			w, f.idle = f.idle[n-1], f.idle[:n-1]
			f.mu.Unlock()
			return w, false, nil
		}
		full := f.count >= f.limit()
		if !full && (settled || f.settling <= f.waiters.Len()) {
			f.count++
			def, generation, pl := f.def, f.generation, f.plan
			f.mu.Unlock()
			w, err = f.start(def, generation, pl)
			return w, true, err
		}
		if full && (f.def.Concurrency != 0 && !patient && f.settling <= f.waiters.Len() || f.waiters.Len() >= maxWaiting || f.waiting+size > f.pool.queue) {
			f.mu.Unlock()
			return nil, false, &apigw.Error{Kind: apigw.KindFunctionConcurrency, Err: fmt.Errorf("all workers of function %s are busy", f.name)}
		}
		turn := &waiter{turn: make(chan *worker, 1), size: size}
		turn.at = f.waiters.PushBack(turn)
		f.waiting += size
		f.mu.Unlock()

		if w, err = f.await(ctx, turn, full); w != nil || err != nil {
			return w, false, err
		}
		settled = true
	}
}

// await waits for a waiter's turn. Unless full is set it gives up after settleGrace, with neither worker nor error.
func (f *function) await(ctx context.Context, turn *waiter, full bool) (*worker, error) {
	var grace <-chan time.Time
	if !full {
		t := time.NewTimer(settleGrace)
		defer t.Stop()
		grace = t.C
	}
	var err error
	select {
	case w := <-turn.turn:
		return w, nil
	case <-grace:
	case <-ctx.Done():
		err = fmt.Errorf("wait for a worker of function %s: %w", f.name, context.Cause(ctx))
	case <-f.pool.stop:
		err = errStopped
	}
	f.mu.Lock()
	waits := turn.at != nil
	if waits {
		f.leave(turn)
	}
	f.mu.Unlock()
	if waits {
		return nil, err
	}
	// The turn came at the same moment.
	w := <-turn.turn
	if err == nil {
		return w, nil
	}
	if w != nil {
		f.release(w)
	} else {
		f.mu.Lock()
		f.wake()
		f.mu.Unlock()
	}
	return nil, err
}

// wake tells the first waiter that there may be room for another worker. f.mu is held.
func (f *function) wake() {
	if f.waiters.Len() > 0 {
		f.next(nil)
	}
}

// next gives the first waiter its turn, with w. There must be one. f.mu is held.
func (f *function) next(w *worker) {
	first, ok := f.waiters.Front().Value.(*waiter)
	if !ok {
		return // nothing else is put in
	}
	f.leave(first)
	first.turn <- w
}

// leave takes a waiter out. f.mu is held.
func (f *function) leave(turn *waiter) {
	f.waiters.Remove(turn.at)
	turn.at = nil
	f.waiting -= turn.size
}

// settle notes that a worker has answered but is not ready yet; settled takes that back.
func (f *function) settle() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.settling++
}

func (f *function) settled() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.settling--
}

// release takes a worker back that is ready for its next event.
func (f *function) release(w *worker) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case w.dead:
	case f.gone || w.generation != f.generation:
		w.kill(causeRetired)
	case f.waiters.Len() > 0:
		f.next(w)
	default:
		w.idleSince = time.Now()
		f.idle = append(f.idle, w)
	}
}

// ended notes that a worker's process has ended, or never came to be (nil).
func (f *function) ended(w *worker) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.count--
	if w != nil {
		w.dead = true
		if i := slices.Index(f.idle, w); i >= 0 {
			f.idle = slices.Delete(f.idle, i, i+1)
		}
	}
	f.wake()
}
