package controlapi

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"time"

	"cleat/internal/awsapi"
)

// streamTime bounds how long the reader of a stream may take for the next piece.
const streamTime = 30 * time.Second

// stream answers with what the answer's Stream writes.
func (h *Handler) stream(w http.ResponseWriter, op *operation, answer Answer, c *Call) {
	awsapi.SetRequestIDs(w.Header(), c.RequestID)
	maps.Copy(w.Header(), answer.Header)
	w.WriteHeader(answer.Status)
	err := answer.Stream(c.Context, &patient{w, http.NewResponseController(w)})
	if err == nil {
		return
	}
	if !errors.Is(err, context.Canceled) {
		h.o.Log.Warn("an answer of the control plane ended early", "operation", op.Name, "request_id", string(c.RequestID), "err", err)
	}
	panic(http.ErrAbortHandler) // net/http's way to cut a connection
}

// patient writes with a deadline for each piece.
type patient struct {
	http.ResponseWriter
	control *http.ResponseController
}

func (p *patient) Write(b []byte) (int, error) {
	if err := p.control.SetWriteDeadline(time.Now().Add(streamTime)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, err
	}
	return p.ResponseWriter.Write(b)
}
