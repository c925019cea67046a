package conformance_test

import (
	"fmt"
	"strings"
	"sync"
	"time"
)

// section is a group of cases, as Autobahn numbers them; 0 is the handshake, which it does not look at.
type section struct {
	number, title string
	cases         []testCase
}

// sections are all cases. They are made once, for the payloads take a while, and must not be changed.
var sections = sync.OnceValue(func() []section {
	return []section{
		{"0", "Handshake", handshakeCases()},
		{"1", "Framing: sizes and lengths", framingCases()},
		{"2", "Pings and pongs", pingCases()},
		{"3", "Reserved bits", reservedCases()},
		{"4", "Reserved opcodes, masks", opcodeCases()},
		{"5", "Fragmentation", fragmentCases()},
		{"6", "UTF-8", utf8Cases()},
		{"7", "Closing", closeCases()},
		{"9", "Limits and large messages", limitCases()},
		{"10", "Messages cut up by the client", cutCases()},
		{"12", "Compression: payloads and sizes", deflateCases()},
		{"13", "Compression: offers", offerCases()},
		{"14", "Compression: violations", deflateViolationCases()},
	}
})

const (
	rfc      = "RFC 6455 §"
	rfc7692  = "RFC 7692 §"
	greeting = "Hello, world"
)

func handshakeCases() []testCase {
	edit := func(id, title, section string, status int, old, replacement string) testCase {
		return testCase{id: id, title: title, rfc: rfc + section, status: status, request: strings.Replace(goodRequest, old, replacement, 1)}
	}
	version := "Sec-WebSocket-Version: 13\r\n"
	key := "Sec-WebSocket-Key: " + sampleKey + "\r\n"
	return []testCase{
		good("0.1", "the example of the RFC", rfc+"1.3", send(fr(fin|text, greeting)), echo(text, greeting)),
		{id: "0.2", title: "names and tokens in other cases", rfc: rfc + "4.2.1", lax: true, request: "GET / HTTP/1.1\r\nhost: a\r\nUPGRADE: WebSocket\r\nconnection: keep-alive, upgrade\r\n" +
			"SEC-WEBSOCKET-KEY: " + sampleKey + "\r\nsec-websocket-version: 13\r\n\r\n"},
		{
			id: "0.3", title: "a frame in the packet of the request", rfc: rfc + "4.1", lax: true, request: goodRequest + string(fr(fin|text, greeting)),
			steps: []step{echo(text, greeting)},
		},
		edit("0.4", "no key", "4.2.1", 400, key, ""),
		edit("0.5", "two keys", "4.2.1", 400, key, key+key),
		edit("0.6", "a key of 15 bytes", "4.2.1", 400, sampleKey, "dGhlIHNhbXBsZSBub25j"),
		edit("0.7", "a key that is not base64", "4.2.1", 400, sampleKey, "dGhlIHNhbXBsZSBub25jZQ"),
		edit("0.8", "no version", "4.2.2", 426, version, ""),
		edit("0.9", "version 8", "4.4", 426, version, "Sec-WebSocket-Version: 8\r\n"),
		edit("0.10", "two versions", "4.2.1", 426, version, version+version),
		edit("0.11", "no Upgrade", "4.2.1", 426, "Upgrade: websocket\r\n", ""),
		edit("0.12", "another protocol", "4.2.1", 426, "Upgrade: websocket", "Upgrade: h2c"),
		edit("0.13", "no Connection", "4.2.1", 400, "Connection: Upgrade\r\n", ""),
		edit("0.14", "POST", "4.2.1", 400, "GET", "POST"),
		edit("0.15", "HTTP/1.0", "4.2.1", 400, "HTTP/1.1", "HTTP/1.0"),
		edit("0.16", "a body", "4.2.1", 400, version+"\r\n", version+"Content-Length: 3\r\n\r\nabc"),
	}
}

func framingCases() []testCase {
	var all []testCase
	for i, kind := range []struct {
		name string
		op   byte
	}{{"text", text}, {"binary", bin}} {
		for j, n := range []int{0, 1, 124, 125, 126, 127, 128, 65534, 65535, 65536, 65537} {
			id := fmt.Sprintf("1.%d.%d", i+1, j+1)
			payload := strings.Repeat("*", n)
			all = append(all, good(id, fmt.Sprintf("%s of %d bytes", kind.name, n), rfc+"5.2", send(fr(fin|kind.op, payload)), echo(kind.op, payload)))
		}
		big := strings.Repeat("*", 65536)
		all = append(all, good(fmt.Sprintf("1.%d.12", i+1), kind.name+" of 65536 bytes in packets of 997", rfc+"5.2", chopped(997, fr(fin|kind.op, big)), echo(kind.op, big)))
		for j, over := range []struct{ n, form int }{{0, 2}, {125, 2}, {0, 8}, {125, 8}, {126, 8}, {65535, 8}} {
			all = append(all, bad(fmt.Sprintf("1.%d.%d", i+1, 13+j), fmt.Sprintf("%s of %d bytes, its length in %d bytes", kind.name, over.n, over.form), rfc+"5.2 (minimal number of bytes)",
				send(long(fin|kind.op, strings.Repeat("*", over.n), over.form, true)), ends(1002)))
		}
		all = append(all, bad(fmt.Sprintf("1.%d.19", i+1), kind.name+", top bit of the length set", rfc+"5.2",
			send([]byte{fin | kind.op, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 1, 1, 2, 3, 4, 5}), ends(1002)))
	}
	return all
}

func pingCases() []testCase {
	full := strings.Repeat("\xfe", 125)
	ten := make([][]byte, 10)
	var answered []step
	for i := range ten {
		payload := fmt.Sprintf("payload %d", i)
		ten[i] = fr(fin|ping, payload)
		answered = append(answered, ponged(payload))
	}
	const section = rfc + "5.5.2"
	return []testCase{
		good("2.1", "ping without data", section, send(fr(fin|ping, "")), ponged("")),
		good("2.2", "ping with text", section, send(fr(fin|ping, greeting)), ponged(greeting)),
		good("2.3", "ping with bytes that are no text", section, send(fr(fin|ping, "\x00\xff\xfe\xfd\xfc\xfb\x00\xff")), ponged("\x00\xff\xfe\xfd\xfc\xfb\x00\xff")),
		good("2.4", "ping with 125 bytes", section, send(fr(fin|ping, full)), ponged(full)),
		bad("2.5", "ping with 126 bytes", rfc+"5.5", send(fr(fin|ping, full+"\xfe")), ends(1002)),
		good("2.6", "ping with 125 bytes, byte by byte", section, chopped(1, fr(fin|ping, full)), ponged(full)),
		good("2.7", "pong that nobody asked for", rfc+"5.5.3", send(fr(fin|pong, ""))),
		good("2.8", "pong that nobody asked for, with data", rfc+"5.5.3", send(fr(fin|pong, "unsolicited"))),
		good("2.9", "pong, then ping", rfc+"5.5.3", send(fr(fin|pong, "unsolicited"), fr(fin|ping, "asked")), ponged("asked")),
		good("2.10", "ten pings", section, append([]step{send(ten...)}, answered...)...),
		good("2.11", "ten pings, byte by byte", section, append([]step{chopped(1, ten...)}, answered...)...),
		bad("2.12", "pong with 126 bytes", rfc+"5.5", send(fr(fin|pong, full+"\xfe")), ends(1002)),
		bad("2.13", "ping, its length in two bytes", rfc+"5.5", send(long(fin|ping, "x", 2, true)), ends(1002)),
		bad("2.14", "ping in fragments", rfc+"5.5", send(fr(ping, "a"), fr(fin|cont, "b")), ends(1002)),
		bad("2.15", "pong in fragments", rfc+"5.5", send(fr(pong, "a"), fr(fin|cont, "b")), ends(1002)),
	}
}

func reservedCases() []testCase {
	const section = rfc + "5.2 (reserved bits)"
	all := []testCase{
		bad("3.1", "RSV3 on a short text", section, send(fr(fin|rsv3|text, greeting)), ends(1002)),
		bad("3.2", "RSV2, behind a good message", section, send(fr(fin|text, greeting), fr(fin|rsv2|text, greeting), fr(fin|ping, "")), perhaps(text, greeting), ends(1002)),
		bad("3.3", "RSV2 and RSV3, behind a good message, in packets of their own", section, send(fr(fin|text, greeting)), echo(text, greeting), send(fr(fin|rsv2|rsv3|text, greeting)), ends(1002)),
		bad("3.4", "RSV1, byte by byte", section, send(fr(fin|text, greeting)), echo(text, greeting), chopped(1, fr(fin|rsv1|text, greeting)), ends(1002)),
		bad("3.5", "RSV1 and RSV3 on a binary message", section, send(fr(fin|rsv1|rsv3|bin, "\x00\xff\xfe")), ends(1002)),
		bad("3.6", "RSV1 and RSV2 on a ping", section, send(fr(fin|rsv1|rsv2|ping, greeting)), ends(1002)),
		bad("3.7", "all three on a close frame", section, send(fr(fin|rsv1|rsv2|rsv3|closed, closing(1000, ""))), ends(1002)),
	}
	for i, rsv := range []byte{rsv1, rsv2, rsv3} {
		all = append(all,
			bad(fmt.Sprintf("3.%d", 8+2*i), fmt.Sprintf("RSV%d on a continuation", i+1), section, send(fr(text, "a"), fr(fin|rsv|cont, "b")), ends(1002)),
			bad(fmt.Sprintf("3.%d", 9+2*i), fmt.Sprintf("RSV%d on a pong", i+1), section, send(fr(fin|rsv|pong, "")), ends(1002)),
		)
	}
	return all
}

func opcodeCases() []testCase {
	var all []testCase
	for i, low := range []byte{3, 11} {
		for j := range byte(5) {
			op := low + j
			id := func(k int) string { return fmt.Sprintf("4.%d.%d", i+1, 5*k+int(j)+1) }
			const section = rfc + "5.2 (opcodes)"
			all = append(all,
				bad(id(0), fmt.Sprintf("opcode %d", op), section, send(fr(fin|op, "")), ends(1002)),
				bad(id(1), fmt.Sprintf("opcode %d with data, behind a message", op), section, send(fr(fin|text, greeting), fr(fin|op, "data"), fr(fin|ping, "")), perhaps(text, greeting), ends(1002)),
				bad(id(2), fmt.Sprintf("opcode %d within a message, byte by byte", op), section, chopped(1, fr(text, "a"), fr(fin|op, "data")), ends(1002)),
			)
		}
	}
	const section = rfc + "5.1 (a server must close on an unmasked frame)"
	for i, f := range []struct {
		name  string
		first byte
		data  string
	}{{"text", fin | text, greeting}, {"empty text", fin | text, ""}, {"binary message", fin | bin, greeting}, {"ping", fin | ping, ""}, {"pong", fin | pong, ""}, {"close frame", fin | closed, closing(1000, "")}} {
		all = append(all, bad(fmt.Sprintf("4.3.%d", i+1), "a "+f.name+" without mask", section, send(long(f.first, f.data, 0, false)), ends(1002)))
	}
	return append(all, bad("4.3.7", "a continuation without mask", section, send(fr(text, "a"), long(fin|cont, "b", 0, false)), ends(1002)))
}

func fragmentCases() []testCase {
	const section = rfc + "5.4"
	a, b, c := fr(text, "fragment1"), fr(cont, "fragment2"), fr(fin|cont, "fragment3")
	two := fr(fin|cont, "fragment2")
	p := fr(fin|ping, "ping")
	return []testCase{
		bad("5.1", "ping in two fragments", rfc+"5.5", send(fr(ping, "fragment1"), two), ends(1002)),
		bad("5.2", "pong in two fragments", rfc+"5.5", send(fr(pong, "fragment1"), two), ends(1002)),
		good("5.3", "two fragments", section, send(a, two), echo(text, "fragment1fragment2")),
		good("5.4", "two fragments, packets of their own", section, send(a), send(two), echo(text, "fragment1fragment2")),
		good("5.5", "two fragments, byte by byte", section, chopped(1, a, two), echo(text, "fragment1fragment2")),
		good("5.6", "ping between fragments", section, send(a, p, two), ponged("ping"), echo(text, "fragment1fragment2")),
		good("5.7", "ping between fragments, answered at once", section, send(a), send(p), ponged("ping"), send(two), echo(text, "fragment1fragment2")),
		good("5.8", "ping between fragments, byte by byte", section, chopped(1, a, p, two), ponged("ping"), echo(text, "fragment1fragment2")),
		bad("5.9", "last continuation without a message", section, send(fr(fin|cont, "x"), fr(fin|text, greeting)), ends(1002)),
		bad("5.10", "last continuation without a message, packets of their own", section, send(fr(fin|cont, "x")), send(fr(fin|text, greeting)), ends(1002)),
		bad("5.11", "last continuation without a message, byte by byte", section, chopped(1, fr(fin|cont, "x"), fr(fin|text, greeting)), ends(1002)),
		bad("5.12", "continuation without a message", section, send(fr(cont, "x"), fr(fin|text, greeting)), ends(1002)),
		bad("5.13", "continuation without a message, packets of their own", section, send(fr(cont, "x")), send(fr(fin|text, greeting)), ends(1002)),
		bad("5.14", "continuation without a message, byte by byte", section, chopped(1, fr(cont, "x"), fr(fin|text, greeting)), ends(1002)),
		bad("5.15", "continuation behind a whole message", section, send(a, two, fr(cont, "x"), fr(fin|text, greeting)), perhaps(text, "fragment1fragment2"), ends(1002)),
		bad("5.16", "continuations around a message, the first not last", section, send(fr(cont, "fragment1"), fr(text, "fragment2"), c), ends(1002)),
		bad("5.17", "continuations around a message, the first last", section, send(fr(fin|cont, "fragment1"), fr(text, "fragment2"), c), ends(1002)),
		bad("5.18", "a message within a message", section, send(a, fr(fin|text, "fragment2")), ends(1002)),
		good("5.19", "five fragments and two pings, with pauses", section,
			step{send: join(a, b, p), chop: 20, wait: 5 * time.Millisecond}, ponged("ping"),
			step{send: join(fr(cont, "fragment3"), fr(cont, "fragment4"), fr(fin|ping, "pong"), fr(fin|cont, "fragment5")), chop: 20, wait: 5 * time.Millisecond},
			ponged("pong"), echo(text, "fragment1fragment2fragment3fragment4fragment5")),
		good("5.20", "five fragments and two pings, at once", section, send(a, b, p, fr(cont, "fragment3"), fr(cont, "fragment4"), fr(fin|ping, "pong"), fr(fin|cont, "fragment5")),
			ponged("ping"), ponged("pong"), echo(text, "fragment1fragment2fragment3fragment4fragment5")),
		good("5.21", "empty fragments", section, send(fr(text, ""), fr(cont, ""), fr(fin|cont, "")), echo(text, "")),
		good("5.22", "an empty last fragment", section, send(a, fr(fin|cont, "")), echo(text, "fragment1")),
		good("5.23", "a thousand fragments of a byte", section, send(fragments(text, strings.Repeat("x", 1000), 1)), echo(text, strings.Repeat("x", 1000))),
		good("5.24", "binary fragments", section, send(fragments(bin, "\xff\xfe\xfd", 1)), echo(bin, "\xff\xfe\xfd")),
		bad("5.25", "a binary message within a text", section, send(a, fr(fin|bin, "x")), ends(1002)),
		good("5.26", "close between fragments", rfc+"5.5.1", send(a, fr(fin|closed, closing(1000, ""))), ends(1000)),
		good("5.27", "two messages in fragments, one packet", section, send(a, two, fr(text, "x"), fr(fin|cont, "y")), echo(text, "fragment1fragment2"), echo(text, "xy")),
	}
}

func cutCases() []testCase {
	payload := strings.Repeat("*", 65536)
	all := []testCase{good("10.1.1", "65536 bytes in frames of 1300", rfc+"5.4", send(fragments(text, payload, 1300)), echo(text, payload))}
	for i, size := range []int{1, 125, 126, 997, 32767, 32768, 65535} {
		part := payload[:min(len(payload), size*500)]
		all = append(all, good(fmt.Sprintf("10.1.%d", i+2), fmt.Sprintf("%d bytes in frames of %d", len(part), size), rfc+"5.4", send(fragments(bin, part, size)), echo(bin, part)))
	}
	return all
}
