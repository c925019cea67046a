//go:build linux

package floor_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"testing"

	"github.com/gorilla/websocket"
	"go.uber.org/goleak"

	"cleat/bench/floor"
	"cleat/bench/wire"
	"cleat/internal/testkit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func start(t *testing.T) (addr string) {
	t.Helper()
	return testkit.Announced(t, func(ctx context.Context, out io.Writer) error { return floor.Serve(ctx, "127.0.0.1:0", out) })
}

// RFC 6455 §5.2: lengths of 7, 16 and 64 bits; §5.3: any length modulo the mask's.
func TestEcho(t *testing.T) {
	c, _, err := websocket.DefaultDialer.Dial("ws://"+start(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, size := range []int{0, 1, 7, 8, 125, 126, 1003, 65535, 65536, 200_001} {
		text := bytes.Repeat([]byte("abcdefghijk"), size/11+1)[:size]
		if err := c.WriteMessage(websocket.TextMessage, text); err != nil {
			t.Fatal(err)
		}
		op, got, err := c.ReadMessage()
		if err != nil || op != websocket.TextMessage || !bytes.Equal(got, text) {
			t.Fatalf("%d bytes: %d came back in a frame of kind %d, %v", size, len(got), op, err)
		}
	}
}

// Frames may come behind the upgrade, and several at a time.
func TestTogether(t *testing.T) {
	c, err := net.Dial("tcp", start(t))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	b := wire.Upgrade(3, "x", "/", nil)
	b = wire.AppendText(wire.AppendText(b, []byte("one")), []byte("two"))
	for _, part := range [][]byte{b[:20], b[20 : len(b)-2], b[len(b)-2:]} {
		if _, err := c.Write(part); err != nil {
			t.Fatal(err)
		}
	}
	var got []byte
	const want = "\x81\x03one\x81\x03two"
	for buf := make([]byte, 1024); !bytes.HasSuffix(got, []byte(want)); {
		n, err := c.Read(buf)
		if err != nil {
			t.Fatalf("%v after %q", err, got)
		}
		got = append(got, buf[:n]...)
	}
	if n, err := wire.Switched(3, got); err != nil || string(got[n:]) != want {
		t.Errorf("got %q, %v", got, err)
	}
}
