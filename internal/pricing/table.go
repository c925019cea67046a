package pricing

import "maps"

// Tier is a price that holds up to a number of units a month.
type Tier struct {
	UpTo       int64 // units of the month, all tiers before included; zero for the last tier: without end
	PerMillion USD
}

// Free is what costs nothing each month, in the first twelve months of an AWS account.
type Free struct {
	Messages          int64 // units
	ConnectionMinutes int64
}

// Rates are the prices of one region. Tiers are ordered, and the last of each has no end.
type Rates struct {
	Messages          []Tier // per unit of 32 KB
	ConnectionMinutes []Tier
	Free              Free
}

// Table has the prices of regions, by region. It is read-only once in use.
type Table map[string]Rates

// BaseRegion is the region whose prices stand in for those of regions that a table does not have.
const BaseRegion = "us-east-1"

// tenThousandths makes an amount of ten-thousandths of a dollar, in which the table below is written.
func tenThousandths(n int64) USD { return USD(n * 100_000_000) }

const firstTier = 1_000_000_000

var freeTier = Free{Messages: 1_000_000, ConnectionMinutes: 750_000}

// Known are the prices that Amazon publishes and that are known to this project (spec pricing): no price is guessed but
// Tokyo's second tier, which is taken to be 80 % of the first, as it is in us-east-1.
func Known() Table {
	return Table{
		BaseRegion: {
			Messages:          []Tier{{firstTier, tenThousandths(10_000)}, {0, tenThousandths(8_000)}},
			ConnectionMinutes: []Tier{{0, tenThousandths(2_500)}},
			Free:              freeTier,
		},
		"ap-northeast-1": {
			Messages:          []Tier{{firstTier, tenThousandths(12_600)}, {0, tenThousandths(10_080)}},
			ConnectionMinutes: []Tier{{0, tenThousandths(3_150)}},
			Free:              freeTier,
		},
	}
}

// With returns the table with the regions of another in place of its own.
func (t Table) With(other Table) Table {
	out := maps.Clone(t)
	if out == nil {
		out = Table{}
	}
	maps.Copy(out, other)
	return out
}

// For returns the prices of a region, and the region that they are of: BaseRegion where the table does not have the other.
func (t Table) For(region string) (r Rates, of string) {
	if r, ok := t[region]; ok {
		return r, region
	}
	return t[BaseRegion], BaseRegion
}
