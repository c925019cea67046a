package frame

import "encoding/binary"

// Opcode is the kind of a frame (RFC 6455 §5.2).
type Opcode byte

// The opcodes; all others are reserved.
const (
	OpContinuation Opcode = 0x0
	OpText         Opcode = 0x1
	OpBinary       Opcode = 0x2
	OpClose        Opcode = 0x8
	OpPing         Opcode = 0x9
	OpPong         Opcode = 0xA
)

// IsControl reports whether frames of this kind may stand between the fragments of a message (RFC 6455 §5.5).
func (o Opcode) IsControl() bool { return o&0x8 != 0 }

func (o Opcode) known() bool {
	return o <= OpBinary || o >= OpClose && o <= OpPong
}

// MaxHeader is the size in bytes of the longest header, a masked frame's with a 64-bit length.
const MaxHeader = 14

// MaxControl is the most payload bytes that a control frame may hold (RFC 6455 §5.5).
const MaxControl = 125

const (
	bitFin  = 0x80
	bitRSV1 = 0x40 // the message is compressed (RFC 7692 §6)
	bitsRSV = 0x70
	bitMask = 0x80
	len16   = 126 // the length follows in two bytes
	len64   = 127 // the length follows in eight bytes
)

// Header is what stands before a frame's payload:
//
//	 0               1               2 ...
//	+-+---+---------+-+-------------+----------------+---------+
//	|F|RSV|  opcode |M| length or   | 16 or 64 bits  | masking |
//	|I|   |         | | 126, 127    | of length      | key     |
//	+-+---+---------+-+-------------+----------------+---------+
type Header struct {
	Op  Opcode
	Fin bool
	// Deflated is set on the first frame of a message that permessage-deflate has compressed: RSV1.
	Deflated bool
	Length   uint64  // payload bytes
	Mask     [4]byte // zero when the frame is not masked
}

// ParseClientHeader reads the header of a frame that a client sent from the front of b. It returns the header and
// its size in bytes, or zero when b does not yet hold all of it. A violation is an *Error with code 1002, reported as
// soon as the bytes at hand prove it: a set reserved bit, an unknown opcode, a missing mask, a long or fragmented
// control frame, a length that is not in its shortest form or has its top bit set (RFC 6455 §5.2, §5.5). deflate says
// that permessage-deflate was negotiated: RSV1 may then be set on the first frame of a message, and nowhere else (RFC
// 7692 §6.1).
func ParseClientHeader(b []byte, deflate bool) (h Header, n int, err error) {
	if len(b) == 0 {
		return h, 0, nil
	}
	h.Op, h.Fin = Opcode(b[0]&0x0f), b[0]&bitFin != 0
	h.Deflated = deflate && b[0]&bitsRSV == bitRSV1 && (h.Op == OpText || h.Op == OpBinary)
	switch {
	case b[0]&bitsRSV != 0 && !h.Deflated:
		return h, 0, errReserved
	case !h.Op.known():
		return h, 0, errOpcode
	case h.Op.IsControl() && !h.Fin:
		return h, 0, errControlFragment
	}
	if len(b) < 2 {
		return h, 0, nil
	}
	short := b[1] &^ bitMask
	switch {
	case b[1]&bitMask == 0:
		return h, 0, errUnmasked
	case h.Op.IsControl() && short > MaxControl:
		return h, 0, errControlSize
	}
	n = 2
	switch short {
	case len16:
		if len(b) < 4 {
			return h, 0, nil
		}
		h.Length, n = uint64(binary.BigEndian.Uint16(b[2:])), 4
		if h.Length < len16 {
			return h, 0, errLength
		}
	case len64:
		if len(b) < 10 {
			return h, 0, nil
		}
		h.Length, n = binary.BigEndian.Uint64(b[2:]), 10
		if h.Length <= 0xffff || h.Length>>63 != 0 {
			return h, 0, errLength
		}
	default:
		h.Length = uint64(short)
	}
	if len(b) < n+4 {
		return h, 0, nil
	}
	h.Mask = [4]byte(b[n:])
	return h, n + 4, nil
}

// AppendHeader appends the header of an unmasked frame with n payload bytes, in its shortest form.
func AppendHeader(dst []byte, op Opcode, fin bool, n int) []byte {
	return appendHeader(dst, byte(op), fin, n, 0)
}

// appendHeader takes the opcode together with the reserved bits.
func appendHeader(dst []byte, first byte, fin bool, n int, mask byte) []byte {
	if fin {
		first |= bitFin
	}
	switch {
	case n < len16:
		return append(dst, first, mask|byte(n)) //nolint:gosec // G115: below 126
	case n <= 0xffff:
		return append(dst, first, mask|len16, byte(n>>8), byte(n)) //nolint:gosec // G115: two bytes
	}
	dst = append(dst, first, mask|len64)
	return binary.BigEndian.AppendUint64(dst, uint64(n))
}
