package config_test

import (
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"cleat/internal/config"
	"cleat/internal/pricing"
)

const priced = "-- cleat.yaml --\nname: own\nroutes: { $default: http://x.test }\n"

func TestPrices(t *testing.T) {
	t.Parallel()
	const usd = 1_000_000_000_000
	r, p := read(t, priced+`prices: { file: prices.yaml, freeTier: on, roundMinutes: off }
-- prices.yaml --
eu-west-1:
  messages: [{ upTo: 1000000000, price: 1.10 }, { upTo: "2000000000", price: "0.90" }, { price: 0.5 }]
  connectionMinutes: 0.275
  freeTier: { messages: 5 }
local-1: { messages: "1", connectionMinutes: [{ price: 2 }] }
`)
	if err := r.Err(); err == nil || !strings.Contains(err.Error(), `prices.yaml:5: "local-1" is not a region`) {
		t.Errorf("got %v", err)
	}
	want := config.Prices{
		Options: pricing.Options{FreeTier: true, ExactSeconds: true},
		Table: pricing.Table{
			"eu-west-1": {
				Messages:          []pricing.Tier{{UpTo: 1_000_000_000, PerMillion: usd * 11 / 10}, {UpTo: 2_000_000_000, PerMillion: usd * 9 / 10}, {PerMillion: usd / 2}},
				ConnectionMinutes: []pricing.Tier{{PerMillion: usd * 275 / 1000}},
				Free:              pricing.Free{Messages: 5},
			},
			"local-1": {Messages: []pricing.Tier{{PerMillion: usd}}, ConnectionMinutes: []pricing.Tier{{PerMillion: 2 * usd}}},
		},
	}
	if !reflect.DeepEqual(p.Prices, want) {
		t.Errorf("got\n%+v\nwant\n%+v", p.Prices, want)
	}
	if !slices.Contains(r.Files(), filepath.Join(r.Dir, "prices.yaml")) {
		t.Errorf("a change of the prices is not followed: %q", r.Files())
	}

	if none, err := node(read(t, priced)); err != nil || !reflect.DeepEqual(none.Prices, config.Prices{}) {
		t.Errorf("without prices: %+v, %v", none.Prices, err)
	}
}

func TestPriceFaults(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ setting, file, want string }{
		"no file":          {"nowhere.yaml", "", "cleat.yaml:3: nowhere.yaml cannot be read"},
		"setting":          {"{ files: x }", "", `cleat.yaml:3: prices has no setting "files"; did you mean file?`},
		"switch":           {"{ freeTier: maybe }", "", "cleat.yaml:3: prices.freeTier must be on or off"},
		"list":             {"[p.yaml]", "", "cleat.yaml:3: prices.file must be text"},
		"syntax":           {"p.yaml", "a: [", "p.yaml:1: "},
		"not a map":        {"p.yaml", "5", "p.yaml:1: a file of prices must be a map"},
		"unknown price":    {"p.yaml", "eu-west-1: { messages: 1, connectionMinutes: 1, bytes: 1 }", `p.yaml:1: eu-west-1 has no setting "bytes"`},
		"half of it":       {"p.yaml", "eu-west-1: { messages: 1 }", "p.yaml:1: eu-west-1 has no `connectionMinutes`"},
		"no amount":        {"p.yaml", "eu-west-1: { messages: free, connectionMinutes: 1 }", `p.yaml:1: eu-west-1: messages: "free" is not an amount`},
		"below zero":       {"p.yaml", "eu-west-1: { messages: -1, connectionMinutes: 1 }", `p.yaml:1: eu-west-1: messages: "-1" is not an amount`},
		"no tier":          {"p.yaml", "eu-west-1: { messages: [], connectionMinutes: 1 }", "p.yaml:1: eu-west-1: messages: a list of tiers must not be empty"},
		"no bound":         {"p.yaml", "eu-west-1: { messages: [{ price: 1 }, { price: 2 }], connectionMinutes: 1 }", "p.yaml:1: eu-west-1: messages: every tier but the last has an upTo"},
		"last has a bound": {"p.yaml", "eu-west-1: { messages: [{ upTo: 5, price: 1 }], connectionMinutes: 1 }", "p.yaml:1: eu-west-1: messages: the last tier has no upTo"},
		"bounds fall":      {"p.yaml", "eu-west-1: { messages: [{ upTo: 5, price: 1 }, { upTo: 5, price: 1 }, { price: 1 }], connectionMinutes: 1 }", "p.yaml:1: eu-west-1: messages: upTo must grow"},
		"tier is no map":   {"p.yaml", "eu-west-1: { messages: [1], connectionMinutes: 1 }", "p.yaml:1: eu-west-1: messages must be a map"},
		"free tier":        {"p.yaml", "eu-west-1: { messages: 1, connectionMinutes: 1, freeTier: { messages: -5 } }", "p.yaml:1: eu-west-1: freeTier.messages is -5"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := node(read(t, priced+"prices: "+tt.setting+"\n-- p.yaml --\n"+tt.file+"\n"))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want …%s…", err, tt.want)
			}
		})
	}
}
