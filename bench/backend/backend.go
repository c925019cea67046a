//go:build linux

// Package backend is the bench's HTTP backend, to which the servers under test pass messages on. It answers POST
// requests on one thread at a few microseconds each, so that what is measured is the server. Every server can have routes
// of its own on it (peer.Router). It understands as much of HTTP/1.1 as the servers send: requests with a Content-Length
// or in chunks, one after the other on connections that are kept.
package backend

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"

	"cleat/bench/evloop"
	"cleat/bench/peer"
	"cleat/bench/wire"
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
func Serve(ctx context.Context, addr string, routes []peer.Route, out io.Writer) error {
	return evloop.Serve(ctx, addr, &handler{routes: append(ownRoutes(), routes...)}, out)
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
		r, n, err := wire.ParseRequest(b[used:])
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

func (h *handler) respond(dst []byte, r wire.Request) []byte {
	status, lines, body := http.StatusNotFound, []string(nil), []byte(nil)
	for _, route := range h.routes {
		if r.Path == route.Path || strings.HasSuffix(route.Path, "/") && strings.HasPrefix(r.Path, route.Path) {
			status, lines, body = route.Answer(r.Path, r.Header, r.Body)
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
