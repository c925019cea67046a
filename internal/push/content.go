package push

import (
	"io"
	"net/http"
	"slices"
	"sync"

	"cleat/internal/apigw"
)

// content is a request's body: it is read once, when somebody asks for it, into memory that is used again.
type content struct {
	get func() ([]byte, error) // read, bound once
	h   *Handler
	r   *http.Request

	asked bool
	lent  *[]byte
	bytes []byte
	err   error
}

// requested are contents that are used again: nobody may call get after release.
var requested = sync.Pool{New: func() any {
	c := &content{}
	c.get = c.read
	return c
}}

func (h *Handler) contentOf(r *http.Request) *content {
	c, _ := requested.Get().(*content)
	c.h, c.r = h, r
	return c
}

// contents are buffers for bodies, of at most keepContent bytes.
var contents = sync.Pool{New: func() any { return new([]byte) }}

const keepContent = 256 << 10

// read returns the body, which has at most the size of a message. It is good until release.
func (c *content) read() ([]byte, error) {
	if !c.asked {
		c.asked = true
		c.bytes, c.err = c.readAll()
	}
	return c.bytes, c.err
}

func (c *content) readAll() ([]byte, error) {
	limits := c.h.limits()
	most, size := int64(limits.MessageSize), c.r.ContentLength
	if size > most {
		return nil, tooLarge(limits)
	}
	var b []byte
	var err error
	if size < 0 { // chunked
		b, err = io.ReadAll(io.LimitReader(c.r.Body, most+1))
	} else {
		c.lent, _ = contents.Get().(*[]byte)
		b, err = readAsItComes(c.r.Body, (*c.lent)[:0], int(size))
		*c.lent = b
	}
	switch {
	case err != nil:
		return nil, &apigw.Error{Kind: apigw.KindBadRequest, Message: "The request body could not be read", Err: err}
	case int64(len(b)) > most:
		return nil, tooLarge(limits)
	}
	return b, nil
}

// untested is how many bytes of memory an announcement is worth.
const untested = 16 << 10

// readAsItComes reads so many bytes into b. A sender who announces much and sends nothing, whom nobody knows as yet, holds
// little memory: there is never more than twice of what has come.
func readAsItComes(r io.Reader, b []byte, size int) ([]byte, error) {
	for len(b) < size {
		have := len(b)
		next := min(size, max(untested, 2*have, cap(b)))
		b = slices.Grow(b, next-have)[:next]
		if n, err := io.ReadFull(r, b[have:]); err != nil {
			return b[:have+n], err
		}
	}
	return b, nil
}

// release takes the memory back. Nobody may look at the body any more.
func (c *content) release() {
	if c.lent != nil && cap(*c.lent) <= keepContent {
		contents.Put(c.lent)
	}
	*c = content{get: c.get}
	requested.Put(c)
}
