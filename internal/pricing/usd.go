package pricing

import (
	"fmt"
	"math"
	"math/big"
	"strings"
)

// USD is an amount of US dollars in units of 10^-12, so that a millionth of any price that AWS has is a whole number.
// Amounts end at about 9.2 million dollars; what is more stays there.
type USD int64

const decimals = 12

// MaxUSD is the largest amount.
const MaxUSD = USD(math.MaxInt64)

// ParseUSD reads an amount as people write it, "1.26": digits, at most twelve of them behind a point, no sign and no
// exponent.
func ParseUSD(s string) (USD, error) {
	whole, fraction, point := strings.Cut(s, ".")
	digits := func(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }
	if !digits(whole) || point && !digits(fraction) {
		return 0, fmt.Errorf("%q is not an amount such as 1.26", clip(s))
	}
	fraction = strings.TrimRight(fraction, "0")
	if len(fraction) > decimals {
		return 0, fmt.Errorf("%q has more than %d decimals", clip(s), decimals)
	}
	whole = strings.TrimLeft(whole, "0")
	if len(whole) > 7 {
		return 0, fmt.Errorf("%q is more than %s", clip(s), MaxUSD)
	}
	n, ok := new(big.Int).SetString("0"+whole+fraction+strings.Repeat("0", decimals-len(fraction)), 10)
	if !ok || !n.IsInt64() {
		return 0, fmt.Errorf("%q is more than %s", clip(s), MaxUSD)
	}
	return USD(n.Int64()), nil
}

// clip keeps a message short.
func clip(s string) string {
	const most = 40
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}

// String is the exact amount with at least two decimals: "1.26", "0.00001275".
func (u USD) String() string { return u.format(decimals) }

// Rounded is the amount to six decimals, half a millionth upwards, with at least two of them shown: "0.000013".
func (u USD) Rounded() string { return u.format(6) }

func (u USD) format(most int) string {
	const one = 1_000_000_000_000
	unit := int64(math.Pow10(decimals - most))
	n := big.NewInt(int64(u))
	if unit > 1 { // as a big number, for the largest amount is rounded up too
		n.Add(n, big.NewInt(unit/2))
		n.Sub(n, new(big.Int).Mod(n, big.NewInt(unit)))
	}
	whole, rest := new(big.Int).QuoRem(n, big.NewInt(one), new(big.Int))
	fraction := fmt.Sprintf("%0*d", decimals, rest)
	end := len(strings.TrimRight(fraction, "0"))
	return whole.String() + "." + fraction[:max(end, 2)]
}

// MarshalText is the exact amount: in JSON a text, which no reader turns into a binary fraction.
func (u USD) MarshalText() ([]byte, error) { return []byte(u.String()), nil }

// UnmarshalText is ParseUSD.
func (u *USD) UnmarshalText(text []byte) error {
	v, err := ParseUSD(string(text))
	*u = v
	return err
}

// saturated is an exact number of 10^-12 dollars as an amount.
func saturated(n *big.Int) USD {
	if !n.IsInt64() {
		return MaxUSD
	}
	return USD(n.Int64())
}
