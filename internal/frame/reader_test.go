package frame_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/gobwas/ws"

	"cleat/internal/frame"
)

var (
	key    = [4]byte{0x37, 0xfa, 0x21, 0x3d}
	limits = frame.Limits{Frame: 32 << 10, Message: 128 << 10}
)

func masked(op frame.Opcode, fin bool, payload string) []byte {
	return frame.AppendMasked(nil, op, fin, key, []byte(payload))
}

func join(bs ...[]byte) []byte { return bytes.Join(bs, nil) }

// event is frame.Event with its data as text, to be compared.
type event struct {
	kind   frame.Kind
	data   string
	code   int
	reason string
}

// read feeds b in pieces of the sizes that next returns, and returns the events and the code of the error, zero for none.
func read(t *testing.T, b []byte, lim frame.Limits, next func() int) (events []event, code int) {
	t.Helper()
	var r frame.Reader
	for len(b) > 0 {
		piece := b[:min(max(next(), 1), len(b))]
		b = b[len(piece):]
		for len(piece) > 0 {
			before := bytes.Clone(piece)
			ev, n, err := r.Next(piece, lim)
			if !bytes.Equal(before, piece) {
				t.Fatal("Next changed its input")
			}
			if err != nil {
				var fe *frame.Error
				if !errors.As(err, &fe) || ev.Kind != frame.None {
					t.Fatalf("got event %+v with error %v", ev, err)
				}
				return events, fe.Code
			}
			if ev.Kind == frame.None && n != len(piece) || n == 0 {
				t.Fatalf("Next took %d of %d bytes for nothing", n, len(piece))
			}
			piece = piece[n:]
			if ev.Kind == frame.Fragment && r.Idle() || (ev.Kind == frame.Text || ev.Kind == frame.Binary) && !r.Idle() {
				t.Fatalf("after %+v, Idle is %v", ev, r.Idle())
			}
			if ev.Kind != frame.None {
				data := ev.Data
				if ev.Kind == frame.Ping || ev.Kind == frame.Pong {
					data = r.Control()
				}
				events = append(events, event{ev.Kind, string(data), ev.Code, ev.Reason})
			}
		}
	}
	return events, 0
}

func whole() int    { return 1 << 30 }
func byteWise() int { return 1 }

func TestReader(t *testing.T) {
	closeFrame := func(code uint16, text string) []byte {
		return masked(frame.OpClose, true, string(binary.BigEndian.AppendUint16(nil, code))+text)
	}
	text := func(s string) event { return event{kind: frame.Text, data: s} }
	big := strings.Repeat("x", 32<<10)
	for name, tc := range map[string]struct {
		in   []byte
		want []event
		code int
	}{
		"RFC 6455 §5.7":     {[]byte{0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58}, []event{text("Hello")}, 0},
		"empty":             {masked(frame.OpText, true, ""), []event{text("")}, 0},
		"several":           {join(masked(frame.OpText, true, "a"), masked(frame.OpText, true, "b")), []event{text("a"), text("b")}, 0},
		"16-bit length":     {masked(frame.OpText, true, big[:126]), []event{text(big[:126])}, 0},
		"largest frame":     {masked(frame.OpText, true, big), []event{text(big)}, 0},
		"character in two":  {join(masked(frame.OpText, false, "\xf0\x9f"), masked(frame.OpContinuation, true, "\x98\x80")), []event{{kind: frame.Fragment}, text("😀")}, 0},
		"empty fragments":   {join(masked(frame.OpText, false, ""), masked(frame.OpContinuation, false, ""), masked(frame.OpContinuation, true, "")), []event{{kind: frame.Fragment}, {kind: frame.Fragment}, text("")}, 0},
		"control between":   {join(masked(frame.OpText, false, "a"), masked(frame.OpPing, true, "p"), masked(frame.OpPong, true, "q"), masked(frame.OpContinuation, true, "b")), []event{{kind: frame.Fragment}, {kind: frame.Ping, data: "p"}, {kind: frame.Pong, data: "q"}, text("ab")}, 0},
		"largest message":   {join(masked(frame.OpText, false, big), masked(frame.OpContinuation, false, big), masked(frame.OpContinuation, false, big), masked(frame.OpContinuation, true, big)), []event{{kind: frame.Fragment}, {kind: frame.Fragment}, {kind: frame.Fragment}, text(big + big + big + big)}, 0},
		"close, no status":  {masked(frame.OpClose, true, ""), []event{{kind: frame.Close, code: 1005}}, 0},
		"close":             {closeFrame(1000, ""), []event{{kind: frame.Close, code: 1000}}, 0},
		"close with reason": {closeFrame(4999, "bye é"), []event{{kind: frame.Close, code: 4999, reason: "bye é"}}, 0},

		"frame over limit":        {masked(frame.OpText, true, big+"x")[:14], nil, 1009},
		"message over limit":      {join(masked(frame.OpText, false, big), masked(frame.OpContinuation, false, big), masked(frame.OpContinuation, false, big), masked(frame.OpContinuation, false, big), masked(frame.OpContinuation, true, "x")[:6]), []event{{kind: frame.Fragment}, {kind: frame.Fragment}, {kind: frame.Fragment}, {kind: frame.Fragment}}, 1009},
		"largest 63-bit length":   {append([]byte{0x81, 0xff, 0x7f}, bytes.Repeat([]byte{0xff}, 11)...), nil, 1009},
		"binary":                  {masked(frame.OpBinary, true, "x")[:6], nil, 1003},
		"unmasked":                {[]byte{0x81, 0x01}, nil, 1002},
		"RSV1":                    {[]byte{0xc1}, nil, 1002},
		"RSV2":                    {[]byte{0xa1}, nil, 1002},
		"RSV3":                    {[]byte{0x91}, nil, 1002},
		"opcode 3":                {[]byte{0x83}, nil, 1002},
		"opcode 7":                {[]byte{0x87}, nil, 1002},
		"opcode 11":               {[]byte{0x8b}, nil, 1002},
		"opcode 15":               {[]byte{0x8f}, nil, 1002},
		"long control":            {[]byte{0x89, 0xfe}, nil, 1002},
		"fragmented control":      {[]byte{0x09}, nil, 1002},
		"no start":                {masked(frame.OpContinuation, true, "x"), nil, 1002},
		"no end":                  {join(masked(frame.OpText, false, "a"), masked(frame.OpText, true, "b")), []event{{kind: frame.Fragment}}, 1002},
		"125 in 16 bits":          {[]byte{0x81, 0xfe, 0, 125}, nil, 1002},
		"65535 in 64 bits":        {[]byte{0x81, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, nil, 1002},
		"top bit of length":       {[]byte{0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0}, nil, 1002},
		"close of one byte":       {masked(frame.OpClose, true, "x"), nil, 1002},
		"close reason not UTF-8":  {closeFrame(1000, "\xff"), nil, 1007},
		"close 1004":              {closeFrame(1004, ""), nil, 1002},
		"close 1005":              {closeFrame(1005, ""), nil, 1002},
		"close 1006":              {closeFrame(1006, ""), nil, 1002},
		"close 1015":              {closeFrame(1015, ""), nil, 1002},
		"close 999":               {closeFrame(999, ""), nil, 1002},
		"close 2999":              {closeFrame(2999, ""), nil, 1002},
		"close 5000":              {closeFrame(5000, ""), nil, 1002},
		"text cut in character":   {masked(frame.OpText, true, "\xe2\x82"), nil, 1007},
		"fail fast within frame":  {masked(frame.OpText, true, "ab\xed\xa0"+big[:100])[:10], nil, 1007},
		"fail fast before end":    {masked(frame.OpText, false, "\xc0"), nil, 1007},
		"cut across fragments":    {join(masked(frame.OpText, false, "\xf4"), masked(frame.OpContinuation, false, "\x90")), []event{{kind: frame.Fragment}}, 1007},
		"message after violation": {join([]byte{0x83}, masked(frame.OpText, true, "x")), nil, 1002},
	} {
		t.Run(name, func(t *testing.T) {
			for how, next := range map[string]func() int{"whole": whole, "by byte": byteWise} {
				got, code := read(t, tc.in, limits, next)
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

// What an attacker announces costs nothing before it is sent.
func TestReaderMemoryFollowsBytes(t *testing.T) {
	lim := frame.Limits{Frame: 64 << 20, Message: 64 << 20}
	head := masked(frame.OpText, true, strings.Repeat("x", 32<<20))[:100]
	got := testing.Benchmark(func(b *testing.B) {
		b.Helper()
		b.ReportAllocs()
		for b.Loop() {
			var r frame.Reader
			if _, _, err := r.Next(head, lim); err != nil {
				b.Fatal(err)
			}
		}
	})
	if n := got.AllocedBytesPerOp(); n > 1024 {
		t.Errorf("%d bytes for a frame of which 86 bytes came", n)
	}
}

// A whole message costs its payload and nothing else; control frames cost nothing.
// The largest frame of a message is told with it, and is not that of the message before.
func TestReaderLargest(t *testing.T) {
	var r frame.Reader
	b := join(masked(frame.OpText, false, "abc"), masked(frame.OpContinuation, false, "abcdef"), masked(frame.OpContinuation, true, "a"), masked(frame.OpText, true, "ab"))
	var got []int
	for len(b) > 0 {
		ev, n, err := r.Next(b, frame.Limits{Frame: 10, Message: 100})
		if err != nil {
			t.Fatal(err)
		}
		if b = b[n:]; ev.Kind == frame.Text {
			got = append(got, ev.Largest)
		}
	}
	if !slices.Equal(got, []int{6, 2}) {
		t.Errorf("got %v, want 6 and 2", got)
	}
}

func TestReaderAllocations(t *testing.T) {
	message := masked(frame.OpText, true, strings.Repeat("x", 4096))
	ping := masked(frame.OpPing, true, "ping")
	for name, tc := range map[string]struct {
		in   []byte
		want float64
	}{"message": {message, 1}, "ping": {ping, 0}} {
		got := testing.AllocsPerRun(100, func() {
			var r frame.Reader
			if ev, _, err := r.Next(tc.in, limits); err != nil || ev.Kind == frame.None || cap(ev.Data) > 4096 {
				t.Fatalf("%+v, %v", ev.Kind, err)
			}
		})
		if got != tc.want {
			t.Errorf("%s: %v allocations, want %v", name, got, tc.want)
		}
	}
}

// oracle reads all of b with the pieces of gobwas/ws and the standard library. complete is false when b ends within a
// frame or message.
func oracle(b []byte, lim frame.Limits) (events []event, code int, complete bool) {
	in := bytes.NewReader(b)
	state := ws.StateServerSide
	var message []byte
	var op ws.OpCode
	for in.Len() > 0 {
		at := len(b) - in.Len()
		h, err := ws.ReadHeader(in)
		if errors.Is(err, ws.ErrHeaderLengthMSB) {
			return events, 1002, true
		}
		if err != nil {
			return events, 0, false
		}
		if ws.CheckHeader(h, state) != nil || !h.Masked || !shortest(b[at:], h.Length) {
			return events, 1002, true
		}
		data := !h.OpCode.IsControl()
		switch {
		case data && h.OpCode == ws.OpBinary && !lim.Binary:
			return events, 1003, true
		case data && (h.Length > int64(lim.Frame) || h.Length+int64(len(message)) > int64(lim.Message)):
			return events, 1009, true
		case h.Length > int64(in.Len()):
			return events, 0, false
		}
		payload := make([]byte, h.Length)
		_, _ = in.Read(payload)
		ws.Cipher(payload, h.Mask, 0)
		switch h.OpCode {
		case ws.OpPing:
			events = append(events, event{kind: frame.Ping, data: string(payload)})
		case ws.OpPong:
			events = append(events, event{kind: frame.Pong, data: string(payload)})
		case ws.OpClose:
			ev, code := oracleClose(payload)
			if code != 0 {
				return events, code, true
			}
			events = append(events, ev)
		default:
			if h.OpCode != ws.OpContinuation {
				op = h.OpCode
			}
			message = append(message, payload...)
			state = state.Clear(ws.StateFragmented)
			if !h.Fin {
				state = state.Set(ws.StateFragmented)
				if op == ws.OpText && hopeless(message) {
					return events, 1007, true
				}
				events = append(events, event{kind: frame.Fragment})
				continue
			}
			if op == ws.OpText && !utf8.Valid(message) {
				return events, 1007, true
			}
			kind := frame.Text
			if op == ws.OpBinary {
				kind = frame.Binary
			}
			events = append(events, event{kind: kind, data: string(message)})
			message = nil
		}
	}
	return events, 0, true
}

// shortest reports whether the header at the front of b has its length in the shortest form.
func shortest(b []byte, length int64) bool {
	switch b[1] & 0x7f {
	case 126:
		return length > 125
	case 127:
		return length > 65535
	}
	return true
}

// hopeless reports whether no text begins like this.
func hopeless(b []byte) bool {
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && n == 1 {
			return utf8.FullRune(b) // otherwise it is the front of a character
		}
		b = b[n:]
	}
	return false
}

func oracleClose(p []byte) (event, int) {
	switch len(p) {
	case 0:
		return event{kind: frame.Close, code: 1005}, 0
	case 1:
		return event{}, 1002
	}
	code, reason := ws.ParseCloseFrameData(p)
	// gobwas knows no codes from 1012 to 2999, of which IANA has registered three, and allows any above 4999, which
	// RFC 6455 §7.4.2 gives to nobody.
	if code > 4999 || (code < 1012 || code > 1014) && ws.CheckCloseFrameData(code, "") != nil {
		return event{}, 1002
	}
	if !utf8.ValidString(reason) {
		return event{}, 1007
	}
	return event{kind: frame.Close, code: int(code), reason: reason}, 0
}

// FuzzReader holds the reader to an oracle, and to itself however its input is cut up.
func FuzzReader(f *testing.F) {
	for _, seed := range [][]byte{
		masked(frame.OpText, true, "hello"),
		join(masked(frame.OpText, false, "é"), masked(frame.OpPing, true, ""), masked(frame.OpContinuation, true, "\xe2\x82\xac")),
		join(masked(frame.OpBinary, true, "\xff"), masked(frame.OpClose, true, "\x03\xe8bye")),
		masked(frame.OpText, true, strings.Repeat("x", 300)),
		masked(frame.OpClose, true, "\x03"),
		{0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4},
		masked(frame.OpText, true, "\xed\xa0\x80"),
	} {
		f.Add(seed, uint16(1), false)
		f.Add(seed, uint16(259), true)
	}
	f.Fuzz(func(t *testing.T, in []byte, cut uint16, binaries bool) {
		lim := frame.Limits{Frame: 200, Message: 300, Binary: binaries}
		want, wantCode, complete := oracle(in, lim)
		i := 0
		sizes := func() int { i++; return 1 + (int(cut)>>(i&7))%17 }
		for how, next := range map[string]func() int{"whole": whole, "by byte": byteWise, "cut": sizes} {
			got, code := read(t, in, lim, next)
			if code != wantCode && (complete || code == 0) { // an unfinished frame may be refused already
				t.Fatalf("%s: got code %d, want %d (complete %v)", how, code, wantCode, complete)
			}
			if len(got) != len(want) {
				t.Fatalf("%s: got %d events, want %d", how, len(got), len(want))
			}
			for i := range got {
				if got[i] != want[i] {
					t.Fatalf("%s: event %d: got %+v, want %+v", how, i, got[i], want[i])
				}
			}
		}
	})
}

func BenchmarkReader(b *testing.B) {
	for name, n := range map[string]int{"128B": 128, "4KB": 4 << 10, "32KB": 32 << 10} {
		b.Run(name, func(b *testing.B) {
			in := masked(frame.OpText, true, strings.Repeat("x", n))
			b.SetBytes(int64(n))
			b.ReportAllocs()
			for b.Loop() {
				var r frame.Reader
				if _, _, err := r.Next(in, limits); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
