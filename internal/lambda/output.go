package lambda

import (
	"bytes"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// Stream is where a line of output comes from.
type Stream string

// The streams.
const (
	StreamStdout   Stream = "stdout"
	StreamStderr   Stream = "stderr"
	StreamPlatform Stream = "platform" // START, END and REPORT lines; fit for the debug level
)

// Line is one line of a function's log.
type Line struct {
	Function  string
	RequestID string // of the invocation that wrote it; empty while the worker starts
	Stream    Stream
	Text      string // without its end of line, at most 32 KiB: longer lines come in pieces
	Time      time.Time
}

const (
	maxLine  = 32 << 10
	tailSize = 4 << 10 // of X-Amz-Log-Result (spec lambda §1)
	markInit = "init"
	maxMark  = 40 // bytes of a mark
	keepLast = 20 // lines of each stream kept for the cause of a crash
)

// stream cuts one output of a worker into lines. Write is called by one goroutine at a time.
//
// The output of an invocation is read before its answer is passed on. Our own runtimes say in their channel when all is
// written, and then nothing is left to do but to look into the pipes. Where the pool cannot, on Windows, they write NUL, the
// request ID (markInit once they have started) and a newline to both streams when an invocation is over; that mark is not
// shown.
type stream struct {
	w       *worker
	kind    Stream
	pipe    *pipe
	reading sync.Mutex // held while what was read from the pipe is taken in
	line    []byte

	mu   sync.Mutex
	last []string // lines, oldest first
}

func newStream(w *worker, kind Stream) *stream { return &stream{w: w, kind: kind} }

// Write implements io.Writer; it never fails.
func (s *stream) Write(b []byte) (int, error) {
	n := len(b)
	for len(b) > 0 {
		i := bytes.IndexByte(b, '\n')
		part := b
		if i >= 0 {
			part = b[:i]
		}
		s.line = append(s.line, part...)
		for len(s.line) > maxLine {
			cut := cutLine(s.line)
			s.emit(s.line[:cut])
			s.line = append(s.line[:0], s.line[cut:]...)
		}
		if i < 0 {
			break
		}
		s.endLine()
		b = b[i+1:]
	}
	return n, nil
}

// cutLine is how much of a line of more than maxLine bytes is its first piece: no more than maxLine, and neither a
// character nor a mark is split.
func cutLine(b []byte) int {
	n := maxLine
	for n > maxLine-utf8.UTFMax && !utf8.RuneStart(b[n]) {
		n--
	}
	if i := bytes.LastIndexByte(b[:n], 0); i > n-maxMark {
		n = i
	}
	return n
}

func (s *stream) endLine() {
	line := s.line
	s.line = s.line[:0]
	if i := bytes.LastIndexByte(line, 0); i >= 0 && s.w.marked(string(line[i+1:])) {
		if i > 0 {
			s.emit(line[:i]) // what the function left without an end of line
		}
		s.w.flushed(string(line[i+1:]))
		return
	}
	s.emit(line)
}

// close emits what is left without an end of line once the invocation or the process has ended.
func (s *stream) close() {
	if len(s.line) > 0 {
		s.emit(s.line)
		s.line = s.line[:0]
	}
}

func (s *stream) emit(line []byte) {
	text := strings.ToValidUTF8(string(bytes.TrimSuffix(line, []byte("\r"))), "\uFFFD")
	s.mu.Lock()
	if len(s.last) == keepLast {
		s.last = append(s.last[:0], s.last[1:]...)
	}
	s.last = append(s.last, text)
	s.mu.Unlock()
	s.w.emit(s.kind, text)
}

// lines are the last lines of the stream.
func (s *stream) lines() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.last...)
}

// emit passes a line on, with the invocation that is running or ran last.
func (w *worker) emit(kind Stream, text string) {
	w.mu.Lock()
	id, kept := w.last, w.tail
	w.mu.Unlock()
	if kept != nil {
		kept.add(text)
	}
	w.function.pool.o.Output(Line{Function: w.def.Name, RequestID: id, Stream: kind, Text: text, Time: time.Now()})
}

// marked tells whether a mark is one of our runtimes'.
func (w *worker) marked(requestID string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.plan.marks && requestID != "" && (requestID == w.last || requestID == markInit)
}

// written takes in all output of the invocation that was run last, or of the start, which lies in the pipes.
func (w *worker) written() {
	w.stdout.drain()
	w.stderr.drain()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.awaited != nil {
		close(w.awaited.flushed)
		w.awaited = nil
	}
}

// flushed notes that one of the two streams holds nothing more of an invocation.
func (w *worker) flushed(requestID string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.awaited == nil || w.awaited.requestID != requestID {
		return
	}
	w.awaited.marks++
	if w.awaited.marks == 2 {
		close(w.awaited.flushed)
		w.awaited = nil
	}
}

// tail keeps the end of an invocation's log.
type tail struct {
	mu   sync.Mutex
	kept []byte
}

func (t *tail) add(line string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(append(t.kept, line...), '\n')
	if over := len(t.kept) - tailSize; over > 0 {
		t.kept = append(t.kept[:0], t.kept[over:]...)
	}
}

func (t *tail) bytes() []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	return bytes.Clone(t.kept)
}
