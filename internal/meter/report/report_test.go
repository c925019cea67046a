package report_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"cleat/internal/config"
	"cleat/internal/meter"
	"cleat/internal/meter/report"
	"cleat/internal/pricing"
)

// reading is traffic of one stage, and of a connection that belonged to none.
func reading() meter.Reading {
	return meter.Reading{
		Since: time.Date(2026, 3, 1, 13, 0, 0, 0, time.FixedZone("", 3600)), Until: time.Date(2026, 3, 1, 12, 30, 0, 500, time.UTC),
		Rows: []meter.Row{
			{Counts: meter.Counts{MessagesIn: 1, UnitsIn: 1}},
			{APIID: "a1b2c3d4e5", Stage: "dev", Counts: meter.Counts{Connections: 2, Open: 1, ConnectionMinutes: 3, ConnectionMillis: 90_250}},
			{APIID: "a1b2c3d4e5", Stage: "dev", Route: "say, \"hi\"", Counts: meter.Counts{MessagesIn: 999_999, UnitsIn: 1_999_999, MessagesOut: 5, UnitsOut: 7}},
		},
	}
}

// The bill is AWS's arithmetic on the reading's total; what is free or exact is so on request (spec pricing).
func TestBill(t *testing.T) {
	for name, test := range map[string]struct {
		region  string
		options pricing.Options
		want    report.Bill
		line    string
	}{
		"us-east-1": {
			"us-east-1",
			pricing.Options{},
			report.Bill{Units: 2_000_007, Minutes: 3, PricesOf: "us-east-1", RoundMinutes: true},
			"2.000008 USD: 1000005 messages in 2000007 units, 3 connection minutes, region us-east-1",
		},
		"exact seconds": {
			"us-east-1",
			pricing.Options{ExactSeconds: true},
			report.Bill{Units: 2_000_007, Minutes: 2, PricesOf: "us-east-1"},
			"2.000007 USD: 1000005 messages in 2000007 units, 2 connection minutes, region us-east-1",
		},
		"free tier": {
			"us-east-1",
			pricing.Options{FreeTier: true},
			report.Bill{Units: 2_000_007, Minutes: 3, PricesOf: "us-east-1", FreeTier: true, RoundMinutes: true},
			"1.000007 USD: 1000005 messages in 2000007 units, 3 connection minutes, region us-east-1, less the free tier",
		},
		"a region without known prices": {
			"xx-nowhere-1",
			pricing.Options{},
			report.Bill{Units: 2_000_007, Minutes: 3, PricesOf: "us-east-1", RoundMinutes: true},
			"2.000008 USD: 1000005 messages in 2000007 units, 3 connection minutes, region xx-nowhere-1 at the prices of us-east-1, for its own are not known here",
		},
	} {
		u := report.Of(reading(), test.region, config.Prices{Options: test.options})
		got := u.Bill
		got.Total, got.Messages, got.ConnectionMinutes = 0, 0, 0 // in the line
		if got != test.want {
			t.Errorf("%s: got %+v, want %+v", name, got, test.want)
		}
		if u.String() != test.line {
			t.Errorf("%s: got %q, want %q", name, u, test.line)
		}
	}
}

// What a reader of GET /_cleat/usage relies on: names, money as text, times in UTC, rows that add up.
func TestJSON(t *testing.T) {
	got, err := json.MarshalIndent(report.Of(reading(), "us-east-1", config.Prices{}), "", " ")
	if err != nil {
		t.Fatal(err)
	}
	const want = `{
 "since": "2026-03-01T12:00:00Z",
 "until": "2026-03-01T12:30:00Z",
 "region": "us-east-1",
 "bill": {
  "total_usd": "2.00000775",
  "messages_usd": "2.000007",
  "connection_minutes_usd": "0.00000075",
  "message_units": 2000007,
  "connection_minutes": 3,
  "prices_of": "us-east-1",
  "free_tier": false,
  "round_minutes": true
 },
 "total": {
  "messages_in": 1000000,
  "units_in": 2000000,
  "messages_out": 5,
  "units_out": 7,
  "connections": 2,
  "open": 1,
  "connection_minutes": 3,
  "connection_seconds": 90.25
 },
 "rows": [
  {
   "api_id": "",
   "stage": "",
   "route": "",
   "messages_in": 1,
   "units_in": 1,
   "messages_out": 0,
   "units_out": 0,
   "connections": 0,
   "open": 0,
   "connection_minutes": 0,
   "connection_seconds": 0
  },
  {
   "api_id": "a1b2c3d4e5",
   "stage": "dev",
   "route": "",
   "messages_in": 0,
   "units_in": 0,
   "messages_out": 0,
   "units_out": 0,
   "connections": 2,
   "open": 1,
   "connection_minutes": 3,
   "connection_seconds": 90.25
  },
  {
   "api_id": "a1b2c3d4e5",
   "stage": "dev",
   "route": "say, \"hi\"",
   "messages_in": 999999,
   "units_in": 1999999,
   "messages_out": 5,
   "units_out": 7,
   "connections": 0,
   "open": 0,
   "connection_minutes": 0,
   "connection_seconds": 0
  }
 ]
}`
	if string(got) != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	var back report.Usage
	if err := json.Unmarshal(got, &back); err != nil {
		t.Fatal(err)
	}
	var sum int64
	for _, r := range back.Rows {
		sum += r.UnitsIn + r.UnitsOut
	}
	if sum != back.Bill.Units {
		t.Errorf("the rows have %d units, the bill %d", sum, back.Bill.Units)
	}
	empty, err := json.Marshal(report.Of(meter.Reading{}, "us-east-1", config.Prices{}))
	if err != nil || !strings.Contains(string(empty), `"rows":[]`) {
		t.Errorf("without traffic: got %s, %v", empty, err)
	}
}

// CSV quotes what it must, and its times are to the millisecond.
func TestCSV(t *testing.T) {
	got, err := report.Of(reading(), "us-east-1", config.Prices{}).CSV()
	const want = `api_id,stage,route,messages_in,units_in,messages_out,units_out,connections,open,connection_minutes,connection_seconds
,,,1,1,0,0,0,0,0,0.000
a1b2c3d4e5,dev,,0,0,0,0,2,1,3,90.250
a1b2c3d4e5,dev,"say, ""hi""",999999,1999999,5,7,0,0,0,0.000
`
	if err != nil || string(got) != want {
		t.Errorf("got %s, %v\nwant %s", got, err, want)
	}
}

// The table is for a person: aligned, what is empty a dash, the total and the bill below.
func TestTable(t *testing.T) {
	const want = `API         STAGE  ROUTE      MESSAGES IN  UNITS IN  MESSAGES OUT  UNITS OUT  CONNECTIONS  MINUTES
-           -      -          1            1         0             0          0            0
a1b2c3d4e5  dev    -          0            0         0             0          2            3
a1b2c3d4e5  dev    say, "hi"  999999       1999999   5             7          0            0
total       -      -          1000000      2000000   5             7          2            3

since 2026-03-01T12:00:00Z, on AWS: 2.000008 USD: 1000005 messages in 2000007 units, 3 connection minutes, region us-east-1
`
	if got := string(report.Of(reading(), "us-east-1", config.Prices{}).Table()); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	one := meter.Reading{Rows: []meter.Row{{Counts: meter.Counts{MessagesIn: 1, UnitsIn: 1, ConnectionMinutes: 1}}}}
	const line = "0.000001 USD: 1 message in 1 unit, 1 connection minute, region us-east-1"
	if got := report.Of(one, "us-east-1", config.Prices{}).String(); got != line {
		t.Errorf("got %q, want %q", got, line)
	}
}
