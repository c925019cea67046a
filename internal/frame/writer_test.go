package frame_test

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"cleat/internal/frame"
)

// A client's reader must get the message back, whatever its size and fragments.
func TestAppendMessage(t *testing.T) {
	for _, n := range []int{0, 1, 125, 126, 127, 1000, 65535, 65536, 200_000} {
		for _, most := range []int{0, 1000, 32 << 10} {
			payload := bytes.Repeat([]byte("é"), n/2+1)[:n]
			b := frame.AppendMessage([]byte("front"), frame.OpText, payload, most)
			in := bytes.NewReader(b[5:])
			var got []byte
			for op := ws.OpText; ; op = ws.OpContinuation {
				h, err := ws.ReadHeader(in)
				if err != nil {
					t.Fatal(err)
				}
				if h.OpCode != op || h.Masked || h.Length > int64(in.Len()) || most > 0 && h.Length > int64(most) {
					t.Fatalf("%d in %d: got %+v", n, most, h)
				}
				got = append(got, b[len(b)-in.Len():][:h.Length]...)
				_, _ = in.Seek(h.Length, io.SeekCurrent)
				if h.Fin {
					break
				}
			}
			if !bytes.Equal(got, payload) || in.Len() != 0 {
				t.Errorf("%d in %d: got %d bytes back, %d left", n, most, len(got), in.Len())
			}
		}
	}
}

func TestAppendControl(t *testing.T) {
	long := strings.Repeat("é", 100)
	for name, tc := range map[string]struct {
		got  []byte
		want ws.Frame
	}{
		"ping":              {frame.AppendPing(nil), ws.NewPingFrame(nil)},
		"pong":              {frame.AppendPong(nil, []byte("data")), ws.NewPongFrame([]byte("data"))},
		"close":             {frame.AppendClose(nil, 1001, "Going away"), ws.NewCloseFrame(ws.NewCloseFrameBody(1001, "Going away"))},
		"close, no status":  {frame.AppendClose(nil, 1005, "x"), ws.NewCloseFrame(nil)},
		"close, not a code": {frame.AppendClose(nil, 0, ""), ws.NewCloseFrame(nil)},
		"close, long":       {frame.AppendClose(nil, 4000, long), ws.NewCloseFrame(ws.NewCloseFrameBody(4000, long[:122]))},
	} {
		if want := ws.MustCompileFrame(tc.want); !bytes.Equal(tc.got, want) {
			t.Errorf("%s: got % x, want % x", name, tc.got, want)
		}
	}
	if got := frame.AppendPong(nil, make([]byte, 200)); len(got) != 2+125 {
		t.Errorf("a pong of %d bytes", len(got))
	}
}

// Masks at every length and offset, against the oracle's cipher.
func TestMask(t *testing.T) {
	for n := range 100 {
		payload := bytes.Repeat([]byte{0x5a, 1, 2}, 34)[:n]
		b := frame.AppendMasked(nil, frame.OpBinary, true, key, payload)
		got := b[len(b)-n:]
		want := bytes.Clone(payload)
		ws.Cipher(want, key, 0)
		if !bytes.Equal(got, want) {
			t.Fatalf("%d bytes: got % x, want % x", n, got, want)
		}
	}
}
