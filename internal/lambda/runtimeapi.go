package lambda

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// serveRuntimeAPI is the Runtime API of all workers (spec lambda §3). A worker's address is host:port/secret, so that
// the path tells which one calls and nobody else on the machine, nor a web page, can.
//
//	worker                                            pool
//	GET  /{secret}/2018-06-01/runtime/invocation/next       ...waits...   200 event
//	POST /{secret}/2018-06-01/runtime/invocation/{id}/response            202 {"status":"OK"}
//	POST /{secret}/2018-06-01/runtime/invocation/{id}/error               202 {"status":"OK"}
//	POST /{secret}/2018-06-01/runtime/init/error                          202 {"status":"OK"}
//	GET  /{secret}/channel (see type channel)                             101
func (p *Pool) serveRuntimeAPI(rw http.ResponseWriter, r *http.Request) {
	secret, path, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	p.mu.Lock()
	w := p.workers[secret]
	p.mu.Unlock()
	if w == nil {
		apiError(rw, http.StatusForbidden, "Forbidden", "unknown worker")
		return
	}
	if path == "channel" {
		w.serveChannel(rw)
		return
	}
	resource, ok := strings.CutPrefix(path, "2018-06-01/runtime/")
	id, isResponse := strings.CutSuffix(resource, "/response")
	errID, isError := strings.CutSuffix(resource, "/error")
	switch {
	case !ok:
		apiError(rw, http.StatusNotFound, "NotFound", "no such resource")
	case resource == "invocation/next" && r.Method == http.MethodGet:
		w.serveNext(rw, r)
	case r.Method != http.MethodPost:
		apiError(rw, http.StatusNotFound, "NotFound", "no such resource")
	case resource == "init/error":
		w.serveInitError(rw, r)
	case isResponse:
		w.serveResponse(rw, r, strings.TrimPrefix(id, "invocation/"))
	case isError:
		w.serveError(rw, r, strings.TrimPrefix(errID, "invocation/"))
	default:
		apiError(rw, http.StatusNotFound, "NotFound", "no such resource")
	}
}

func (w *worker) serveNext(rw http.ResponseWriter, r *http.Request) {
	w.park()
	select {
	case j := <-w.jobs:
		h := rw.Header()
		h.Set("Content-Type", "application/json")
		h.Set("Content-Length", strconv.Itoa(len(j.payload)))
		h.Set("Lambda-Runtime-Aws-Request-Id", j.requestID)
		h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(j.deadline.UnixMilli(), 10))
		h.Set("Lambda-Runtime-Invoked-Function-Arn", j.arn)
		h.Set("Lambda-Runtime-Trace-Id", j.trace)
		if len(j.context) > 0 {
			h.Set("Lambda-Runtime-Client-Context", string(j.context))
		}
		rw.WriteHeader(http.StatusOK)
		_, _ = rw.Write(j.payload) // a worker that is gone is noticed by its exit
	case <-r.Context().Done():
	case <-w.exited:
	}
}

func (w *worker) serveResponse(rw http.ResponseWriter, r *http.Request, requestID string) {
	body, err := readBody(r, maxResponse)
	if err != nil {
		apiError(rw, http.StatusBadRequest, "BadRequest", "read the response: "+err.Error())
		return
	}
	tooLarge := len(body) > maxResponse
	o := outcome{payload: body}
	if tooLarge {
		o = w.tooLargeOutcome()
	}
	switch {
	case !w.answer(requestID, o):
		apiError(rw, http.StatusBadRequest, "InvalidRequestID", "Invalid request ID")
	case tooLarge:
		apiError(rw, http.StatusRequestEntityTooLarge, "RequestEntityTooLarge", "Exceeded maximum allowed payload size ("+strconv.Itoa(maxResponse)+" bytes).")
	default:
		accepted(rw)
	}
}

func (w *worker) serveError(rw http.ResponseWriter, r *http.Request, requestID string) {
	body, err := readBody(r, maxErrorBody)
	if err != nil {
		apiError(rw, http.StatusBadRequest, "BadRequest", "read the error: "+err.Error())
		return
	}
	errType := r.Header.Get("Lambda-Runtime-Function-Error-Type")
	if !w.answer(requestID, w.reportedOutcome(body, errType)) {
		apiError(rw, http.StatusBadRequest, "InvalidRequestID", "Invalid request ID")
		return
	}
	accepted(rw)
}

func (w *worker) serveInitError(rw http.ResponseWriter, r *http.Request) {
	body, err := readBody(r, maxErrorBody)
	if err != nil {
		apiError(rw, http.StatusBadRequest, "BadRequest", "read the error: "+err.Error())
		return
	}
	if w.failStart(w.reportedOutcome(body, r.Header.Get("Lambda-Runtime-Function-Error-Type"))) {
		accepted(rw)
	} else {
		apiError(rw, http.StatusForbidden, "InvalidStateTransition", "the failure was reported already")
	}
}

// readBody reads a body up to one byte beyond the limit. The rest, if it is not endless, is read and thrown away, so that
// the worker hears the answer and keeps its connection.
func readBody(r *http.Request, limit int64) ([]byte, error) {
	var b bytes.Buffer
	if n := r.ContentLength; n > 0 && n <= limit {
		b.Grow(int(n) + bytes.MinRead)
	}
	if _, err := b.ReadFrom(io.LimitReader(r.Body, limit+1)); err != nil {
		return nil, err
	}
	if int64(b.Len()) > limit {
		if _, err := io.Copy(io.Discard, io.LimitReader(r.Body, maxDiscard)); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), nil
}

func accepted(rw http.ResponseWriter) {
	rw.Header().Set("Content-Type", "application/json")
	rw.Header().Set("Content-Length", "16")
	rw.WriteHeader(http.StatusAccepted)
	_, _ = io.WriteString(rw, `{"status":"OK"}`+"\n") // as above
}

func apiError(rw http.ResponseWriter, status int, errType, message string) {
	body, err := json.Marshal(map[string]string{"errorMessage": message, "errorType": errType})
	if err != nil {
		status, body = http.StatusInternalServerError, nil // not reached: strings always marshal
	}
	rw.Header().Set("Content-Type", "application/json")
	rw.Header().Set("Content-Length", strconv.Itoa(len(body)))
	rw.WriteHeader(status)
	_, _ = rw.Write(body) // as above
}
