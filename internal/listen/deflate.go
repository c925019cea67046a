package listen

import (
	"slices"
	"strconv"
	"strings"

	"cleat/internal/apigw"
)

// Deflate is what was agreed about permessage-deflate (RFC 7692). The zero value is that nothing was.
type Deflate struct {
	// Window is the size of the window that messages to the client may be compressed with, as a power of two from
	// minWindow to maxWindow.
	Window int
	// answer is the line that tells the client.
	answer string
}

const (
	minWindow = 8
	maxWindow = 15
)

const deflateName = "permessage-deflate"

// AgreeDeflate picks the first offer of permessage-deflate that can be accepted from the lines of a
// Sec-WebSocket-Extensions header. Other extensions, and offers that RFC 7692 §7 has a server decline, are passed over:
// those with a parameter that is unknown, twice there, or has no valid value. A header that is no list of extensions at
// all fails the handshake with an *apigw.Error of KindBadRequest, as RFC 6455 §9.1 asks for.
//
// No context is ever taken over from one message to the next, on either side, whether or not the client asked for it: it
// would be 40 KB and more for every idle connection. A server may impose that (RFC 7692 §7.1.1), and a smaller window
// is no harder for it then, so every valid offer can be accepted.
func AgreeDeflate(lines []string) (Deflate, error) {
	var agreed Deflate
	for _, line := range lines {
		s := scanner{rest: line}
		for s.more() {
			e, ok := s.extension()
			if !ok {
				return Deflate{}, badUpgrade("Sec-WebSocket-Extensions must be a list of extensions")
			}
			if agreed.Window == 0 && e.name == deflateName {
				agreed = accept(e.params)
			}
		}
	}
	return agreed, nil
}

// Fields is the header line that the 101 bears, none when nothing was agreed.
func (d Deflate) Fields() []apigw.Field {
	if d.answer == "" {
		return nil
	}
	return []apigw.Field{{Name: "Sec-WebSocket-Extensions", Value: d.answer}}
}

// accept accepts or declines one offer of permessage-deflate.
func accept(params []param) Deflate {
	d := Deflate{Window: maxWindow, answer: deflateName + "; server_no_context_takeover; client_no_context_takeover"}
	for i, p := range params {
		if slices.ContainsFunc(params[:i], func(q param) bool { return q.name == p.name }) {
			return Deflate{}
		}
		ok := false
		switch p.name {
		case "server_no_context_takeover", "client_no_context_takeover":
			ok = !p.hasValue
		case "client_max_window_bits": // any window of the client's is small enough for us
			_, ok = windowBits(p.value)
			ok = ok || !p.hasValue
		case "server_max_window_bits":
			d.Window, ok = windowBits(p.value)
			d.answer += "; server_max_window_bits=" + p.value
		}
		if !ok {
			return Deflate{}
		}
	}
	return d
}

// windowBits reads a decimal number from 8 to 15 without leading zeros (RFC 7692 §7.1.2).
func windowBits(s string) (int, bool) {
	n, err := strconv.Atoi(s)
	return n, err == nil && minWindow <= n && n <= maxWindow && s == strconv.Itoa(n)
}

// extension is an element of a Sec-WebSocket-Extensions header (RFC 6455 §9.1):
//
//	extension-list  = 1#( token *( ";" extension-param ) )
//	extension-param = token [ "=" ( token | quoted-string ) ]   ; a quoted string, unquoted, is a token too
type extension struct {
	name   string
	params []param
}

type param struct {
	name, value string
	hasValue    bool
}

// scanner reads the elements of one header line. Blanks may stand between any two of their parts.
type scanner struct{ rest string }

// more skips empty elements (RFC 9110 §5.6.1) and tells whether another one begins.
func (s *scanner) more() bool {
	s.rest = strings.TrimLeft(s.rest, ", \t")
	return s.rest != ""
}

// extension reads one element and the comma behind it; false when it is none.
func (s *scanner) extension() (e extension, ok bool) {
	if e.name, ok = s.token(); !ok {
		return e, false
	}
	for s.take(';') {
		p, ok := s.param()
		if !ok {
			return e, false
		}
		e.params = append(e.params, p)
	}
	return e, s.take(',') || s.rest == ""
}

func (s *scanner) param() (p param, ok bool) {
	if p.name, ok = s.token(); !ok || !s.take('=') {
		return p, ok
	}
	p.hasValue = true
	if s.take('"') {
		p.value, ok = s.quoted()
	} else {
		p.value, ok = s.token()
	}
	return p, ok
}

// take skips blanks, and c if it stands there.
func (s *scanner) take(c byte) bool {
	s.rest = strings.TrimLeft(s.rest, " \t")
	if s.rest == "" || s.rest[0] != c {
		return false
	}
	s.rest = s.rest[1:]
	return true
}

func (s *scanner) token() (string, bool) {
	s.rest = strings.TrimLeft(s.rest, " \t")
	end := strings.IndexFunc(s.rest, notInToken)
	if end < 0 {
		end = len(s.rest)
	}
	t := s.rest[:end]
	s.rest = s.rest[end:]
	return t, t != ""
}

// quoted reads on behind a quotation mark, to the one that ends the string.
func (s *scanner) quoted() (string, bool) {
	var b strings.Builder
	for i := 0; i < len(s.rest); i++ {
		switch c := s.rest[i]; c {
		case '"':
			s.rest = s.rest[i+1:]
			return b.String(), isToken(b.String())
		case '\\':
			if i++; i == len(s.rest) {
				return "", false
			}
			b.WriteByte(s.rest[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", false
}
