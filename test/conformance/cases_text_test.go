package conformance_test

import (
	"fmt"
	"strings"
	"time"
)

// greek is the word that RFC 3629's readers know: every second byte begins a character.
const greek = "κόσμε"

// utf8Sequences are texts that begin and end characters at every border of the encoding (RFC 3629 §3, Unicode table 3-7).
var utf8Sequences = []struct {
	group, name, bytes string
	valid              bool
}{
	{"5", "Greek", greek, true},
	{"6", "first character of 1 byte", "\x00", true},
	{"6", "first character of 2 bytes", "\u0080", true},
	{"6", "first character of 3 bytes", "\u0800", true},
	{"6", "first character of 4 bytes", "\U00010000", true},
	{"6", "would-be first of 5 bytes", "\xf8\x88\x80\x80\x80", false},
	{"6", "would-be first of 6 bytes", "\xfc\x84\x80\x80\x80\x80", false},
	{"7", "last character of 1 byte", "\x7f", true},
	{"7", "last character of 2 bytes", "\u07ff", true},
	{"7", "last character of 3 bytes", "\uffff", true},
	{"7", "last character of all", "\U0010ffff", true},
	{"8", "the one behind the last", "\xf4\x90\x80\x80", false},
	{"8", "last of 4 bytes", "\xf7\xbf\xbf\xbf", false},
	{"8", "last of 5 bytes", "\xfb\xbf\xbf\xbf\xbf", false},
	{"8", "last of 6 bytes", "\xfd\xbf\xbf\xbf\xbf\xbf", false},
	{"9", "before the surrogates", "\ud7ff", true},
	{"9", "behind the surrogates", "\ue000", true},
	{"9", "replacement character", "\ufffd", true},
	{"10", "continuation byte 80", "\x80", false},
	{"10", "continuation byte bf", "\xbf", false},
	{"10", "two continuation bytes", "\x80\xbf", false},
	{"10", "seven continuation bytes", "\x80\xbf\x80\xbf\x80\xbf\x80", false},
	{"11", "lone first byte of 2, c2", "\xc2 ", false},
	{"11", "lone first byte of 2, df", "\xdf ", false},
	{"11", "lone first byte of 3, e0", "\xe0 ", false},
	{"11", "lone first byte of 3, ef", "\xef ", false},
	{"11", "lone first byte of 4, f0", "\xf0 ", false},
	{"11", "lone first byte of 4, f4", "\xf4 ", false},
	{"12", "2 bytes, the last missing", "\xc2", false},
	{"12", "3 bytes, the last missing", "\xe0\xa0", false},
	{"12", "4 bytes, the last missing", "\xf0\x90\x80", false},
	{"12", "4 bytes, two missing", "\xf0\x90", false},
	{"13", "one cut character behind another", "\xc2\xe0\xa0\xf0\x90\x80", false},
	{"14", "byte fe", "\xfe", false},
	{"14", "byte ff", "\xff", false},
	{"14", "bytes fe fe ff ff", "\xfe\xfe\xff\xff", false},
	{"15", "slash in 2 bytes", "\xc0\xaf", false},
	{"15", "slash in 3 bytes", "\xe0\x80\xaf", false},
	{"15", "slash in 4 bytes", "\xf0\x80\x80\xaf", false},
	{"15", "slash in 5 bytes", "\xf8\x80\x80\x80\xaf", false},
	{"15", "slash in 6 bytes", "\xfc\x80\x80\x80\x80\xaf", false},
	{"16", "largest in 2 bytes that needs 1", "\xc1\xbf", false},
	{"16", "largest in 3 bytes that needs 2", "\xe0\x9f\xbf", false},
	{"16", "largest in 4 bytes that needs 3", "\xf0\x8f\xbf\xbf", false},
	{"17", "zero in 2 bytes", "\xc0\x80", false},
	{"17", "zero in 3 bytes", "\xe0\x80\x80", false},
	{"17", "zero in 4 bytes", "\xf0\x80\x80\x80", false},
	{"18", "surrogate d800", "\xed\xa0\x80", false},
	{"18", "surrogate db7f", "\xed\xad\xbf", false},
	{"18", "surrogate dbff", "\xed\xaf\xbf", false},
	{"18", "surrogate dc00", "\xed\xb0\x80", false},
	{"18", "surrogate dfff", "\xed\xbf\xbf", false},
	{"19", "surrogates in a pair", "\xed\xa0\x80\xed\xb0\x80", false},
	{"19", "surrogates in a pair, last", "\xed\xaf\xbf\xed\xbf\xbf", false},
	{"20", "no character fffe", "\ufffe", true},
	{"20", "no character 1fffe", "\U0001fffe", true},
	{"20", "no character 10ffff", "\U0010ffff", true},
	{"21", "byte order mark", "\ufeff", true},
	{"22", "private use", "\U000f0000\ue000", true},
	{"23", "combining marks", "e\u0301\u0327", true},
}

func utf8Cases() []testCase {
	const section = rfc + "8.1"
	all := []testCase{
		good("6.1.1", "text of no bytes", rfc+"5.6", send(fr(fin|text, "")), echo(text, "")),
		good("6.1.2", "three empty fragments", rfc+"5.6", send(fr(text, ""), fr(cont, ""), fr(fin|cont, "")), echo(text, "")),
		good("6.1.3", "empty fragments around one", rfc+"5.6", send(fr(text, ""), fr(cont, "middle"), fr(fin|cont, "")), echo(text, "middle")),
		good("6.2.1", "characters of all lengths", rfc+"5.6", send(fr(fin|text, "a"+greek+"€𝄞")), echo(text, "a"+greek+"€𝄞")),
		good("6.2.2", "two fragments, between characters", rfc+"5.6", send(fr(text, greek), fr(fin|cont, "€𝄞")), echo(text, greek+"€𝄞")),
		good("6.2.3", "fragments of a byte, within characters", rfc+"5.6", send(fragments(text, greek+"€𝄞", 1)), echo(text, greek+"€𝄞")),
		good("6.2.4", "fragments of a byte, byte by byte", rfc+"5.6", chopped(1, fragments(text, greek+"€𝄞", 1)), echo(text, greek+"€𝄞")),
		bad("6.3.1", "surrogate within text", section, send(fr(fin|text, greek+"\xed\xa0\x80edited")), ends(1007)),
		bad("6.3.2", "surrogate within text, fragments of a byte", section, send(fragments(text, greek+"\xed\xa0\x80edited", 1)), ends(1007)),
		// Fail fast: what comes behind an impossible byte is not waited for.
		bad("6.4.1", "impossible byte in the first fragment, the rest never comes", section, send(fr(text, greek+"\xf4\x90")), ends(1007)),
		bad("6.4.2", "impossible byte in the second fragment, the rest never comes", section, send(fr(text, greek+"\xf4")), send(fr(cont, "\x90")), ends(1007)),
		bad("6.4.3", "impossible byte within a frame that never ends", section, send(fr(fin|text, greek+"\xf4\x90\x80\x80edited")[:2+4+len(greek)+2]), ends(1007)),
		bad("6.4.4", "impossible byte within a frame that never ends, byte by byte", section, step{send: fr(fin|text, greek+"\xf4\x90\x80\x80edited")[:2+4+len(greek)+2], chop: 1, wait: time.Millisecond, want: want{kind: end, codes: []int{1007}}}),
		bad("6.4.5", "character cut off by the end of the message", section, send(fr(text, "\xe2\x82"), fr(fin|cont, "")), ends(1007)),
	}
	numbers := map[string]int{}
	for _, s := range utf8Sequences {
		numbers[s.group]++
		id := fmt.Sprintf("6.%s.%d", s.group, numbers[s.group])
		if s.valid {
			all = append(all,
				good(id, s.name, rfc+"5.6", send(fr(fin|text, s.bytes)), echo(text, s.bytes)),
				good(id+"f", s.name+", fragments of a byte", rfc+"5.6", send(fragments(text, "-"+s.bytes+"-", 1)), echo(text, "-"+s.bytes+"-")))
			continue
		}
		all = append(all,
			bad(id, s.name, section, send(fr(fin|text, s.bytes)), ends(1007)),
			bad(id+"f", s.name+", fragments of a byte", section, send(fragments(text, "-"+s.bytes, 1)), ends(1007)))
	}
	return all
}

func closeCases() []testCase {
	const section = rfc + "5.5.1"
	bye := fr(fin|closed, closing(1000, ""))
	all := []testCase{
		good("7.1.1", "a message, then close", section, send(fr(fin|text, greeting)), echo(text, greeting), send(bye), ends(1000)),
		good("7.1.2", "close twice", section, send(bye, bye), ends(1000)),
		good("7.1.3", "ping behind close", section, send(bye, fr(fin|ping, "late")), ends(1000)),
		good("7.1.4", "text behind close", section, send(bye, fr(fin|text, "late")), ends(1000)),
		good("7.1.5", "close within a message, whose end comes behind it", section, send(fr(text, "a"), bye, fr(fin|cont, "b")), ends(1000)),
		good("7.1.6", "a long message, close, a message", section, send(fr(fin|text, strings.Repeat("BAsd7&jh23", 26_000)), fr(fin|text, greeting), bye, fr(fin|text, "late")),
			perhaps(text, strings.Repeat("BAsd7&jh23", 26_000)), perhaps(text, greeting), ends(1000)),
		good("7.1.7", "close, byte by byte", section, chopped(1, fr(fin|closed, closing(1000, "bye"))), ends(1000)),
		good("7.3.1", "close without a code", section, send(fr(fin|closed, "")), ends()),
		bad("7.3.2", "close with one byte", section, send(fr(fin|closed, "\x03")), ends(1002)),
		good("7.3.3", "close with a code", section, send(bye), ends(1000)),
		good("7.3.4", "close with a code and a reason", section, send(fr(fin|closed, closing(1000, "Goodbye, "+greek))), ends(1000)),
		good("7.3.5", "close with a reason of 123 bytes", section, send(fr(fin|closed, closing(1000, strings.Repeat("*", 123)))), ends(1000)),
		bad("7.3.6", "close with a reason of 124 bytes", rfc+"5.5", send(fr(fin|closed, closing(1000, strings.Repeat("*", 124)))), ends(1002)),
		bad("7.3.7", "close in fragments", rfc+"5.5", send(fr(closed, "\x03"), fr(fin|cont, "\xe8")), ends(1002)),
		bad("7.5.1", "close with a reason that is not UTF-8", rfc+"8.1", send(fr(fin|closed, closing(1000, greek+"\xed\xa0\x80edited"))), ends(1007)),
		bad("7.5.2", "close with a reason that ends within a character", rfc+"8.1", send(fr(fin|closed, closing(1000, "\xe2\x82"))), ends(1007)),
	}
	for i, code := range []int{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999} {
		all = append(all, good(fmt.Sprintf("7.7.%d", i+1), fmt.Sprintf("close with code %d", code), rfc+"7.4", send(fr(fin|closed, closing(code, "because"))), ends(code)))
	}
	for i, code := range []int{0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 32768, 65535} {
		all = append(all, bad(fmt.Sprintf("7.9.%d", i+1), fmt.Sprintf("close with code %d", code), rfc+"7.4", send(fr(fin|closed, closing(code, "because"))), ends(1002)))
	}
	return all
}

func limitCases() []testCase {
	const section = rfc + "10.4"
	star := func(n int) string { return strings.Repeat("*", n) }
	size := func(n int) string {
		if n >= 1<<20 {
			return fmt.Sprintf("%d MB", n>>20)
		}
		return fmt.Sprintf("%d KB", n>>10)
	}
	var all []testCase
	for i, kind := range []struct {
		name string
		op   byte
	}{{"text", text}, {"binary", bin}} {
		for j, n := range []int{64 << 10, 128 << 10, 256 << 10, 512 << 10, 1<<20 - 1, 1 << 20} {
			all = append(all, good(fmt.Sprintf("9.%d.%d", i+1, j+1), fmt.Sprintf("%s of %s in one frame", kind.name, size(n)), section, send(fr(fin|kind.op, star(n))), echo(kind.op, star(n))))
		}
		for j, part := range []int{64, 256, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10} {
			n := min(1<<20, part<<11)
			all = append(all, good(fmt.Sprintf("9.%d.%d", i+3, j+1), fmt.Sprintf("%s of %s in frames of %d bytes", kind.name, size(n), part), section, send(fragments(kind.op, star(n), part)), echo(kind.op, star(n))))
		}
		for j, part := range []int{64, 128, 256, 512, 1024, 2048} {
			n := min(1<<20, part<<10)
			all = append(all, good(fmt.Sprintf("9.%d.%d", i+5, j+1), fmt.Sprintf("%s of %s in packets of %d bytes", kind.name, size(n), part), section, chopped(part, fr(fin|kind.op, star(n))), echo(kind.op, star(n))))
		}
		for j, n := range []int{0, 16, 64, 256, 1 << 10, 4 << 10} {
			var trips []step
			for range 100 {
				trips = append(trips, send(fr(fin|kind.op, star(n))), echo(kind.op, star(n)))
			}
			all = append(all, good(fmt.Sprintf("9.%d.%d", i+7, j+1), fmt.Sprintf("100 times %s of %d bytes, there and back", kind.name, n), section, trips...))
		}
	}
	// Past the limits a close frame comes before the payload is there.
	all = append(
		all,
		bad("9.9.1", "a frame over 1 MB", section, send(fr(fin|text, star(1<<20+1))[:20]), ends(1009)),
		bad("9.9.2", "a message over 1 MB", section, send(fragments(text, star(1<<20), 1<<18), fr(fin|text, "")), echo(text, star(1<<20)), echo(text, ""), send(fr(text, star(1<<20)), fr(fin|cont, "*")), ends(1009)),
		bad("9.9.3", "a frame of 2^62 bytes", section, send([]byte{fin | text, 0xff, 0x40, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5}), ends(1009)),
	)
	quota := []testCase{
		good("9.10.1", "a frame of 32 KB", "spec data-plane §3.2", send(fr(fin|text, star(32<<10))), echo(text, star(32<<10))),
		bad("9.10.2", "a frame of 32 KB and a byte", "spec data-plane §3.2", send(fr(fin|text, star(32<<10+1))), ends(1009)),
		good("9.10.3", "a message of 128 KB", "spec data-plane §3.2", send(fragments(text, star(128<<10), 32<<10)), echo(text, star(128<<10))),
		bad("9.10.4", "a message of 128 KB and a byte", "spec data-plane §3.2", send(fragments(text, star(128<<10+1), 32<<10)), ends(1009)),
		bad("9.10.5", "a binary message", "spec data-plane §3.2", send(fr(fin|bin, "x")), ends(1003)),
		bad("9.10.6", "a binary message in fragments", "spec data-plane §3.2", send(fr(bin, "x")), ends(1003)),
		good("9.10.7", "a message of 128 KB in frames of 125 bytes, with pings", "spec data-plane §3.2", send(fr(text, star(1)), fr(fin|ping, "1"), fragments(cont, star(128<<10-1), 125)), ponged("1"), echo(text, star(128<<10))),
	}
	for i := range quota {
		quota[i].quotas = true
	}
	return append(all, quota...)
}
