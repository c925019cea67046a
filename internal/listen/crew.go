package listen

import "sync/atomic"

// crew runs tasks, each on a goroutine of its own. A few goroutines that are done wait for another task: their stacks have
// grown to what a handshake takes, and to copy a new one from two kilobytes to that, twice over and more, is an eighth
// of a handshake's time. The garbage collector shrinks the stacks of those that wait for long.
type crew struct {
	tasks   chan task       // unbuffered; never closed
	done    <-chan struct{} // the server ends
	waiting atomic.Int32
}

// maxWaiting bounds the goroutines that wait.
const maxWaiting = 32

func newCrew(done <-chan struct{}) *crew { return &crew{tasks: make(chan task), done: done} }

// run begins a task and does not wait for it.
func (w *crew) run(t task) {
	select {
	case w.tasks <- t:
	default:
		go w.work(t)
	}
}

func (w *crew) work(t task) {
	for {
		t.run()
		if w.waiting.Add(1) > maxWaiting {
			w.waiting.Add(-1)
			return
		}
		select {
		case t = <-w.tasks:
			w.waiting.Add(-1)
		case <-w.done:
			return
		}
	}
}
