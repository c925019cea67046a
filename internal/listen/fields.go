package listen

import (
	"bytes"
	"iter"
	"net/http"
	"slices"
	"strings"

	"cleat/internal/apigw"
)

// net/http spells header names its own way (Sec-Websocket-Key), and events show the client's spelling (spec
// events-and-integrations §1.1). So a connection keeps the head of its first request, as it came, until that request is done.

// spelled restores the spelling of names that net/http's canonical form gets wrong, for requests whose raw head is not
// kept. A WebSocket handshake can be such a request, if it reuses a connection.
var spelled = map[string]string{
	"Sec-Websocket-Accept":     "Sec-WebSocket-Accept",
	"Sec-Websocket-Extensions": "Sec-WebSocket-Extensions",
	"Sec-Websocket-Key":        "Sec-WebSocket-Key",
	"Sec-Websocket-Protocol":   "Sec-WebSocket-Protocol",
	"Sec-Websocket-Version":    "Sec-WebSocket-Version",
}

// Fields returns the header lines of a request, Host included. For the first request of a connection that a Server
// accepted they are in the client's order and spelling; for any other they are sorted by name in the usual spelling. Of
// a request that Forwarded lets through they are as its client sent them to the proxy.
// There is room behind them for the few that an event adds. It must be called before the handler returns, and the caller owns the result.
func Fields(r *http.Request) apigw.Fields { return AppendFields(nil, r) }

// AppendFields appends Fields to what the caller owns.
func AppendFields(dst apigw.Fields, r *http.Request) apigw.Fields {
	if said, ok := r.Context().Value(forwardedKey{}).(*forwarded); ok {
		return append(dst, said.asSent(r.Host, appendFields(nil, r))...)
	}
	return appendFields(dst, r)
}

// added is how many header lines an event adds to those of a request, at most.
const added = 4

func appendFields(out apigw.Fields, r *http.Request) apigw.Fields {
	if c, ok := r.Context().Value(connKey{}).(*clientConn); ok {
		plain, raw := c.head()
		if plain != nil {
			out = slices.Grow(out, len(plain.Fields)+added)
			for _, f := range plain.Fields {
				out = append(out, apigw.Field(f))
			}
			return out
		}
		if raw != nil {
			return append(out, addressed(r, parseHead(raw))...)
		}
	}
	out = slices.Grow(out, len(r.Header)+1)
	if r.Host != "" {
		out = append(out, apigw.Field{Name: "Host", Value: r.Host})
	}
	var room [32]string // more names cost an allocation
	names := room[:0]
	for name := range r.Header {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		spelling, ok := spelled[name]
		if !ok {
			spelling = name
		}
		for _, v := range r.Header[name] {
			out = append(out, apigw.Field{Name: spelling, Value: v})
		}
	}
	return out
}

// addressed puts the host that a request was addressed to in the place of a Host header that says otherwise: a whole URL in
// the request line counts before it (RFC 9112 §3.2.2).
func addressed(r *http.Request, fields apigw.Fields) apigw.Fields {
	if r.URL.Host == "" {
		return fields
	}
	for i := range fields {
		if strings.EqualFold(fields[i].Name, "Host") {
			fields[i].Value = r.Host
		}
	}
	return fields
}

// headSize counts a request's head as the quota does (spec data-plane §1): the request line and the header values, Host's
// included, without names, colons and line ends. For a request whose raw head is not kept it counts what net/http made
// of it.
func headSize(r *http.Request) int {
	if c, ok := r.Context().Value(connKey{}).(*clientConn); ok {
		plain, raw := c.head()
		if plain != nil {
			size := plain.Line
			for _, f := range plain.Fields {
				size += len(f.Value)
			}
			return size
		}
		if raw != nil {
			line, _, _ := bytes.Cut(raw, []byte{'\n'})
			size := len(bytes.TrimSuffix(line, []byte{'\r'}))
			for _, value := range headLines(raw) {
				size += len(value)
			}
			return size
		}
	}
	size := len(r.Method) + len(" ") + len(r.RequestURI) + len(" ") + len(r.Proto) + len(r.Host)
	for _, values := range r.Header {
		for _, v := range values {
			size += len(v)
		}
	}
	return size
}

// parseHead returns the header lines of a raw head, continuations joined to what they continue.
func parseHead(head []byte) apigw.Fields {
	out := make(apigw.Fields, 0, bytes.Count(head, []byte{'\n'}))
	for name, value := range headLines(head) {
		if name != nil {
			out = append(out, apigw.Field{Name: string(name), Value: string(value)})
		} else if n := len(out); n > 0 {
			out[n-1].Value = strings.TrimLeft(out[n-1].Value+" "+string(value), " ")
		}
	}
	return out
}

// headLines returns the names and values of the header lines of a raw head that net/http has accepted, by the rules of
// net/textproto: lines end in LF with or without CR, and a line that begins with blank or tab continues the one before.
// The name of such a line is nil.
func headLines(head []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(name, value []byte) bool) {
		_, rest, _ := bytes.Cut(head, []byte{'\n'}) // the request line
		for len(rest) > 0 {
			var line []byte
			line, rest, _ = bytes.Cut(rest, []byte{'\n'})
			line = bytes.TrimSuffix(line, []byte{'\r'})
			if len(line) == 0 {
				return
			}
			name, value, ok := bytes.Cut(line, []byte{':'})
			if line[0] == ' ' || line[0] == '\t' {
				name, value, ok = nil, line, true
			}
			if ok && !yield(name, bytes.Trim(value, " \t")) { // net/http has refused lines without a colon
				return
			}
		}
	}
}

// endOfHead returns how many bytes of b belong to a request head, its empty line included; 0 when it goes on. from is
// where the search begins: what lies before was searched with an earlier, shorter b.
func endOfHead(b []byte, from int) int {
	// The empty line may straddle the seam: step back over the two bytes that could begin it.
	for i := max(from-2, 0); i < len(b); {
		n := bytes.IndexByte(b[i:], '\n')
		if n < 0 {
			return 0
		}
		i += n + 1
		switch {
		case i < len(b) && b[i] == '\n':
			return i + 1
		case i+1 < len(b) && b[i] == '\r' && b[i+1] == '\n':
			return i + 2
		}
	}
	return 0
}
