package wire

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Request is one HTTP/1.1 request; it lies in the bytes that it was parsed from.
type Request struct {
	Path string // without the query
	Body []byte

	head []byte // its header lines
}

// Header returns a header's value, "" when there is none.
func (r *Request) Header(name string) string {
	for head := r.head; len(head) > 0; {
		line, rest, _ := bytes.Cut(head, []byte("\r\n"))
		head = rest
		if len(line) > len(name) && line[len(name)] == ':' && strings.EqualFold(string(line[:len(name)]), name) {
			return string(bytes.TrimSpace(line[len(name)+1:]))
		}
	}
	return ""
}

// most is how long the head of a request, and its body, may be.
const most = 1 << 20

// ParseRequest takes the first request of b, whose body has a Content-Length or is chunked. n is how many bytes it has, 0 when it is not whole yet.
func ParseRequest(b []byte) (r Request, n int, err error) {
	end := bytes.Index(b, []byte("\r\n\r\n"))
	if end < 0 {
		if len(b) > most {
			return r, 0, errors.New("a request's head is too long")
		}
		return r, 0, nil
	}
	line, rest, _ := bytes.Cut(b[:end+2], []byte("\r\n"))
	_, target, ok := bytes.Cut(line, []byte(" "))
	if !ok {
		return r, 0, fmt.Errorf("no HTTP request: %q", line)
	}
	target, _, ok = bytes.Cut(target, []byte(" HTTP/1."))
	if !ok {
		return r, 0, fmt.Errorf("no HTTP/1 request: %q", line)
	}
	path, _, _ := bytes.Cut(target, []byte("?"))
	r.Path, r.head = string(path), rest
	n = end + 4
	if v := r.Header("Transfer-Encoding"); v != "" {
		body, used, err := chunks(b[n:])
		if err != nil || used == 0 {
			return r, 0, err
		}
		r.Body = body
		return r, n + used, nil
	}
	v := r.Header("Content-Length")
	if v == "" {
		return r, n, nil
	}
	length, err := strconv.Atoi(v)
	if err != nil || length < 0 || length > most {
		return r, 0, fmt.Errorf("a request's Content-Length is %q", v)
	}
	if len(b) < n+length {
		return r, 0, nil
	}
	r.Body = b[n : n+length]
	return r, n + length, nil
}
