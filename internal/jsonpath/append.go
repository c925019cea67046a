package jsonpath

import (
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"unicode/utf8"
)

// ErrTooDeep says that a value is nested deeper than MaxDepth, which only one that holds itself is.
var ErrTooDeep = errors.New("nested too deep to be written, or a part of itself")

// ErrTooLong says that a value's text would be longer than it may be.
var ErrTooLong = errors.New("too long to be written, or a part of itself")

// Append appends a value as JSON without blanks. Strings have only those escapes that JSON needs, and bytes that are not
// UTF-8 become U+FFFD. It stops soon after it has appended most bytes, with ErrTooLong. A value that is none of the
// package's is an error, and so is a document that holds itself.
func Append(dst []byte, v any, most int) ([]byte, error) {
	return appendValue(dst, v, len(dst)+most, MaxDepth)
}

func appendValue(dst []byte, v any, end, depth int) ([]byte, error) {
	switch {
	case depth < 0:
		return dst, ErrTooDeep
	case len(dst) > end:
		return dst, ErrTooLong
	}
	var err error
	switch v := v.(type) {
	case nil:
		return append(dst, "null"...), nil
	case bool:
		return strconv.AppendBool(dst, v), nil
	case string:
		return AppendString(dst, v), nil
	case int32:
		return strconv.AppendInt(dst, int64(v), 10), nil
	case int64:
		return strconv.AppendInt(dst, v, 10), nil
	case float64:
		return AppendDouble(dst, v), nil
	case *big.Int:
		return v.Append(dst, 10), nil
	case Decimal:
		return append(dst, v...), nil
	case *Array:
		dst = append(dst, '[')
		for i, item := range v.Items {
			if i > 0 {
				dst = append(dst, ',')
			}
			if dst, err = appendValue(dst, item, end, depth-1); err != nil {
				return dst, err
			}
		}
		return append(dst, ']'), nil
	case *Object:
		dst = append(dst, '{')
		for i, m := range v.members {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(AppendString(dst, m.Name), ':')
			if dst, err = appendValue(dst, m.Value, end, depth-1); err != nil {
				return dst, err
			}
		}
		return append(dst, '}'), nil
	}
	return dst, fmt.Errorf("a %T has no form in JSON", v)
}

const hexDigits = "0123456789ABCDEF"

// AppendString appends s as a JSON string: only quotes, backslashes and control characters are escaped, as Java's Jackson
// does, and each byte that is not UTF-8 becomes U+FFFD.
func AppendString[T []byte | string](dst []byte, s T) []byte {
	dst = append(dst, '"')
	start := 0
	for i := plain(s, stopBeyondASCII); i < len(s); {
		c := s[i]
		switch {
		case c >= utf8.RuneSelf:
			if size := runeSize(s[i:]); size > 1 {
				i += size
				continue
			}
			dst = utf8.AppendRune(append(dst, s[start:i]...), utf8.RuneError)
		case c >= ' ' && c != '"' && c != '\\':
			i++
			continue
		default:
			dst = appendEscape(append(dst, s[start:i]...), c)
		}
		start = i + 1
		i = start + plain(s[start:], stopBeyondASCII)
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

// runeSize is the length of the first character of s, one where s does not begin with UTF-8: ASCII does not come here.
func runeSize[T []byte | string](s T) int {
	var b [utf8.UTFMax]byte
	_, size := utf8.DecodeRune(b[:copy(b[:], s)])
	return size
}

func appendEscape(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	case '\b':
		return append(dst, '\\', 'b')
	case '\f':
		return append(dst, '\\', 'f')
	}
	return append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&0xf])
}
