// Package logformat renders the lines of access logs: a stage's format is text with $context variables, of any layout
// (CLF, JSON, XML, CSV), and one record gives one line (spec data-plane §9.1). It writes nothing anywhere: package
// eventlog does, and package draft asks whether a format can be used at all.
package logformat

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"cleat/internal/apigw"
)

// Default is the format of a stage that has none: the Serverless Framework's (spec control-plane §16).
const Default = `$context.identity.sourceIp $context.identity.caller $context.identity.user [$context.requestTime] "$context.eventType $context.routeKey $context.connectionId" $context.requestId`

// MaxSize is the longest format, in bytes (spec data-plane §8).
const MaxSize = 3 << 10

// Format is a parsed format. It is immutable and safe for concurrent use.
type Format struct {
	parts   []part
	json    bool // values stand in JSON texts
	unknown []string
}

// part is static text, or a variable when value is not nil.
type part struct {
	text   string
	value  variable
	quotes bool // the value is put in quotes, whatever the layout
}

// prefix begins every reference.
const prefix = "$context."

// Parse reads a format. Line breaks in it become blanks, for one event is one line. It fails on an empty or oversized
// format and, as AWS does, on one without $context.requestId and $context.extendedRequestId.
func Parse(text string) (*Format, error) {
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' }), " ")
	switch {
	case strings.TrimSpace(text) == "":
		return nil, errors.New("the access-log format is empty")
	case len(text) > MaxSize:
		return nil, fmt.Errorf("the access-log format has %d bytes, at most %d are allowed", len(text), MaxSize)
	}
	f := &Format{json: strings.HasPrefix(strings.TrimSpace(text), "{")}
	identified := false
	for text != "" {
		at := strings.Index(text, prefix)
		if at < 0 {
			at = len(text)
		}
		if at > 0 {
			f.parts = append(f.parts, part{text: text[:at]})
			text = text[at:]
			continue
		}
		name := variableName(text[len(prefix):])
		if name == "" { // "$context." alone is text like any other
			f.parts = append(f.parts, part{text: prefix})
			text = text[len(prefix):]
			continue
		}
		v := find(name)
		if v == nil {
			f.unknown = append(f.unknown, name)
			v = absent
		}
		identified = identified || name == "requestId" || name == "extendedRequestId"
		f.parts = append(f.parts, part{value: v, quotes: name == messageString})
		text = text[len(prefix)+len(name):]
	}
	if !identified {
		return nil, errors.New("the access-log format must contain $context.requestId or $context.extendedRequestId")
	}
	return f, nil
}

// variableName is the name at the beginning of s: words of letters, digits, _ and - with single dots between them.
func variableName(s string) string {
	end := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		word := c == '_' || c == '-' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		switch {
		case word:
			end = i + 1
		case c != '.' || end != i: // neither a word nor the first dot behind one
			return s[:end]
		}
	}
	return s[:end]
}

// Unknown are the names of the format's variables that do not exist; they print "-".
func (f *Format) Unknown() []string { return f.unknown }

// Append appends the line for a record, without a line break at its end. A variable without a value prints "-". What
// comes from outside cannot break the line, steer a terminal or, in a JSON format, break its text: control characters, bytes
// that are not UTF-8, and there quotes and backslashes too, are escaped as in JSON.
func (f *Format) Append(dst []byte, rec *apigw.Record) []byte {
	for i := range f.parts {
		p := &f.parts[i]
		if p.value == nil {
			dst = append(dst, p.text...)
			continue
		}
		if p.quotes {
			dst = append(dst, '"')
		}
		start := len(dst)
		if dst = p.value(dst, rec); len(dst) == start {
			dst = append(dst, '-')
		}
		dst = clean(dst, start, f.json || p.quotes)
		if p.quotes {
			dst = append(dst, '"')
		}
	}
	return dst
}

// clean escapes what was appended from start on where it must be, which is seldom; json tells that it stands in quotes.
func clean(dst []byte, start int, json bool) []byte {
	for i := start; i < len(dst); {
		if c := dst[i]; c >= ' ' && c < 0x7f && c != '"' && c != '\\' {
			i++
			continue
		}
		r, size := utf8.DecodeRune(dst[i:])
		if dirty(r, size, json) {
			return escape(dst, i, json)
		}
		i += size
	}
	return dst
}

// escape escapes what must be from start on.
func escape(dst []byte, start int, json bool) []byte {
	rest := append([]byte(nil), dst[start:]...)
	dst = dst[:start]
	for len(rest) > 0 {
		r, size := utf8.DecodeRune(rest)
		if dirty(r, size, json) {
			dst = appendEscape(dst, r)
		} else {
			dst = append(dst, rest[:size]...)
		}
		rest = rest[size:]
	}
	return dst
}

// dirty tells whether a character must be escaped: those that would break the line or steer a terminal, bytes that are not
// UTF-8, and those that would end a JSON text.
func dirty(r rune, size int, json bool) bool {
	return unicode.IsControl(r) || r == utf8.RuneError && size == 1 || json && (r == '"' || r == '\\')
}

func appendEscape(dst []byte, r rune) []byte {
	switch r {
	case '"', '\\':
		return append(dst, '\\', byte(r))
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	return fmt.Appendf(dst, `\u%04x`, r)
}
