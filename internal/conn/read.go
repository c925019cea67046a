package conn

import (
	"errors"
	"sync"

	"cleat/internal/frame"
)

// readers keeps frame readers between the connections that need one for longer than a call of feed.
var readers = sync.Pool{New: func() any { return new(frame.Reader) }}

// feed takes in bytes from the client. The slot's mutex is held. When the connection must not be read from for now it
// keeps the rest of b and sets flagPaused; the caller tells the transport. The connection may have ended when feed
// returns: its state is stateFree then. by is the event loop that the caller leads, nil for none.
func (h *Hub) feed(e entry, b []byte, now int64, by *loop) {
	s := e.s
	if len(b) == 0 {
		return
	}
	s.heard = now
	limits := h.limits.Load()
	bounds := frameLimits(limits, s.flags)
	var fresh frame.Reader
	r := &fresh
	if x := e.r.x; x != nil && x.reader != nil {
		r = x.reader
	}
	admitted := false // a message that has not come yet
	for len(b) > 0 && s.flags&flagDiscard == 0 {
		if s.state == stateOpen && !admitted {
			if admitted = h.admit(e, limits.InFlight); !admitted {
				x := e.extra()
				x.pending = append(x.pending, b...)
				break
			}
		}
		ev, n, err := r.Next(b, bounds)
		b = b[n:]
		switch {
		case err != nil:
			h.violated(e, err, now)
		case s.state == stateOpen && (ev.Kind == frame.Text || ev.Kind == frame.Binary):
			s.active = now
			h.dispatch(e, Message{Data: ev.Data, Binary: ev.Kind == frame.Binary, LargestFrame: ev.Largest}, by)
			admitted = false
		default:
			h.event(e, ev, r, now, by)
		}
		if s.state == stateFree {
			break
		}
	}
	if admitted {
		h.giveBack()
	}
	if s.state != stateFree {
		h.keepReader(e, r, &fresh)
	}
}

// keepReader keeps a reader that stands within a message and lets go of one that does not. fresh is the caller's own.
func (h *Hub) keepReader(e entry, r, fresh *frame.Reader) {
	keep := !r.Idle() && e.s.flags&flagDiscard == 0
	switch {
	case keep && r == fresh:
		kept, _ := readers.Get().(*frame.Reader)
		*kept = *fresh
		e.extra().reader = kept
	case !keep && r != fresh:
		h.dropReader(e)
		e.trim()
	}
}

func (h *Hub) dropReader(e entry) {
	if x := e.r.x; x != nil && x.reader != nil {
		*x.reader = frame.Reader{}
		readers.Put(x.reader)
		x.reader = nil
	}
}

// event acts on what is no message.
func (h *Hub) event(e entry, ev frame.Event, r *frame.Reader, now int64, by *loop) {
	s := e.s
	if s.state == stateClosing { // our own close frame is out; only the answer to it counts
		if ev.Kind == frame.Close {
			s.flags |= flagFinish | flagDiscard
			h.settle(e)
		}
		return
	}
	switch ev.Kind {
	case frame.Fragment:
		s.active = now
	case frame.Ping:
		h.controlSeen(e, now)
		h.pong(e, r.Control(), now)
	case frame.Pong:
		h.controlSeen(e, now)
	case frame.Close:
		h.echoClose(e, ev, now, by)
	default: // nothing complete yet
	}
}

// controlSeen counts a ping or pong as activity where the limits say so (open-questions 18).
func (h *Hub) controlSeen(e entry, now int64) {
	if h.limits.Load().ControlIsActivity {
		e.s.active = now
	}
}

// pong answers a ping, unless the client leaves so much unread that the write queue is full. RFC 6455 §5.5.3 lets pings
// go unanswered when newer ones have come.
func (h *Hub) pong(e entry, data []byte, now int64) {
	if e.s.flags&flagQueued != 0 && e.r.x.queue.size > h.limits.Load().WriteQueue {
		h.stats.pongsDropped.Add(1)
		return
	}
	var b [2 + frame.MaxControl]byte
	h.output(e, frame.AppendPong(b[:0], data), now)
}

// violated closes the connection for what the client sent.
func (h *Hub) violated(e entry, err error, now int64) {
	if e.s.state == stateClosing {
		e.s.flags |= flagDiscard
		return
	}
	var fe *frame.Error
	if !errors.As(err, &fe) {
		fe = &frame.Error{Code: frame.CodeProtocolError}
	}
	h.refuse(e, reasonFor(fe), now)
}

// readEnded is called when nothing more will come from the client: an end of file, or an error. Its mutex is held.
// by is the event loop that the caller leads, nil for none.
func (h *Hub) readEnded(e entry, by *loop) {
	if e.s.state == stateOpen {
		h.leave(e, reasonLost, by)
	}
	h.finish(e)
}
