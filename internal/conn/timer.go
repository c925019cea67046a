package conn

import (
	"context"
	"math"
	"sync"
	"time"

	"cleat/internal/frame"
)

// wheelTick is how precise timers are: none fires early, and none later than this, as long as the node keeps up. AWS
// itself ends idle connections up to five seconds late (open-questions 20).
const wheelTick = 250 * time.Millisecond

// wheelSize is how many ticks the wheel reaches ahead, about 17 minutes. What lies further away is looked at then, and
// put back.
const wheelSize = 4096

// wheelRest is the longest that the wheel stands still, in ticks: a minute, by which what lies far ahead is looked at earlier.
const wheelRest = 240

// wheel wakes connections up: one entry each, for the earliest time at which something may have to be done, in a ring of
// lists that is walked tick by tick. Activity does not move the entry; whoever is woken too early is put back. So the
// usual message costs nothing here, and a connection costs the links in its slot rather than a runtime timer. Over lists that are
// empty the wheel stands still: it wakes up for the next one that is not, and a node that idles is left in peace.
type wheel struct {
	hub    *Hub
	sooner chan struct{} // holds one word that until has become earlier; never closed

	mu    sync.Mutex
	last  int64             // the last tick that was walked
	until int64             // the tick up to which the wheel stands still
	heads [wheelSize]uint32 // slot number plus one of each list's first
	due   []turn            // of the tick being walked; walker's only
}

func (w *wheel) init(h *Hub) { w.hub, w.sooner = h, make(chan struct{}, 1) }

// run walks the wheel until ctx ends.
func (w *wheel) run(ctx context.Context) error {
	t := time.NewTimer(0)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		case <-w.sooner:
		}
		w.advance(w.hub.now())
		t.Reset(time.Duration(w.rest() - w.hub.now()))
	}
}

// rest looks ahead, and returns when the wheel has to be walked next.
func (w *wheel) rest() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.until = w.last + 1
	for w.until < w.last+wheelRest && w.heads[w.until%wheelSize] == 0 {
		w.until++
	}
	return w.until * int64(wheelTick)
}

// advance wakes everybody whose tick has come.
func (w *wheel) advance(now int64) {
	for to := now / int64(wheelTick); ; {
		w.mu.Lock()
		if w.last >= to {
			w.mu.Unlock()
			return
		}
		w.last++
		w.due = w.due[:0]
		head := &w.heads[w.last%wheelSize]
		for *head != 0 {
			e := w.hub.table.at(*head - 1)
			// The generation may be read without the slot's mutex: it changes only after remove.
			w.due = append(w.due, turn{e.n, e.s.generation})
			w.unlink(e)
		}
		w.mu.Unlock()
		for _, t := range w.due {
			e := w.hub.table.at(t.slot)
			e.s.mu.Lock()
			if e.s.generation == t.generation {
				w.hub.wake(e, now)
			}
			e.s.mu.Unlock()
		}
	}
}

// at makes sure that a connection is woken at the given time or soon after; an earlier time it already has stays. The
// slot's mutex is held, here and below.
func (w *wheel) at(e entry, when int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	tick := (when + int64(wheelTick) - 1) / int64(wheelTick)
	tick = min(max(tick, w.last+1), w.last+wheelSize-1)
	if e.s.wheelTick != 0 {
		if e.s.wheelTick <= tick {
			return
		}
		w.unlink(e)
	}
	head := &w.heads[tick%wheelSize]
	e.s.wheelTick, e.s.wheelNext, e.s.wheelPrev = tick, *head, 0
	if *head != 0 {
		w.hub.table.at(*head - 1).s.wheelPrev = e.n + 1
	}
	*head = e.n + 1
	if tick < w.until {
		w.until = tick
		select {
		case w.sooner <- struct{}{}:
		default: // it is told already
		}
	}
}

// soon has a connection woken at the next tick, or at once where the wheel stands still.
func (w *wheel) soon(e entry) { w.at(e, 0) }

// remove takes a connection off the wheel.
func (w *wheel) remove(e entry) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if e.s.wheelTick != 0 {
		w.unlink(e)
	}
}

// unlink takes a connection off its list. The wheel's mutex is held.
func (w *wheel) unlink(e entry) {
	s := e.s
	if s.wheelPrev == 0 {
		w.heads[s.wheelTick%wheelSize] = s.wheelNext
	} else {
		w.hub.table.at(s.wheelPrev - 1).s.wheelNext = s.wheelNext
	}
	if s.wheelNext != 0 {
		w.hub.table.at(s.wheelNext - 1).s.wheelPrev = s.wheelPrev
	}
	s.wheelTick, s.wheelNext, s.wheelPrev = 0, 0, 0
}

// wake does what is due for a connection, and has it woken again for what is next.
func (h *Hub) wake(e entry, now int64) {
	s, lim := e.s, h.limits.Load()
	past := func(from int64, d time.Duration) bool { return d > 0 && now >= from+int64(d) }
	switch {
	case s.state == stateFree || s.state == statePending:
		return
	case s.closeBy != 0 && now >= s.closeBy:
		if s.state == stateOpen { // writing had failed, and reading found no end
			h.leave(e, reasonLost, nil)
		}
		h.finish(e)
		return
	case s.flags&flagQueued != 0 && past(e.r.x.queue.since(), lim.WriteTimeout):
		if s.state == stateOpen {
			h.leave(e, reasonSlow, nil)
		}
		h.finish(e)
		return
	case s.state == stateClosing:
	case past(s.opened, lim.MaxDuration):
		h.closeWith(e, reasonMaxDuration, now)
	case past(s.active, lim.IdleTimeout):
		h.closeWith(e, reasonIdle, now)
	case past(s.heard, silentPings*lim.PingInterval):
		h.cut(e, reasonSilent)
	case past(max(s.heard, s.pinged), lim.PingInterval):
		s.pinged = now
		var b [2]byte
		h.output(e, frame.AppendPing(b[:0]), now)
	}
	if s.state != stateFree {
		h.schedule(e)
	}
}

// silentPings is after how many ping intervals without a byte from the client its connection is given up: the first one
// goes by before a ping, and two leave pings unanswered.
const silentPings = 3

// schedule has a connection woken at the earliest time at which wake may have something to do.
func (h *Hub) schedule(e entry) {
	s, lim := e.s, h.limits.Load()
	next := int64(math.MaxInt64)
	add := func(from int64, d time.Duration) {
		if d > 0 {
			next = min(next, from+int64(d))
		}
	}
	if s.closeBy != 0 {
		next = s.closeBy
	}
	if s.flags&flagQueued != 0 {
		add(e.r.x.queue.since(), lim.WriteTimeout)
	}
	if s.state == stateOpen {
		add(s.opened, lim.MaxDuration)
		add(s.active, lim.IdleTimeout)
		add(max(s.heard, s.pinged), lim.PingInterval)
		add(s.heard, silentPings*lim.PingInterval)
	}
	if next != math.MaxInt64 {
		h.wheel.at(e, next)
	}
}
