package pricing_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"cleat/internal/pricing"
)

func TestParseUSD(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"0": "0.00", "1": "1.00", "1.26": "1.26", "0.315": "0.315", "00.80": "0.80", "1.0000000000000000": "1.00", "0.000000000001": "0.000000000001",
		"9223372.036854775807": "9223372.036854775807",
		"":                     "", ".5": "", "1.": "", "-1": "", "+1": "", "1e3": "", "1,5": "", " 1": "", "0x1": "", "1_0": "", "0.0000000000001": "", "9223372.036854775808": "", "10000000": "", "१": "",
	} {
		got, err := pricing.ParseUSD(text)
		if want == "" {
			if err == nil {
				t.Errorf("ParseUSD(%q) = %s, want an error", text, got)
			}
			continue
		}
		if err != nil || got.String() != want {
			t.Errorf("ParseUSD(%q) = %s, %v, want %s", text, got, err, want)
		}
	}
}

func TestFormat(t *testing.T) {
	t.Parallel()
	for amount, want := range map[pricing.USD][2]string{
		0:                         {"0.00", "0.00"},
		1:                         {"0.000000000001", "0.00"},
		499_999:                   {"0.000000499999", "0.00"},
		500_000:                   {"0.0000005", "0.000001"},
		12_750_000:                {"0.00001275", "0.000013"},
		999_999_500_000:           {"0.9999995", "1.00"},
		1_260_000_000_000:         {"1.26", "1.26"},
		2_000_000_000_000_000_000: {"2000000.00", "2000000.00"},
		math.MaxInt64:             {"9223372.036854775807", "9223372.036855"},
	} {
		if amount.String() != want[0] || amount.Rounded() != want[1] {
			t.Errorf("%d: got %s and %s, want %s and %s", int64(amount), amount, amount.Rounded(), want[0], want[1])
		}
	}
	b, err := json.Marshal(pricing.USD(12_750_000))
	var back pricing.USD
	if err != nil || string(b) != `"0.00001275"` || json.Unmarshal(b, &back) != nil || back != 12_750_000 {
		t.Errorf("in JSON %s, %v, and back %d", b, err, back)
	}
}

// Exact bills: spec pricing.
func TestBill(t *testing.T) {
	t.Parallel()
	const million, billion = 1_000_000, 1_000_000_000
	type q = pricing.Quantities
	free, exact := pricing.Options{FreeTier: true}, pricing.Options{ExactSeconds: true}
	for name, tt := range map[string]struct {
		region                   string
		quantities               q
		options                  pricing.Options
		messages, minutes, total string
	}{
		"nothing":                       {"us-east-1", q{}, pricing.Options{}, "0.00", "0.00", "0.00"},
		"one of each":                   {"us-east-1", q{1, 1, 1}, pricing.Options{}, "0.000001", "0.00000025", "0.00000125"},
		"a million of each":             {"us-east-1", q{million, million, 0}, pricing.Options{}, "1.00", "0.25", "1.25"},
		"Tokyo":                         {"ap-northeast-1", q{million, million, 0}, pricing.Options{}, "1.26", "0.315", "1.575"},
		"the whole first tier":          {"us-east-1", q{billion, 0, 0}, pricing.Options{}, "1000.00", "0.00", "1000.00"},
		"one more":                      {"us-east-1", q{billion + 1, 0, 0}, pricing.Options{}, "1000.0000008", "0.00", "1000.0000008"},
		"one less":                      {"us-east-1", q{billion - 1, 0, 0}, pricing.Options{}, "999.999999", "0.00", "999.999999"},
		"two tiers":                     {"us-east-1", q{3 * billion, 0, 0}, pricing.Options{}, "2600.00", "0.00", "2600.00"},
		"two tiers in Tokyo":            {"ap-northeast-1", q{2 * billion, 0, 0}, pricing.Options{}, "2268.00", "0.00", "2268.00"},
		"minutes have one tier":         {"us-east-1", q{0, 10 * billion, 0}, pricing.Options{}, "0.00", "2500.00", "2500.00"},
		"free, all of it":               {"us-east-1", q{million, 750_000, 0}, free, "0.00", "0.00", "0.00"},
		"free, and one of each":         {"us-east-1", q{million + 1, 750_001, 0}, free, "0.000001", "0.00000025", "0.00000125"},
		"free counts towards the bound": {"us-east-1", q{billion + 1, 0, 0}, free, "999.0000008", "0.00", "999.0000008"},
		"a region without prices":       {"eu-west-1", q{million, million, 0}, pricing.Options{}, "1.00", "0.25", "1.25"},
		"exact: a minute and a half":    {"us-east-1", q{0, 2, 90_000}, exact, "0.00", "0.000000375", "0.000000375"},
		"exact: half up":                {"us-east-1", q{0, 1, 1}, exact, "0.00", "0.000000000004", "0.000000000004"}, // 4.1666…
		"exact and free":                {"us-east-1", q{0, 0, 750_000*60_000 + 60_000}, pricing.Options{FreeTier: true, ExactSeconds: true}, "0.00", "0.00000025", "0.00000025"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := pricing.Known().Bill(tt.region, tt.quantities, tt.options)
			if b.Messages.Cost.String() != tt.messages || b.ConnectionMinutes.Cost.String() != tt.minutes || b.Total.String() != tt.total {
				t.Errorf("got %s + %s = %s, want %s + %s = %s", b.Messages.Cost, b.ConnectionMinutes.Cost, b.Total, tt.messages, tt.minutes, tt.total)
			}
			if want := map[bool]string{true: pricing.BaseRegion, false: tt.region}[tt.region == "eu-west-1"]; b.PricesOf != want || b.Region != tt.region {
				t.Errorf("prices of %s for %s, want those of %s", b.PricesOf, b.Region, want)
			}
		})
	}
}

// What is too large for an amount stays at the largest, and does not wrap.
func TestBillSaturates(t *testing.T) {
	t.Parallel()
	b := pricing.Known().Bill("us-east-1", pricing.Quantities{Messages: math.MaxInt64, ConnectionMinutes: math.MaxInt64}, pricing.Options{})
	if b.Total != pricing.MaxUSD || b.Messages.Cost <= 0 || b.ConnectionMinutes.Cost <= 0 {
		t.Errorf("got %+v", b)
	}
}

func TestExactMinutesAreShownWhole(t *testing.T) {
	t.Parallel()
	for millis, want := range map[int64]int64{0: 0, 1: 1, 60_000: 1, 60_001: 2} {
		if got := pricing.Known().Bill("us-east-1", pricing.Quantities{ConnectionMillis: millis}, pricing.Options{ExactSeconds: true}).ConnectionMinutes.Quantity; got != want {
			t.Errorf("%d ms are %d minutes, want %d", millis, got, want)
		}
	}
}

// A table of the user's comes on top, region by region.
func TestWith(t *testing.T) {
	t.Parallel()
	own := pricing.Table{"eu-west-1": {Messages: []pricing.Tier{{PerMillion: 1_140_000_000_000}}, ConnectionMinutes: []pricing.Tier{{PerMillion: 285_000_000_000}}}}
	both := pricing.Known().With(own)
	if b := both.Bill("eu-west-1", pricing.Quantities{Messages: 1_000_000}, pricing.Options{}); b.Total.String() != "1.14" || b.PricesOf != "eu-west-1" {
		t.Errorf("got %+v", b)
	}
	if _, of := both.For("ap-northeast-1"); of != "ap-northeast-1" {
		t.Errorf("Tokyo has the prices of %s", of)
	}
	if _, known := pricing.Known()["eu-west-1"]; known {
		t.Error("the known prices were changed")
	}
	var none pricing.Table
	if _, of := none.With(own).For("eu-west-1"); of != "eu-west-1" {
		t.Errorf("on top of nothing: %s", of)
	}
}

func FuzzParseUSD(f *testing.F) {
	for _, seed := range []string{"1.26", "0", "000.1", "9223372.036854775807", "1e9", ".", "१.५", "-0", "1.0000000000000", strings.Repeat("9", 100)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, err := pricing.ParseUSD(text)
		if err != nil {
			return
		}
		if v < 0 {
			t.Fatalf("ParseUSD(%q) = %d", text, v)
		}
		if again, err := pricing.ParseUSD(v.String()); err != nil || again != v {
			t.Fatalf("ParseUSD(%q) = %s, which reads as %d, %v", text, v, again, err)
		}
	})
}
