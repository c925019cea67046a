package frame

import (
	"encoding/binary"
	"unicode/utf8"
)

// AppendMessage appends a message as one unmasked frame, or as several of at most most payload bytes each when it is
// longer than that. Zero for most means one frame whatever the length. A fragment may end inside a character, as
// RFC 6455 §5.6 allows.
func AppendMessage(dst []byte, op Opcode, payload []byte, most int) []byte {
	return appendMessage(dst, op, 0, payload, most)
}

// appendMessage sets the given reserved bits on the first frame.
func appendMessage(dst []byte, op Opcode, rsv byte, payload []byte, most int) []byte {
	first := byte(op) | rsv
	for most > 0 && len(payload) > most {
		dst = appendHeader(dst, first, false, most, 0)
		dst = append(dst, payload[:most]...)
		payload, first = payload[most:], byte(OpContinuation)
	}
	dst = appendHeader(dst, first, true, len(payload), 0)
	return append(dst, payload...)
}

// AppendPing appends a ping without data.
func AppendPing(dst []byte) []byte { return AppendHeader(dst, OpPing, true, 0) }

// AppendPong appends the pong that answers a ping of the given data, at most MaxControl bytes.
func AppendPong(dst, data []byte) []byte {
	data = data[:min(len(data), MaxControl)]
	dst = AppendHeader(dst, OpPong, true, len(data))
	return append(dst, data...)
}

// AppendClose appends a close frame. A code that must not travel (ValidCloseCode) makes a frame without payload; a
// reason that does not fit is cut at the end of a character.
func AppendClose(dst []byte, code int, reason string) []byte {
	if !ValidCloseCode(code) {
		return AppendHeader(dst, OpClose, true, 0)
	}
	if len(reason) > MaxControl-2 {
		end := MaxControl - 2
		for end > 0 && !utf8.RuneStart(reason[end]) {
			end--
		}
		reason = reason[:end]
	}
	dst = AppendHeader(dst, OpClose, true, 2+len(reason))
	dst = binary.BigEndian.AppendUint16(dst, uint16(code)) //nolint:gosec // G115: a valid code is below 5000
	return append(dst, reason...)
}

// AppendMasked appends one frame as a client sends it, masked with the given key. Servers never send such frames: it
// is for load generators and tests.
func AppendMasked(dst []byte, op Opcode, fin bool, key [4]byte, payload []byte) []byte {
	dst = appendHeader(dst, byte(op), fin, len(payload), bitMask)
	dst = append(dst, key[:]...)
	at := len(dst)
	dst = append(dst, payload...)
	unmask(dst[at:], dst[at:], key, 0)
	return dst
}
