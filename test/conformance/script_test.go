package conformance_test

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// testCase is one thing that a server must do.
type testCase struct {
	id    string // "5.3": section and number
	title string
	rfc   string // where it says so
	// quotas has the case run under AWS's limits (frames of 32 KB, messages of 128 KB, no binary ones) rather than
	// under those of profile "open" (1 MB each, binary messages accepted).
	quotas bool
	// offer is the client's Sec-WebSocket-Extensions, agreed is what the server must answer. Empty: no such line.
	offer, agreed string
	// request replaces the handshake's request; status is what it must be answered with, zero for 101.
	request string
	status  int
	// lax says that a server which believes everything passes too.
	lax   bool
	steps []step
}

// step is bytes that are sent, and then something that must come.
type step struct {
	send []byte
	chop int           // send so many bytes at a time
	wait time.Duration // between them
	want want
}

type wantKind int

const (
	nothing wantKind = iota
	message          // the next message
	reply            // the next pong
	end              // a close frame and the end of the connection
	maybe            // a message that may still come before the end
)

type want struct {
	kind    wantKind
	op      byte
	payload string
	codes   []int // of end: any of these; none means that the close frame has no code
}

func (s step) String() string {
	var b strings.Builder
	if len(s.send) > 0 {
		fmt.Fprintf(&b, "send %d bytes % x", len(s.send), s.send[:min(len(s.send), 24)])
		if s.chop > 0 {
			fmt.Fprintf(&b, "… in pieces of %d", s.chop)
		}
	}
	switch w := s.want; w.kind {
	case message, maybe:
		fmt.Fprintf(&b, " expect message (opcode %d) of %d bytes %.40q", w.op, len(w.payload), w.payload)
	case reply:
		fmt.Fprintf(&b, " expect pong %.40q", w.payload)
	case end:
		fmt.Fprintf(&b, " expect close %v and the end", w.codes)
	case nothing:
	}
	return strings.TrimSpace(b.String())
}

// The words that scripts are made of.

func send(bs ...[]byte) step { return step{send: join(bs...)} }

// chopped sends so many bytes at a time, each in a packet of its own.
func chopped(size int, bs ...[]byte) step { return step{send: join(bs...), chop: size} }

func echo(op byte, payload string) step {
	return step{want: want{kind: message, op: op, payload: payload}}
}

func ponged(payload string) step { return step{want: want{kind: reply, payload: payload}} }

func perhaps(op byte, payload string) step {
	return step{want: want{kind: maybe, op: op, payload: payload}}
}

func ends(codes ...int) step { return step{want: want{kind: end, codes: codes}} }

// good is a case of what must work: every server that works at all passes it.
func good(id, title, rfc string, steps ...step) testCase {
	return testCase{id: id, title: title, rfc: rfc, lax: true, steps: steps}
}

// bad is a case of what must be refused.
func bad(id, title, rfc string, steps ...step) testCase {
	return testCase{id: id, title: title, rfc: rfc, steps: steps}
}

// play runs a case against a target.
func (tc testCase) play(t target) error {
	c, err := dial(t, tc)
	if err != nil {
		return err
	}
	defer c.conn.Close()
	if tc.status != 0 {
		return nil // dial has looked at the answer
	}
	for i, s := range tc.steps {
		if err := c.step(s); err != nil {
			return fmt.Errorf("step %d (%v): %w", i+1, s, err)
		}
	}
	if !c.ended { // nobody has closed it: do so, and see that nothing else comes
		c.send(fr(fin|closed, closing(1000, "")), 0, 0)
		if err := c.step(ends(1000)); err != nil {
			return fmt.Errorf("at the end: %w", err)
		}
	}
	return nil
}

func (c *client) step(s step) error {
	if len(s.send) > 0 {
		c.send(s.send, s.chop, s.wait)
	}
	switch w := s.want; w.kind {
	case message:
		return c.wantMessage(w)
	case reply:
		return c.wantPong(w)
	case maybe:
		c.allowed = append(c.allowed, w)
	case end:
		return c.wantEnd(w)
	case nothing:
	}
	return nil
}

var errTooEarly = errors.New("the server ended the connection")
