package wire_test

import (
	"bytes"
	"strings"
	"testing"

	"cleat/bench/wire"
	"cleat/internal/frame"
)

func TestParseResponse(t *testing.T) {
	for name, c := range map[string]struct {
		in     string
		status int
		body   string
		rest   string
		close  bool
		fails  bool
	}{
		"the last":            {in: "HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 0\r\n\r\n", status: 200, close: true},
		"length":              {in: "HTTP/1.1 200 OK\r\ncontent-LENGTH: 2\r\n\r\nokHTTP", status: 200, body: "ok", rest: "HTTP"},
		"chunks":              {in: "HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n3\r\nyes\r\n0\r\n\r\nH", status: 201, body: "okyes", rest: "H"},
		"no content":          {in: "HTTP/1.1 204 No Content\r\nServer: x\r\n\r\nH", status: 204, rest: "H"},
		"half a head":         {in: "HTTP/1.1 200 OK\r\nContent-Le"},
		"half a body":         {in: "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok"},
		"half a chunk":        {in: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nok"},
		"until the end":       {in: "HTTP/1.1 200 OK\r\nServer: x\r\n\r\nok", fails: true},
		"not HTTP":            {in: "SSH-2.0-OpenSSH\r\n\r\n", fails: true},
		"too large a chunk":   {in: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffff\r\n", fails: true},
		"too short a head":    {in: "HTTP\r\n\r\n", fails: true},
		"a name like another": {in: "HTTP/1.1 200 OK\r\nX-Content-Length: 9\r\nContent-Length: 1\r\n\r\no", status: 200, body: "o"},
	} {
		t.Run(name, func(t *testing.T) {
			r, n, err := wire.ParseResponse([]byte(c.in))
			if (err != nil) != c.fails {
				t.Fatalf("error %v, want one: %v", err, c.fails)
			}
			want := 0
			if c.status != 0 {
				want = len(c.in) - len(c.rest)
			}
			if n != want || want > 0 && (r.Status != c.status || string(r.Body) != c.body || r.Close != c.close) {
				t.Errorf("got %+v, %d bytes, want %d %q, %d", r, n, c.status, c.body, want)
			}
		})
	}
}

func TestParseRequest(t *testing.T) {
	for name, c := range map[string]struct {
		in         string
		path, body string
		rest       string
		whole      bool
		fails      bool
	}{
		"length":      {in: "POST /a?b=c HTTP/1.1\r\nHost: x\r\ncontent-length: 2\r\n\r\nokPOST", path: "/a", body: "ok", rest: "POST", whole: true},
		"chunks":      {in: "POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", path: "/a", body: "ok", whole: true},
		"no body":     {in: "GET / HTTP/1.1\r\nHost: x\r\n\r\n", path: "/", whole: true},
		"half":        {in: "POST /a HTTP/1.1\r\nContent-Length: 3\r\n\r\nok"},
		"HTTP/2":      {in: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", fails: true},
		"bad length":  {in: "POST /a HTTP/1.1\r\nContent-Length: -1\r\n\r\n", fails: true},
		"huge length": {in: "POST /a HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n", fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			r, n, err := wire.ParseRequest([]byte(c.in))
			if (err != nil) != c.fails {
				t.Fatalf("error %v, want one: %v", err, c.fails)
			}
			want := 0
			if c.whole {
				want = len(c.in) - len(c.rest)
			}
			if n != want || c.whole && (r.Path != c.path || string(r.Body) != c.body) {
				t.Errorf("got %q %q, %d bytes, want %q %q, %d", r.Path, r.Body, n, c.path, c.body, want)
			}
		})
	}
}

func TestRequestHeader(t *testing.T) {
	r, _, err := wire.ParseRequest([]byte("GET / HTTP/1.1\r\nX-Id:  7 \r\nX-Id-More: 8\r\n\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"x-id": "7", "X-ID-MORE": "8", "X": ""} {
		if got := r.Header(name); got != want {
			t.Errorf("header %s is %q, want %q", name, got, want)
		}
	}
}

// RFC 6455 §5.2: lengths of 7, 16 and 64 bits.
func TestServerFrame(t *testing.T) {
	for _, size := range []int{0, 1, 125, 126, 4096, 65535, 65536, 1 << 20} {
		payload := bytes.Repeat([]byte("x"), size)
		b := frame.AppendMessage(nil, frame.OpText, payload, size+1)
		op, fin, got, n, err := wire.ServerFrame(append(b, "more"...))
		if err != nil || op != frame.OpText || !fin || !bytes.Equal(got, payload) || n != len(b) {
			t.Errorf("%d bytes: got %v, %v, %d bytes, %d in all, %v", size, op, fin, len(got), n, err)
		}
		if _, _, _, n, err := wire.ServerFrame(b[:len(b)-1]); n != 0 || err != nil {
			t.Errorf("%d bytes but one: got %d, %v", size, n, err)
		}
	}
	for name, b := range map[string][]byte{
		"masked":     wire.AppendText(nil, []byte("hello")),
		"compressed": {0xc1, 0},
		"huge":       {0x81, 127, 0, 0, 0, 1, 0, 0, 0, 0},
	} {
		if _, _, _, _, err := wire.ServerFrame(b); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// The answer is to the key of client 0, as RFC 6455 §4.2.2 makes it.
func TestSwitched(t *testing.T) {
	const answer = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: tb403IRLas8CVkLDneo/uRhHmBg=\r\n\r\n"
	if n, err := wire.Switched(0, []byte(answer+"\x81\x00")); n != len(answer) || err != nil {
		t.Errorf("got %d, %v, want %d", n, err, len(answer))
	}
	if n, err := wire.Switched(0, []byte(answer[:40])); n != 0 || err != nil {
		t.Errorf("half of it: got %d, %v", n, err)
	}
	for _, b := range []string{"HTTP/1.1 403 Forbidden\r\n\r\n", strings.Replace(answer, "tb40", "xxxx", 1)} {
		if _, err := wire.Switched(0, []byte(b)); err == nil {
			t.Errorf("%q is taken for a yes", b)
		}
	}
	if !bytes.Contains(wire.Upgrade(0, "h:1", "/p?q", []string{"A: b"}), []byte("GET /p?q HTTP/1.1\r\nHost: h:1\r\n")) {
		t.Error("the request has not its path and host")
	}
}

// What was whole stays so, whatever comes behind it, and nothing that comes in parts is read otherwise than at once.
func FuzzWire(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
	f.Add([]byte("POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"))
	f.Add([]byte{0x81, 2, 'o', 'k'})
	f.Add([]byte{0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		more := append(bytes.Clone(b), "more"...)
		answer, n, err := wire.ParseResponse(b)
		if n > len(b) {
			t.Fatalf("a response of %d bytes in %d", n, len(b))
		}
		if n > 0 && err == nil {
			again, m, err := wire.ParseResponse(more)
			if again.Status != answer.Status || !bytes.Equal(again.Body, answer.Body) || again.Close != answer.Close || m != n || err != nil {
				t.Errorf("response %+v of %d bytes is %+v of %d, %v with more behind it", answer, n, again, m, err)
			}
		}
		r, n, err := wire.ParseRequest(b)
		if n > len(b) {
			t.Fatalf("a request of %d bytes in %d", n, len(b))
		}
		if n > 0 && err == nil {
			again, m, err := wire.ParseRequest(more)
			if again.Path != r.Path || !bytes.Equal(again.Body, r.Body) || m != n || err != nil {
				t.Errorf("request %+v of %d bytes is %+v of %d, %v with more behind it", r, n, again, m, err)
			}
		}
		_, _, payload, n, err := wire.ServerFrame(b)
		if n > len(b) || err == nil && n > 0 && len(payload) > n {
			t.Fatalf("a frame of %d bytes in %d", n, len(b))
		}
		if n, _ := wire.Switched(0, b); n > len(b) {
			t.Fatalf("an upgrade of %d bytes in %d", n, len(b))
		}
	})
}
