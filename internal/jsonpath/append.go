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

// AppendString appends s as a JSON string.
func AppendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			if r, size := utf8.DecodeRuneInString(s[i:]); r != utf8.RuneError || size > 1 {
				i += size
				continue
			}
		}
		dst = append(dst, s[start:i]...)
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		case '\b':
			dst = append(dst, '\\', 'b')
		case '\f':
			dst = append(dst, '\\', 'f')
		default:
			if c < utf8.RuneSelf {
				dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&0xf])
			} else {
				dst = utf8.AppendRune(dst, utf8.RuneError)
			}
		}
		i++
		start = i
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}
