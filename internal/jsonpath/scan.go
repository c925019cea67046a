package jsonpath

import "bytes"

// valid reports whether b is one JSON text (RFC 8259), as gjson.ValidBytes does, which looks at every byte for itself: of a
// message of 4 KB, most of which is a text, that was the better part of all that the message cost. It calls itself for what is
// nested.
func valid(b []byte) bool {
	i, ok := scanValue(b, scanSpace(b, 0))
	return ok && scanSpace(b, i) == len(b)
}

// Each scan function takes the offset of what it reads and returns the offset behind it.

func scanSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	return i
}

func scanValue(b []byte, i int) (int, bool) {
	if i >= len(b) {
		return i, false
	}
	switch b[i] {
	case '{', '[':
		return scanNested(b, i)
	case '"':
		return scanString(b, i)
	case 't':
		return i + 4, bytes.HasPrefix(b[i:], []byte("true"))
	case 'f':
		return i + 5, bytes.HasPrefix(b[i:], []byte("false"))
	case 'n':
		return i + 4, bytes.HasPrefix(b[i:], []byte("null"))
	}
	return scanNumber(b, i)
}

// scanNested reads an object or an array.
func scanNested(b []byte, i int) (_ int, ok bool) {
	object, end := b[i] == '{', b[i]+2 // of {} as of []
	if i = scanSpace(b, i+1); i < len(b) && b[i] == end {
		return i + 1, true
	}
	for {
		if object {
			if i >= len(b) || b[i] != '"' {
				return i, false
			}
			if i, ok = scanString(b, i); !ok {
				return i, false
			}
			if i = scanSpace(b, i); i >= len(b) || b[i] != ':' {
				return i, false
			}
			i = scanSpace(b, i+1)
		}
		if i, ok = scanValue(b, i); !ok {
			return i, false
		}
		switch i = scanSpace(b, i); {
		case i < len(b) && b[i] == end:
			return i + 1, true
		case i >= len(b) || b[i] != ',':
			return i, false
		}
		i = scanSpace(b, i+1)
	}
}

func scanString(b []byte, i int) (int, bool) {
	for i++; ; {
		if i += plain(b[i:], passBeyondASCII); i >= len(b) {
			return i, false
		}
		switch c := b[i]; {
		case c == '"':
			return i + 1, true
		case c < ' ':
			return i, false
		case c != '\\':
			i++
		case i+1 == len(b):
			return i, false
		case b[i+1] == 'u':
			if i+6 > len(b) || !hex4(b[i+2:i+6]) {
				return i, false
			}
			i += 6
		case bytes.IndexByte([]byte(`"\/bfnrt`), b[i+1]) < 0:
			return i, false
		default:
			i += 2
		}
	}
}

func hex4(b []byte) bool {
	for _, c := range b {
		if (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'f') {
			return false
		}
	}
	return true
}

func scanNumber(b []byte, i int) (int, bool) {
	if i < len(b) && b[i] == '-' {
		i++
	}
	start := i
	if i < len(b) && b[i] == '0' {
		i++
	} else {
		i = scanDigits(b, i)
	}
	if i == start {
		return i, false
	}
	if i < len(b) && b[i] == '.' {
		start = i + 1
		if i = scanDigits(b, start); i == start {
			return i, false
		}
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		if i++; i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		start = i
		if i = scanDigits(b, start); i == start {
			return i, false
		}
	}
	return i, true
}

func scanDigits(b []byte, i int) int {
	for i < len(b) && '0' <= b[i] && b[i] <= '9' {
		i++
	}
	return i
}
