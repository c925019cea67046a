package eventlog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// Output takes lines in batches. Its methods are called from one goroutine.
type Output interface {
	// Write writes the lines of a batch, in their order; text holds them with a line break behind each, and times when
	// each happened. ctx bounds it. Lines of a batch that failed are lost.
	Write(ctx context.Context, text []byte, times []time.Time) error
	// Close lets go of what the output holds. Nothing is written after it.
	Close() error
}

const (
	maxQueued   = 4 << 20          // bytes that wait for an output
	writeTime   = 10 * time.Second // for one batch
	flushTime   = 3 * time.Second  // for the last ones, at the end
	complainGap = 10 * time.Second // between two words about lost lines
)

// queue hands lines to an output. Who adds one never waits: past maxQueued lines are dropped.
type queue struct {
	name    string
	out     Output
	log     *slog.Logger
	wake    chan struct{} // of one: something was added; never closed
	dropped atomic.Uint64

	mu    sync.Mutex
	text  []byte
	times []time.Time
}

func newQueue(name string, out Output, log *slog.Logger) *queue {
	return &queue{name: name, out: out, log: log, wake: make(chan struct{}, 1)}
}

// add queues the lines of one record: line has none, one, or several with line breaks between them.
func (q *queue) add(line []byte, at time.Time) {
	if len(line) == 0 {
		return
	}
	q.mu.Lock()
	full := len(q.text)+len(line)+1 > maxQueued
	if !full {
		for rest := line; ; {
			end := indexBreak(rest)
			q.text = append(append(q.text, rest[:end]...), '\n')
			q.times = append(q.times, at)
			if end == len(rest) {
				break
			}
			rest = rest[end+1:]
		}
	}
	q.mu.Unlock()
	if full {
		q.dropped.Add(1)
	}
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

func indexBreak(b []byte) int {
	for i, c := range b {
		if c == '\n' {
			return i
		}
	}
	return len(b)
}

// run writes what is added until ctx ends, then the rest.
func (q *queue) run(ctx context.Context) error {
	var text []byte
	var times []time.Time
	var said time.Time
	told := uint64(0)
	flush := func(ctx context.Context) {
		q.mu.Lock()
		text, q.text = q.text, text[:0]
		times, q.times = q.times, times[:0]
		q.mu.Unlock()
		var err error
		if len(text) > 0 {
			ctx, cancel := context.WithTimeout(ctx, writeTime)
			defer cancel()
			if err = q.out.Write(ctx, text, times); err != nil {
				q.dropped.Add(uint64(len(times)))
			}
		}
		if n := q.dropped.Load(); n > told && time.Since(said) > complainGap {
			q.log.Warn("lines of a log were lost", "log", q.name, "lines", n-told, "err", err)
			told, said = n, time.Now()
		}
	}
	for {
		select {
		case <-q.wake:
			flush(context.WithoutCancel(ctx))
			continue
		case <-ctx.Done():
		}
		break
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTime)
	defer cancel()
	flush(last)
	if err := q.out.Close(); err != nil {
		return fmt.Errorf("close the %s: %w", q.name, err)
	}
	if n := q.dropped.Load(); n > told {
		q.log.Warn("lines of a log were lost", "log", q.name, "lines", n-told, "err", errors.New("the log ended"))
	}
	return nil
}
