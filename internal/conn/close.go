package conn

import (
	"context"
	"runtime/debug"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/frame"
)

// How a connection ends, by who begins:
//
//	client's close frame  leave, echo it, close the socket
//	client's violation    leave, close frame, end our direction, throw away what comes, close at its end of file
//	Disconnect and timers leave, close frame, wait for the client's, close the socket
//	lost, write time-out  leave, close the socket
//
// Wherever the peer is waited for, closeBy bounds it. leave takes the connection out of the table and lets the Handler
// know; finish ends the socket and frees the slot. The slot's mutex is held in all of them.

// Disconnect closes an open connection: it sends a close frame with the reason's code and text, waits up to
// Limits.CloseTimeout for the client's, and closes the socket, all of it in the background. The ID is gone when
// Disconnect returns, and Closed is called with r whatever the client answers. A code that must not be sent makes a
// close frame without one. Errors: ErrGone, ErrPending.
func (h *Hub) Disconnect(id apigw.ConnectionID, r CloseReason) error {
	e, err := h.locate(id)
	if err != nil {
		return err
	}
	defer e.s.mu.Unlock()
	h.closeWith(e, r, h.now())
	return nil
}

// leave takes an open connection out of the table for a reason, of which the Handler is told: as of a message, see dispatch.
func (h *Hub) leave(e entry, r CloseReason, by *loop) {
	e.s.state = stateClosing
	h.stats.open.Add(-1)
	h.stats.closing.Add(1)
	h.departed.add(e.n, e.s.key, r.Code, h.now())
	h.work.add()
	j := h.jobs.get()
	j.id, j.attachment, j.ended, j.reason = e.r.id, e.r.attachment, true, r
	e.r.attachment = nil
	if x := e.r.x; x != nil {
		x.pending = nil
	}
	h.start(j, by)
}

func (h *Hub) panicked(id apigw.ConnectionID, v any) {
	h.stats.panics.Add(1)
	h.log.Error("handler panicked", "connection_id", string(id), "panic", v, "stack", string(debug.Stack()))
}

// closeWith closes an open connection in good order, and is done with it for the caller.
func (h *Hub) closeWith(e entry, r CloseReason, now int64) {
	h.leave(e, r, nil)
	h.await(e, now)
	h.sendClose(e, r.Code, r.Text, now)
	h.unpause(e)
}

// refuse closes an open connection whose client sent what it must not. Its bytes make no sense any more, so its own
// close frame is not looked for: it finds the end of our direction behind our close frame, and ends its own. Closing the
// socket at once, with bytes unread, would make the kernel throw our close frame away.
func (h *Hub) refuse(e entry, r CloseReason, now int64) {
	h.leave(e, r, nil)
	h.await(e, now)
	e.s.flags |= flagDiscard | flagHalfClose
	h.sendClose(e, r.Code, r.Text, now)
	h.unpause(e)
	h.settle(e)
}

// echoClose answers the client's close frame (RFC 6455 §5.5.1) and closes the socket once the answer is written.
// by is the event loop that the caller leads, nil for none.
func (h *Hub) echoClose(e entry, ev frame.Event, now int64, by *loop) {
	h.leave(e, reasonOf(ev), by)
	h.await(e, now)
	e.s.flags |= flagDiscard | flagFinish
	h.sendClose(e, ev.Code, ev.Reason, now)
	h.settle(e)
}

// cut ends an open connection without a word.
func (h *Hub) cut(e entry, r CloseReason) {
	h.leave(e, r, nil)
	h.finish(e)
}

// await bounds the rest of a closing connection's life.
func (h *Hub) await(e entry, now int64) {
	e.s.closeBy = now + int64(h.limits.Load().CloseTimeout)
	h.schedule(e)
}

func (h *Hub) sendClose(e entry, code int, text string, now int64) {
	var b [2 + frame.MaxControl]byte
	h.output(e, frame.AppendClose(b[:0], code, text), now)
}

// unpause goes on reading from a closing connection, for its close frame or its end.
func (h *Hub) unpause(e entry) {
	if e.s.flags&flagPaused == 0 {
		return
	}
	e.s.flags &^= flagPaused | flagWaiting
	h.transports[e.s.transport].resume(e)
}

// finish ends the socket and frees the slot.
func (h *Hub) finish(e entry) {
	if e.s.state == stateFree {
		return
	}
	h.wheel.remove(e)
	e.s.state = stateFree // before close: TLS says goodbye through raw, whose failure must not end up here again
	e.s.flags |= flagNoWrite
	h.transports[e.s.transport].close(e)
	h.dropReader(e)
	h.stats.closing.Add(-1)
	h.release(e)
}

// Shutdown ends all connections in good order, Options.CloseRate of them a second: Reserve fails from now on, those
// still pending are closed as soon as they are opened. It returns nil once every connection has ended and every call of
// Handler has returned, or ctx's error when ctx ends first; what is left then goes on ending. Run goes on too, until its
// own context ends.
func (h *Hub) Shutdown(ctx context.Context, r CloseReason) error {
	h.ending.CompareAndSwap(nil, &r)
	const batches = 100 // in a second, of a rate that allows it
	rate := h.closeRate.Load()
	batch := max(1, rate/batches)
	tick := time.NewTicker(time.Duration(batch) * time.Second / time.Duration(rate))
	defer tick.Stop()
	for n, closed := uint32(0), int64(0); n < h.table.size(); n++ {
		if e := h.table.at(n); h.closeSlot(e, r) {
			closed++
		}
		if closed == batch {
			closed = 0
			select {
			case <-tick.C:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
	}
	return h.work.wait(ctx)
}

// closeSlot closes a slot's connection if it is open.
func (h *Hub) closeSlot(e entry, r CloseReason) bool {
	e.s.mu.Lock()
	defer e.s.mu.Unlock()
	if e.s.state != stateOpen {
		return false
	}
	h.closeWith(e, r, h.now())
	return true
}

// endAll ends everything at once: the last act of Run. Clients that can take a close frame at once get one.
func (h *Hub) endAll() {
	h.ending.CompareAndSwap(nil, &reasonEnded)
	r := *h.ending.Load()
	for n := range h.table.size() {
		e := h.table.at(n)
		e.s.mu.Lock()
		if e.s.state == statePending {
			h.stats.pending.Add(-1)
			h.release(e)
		}
		if e.s.state == stateOpen {
			h.leave(e, r, nil)
			h.sendClose(e, r.Code, r.Text, h.now())
		}
		if e.s.state == stateClosing {
			h.finish(e)
		}
		e.s.mu.Unlock()
	}
}
