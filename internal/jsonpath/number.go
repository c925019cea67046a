package jsonpath

import (
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
)

// Decimal is the text of a number that a float64 does not hold, as Java's BigDecimal prints it.
type Decimal string

// Float returns the nearest float64, an infinity when there is none.
func (d Decimal) Float() float64 {
	f, err := strconv.ParseFloat(string(d), 64)
	if err != nil && !math.IsInf(f, 0) {
		return math.NaN()
	}
	return f
}

// maxNumber is how many characters a number may have. It bounds the work of reading one, which grows faster than its
// length does.
const maxNumber = 1000

// longNumber is from how many characters on json-smart doubts that a Double holds a number with a fraction.
const longNumber = 18

// number makes the value of a number that is legal JSON.
func number(text string, integer bool) any {
	if integer {
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return Integer(n)
		}
		n, _ := new(big.Int).SetString(text, 10) // legal JSON: it parses
		return n
	}
	f, err := strconv.ParseFloat(text, 64)
	if len(text) <= longNumber && err == nil || err == nil && formatDouble(f) == text {
		return f
	}
	return decimal(text)
}

// Integer returns n as a Java Integer where that holds it, as a Long otherwise.
func Integer(n int64) any {
	if n >= math.MinInt32 && n <= math.MaxInt32 {
		return int32(n)
	}
	return n
}

// decimal writes a number as BigDecimal.toString does: plainly, unless its exponent is large.
func decimal(text string) Decimal {
	sign := ""
	if text[0] == '-' {
		sign, text = "-", text[1:]
	}
	mantissa, exponent, _ := strings.Cut(strings.ToLower(text), "e")
	e, err := strconv.Atoi(strings.TrimPrefix(exponent, "+"))
	if err != nil {
		e = 0
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits := strings.TrimLeft(whole+fraction, "0")
	if digits == "" {
		digits, sign = "0", ""
	}
	scale := len(fraction) - e
	adjusted := len(digits) - 1 - scale
	switch {
	case scale == 0:
		return Decimal(sign + digits)
	case scale > 0 && adjusted >= -6:
		if missing := scale - len(digits) + 1; missing > 0 {
			digits = strings.Repeat("0", missing) + digits
		}
		at := len(digits) - scale
		return Decimal(sign + digits[:at] + "." + digits[at:])
	}
	out := sign + digits[:1]
	if len(digits) > 1 {
		out += "." + digits[1:]
	}
	if adjusted != 0 {
		out += "E"
		if adjusted > 0 {
			out += "+"
		}
		out += strconv.Itoa(adjusted)
	}
	return Decimal(out)
}

// AppendDouble appends a float64 as Java's Double.toString writes it: 2.5, 1.0E10, 1.0E-5, NaN.
func AppendDouble(dst []byte, f float64) []byte {
	switch {
	case math.IsNaN(f):
		return append(dst, "NaN"...)
	case math.IsInf(f, 1):
		return append(dst, "Infinity"...)
	case math.IsInf(f, -1):
		return append(dst, "-Infinity"...)
	}
	if a := math.Abs(f); a == 0 || a >= 1e-3 && a < 1e7 {
		start := len(dst)
		dst = strconv.AppendFloat(dst, f, 'f', -1, 64)
		if slices.Contains(dst[start:], '.') {
			return dst
		}
		return append(dst, ".0"...)
	}
	var room [32]byte
	text := strconv.AppendFloat(room[:0], f, 'e', -1, 64) // 1.5e+10, 1e-05
	mantissa, exponent, _ := strings.Cut(string(text), "e")
	dst = append(dst, mantissa...)
	if !strings.Contains(mantissa, ".") {
		dst = append(dst, ".0"...)
	}
	dst = append(dst, 'E')
	if exponent[0] == '-' {
		dst = append(dst, '-')
	}
	return append(dst, strings.TrimLeft(exponent, "+-0")...)
}

// formatDouble is AppendDouble as text.
func formatDouble(f float64) string { return string(AppendDouble(nil, f)) }

// Float returns a value as a float64, and whether it is a number.
func Float(v any) (float64, bool) {
	switch n := v.(type) {
	case int32:
		return float64(n), true
	case int64:
		return float64(n), true
	case float64:
		return n, true
	case *big.Int:
		f, _ := new(big.Float).SetInt(n).Float64() // its accuracy is of no interest
		return f, true
	case Decimal:
		return n.Float(), true
	}
	return 0, false
}

// CompareNumbers compares two numbers by value, whatever their types: -1, 0 or 1. ok is false when one is no number.
func CompareNumbers(a, b any) (order int, ok bool) {
	x, isInt := Int64(a)
	y, isInt2 := Int64(b)
	if isInt && isInt2 {
		return compare(x, y), true
	}
	if m, n := BigInt(a), BigInt(b); m != nil && n != nil {
		return m.Cmp(n), true
	}
	f, ok1 := Float(a)
	g, ok2 := Float(b)
	if !ok1 || !ok2 {
		return 0, false
	}
	if d, isDecimal := a.(Decimal); isDecimal && d == b {
		return 0, true
	}
	return compare(f, g), true
}

func compare[T int64 | float64](a, b T) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// Int64 is an Integer or a Long; ok is false for anything else.
func Int64(v any) (int64, bool) {
	switch n := v.(type) {
	case int32:
		return int64(n), true
	case int64:
		return n, true
	}
	return 0, false
}

// BigInt is a whole number of any size, nil for anything else.
func BigInt(v any) *big.Int {
	if n, ok := v.(*big.Int); ok {
		return n
	}
	if n, ok := Int64(v); ok {
		return big.NewInt(n)
	}
	return nil
}
