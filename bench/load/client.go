//go:build linux

package load

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"cleat/bench/evloop"
	"cleat/bench/peer"
	"cleat/internal/frame"
)

type state int

const (
	dialing   state = iota
	upgrading       // its request is on the way
	greeting        // it waits to be told who it is
	ready
	gone
)

// client is one connection of the generator, of WebSocket or of plain HTTP.
type client struct {
	peer.Client

	index int
	http  bool
	conn  *evloop.Conn
	state state
	id    string // what Identify found

	seq     uint64 // of its messages
	due     int64  // when the message that is under way was, in nanoseconds of the generator's clock; 0: none is
	partial []byte // of a text in several frames
	message []byte // the last text sent
}

// request is the upgrade of RFC 6455 §4.1, with the headers that a browser sends, more or less.
const request = "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nPragma: no-cache\r\nCache-Control: no-cache\r\n" +
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36\r\n" +
	"Upgrade: websocket\r\nOrigin: http://%s\r\nSec-WebSocket-Version: 13\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n" +
	"Accept-Language: en-GB,en;q=0.9\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

// accept answers that request's key.
const accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

func upgradeRequest(c peer.Client, addr string) []byte {
	b := fmt.Appendf(nil, request, c.Path, addr, addr)
	for _, line := range c.Header {
		b = append(append(b, line...), "\r\n"...)
	}
	return append(b, "\r\n"...)
}

// switched reads the answer to an upgrade. n is how many bytes it has, 0 when it is not whole yet.
func switched(b []byte) (n int, err error) {
	end := bytes.Index(b, []byte("\r\n\r\n"))
	if end < 0 {
		return 0, nil
	}
	line, _, _ := bytes.Cut(b, []byte("\r\n"))
	if !bytes.HasPrefix(line, []byte("HTTP/1.1 101")) {
		return 0, fmt.Errorf("the server answers an upgrade by %q", line)
	}
	if !bytes.Contains(b[:end], []byte(accept)) {
		return 0, errors.New("the server's Sec-WebSocket-Accept is wrong or missing")
	}
	return end + 4, nil
}

// texts has each text message in b seen to, answers pings, and returns how many bytes are used up.
func (c *client) texts(b []byte, write func([]byte) error, text func([]byte) error) (used int, err error) {
	for c.state != gone {
		op, fin, payload, n, err := serverFrame(b[used:])
		if err != nil || n == 0 {
			return used, err
		}
		used += n
		switch op {
		case frame.OpPing:
			err = write(frame.AppendMasked(nil, frame.OpPong, true, mask, payload))
		case frame.OpPong:
		case frame.OpClose:
			err = fmt.Errorf("the server closes with %q", payload[min(len(payload), 2):])
		default:
			if !fin || len(c.partial) > 0 {
				c.partial = append(c.partial, payload...)
				payload = c.partial
			}
			if fin {
				err = text(payload)
				c.partial = c.partial[:0]
			}
		}
		if err != nil {
			return used, err
		}
	}
	return used, nil
}

func unexpectedEnd(err error) error {
	if errors.Is(err, io.EOF) {
		return errors.New("the server closed a connection")
	}
	return err
}
