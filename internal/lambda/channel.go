package lambda

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// channelSocket is where the Runtime API listens too, below a pool's folder, for the workers of our own runtimes: bytes cost
// half as much on the way there as over TCP. Where the system has no such sockets, or the path is too long for one, those
// workers come by TCP as all others do.
const channelSocket = "api"

// channel is how our own runtimes talk to the pool: the Runtime API without HTTP, for a fraction of its cost. A worker asks
// for it with an upgrade of its connection (RFC 9110 §7.8), and from then on each side sends lines, some with a body of as
// many bytes as the line says right behind:
//
//	worker                                  pool
//	GET /{secret}/channel, Upgrade: cleat   101
//	next                                    the start is over
//	                                        {"id":"…","deadline":1700000000000,"length":13,…} + event
//	written                                 the output is: see type stream
//	response ID LENGTH + payload
//	error ID LENGTH TYPE + report
//	error init LENGTH TYPE + report         the start has failed
//	bye                                     closes the connection: all was read, the worker may end
//
// They mean what the resources of the Runtime API mean. Nothing is acknowledged: our runtimes have no use for it.
type channel struct {
	conn net.Conn
	in   *bufio.Reader
	done chan struct{} // closed when nothing more is read
}

const channelBuffer = 4 << 10 // bytes; it bounds a line

// event is the line with which a job comes.
type event struct {
	ID       string `json:"id"`
	Deadline int64  `json:"deadline"` // milliseconds since 1970
	ARN      string `json:"arn"`
	Trace    string `json:"trace"`
	Context  string `json:"context,omitempty"` // of the client: JSON
	Length   int    `json:"length"`
}

// send gives the worker a job, which it must be waiting for. What goes wrong shows in the worker's end, or in none coming.
func (c *channel) send(j *job) {
	head, err := json.Marshal(event{
		ID: j.requestID, Deadline: j.deadline.UnixMilli(), ARN: j.arn, Trace: j.trace, Context: string(j.context), Length: len(j.payload),
	})
	if err != nil {
		return // not reached: strings and numbers always marshal
	}
	_ = c.conn.SetWriteDeadline(j.deadline) // of a closed connection
	parts := net.Buffers{append(head, '\n'), j.payload}
	_, _ = parts.WriteTo(c.conn)
}

// message is a line of a worker's.
type message struct {
	kind    string
	id      string // of the request
	length  int64  // of the body
	errType string
}

// parseMessage reads a line, without its end.
func parseMessage(line string) (message, error) {
	kind, rest, _ := strings.Cut(line, " ")
	m := message{kind: kind}
	switch kind {
	case "written", "next", "bye":
		if line != kind {
			return message{}, fmt.Errorf("a runtime said %q, with more than one word", line)
		}
		return m, nil
	case "response", "error":
	default:
		return message{}, fmt.Errorf("a runtime said %q, which is none of its words", line)
	}
	var length string
	m.id, rest, _ = strings.Cut(rest, " ")
	length, m.errType, _ = strings.Cut(rest, " ")
	n, err := strconv.ParseUint(length, 10, 62)
	if err != nil {
		return message{}, fmt.Errorf("a runtime said %q, whose length is no number: %w", line, err)
	}
	m.length = int64(n)
	return m, nil
}

// serveChannel turns a request into the worker's channel and reads it to its end.
func (w *worker) serveChannel(rw http.ResponseWriter) {
	h, ok := rw.(http.Hijacker)
	if !ok || w.plan.language == languageOther {
		apiError(rw, http.StatusNotFound, "NotFound", "no such resource")
		return
	}
	w.mu.Lock()
	taken := w.channel != nil || w.ending
	c := &channel{done: make(chan struct{})}
	if !taken {
		w.channel = c
	}
	w.mu.Unlock()
	if taken {
		apiError(rw, http.StatusForbidden, "InvalidStateTransition", "the worker has its channel")
		return
	}
	defer close(c.done)
	conn, buffered, err := h.Hijack()
	if err != nil {
		w.lost(err)
		return
	}
	defer func() { _ = conn.Close() }() // all was read
	w.mu.Lock()
	c.conn = conn
	if w.ending {
		_ = conn.SetDeadline(time.Now().Add(flushGrace))
	}
	w.mu.Unlock()
	if c.in = buffered.Reader; c.in.Size() < channelBuffer {
		c.in = bufio.NewReaderSize(c.in, channelBuffer)
	}
	if _, err := io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: cleat\r\n\r\n"); err != nil {
		w.lost(err)
		return
	}
	if err := w.listen(c); err != nil && !errors.Is(err, io.EOF) {
		w.lost(err)
	}
}

// lost notes how a channel ended that should not have. The worker ends without it.
func (w *worker) lost(err error) {
	w.function.pool.log.Debug("channel of a worker", "function", w.def.Name, "err", err)
}

// listen takes what the worker says, until it has said all.
func (w *worker) listen(c *channel) error {
	for {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			return err
		}
		m, err := parseMessage(string(line[:len(line)-1]))
		if err != nil {
			return err
		}
		switch {
		case m.kind == "bye":
			return nil
		case m.kind == "written":
			w.written()
		case m.kind == "next":
			w.park()
		case m.kind == "response" && m.length > maxResponse:
			w.answer(m.id, w.tooLargeOutcome())
			if _, err := io.CopyN(io.Discard, c.in, m.length); err != nil {
				return err
			}
		case m.kind == "response":
			body, err := c.body(m.length, maxResponse)
			if err != nil {
				return err
			}
			w.answer(m.id, outcome{payload: body})
		default:
			body, err := c.body(m.length, maxErrorBody)
			if err != nil {
				return err
			}
			if o := w.reportedOutcome(body, m.errType); m.id == markInit {
				w.failStart(o)
			} else {
				w.answer(m.id, o)
			}
		}
	}
}

// body reads a body, and keeps as much of it as the limit allows.
func (c *channel) body(length, limit int64) ([]byte, error) {
	b := make([]byte, min(length, limit))
	if _, err := io.ReadFull(c.in, b); err != nil {
		return nil, err
	}
	_, err := io.CopyN(io.Discard, c.in, length-int64(len(b)))
	return b, err
}

// endChannel reads what the worker said before its process ended, and ends the channel.
func (w *worker) endChannel() {
	w.mu.Lock()
	w.ending = true
	c := w.channel
	if c != nil && c.conn != nil {
		_ = c.conn.SetDeadline(time.Now().Add(flushGrace)) // else who else holds the connection could keep it open
	}
	w.mu.Unlock()
	if c != nil {
		<-c.done
	}
}
