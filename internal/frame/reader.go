package frame

import (
	"encoding/binary"
	"unicode/utf8"
)

// Limits bound what a client may send. All sizes are payload bytes.
type Limits struct {
	Frame   int  // of one frame
	Message int  // of one message, its fragments together
	Binary  bool // accept binary messages
	// Deflate says that permessage-deflate was negotiated. Frame then bounds what comes over the wire, and Message what
	// it amounts to once inflated.
	Deflate bool
}

// Kind is what an Event reports.
type Kind uint8

// The kinds of events.
const (
	None     Kind = iota // nothing: more bytes are needed
	Text                 // a complete text message
	Binary               // a complete binary message
	Fragment             // a complete data frame that does not end its message
	Ping                 // to be answered with a pong of the same data
	Pong
	Close
)

// Event is one thing that a client's bytes amounted to.
type Event struct {
	Kind Kind
	// Data is the message of Text and Binary, which the caller then owns. The payload of a ping or pong is read with
	// Reader.Control instead: if it were here, no Reader could live on its user's stack.
	Data []byte
	// Largest is the payload of the message's largest frame as it came over the wire, in bytes.
	Largest int
	// Code and Reason belong to Close. Code is CodeNoStatus when the frame had none.
	Code   int
	Reason string
}

// Reader takes the frames of one client apart. It keeps bytes only of what has not come completely, and the memory
// for them follows what was received, not what a header announced. The zero value is ready; a Reader may be copied
// between calls as long as only one copy is used on. It is not safe for concurrent use.
type Reader struct {
	header Header // of the frame whose payload is under way
	got    int    // payload bytes of that frame so far
	within bool   // a frame's payload is under way

	message  Opcode    // of the message under way, zero for none
	deflated bool      // it is compressed
	largest  int       // payload of its largest frame
	text     validator // its text so far; of a compressed one at its end only
	data     []byte    // its payload so far

	nhead   uint8           // bytes of an incomplete header
	head    [MaxHeader]byte // those bytes
	control [MaxControl]byte
}

// Idle reports whether nothing is partial: a Reader that is idle equals its zero value in all that matters, so it need
// not be kept.
func (r *Reader) Idle() bool { return !r.within && r.message == 0 && r.nhead == 0 }

// Next takes bytes from the front of b until they complete an event or b is used up, and returns the event with the
// number of bytes taken. Kind None means that b is used up. After an error, which is always an *Error, the client's
// bytes make no sense any more: the Reader must not be used again. b is not kept and not changed.
func (r *Reader) Next(b []byte, lim Limits) (ev Event, n int, err error) {
	if !r.within {
		n, err = r.begin(b, lim)
		if err != nil || !r.within {
			return Event{}, n, err
		}
	}
	rest := b[n:]
	want := int(r.header.Length) - r.got //nolint:gosec // G115: begin bounds the length by an int limit
	if len(rest) > want {
		rest = rest[:want]
	}
	n += len(rest)
	if r.header.Op.IsControl() {
		unmask(r.control[r.got:], rest, r.header.Mask, r.got)
	} else if err := r.extend(rest, want, lim); err != nil {
		return Event{}, n, err
	}
	r.got += len(rest)
	if len(rest) < want {
		return Event{}, n, nil
	}
	r.within = false
	ev, err = r.end()
	return ev, n, err
}

// Control returns the payload of the ping or pong that Next has just returned. It is valid until the next call of Next.
func (r *Reader) Control() []byte { return r.control[:r.got] }

// begin reads a header, whose bytes may have come in several pieces, and decides from it alone whether the frame may
// come. Without an error, r.within says whether the header is complete.
func (r *Reader) begin(b []byte, lim Limits) (n int, err error) {
	var h Header
	if r.nhead == 0 {
		h, n, err = ParseClientHeader(b, lim.Deflate)
		if err == nil && n == 0 {
			r.nhead = uint8(copy(r.head[:], b)) //nolint:gosec // G115: at most MaxHeader
			return len(b), nil
		}
	} else {
		had := int(r.nhead)
		took := copy(r.head[had:], b)
		h, n, err = ParseClientHeader(r.head[:had+took], lim.Deflate)
		if err == nil && n == 0 {
			r.nhead += uint8(took) //nolint:gosec // G115: at most MaxHeader
			return took, nil
		}
		n = max(n-had, 0)
		r.nhead = 0
	}
	if err == nil {
		err = r.admit(h, lim)
	}
	if err != nil {
		return n, err
	}
	r.header, r.got, r.within = h, 0, true
	return n, nil
}

// admit checks a header against the message under way and the limits.
func (r *Reader) admit(h Header, lim Limits) error {
	if h.Op.IsControl() {
		return nil
	}
	most := lim.Message
	if h.Deflated || h.Op == OpContinuation && r.deflated {
		most = wireLimit(lim.Message)
	}
	switch {
	case h.Op == OpContinuation && r.message == 0:
		return errNoStart
	case h.Op != OpContinuation && r.message != 0:
		return errNoEnd
	case h.Op == OpBinary && !lim.Binary:
		return errBinary
	case h.Length > uint64(max(lim.Frame, 0)):
		return errFrameSize
	case h.Length > uint64(max(most-len(r.data), 0)):
		return errMessageSize
	}
	if h.Op != OpContinuation {
		r.message, r.deflated, r.text, r.largest = h.Op, h.Deflated, validator{}, 0
	}
	r.largest = max(r.largest, int(h.Length)) //nolint:gosec // G115: bounded by lim.Frame above
	return nil
}

// growAhead is how many times the bytes at hand a buffer may be made for the rest of their frame: a client that
// announces much and sends little must not cost much.
const growAhead = 4

// extend adds a piece of a data frame, of which want bytes are still to come including this piece. A compressed message
// is kept as it came until its last piece is here: an inflater for each message that is under way would cost 40 KB.
func (r *Reader) extend(piece []byte, want int, lim Limits) error {
	if r.deflated && r.header.Fin && len(piece) == want {
		var err error
		r.data, err = inflate(r.data, piece, r.header.Mask, r.got, lim.Message)
		if err == nil && r.message == OpText && !r.text.write(r.data) {
			err = errText
		}
		return err
	}
	had := len(r.data)
	if need := had + len(piece); need > cap(r.data) {
		size := max(2*cap(r.data), growAhead*len(piece), 512)
		if r.header.Fin {
			size = min(size, had+want) // nothing follows this frame
		}
		grown := make([]byte, had, max(size, need))
		copy(grown, r.data)
		r.data = grown
	}
	r.data = r.data[:had+len(piece)]
	unmask(r.data[had:], piece, r.header.Mask, r.got)
	if r.message == OpText && !r.deflated && !r.text.write(r.data[had:]) {
		return errText
	}
	return nil
}

// end makes an event of the frame that just became complete.
func (r *Reader) end() (Event, error) {
	switch r.header.Op {
	case OpPing:
		return Event{Kind: Ping}, nil
	case OpPong:
		return Event{Kind: Pong}, nil
	case OpClose:
		return parseClose(r.control[:r.got])
	default: // a data frame
	}
	if !r.header.Fin {
		return Event{Kind: Fragment}, nil
	}
	if r.message == OpText && !r.text.complete() {
		return Event{}, errText
	}
	ev := Event{Kind: Text, Data: r.data, Largest: r.largest}
	if r.message == OpBinary {
		ev.Kind = Binary
	}
	r.message, r.deflated, r.data = 0, false, nil
	return ev, nil
}

// parseClose reads a close frame's payload (RFC 6455 §5.5.1, §7.4).
func parseClose(p []byte) (Event, error) {
	ev := Event{Kind: Close, Code: CodeNoStatus}
	switch {
	case len(p) == 0:
		return ev, nil
	case len(p) == 1:
		return Event{}, errCloseSize
	}
	ev.Code = int(binary.BigEndian.Uint16(p))
	if !ValidCloseCode(ev.Code) {
		return Event{}, errCloseCode
	}
	if !utf8.Valid(p[2:]) {
		return Event{}, errCloseText
	}
	ev.Reason = string(p[2:])
	return ev, nil
}
