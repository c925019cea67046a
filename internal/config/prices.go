package config

import (
	"strings"

	"cleat/internal/awsapi"
	"cleat/internal/cfn"
	"cleat/internal/input"
	"cleat/internal/pricing"
)

// Prices say what a project's traffic is taken to cost on AWS.
type Prices struct {
	Table   pricing.Table // of the project's own file, on top of those that are known; nil: none
	Options pricing.Options
}

var (
	priceRegionKeys = []string{"messages", "connectionMinutes", "freeTier"}
	priceTierKeys   = []string{"upTo", "price"}
	priceFreeKeys   = []string{"messages", "connectionMinutes"}
)

// readPrices reads `prices`: a file, or a map with one and how bills are made.
func (s *reader) readPrices() {
	v := s.root.Get("prices")
	file := v
	if v.Is(cfn.Map) {
		s.CheckKeys(v, "prices", Settings["prices"])
		file = v.Get("file")
		s.node.Prices.Options = pricing.Options{
			FreeTier:     s.switchOf(v, "prices", "freeTier", false),
			ExactSeconds: !s.switchOf(v, "prices", "roundMinutes", true),
		}
	}
	name, ok := s.Text(file, "prices.file")
	if !ok {
		return
	}
	table := s.ParseNamed(file)
	if table == nil {
		if !s.Unread(name) {
			s.Faultf(file.Place, "prices: %s is empty", name)
		}
		return
	}
	s.node.Prices.Table = s.priceTable(table)
}

// switchOf reads a setting that is on or off.
func (s *reader) switchOf(v *cfn.Value, what, key string, otherwise bool) bool {
	x := v.Get(key)
	if x == nil {
		return otherwise
	}
	on, ok := input.ParseSwitch(x.Str())
	if !ok {
		s.Faultf(x.Place, "%s.%s must be on or off", what, key)
	}
	return on
}

// priceTable reads a file of prices: USD per million, by region. A region has all of its prices, since a bill of some is
// none.
func (s *reader) priceTable(v *cfn.Value) pricing.Table {
	out := pricing.Table{}
	for _, e := range s.Entries(v, "a file of prices") {
		if !awsapi.IsRegion(e.Key) {
			s.Faultf(e.Place, "%q is not a region, such as eu-west-1", e.Key)
		}
		s.Entries(e.Value, e.Key)
		s.CheckKeys(e.Value, e.Key, priceRegionKeys)
		rates := pricing.Rates{Messages: s.priceTiers(e, "messages"), ConnectionMinutes: s.priceTiers(e, "connectionMinutes")}
		free := e.Value.Get("freeTier")
		s.Entries(free, e.Key+": freeTier")
		s.CheckKeys(free, e.Key+": freeTier", priceFreeKeys)
		for _, f := range []struct {
			key  string
			into *int64
		}{{"messages", &rates.Free.Messages}, {"connectionMinutes", &rates.Free.ConnectionMinutes}} {
			if n, ok := s.Number(free.Get(f.key), e.Key+": freeTier."+f.key, 0, 1_000_000_000_000); ok {
				*f.into = int64(n)
			}
		}
		out[e.Key] = rates
	}
	return out
}

// priceTiers reads one kind of price of a region: an amount, or a list of tiers of which all but the last have a bound.
func (s *reader) priceTiers(region cfn.Entry, kind string) []pricing.Tier {
	v, what := region.Value.Get(kind), region.Key+": "+kind
	switch {
	case v == nil:
		s.Faultf(region.Place, "%s has no `%s`: the price of a million, in USD", region.Key, kind)
		return nil
	case !v.Is(cfn.List):
		return []pricing.Tier{{PerMillion: s.amount(v, what)}}
	case len(v.Items) == 0:
		s.Faultf(v.Place, "%s: a list of tiers must not be empty", what)
	}
	var tiers []pricing.Tier
	last := int64(0)
	for i, item := range v.Items {
		s.Entries(item, what)
		s.CheckKeys(item, what, priceTierKeys)
		tier := pricing.Tier{PerMillion: s.amount(item.Get("price"), what+": price")}
		bound := item.Get("upTo")
		switch n, ok := s.Number(bound, what+": upTo", 1, 1_000_000_000_000_000); {
		case i == len(v.Items)-1 && bound != nil:
			s.Faultf(bound.Place, "%s: the last tier has no upTo: it is without end", what)
		case i < len(v.Items)-1 && bound == nil:
			s.Faultf(item.Place, "%s: every tier but the last has an upTo, in units a month", what)
		case ok && int64(n) <= last:
			s.Faultf(bound.Place, "%s: upTo must grow from tier to tier", what)
		case ok:
			tier.UpTo, last = int64(n), int64(n)
		}
		tiers = append(tiers, tier)
	}
	return tiers
}

// amount reads the price of a million.
func (s *reader) amount(v *cfn.Value, what string) pricing.USD {
	text, ok := v.Scalar()
	if !ok {
		s.Faultf(v.At(), "%s must be an amount in USD, such as 1.26", what)
		return 0
	}
	amount, err := pricing.ParseUSD(strings.TrimSpace(text))
	if err != nil {
		s.Faultf(v.Place, "%s: %v", what, err)
	}
	return amount
}
