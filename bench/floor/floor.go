//go:build linux

// Package floor is the least that a WebSocket server costs: an echo that answers every upgrade, unmasks frames and sends
// them back, on one thread over epoll, and knows nothing else: no checks, no fragments, no time-outs, no limits. The bench
// holds the servers against it.
package floor

import (
	"bytes"
	"context"
	"crypto/sha1" //nolint:gosec // G505: RFC 6455 asks for it
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"

	"cleat/bench/evloop"
)

// Serve answers at addr until ctx ends, after it has written the address, which is of use when the port is 0, and a line's
// end to out.
func Serve(ctx context.Context, addr string, out io.Writer) error {
	return evloop.Serve(ctx, addr, new(echo), out)
}

type echo struct{ out []byte }

// Opened is evloop.Handler's.
func (e *echo) Opened(*evloop.Conn, error) {}

// Closed is evloop.Handler's.
func (e *echo) Closed(*evloop.Conn, error) {}

// Data is evloop.Handler's. The owner of a connection is true once it is upgraded.
func (e *echo) Data(c *evloop.Conn, b []byte) (used int) {
	if c.Owner == nil {
		end := bytes.Index(b, []byte("\r\n\r\n"))
		if end < 0 {
			return 0
		}
		c.Owner = true
		used = end + 4
		_ = c.Write(answer(b[:used])) // whoever is gone needs no answer
	}
	e.out = e.out[:0]
	for {
		n := e.frame(b[used:])
		if n == 0 {
			break
		}
		used += n
	}
	if len(e.out) > 0 {
		_ = c.Write(e.out) // whoever is gone needs no answer
	}
	return used
}

// frame appends the answer to the first frame of b and returns the frame's length, 0 when it is not whole.
func (e *echo) frame(b []byte) int {
	if len(b) < 6 {
		return 0
	}
	head, size := 2, int(b[1]&0x7f)
	switch size {
	case 126:
		head, size = 4, int(binary.BigEndian.Uint16(b[2:]))
	case 127:
		if len(b) < 10 {
			return 0
		}
		head, size = 10, int(binary.BigEndian.Uint64(b[2:])) //nolint:gosec // G115: it trusts its clients
	}
	n := head + 4 + size
	if len(b) < n {
		return 0
	}
	at := len(e.out)
	e.out = append(e.out, b[:head]...)
	e.out[at+1] &= 0x7f
	key := binary.LittleEndian.Uint32(b[head:])
	twice := uint64(key)<<32 | uint64(key)
	at = len(e.out)
	e.out = append(e.out, b[head+4:n]...)
	payload := e.out[at:]
	for len(payload) >= 8 {
		binary.LittleEndian.PutUint64(payload, binary.LittleEndian.Uint64(payload)^twice)
		payload = payload[8:]
	}
	for i := range payload {
		payload[i] ^= b[head+i%4]
	}
	return n
}

// answer is that of RFC 6455 §4.2.2.
func answer(request []byte) []byte {
	_, key, _ := bytes.Cut(request, []byte("Sec-WebSocket-Key: "))
	key, _, _ = bytes.Cut(key, []byte("\r\n"))
	sum := sha1.Sum(append(append([]byte(nil), key...), "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"...)) //nolint:gosec // G401: RFC 6455 §4.2.2
	return fmt.Appendf(nil, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
		base64.StdEncoding.EncodeToString(sum[:]))
}
