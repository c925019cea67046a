package jsonpath

import "bytes"

// MaxNesting is how deep the arrays and objects of a text may be nested for it to count as JSON at all. Documents are held to
// MaxDepth.
const MaxNesting = 1000

// Valid reports whether b is one valid JSON text, and not TooDeep. Whatever comes from outside must be asked about here: what
// is nested is checked by recursion, so that a message of brackets would cost 64 times its size of stack, and one of 16 MB the
// process.
func Valid(b []byte) bool { return !TooDeep(b) && valid(b) }

// TooDeep reports whether the arrays and objects at the beginning of b, as far as it is valid JSON, are nested deeper than
// MaxNesting. It takes no stack.
func TooDeep(b []byte) bool {
	// Hardly any text has so many brackets at all.
	if len(b) <= MaxNesting || bytes.Count(b, []byte{'['})+bytes.Count(b, []byte{'{'}) <= MaxNesting {
		return false
	}
	depth := 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '{', '[':
			if depth++; depth > MaxNesting {
				return true
			}
		case '}', ']':
			depth--
		case '"':
			for i++; i < len(b) && b[i] != '"'; i++ {
				if b[i] == '\\' {
					i++
				}
			}
		}
	}
	return false
}
