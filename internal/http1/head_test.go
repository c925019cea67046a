package http1_test

import (
	"bufio"
	"bytes"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"cleat/internal/http1"
)

// What Parse takes for plain, and what it leaves to net/http (RFC 9112).
func TestParse(t *testing.T) {
	t.Parallel()
	const host = "Host: a\r\n"
	for name, c := range map[string]struct {
		sent string
		want http1.Verdict
	}{
		"GET":                    {"GET / HTTP/1.1\r\n" + host + "\r\n", http1.Plain},
		"a body behind":          {"POST /x HTTP/1.1\r\n" + host + "Content-Length: 3\r\n\r\nabcGET", http1.Plain},
		"the largest body":       {"POST /x HTTP/1.1\r\n" + host + "Content-Length: 262143\r\n\r\n", http1.Plain},
		"too large a body":       {"POST /x HTTP/1.1\r\n" + host + "Content-Length: 262144\r\n\r\n", http1.Odd},
		"far too large a body":   {"POST /x HTTP/1.1\r\n" + host + "Content-Length: 18446744073709551617\r\n\r\n", http1.Odd},
		"signed length":          {"POST /x HTTP/1.1\r\n" + host + "Content-Length: +3\r\n\r\n", http1.Odd},
		"no length":              {"POST /x HTTP/1.1\r\n" + host + "Content-Length:\r\n\r\n", http1.Odd},
		"listed length":          {"POST /x HTTP/1.1\r\n" + host + "Content-Length: 3, 3\r\n\r\n", http1.Odd},
		"length twice":           {"POST /x HTTP/1.1\r\n" + host + "Content-Length: 3\r\ncontent-length: 3\r\n\r\n", http1.Odd},
		"chunks":                 {"POST /x HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n", http1.Odd},
		"chunks, other spelling": {"POST /x HTTP/1.1\r\n" + host + "tRANSFER-eNCODING:\tchunked\r\n\r\n", http1.Odd},
		"trailers":               {"POST /x HTTP/1.1\r\n" + host + "Trailer: X\r\n\r\n", http1.Odd},
		"Expect":                 {"POST /x HTTP/1.1\r\n" + host + "Expect: 100-continue\r\n\r\n", http1.Odd},
		"no Host":                {"GET / HTTP/1.1\r\nX: a\r\n\r\n", http1.Odd},
		"empty Host":             {"GET / HTTP/1.1\r\nHost:\r\n\r\n", http1.Odd},
		"Host twice":             {"GET / HTTP/1.1\r\n" + host + host + "\r\n", http1.Odd},
		"Host with a path":       {"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", http1.Odd},
		"HTTP/1.0":               {"GET / HTTP/1.0\r\n" + host + "\r\n", http1.Odd},
		"two blanks":             {"GET  / HTTP/1.1\r\n" + host + "\r\n", http1.Odd},
		"blank at the end":       {"GET / HTTP/1.1 \r\n" + host + "\r\n", http1.Odd},
		"whole URL":              {"GET http://a/ HTTP/1.1\r\n" + host + "\r\n", http1.Odd},
		"two slashes":            {"GET //a/ HTTP/1.1\r\n" + host + "\r\n", http1.Odd},
		"asterisk":               {"OPTIONS * HTTP/1.1\r\n" + host + "\r\n", http1.Odd},
		"CONNECT":                {"CONNECT a:1 HTTP/1.1\r\n" + host + "\r\n", http1.Odd},
		"fragment":               {"GET /#a HTTP/1.1\r\n" + host + "\r\n", http1.Odd},
		"broken escape":          {"GET /%2 HTTP/1.1\r\n" + host + "\r\n", http1.Odd},
		"byte over 127":          {"GET /\xe4 HTTP/1.1\r\n" + host + "\r\n", http1.Odd},
		"value over 127":         {"GET / HTTP/1.1\r\n" + host + "X: \xe4\r\n\r\n", http1.Odd},
		"NUL":                    {"GET / HTTP/1.1\r\n" + host + "X: \x00\r\n\r\n", http1.Odd},
		"bare CR":                {"GET / HTTP/1.1\r\n" + host + "X: a\rb\r\n\r\n", http1.Odd},
		"bare LF":                {"GET / HTTP/1.1\n" + host + "\r\n", http1.Odd},
		"bare LFs end":           {"GET / HTTP/1.1\r\nHost: a\n\n", http1.Odd},
		"continuation":           {"GET / HTTP/1.1\r\n" + host + "X: a\r\n b\r\n\r\n", http1.Odd},
		"begins continued":       {"GET / HTTP/1.1\r\n " + host + "\r\n", http1.Odd},
		"blank before colon":     {"GET / HTTP/1.1\r\nHost : a\r\n\r\n", http1.Odd},
		"no colon":               {"GET / HTTP/1.1\r\n" + host + "X\r\n\r\n", http1.Odd},
		"no name":                {"GET / HTTP/1.1\r\n" + host + ": a\r\n\r\n", http1.Odd},
		"Connection of no token": {"GET / HTTP/1.1\r\n" + host + "Connection: close x\r\n\r\n", http1.Odd},
		"Pragma":                 {"GET / HTTP/1.1\r\n" + host + "Pragma: no-cache\r\n\r\n", http1.Odd},
		"64 fields":              {"GET / HTTP/1.1\r\n" + host + strings.Repeat("X: a\r\n", 63) + "\r\n", http1.Plain},
		"65 fields":              {"GET / HTTP/1.1\r\n" + host + strings.Repeat("X: a\r\n", 64) + "\r\n", http1.Odd},
		"an empty line first":    {"\r\nGET / HTTP/1.1\r\n" + host + "\r\n", http1.Odd},
		"two empty lines":        {"\r\n\r\n", http1.Odd},
		"nothing":                {"", http1.Partial},
		"no line yet":            {"anything", http1.Partial},
		"one line":               {"GET / HTTP/1.1\r\nHo", http1.Partial},
		"one wrong line":         {"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\nX", http1.Odd},
		"TLS":                    {"\x16\x03\x01\x02\x00\n", http1.Odd},
	} {
		if _, _, got := http1.Parse([]byte(c.sent)); got != c.want {
			t.Errorf("%s: got %d, want %d", name, got, c.want)
		}
	}
}

// FuzzParse holds Parse to what makes it safe to serve a request without net/http: of what is plain net/http must think the
// same, and nothing that comes later may change it (RFC 9112 §11.2).
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
		"POST /dev/@connections/a%3D?x=y HTTP/1.1\r\nhost: a.example:80\r\nContent-Length: 3\r\nX-Amz-Date: 1\r\nx-amz-date: 2\r\n\r\nabcGET",
		"GET /prod HTTP/1.1\r\nHost: [::1]:80\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: a==\r\nPragma: no-cache\r\nCache-Control: no-cache\r\n\r\n\x81\x00",
		"GET /a%2Fb%20c/(!)%7e?%zz?&+ HTTP/1.1\r\nHost: a\r\n\r\n",
		"DELETE /? HTTP/1.1\r\nConnection: ,close\r\nHost: a\r\nX:\r\n\r\n",
		"GET / HTTP/1.1\nHost: a\n\n",
		"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		h, n, v := http1.Parse(b)
		if v != http1.Plain {
			return
		}
		in := bytes.NewReader(b)
		buffered := bufio.NewReaderSize(in, len(b)+16)
		r, err := http.ReadRequest(buffered)
		if err != nil {
			t.Fatalf("net/http refuses it: %v", err)
		}
		if at := len(b) - in.Len() - buffered.Buffered(); at != n {
			t.Errorf("the head has %d bytes, by net/http %d", n, at)
		}
		if r.Method != h.Method || r.RequestURI != h.Target || r.Host != h.Host || r.ContentLength != h.ContentLength || r.Close != h.Close || len(r.TransferEncoding) > 0 {
			t.Errorf("got %+v, net/http %+v", h, r)
		}
		if got := h.URL(); got != *r.URL || got.EscapedPath() != r.URL.EscapedPath() {
			t.Errorf("got %#v, net/http %#v", got, *r.URL)
		}
		if r.Proto != "HTTP/1.1" || r.URL.Host != "" || r.Trailer != nil {
			t.Errorf("net/http reads %+v", r)
		}
		want := http.Header{}
		for _, f := range h.Fields {
			want.Add(f.Name, f.Value)
		}
		r.Header.Set("Host", r.Host)
		if !maps.EqualFunc(r.Header, want, slices.Equal[[]string]) {
			t.Errorf("got %v, net/http %v", want, r.Header)
		}
		if r.Header.Get("Expect") != "" {
			t.Error("it expects something")
		}
		// Whatever follows, and however it came: the same head.
		again, m, v := http1.Parse(b[:n])
		if v != http1.Plain || m != n || !slices.Equal(again.Fields, h.Fields) || again.Target != h.Target {
			t.Errorf("alone: %d, %+v", v, again)
		}
		for i := range n {
			if _, _, v := http1.Parse(b[:i]); v != http1.Partial {
				t.Fatalf("its first %d bytes: %d", i, v)
			}
		}
	})
}
