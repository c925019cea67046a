// Package percent reads the escapes of URLs (RFC 3986 §2.1), one at a time and without allocating.
package percent

// Len is the length of an escape in bytes.
const Len = len("%41")

// Byte returns the byte that the escape at s[at] stands for; false where none begins there.
func Byte(s string, at int) (c byte, ok bool) {
	if at+Len > len(s) || s[at] != '%' {
		return 0, false
	}
	high, ok1 := digit(s[at+1])
	low, ok2 := digit(s[at+2])
	return high<<4 | low, ok1 && ok2
}

func digit(c byte) (value byte, ok bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}
