package backend_test

import (
	"bytes"
	"io"
	"net"
	"net/url"
	"reflect"
	"testing"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/backend"
)

// replay is a connection that gives the same bytes to each reader, at most step at a time.
type replay struct {
	net.Conn
	left []byte
	step int
}

func (r *replay) Read(p []byte) (int, error) {
	if len(r.left) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), r.step)], r.left)
	r.left = r.left[n:]
	return n, nil
}

func (*replay) SetReadDeadline(time.Time) error { return nil }

// byName are the values of a header by name.
func byName(h backend.Header) map[string][]string {
	out := map[string][]string{}
	for name, value := range h.All() {
		out[name] = append(out[name], value)
	}
	return out
}

// FuzzAnswer holds the short way of reading an answer to net/http's (RFC 9112 §6, §7): the same answer or the same error,
// whatever the bytes are and however they come in, and a connection is used again only if net/http would.
func FuzzAnswer(f *testing.F) {
	const ok = "HTTP/1.1 200 OK\r\n"
	for _, answer := range []string{
		ok + "Content-Length: 2\r\n\r\nhi",
		ok + "Content-Length: 2\r\n\r\nhi and more",
		ok + "Content-Length: 20\r\n\r\nshort",
		ok + "Content-Length: 200\r\n\r\nlong",
		ok + "Content-Length: 2\r\nContent-Length: 2\r\n\r\nhi",
		ok + "Content-Length: 2\r\nContent-Length: 3\r\n\r\nhi!",
		ok + "Content-Length: +2\r\n\r\nhi",
		ok + "Content-Length: 2, 2\r\n\r\nhi",
		ok + "Content-Length: 99999999999999999999\r\n\r\n",
		ok + "Content-Length:\r\n\r\n",
		ok + "Content-Length : 2\r\n\r\nhi",
		ok + " Content-Length: 2\r\n\r\nhi",
		ok + "X: 1\r\n folded\r\nContent-Length: 2\r\n\r\nhi",
		ok + "X:\t spaced \t\r\nx: again\r\nContent-Length: 2\r\n\r\nhi",
		ok + "X: \x01\r\nContent-Length: 2\r\n\r\nhi",
		ok + "X: \xff\r\nContent-Length: 2\r\n\r\nhi",
		ok + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
		ok + "Transfer-Encoding: chunked\r\nTrailer: X\r\n\r\n2\r\nhi\r\n0\r\nX: 1\r\n\r\n",
		ok + "Transfer-Encoding: chunked, gzip\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
		ok + "Connection: close\r\nContent-Length: 2\r\n\r\nhi",
		ok + "Connection: Keep-Alive\r\nContent-Length: 2\r\n\r\nhi",
		ok + "Connection: keep-alive, close\r\nContent-Length: 2\r\n\r\nhi",
		ok + "Pragma: no-cache\r\nContent-Length: 2\r\n\r\nhi",
		ok + "\r\nuntil the end",
		"HTTP/1.1 200 OK\nContent-Length: 2\n\nhi",
		"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nhi",
		"HTTP/1.1 2000\r\nContent-Length: 2\r\n\r\nhi",
		"HTTP/1.1  200 OK\r\nContent-Length: 2\r\n\r\nhi",
		"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi",
		"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nhi",
		"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nhi",
		"HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n",
		"HTTP/1.1 100 Continue\r\n\r\n" + ok + "Content-Length: 2\r\n\r\nhi",
		"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
		"HTTP/1.1 999 Odd\r\nContent-Length: 2\r\n\r\nhi",
	} {
		f.Add([]byte(answer), uint8(200), false, false)
		f.Add([]byte(answer), uint8(1), false, true)
		f.Add([]byte(answer), uint8(7), true, false)
	}
	f.Fuzz(func(t *testing.T, answer []byte, step uint8, head, discard bool) {
		if len(answer) == 0 {
			return // no answer at all, which is not a matter of reading one
		}
		method := "POST"
		if head {
			method = "HEAD"
		}
		const maxBody = 100
		one, other := &replay{left: answer, step: int(step) + 1}, &replay{left: answer, step: int(step) + 1}
		got, gotAgain, gotErr := backend.ReadAnswer(one, method, maxBody, discard, true)
		want, wantAgain, wantErr := backend.ReadAnswer(other, method, maxBody, discard, false)
		if (gotErr == nil) != (wantErr == nil) || gotErr != nil && gotErr.Error() != wantErr.Error() {
			t.Fatalf("got error %v, want %v", gotErr, wantErr)
		}
		if gotErr != nil {
			return
		}
		if got.Status != want.Status || !bytes.Equal(got.Body, want.Body) || (got.Body == nil) != (want.Body == nil) {
			t.Errorf("got %d %q, want %d %q", got.Status, got.Body, want.Status, want.Body)
		}
		if g, w := byName(got.Header), byName(want.Header); !reflect.DeepEqual(g, w) {
			t.Errorf("got header %q, want %q", g, w)
		}
		// What lies behind an answer shows when it has been read, or else before the connection is used again.
		gotAgain, wantAgain = gotAgain && len(one.left) == 0, wantAgain && len(other.left) == 0
		if gotAgain != wantAgain {
			t.Errorf("used again: %t, want %t", gotAgain, wantAgain)
		}
		for name, values := range byName(want.Header) {
			if v := got.Header.Get(name); v != values[0] {
				t.Errorf("%s is %q, want %q", name, v, values[0])
			}
		}
	})
}

// FuzzPlainRequest: what is written without net/http is what net/http writes, to the byte.
func FuzzPlainRequest(f *testing.F) {
	f.Add("POST", "http://b.example/ws?q=1", "X-A", "1", "x-a", "2", []byte("message"))
	f.Add("GET", "http://b.example", "Host", "other.example", "user-agent", "me", []byte(nil))
	f.Add("PUT", "http://[::1]:8080/a%2Fb/ü", "b", " spaced\t", "B", "", []byte(nil))
	f.Add("DELETE", "http://B.example:80/?", "User-Agent", "", "Content-Length", "7", []byte("x"))
	f.Add("DELETE", "http://B.example:80/?", "User-Agent", "me", "X", " ", []byte("x"))
	f.Add("HEAD", "http://b.example/a b?c d", "Transfer-Encoding", "chunked", "Expect", "100-continue", []byte(nil))
	f.Add("PATCH", "http://u:p@b.example/", "X Y", "1", "Z", "a\r\nb: c", []byte("x"))
	f.Add("post", "https://b.example/", "X", "1", "Y", "2", []byte("x"))
	f.Add("OPTIONS", "http:opaque", "Host", "a/b", "host", "", []byte(nil))
	f.Add("POST", "http://b.example//x/../y;z=1?&&", "Trailer", "X", "Connection", "close", []byte("\x00"))
	f.Fuzz(func(t *testing.T, method, to, name1, value1, name2, value2 string, body []byte) {
		u, err := url.Parse(to)
		if err != nil {
			return
		}
		r := &backend.Request{Method: method, URL: u, Body: body, Header: apigw.Fields{{Name: name1, Value: value1}, {Name: name2, Value: value2}, {Name: name1, Value: value2}}}
		got, ok := backend.PlainRequest(r)
		if !ok {
			return
		}
		want, err := backend.NetHTTPRequest(r)
		if err != nil {
			t.Fatalf("net/http refuses it: %v", err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("got\n%q\nwant\n%q", got, want)
		}
	})
}
