package listen

import (
	"runtime"
	"sync/atomic"
)

// crew is the goroutines that accept and serve. Whoever leads accepts connections, and serves one itself for as long as nobody has
// to be waited for: the request is there when its connection is accepted, as a rule, and a switch of goroutines for each would
// be a tenth of a handshake's time. Before it waits another one takes the lead (clientConn.yield). There is one leader
// while connections have to be waited for, and more while they queue.
//
// A few goroutines that are done wait for something else to do: their stacks have grown to what a handshake takes, and to
// copy a new one from two kilobytes to that, twice over and more, is an eighth of a handshake's time. Those that wait when
// trim is called end: an idle server is left with its leader, and a busy one has a few to make anew.
type crew struct {
	server  *Server
	tasks   chan task    // unbuffered; never closed. The zero task is to lead
	ended   chan error   // takes what accepting ended with; holds one
	leaders atomic.Int32 // one at least while connections are accepted
	waiting atomic.Int32
}

// maxWaiting bounds the goroutines that wait.
const maxWaiting = 32

func newCrew(s *Server) *crew {
	return &crew{server: s, tasks: make(chan task), ended: make(chan error, 1)}
}

// begin has the first leader lead.
func (w *crew) begin() {
	w.leaders.Store(1)
	w.run(task{})
}

// grow has one more lead, where there are fewer than processors.
func (w *crew) grow() {
	if n := w.leaders.Load(); n > 0 && int(n) < runtime.GOMAXPROCS(0) && w.leaders.CompareAndSwap(n, n+1) {
		w.run(task{})
	}
}

// alone tells whether nobody but the caller leads.
func (w *crew) alone() bool { return w.leaders.Load() < 2 }

// leave ends the caller's lead, if another one leads.
func (w *crew) leave() bool {
	for {
		n := w.leaders.Load()
		if n < 2 {
			return false
		}
		if w.leaders.CompareAndSwap(n, n-1) {
			return true
		}
	}
}

// succeed ends the caller's lead, and has another one lead.
func (w *crew) succeed() {
	if !w.leave() {
		w.run(task{})
	}
}

// end ends the caller's lead because accepting has ended.
func (w *crew) end(err error) {
	if !w.leave() {
		w.ended <- err
	}
}

// run begins a task and does not wait for it.
func (w *crew) run(t task) {
	select {
	case w.tasks <- t:
	default:
		go w.work(t)
	}
}

// trim ends the goroutines that wait.
func (w *crew) trim() {
	for range maxWaiting {
		select {
		case w.tasks <- task{over: true}:
		default:
			return
		}
	}
}

func (w *crew) work(t task) {
	for {
		switch {
		case t.over:
			return
		case t.client == nil:
			w.server.lead()
		default:
			t.run()
		}
		if w.waiting.Add(1) > maxWaiting {
			w.waiting.Add(-1)
			return
		}
		select {
		case t = <-w.tasks:
			w.waiting.Add(-1)
		case <-w.server.done:
			return
		}
	}
}
