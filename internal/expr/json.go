package expr

import (
	"bytes"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"cleat/internal/apigw"
)

// This file walks JSON that jsonpath.Valid has found valid; each function takes the offset of what it reads and
// returns the offset behind it. A walk over bytes that are not valid JSON ends early and finds nothing.

// find returns the raw JSON of the value at path, nil when there is none.
func find(doc []byte, path []step) []byte {
	v := doc[skipSpace(doc, 0):]
	for _, s := range path {
		if len(v) == 0 {
			return nil
		}
		switch {
		case s.index < 0 && v[0] == '{':
			v = member(v, s.name)
		case s.index >= 0 && v[0] == '[':
			v = element(v, s.index)
		default:
			return nil
		}
	}
	return v
}

// member returns the value of the last member of that name in the object at the start of v.
func member(v []byte, name string) []byte {
	var found []byte
	for i := 1; ; {
		i = skipSpace(v, i)
		if i >= len(v) || v[i] != '"' {
			return found
		}
		keyEnd := skipString(v, i)
		start := skipSpace(v, skipSpace(v, keyEnd)+1) // over the colon
		end := skipValue(v, start)
		if start >= end {
			return found
		}
		if keyIs(v[i+1:keyEnd-1], name) {
			found = v[start:end]
		}
		i = skipSpace(v, end)
		if i >= len(v) || v[i] != ',' {
			return found
		}
		i++
	}
}

// element returns the n-th value of the array at the start of v.
func element(v []byte, n int) []byte {
	for i := 1; ; n-- {
		start := skipSpace(v, i)
		end := skipValue(v, start)
		if start >= end {
			return nil
		}
		if n == 0 {
			return v[start:end]
		}
		i = skipSpace(v, end)
		if i >= len(v) || v[i] != ',' {
			return nil
		}
		i++
	}
}

func keyIs(raw []byte, name string) bool {
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw) == name
	}
	return string(unescape(nil, raw)) == name
}

func skipSpace(v []byte, i int) int {
	for i < len(v) && (v[i] == ' ' || v[i] == '\n' || v[i] == '\t' || v[i] == '\r') {
		i++
	}
	return i
}

func skipString(v []byte, i int) int {
	i++
	if n := bytes.IndexByte(v[i:], '"'); n < 0 || bytes.IndexByte(v[i:i+n], '\\') < 0 { // most texts have no escapes
		if n < 0 {
			return len(v)
		}
		return i + n + 1
	}
	for ; i < len(v); i++ {
		switch v[i] {
		case '"':
			return i + 1
		case '\\':
			i++
		}
	}
	return len(v)
}

// skipValue is not recursive: brackets inside strings aside, a valid value ends where its depth is zero again.
func skipValue(v []byte, i int) int {
	depth := 0
	for i < len(v) {
		switch v[i] {
		case '"':
			i = skipString(v, i)
		case '{', '[':
			depth++
			i++
			continue
		case '}', ']':
			if depth == 0 {
				return i
			}
			depth--
			i++
		case ',', ':', ' ', '\n', '\t', '\r':
			if depth == 0 {
				return i
			}
			i++
			continue
		default:
			for i < len(v) && strings.IndexByte(",:]} \n\t\r", v[i]) < 0 {
				i++
			}
		}
		if depth == 0 {
			return i
		}
	}
	return i
}

// appendText appends a JSON value as an expression shows it: a string without its quotes, null as nothing, anything
// else as it was sent.
func appendText(dst, raw []byte) []byte {
	switch {
	case len(raw) == 0 || string(raw) == "null":
		return dst
	case raw[0] != '"':
		return append(dst, raw...)
	case len(raw) < 2:
		return dst
	}
	raw = raw[1 : len(raw)-1]
	if bytes.IndexByte(raw, '\\') < 0 {
		return append(dst, raw...)
	}
	return unescape(dst, raw)
}

// unescape appends the content of a JSON string. Half of a surrogate pair becomes U+FFFD.
func unescape(dst, raw []byte) []byte {
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		if c != '\\' || i+1 == len(raw) {
			dst = append(dst, c)
			continue
		}
		i++
		switch raw[i] {
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'u':
			r := hex4(raw[i+1:])
			i += 4
			if utf16.IsSurrogate(r) {
				low := rune(-1)
				if i+2 < len(raw) && raw[i+1] == '\\' && raw[i+2] == 'u' {
					low = hex4(raw[i+3:])
				}
				if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
					i += 6
				}
			}
			dst = utf8.AppendRune(dst, r)
		default:
			dst = append(dst, raw[i])
		}
	}
	return dst
}

// hex4 reads four hexadecimal digits, -1 when there are not so many.
func hex4(v []byte) rune {
	if len(v) < 4 {
		return -1
	}
	var r rune
	for _, c := range v[:4] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return -1
		}
		r = r<<4 | rune(c)
	}
	return r
}

// appendAll appends every value of a header, with commas between them.
func appendAll(dst []byte, fields apigw.Fields, name string) []byte {
	first := true
	for _, f := range fields {
		if !strings.EqualFold(f.Name, name) {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(dst, f.Value...)
	}
	return dst
}
