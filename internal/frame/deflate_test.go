package frame_test

import (
	"bytes"
	"compress/flate"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/gobwas/ws"

	"cleat/internal/frame"
)

var deflating = frame.Limits{Frame: 32 << 10, Message: 128 << 10, Binary: true, Deflate: true}

// compressed is a masked frame with RSV1.
func compressed(op frame.Opcode, fin bool, payload string) []byte {
	b := masked(op, fin, payload)
	b[0] |= 0x40
	return b
}

// deflated is what a client sends for a message (RFC 7692 §7.2.1), by the standard library.
func deflated(tb testing.TB, s string) string {
	tb.Helper()
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestCompression)
	if err == nil {
		_, err = io.WriteString(w, s)
	}
	if err = errors.Join(err, w.Flush()); err != nil {
		tb.Fatal(err)
	}
	return strings.TrimSuffix(b.String(), "\x00\x00\xff\xff")
}

func TestReaderInflates(t *testing.T) {
	hello := []event{{kind: frame.Text, data: "Hello"}}
	twice := strings.Repeat("all work and no play ", 6000)
	for name, tc := range map[string]struct {
		in   []byte
		want []event
		code int
	}{
		// The examples of RFC 7692 §7.2.3.
		"one block":       {compressed(frame.OpText, true, "\xf2\x48\xcd\xc9\xc9\x07\x00"), hello, 0},
		"stored block":    {compressed(frame.OpText, true, "\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"), hello, 0},
		"final block":     {compressed(frame.OpText, true, "\xf3\x48\xcd\xc9\xc9\x07\x00\x00"), hello, 0},
		"two blocks":      {compressed(frame.OpText, true, "\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"), hello, 0},
		"empty":           {compressed(frame.OpText, true, "\x00"), []event{{kind: frame.Text}}, 0},
		"fragments":       {join(compressed(frame.OpText, false, "\xf2\x48\xcd"), masked(frame.OpContinuation, true, "\xc9\xc9\x07\x00")), []event{{kind: frame.Fragment}, hello[0]}, 0},
		"empty fragments": {join(compressed(frame.OpText, false, ""), masked(frame.OpContinuation, false, "\xf2\x48\xcd\xc9\xc9\x07\x00"), masked(frame.OpContinuation, true, "")), []event{{kind: frame.Fragment}, {kind: frame.Fragment}, hello[0]}, 0},
		// A sender that ends its stream and leaves it at that, and one that goes on with another one.
		"final block alone":  {compressed(frame.OpText, true, "\xf3\x48\xcd\xc9\xc9\x07\x00"), hello, 0},
		"two streams":        {compressed(frame.OpText, true, "\xf3\x48\xcd\xc9\xc9\x07\x00\xf2\x48\xcd\xc9\xc9\x07\x00"), []event{{kind: frame.Text, data: "HelloHello"}}, 0},
		"streams beyond use": {compressed(frame.OpText, true, strings.Repeat("\x03\x00", 1000)), nil, 1007},

		"not compressed":       {masked(frame.OpText, true, "Hello"), hello, 0},
		"as long as may be":    {compressed(frame.OpText, true, deflated(t, twice)), []event{{kind: frame.Text, data: twice}}, 0},
		"control between":      {join(compressed(frame.OpText, false, "\xf2\x48\xcd"), masked(frame.OpPing, true, "p"), masked(frame.OpContinuation, true, "\xc9\xc9\x07\x00")), []event{{kind: frame.Fragment}, {kind: frame.Ping, data: "p"}, hello[0]}, 0},
		"uncompressed follows": {join(compressed(frame.OpText, true, "\xf2\x48\xcd\xc9\xc9\x07\x00"), masked(frame.OpText, true, "\xc3\xa9")), []event{hello[0], {kind: frame.Text, data: "é"}}, 0},

		"RSV1 on a ping":         {[]byte{0xc9}, nil, 1002},
		"RSV1 on a continuation": {join(compressed(frame.OpText, false, "\xf2\x48\xcd"), compressed(frame.OpContinuation, true, "\xc9\xc9\x07\x00")), []event{{kind: frame.Fragment}}, 1002},
		"RSV1 and RSV2":          {[]byte{0xe1}, nil, 1002},
		"RSV3":                   {[]byte{0x91}, nil, 1002},
		"no stream":              {compressed(frame.OpText, true, "\xff\xff\xff"), nil, 1007},
		"cut":                    {compressed(frame.OpText, true, "\xf2\x48\xcd"), nil, 1007},
		"nothing":                {compressed(frame.OpText, true, ""), nil, 1007},
		"not UTF-8":              {compressed(frame.OpText, true, deflated(t, "\xc3")), nil, 1007},
		"not UTF-8 early":        {join(compressed(frame.OpText, false, deflated(t, "\xff")), masked(frame.OpContinuation, true, "")), []event{{kind: frame.Fragment}}, 1007},
		"bomb":                   {compressed(frame.OpText, true, deflated(t, strings.Repeat("x", 20<<20))), nil, 1009},
		"one byte too many":      {compressed(frame.OpBinary, true, deflated(t, strings.Repeat("x", 128<<10+1))), nil, 1009},
		"frame too long":         {compressed(frame.OpText, true, strings.Repeat("x", 32<<10+1))[:14], nil, 1009},
	} {
		t.Run(name, func(t *testing.T) {
			for how, next := range map[string]func() int{"whole": whole, "by byte": byteWise} {
				got, code := read(t, tc.in, deflating, next)
				if code != tc.code || len(got) != len(tc.want) {
					t.Fatalf("%s: got %d events, code %d; want %d, %d", how, len(got), code, len(tc.want), tc.code)
				}
				for i := range got {
					if got[i] != tc.want[i] {
						t.Errorf("%s: event %d: got %.100v, want %.100v", how, i, got[i], tc.want[i])
					}
				}
			}
		})
	}
}

// Blocks that hold nothing must not go on for ever: what comes over the wire is bounded too.
func TestReaderBoundsEmptyBlocks(t *testing.T) {
	part := strings.Repeat("\x00\x00\x00\xff\xff", 6000)
	var r frame.Reader
	if _, _, err := r.Next(compressed(frame.OpText, false, part), deflating); err != nil {
		t.Fatal(err)
	}
	for n := len(part); n < 1<<20; n += len(part) {
		_, _, err := r.Next(masked(frame.OpContinuation, false, part), deflating)
		var fe *frame.Error
		if errors.As(err, &fe) && fe.Code == frame.CodeMessageTooBig {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Error("a megabyte of empty blocks was taken for a message of 128 KB")
}

// inflated is what a client makes of a message that AppendDeflated framed.
func inflated(tb testing.TB, b []byte, most int) (message []byte, compressed bool) {
	tb.Helper()
	in := bytes.NewReader(b)
	for first := true; ; first = false {
		h, err := ws.ReadHeader(in)
		if err != nil {
			tb.Fatal(err)
		}
		switch {
		case first:
			compressed = h.Rsv == 4
		case h.Rsv != 0 || h.OpCode != ws.OpContinuation:
			tb.Fatalf("got continuation %+v", h)
		}
		if h.Length > int64(most) {
			tb.Fatalf("a frame of %d bytes", h.Length)
		}
		part := make([]byte, h.Length)
		if _, err := io.ReadFull(in, part); err != nil {
			tb.Fatal(err)
		}
		message = append(message, part...)
		if h.Fin {
			break
		}
	}
	if in.Len() != 0 {
		tb.Fatalf("%d bytes behind the message", in.Len())
	}
	if compressed {
		r := flate.NewReader(io.MultiReader(bytes.NewReader(message), strings.NewReader("\x00\x00\xff\xff\x01\x00\x00\xff\xff")))
		var err error
		if message, err = io.ReadAll(r); err != nil {
			tb.Fatal(err)
		}
	}
	return message, compressed
}

func TestAppendDeflated(t *testing.T) {
	noise := make([]byte, 100_000)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range noise {
		noise[i] = byte(rng.Uint32())
	}
	for name, tc := range map[string]struct {
		payload []byte
		want    bool // compressed
	}{
		"empty":          {nil, false},
		"short":          {[]byte("x"), false},
		"text":           {[]byte(strings.Repeat("all work and no play ", 5000)), true},
		"incompressible": {noise, false},
		"several frames": {append(bytes.Repeat([]byte("0"), 20_000), noise...), true},
	} {
		for window := frame.MinWindow; window <= frame.MaxWindow; window++ {
			b := frame.AppendDeflated([]byte("front"), frame.OpText, tc.payload, 32<<10, window)
			got, compressed := inflated(t, b[5:], 32<<10)
			if !bytes.Equal(got, tc.payload) || compressed != tc.want {
				t.Errorf("%s, window %d: got %d bytes, compressed %v; want %d, %v", name, window, len(got), compressed, len(tc.payload), tc.want)
			}
		}
	}
}

// The window that a client asked for is all it has: no part of a message may refer further back (RFC 7692 §7.1.2.1).
func TestAppendDeflatedWindow(t *testing.T) {
	// The second half equals the first, 600 bytes before it; no other bytes are alike.
	half := make([]byte, 600)
	rng := rand.New(rand.NewPCG(3, 4))
	for i := range half {
		half[i] = byte(rng.Uint32() % 16) // 4 bits each, so that Huffman coding alone compresses
	}
	payload := append(bytes.Clone(half), half...)
	narrow := len(frame.AppendDeflated(nil, frame.OpBinary, payload, 0, 9))
	wide := len(frame.AppendDeflated(nil, frame.OpBinary, payload, 0, 10))
	if wide > narrow*3/4 {
		t.Errorf("got %d bytes with a window of 1024 and %d with 512: the first did not find the second half again", wide, narrow)
	}
	if narrow < 580 {
		t.Errorf("got %d bytes with a window of 512: it cannot have kept to it", narrow)
	}
}

// FuzzInflate holds the inflating of messages to the standard library, however the frames are cut up.
func FuzzInflate(f *testing.F) {
	for _, seed := range []string{
		"\xf2\x48\xcd\xc9\xc9\x07\x00", "\xf3\x48\xcd\xc9\xc9\x07\x00\x00", "\x00", "\xff", "\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00",
		deflated(f, strings.Repeat("x", 1000)), deflated(f, "\xff\xfe"), "\x03\x00\x03\x00\xf2\x48\xcd\xc9\xc9\x07\x00",
	} {
		f.Add([]byte(seed), uint16(3))
	}
	f.Fuzz(func(t *testing.T, wire []byte, cut uint16) {
		const most = 500
		lim := frame.Limits{Frame: 1 << 10, Message: most, Deflate: true}
		if len(wire) > most {
			return
		}
		at := int(cut) % (len(wire) + 1)
		in := join(compressed(frame.OpText, false, string(wire[:at])), masked(frame.OpContinuation, true, string(wire[at:])))
		got, code := read(t, in, lim, whole)
		again, againCode := read(t, in, lim, byteWise)
		if code != againCode || len(got) != len(again) || len(got) > 1 && got[1] != again[1] {
			t.Fatalf("got %.50v, %d at once and %.50v, %d by byte", got, code, again, againCode)
		}
		src := bytes.NewReader(append(bytes.Clone(wire), "\x00\x00\xff\xff\x01\x00\x00\xff\xff"...))
		want, err := io.ReadAll(io.LimitReader(flate.NewReader(src), most+1))
		wantCode := 0
		switch {
		case len(want) > most:
			wantCode = 1009
		case err != nil:
			wantCode = 1007
		case src.Len() != 0:
			return // more than one stream, or a truncated end: the standard library has only read the first one
		case !utf8.Valid(want):
			wantCode = 1007
		}
		if code != wantCode {
			t.Fatalf("got code %d, want %d", code, wantCode)
		}
		if code == 0 && got[1].data != string(want) {
			t.Fatalf("got %q, want %q", got[1].data, want)
		}
	})
}

func BenchmarkDeflate(b *testing.B) {
	for name, n := range map[string]int{"256B": 256, "4KB": 4 << 10, "32KB": 32 << 10} {
		payload := []byte(strings.Repeat(`{"action":"message","user":"user-17","text":"lorem ipsum"},`, n/50+1)[:n])
		in := compressed(frame.OpText, true, deflated(b, string(payload)))
		b.Run("receive/"+name, func(b *testing.B) {
			b.SetBytes(int64(n))
			b.ReportAllocs()
			for b.Loop() {
				var r frame.Reader
				if _, _, err := r.Next(in, deflating); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("send/"+name, func(b *testing.B) {
			b.SetBytes(int64(n))
			b.ReportAllocs()
			var out []byte
			for b.Loop() {
				out = frame.AppendDeflated(out[:0], frame.OpText, payload, 32<<10, frame.MaxWindow)
			}
		})
	}
}

// What costs an inflater most for its bytes: blocks that each bring a code of their own and hold nothing.
func BenchmarkInflateWorst(b *testing.B) {
	var block bytes.Buffer
	w, err := flate.NewWriter(&block, flate.HuffmanOnly)
	if err != nil {
		b.Fatal(err)
	}
	_, err = w.Write([]byte("aaaaaaabbbbccd efghijklmnopqrstuvwxyz0123456789"))
	if err = errors.Join(err, w.Flush()); err != nil {
		b.Fatal(err)
	}
	for name, unit := range map[string]string{"codes": block.String(), "stored": "\x00\x00\x00\xff\xff"} {
		in := compressed(frame.OpText, true, strings.Repeat(unit, 30_000/len(unit))+"\x00")
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(in)))
			for b.Loop() {
				var r frame.Reader
				if _, _, err := r.Next(in, deflating); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
