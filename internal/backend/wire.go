package backend

import (
	"bytes"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
)

// maxPlainLines is how many headers a request may have to be written here.
const maxPlainLines = 64

// maxPlainBody is the longest body that is written before the answer is read. It fits into the buffers of both sockets, so
// that a backend that answers without reading keeps nobody waiting.
const maxPlainBody = 32 << 10

// plainRequest is a request that can be written as net/http writes it, byte for byte: Host, User-Agent, Content-Length, then
// the other lines by their names.
type plainRequest struct {
	*Request
	path, host, agent string
	counted           bool // it has a Content-Length, even without a body
	lines             int
	order             [maxPlainLines]uint8 // of the lines, all but those of Host and User-Agent
}

// prepare reports false for all that net/http has more to say about: https, users in URLs, what it refuses or changes, headers
// that frame the message.
func (p *plainRequest) prepare() bool {
	u := p.URL
	if u == nil || u.Scheme != "http" || u.Opaque != "" || u.User != nil || len(p.Body) > maxPlainBody || len(p.Header) > maxPlainLines {
		return false
	}
	switch p.Method {
	case http.MethodPost, http.MethodPut, http.MethodPatch:
		p.counted = true
	case http.MethodGet, http.MethodHead, http.MethodDelete, http.MethodOptions:
		p.counted = len(p.Body) > 0
	default:
		return false
	}
	p.path, p.host, p.agent = or(u.EscapedPath(), "/"), u.Host, "Go-http-client/1.1"
	for i := range p.Header {
		if !p.line(uint8(i)) {
			return false
		}
	}
	return plainHost(u.Host) && plainHost(p.host) && visible(p.path) && visible(u.RawQuery)
}

// line looks at a header line and puts it in its place.
func (p *plainRequest) line(i uint8) bool {
	f := &p.Header[i]
	switch {
	case !plainName(f.Name) || !validValue(f.Value):
		return false
	case len(f.Name) == len("Host") && strings.EqualFold(f.Name, "Host"):
		p.host = or(f.Value, p.URL.Host)
		return true
	case len(f.Name) == len("User-Agent") && strings.EqualFold(f.Name, "User-Agent"):
		p.agent = f.Value
		return true
	}
	k := p.lines
	for ; k > 0 && p.Header[p.order[k-1]].Name > f.Name; k-- { // most come in order
		p.order[k] = p.order[k-1]
	}
	p.order[k] = i
	p.lines++
	return true
}

// append appends the request as it is written.
func (p *plainRequest) append(b []byte) []byte {
	b = append(append(append(b, p.Method...), ' '), p.path...)
	if p.URL.RawQuery != "" || p.URL.ForceQuery {
		b = append(append(b, '?'), p.URL.RawQuery...)
	}
	b = appendLine(append(b, " HTTP/1.1\r\n"...), "Host", p.host)
	if p.agent != "" { // as net/http, which leaves the line out when there is nothing, but not when there are only spaces
		b = appendLine(b, "User-Agent", textproto.TrimString(p.agent))
	}
	if p.counted {
		b = strconv.AppendInt(append(b, "Content-Length: "...), int64(len(p.Body)), 10)
		b = append(b, "\r\n"...)
	}
	for _, i := range p.order[:p.lines] {
		b = appendLine(b, p.Header[i].Name, textproto.TrimString(p.Header[i].Value))
	}
	return append(append(b, "\r\n"...), p.Body...)
}

func appendLine(b []byte, name, value string) []byte {
	b = append(append(b, name...), ':', ' ')
	return append(append(b, value...), '\r', '\n')
}

func visible(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return true
}

// plainHost reports whether a host goes out, and is dialled, as it is written.
func plainHost(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '.', c == '-', c == '_', c == ':', c == '[', c == ']':
		default:
			return false
		}
	}
	return s != ""
}

// framing are the headers by which a request would frame itself otherwise than appendRequest does.
var framing = []string{"Connection", "Content-Length", "Expect", "Trailer", "Transfer-Encoding"}

// plainName reports whether a name is a token (RFC 9110 §5.6.2) that frames nothing.
func plainName(s string) bool {
	for i := range len(s) {
		if !token[s[i]] {
			return false
		}
	}
	if s == "" {
		return false
	}
	for _, f := range framing {
		if len(f) == len(s) && strings.EqualFold(f, s) {
			return false
		}
	}
	return true
}

// token are the characters of tokens (RFC 9110 §5.6.2).
var token = func() (t [256]bool) {
	for _, c := range []byte("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") {
		t[c] = true
	}
	return t
}()

// answerHead is the head of an answer of the plainest kind: HTTP/1.1, a final status, lines ended by CR LF, a body whose length is
// announced once, or none, and a connection that stays open.
type answerHead struct {
	status int
	length int64 // of the body
	lines  []byte
	size   int // of all of the head
}

type verdict int

const (
	plainHead verdict = iota
	shortHead         // more of it must be read
	otherHead         // net/http must read it, or refuse it
)

// parseHead reads a head at the beginning of b. Of what it takes it makes what http.ReadResponse does.
func parseHead(b []byte, method string) (h answerHead, v verdict) {
	line, rest, v := cutLine(b)
	if v != plainHead {
		return h, v
	}
	const version = "HTTP/1.1 "
	if len(line) < len(version)+3 || string(line[:len(version)]) != version {
		return h, otherHead
	}
	for _, c := range line[len(version) : len(version)+3] {
		if c < '0' || c > '9' {
			return h, otherHead
		}
		h.status = h.status*10 + int(c-'0')
	}
	if after := line[len(version)+3:]; h.status < 200 || len(after) > 0 && after[0] != ' ' {
		return h, otherHead
	}
	start := len(b) - len(rest)
	h.length = -1
	for {
		if line, rest, v = cutLine(rest); v != plainHead {
			return h, v
		}
		if len(line) == 0 {
			break
		}
		if !h.field(line) {
			return h, otherHead
		}
	}
	h.size = len(b) - len(rest)
	h.lines = b[start : h.size-2]
	if method == http.MethodHead || h.status == http.StatusNoContent || h.status == http.StatusNotModified {
		h.length = 0
	}
	if h.length < 0 {
		return h, otherHead
	}
	return h, plainHead
}

// cutLine takes off a line, which ends in CR LF.
func cutLine(b []byte) (line, rest []byte, v verdict) {
	i := bytes.IndexByte(b, '\n')
	switch {
	case i < 0:
		return nil, b, shortHead
	case i == 0 || b[i-1] != '\r':
		return nil, b, otherHead
	}
	return b[:i-1], b[i+1:], plainHead
}

// field looks at a line, and reports whether it is an ordinary one.
func (h *answerHead) field(line []byte) bool {
	n := 0
	for n < len(line) && token[line[n]] {
		n++
	}
	if n == 0 || n == len(line) || line[n] != ':' {
		return false
	}
	value := line[n+1:]
	for _, c := range value {
		if c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	switch name := line[:n]; n {
	case len("Pragma"):
		return !equalFold(name, "Pragma") // net/http takes one for a Cache-Control
	case len("Trailer"):
		return !equalFold(name, "Trailer")
	case len("Connection"):
		return !equalFold(name, "Connection") || equalFold(bytes.Trim(value, " \t"), "keep-alive")
	case len("Transfer-Encoding"):
		return !equalFold(name, "Transfer-Encoding")
	case len("Content-Length"):
		return !equalFold(name, "Content-Length") || h.contentLength(bytes.Trim(value, " \t"))
	}
	return true
}

func (h *answerHead) contentLength(digits []byte) bool {
	if h.length >= 0 || len(digits) == 0 || len(digits) > 18 { // more than once, or more than fits
		return false
	}
	h.length = 0
	for _, c := range digits {
		if c < '0' || c > '9' {
			return false
		}
		h.length = h.length*10 + int64(c-'0')
	}
	return true
}
