//go:build linux

// Package backend is the bench's HTTP backend, to which the servers under test pass messages on. It answers POST
// requests on one thread at a few microseconds each, so that what is measured is the server. Every server can have routes
// of its own on it (peer.Router). It understands as much of HTTP/1.1 as the servers send: requests with a Content-Length
// or in chunks, one after the other on connections that are kept.
package backend

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"cleat/bench/evloop"
	"cleat/bench/peer"
)

// Routes that every backend has.
const (
	PathEcho = "/echo" // answers with the request's body
	PathOK   = "/ok"   // answers 200 with "{}"
)

func ownRoutes() []peer.Route {
	return []peer.Route{
		{Path: PathEcho, Answer: func(_ string, _ func(string) string, body []byte) (int, []string, []byte) {
			return http.StatusOK, nil, body
		}},
		{Path: PathOK, Answer: func(string, func(string) string, []byte) (int, []string, []byte) {
			return http.StatusOK, nil, []byte("{}")
		}},
	}
}

// Serve answers at addr until ctx ends, after it has written the address, which is of use when the port is 0, and a line's
// end to out.
func Serve(ctx context.Context, addr string, routes []peer.Route, out io.Writer) (err error) {
	h := &handler{routes: append(ownRoutes(), routes...)}
	loop, err := evloop.New(h)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, loop.Close()) }()
	at, err := loop.Listen(addr)
	if err != nil {
		return err
	}
	if err := evloop.Pin(); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(out, at); err != nil {
		return err
	}
	for ctx.Err() == nil {
		if err := loop.Poll(100 * time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

type handler struct {
	routes []peer.Route
	answer []byte
}

// Opened is evloop.Handler's.
func (h *handler) Opened(*evloop.Conn, error) {}

// Closed is evloop.Handler's.
func (h *handler) Closed(*evloop.Conn, error) {}

// Data is evloop.Handler's.
func (h *handler) Data(c *evloop.Conn, b []byte) (used int) {
	h.answer = h.answer[:0]
	for used < len(b) {
		r, n, err := parse(b[used:])
		if err != nil {
			c.Close()
			return len(b)
		}
		if n == 0 {
			break
		}
		used += n
		h.answer = h.respond(h.answer, r)
	}
	if len(h.answer) > 0 {
		_ = c.Write(h.answer) // whoever is gone needs no answer
	}
	return used
}

func (h *handler) respond(dst []byte, r request) []byte {
	status, lines, body := http.StatusNotFound, []string(nil), []byte(nil)
	for _, route := range h.routes {
		if r.path == route.Path || strings.HasSuffix(route.Path, "/") && strings.HasPrefix(r.path, route.Path) {
			status, lines, body = route.Answer(r.path, r.header, r.body)
			break
		}
	}
	dst = append(dst, "HTTP/1.1 "...)
	dst = strconv.AppendInt(dst, int64(status), 10)
	dst = append(dst, ' ')
	dst = append(dst, http.StatusText(status)...)
	typed := false
	for _, line := range lines {
		dst = append(append(dst, "\r\n"...), line...)
		typed = typed || len(line) > 13 && strings.EqualFold(line[:13], "content-type:")
	}
	if !typed {
		dst = append(dst, "\r\nContent-Type: application/json"...)
	}
	dst = append(dst, "\r\nContent-Length: "...)
	dst = strconv.AppendInt(dst, int64(len(body)), 10)
	return append(append(dst, "\r\n\r\n"...), body...)
}

// request is one request; it lies in the bytes that it was parsed from.
type request struct {
	path string
	head []byte // its header lines
	body []byte
}

// header returns a header's value, "" when there is none.
func (r *request) header(name string) string {
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

// parse takes the first request of b. n is how many bytes it has, 0 when it is not whole yet.
func parse(b []byte) (r request, n int, err error) {
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
	r.path, r.head = string(path), rest
	n = end + 4
	if v := r.header("Transfer-Encoding"); v != "" {
		body, used, err := chunks(b[n:])
		if err != nil || used == 0 {
			return r, 0, err
		}
		r.body = body
		return r, n + used, nil
	}
	v := r.header("Content-Length")
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
	r.body = b[n : n+length]
	return r, n + length, nil
}

// chunks puts a chunked body together (RFC 9112 §7.1); used is 0 when it is not whole. Trailers are not expected.
func chunks(b []byte) (body []byte, used int, err error) {
	for {
		line, rest, ok := bytes.Cut(b[used:], []byte("\r\n"))
		if !ok {
			return nil, 0, nil
		}
		size, err := strconv.ParseUint(string(line), 16, 20)
		if err != nil {
			return nil, 0, fmt.Errorf("a chunk of %q bytes", line)
		}
		if uint64(len(rest)) < size+2 {
			return nil, 0, nil
		}
		body = append(body, rest[:size]...)
		used += len(line) + 2 + int(size) + 2 //nolint:gosec // G115: at most 1 MB
		if size == 0 {
			return body, used, nil
		}
	}
}
