package lambda

import (
	"bufio"
	"io"
	"net/http"
	"os/exec"

	"cleat/internal/apigw"
)

// BoundQueue sets how many bytes of payload of one function may wait for a worker. No call may have been made yet.
func (p *Pool) BoundQueue(n int) { p.queue = n }

// CutLines is what a worker's output becomes that arrives in the given pieces, while the request with the given ID runs.
func CutLines(requestID string, pieces ...[]byte) []Line {
	var lines []Line
	p := &Pool{o: Options{Output: func(l Line) { lines = append(lines, l) }}}
	w := &worker{function: &function{pool: p}, plan: &plan{marks: true}, last: requestID}
	s := newStream(w, StreamStdout)
	for _, b := range pieces {
		if n, err := s.Write(b); n != len(b) || err != nil {
			return nil
		}
	}
	s.close()
	return lines
}

// CauseOf is the line for the log that an error report of a worker becomes.
func CauseOf(body []byte, errType string, def apigw.Function) (payload []byte, cause string) {
	w := &worker{def: def}
	o := w.reportedOutcome(body, errType)
	return o.payload, o.cause
}

// RuntimeAPI is what a worker with the given secret talks to. It has started, and nothing is left for it to do.
func RuntimeAPI(secret string) http.Handler {
	exited := make(chan struct{})
	close(exited)
	w := &worker{plan: &plan{}, parked: make(chan struct{}, 1), jobs: make(chan *job, 1), initError: make(chan outcome, 1), exited: exited}
	p := &Pool{workers: map[string]*worker{secret: w}}
	return http.HandlerFunc(p.serveRuntimeAPI)
}

// Heard is what a pool understood of what a worker of our own runtimes said, while the request with some ID ran.
type Heard struct {
	Payload     []byte // of the answer; nil without one
	Failed      bool
	StartFailed bool
	Parked      bool
}

// Listen hears a worker out.
func Listen(said io.Reader, requestID string) (h Heard, err error) {
	j := &job{requestID: requestID, answers: make(chan outcome, 1)}
	w := &worker{plan: &plan{language: languageNode}, cmd: &exec.Cmd{}, current: j, parked: make(chan struct{}, 1), initError: make(chan outcome, 1)}
	w.stdout, w.stderr = newStream(w, StreamStdout), newStream(w, StreamStderr)
	if err := w.openOutput(); err != nil {
		return h, err
	}
	defer w.closeOutput()
	err = w.listen(&channel{in: bufio.NewReaderSize(said, channelBuffer)})
	select {
	case o := <-j.answers:
		h.Payload, h.Failed = o.payload, o.failed
	default:
	}
	h.Parked, h.StartFailed = len(w.parked) > 0, len(w.initError) > 0
	return h, err
}
