package conn

import (
	"sync"
	"sync/atomic"
	"time"

	"cleat/internal/apigw"
)

// admit reports whether one more message of a connection may be handled, and counts it, which is for dispatch to use or
// for giveBack to undo. Otherwise it sets flagPaused and sees to it that reading goes on later. The slot's mutex is held.
func (h *Hub) admit(e entry, most int) bool {
	s := e.s
	if int(s.inFlight) >= most {
		h.pause(e)
		return false
	}
	if h.flight.acquire() {
		return true
	}
	h.pause(e)
	if s.flags&flagWaiting == 0 {
		s.flags |= flagWaiting
		h.flight.enqueue(turn{e.n, s.generation})
		h.nextTurnsLater() // the last message may have been done just before we stood in line
	}
	return false
}

// giveBack undoes an admit that no message came of.
func (h *Hub) giveBack() {
	h.flight.n.Add(-1)
	h.nextTurnsLater()
}

// nextTurnsLater is nextTurns for those who hold a slot's mutex.
func (h *Hub) nextTurnsLater() {
	if h.flight.waiting.Load() == 0 || h.flight.full() {
		return
	}
	h.work.add()
	go func() {
		defer h.work.done()
		h.nextTurns()
	}()
}

func (h *Hub) pause(e entry) {
	if e.s.flags&flagPaused == 0 {
		e.s.flags |= flagPaused
		h.stats.pauses.Add(1)
	}
}

// unstall goes on with a paused connection: first with the bytes that were kept, then, if those do not pause it again,
// with the transport. The slot's mutex is held.
func (h *Hub) unstall(e entry) {
	s := e.s
	if s.state != stateOpen || s.flags&flagPaused == 0 {
		return
	}
	s.flags &^= flagPaused | flagWaiting
	var kept []byte
	if x := e.r.x; x != nil {
		kept, x.pending = x.pending, nil
		e.trim()
	}
	h.feed(e, kept, h.now(), nil)
	if s.state != stateFree && s.flags&flagPaused == 0 {
		h.transports[s.transport].resume(e)
	}
}

// dispatch hands an admitted message to the Handler: on the goroutine that leads a loop, if that is who asks, once it has
// let go of the slot's mutex; otherwise on one of its own. The slot's mutex is held.
func (h *Hub) dispatch(e entry, m Message, by *loop) {
	e.s.inFlight++
	h.stats.messagesIn.Add(1)
	h.stats.bytesIn.Add(uint64(len(m.Data)))
	h.work.add()
	j := h.jobs.get()
	j.e, j.generation, j.id, j.attachment, j.message = e, e.s.generation, e.r.id, e.r.attachment, m
	h.start(j, by)
}

// start has a job done: see dispatch.
func (h *Hub) start(j *job, by *loop) {
	if by != nil {
		by.jobs = append(by.jobs, j)
		return
	}
	go j.run()
}

// loop is what the goroutine that leads an event loop hands on to the next one.
type loop struct {
	crew  crew
	jobs  []*job // for messages that were read, and for connections that ended
	next  int    // of jobs, the first one that is still to be handled
	waits waiter // nil: who leads waits for nothing but the loop
}

// waiter has the goroutine that leads a loop wait for a descriptor and for the loop at once.
type waiter interface {
	// idle reports whether the loop has no events left to act on.
	idle() bool
	// await is Message.Await, but that it does not yield.
	await(fd int, until time.Time) bool
}

// quietFlight is how many messages the node may have in hand, and be quiet.
const quietFlight = 2

// quiet reports whether nothing is to be done but the job at hand, as far as can be seen.
func (l *loop) quiet(f *flight) bool {
	return l.waits != nil && l.next == len(l.jobs) && f.n.Load() <= quietFlight && l.waits.idle()
}

// handle has the Handler handle what was read, in the order in which it came. It reports whether the
// caller still leads the loop: if not, another goroutine does, and goes on with the next message.
func (l *loop) handle() (leads bool) {
	for l.next < len(l.jobs) {
		j := l.jobs[l.next]
		l.jobs[l.next] = nil
		if l.next++; l.next == len(l.jobs) {
			l.jobs, l.next = l.jobs[:0], 0
		}
		j.leads = l
		if !j.work() {
			return false
		}
	}
	return true
}

// job is one call of Handler.Message, or of Handler.Closed. Jobs are used again, and run, yield and await are their only closures, so that a message
// costs no allocation here.
type job struct {
	hub        *Hub
	run, yield func()
	await      func(fd int, until time.Time) bool
	leads      *loop // what the calling goroutine leads; nil: nothing, or no longer
	e          entry
	generation uint32
	id         apigw.ConnectionID
	attachment any
	message    Message
	ended      bool        // the call is of Closed,
	reason     CloseReason // with this
}

type jobPool struct{ pool sync.Pool }

func (p *jobPool) init(h *Hub) {
	p.pool.New = func() any {
		j := &job{hub: h}
		j.run, j.yield, j.await = func() { j.work() }, j.handOver, j.awaitOrHandOver
		return j
	}
}

func (p *jobPool) get() *job {
	j, _ := p.pool.Get().(*job)
	return j
}

// work calls the Handler. It reports whether the caller still leads the loop that it led.
func (j *job) work() (leads bool) {
	returned := false
	defer func() { leads = j.done(recover(), returned) }()
	if j.hub.yields {
		j.message.Yield = j.yield
		if j.leads != nil && j.leads.quiet(&j.hub.flight) {
			j.message.Await = j.await
		}
	} else {
		j.handOver()
	}
	if j.ended {
		j.hub.handler.Closed(j.id, j.attachment, j.reason, j.yield)
	} else {
		j.hub.handler.Message(j.id, j.attachment, j.message)
	}
	returned = true
	return false // done says
}

// handOver has another goroutine lead the loop.
func (j *job) handOver() {
	if l := j.leads; l != nil {
		j.leads = nil
		l.crew.promote()
	}
}

// awaitOrHandOver is Message.Await.
func (j *job) awaitOrHandOver(fd int, until time.Time) bool {
	if j.leads != nil && j.leads.waits.await(fd, until) {
		return true
	}
	j.handOver()
	return false
}

// done ends a job, also when the Handler panicked with v, or ended its goroutine.
func (j *job) done(v any, returned bool) (leads bool) {
	h, e, generation, ended := j.hub, j.e, j.generation, j.ended
	switch {
	case v != nil:
		h.panicked(j.id, v)
	case !returned:
		j.handOver()
	}
	leads = j.leads != nil
	j.leads, j.e, j.id, j.attachment, j.message, j.ended, j.reason = nil, entry{}, "", nil, Message{}, false, CloseReason{}
	h.jobs.pool.Put(j)
	defer h.work.done()
	if ended {
		return leads
	}
	h.flight.n.Add(-1)
	h.nextTurns() // before this connection's own turn: who waits comes first
	e.s.mu.Lock()
	defer e.s.mu.Unlock()
	if e.s.generation != generation {
		return leads
	}
	e.s.inFlight--
	switch {
	case e.s.state != stateOpen:
	case v != nil:
		h.closeWith(e, reasonPanic, h.now())
	case e.s.flags&flagPaused != 0 && e.s.flags&flagWaiting == 0:
		h.unstall(e)
	}
	return leads
}

// nextTurns lets those that wait for the node-wide bound go on as far as there is room. No slot's mutex is held.
func (h *Hub) nextTurns() {
	for h.flight.waiting.Load() > 0 && !h.flight.full() {
		t, ok := h.flight.next()
		if !ok {
			return
		}
		e := h.table.at(t.slot)
		e.s.mu.Lock()
		if e.s.generation == t.generation && e.s.flags&flagWaiting != 0 {
			h.unstall(e)
		}
		e.s.mu.Unlock()
	}
}

// flight counts the messages being handled on this node, and knows who waits for there to be fewer.
type flight struct {
	most    int64
	n       atomic.Int64
	waiting atomic.Int64 // len(line)

	mu   sync.Mutex
	line []turn
}

// turn is a connection's place in line. It may have ended meanwhile.
type turn struct{ slot, generation uint32 }

func (f *flight) acquire() bool {
	for {
		n := f.n.Load()
		if n >= f.most {
			return false
		}
		if f.n.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

func (f *flight) full() bool { return f.n.Load() >= f.most }

func (f *flight) enqueue(t turn) {
	f.mu.Lock()
	f.line = append(f.line, t)
	f.mu.Unlock()
	f.waiting.Add(1)
}

func (f *flight) next() (turn, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.line) == 0 {
		return turn{}, false
	}
	t := f.line[0]
	if f.line = f.line[1:]; len(f.line) == 0 {
		f.line = nil
	}
	f.waiting.Add(-1)
	return t, true
}
