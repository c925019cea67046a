package listen_test

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"slices"
	"testing"

	"cleat/internal/apigw"
	"cleat/internal/listen"
)

func TestFieldsOfFirstRequest(t *testing.T) {
	t.Parallel()
	got := make(chan apigw.Fields, 4)
	s := start(t, listen.Options{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		// A middleware's copy of the request shows the same.
		got <- listen.Fields(r.WithContext(r.Context()))
	})})
	c := s.dial(t)
	// The head comes in two pieces that part inside its empty line, and the body follows at once.
	write(t, c, "POST /dev HTTP/1.1\r\nhost: LocalHost:3001\r\nX-b: 1\r\nsec-websocket-KEY:  k \r\nX-B: 2\r\nX-Empty:\r\nContent-Length: 4\r\n\r")
	write(t, c, "\nX-a:")
	wantFields(t, <-got, apigw.Fields{{Name: "host", Value: "LocalHost:3001"}, {Name: "X-b", Value: "1"}, {Name: "sec-websocket-KEY", Value: "k"}, {Name: "X-B", Value: "2"}, {Name: "X-Empty", Value: ""}, {Name: "Content-Length", Value: "4"}})

	// A later request on the connection is shown in the usual spelling.
	write(t, c, "GET /dev HTTP/1.1\r\nsec-websocket-key: k\r\nx-b: 2\r\nx-b: 1\r\nhost: a\r\n\r\n")
	wantFields(t, <-got, apigw.Fields{{Name: "Host", Value: "a"}, {Name: "Sec-WebSocket-Key", Value: "k"}, {Name: "X-B", Value: "2"}, {Name: "X-B", Value: "1"}})
}

// A whole URL in the request line says who is addressed (RFC 9112 §3.2.2). What is shown as the Host is that, so that nobody
// decides by another name than the one that the address was read from.
func TestFieldsOfWholeURL(t *testing.T) {
	t.Parallel()
	got := make(chan apigw.Fields, 1)
	s := start(t, listen.Options{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		got <- append(listen.Fields(r), apigw.Field{Name: "r.Host", Value: r.Host})
	})})
	write(t, s.dial(t), "GET http://addressed.test/dev HTTP/1.1\r\nX: 1\r\nhost: pretended.test\r\n\r\n")
	wantFields(t, <-got, apigw.Fields{{Name: "X", Value: "1"}, {Name: "host", Value: "addressed.test"}, {Name: "r.Host", Value: "addressed.test"}})
}

func wantFields(t *testing.T, got, want apigw.Fields) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("fields\n %q, want\n %q", got, want)
	}
}

func TestFieldsWithoutServer(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest(http.MethodGet, "http://a.test/", http.NoBody)
	r.Header.Set("Sec-WebSocket-Protocol", "x")
	wantFields(t, listen.Fields(r), apigw.Fields{{Name: "Host", Value: "a.test"}, {Name: "Sec-WebSocket-Protocol", Value: "x"}})
	if listen.Draining(r) != nil {
		t.Error("Draining of a request without a server is not nil")
	}
}

// FuzzFields holds the reading of a raw head against that of net/http: authorizers decide by the one, net/http by the
// other, and they must never see different headers.
func FuzzFields(f *testing.F) {
	f.Add([]byte(handshake("Cookie: a=b", "cookie: c=d")))
	f.Add([]byte("GET / HTTP/1.1\nHost: a\nX: 1\n 2\n\t3 \nY:\n  z\n\nX: not a header\r\n\r\n"))
	f.Add([]byte("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\nPragma: no-cache\r\n\r\n0\r\n\r\n"))
	f.Add([]byte("GET / HTTP/1.1\r\nHost: a\r\nX: \x80\xff\r\r\n\r\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(raw)))
		if err != nil {
			return
		}
		end := listen.EndOfHead(raw, 0)
		if end == 0 {
			t.Fatalf("net/http found the end of the head in %q", raw)
		}
		// However the head is cut into reads, its end is the same.
		for cut := range end {
			if got := listen.EndOfHead(raw[:cut], 0); got != 0 {
				t.Fatalf("end of %q at %d", raw[:cut], got)
			}
			if got := listen.EndOfHead(raw[:end], cut); got != end {
				t.Fatalf("searched from %d the end of %q is %d, want %d", cut, raw[:end], got, end)
			}
		}
		got := http.Header{}
		for _, field := range listen.ParseHead(raw[:end]) {
			got.Add(textproto.CanonicalMIMEHeaderKey(field.Name), field.Value)
		}
		// net/http takes some out, and puts one in.
		if host := got.Get("Host"); r.URL.Host == "" && host != r.Host {
			t.Fatalf("host %q, want %q", host, r.Host)
		}
		for _, name := range []string{"Host", "Transfer-Encoding", "Trailer", "Content-Length", "Cache-Control"} {
			got.Del(name)
			r.Header.Del(name)
		}
		if len(got) != len(r.Header) {
			t.Fatalf("headers %q, want %q", got, r.Header)
		}
		for name, want := range r.Header {
			if !slices.Equal(got[name], want) {
				t.Fatalf("%s: %q, want %q", name, got[name], want)
			}
		}
	})
}
