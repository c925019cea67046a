package runner

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/gobwas/ws"

	"cleat/test/compat/scenario"
)

// frames runs a step of an open connection.
func (r *run) frames(st *scenario.Step, c *client) error {
	switch st.Verb {
	case "send":
		text, err := r.vars.Expand(st.Arg)
		if err != nil {
			return err
		}
		return c.writeFrame(true, true, byte(ws.OpText), 0, -1, []byte(text))
	case "frame":
		f, err := scenario.ParseFrame(st.Arg)
		if err != nil {
			return err
		}
		payload, err := r.vars.Expand(f.Payload)
		if err != nil {
			return err
		}
		return c.writeFrame(f.Final, f.Masked, f.Opcode, f.RSV, f.Length, []byte(payload))
	case "write":
		text, err := scenario.Unescape(st.Arg)
		if err != nil {
			return err
		}
		if text, err = r.vars.Expand(text); err != nil {
			return err
		}
		return c.send([]byte(text))
	case "close":
		return r.sendClose(st.Arg, c)
	case "hangup":
		c.close()
		return nil
	case "quiet":
		d, err := time.ParseDuration(st.Arg)
		if err != nil {
			return err
		}
		h, err := c.hear(d)
		if errors.Is(err, errNothing) {
			return nil
		}
		return errors.Join(fmt.Errorf("got %v, want nothing", h), err)
	}
	return r.hear(st, c)
}

func (r *run) sendClose(arg string, c *client) error {
	var payload []byte
	if arg != "" {
		text, reason, _ := strings.Cut(arg, " ")
		code, err := strconv.ParseUint(text, 10, 16)
		if err != nil {
			return fmt.Errorf("close: %q is not a code", text)
		}
		payload = append(binary.BigEndian.AppendUint16(nil, uint16(code)), reason...)
	}
	c.sentClose = true
	return c.writeFrame(true, true, byte(ws.OpClose), 0, -1, payload)
}

// hear runs a step that waits for something from the server.
func (r *run) hear(st *scenario.Step, c *client) error {
	h, err := c.hear(r.o.Patience)
	if err != nil {
		return fmt.Errorf("%w, want %s %s", err, st.Verb, st.Arg)
	}
	prefix := st.Verb + " "
	if st.Client != scenario.DefaultClient {
		prefix = st.Client + ": " + prefix
	}
	switch st.Verb {
	case "receive":
		if h.eof || h.op != ws.OpText {
			return fmt.Errorf("got %v, want text %s", h, st.Arg)
		}
		return errors.Join(r.text(st, prefix, string(h.payload)), sizes(st, c.sizes))
	case "binary":
		want, err := scenario.Unescape(st.Arg)
		if err != nil {
			return err
		}
		if h.eof || h.op != ws.OpBinary {
			return fmt.Errorf("got %v, want a binary message %s", h, st.Arg)
		}
		return r.vars.Match(want, string(h.payload))
	case "ping", "pong":
		if op := map[string]ws.OpCode{"ping": ws.OpPing, "pong": ws.OpPong}[st.Verb]; h.eof || h.op != op {
			return fmt.Errorf("got %v, want %s %s", h, st.Verb, st.Arg)
		}
		return r.match(st.Line, st.Verb, prefix, st.Arg, string(h.payload))
	case "dropped":
		if !h.eof {
			return fmt.Errorf("got %v, want the connection to end without a close frame", h)
		}
		return nil
	}
	if h.eof || h.op != ws.OpClose {
		return fmt.Errorf("got %v, want close %s", h, st.Arg)
	}
	if !c.sentClose {
		code := binary.BigEndian.AppendUint16(nil, uint16(h.code)) //nolint:gosec // G115: it came as two bytes
		if err := c.writeFrame(true, true, byte(ws.OpClose), 0, -1, code); err != nil {
			return fmt.Errorf("answer the close frame: %w", err)
		}
	}
	got := strings.TrimSpace(strconv.Itoa(h.code) + " " + string(h.payload))
	if h.code == int(ws.StatusNoStatusRcvd) {
		got = ""
	}
	err = r.match(st.Line, "close", prefix, st.Arg, got)
	last, endErr := c.hear(r.o.Patience)
	if endErr == nil && !last.eof {
		endErr = fmt.Errorf("got %v behind the close frame", last)
	} else if endErr != nil {
		endErr = fmt.Errorf("the connection stays open behind the close frame: %w", endErr)
	}
	return errors.Join(err, endErr)
}

// text compares a message with a "receive".
func (r *run) text(st *scenario.Step, prefix, got string) error {
	var errs []error
	if st.Arg != "" || len(st.Lines) == 0 {
		errs = append(errs, r.match(st.Line, "message", prefix, st.Arg, got))
	}
	for _, l := range st.Lines {
		errs = append(errs, r.member(l, "  ", got))
	}
	return errors.Join(errs...)
}

// sizes compares the sizes of a message's frames with "frames".
func sizes(st *scenario.Step, got []int) error {
	for _, l := range st.Lines {
		if text := strings.Trim(fmt.Sprint(got), "[]"); l.Word == "frames" && text != l.Text {
			return &failure{l.Line, fmt.Sprintf("it came in frames of %s bytes, want %s", text, l.Text), &Edit{l.Line, l.Line, []string{"  frames " + text}}}
		}
	}
	return nil
}
