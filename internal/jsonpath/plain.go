package jsonpath

import "math/bits"

// Each holds a byte eight times over.
const (
	ones        = 0x0101010101010101
	highBits    = 0x80 * ones
	blanks      = ' ' * ones
	quotes      = '"' * ones
	backslashes = '\\' * ones
)

// What plain does at a byte beyond ASCII.
const (
	stopBeyondASCII = uint64(highBits)
	passBeyondASCII = uint64(0)
)

// plain is how many bytes at the beginning of s stand in a JSON string as they are: no control character, no quote, no
// backslash. It looks at eight bytes at a time, so that of the last seven there may be more.
func plain[T []byte | string](s T, beyondASCII uint64) int {
	n := 0
	for ; len(s)-n >= 8; n += 8 {
		b := s[n : n+8]
		w := uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 |
			uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56
		// In each difference a byte that is looked for borrows and so sets its highest bit; the byte behind it may then
		// seem to be one, but it is not the first.
		found := (w - blanks) | (w ^ quotes - ones) | (w ^ backslashes - ones)
		if found = (found&^w | w&beyondASCII) & highBits; found != 0 {
			return n + bits.TrailingZeros64(found)/8
		}
	}
	return n
}
