package listen_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"cleat/internal/apigw"
	"cleat/internal/listen"
)

const (
	testKey    = "dGhlIHNhbXBsZSBub25jZQ==" // RFC 6455 §1.3
	testAccept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
)

// request reads a request as the server would.
func request(t *testing.T, raw string) *http.Request {
	t.Helper()
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(raw)))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// handshake is a good handshake with lines replaced ("Name: value"), or left out ("-Name"), or added.
func handshake(edits ...string) string {
	lines := []string{"Host: localhost", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Key: " + testKey, "Sec-WebSocket-Version: 13"}
	first := "GET /dev HTTP/1.1"
	for _, e := range edits {
		if strings.HasPrefix(e, "!") {
			first = e[1:]
			continue
		}
		if name, drop := strings.CutPrefix(e, "-"); drop {
			lines = slices.DeleteFunc(lines, func(l string) bool { return strings.HasPrefix(l, name+":") })
			continue
		}
		lines = append(lines, e)
	}
	return first + "\r\n" + strings.Join(lines, "\r\n") + "\r\n\r\n"
}

func TestCheckUpgrade(t *testing.T) {
	t.Parallel()
	const good = apigw.Kind(-1)
	cases := map[string]struct {
		raw  string
		kind apigw.Kind
	}{
		"plain":                      {handshake(), good},
		"other case, more tokens":    {handshake("-Upgrade", "-Connection", "upgrade: h2c, WebSocket", "connection: keep-alive, UPGRADE"), good},
		"Connection in two lines":    {handshake("-Connection", "Connection: keep-alive", "Connection: upgrade"), good},
		"longest URL":                {handshake("!GET /" + strings.Repeat("a", 4096-len("wss://localhost/")) + " HTTP/1.1"), good},
		"URL too long":               {handshake("!GET /" + strings.Repeat("a", 4097-len("wss://localhost/")) + " HTTP/1.1"), apigw.KindRequestURITooLong},
		"largest head":               {handshakeOf(10240), good},
		"head too large":             {handshakeOf(10241), apigw.KindHeaderTooLarge},
		"long URL, no upgrade":       {"GET /" + strings.Repeat("a", 5000) + " HTTP/1.1\r\nHost: a\r\n\r\n", apigw.KindRequestURITooLong},
		"plain GET":                  {"GET /dev HTTP/1.1\r\nHost: localhost\r\n\r\n", apigw.KindUpgradeRequired},
		"POST":                       {"POST /dev HTTP/1.1\r\nHost: localhost\r\n\r\n", apigw.KindUpgradeRequired},
		"upgrade to something else":  {handshake("-Upgrade", "Upgrade: h2c"), apigw.KindUpgradeRequired},
		"token that only contains":   {handshake("-Upgrade", "Upgrade: websockets"), apigw.KindUpgradeRequired},
		"letters that fold to ASCII": {handshake("-Upgrade", "Upgrade: web\u017foc\u212aet"), apigw.KindUpgradeRequired},
		"POST with upgrade":          {handshake("!POST /dev HTTP/1.1"), apigw.KindBadRequest},
		"HTTP/1.0":                   {handshake("!GET /dev HTTP/1.0"), apigw.KindBadRequest},
		"empty Host":                 {handshake("-Host", "Host:"), apigw.KindBadRequest},
		"no Connection":              {handshake("-Connection"), apigw.KindBadRequest},
		"Connection without Upgrade": {handshake("-Connection", "Connection: keep-alive"), apigw.KindBadRequest},
		"no version":                 {handshake("-Sec-WebSocket-Version"), apigw.KindUpgradeRequired},
		"version 8":                  {handshake("-Sec-WebSocket-Version", "Sec-WebSocket-Version: 8"), apigw.KindUpgradeRequired},
		"two versions":               {handshake("Sec-WebSocket-Version: 13"), apigw.KindUpgradeRequired},
		"no key":                     {handshake("-Sec-WebSocket-Key"), apigw.KindBadRequest},
		"two keys":                   {handshake("Sec-WebSocket-Key: " + testKey), apigw.KindBadRequest},
		"short key":                  {handshake("-Sec-WebSocket-Key", "Sec-WebSocket-Key: c2hvcnQ="), apigw.KindBadRequest},
		"key not base64":             {handshake("-Sec-WebSocket-Key", "Sec-WebSocket-Key: !GhlIHNhbXBsZSBub25jZQ=="), apigw.KindBadRequest},
		"protocol not a token":       {handshake("Sec-WebSocket-Protocol: a b"), apigw.KindBadRequest},
		"protocol twice":             {handshake("Sec-WebSocket-Protocol: a, a"), apigw.KindBadRequest},
		"too many protocols":         {handshake("Sec-WebSocket-Protocol: " + manyTokens(65)), apigw.KindBadRequest},
		"many protocols":             {handshake("Sec-WebSocket-Protocol: " + manyTokens(64)), good},
		"a body":                     {handshake("Content-Length: 3") + "abc", apigw.KindBadRequest},
		"a chunked body":             {handshake("Transfer-Encoding: chunked") + "0\r\n\r\n", apigw.KindBadRequest},
		"an empty body":              {handshake("Content-Length: 0"), good},
		"extensions are ignored":     {handshake("Sec-WebSocket-Extensions: permessage-deflate; %%%"), good},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u, err := listen.CheckUpgrade(request(t, c.raw))
			if c.kind == good {
				if err != nil || u.Key != testKey {
					t.Fatalf("CheckUpgrade = %+v, %v", u, err)
				}
				return
			}
			if err == nil || apigw.KindOf(err) != c.kind {
				t.Fatalf("CheckUpgrade error %v of kind %d, want kind %d", err, apigw.KindOf(err), c.kind)
			}
		})
	}
}

// handshakeOf is a good handshake whose request line and header values have size bytes.
func handshakeOf(size int) string {
	for _, s := range []string{"GET /dev HTTP/1.1", "localhost", "websocket", "Upgrade", testKey, "13"} {
		size -= len(s)
	}
	return handshake("X-Big: " + strings.Repeat("a", size))
}

// The raw head of a first request is counted, not what net/http made of it; a later request has no raw head.
func TestHeadSizeThroughServer(t *testing.T) {
	t.Parallel()
	s := start(t, listen.Options{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := listen.CheckUpgrade(r)
		_, _ = io.WriteString(w, fmt.Sprint(apigw.KindOf(err), err == nil))
	})})
	good, refused := fmt.Sprint(apigw.KindInternal, true), fmt.Sprint(apigw.KindHeaderTooLarge, false)
	folded := strings.Replace(handshakeOf(10240), "aaaaaaaa", "aaa\r\n\t \r\n  aaaaa", 1)
	for name, test := range map[string]struct{ raw, want string }{
		"largest":           {handshakeOf(10240), good},
		"one byte more":     {handshakeOf(10241), refused},
		"folded":            {folded, good},
		"folded, too large": {strings.Replace(folded, "aaa\r", "aaaa\r", 1), refused},
		// net/http adds Cache-Control: no-cache to this one.
		"Pragma": {strings.Replace(handshakeOf(10240), "X-Big: aaaaaaaa", "Pragma: no-cache\r\nX-Big: ", 1), good},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := s.dial(t)
			write(t, c, test.raw)
			if _, got := answerOn(t, c); got != test.want {
				t.Errorf("first request: got %q, want %q", got, test.want)
			}
			write(t, c, handshakeOf(10241))
			if _, got := answerOn(t, c); got != refused {
				t.Errorf("second request: got %q, want %q", got, refused)
			}
		})
	}
}

func manyTokens(n int) string {
	var out []string
	for i := range n {
		out = append(out, "p"+strings.Repeat("x", i))
	}
	return strings.Join(out, ",")
}

func TestOfferedProtocols(t *testing.T) {
	t.Parallel()
	u, err := listen.CheckUpgrade(request(t, handshake("Sec-WebSocket-Protocol: v2.example,  v1.example,", "Sec-WebSocket-Protocol: chat")))
	if want := []string{"v2.example", "v1.example", "chat"}; err != nil || !slices.Equal(u.Protocols, want) {
		t.Errorf("protocols %q, %v, want %q", u.Protocols, err, want)
	}
	if u, err = listen.CheckUpgrade(request(t, handshake())); err != nil || u.Protocols != nil {
		t.Errorf("without an offer: %q, %v", u.Protocols, err)
	}
}

func TestSetUpgradeHeaders(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	h := http.Header{}
	listen.SetUpgradeHeaders(h)
	if err := h.Write(&b); err != nil {
		t.Fatal(err)
	}
	if want := "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nUpgrade: websocket\r\n"; b.String() != want {
		t.Errorf("headers %q, want %q", b.String(), want)
	}
}

func TestAppendSwitching(t *testing.T) {
	t.Parallel()
	got, err := listen.AppendSwitching([]byte("x"), testKey, "chat", apigw.Field{Name: "X-A", Value: "b c"})
	if err != nil {
		t.Fatal(err)
	}
	want := "xHTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n" +
		"Sec-WebSocket-Accept: " + testAccept + "\r\nSec-WebSocket-Protocol: chat\r\nX-A: b c\r\n\r\n"
	if string(got) != want {
		t.Errorf("got %q, want %q", got, want)
	}
	for name, bad := range map[string]struct {
		protocol string
		extra    []apigw.Field
	}{
		"line break in the protocol": {"a\r\nSet-Cookie: b", nil},
		"blank in the protocol":      {"a b", nil},
		"list as the protocol":       {"a, b", nil},
		"line break in a value":      {"", []apigw.Field{{Name: "X-A", Value: "a\nb"}}},
		"zero byte in a value":       {"", []apigw.Field{{Name: "X-A", Value: "a\x00"}}},
		"colon in a name":            {"", []apigw.Field{{Name: "X:A", Value: "a"}}},
		"empty name":                 {"", []apigw.Field{{Name: "", Value: "a"}}},
	} {
		if got, err := listen.AppendSwitching([]byte("x"), testKey, bad.protocol, bad.extra...); err == nil || string(got) != "x" {
			t.Errorf("%s: %q, %v, want an error and nothing appended", name, got, err)
		}
	}
}

// FuzzHandshake compares what passes CheckUpgrade with what gobwas/ws makes of the same bytes, and reads the answer
// back as a client would.
func FuzzHandshake(f *testing.F) {
	f.Add([]byte(handshake()), "")
	f.Add([]byte(handshake("Sec-WebSocket-Protocol: a, b", "Origin: null")), "b")
	f.Add([]byte(handshake("-Connection", "connection: keep-alive , upgrade")), "a\r\nX: y")
	f.Add([]byte("GET / HTTP/1.1\nHost: a\nUpgrade: WebSocket\nConnection: x\n folded\nSec-Websocket-Version:13\n\n"), "é")
	f.Add([]byte(handshake("-Upgrade", "Upgrade: web\u017foc\u212aet")), "")
	f.Fuzz(func(t *testing.T, raw []byte, subprotocol string) {
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(raw)))
		if err != nil {
			return
		}
		u, err := listen.CheckUpgrade(r)
		if err != nil {
			switch apigw.KindOf(err) {
			case apigw.KindBadRequest, apigw.KindUpgradeRequired, apigw.KindRequestURITooLong:
			default:
				t.Fatalf("kind %d of %v", apigw.KindOf(err), err)
			}
			return
		}
		if !listen.IsUpgrade(r) {
			t.Fatal("a good handshake is none to IsUpgrade")
		}
		for _, p := range u.Protocols {
			if _, err := listen.AppendSwitching(nil, u.Key, p); err != nil {
				t.Fatalf("an offered subprotocol cannot be answered: %v", err)
			}
		}
		answer, err := listen.AppendSwitching(nil, u.Key, subprotocol)
		if err != nil {
			return
		}
		res, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(answer)), r)
		if err != nil {
			t.Fatalf("the answer %q: %v", answer, err)
		}
		_ = res.Body.Close()
		if got := res.Header.Get("Sec-Websocket-Protocol"); res.StatusCode != http.StatusSwitchingProtocols || got != subprotocol || len(res.Header) > 4 {
			t.Fatalf("the answer %q reads as %v", answer, res.Header)
		}
		// gobwas/ws must find the same accept key for a handshake that it takes too.
		rw := &rwPair{Reader: bytes.NewReader(raw)}
		if _, err := ws.Upgrade(rw); err == nil && !bytes.Contains(rw.Bytes(), []byte(res.Header.Get("Sec-Websocket-Accept"))) {
			t.Fatalf("gobwas/ws answers %q, we %q", rw.Bytes(), answer)
		}
	})
}

type rwPair struct {
	*bytes.Reader
	bytes.Buffer
}

func (p *rwPair) Read(b []byte) (int, error)  { return p.Reader.Read(b) }
func (p *rwPair) Write(b []byte) (int, error) { return p.Buffer.Write(b) }

func BenchmarkCheckUpgrade(b *testing.B) {
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(handshake("Sec-WebSocket-Protocol: a, b"))))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := listen.CheckUpgrade(r); err != nil {
			b.Fatal(err)
		}
	}
}
