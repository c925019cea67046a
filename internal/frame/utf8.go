package frame

import "unicode/utf8"

// validator checks UTF-8 that comes in pieces and refuses it at the first byte that no valid text can have there. Its
// zero value stands before the first byte.
type validator struct {
	need   uint8 // continuation bytes still owed by the current character
	lo, hi byte  // bounds of the next one, when need > 0
}

// write takes the next piece and reports whether the text can still become valid.
func (v *validator) write(p []byte) bool {
	if v.need == 0 && utf8.Valid(p) {
		return true // the usual case, at the speed of the standard library
	}
	for _, c := range p {
		if v.need > 0 {
			if c < v.lo || c > v.hi {
				return false
			}
			v.need--
			v.lo, v.hi = 0x80, 0xbf
			continue
		}
		// Lead bytes with their first continuation's bounds: Unicode, table 3-7.
		switch {
		case c < 0x80:
		case c < 0xc2:
			return false
		case c < 0xe0:
			v.need, v.lo, v.hi = 1, 0x80, 0xbf
		case c == 0xe0:
			v.need, v.lo, v.hi = 2, 0xa0, 0xbf
		case c == 0xed:
			v.need, v.lo, v.hi = 2, 0x80, 0x9f
		case c < 0xf0:
			v.need, v.lo, v.hi = 2, 0x80, 0xbf
		case c == 0xf0:
			v.need, v.lo, v.hi = 3, 0x90, 0xbf
		case c < 0xf4:
			v.need, v.lo, v.hi = 3, 0x80, 0xbf
		case c == 0xf4:
			v.need, v.lo, v.hi = 3, 0x80, 0x8f
		default:
			return false
		}
	}
	return true
}

// complete reports whether the text may end here.
func (v *validator) complete() bool { return v.need == 0 }
