package backend

import (
	"bytes"
	"context"
	"net"
)

// PlainRequest is a request as it is written without net/http; ok is false when it is not for that.
func PlainRequest(r *Request) (_ []byte, ok bool) {
	p := plainRequest{Request: r}
	if !p.prepare() {
		return nil, false
	}
	return p.append(nil), true
}

// NetHTTPRequest is the request as net/http writes it.
func NetHTTPRequest(r *Request) ([]byte, error) {
	req, err := newRequest(context.Background(), r)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = req.Write(&out)
	return out.Bytes(), err
}

// ReadAnswer reads an answer from c: the short way, or as net/http does. again says that another one may follow.
func ReadAnswer(c net.Conn, method string, maxBody int, discard, short bool) (_ *Response, again bool, _ error) {
	a := answerReader{c: &plainConn{Conn: c}, ctx: context.Background(), method: method, maxBody: maxBody, discard: discard, buf: make([]byte, bufferSize)}
	if short {
		return a.read(c.Read(a.buf))
	}
	return a.other(&rest{c: a.c, limit: maxResponseHeader})
}

// Connections counts the connections for plain HTTP, and the idle ones among them.
func (h *HTTP) Connections() (open, idle int) {
	h.pool.mu.Lock()
	defer h.pool.mu.Unlock()
	for _, host := range h.pool.hosts {
		open += host.open
		idle += len(host.idle)
	}
	return open, idle
}
