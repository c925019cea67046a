package conn_test

import (
	"bytes"
	"compress/flate"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"cleat/internal/apigw"
	"cleat/internal/conn"
	"cleat/internal/frame"
)

const rsv1 = 0x40

// deflate is what a client makes of a message (RFC 7692 §7.2.1), by the standard library.
func deflate(tb testing.TB, s string) []byte {
	tb.Helper()
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.DefaultCompression)
	if err == nil {
		_, err = io.WriteString(w, s)
	}
	if err = errors.Join(err, w.Flush()); err != nil {
		tb.Fatal(err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\x00\x00\xff\xff"))
}

// deflated sends a compressed message.
func (c *testClient) deflated(op frame.Opcode, s string) {
	c.t.Helper()
	b := frame.AppendMasked(nil, op, true, testKey, deflate(c.t, s))
	b[0] |= rsv1
	c.bytes(b)
}

// inflated reads a message and tells whether it came compressed.
func (c *testClient) inflated() (text string, compressed bool) {
	c.t.Helper()
	var got []byte
	for first := true; ; first = false {
		h, err := ws.ReadHeader(c.br)
		if err != nil {
			c.t.Fatal(err)
		}
		part := make([]byte, h.Length)
		if _, err := io.ReadFull(c.br, part); err != nil {
			c.t.Fatal(err)
		}
		got = append(got, part...)
		if first {
			compressed = h.Rsv1()
		} else if h.Rsv != 0 {
			c.t.Fatalf("reserved bits on a continuation: %+v", h)
		}
		if h.Fin {
			break
		}
	}
	if compressed {
		var err error
		got, err = io.ReadAll(flate.NewReader(io.MultiReader(bytes.NewReader(got), strings.NewReader("\x00\x00\xff\xff\x01\x00\x00\xff\xff"))))
		if err != nil {
			c.t.Fatal(err)
		}
	}
	return string(got), compressed
}

// Where it was agreed on, messages come and go compressed, on every transport; short ones and those that do not get
// shorter go as they are (RFC 7692 §6).
func TestDeflate(t *testing.T) {
	noise := make([]byte, 40_000)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range noise {
		noise[i] = byte(rng.Uint32())
	}
	eachTransport(t, func(t *testing.T, tr transport) {
		t.Helper()
		h := newTestHandler()
		got := make(chan string, 1)
		h.onMessage = func(_ apigw.ConnectionID, _ any, m conn.Message) { got <- string(m.Data) }
		hub := newTestHub(t, h, conn.Options{Limits: apigw.LimitsOpen()})
		id, c := connectAs(t, hub, tr, nil, conn.Handshake{Window: frame.MaxWindow})
		for name, tc := range map[string]struct {
			payload string
			want    bool // comes back compressed
		}{
			"short": {strings.Repeat("x", 255), false},
			"text":  {strings.Repeat("x", 256), true},
			"long":  {strings.Repeat("all work and no play ", 5000) + string(noise), true},
			"noise": {string(noise), false},
		} {
			c.deflated(frame.OpBinary, tc.payload)
			if m := <-got; m != tc.payload {
				t.Errorf("%s: got %d bytes, want %d", name, len(m), len(tc.payload))
			}
			if err := hub.SendBinary(id, []byte(tc.payload)); err != nil {
				t.Fatal(err)
			}
			if text, compressed := c.inflated(); text != tc.payload || compressed != tc.want {
				t.Errorf("%s: got %d bytes, compressed %v; want %d, %v", name, len(text), compressed, len(tc.payload), tc.want)
			}
		}
	})
}

// A message that would grow beyond the limit ends its connection with 1009, whatever it weighs on the wire.
func TestDeflateBomb(t *testing.T) {
	eachTransport(t, func(t *testing.T, tr transport) {
		t.Helper()
		h := newTestHandler()
		hub := newTestHub(t, h, conn.Options{})
		_, c := connectAs(t, hub, tr, nil, conn.Handshake{Window: frame.MaxWindow})
		c.deflated(frame.OpText, strings.Repeat("x", 4<<20))
		c.wantClose(1009, "Message Too Big")
		if got := h.waitClosed(t); got.reason.Code != 1009 {
			t.Errorf("got %+v, want 1009", got.reason)
		}
	})
}

// One connection's agreement is nobody else's, not even the next tenant's of its slot.
func TestDeflateIsPerConnection(t *testing.T) {
	h := newTestHandler()
	hub := newTestHub(t, h, conn.Options{})
	tr := transports()[0]
	_, c := connectAs(t, hub, tr, nil, conn.Handshake{Window: frame.MinWindow})
	c.close(1000, "")
	c.wantClose(1000, "")
	h.waitClosed(t)
	id, c := connect(t, hub, tr, nil)
	go func() { _ = hub.Send(id, bytes.Repeat([]byte("x"), 1000)) }() // the client finds out
	if text, compressed := c.inflated(); len(text) != 1000 || compressed {
		t.Errorf("got %d bytes, compressed %v, where nothing was agreed", len(text), compressed)
	}
	c.deflated(frame.OpText, "hello")
	c.wantClose(1002, "Protocol error")
}

// A window that RFC 7692 has no name for is the caller's mistake, and ends the connection.
func TestOpenWindow(t *testing.T) {
	hub := newTestHub(t, newTestHandler(), conn.Options{})
	for _, window := range []int{-1, 1, 7, 16} {
		client, server := transports()[0].pair(t)
		id, err := hub.Reserve(nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := hub.Open(id, server, conn.Handshake{Window: window}); err == nil {
			t.Errorf("a window of 2^%d bytes was accepted", window)
		}
		if _, err := client.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("got %v, want the connection closed", err)
		}
		if _, err := hub.Info(id); !errors.Is(err, conn.ErrGone) || errors.Is(err, conn.ErrPending) {
			t.Errorf("got %v, want the ID gone", err)
		}
	}
}
