package backend

import (
	"bytes"
	"iter"
	"net/http"
	"net/textproto"
	"slices"
	"strings"
)

// Header is the field lines of an answer, each ended by CR LF, as they came: no caller looks at more than one or two of them. Names
// are looked up without regard to case (RFC 9110 §5.1).
type Header []byte

// Get returns the value of the first line of a name, empty when there is none.
func (h Header) Get(name string) string {
	for len(h) > 0 {
		var line []byte
		line, h = h.cut()
		if n := len(name); len(line) > n && line[n] == ':' && equalFold(line[:n], name) {
			return string(bytes.Trim(line[n+1:], " \t"))
		}
	}
	return ""
}

// All yields name and value of each line, names in the spelling of http.CanonicalHeaderKey.
func (h Header) All() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for len(h) > 0 {
			var line []byte
			line, h = h.cut()
			name, value, _ := bytes.Cut(line, []byte(":"))
			if !yield(textproto.CanonicalMIMEHeaderKey(string(name)), string(bytes.Trim(value, " \t"))) {
				return
			}
		}
	}
}

// cut takes the first line off, without its end.
func (h Header) cut() (line []byte, rest Header) {
	line, rest, _ = bytes.Cut(h, []byte("\n"))
	return bytes.TrimSuffix(line, []byte("\r")), rest
}

// headerOf are the lines of a header that net/http read; names are in order, for maps have none.
func headerOf(h http.Header) Header {
	names := make([]string, 0, len(h))
	for name := range h {
		names = append(names, name)
	}
	slices.Sort(names)
	var out strings.Builder
	for _, name := range names {
		for _, v := range h[name] {
			out.WriteString(name)
			out.WriteString(": ")
			out.WriteString(v)
			out.WriteString("\r\n")
		}
	}
	return Header(out.String())
}

// equalFold compares field names and other tokens, which are ASCII.
func equalFold(line []byte, name string) bool {
	if len(line) != len(name) {
		return false
	}
	for i := range len(name) {
		a, b := line[i], name[i]
		if a == b {
			continue
		}
		if a|0x20 != b|0x20 || a|0x20 < 'a' || a|0x20 > 'z' {
			return false
		}
	}
	return true
}
