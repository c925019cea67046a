package frame

import (
	"bytes"
	"errors"
	"io"
	"sync"

	"github.com/klauspost/compress/flate"
)

// permessage-deflate (RFC 7692), without context takeover on either side: every message is a DEFLATE stream of its own,
// so nothing of it outlives a message, and what one needs comes from a pool (docs/decisions/0006-deflate.md).
//
// On the wire a message is its DEFLATE blocks up to an empty stored block, whose last four bytes are left out
// (§7.2.1); the first frame has RSV1. A reader puts them back (§7.2.2).

// Window sizes that may be negotiated, as powers of two (RFC 7692 §7.1.2).
const (
	MinWindow = 8
	MaxWindow = 15
)

// deflateLevel compresses fastest; docs/decisions/0006-deflate.md has the figures.
const deflateLevel = 1

// blockTail is what the sender of a message left out, followed by an empty final block, which makes the reader stop.
const (
	flushTail = "\x00\x00\xff\xff"
	blockTail = flushTail + "\x01\x00\x00\xff\xff"
)

// maxStreams is how often a message may begin a new DEFLATE stream. A sender may end a stream (BFINAL, §7.2.3.4) where
// it could have flushed, which few do and none often; but each costs the reader the set-up of a stream, for two bytes.
const maxStreams = 16

// maxScratch is the most of a pooled buffer that is kept.
const maxScratch = 256 << 10

// wireLimit is the most compressed bytes that a message of the given size may have: what zlib's deflateBound allows for
// any of its settings. Empty blocks could go on for ever otherwise.
func wireLimit(message int) int { return message + message>>3 + message>>6 + 64 }

// inflater is what inflating a message takes; it comes from a pool.
type inflater struct {
	flate io.Reader // a flate.Resetter
	src   bytes.Reader
	wire  []byte
	plain []byte
}

var inflaters = sync.Pool{New: func() any { return &inflater{flate: flate.NewReader(new(bytes.Reader))} }}

// inflate returns the message of which front has come before and piece, masked and from pos on in its frame, is the
// end. It stops at the byte after most, so a message that would grow without end costs no more than the longest legal one.
func inflate(front, piece []byte, mask [4]byte, pos, most int) ([]byte, error) {
	i, _ := inflaters.Get().(*inflater)
	i.wire = append(append(i.wire[:0], front...), piece...)
	last := i.wire[len(front):]
	unmask(last, last, mask, pos)
	i.wire = append(i.wire, blockTail...)
	err := i.run(most)
	var message []byte
	if err == nil {
		message = append(make([]byte, 0, len(i.plain)), i.plain...)
	}
	if cap(i.wire) > maxScratch {
		i.wire = nil
	}
	if cap(i.plain) > maxScratch {
		i.plain = nil
	}
	inflaters.Put(i)
	return message, err
}

// run inflates wire into plain.
func (i *inflater) run(most int) error {
	i.plain = i.plain[:0]
	i.src.Reset(i.wire)
	reset, _ := i.flate.(flate.Resetter)
	for range maxStreams {
		// A stream that follows another one in the same message may refer to what that one said.
		if err := reset.Reset(&i.src, i.plain[max(0, len(i.plain)-1<<MaxWindow):]); err != nil {
			return errDeflate
		}
		if err := i.fill(most); err != nil {
			return err
		}
		// Senders that end their last stream without an empty block behind it leave our own tail unread.
		if left := i.src.Len(); left == 0 || left == len(blockTail) {
			return nil
		}
	}
	return errDeflate
}

// fill appends one stream to plain.
func (i *inflater) fill(most int) error {
	for {
		if len(i.plain) == cap(i.plain) {
			grown := make([]byte, len(i.plain), min(max(2*cap(i.plain), 4<<10), max(most, 0)+1))
			copy(grown, i.plain)
			i.plain = grown
		}
		room := i.plain[len(i.plain):min(cap(i.plain), max(most, 0)+1)]
		n, err := i.flate.Read(room)
		i.plain = i.plain[:len(i.plain)+n]
		switch {
		case len(i.plain) > most:
			return errMessageSize
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return errDeflate
		}
	}
}

// deflater is what compressing a message takes; it comes from a pool.
type deflater struct {
	flate *flate.Writer
	out   []byte
}

// Write takes what flate has compressed.
func (d *deflater) Write(p []byte) (int, error) {
	d.out = append(d.out, p...)
	return len(p), nil
}

var deflaters = sync.Pool{New: func() any {
	d := new(deflater)
	d.flate, _ = flate.NewWriter(d, deflateLevel) // fails on levels that do not exist
	return d
}}

// AppendDeflated is AppendMessage for a client that negotiated permessage-deflate with a window of 1<<window bytes. A
// message that compressing does not make shorter goes uncompressed, which the client can tell from its first frame.
func AppendDeflated(dst []byte, op Opcode, payload []byte, most, window int) []byte {
	d, _ := deflaters.Get().(*deflater)
	if d.run(payload, window) {
		dst = appendMessage(dst, op, bitRSV1, d.out, most)
	} else {
		dst = AppendMessage(dst, op, payload, most)
	}
	if cap(d.out) > maxScratch {
		d.out = nil
	}
	deflaters.Put(d)
	return dst
}

// run compresses payload into out and reports whether that is shorter. What is longer than the window is compressed in
// parts of its size which know nothing of each other, so no distance is over it.
func (d *deflater) run(payload []byte, window int) bool {
	d.out = d.out[:0]
	part := 1 << min(max(window, MinWindow), MaxWindow)
	if part == 1<<MaxWindow {
		part = max(len(payload), 1) // flate itself looks no further back
	}
	for rest := payload; len(rest) > 0; {
		n := min(part, len(rest))
		d.flate.Reset(d)
		if _, err := d.flate.Write(rest[:n]); err != nil {
			return false
		}
		if err := d.flate.Flush(); err != nil {
			return false
		}
		if rest = rest[n:]; len(d.out)-len(flushTail) >= len(payload) {
			return false
		}
	}
	d.out = bytes.TrimSuffix(d.out, []byte(flushTail))
	return len(d.out) > 0
}
