//go:build linux

package load

import (
	"errors"
	"fmt"
	"io"

	"cleat/bench/evloop"
	"cleat/bench/peer"
	"cleat/bench/wire"
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
	last    bool   // of HTTP: the server closes the connection behind its answer
	pending []byte // a request to send once it is there again
	partial []byte // of a text in several frames
	message []byte // the last text sent
}

// texts has each text message in b seen to, answers pings, and returns how many bytes are used up.
func (c *client) texts(b []byte, write func([]byte) error, text func([]byte) error) (used int, err error) {
	for c.state != gone {
		op, fin, payload, n, err := wire.ServerFrame(b[used:])
		if err != nil || n == 0 {
			return used, err
		}
		used += n
		switch op {
		case frame.OpPing:
			err = write(wire.AppendPong(nil, payload))
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
