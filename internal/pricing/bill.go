package pricing

import "math/big"

// Quantities are what is charged.
type Quantities struct {
	Messages int64 // units of 32 KB, in and out
	// ConnectionMinutes are whole minutes, each connection's last one counted as whole. ConnectionMillis is the exact time,
	// in milliseconds.
	ConnectionMinutes int64
	ConnectionMillis  int64
}

// Options say how a bill is made. The zero value: without free tier, connections by the whole minute.
type Options struct {
	FreeTier     bool // take off what is free in an account's first year
	ExactSeconds bool // charge the exact time of connections rather than whole minutes
}

// Line is one kind of a bill's items.
type Line struct {
	Quantity int64 // units; minutes, rounded up to the whole one if the exact time is charged
	Cost     USD
}

// Bill is what a month's traffic costs.
type Bill struct {
	Region            string
	PricesOf          string // the region that the prices are of: BaseRegion where Region's are not known
	Messages          Line
	ConnectionMinutes Line
	Total             USD
}

const millisPerMinute = 60_000

// Bill makes the bill of one month's traffic in a region. What is free counts towards the tiers' bounds. Each of the two
// lines is exact, or rounded half up to 10^-12 dollars where a price has more decimals or the exact time is charged; the
// total is their sum.
func (t Table) Bill(region string, q Quantities, o Options) Bill {
	rates, of := t.For(region)
	if !o.FreeTier {
		rates.Free = Free{}
	}
	b := Bill{Region: region, PricesOf: of}
	b.Messages = Line{q.Messages, charge(rates.Messages, q.Messages, rates.Free.Messages, 1)}
	if o.ExactSeconds {
		minutes := (q.ConnectionMillis + millisPerMinute - 1) / millisPerMinute
		b.ConnectionMinutes = Line{minutes, charge(rates.ConnectionMinutes, q.ConnectionMillis, rates.Free.ConnectionMinutes, millisPerMinute)}
	} else {
		b.ConnectionMinutes = Line{q.ConnectionMinutes, charge(rates.ConnectionMinutes, q.ConnectionMinutes, rates.Free.ConnectionMinutes, 1)}
	}
	total := big.NewInt(int64(b.Messages.Cost))
	b.Total = saturated(total.Add(total, big.NewInt(int64(b.ConnectionMinutes.Cost))))
	return b
}

// charge is what a quantity costs whose first free units cost nothing. The quantity is in parts of a unit, so many to
// one; bounds and free are in units.
func charge(tiers []Tier, quantity, free, parts int64) USD {
	scaled := func(units int64) *big.Int { return new(big.Int).Mul(big.NewInt(units), big.NewInt(parts)) }
	from, all := scaled(free), big.NewInt(quantity)
	sum := new(big.Int)
	for _, tier := range tiers {
		to := all
		if bound := scaled(tier.UpTo); tier.UpTo > 0 && bound.Cmp(all) < 0 {
			to = bound
		}
		if n := new(big.Int).Sub(to, from); n.Sign() > 0 {
			sum.Add(sum, n.Mul(n, big.NewInt(int64(tier.PerMillion))))
			from = to
		}
	}
	divisor := scaled(1_000_000)
	sum.Add(sum, new(big.Int).Quo(divisor, big.NewInt(2)))
	return saturated(sum.Quo(sum, divisor))
}
