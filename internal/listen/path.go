package listen

import (
	"net/url"
	"strings"

	"cleat/internal/percent"
)

// EscapedPath is u.EscapedPath for less: where the path is as it came, as with the "%3D" of connection IDs, it is known without
// another copy of it.
func EscapedPath(u *url.URL) string {
	if u.RawPath != "" && isSafe(u.RawPath) && escapes(u.RawPath, u.Path) {
		return u.RawPath
	}
	return u.EscapedPath()
}

// isSafe tells whether an escaped path consists of characters that may stand in one (RFC 3986 §3.3).
func isSafe(path string) bool {
	for i := range len(path) {
		switch c := path[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case strings.IndexByte("-._~!$&'()*+,;=:@/%", c) < 0:
			return false
		}
	}
	return true
}

// escapes tells whether an escaped text stands for another.
func escapes(escaped, text string) bool {
	at := 0 // of text
	for i := 0; i < len(escaped); i++ {
		c := escaped[i]
		if c == '%' {
			var ok bool
			if c, ok = percent.Byte(escaped, i); !ok {
				return false
			}
			i += percent.Len - 1
		}
		if at == len(text) || text[at] != c {
			return false
		}
		at++
	}
	return at == len(text)
}

// Unescape is url.PathUnescape for the end of a path of which the whole is known as it is unescaped, of which the result then
// is a part. Any text may be whole; of another path it is no help.
func Unescape(escaped, whole string) (string, error) {
	if n := len(escaped) - 2*strings.Count(escaped, "%"); n < len(escaped) && n >= 0 && n <= len(whole) {
		if end := whole[len(whole)-n:]; escapes(escaped, end) {
			return end, nil
		}
	}
	return url.PathUnescape(escaped)
}

// isSound tells whether every "%" of a text begins an escape.
func isSound(escaped string) bool {
	for i := 0; i < len(escaped); i++ {
		if escaped[i] != '%' {
			continue
		}
		if _, ok := percent.Byte(escaped, i); !ok {
			return false
		}
		i += percent.Len - 1
	}
	return true
}
