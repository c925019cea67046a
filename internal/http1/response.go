package http1

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// response is the http.ResponseWriter of one request. What goes out is what net/http sends: how an answer is framed, and
// which lines its head gets that its handler did not write, is decided as it decides it.
//
//	Write -> body (2 KB, so that a short answer gets its Content-Length) -> chunks -> conn.out -> the connection
type response struct {
	c *conn
	x *exchange

	head       bool // the request's method is HEAD
	wantsClose bool // the request says that the connection ends with the answer

	header        http.Header
	body          *bufio.Writer // of chunks; nil until something is written
	wrote         bool          // WriteHeader was called: status and header stand
	sent          bool          // the head is in out
	done          bool          // the handler has returned
	chunked       bool
	closeAfter    bool // the connection ends with the answer
	status        int
	contentLength int64 // as the header says; -1 when it does not
	written       int64
	err           error // of the first write that failed
	said          said
}

var (
	_ http.ResponseWriter = (*response)(nil)
	_ http.Flusher        = (*response)(nil)
	_ http.Hijacker       = (*response)(nil)
	_ io.StringWriter     = (*response)(nil)
)

// Header implements http.ResponseWriter.
func (w *response) Header() http.Header {
	if w.header == nil {
		w.header = make(http.Header, 4)
	}
	return w.header
}

// WriteHeader implements http.ResponseWriter.
func (w *response) WriteHeader(status int) {
	switch {
	case w.c.taken:
		w.c.server.Log.Debug("WriteHeader on a connection that was taken over", "status", status)
		return
	case w.wrote:
		w.c.server.Log.Debug("superfluous WriteHeader", "status", status)
		return
	case status < 100 || status > 999:
		panic(fmt.Sprintf("invalid WriteHeader code %v", status))
	case status < 200 && status != http.StatusSwitchingProtocols:
		w.inform(status)
		return
	}
	w.wrote, w.status = true, status
	w.c.out = w.said.appendHead(w.c.out, status, w.header)
	if cl := w.said.contentLength.value; cl != "" {
		n, err := strconv.ParseInt(cl, 10, 64)
		if err != nil || n < 0 {
			w.c.server.Log.Debug("invalid Content-Length of an answer", "value", cl)
			return
		}
		w.contentLength = n
	}
}

// inform sends an informational answer ahead of the real one (RFC 9110 §15.2).
func (w *response) inform(status int) {
	out := bytes.NewBuffer(appendStatus(w.c.out, status))
	_ = w.header.WriteSubset(out, map[string]bool{"Content-Length": true, "Transfer-Encoding": true}) // a buffer takes all
	out.WriteString("\r\n")
	w.c.out = out.Bytes()
	_ = w.flush() // err keeps what went wrong
}

// Write implements http.ResponseWriter.
func (w *response) Write(p []byte) (int, error) {
	if err := w.begin(len(p)); err != nil || len(p) == 0 {
		return 0, err
	}
	return w.body.Write(p)
}

// WriteString implements io.StringWriter.
func (w *response) WriteString(s string) (int, error) {
	if err := w.begin(len(s)); err != nil || s == "" {
		return 0, err
	}
	return w.body.WriteString(s)
}

// begin prepares for so many bytes of the body.
func (w *response) begin(n int) error {
	switch {
	case w.c.taken:
		return http.ErrHijacked
	case w.done:
		return errLate
	}
	if !w.wrote {
		w.WriteHeader(http.StatusOK)
	}
	switch {
	case n == 0:
		return nil
	case !hasBody(w.status):
		return http.ErrBodyNotAllowed
	}
	w.written += int64(n)
	if w.contentLength != -1 && w.written > w.contentLength {
		return http.ErrContentLength
	}
	if w.body == nil {
		w.body, _ = writers.Get().(*bufio.Writer)
		w.body.Reset((*chunks)(w))
	}
	return nil
}

var errLate = errors.New("http1: the answer is used after its handler has returned")

// writers are those of 2 KB that stand in front of the chunks: past that an answer without a Content-Length is chunked.
var writers = sync.Pool{New: func() any { return bufio.NewWriterSize(nil, 2<<10) }}

// Flush implements http.Flusher.
func (w *response) Flush() { _ = w.FlushError() } // who wants to know calls FlushError

// FlushError sends what was written so far. http.ResponseController calls it.
func (w *response) FlushError() error {
	switch {
	case w.c.taken:
		return http.ErrHijacked
	case w.done:
		return errLate
	}
	if !w.wrote {
		w.WriteHeader(http.StatusOK)
	}
	if w.body != nil {
		_ = w.body.Flush() // err keeps what went wrong
	}
	if !w.sent {
		w.sendHead(nil)
	}
	return w.flush()
}

// SetReadDeadline is called by http.ResponseController.
func (w *response) SetReadDeadline(t time.Time) error { return w.c.nc.SetReadDeadline(t) }

// SetWriteDeadline is called by http.ResponseController.
func (w *response) SetWriteDeadline(t time.Time) error { return w.c.nc.SetWriteDeadline(t) }

// Take is Hijack for who needs no buffers: rest is what was read of the connection and not used. A connection that is
// returned has no deadlines.
func (w *response) Take() (nc net.Conn, rest []byte, err error) {
	if w.done {
		panic("http1: a connection was taken over after its handler had returned")
	}
	if w.wrote {
		if !w.sent {
			w.sendHead(nil)
		}
		_ = w.flush() // the connection's next user finds out
	}
	return w.c.take()
}

// Hijack implements http.Hijacker.
func (w *response) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	nc, rest, err := w.Take()
	if err != nil {
		return nil, nil, err
	}
	in := bufio.NewReader(nc)
	if len(rest) > 0 {
		in = bufio.NewReaderSize(io.MultiReader(bytes.NewReader(rest), nc), bufferSize)
		if _, err := in.Peek(len(rest)); err != nil {
			return nil, nil, errors.Join(err, nc.Close())
		}
	}
	return nc, bufio.NewReadWriter(in, bufio.NewWriter(nc)), nil
}

// finish ends the answer once the handler has returned; false when the connection cannot go on.
func (w *response) finish() bool {
	w.done = true
	if !w.wrote {
		w.WriteHeader(http.StatusOK)
	}
	if w.body != nil {
		_ = w.body.Flush() // err keeps what went wrong
		w.body.Reset(nil)
		writers.Put(w.body)
		w.body = nil
	}
	if !w.sent {
		w.sendHead(nil)
	}
	if w.chunked {
		w.c.out = append(w.c.out, "0\r\n\r\n"...)
	}
	if w.flush() != nil || w.closeAfter {
		return false
	}
	// Less than was announced: nobody could tell where the next answer begins.
	return w.head || w.contentLength == -1 || !hasBody(w.status) || w.contentLength == w.written
}

// flush sends what is in out.
func (w *response) flush() error {
	out := w.c.out
	w.c.out = out[:0]
	if w.err != nil || len(out) == 0 {
		return w.err
	}
	w.send(out)
	return w.err
}

// send sends bytes. The first failure ends the request's context, as a client's end does.
func (w *response) send(p []byte) {
	if _, w.err = w.c.nc.Write(p); w.err != nil {
		w.x.ctx.end()
	}
}

// chunks is a response as the buffer of its body writes to it: it frames.
type chunks response

// Write implements io.Writer.
func (k *chunks) Write(p []byte) (int, error) {
	w := (*response)(k)
	if !w.sent {
		w.sendHead(p)
	}
	if w.head {
		return len(p), nil
	}
	if w.chunked {
		w.c.out = append(strconv.AppendInt(w.c.out, int64(len(p)), 16), "\r\n"...)
	}
	if len(p) > bufferSize {
		if w.flush() == nil {
			w.send(p)
		}
	} else {
		w.c.out = append(w.c.out, p...)
	}
	if w.chunked {
		w.c.out = append(w.c.out, "\r\n"...)
	}
	if len(w.c.out) >= bufferSize {
		_ = w.flush() // which is in err
	}
	if w.err != nil {
		return 0, w.err
	}
	return len(p), nil
}

// sendHead decides how the answer is framed and puts its head into out. p is the beginning of the body; when the handler
// has returned it is all of it.
func (w *response) sendHead(p []byte) {
	w.sent = true
	said, body := &w.said, hasBody(w.status)
	keeps := !w.c.server.draining()
	var added [5]struct{ name, value string } // in net/http's order
	const date, length, kind, connection, coding = 0, 1, 2, 3, 4
	hasCoding := said.coding.value != ""

	hasLength := w.contentLength != -1
	if w.done && !hasCoding && body && !said.contentLength.there && (!w.head || len(p) > 0) {
		hasLength, w.contentLength = true, int64(len(p))
		added[length].value = strconv.Itoa(len(p))
	}
	if w.wantsClose || said.connection.value == "close" || !keeps {
		w.closeAfter = true
	}
	if !w.closeAfter && !w.x.body.settle() {
		w.closeAfter = true
	}

	drop := dropped{}
	if body {
		if !said.encoded && !said.kind.there && !hasCoding && len(p) > 0 {
			added[kind].value = http.DetectContentType(p)
		}
	} else {
		drop.contentLength, drop.coding = true, true
		drop.kind = w.status == http.StatusNotModified
	}
	if !said.date {
		added[date].value = dateNow()
	}
	if hasLength && hasCoding && said.coding.value != "identity" {
		drop.contentLength, hasLength = true, false
	}
	switch {
	case w.head || !body:
		drop.coding = true
	case hasLength:
		drop.coding = true
	case said.coding.value == "identity":
		w.closeAfter, drop.coding = true, true
	default:
		w.chunked = true
		added[coding].value = "chunked"
		drop.coding = drop.coding || said.coding.value == "chunked"
		drop.contentLength = true
	}
	if w.closeAfter && (!keeps || !said.saysClose) && !said.switches {
		drop.connection = true
		added[connection].value = "close"
	}

	out := said.drop(w.c.out, drop)
	added[date].name, added[length].name, added[kind].name = "Date", "Content-Length", "Content-Type"
	added[connection].name, added[coding].name = "Connection", "Transfer-Encoding"
	for _, line := range added {
		if line.value != "" {
			out = append(append(append(append(out, line.name...), ": "...), line.value...), "\r\n"...)
		}
	}
	w.c.out = append(out, "\r\n"...)
}

// hasBody tells whether an answer of a status can have a body (RFC 9110 §6.4.1).
func hasBody(status int) bool {
	return status > 199 && status != http.StatusNoContent && status != http.StatusNotModified
}

// isListed tells whether a word stands in a list of a header, loosely: blanks part items too.
func isListed(list, word string) bool {
	for item := range strings.FieldsFuncSeq(list, func(c rune) bool { return c == ' ' || c == ',' || c == '\t' }) {
		if len(item) == len(word) && strings.EqualFold(item, word) { // signs beyond ASCII that fold to its letters are longer
			return true
		}
	}
	return false
}
