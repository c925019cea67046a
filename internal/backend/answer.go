package backend

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"time"
)

// answerReader reads the answer to a call.
type answerReader struct {
	c        *plainConn
	ctx      context.Context //nolint:containedctx // it lives for this call
	deadline time.Time       // of the whole call; zero: when ctx ends
	hurried  bool            // the connection's deadline is an earlier one, that of the head
	method   string          // of the request
	maxBody  int             // bytes; a longer one is an error, or under discard not read to its end
	discard  bool            // nobody wants the body
	buf      []byte          // room to read into
	got      bool            // something came
	request  *Request        // yields before more is waited for; nil: it has
}

// read reads the answer, of which the first read gave n bytes and err; again says that it was read to its end and that the
// connection stays open.
func (a *answerReader) read(n int, err error) (_ *Response, again bool, _ error) {
	for {
		if a.got = n > 0; !a.got && err != nil {
			return nil, false, err
		}
		head, v := parseHead(a.buf[:n], a.method)
		switch {
		case v == plainHead:
			return a.body(&head, a.buf[head.size:n])
		case v == otherHead, err != nil, n == len(a.buf):
			a.request.yield()
			return a.other(&rest{c: a.c, left: a.buf[:n], err: err, limit: maxResponseHeader})
		}
		a.request.yield()
		var m int
		m, err = a.c.Read(a.buf[n:])
		n += m
	}
}

// body reads the body behind a plain head, of which some came with it.
func (a *answerReader) body(h *answerHead, came []byte) (_ *Response, again bool, _ error) {
	again = int64(len(came)) <= h.length // more would be an answer to nothing
	came = came[:min(int64(len(came)), h.length)]
	missing := h.length - int64(len(came))
	if !a.discard && h.length > int64(a.maxBody) {
		return nil, false, tooLong(h.length, a.maxBody)
	}
	if missing > 0 {
		a.request.yield()
		if err := a.relax(); err != nil {
			return nil, false, err
		}
	}
	out := &Response{Status: h.status}
	if a.discard {
		out.Header = append(Header(nil), h.lines...)
		most := max(int64(a.maxBody)-int64(len(came)), 0)
		for left := min(missing, most); left > 0; {
			n, err := a.c.Read(a.buf[:min(left, int64(len(a.buf)))])
			missing -= int64(n)
			if left -= int64(n); err != nil && left > 0 {
				return nil, false, broken(h.length, int(h.length-missing), ended(err))
			}
		}
		return out, again && missing == 0, nil
	}
	kept := make([]byte, len(h.lines)+int(h.length))
	n := copy(kept, h.lines)
	out.Header, out.Body = Header(kept[:n:n]), kept[n:]
	n = copy(out.Body, came)
	if missing > 0 {
		m, err := io.ReadFull(a.c, out.Body[n:])
		if err != nil {
			return nil, false, broken(h.length, n+m, ended(err))
		}
	}
	return out, again, nil
}

// ended is the end of the bytes within a body.
func ended(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// relax gives the connection the deadline of the whole call, once the head is there.
func (a *answerReader) relax() error {
	if !a.hurried {
		return nil
	}
	a.hurried = false
	return a.c.limitRead(a.ctx, a.deadline)
}

// other has net/http read an answer, interim ones before it included, as its Transport does. To close the body would be to
// read what is left of it.
func (a *answerReader) other(from *rest) (_ *Response, again bool, _ error) {
	in := bufio.NewReader(from)
	req := &http.Request{Method: a.method}
	resp, err := http.ReadResponse(in, req) //nolint:bodyclose // see above
	for err == nil && resp.StatusCode < 200 && resp.StatusCode >= 100 && resp.StatusCode != http.StatusSwitchingProtocols {
		resp, err = http.ReadResponse(in, req) //nolint:bodyclose // see above
	}
	if err != nil {
		return nil, false, err
	}
	if resp.StatusCode == http.StatusSwitchingProtocols {
		return nil, false, errSwitched
	}
	from.limit = math.MaxInt64
	if err := a.relax(); err != nil {
		return nil, false, err
	}
	out := &Response{Status: resp.StatusCode, Header: headerOf(resp.Header)}
	var whole bool
	if out.Body, whole, err = readBody(resp, a.maxBody, a.discard); err != nil {
		return nil, false, err
	}
	return out, whole && !resp.Close && in.Buffered() == 0 && len(from.left) == 0, nil
}

// rest is what comes from a connection behind bytes that have been read.
type rest struct {
	c     *plainConn
	left  []byte
	err   error // of the read that gave them
	limit int64 // of the bytes to come, while they are those of heads
}

func (s *rest) Read(p []byte) (n int, err error) {
	if s.limit <= 0 {
		return 0, fmt.Errorf("its response headers exceeded %d bytes", maxResponseHeader)
	}
	p = p[:min(int64(len(p)), s.limit)]
	switch {
	case len(s.left) > 0:
		n = copy(p, s.left)
		s.left = s.left[n:]
	case s.err != nil:
		return 0, s.err
	default:
		n, err = s.c.Read(p)
	}
	s.limit -= int64(n)
	return n, err
}
