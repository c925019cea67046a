package controlapi

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	"cleat/internal/apigw"
)

// readBody reads a request's body, at most atMost bytes of it.
func readBody(w http.ResponseWriter, r *http.Request, atMost int64) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, atMost))
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return nil, tooLarge(atMost, err)
	}
	if err != nil {
		return nil, &apigw.Error{Kind: apigw.KindBadRequest, Message: "The request's body could not be read", Err: err}
	}
	return body, nil
}

func tooLarge(atMost int64, err error) error {
	return &apigw.Error{Kind: apigw.KindPayloadTooLarge, Message: "Request body is larger than " + strconv.FormatInt(atMost, 10) + " bytes", Err: err}
}

// A body is read before its sender is known, for the signature covers it, and held while its operation is carried out. Whoever knows
// the ID of an access key, which is no secret, could otherwise have the node hold as many of the largest bodies as it has
// connections.
const (
	// freeBody is what a body may have that waits for nobody: nearly all have less.
	freeBody = 64 << 10
	// maxBodies bounds the bytes of all others together: two zip files of the greatest size, in base64, and some.
	maxBodies = 160 << 20
	// maxBodiesOfOne bounds those of one address, so that it cannot keep the others waiting.
	maxBodiesOfOne = maxBodies / 2
	// bodyPatience is how long a body waits for its turn.
	bodyPatience = 30 * time.Second
)

// bodies is the room that bodies have. The zero value is empty. It is safe for concurrent use.
type bodies struct {
	mu      sync.Mutex
	held    int64            // guarded by mu
	of      map[string]int64 // guarded by mu: by address
	changed chan struct{}    // guarded by mu: closed when room is made; nil: nobody waits
}

// reserve waits for room for the body of a request, and returns what gives it back.
func (b *bodies) reserve(r *http.Request, source string, atMost int64) (release func(), err error) {
	size := r.ContentLength
	switch {
	case size < 0:
		size = atMost // it does not say
	case size > atMost:
		return nil, tooLarge(atMost, nil)
	}
	if size <= freeBody {
		return func() {}, nil
	}
	ctx, cancel := context.WithTimeout(r.Context(), bodyPatience)
	defer cancel()
	for {
		changed := b.take(source, size)
		if changed == nil {
			return func() { b.release(source, size) }, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, &apigw.Error{Kind: apigw.KindTooManyRequests, Message: "Too many large requests at once: try again later", Err: context.Cause(ctx)}
		}
	}
}

// take takes room, or returns what is closed when there may be some. A body that would never fit takes all there is.
func (b *bodies) take(source string, size int64) (changed <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.held > 0 && b.held+size > maxBodies || b.of[source] > 0 && b.of[source]+size > maxBodiesOfOne {
		if b.changed == nil {
			b.changed = make(chan struct{})
		}
		return b.changed
	}
	if b.of == nil {
		b.of = map[string]int64{}
	}
	b.held += size
	b.of[source] += size
	return nil
}

func (b *bodies) release(source string, size int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.held -= size
	if b.of[source] -= size; b.of[source] == 0 {
		delete(b.of, source)
	}
	if b.changed != nil {
		close(b.changed)
		b.changed = nil
	}
}
