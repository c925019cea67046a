// Package wire takes apart what the bench's programs read: HTTP/1.1 requests and responses, the answer to a WebSocket
// upgrade, and a server's frames. All of it works on the bytes that have come so far, and copies nothing that it need not.
// It understands what the measured servers send and no more; what it does not understand is an error.
package wire

import (
	"encoding/binary"
	"errors"
	"fmt"

	"cleat/internal/frame"
)

// ServerFrame takes the first frame of b apart, which comes from a server and so is not masked (RFC 6455 §5.2). n is how
// many bytes it has, 0 when it is not whole yet. payload lies in b.
func ServerFrame(b []byte) (op frame.Opcode, fin bool, payload []byte, n int, err error) {
	const final, reserved, masked = 0x80, 0x70, 0x80
	if len(b) < 2 {
		return 0, false, nil, 0, nil
	}
	if b[0]&reserved != 0 || b[1]&masked != 0 {
		return 0, false, nil, 0, fmt.Errorf("a frame begins with %#x %#x: compressed or masked", b[0], b[1])
	}
	head, size := 2, uint64(b[1])
	switch size {
	case 126:
		head = 4
		if len(b) < head {
			return 0, false, nil, 0, nil
		}
		size = uint64(binary.BigEndian.Uint16(b[2:]))
	case 127:
		head = 10
		if len(b) < head {
			return 0, false, nil, 0, nil
		}
		size = binary.BigEndian.Uint64(b[2:])
	}
	const most = 1 << 20
	if size > most {
		return 0, false, nil, 0, errors.New("a frame of more than 1 MB")
	}
	if n = head + int(size); len(b) < n {
		return 0, false, nil, 0, nil
	}
	return frame.Opcode(b[0] & 0xf), b[0]&final != 0, b[head:n], n, nil
}

// mask is the key of all our frames. Which it is makes no difference to a server, as long as it is not zero.
var mask = [4]byte{0x37, 0xfa, 0x21, 0x3d}

// AppendText appends a client's text message.
func AppendText(dst, text []byte) []byte {
	return frame.AppendMasked(dst, frame.OpText, true, mask, text)
}

// AppendPong appends a client's answer to a ping.
func AppendPong(dst, data []byte) []byte {
	return frame.AppendMasked(dst, frame.OpPong, true, mask, data)
}
