package model

import (
	"bytes"
	"math/big"
)

// decimal is a number of JSON's as it is written: 0.digits × 10^exponent. It is compared without being spelt out, so
// that 1e999999999 costs no more than 1.
type decimal struct {
	negative bool
	digits   []byte // without zeros at either end; none: zero
	exponent int
}

// clampedExponent stands for all exponents beyond it. A message has not so many digits that this could matter.
const clampedExponent = 1 << 40

// parseDecimal reads a number of valid JSON. The digits are appended to room, or part of raw.
func parseDecimal(room, raw []byte) decimal {
	var d decimal
	if len(raw) > 0 && raw[0] == '-' {
		d.negative, raw = true, raw[1:]
	}
	mantissa, exponent := raw, 0
	if e := bytes.IndexAny(raw, "eE"); e >= 0 {
		mantissa, exponent = raw[:e], parseExponent(raw[e+1:])
	}
	whole, fraction, _ := bytes.Cut(mantissa, []byte{'.'})
	d.digits = whole
	if len(fraction) > 0 {
		d.digits = append(append(room[:0], whole...), fraction...)
	}
	d.exponent = exponent + len(whole)
	for len(d.digits) > 0 && d.digits[0] == '0' {
		d.digits = d.digits[1:]
		d.exponent--
	}
	d.digits = bytes.TrimRight(d.digits, "0")
	if len(d.digits) == 0 {
		return decimal{}
	}
	return d
}

func parseExponent(b []byte) int {
	negative := b[0] == '-'
	e := 0
	for _, c := range b {
		if c >= '0' && c <= '9' {
			e = min(e*10+int(c-'0'), clampedExponent)
		}
	}
	if negative {
		return -e
	}
	return e
}

// compare returns -1, 0 or 1.
func (d decimal) compare(o decimal) int {
	switch {
	case d.sign() != o.sign():
		if d.sign() < o.sign() {
			return -1
		}
		return 1
	case d.sign() == 0:
		return 0
	}
	n := d.exponent - o.exponent
	if n == 0 {
		n = bytes.Compare(d.digits, o.digits)
	}
	if d.negative {
		n = -n
	}
	return max(-1, min(1, n))
}

func (d decimal) sign() int {
	switch {
	case len(d.digits) == 0:
		return 0
	case d.negative:
		return -1
	}
	return 1
}

// maxSpelt is how many digits a number may have, zeros included, to be divided.
const maxSpelt = 400

// multipleOf reports whether d, which raw is the JSON of, is a whole multiple of m. A number that would be too long to be
// spelt out counts as none.
func (d decimal) multipleOf(m *big.Rat, raw []byte) bool {
	if d.sign() == 0 {
		return true
	}
	if len(d.digits) > maxSpelt || d.exponent > maxSpelt || d.exponent < -maxSpelt {
		return false
	}
	r, ok := new(big.Rat).SetString(string(raw))
	return ok && r.Quo(r, m).IsInt()
}

// decimalOf is a bound of a schema's, which has finitely many decimals as all JSON has, and its text.
func decimalOf(r *big.Rat) (decimal, string) {
	places, _ := r.FloatPrec()
	text := r.FloatString(places)
	return parseDecimal(nil, []byte(text)), text
}
