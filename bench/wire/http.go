package wire

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Response is one HTTP/1.1 response. Its body lies in the bytes that it was parsed from, or, when it was chunked, is a copy.
type Response struct {
	Status int
	Body   []byte
	Close  bool // the server closes the connection behind it
}

// ParseResponse takes the first response of b apart. n is how many bytes it has, 0 when it is not whole yet. A body must
// have a Content-Length or be chunked; a status without one (1xx, 204, 304) has none.
func ParseResponse(b []byte) (r Response, n int, err error) {
	end := bytes.Index(b, []byte("\r\n\r\n"))
	if end < 0 {
		if len(b) > 64<<10 {
			return r, 0, errors.New("the head of a response is longer than 64 KB")
		}
		return r, 0, nil
	}
	head, rest := b[:end+2], b[end+4:]
	if len(head) < len("HTTP/1.1 200") {
		return r, 0, fmt.Errorf("no HTTP response: %q", head)
	}
	r.Status, err = strconv.Atoi(string(head[9:12]))
	if err != nil {
		return r, 0, fmt.Errorf("no HTTP response: %q", head)
	}
	length, chunked, last := framing(head)
	r.Close = last
	switch {
	case chunked:
		var used int
		if r.Body, used, err = chunks(rest); err != nil || used == 0 {
			return r, 0, err
		}
		return r, end + 4 + used, nil
	case r.Status < 200 || r.Status == 204 || r.Status == 304:
		return r, end + 4, nil
	case length < 0:
		return r, 0, errors.New("a response without a length")
	case len(rest) < length:
		return r, 0, nil
	default:
		r.Body = rest[:length]
		return r, end + 4 + length, nil
	}
}

// framing reads what tells the length of a body; length is -1 where nothing does. last tells that the connection ends.
func framing(head []byte) (length int, chunked, last bool) {
	length = -1
	for len(head) > 0 {
		line, rest, _ := bytes.Cut(head, []byte("\r\n"))
		head = rest
		switch c := line; {
		case len(c) >= 11 && bytes.EqualFold(c[:11], []byte("connection:")):
			last = bytes.Contains(bytes.ToLower(c), []byte("close"))
		case len(c) < len("Content-Length:"):
		case c[0]|0x20 == 'c' && bytes.EqualFold(c[:15], []byte("content-length:")):
			if v, err := strconv.Atoi(string(bytes.TrimSpace(c[15:]))); err == nil && v >= 0 {
				length = v
			}
		case c[0]|0x20 == 't' && strings.EqualFold(string(c[:min(len(c), 18)]), "transfer-encoding:"):
			chunked = bytes.Contains(bytes.ToLower(c), []byte("chunked"))
		}
	}
	return length, chunked, last
}

// chunks puts a chunked body together (RFC 9112 §7.1); used is 0 when it is not whole. Trailers are not expected.
func chunks(b []byte) (body []byte, used int, err error) {
	for {
		line, rest, ok := bytes.Cut(b[used:], []byte("\r\n"))
		if !ok {
			return nil, 0, nil
		}
		size, err := strconv.ParseUint(string(bytes.TrimSpace(line)), 16, 20)
		if err != nil {
			return nil, 0, fmt.Errorf("chunk of %q bytes", line)
		}
		if uint64(len(rest)) < size+2 {
			return nil, 0, nil
		}
		body = append(body, rest[:size]...)
		used += len(line) + 2 + int(size) + 2
		if size == 0 {
			return body, used, nil
		}
	}
}
