package conn_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"go.uber.org/goleak"

	"cleat/internal/apigw"
	"cleat/internal/conn"
	"cleat/internal/frame"
	"cleat/internal/testkit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testHandler records what a Hub tells it; onMessage may be set before the first message.
type testHandler struct {
	onMessage func(id apigw.ConnectionID, attachment any, m conn.Message)
	onClosed  func(id apigw.ConnectionID, yield func())

	mu     sync.Mutex
	closed map[apigw.ConnectionID][]conn.CloseReason
	ended  chan closedCall
}

type closedCall struct {
	id         apigw.ConnectionID
	attachment any
	reason     conn.CloseReason
}

func (h *testHandler) Message(id apigw.ConnectionID, attachment any, m conn.Message) {
	if h.onMessage != nil {
		h.onMessage(id, attachment, m)
	}
}

func (h *testHandler) Closed(id apigw.ConnectionID, attachment any, r conn.CloseReason, yield func()) {
	if h.onClosed != nil {
		h.onClosed(id, yield)
	}
	h.mu.Lock()
	h.closed[id] = append(h.closed[id], r)
	h.mu.Unlock()
	h.ended <- closedCall{id, attachment, r}
}

// waitClosed returns the next call of Closed.
func (h *testHandler) waitClosed(tb testing.TB) closedCall {
	tb.Helper()
	select {
	case c := <-h.ended:
		return c
	case <-time.After(wait):
		tb.Fatal("Closed was not called")
		panic("unreachable")
	}
}

func newTestHandler() *testHandler {
	return &testHandler{closed: map[apigw.ConnectionID][]conn.CloseReason{}, ended: make(chan closedCall, 1<<16)}
}

const wait = time.Minute

// newTestHub runs a Hub until the test ends, and then checks that nothing is left in it.
func newTestHub(tb testing.TB, h conn.Handler, o conn.Options) *conn.Hub {
	tb.Helper()
	if o.Limits == (apigw.Limits{}) {
		o.Limits = apigw.LimitsAWS()
	}
	hub, err := conn.New(h, o)
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(tb.Context())
	done := make(chan error, 1)
	go func() { done <- hub.Run(ctx) }()
	tb.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			tb.Errorf("Run: %v", err)
		}
		s := hub.Stats()
		if s.Pending != 0 || s.Open != 0 || s.Closing != 0 || s.InFlight != 0 {
			tb.Errorf("left behind: %+v", s)
		}
	})
	return hub
}

// transport is one way for bytes to get to a Hub.
type transport struct {
	name   string
	engine string
	pair   func(tb testing.TB) (client, server net.Conn)
}

func transports() []transport {
	all := []transport{
		{"portable/pipe", conn.EnginePortable, func(testing.TB) (net.Conn, net.Conn) { return net.Pipe() }},
		{"portable/tcp", conn.EnginePortable, tcpPair},
		{"portable/tls", conn.EnginePortable, tlsPair},
	}
	if runtime.GOOS == "linux" {
		all = append(all, transport{"epoll/tcp", conn.EngineEpoll, tcpPair}, transport{"epoll/tls", conn.EngineEpoll, tlsPair},
			transport{"epoll/pipe", conn.EngineEpoll, func(testing.TB) (net.Conn, net.Conn) { return net.Pipe() }})
	}
	return all
}

// eachTransport runs a test over all of them.
func eachTransport(t *testing.T, test func(t *testing.T, tr transport)) {
	t.Helper()
	for _, tr := range transports() {
		t.Run(tr.name, func(t *testing.T) { test(t, tr) })
	}
}

func tcpPair(tb testing.TB) (client, server net.Conn) {
	tb.Helper()
	return testkit.TCPPair(tb)
}

func tlsPair(tb testing.TB) (client, server net.Conn) {
	tb.Helper()
	rawClient, rawServer := tcpPair(tb)
	s := conn.ServerTLS(rawServer, testTLS())
	c := tls.Client(rawClient, &tls.Config{InsecureSkipVerify: true})
	done := make(chan error, 1)
	go func() { done <- s.Handshake() }()
	if err := c.Handshake(); err != nil {
		tb.Fatal(err)
	}
	if err := <-done; err != nil {
		tb.Fatal(err)
	}
	return c, s
}

var testTLS = sync.OnceValue(func() *tls.Config {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		panic(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
})

// testClient is the other end of a connection: a client that does what a test tells it.
type testClient struct {
	t  testing.TB
	c  net.Conn
	br *bufio.Reader
}

// connect opens a connection on a Hub and returns its client.
func connect(tb testing.TB, hub *conn.Hub, tr transport, attachment any) (apigw.ConnectionID, *testClient) {
	tb.Helper()
	return connectAs(tb, hub, tr, attachment, conn.Handshake{})
}

// connectAs is connect after a handshake of which something is to be told.
func connectAs(tb testing.TB, hub *conn.Hub, tr transport, attachment any, shaken conn.Handshake) (apigw.ConnectionID, *testClient) {
	tb.Helper()
	client, server := tr.pair(tb)
	tb.Cleanup(func() { client.Close() })
	id, err := hub.Reserve(attachment)
	if err != nil {
		tb.Fatal(err)
	}
	if err := hub.Open(id, server, shaken); err != nil {
		tb.Fatal(err)
	}
	if err := client.SetDeadline(time.Now().Add(wait)); err != nil {
		tb.Fatal(err)
	}
	return id, &testClient{tb, client, bufio.NewReader(client)}
}

var testKey = [4]byte{0x12, 0x34, 0xab, 0xcd}

func (c *testClient) bytes(b []byte) {
	c.t.Helper()
	if _, err := c.c.Write(b); err != nil {
		c.t.Fatalf("client write: %v", err)
	}
}

func (c *testClient) send(op frame.Opcode, fin bool, payload string) {
	c.t.Helper()
	c.bytes(frame.AppendMasked(nil, op, fin, testKey, []byte(payload)))
}

func (c *testClient) text(s string) { c.t.Helper(); c.send(frame.OpText, true, s) }

func (c *testClient) close(code int, reason string) {
	c.t.Helper()
	c.send(frame.OpClose, true, string(ws.NewCloseFrameBody(ws.StatusCode(code), reason)))
}

// frame reads the next frame, with an oracle's reader.
func (c *testClient) frame() ws.Frame {
	c.t.Helper()
	h, err := ws.ReadHeader(c.br)
	if err != nil {
		c.t.Fatalf("client read: %v", err)
	}
	f := ws.Frame{Header: h, Payload: make([]byte, h.Length)}
	if _, err := io.ReadFull(c.br, f.Payload); err != nil {
		c.t.Fatalf("client read: %v", err)
	}
	if f.Header.Masked || f.Header.Rsv != 0 {
		c.t.Fatalf("frame from the server: %+v", f.Header)
	}
	return f
}

func (c *testClient) wantText(want string) {
	c.t.Helper()
	var got []byte
	for op := ws.OpText; ; op = ws.OpContinuation {
		f := c.frame()
		if f.Header.OpCode != op {
			c.t.Fatalf("got opcode %v (%q), want %v", f.Header.OpCode, f.Payload, op)
		}
		got = append(got, f.Payload...)
		if f.Header.Fin {
			break
		}
	}
	if string(got) != want {
		c.t.Fatalf("got %d bytes %.80q, want %d bytes %.80q", len(got), got, len(want), want)
	}
}

func (c *testClient) wantClose(code int, reason string) {
	c.t.Helper()
	f := c.frame()
	if f.Header.OpCode != ws.OpClose {
		c.t.Fatalf("got opcode %v (%q), want a close frame", f.Header.OpCode, f.Payload)
	}
	gotCode, gotReason := ws.ParseCloseFrameData(f.Payload)
	if int(gotCode) != code || gotReason != reason {
		c.t.Fatalf("got close %d %q, want %d %q", gotCode, gotReason, code, reason)
	}
}

func (c *testClient) wantEOF() {
	c.t.Helper()
	if b, err := c.br.ReadByte(); !errors.Is(err, io.EOF) {
		c.t.Fatalf("got byte %#x and error %v, want the end of the connection", b, err)
	}
}

// eventually polls for a condition.
func eventually(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	for end := time.Now().Add(wait); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			tb.Fatalf("not reached: %s", what)
		}
	}
}
