package conformance_test

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"io"
	"strings"
)

// First bytes of frames (RFC 6455 §5.2): an opcode, with or without FIN and reserved bits.
const (
	cont   = 0x00
	text   = 0x01
	bin    = 0x02
	closed = 0x08
	ping   = 0x09
	pong   = 0x0a

	fin  = 0x80
	rsv1 = 0x40
	rsv2 = 0x20
	rsv3 = 0x10
)

var maskKey = [4]byte{0x37, 0xfa, 0x21, 0x3d} // RFC 6455 §5.7

// fr is a masked frame, its length in the shortest form.
func fr(first byte, payload string) []byte {
	form := 0
	switch n := len(payload); {
	case n > 0xffff:
		form = 8
	case n > 125:
		form = 2
	}
	return long(first, payload, form, true)
}

// long is a frame whose length stands in so many extra bytes (0, 2 or 8), needed or not.
func long(first byte, payload string, form int, masked bool) []byte {
	b := []byte{first, 0}
	switch n := len(payload); form {
	case 0:
		b[1] = byte(n)
	case 2:
		b[1] = 126
		b = binary.BigEndian.AppendUint16(b, uint16(n))
	default:
		b[1] = 127
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	if !masked {
		return append(b, payload...)
	}
	b[1] |= 0x80
	b = append(b, maskKey[:]...)
	for i := range len(payload) {
		b = append(b, payload[i]^maskKey[i&3])
	}
	return b
}

// fragments is a message cut up into frames of at most size bytes.
func fragments(op byte, payload string, size int) []byte {
	var b []byte
	for len(payload) > size {
		b = append(b, fr(op, payload[:size])...)
		payload, op = payload[size:], cont
	}
	return append(b, fr(fin|op, payload)...)
}

// closing is a close frame's payload.
func closing(code int, reason string) string {
	return string(binary.BigEndian.AppendUint16(nil, uint16(code))) + reason
}

func join(bs ...[]byte) []byte { return bytes.Join(bs, nil) }

const flushTail = "\x00\x00\xff\xff"

// deflate compresses a message as RFC 7692 §7.2.1 has it, with the standard library at a level, flushing so many times in between.
func deflate(s string, level, flushes int) string {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, level)
	if err != nil {
		panic(err) // a level that does not exist
	}
	for i := range flushes + 1 {
		part := s[len(s)*i/(flushes+1) : len(s)*(i+1)/(flushes+1)]
		_, _ = io.WriteString(w, part) // a bytes.Buffer takes everything
		_ = w.Flush()
	}
	return strings.TrimSuffix(b.String(), flushTail)
}

// inflate is the way back, RFC 7692 §7.2.2.
func inflate(s string) (string, error) {
	b, err := io.ReadAll(flate.NewReader(strings.NewReader(s + flushTail + "\x01\x00\x00\xff\xff")))
	return string(b), err
}
