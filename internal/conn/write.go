package conn

import (
	"sync"

	"cleat/internal/apigw"
	"cleat/internal/frame"
)

// maxFragment is the longest frame that is sent to a client (spec data-plane §3.2).
const maxFragment = apigw.QuotaFrameSize

// Send sends one text message to an open connection. It returns once the message is written or queued, and never
// waits for the client. Messages of one caller, one after the other, arrive in that order. The payload must be UTF-8,
// which is not checked; it is not kept. Errors: ErrGone, ErrPending, ErrTooLarge, ErrBufferFull. A nil error means
// accepted, not read (spec management-api §3.1).
func (h *Hub) Send(id apigw.ConnectionID, payload []byte) error {
	return h.send(id, frame.OpText, payload)
}

// SendBinary is Send for a binary message, which AWS has none of.
func (h *Hub) SendBinary(id apigw.ConnectionID, payload []byte) error {
	return h.send(id, frame.OpBinary, payload)
}

// scratch holds framed messages, and then TLS records, on their way to the socket. Buffers that grew over maxScratch are
// not kept.
var scratch = sync.Pool{New: func() any { return new([]byte) }}

const maxScratch = 256 << 10

func keepScratch(b *[]byte) {
	if cap(*b) <= maxScratch {
		scratch.Put(b)
	}
}

func (h *Hub) send(id apigw.ConnectionID, op frame.Opcode, payload []byte) error {
	lim := h.limits.Load()
	if len(payload) > lim.MessageSize {
		return ErrTooLarge
	}
	window, err := h.windowFor(id, payload)
	if err != nil {
		return err
	}
	buf, _ := scratch.Get().(*[]byte)
	if window != 0 {
		*buf = frame.AppendDeflated((*buf)[:0], op, payload, maxFragment, window)
	} else {
		*buf = frame.AppendMessage((*buf)[:0], op, payload, maxFragment)
	}
	defer keepScratch(buf)
	e, err := h.locate(id)
	if err != nil {
		return err
	}
	defer e.s.mu.Unlock()
	if x := e.r.x; x != nil && x.queue.size > 0 && x.queue.size+len(*buf) > lim.WriteQueue {
		h.stats.bufferFull.Add(1)
		return ErrBufferFull
	}
	now := h.now()
	e.s.active = now
	h.output(e, *buf, now)
	if e.s.flags&flagNoWrite != 0 {
		return ErrGone
	}
	h.stats.messagesOut.Add(1)
	h.stats.bytesOut.Add(uint64(len(payload)))
	return nil
}

// deflateFrom is the payload from which on a message is worth compressing: the packet of a shorter one is mostly headers,
// and the 4 µs are the same (docs/decisions/0006-deflate.md).
const deflateFrom = 256

// windowFor returns the window to compress a message with, zero for not at all. Compressing takes far longer than a
// slot's mutex may be held, so the connection is looked up once for this and once for sending.
func (h *Hub) windowFor(id apigw.ConnectionID, payload []byte) (int, error) {
	if len(payload) < deflateFrom || !h.deflates.Load() {
		return 0, nil
	}
	e, err := h.locate(id)
	if err != nil {
		return 0, err
	}
	defer e.s.mu.Unlock()
	return e.s.flags.window(), nil
}

// output sends whole frames, behind those already queued. The slot's mutex is held, here and below. When writing fails,
// flagNoWrite is set.
func (h *Hub) output(e entry, p []byte, now int64) {
	if e.s.flags&flagNoWrite != 0 {
		return
	}
	if x := e.r.x; x != nil && x.tls != nil {
		sealed, _ := scratch.Get().(*[]byte)
		*sealed = (*sealed)[:0]
		if err := x.tls.seal(sealed, p); err != nil {
			h.writeFailed(e, now)
		} else {
			h.raw(e, *sealed, now)
		}
		keepScratch(sealed)
		return
	}
	h.raw(e, p, now)
}

// raw sends bytes as they go over the wire.
func (h *Hub) raw(e entry, p []byte, now int64) {
	if e.s.flags&flagNoWrite != 0 {
		return
	}
	t := h.transports[e.s.transport]
	if e.s.flags&flagQueued == 0 {
		n, err := t.write(e, p)
		if err != nil {
			h.writeFailed(e, now)
			return
		}
		if p = p[n:]; len(p) == 0 {
			return
		}
	}
	e.extra().queue.add(p, now)
	if e.s.flags&flagQueued == 0 {
		e.s.flags |= flagQueued
		t.update(e)
		h.schedule(e)
	}
}

// flush writes what is queued as far as the system takes it.
func (h *Hub) flush(e entry, now int64) {
	if e.s.flags&flagQueued == 0 {
		return
	}
	t := h.transports[e.s.transport]
	for q := &e.r.x.queue; q.size > 0; {
		head := q.head()
		n, err := t.write(e, head)
		if err != nil {
			h.writeFailed(e, now)
			return
		}
		q.take(n)
		if n < len(head) {
			return
		}
	}
	h.flushed(e)
}

// flushed is called when the queue has become empty.
func (h *Hub) flushed(e entry) {
	e.s.flags &^= flagQueued
	e.trim()
	h.transports[e.s.transport].update(e)
	h.settle(e)
}

// settle does what waits for an empty queue.
func (h *Hub) settle(e entry) {
	switch f := e.s.flags; {
	case e.s.state == stateFree || f&flagQueued != 0:
	case f&flagFinish != 0:
		h.finish(e)
	case f&flagHalfClose != 0:
		e.s.flags &^= flagHalfClose
		h.transports[e.s.transport].closeWrite(e)
	}
}

// writeFailed notes that nothing can be sent any more. What the client sent before is still read, until its end is
// found there or CloseTimeout is over. It never ends the connection itself, so that output may be called from anywhere:
// even from within crypto/tls, with its locks held.
func (h *Hub) writeFailed(e entry, now int64) {
	if e.s.state == stateClosing {
		h.doom(e, now)
		return
	}
	h.doom(e, now+int64(h.limits.Load().CloseTimeout))
}

// doom stops writing and has the connection ended at a time, by the wheel.
func (h *Hub) doom(e entry, when int64) {
	if e.s.state == stateFree {
		return
	}
	e.s.flags |= flagNoWrite
	e.s.closeBy = when
	h.wheel.at(e, when)
	if e.s.flags&flagQueued == 0 {
		return
	}
	e.s.flags &^= flagQueued
	e.r.x.queue = writeQueue{}
	h.transports[e.s.transport].update(e)
}

// writeQueue holds the bytes that a client was not fast enough for, oldest first. Small pieces are put together, so
// that its memory is what its size says, give or take one piece.
type writeQueue struct {
	pieces []piece
	size   int // bytes in all pieces
}

type piece struct {
	data []byte // not yet written
	at   int64  // when its first byte was queued
}

const (
	pieceSize = 16 << 10
	pieceSpan = int64(1e9) // the most that a piece's bytes differ in age: what the write time-out is wrong by
)

func (q *writeQueue) add(p []byte, now int64) {
	q.size += len(p)
	if k := len(q.pieces); k > 0 {
		last := &q.pieces[k-1]
		if now-last.at < pieceSpan && len(last.data)+len(p) <= pieceSize {
			last.data = append(last.data, p...)
			return
		}
	}
	q.pieces = append(q.pieces, piece{append([]byte(nil), p...), now})
}

// head returns the oldest bytes, none when the queue is empty.
func (q *writeQueue) head() []byte {
	if len(q.pieces) == 0 {
		return nil
	}
	return q.pieces[0].data
}

// since returns when the oldest byte was queued; the queue is not empty.
func (q *writeQueue) since() int64 { return q.pieces[0].at }

// take removes n of head's bytes.
func (q *writeQueue) take(n int) {
	q.size -= n
	first := &q.pieces[0]
	if first.data = first.data[n:]; len(first.data) > 0 {
		return
	}
	first.data = nil
	if q.pieces = q.pieces[1:]; len(q.pieces) == 0 {
		q.pieces = nil
	}
}
