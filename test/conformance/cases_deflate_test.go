package conformance_test

import (
	"compress/flate"
	"fmt"
	"math/rand/v2"
	"strings"
)

const (
	plainOffer  = "permessage-deflate"
	plainAnswer = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
)

// payloads are what messages are made of, from what compresses best to what does not at all.
func payloads(n int) map[string]string {
	rng := rand.New(rand.NewPCG(uint64(n), 1))
	var json, prose, noise strings.Builder
	words := strings.Fields("the gateway turns connects messages and disconnects into calls of a function or of a backend, and whoever knows a connection may push to it – κόσμε")
	for json.Len() < n {
		fmt.Fprintf(&json, `{"action":"message","user":"user-%d","seq":%d,"tags":["a","b"],"seen":null},`, rng.IntN(1000), rng.IntN(1e6))
	}
	for prose.Len() < n {
		prose.WriteString(words[rng.IntN(len(words))] + " ")
	}
	for noise.Len() < n {
		noise.WriteByte(byte(rng.Uint32()))
	}
	return map[string]string{
		"zeros": strings.Repeat("\x00", n), "JSON": json.String()[:n], "prose": strings.ToValidUTF8(prose.String()[:n], "?"),
		"noise": noise.String()[:n], "printable noise": strings.Map(func(r rune) rune { return '!' + r%90 }, strings.ToValidUTF8(noise.String()[:n], ""))[:n/8*4],
	}
}

var kinds = []string{"JSON", "prose", "zeros", "printable noise", "noise"}

// deflateSizes are a message's size and the size of the frames that it is cut into, zero for one frame.
var deflateSizes = []struct{ n, part int }{
	{0, 0},
	{16, 0},
	{64, 0},
	{256, 0},
	{1 << 10, 0},
	{4 << 10, 0},
	{8 << 10, 0},
	{16 << 10, 0},
	{32 << 10, 0},
	{64 << 10, 0},
	{128 << 10, 0},
	{8 << 10, 256},
	{16 << 10, 256},
	{32 << 10, 256},
	{64 << 10, 256},
	{128 << 10, 256},
	{64 << 10, 1},
	{128 << 10, 64},
}

// roundTrips sends a message compressed in several ways, and expects each back.
func roundTrips(kind string, n, part int) []step {
	op := byte(text)
	if kind == "noise" {
		op = bin
	}
	payload := payloads(n)[kind]
	var steps []step
	for i, level := range []int{flate.HuffmanOnly, flate.NoCompression, flate.BestSpeed, flate.DefaultCompression, flate.BestCompression} {
		wire := deflate(payload, level, i%3)
		if part == 0 {
			steps = append(steps, send(fr(fin|rsv1|op, wire)), echo(op, payload))
			continue
		}
		size := max(part, len(wire)/2000) // at most 2000 frames
		steps = append(steps, send(fragments(rsv1|op, wire, size)), echo(op, payload))
	}
	return append(steps, send(fr(fin|op, payload)), echo(op, payload)) // and one that is not
}

func deflateCases() []testCase {
	var all []testCase
	for i, kind := range kinds {
		for j, s := range deflateSizes {
			title := fmt.Sprintf("%s, %d bytes", kind, s.n)
			if s.part > 0 {
				title += fmt.Sprintf(", in frames of %d", s.part)
			}
			tc := good(fmt.Sprintf("12.%d.%d", i+1, j+1), title, rfc7692+"6, §7.2", roundTrips(kind, s.n, s.part)...)
			tc.offer, tc.agreed = plainOffer, plainAnswer
			all = append(all, tc)
		}
	}
	compressed := []testCase{
		good("12.6.1", "one block", rfc7692+"7.2.3.1", send(fr(fin|rsv1|text, "\xf2\x48\xcd\xc9\xc9\x07\x00")), echo(text, "Hello")),
		good("12.6.2", "one block in two frames", rfc7692+"7.2.3.1", send(fr(rsv1|text, "\xf2\x48\xcd"), fr(fin|cont, "\xc9\xc9\x07\x00")), echo(text, "Hello")),
		good("12.6.3", "a block without compression", rfc7692+"7.2.3.3", send(fr(fin|rsv1|text, "\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00")), echo(text, "Hello")),
		good("12.6.4", "a final block", rfc7692+"7.2.3.4", send(fr(fin|rsv1|text, "\xf3\x48\xcd\xc9\xc9\x07\x00\x00")), echo(text, "Hello")),
		good("12.6.5", "two blocks", rfc7692+"7.2.3.5", send(fr(fin|rsv1|text, "\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00")), echo(text, "Hello")),
		good("12.6.6", "an empty message", rfc7692+"7.2.3.6", send(fr(fin|rsv1|text, "\x00")), echo(text, "")),
		good("12.6.7", "a ping between compressed fragments", rfc7692+"6.1", send(fr(rsv1|text, "\xf2\x48\xcd"), fr(fin|ping, "p"), fr(fin|cont, "\xc9\xc9\x07\x00")), ponged("p"), echo(text, "Hello")),
		good("12.6.8", "empty fragments", rfc7692+"6.1", send(fr(rsv1|text, ""), fr(cont, "\xf2\x48\xcd\xc9\xc9\x07\x00"), fr(fin|cont, "")), echo(text, "Hello")),
		good("12.6.9", "byte by byte", rfc7692+"6.1", chopped(1, fr(fin|rsv1|text, "\xf2\x48\xcd\xc9\xc9\x07\x00")), echo(text, "Hello")),
		good("12.6.10", "compressed and not, in turn", rfc7692+"6", send(fr(fin|text, "a"), fr(fin|rsv1|text, "\xf2\x48\xcd\xc9\xc9\x07\x00"), fr(fin|text, "b")), echo(text, "a"), echo(text, "Hello"), echo(text, "b")),
	}
	for i := range compressed {
		compressed[i].offer, compressed[i].agreed = plainOffer, plainAnswer
	}
	return append(all, compressed...)
}

func offerCases() []testCase {
	const section = rfc7692 + "7.1"
	var all []testCase
	// What a client may ask for, each tried with messages of all sizes.
	for i, o := range []struct{ offer, answer string }{
		{"permessage-deflate", plainAnswer},
		{"permessage-deflate; client_no_context_takeover; client_max_window_bits", plainAnswer},
		{"permessage-deflate; client_max_window_bits; server_no_context_takeover; server_max_window_bits=9", plainAnswer + "; server_max_window_bits=9"},
		{"permessage-deflate; client_max_window_bits=15; server_max_window_bits=15", plainAnswer + "; server_max_window_bits=15"},
		{"permessage-deflate; client_max_window_bits=9; server_max_window_bits=8", plainAnswer + "; server_max_window_bits=8"},
		{`permessage-deflate; server_max_window_bits="12"`, plainAnswer + "; server_max_window_bits=12"},
		{"permessage-deflate; server_no_context_takeover; server_max_window_bits=10, permessage-deflate; server_no_context_takeover, permessage-deflate", plainAnswer + "; server_max_window_bits=10"},
	} {
		for j, s := range deflateSizes {
			kind := kinds[j%len(kinds)]
			tc := good(fmt.Sprintf("13.%d.%d", i+1, j+1), fmt.Sprintf("%s: %s, %d bytes", o.offer, kind, s.n), section, roundTrips(kind, s.n, s.part)...)
			tc.offer, tc.agreed, tc.lax = o.offer, o.answer, o.answer == plainAnswer
			all = append(all, tc)
		}
	}
	// What must be declined, after which nothing is compressed.
	for i, o := range []struct{ title, offer, answer string }{
		{"unknown extension", "x-webkit-deflate-frame", ""},
		{"unknown parameter", "permessage-deflate; level=9", ""},
		{"parameter twice", "permessage-deflate; server_max_window_bits=10; server_max_window_bits=10", ""},
		{"window too small", "permessage-deflate; server_max_window_bits=7", ""},
		{"window too large", "permessage-deflate; client_max_window_bits=16", ""},
		{"leading zero", "permessage-deflate; server_max_window_bits=09", ""},
		{"value missing", "permessage-deflate; server_max_window_bits", ""},
		{"value too many", "permessage-deflate; server_no_context_takeover=true", ""},
		{"no number", "permessage-deflate; client_max_window_bits=all", ""},
		{"the first declined, the second accepted", "permessage-deflate; server_max_window_bits=99, permessage-deflate", plainAnswer},
		{"behind other extensions", `a; b="c;d", permessage-deflate`, ""},
	} {
		tc := bad(fmt.Sprintf("13.8.%d", i+1), o.title, rfc7692+"7", send(fr(fin|text, greeting)), echo(text, greeting))
		tc.offer, tc.agreed = o.offer, o.answer
		if o.answer == "" {
			tc.steps = append(tc.steps, send(fr(fin|rsv1|text, "\xf2\x48\xcd\xc9\xc9\x07\x00")), ends(1002))
		}
		if o.title == "unknown extension" || o.answer != "" {
			tc.lax = o.answer != ""
		}
		all = append(all, tc)
	}
	all[len(all)-1].status, all[len(all)-1].title = 400, "a quoted value that is no token" // RFC 6455 §9.1
	for i, o := range []string{"permessage-deflate;", "permessage-deflate; =", "permessage-deflate server_no_context_takeover", `permessage-deflate; server_max_window_bits="10`, "permessage-deflate; (", ";"} {
		tc := bad(fmt.Sprintf("13.9.%d", i+1), "no list of extensions: "+o, rfc+"9.1")
		tc.offer, tc.status = o, 400
		all = append(all, tc)
	}
	return all
}

func deflateViolationCases() []testCase {
	hello := "\xf2\x48\xcd\xc9\xc9\x07\x00"
	bomb := deflate(strings.Repeat("x", 16<<20), flate.BestCompression, 0)
	over := deflate(strings.Repeat("x", 1<<20+1), flate.BestCompression, 0)
	most := strings.Repeat("x", 128<<10)
	all := []testCase{
		bad("14.1.1", "RSV1 on a ping", rfc7692+"6.1", send(fr(fin|rsv1|ping, "")), ends(1002)),
		bad("14.1.2", "RSV1 on a pong", rfc7692+"6.1", send(fr(fin|rsv1|pong, "")), ends(1002)),
		bad("14.1.3", "RSV1 on a close frame", rfc7692+"6.1", send(fr(fin|rsv1|closed, "")), ends(1002)),
		bad("14.1.4", "RSV1 on a continuation", rfc7692+"6.1", send(fr(rsv1|text, hello[:3]), fr(fin|rsv1|cont, hello[3:])), ends(1002)),
		bad("14.1.5", "RSV1 on a continuation of a message that is not compressed", rfc7692+"6.1", send(fr(text, "a"), fr(fin|rsv1|cont, hello)), ends(1002)),
		bad("14.1.6", "RSV2 on a compressed message", rfc+"5.2", send(fr(fin|rsv1|rsv2|text, hello)), ends(1002)),
		bad("14.1.7", "RSV3 on a message that is not compressed", rfc+"5.2", send(fr(fin|rsv3|text, "a")), ends(1002)),
		bad("14.2.1", "bytes that are no DEFLATE stream", rfc7692+"7.2.2", send(fr(fin|rsv1|text, "\xff\xff\xff\xff")), ends(1007)),
		bad("14.2.2", "a stream that is cut off", rfc7692+"7.2.2", send(fr(fin|rsv1|text, hello[:3])), ends(1007)),
		bad("14.2.3", "a stored block with a wrong complement", rfc7692+"7.2.2", send(fr(fin|rsv1|bin, "\x00\x05\x00\xfa\xfeHello\x00")), ends(1007)),
		bad("14.2.4", "a distance back beyond the first byte", rfc7692+"7.2.2", send(fr(fin|rsv1|bin, "\x03\x02\x00")), ends(1007)),
		bad("14.3.1", "text that is not UTF-8 once inflated", rfc+"8.1", send(fr(fin|rsv1|text, deflate(greek+"\xed\xa0\x80", 9, 0))), ends(1007)),
		bad("14.3.2", "text that ends within a character", rfc+"8.1", send(fr(fin|rsv1|text, deflate("\xe2\x82", 9, 0))), ends(1007)),
		good("14.3.3", "the same as a binary message", rfc+"5.6", send(fr(fin|rsv1|bin, deflate("\xe2\x82", 9, 0))), echo(bin, "\xe2\x82")),
		bad("14.4.1", "16 MB out of 16 KB", rfc+"10.4", send(fr(fin|rsv1|text, bomb)), ends(1009)),
		bad("14.4.2", "16 MB out of 16 KB, in frames of a byte", rfc+"10.4", send(fragments(rsv1|text, bomb, 8)), ends(1009)),
		bad("14.4.3", "1 MB and a byte", rfc+"10.4", send(fr(fin|rsv1|bin, over)), ends(1009)),
		good("14.4.4", "1 MB", rfc+"10.4", send(fr(fin|rsv1|bin, deflate(strings.Repeat("x", 1<<20), 9, 0))), echo(bin, strings.Repeat("x", 1<<20))),
		{id: "14.4.5", title: "128 KB under AWS's quotas", rfc: "spec data-plane §3.2", quotas: true, lax: true, steps: []step{send(fr(fin|rsv1|text, deflate(most, 9, 0))), echo(text, most)}},
		{id: "14.4.6", title: "128 KB and a byte under AWS's quotas", rfc: "spec data-plane §3.2", quotas: true, steps: []step{send(fr(fin|rsv1|text, deflate(most+"x", 9, 0))), ends(1009)}},
		{id: "14.4.7", title: "a compressed binary message under AWS's quotas", rfc: "spec data-plane §3.2", quotas: true, steps: []step{send(fr(fin|rsv1|bin, hello)), ends(1003)}},
		{id: "14.4.8", title: "a compressed frame over 32 KB under AWS's quotas", rfc: "spec data-plane §3.2", quotas: true, steps: []step{send(fr(fin|rsv1|text, deflate(most, flate.NoCompression, 0))[:20]), ends(1009)}},
		bad("14.4.9", "empty blocks without end", rfc+"10.4", send(fr(rsv1|bin, strings.Repeat("\x00\x00\x00\xff\xff", 200_000)), fr(cont, strings.Repeat("\x00\x00\x00\xff\xff", 200_000))), ends(1009)),
	}
	for i := range all {
		all[i].offer, all[i].agreed = plainOffer, plainAnswer
	}
	return all
}
