package jsonpath

import (
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// MaxDepth is how deep the arrays and objects of a document may be nested.
const MaxDepth = 512

// SyntaxError is what is wrong with a text that is not JSON.
type SyntaxError struct {
	Line, Column int // from 1; columns count characters
	What         string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.What)
}

// Parse reads one JSON text, strictly as RFC 8259 has it. Of an object's members with one name the last value counts,
// at the place of the first. The error is a *SyntaxError.
func Parse(text string) (any, error) {
	room := min(len(text)/16, 16) // what most documents need
	p := parser{text: text, openMembers: make([]Member, 0, room), openItems: make([]any, 0, room)}
	v, err := p.document()
	if err != nil {
		return nil, err
	}
	return v, nil
}

// parser reads one text. Members and items are gathered on a stack until their object or array ends; then they get a
// slice of their own, cut from a larger piece.
type parser struct {
	text  string
	at    int
	depth int

	openMembers []Member
	openItems   []any

	members []Member // the rest of the current piece
	items   []any
	objects []Object
	arrays  []Array
}

func (p *parser) fail(format string, args ...any) *SyntaxError {
	at := min(p.at, len(p.text))
	before := p.text[:at]
	line := 1 + strings.Count(before, "\n")
	column := 1 + utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:])
	return &SyntaxError{Line: line, Column: column, What: fmt.Sprintf(format, args...)}
}

// unexpected says what stands where something else was wanted.
func (p *parser) unexpected(want string) *SyntaxError {
	if p.at >= len(p.text) {
		return p.fail("the text ends where %s should be", want)
	}
	r, _ := utf8.DecodeRuneInString(p.text[p.at:])
	return p.fail("%q where %s should be", r, want)
}

func (p *parser) document() (any, *SyntaxError) {
	p.space()
	v, err := p.value()
	if err != nil {
		return nil, err
	}
	if p.space(); p.at < len(p.text) {
		return nil, p.unexpected("the end")
	}
	return v, nil
}

func (p *parser) space() {
	for p.at < len(p.text) {
		switch p.text[p.at] {
		case ' ', '\n', '\t', '\r':
			p.at++
		default:
			return
		}
	}
}

// next returns the next byte, zero at the end.
func (p *parser) next() byte {
	if p.at < len(p.text) {
		return p.text[p.at]
	}
	return 0
}

func (p *parser) value() (any, *SyntaxError) {
	switch c := p.next(); {
	case c == '"':
		return p.textValue()
	case c == '{':
		return p.object()
	case c == '[':
		return p.array()
	case c == '-' || c >= '0' && c <= '9':
		return p.number()
	}
	switch rest := p.text[p.at:]; {
	case strings.HasPrefix(rest, "true"):
		p.at += len("true")
		return true, nil
	case strings.HasPrefix(rest, "false"):
		p.at += len("false")
		return false, nil
	case strings.HasPrefix(rest, "null"):
		p.at += len("null")
		return nil, nil
	}
	return nil, p.unexpected("a value")
}

func (p *parser) textValue() (any, *SyntaxError) {
	s, err := p.string()
	if err != nil {
		return nil, err
	}
	return s, nil
}

func (p *parser) enter() *SyntaxError {
	if p.depth++; p.depth > MaxDepth {
		return p.fail("arrays and objects are nested more than %d deep", MaxDepth)
	}
	p.at++
	p.space()
	return nil
}

func (p *parser) object() (any, *SyntaxError) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	base := len(p.openMembers)
	for more := p.next() != '}'; more; {
		if p.next() != '"' {
			return nil, p.unexpected(`a member's name in double quotes`)
		}
		name, err := p.string()
		if err != nil {
			return nil, err
		}
		if p.space(); p.next() != ':' {
			return nil, p.unexpected("a colon")
		}
		p.at++
		p.space()
		v, err := p.value()
		if err != nil {
			return nil, err
		}
		p.openMembers = append(p.openMembers, Member{name, v})
		if more, err = p.comma('}'); err != nil {
			return nil, err
		}
	}
	p.at++
	p.depth--
	if len(p.objects) == 0 {
		p.objects = make([]Object, p.piece(256))
	}
	o := &p.objects[0]
	p.objects = p.objects[1:]
	p.closeObject(o, p.openMembers[base:])
	p.openMembers = p.openMembers[:base]
	return o, nil
}

// comma goes past what stands between members or items. It reports whether there is one more.
func (p *parser) comma(end byte) (more bool, err *SyntaxError) {
	p.space()
	switch p.next() {
	case ',':
		p.at++
		p.space()
		return true, nil
	case end:
		return false, nil
	}
	return false, p.unexpected(fmt.Sprintf("a comma or %q", end))
}

// piece is of how many elements a piece is made, when one comes in about every so many bytes of text.
func (p *parser) piece(every int) int { return min(max(len(p.text)/every, 4), 128) }

func (p *parser) closeObject(o *Object, open []Member) {
	if len(open) > fewMembers || repeated(open) {
		for _, m := range open {
			o.Set(m.Name, m.Value)
		}
		return
	}
	if len(open) > len(p.members) {
		p.members = make([]Member, max(len(open), p.piece(96)))
	}
	o.members = p.members[:copy(p.members, open):len(open)]
	p.members = p.members[len(open):]
}

// repeated reports whether a name comes twice among few members.
func repeated(members []Member) bool {
	for i := range members {
		for j := range i {
			if members[i].Name == members[j].Name {
				return true
			}
		}
	}
	return false
}

func (p *parser) array() (any, *SyntaxError) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	base := len(p.openItems)
	for more := p.next() != ']'; more; {
		v, err := p.value()
		if err != nil {
			return nil, err
		}
		p.openItems = append(p.openItems, v)
		if more, err = p.comma(']'); err != nil {
			return nil, err
		}
	}
	p.at++
	p.depth--
	if len(p.arrays) == 0 {
		p.arrays = make([]Array, p.piece(1024))
	}
	a := &p.arrays[0]
	p.arrays = p.arrays[1:]
	open := p.openItems[base:]
	if len(open) > len(p.items) {
		p.items = make([]any, max(len(open), p.piece(256)))
	}
	a.Items = p.items[:copy(p.items, open):len(open)]
	p.items = p.items[len(open):]
	p.openItems = p.openItems[:base]
	return a, nil
}

func (p *parser) number() (any, *SyntaxError) {
	start := p.at
	integer := true
	if p.next() == '-' {
		p.at++
	}
	if p.next() == '0' {
		p.at++
	} else if !p.digits() {
		return nil, p.unexpected("a digit")
	}
	if p.next() == '.' {
		integer = false
		if p.at++; !p.digits() {
			return nil, p.unexpected("a digit")
		}
	}
	if c := p.next(); c == 'e' || c == 'E' {
		integer = false
		p.at++
		if c := p.next(); c == '+' || c == '-' {
			p.at++
		}
		if !p.digits() {
			return nil, p.unexpected("a digit")
		}
	}
	text := p.text[start:p.at]
	if len(text) > maxNumber {
		p.at = start
		return nil, p.fail("a number of more than %d characters", maxNumber)
	}
	return number(text, integer), nil
}

// digits goes past digits and reports whether there were any.
func (p *parser) digits() bool {
	start := p.at
	for c := p.next(); c >= '0' && c <= '9'; c = p.next() {
		p.at++
	}
	return p.at > start
}

// string reads a string. Without escapes it is a part of the text.
func (p *parser) string() (string, *SyntaxError) {
	p.at++
	start := p.at
	for i := start + plain(p.text[start:], passBeyondASCII); i < len(p.text); i++ {
		switch c := p.text[i]; {
		case c == '"':
			p.at = i + 1
			return p.text[start:i], nil
		case c == '\\':
			p.at = i
			return p.escaped(append(make([]byte, 0, i-start+64), p.text[start:i]...))
		case c < ' ':
			p.at = i
			return "", p.fail("a control character (%#x) in a string; it must be escaped", c)
		}
	}
	p.at = start - 1
	return "", p.fail("a string without its closing quote")
}

// escaped reads the rest of a string from its first escape on.
func (p *parser) escaped(out []byte) (string, *SyntaxError) {
	for p.at < len(p.text) {
		switch c := p.text[p.at]; {
		case c == '"':
			p.at++
			return string(out), nil
		case c < ' ':
			return "", p.fail("a control character (%#x) in a string; it must be escaped", c)
		case c != '\\':
			out = append(out, c)
			p.at++
			continue
		}
		p.at++
		c := p.next()
		if plain, ok := escapes[c]; ok {
			out = append(out, plain)
			p.at++
			continue
		}
		if c != 'u' {
			return "", p.unexpected(`one of " \ / b f n r t u`)
		}
		p.at++
		r, ok := p.hex4()
		if !ok {
			return "", p.unexpected("four hexadecimal digits")
		}
		if utf16.IsSurrogate(r) {
			r = p.lowSurrogate(r)
		}
		out = utf8.AppendRune(out, r)
	}
	return "", p.fail("a string without its closing quote")
}

var escapes = map[byte]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// lowSurrogate reads the second half of a pair; a half without the other becomes U+FFFD.
func (p *parser) lowSurrogate(high rune) rune {
	if !strings.HasPrefix(p.text[p.at:], `\u`) {
		return utf8.RuneError
	}
	start := p.at
	p.at += 2
	if low, ok := p.hex4(); ok {
		if r := utf16.DecodeRune(high, low); r != utf8.RuneError {
			return r
		}
	}
	p.at = start
	return utf8.RuneError
}

func (p *parser) hex4() (rune, bool) {
	if len(p.text)-p.at < 4 {
		return 0, false
	}
	var r rune
	for _, c := range []byte(p.text[p.at : p.at+4]) {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	p.at += 4
	return r, true
}
