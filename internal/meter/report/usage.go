// Package report is what a node's traffic comes to, in the forms that leave the process: JSON, CSV, a table, one line. The callers
// are package server, which answers GET /_cleat/usage with it, and cmd/cleat.
package report

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"strconv"
	"text/tabwriter"
	"time"

	"cleat/internal/config"
	"cleat/internal/meter"
	"cleat/internal/pricing"
)

// Usage is what a node's traffic comes to in AWS's units and what it would have cost there, all of it taken for one
// month's, in the form that leaves the process: GET /_cleat/usage.
type Usage struct {
	Since  string `json:"since"`
	Until  string `json:"until"`
	Region string `json:"region"`
	Bill   Bill   `json:"bill"`
	Total  Counts `json:"total"`
	Rows   []Row  `json:"rows"` // they add up to the total
}

// Counts are counts as meter.Counts has them.
type Counts struct {
	MessagesIn        int64   `json:"messages_in"`
	UnitsIn           int64   `json:"units_in"`
	MessagesOut       int64   `json:"messages_out"`
	UnitsOut          int64   `json:"units_out"`
	Connections       int64   `json:"connections"`
	Open              int64   `json:"open"`
	ConnectionMinutes int64   `json:"connection_minutes"`
	ConnectionSeconds float64 `json:"connection_seconds"` // exact, to the millisecond
}

// Row are the counts of one route; connections belong to none.
type Row struct {
	APIID string `json:"api_id"`
	Stage string `json:"stage"`
	Route string `json:"route"`
	Counts
}

// Bill is pricing.Bill with its money as texts, which no reader turns into binary fractions.
type Bill struct {
	Total             pricing.USD `json:"total_usd"`
	Messages          pricing.USD `json:"messages_usd"`
	ConnectionMinutes pricing.USD `json:"connection_minutes_usd"`
	Units             int64       `json:"message_units"`
	Minutes           int64       `json:"connection_minutes"`
	// PricesOf is the region that the prices are of; another than the usage's where its own are not known.
	PricesOf     string `json:"prices_of"`
	FreeTier     bool   `json:"free_tier"`     // what is free in the first year was taken off
	RoundMinutes bool   `json:"round_minutes"` // each connection was rounded up to whole minutes
}

// Of is the outward form of a reading, with the bill of a region at given prices.
func Of(r meter.Reading, region string, prices config.Prices) Usage {
	total := r.Total()
	o := prices.Options
	bill := pricing.Known().With(prices.Table).Bill(region, pricing.Quantities{
		Messages: total.UnitsIn + total.UnitsOut, ConnectionMinutes: total.ConnectionMinutes, ConnectionMillis: total.ConnectionMillis,
	}, o)
	u := Usage{
		Since: r.Since.UTC().Format(time.RFC3339), Until: r.Until.UTC().Format(time.RFC3339), Region: region,
		Bill: Bill{
			Total: bill.Total, Messages: bill.Messages.Cost, ConnectionMinutes: bill.ConnectionMinutes.Cost,
			Units: bill.Messages.Quantity, Minutes: bill.ConnectionMinutes.Quantity, PricesOf: bill.PricesOf,
			FreeTier: o.FreeTier, RoundMinutes: !o.ExactSeconds,
		},
		Total: countsOf(&total), Rows: []Row{},
	}
	for i := range r.Rows {
		row := &r.Rows[i]
		u.Rows = append(u.Rows, Row{string(row.APIID), row.Stage, row.Route, countsOf(&row.Counts)})
	}
	return u
}

func countsOf(c *meter.Counts) Counts {
	return Counts{
		c.MessagesIn, c.UnitsIn, c.MessagesOut, c.UnitsOut, c.Connections, c.Open, c.ConnectionMinutes, float64(c.ConnectionMillis) / 1000,
	}
}

// String is the bill in one line: "0.000013 USD: 12 messages in 12 units, 3 connection minutes, region us-east-1".
func (u Usage) String() string {
	s := fmt.Sprintf("%s USD: %s in %s, %s, region %s", u.Bill.Total.Rounded(), counted(u.Total.MessagesIn+u.Total.MessagesOut, "message"),
		counted(u.Bill.Units, "unit"), counted(u.Bill.Minutes, "connection minute"), u.Region)
	if u.Bill.PricesOf != u.Region {
		s += " at the prices of " + u.Bill.PricesOf + ", for its own are not known here"
	}
	if u.Bill.FreeTier {
		s += ", less the free tier"
	}
	return s
}

func counted(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.FormatInt(n, 10) + " " + noun + "s"
}

// Table shows the usage to a person.
func (u Usage) Table() []byte {
	var b bytes.Buffer
	t := tabwriter.NewWriter(&b, 0, 8, 2, ' ', 0)
	line := func(api, stage, route string, c Counts) {
		_, _ = fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%d\t%d\t%d\t%d\t%d\n", dash(api), dash(stage), dash(route), c.MessagesIn, c.UnitsIn, c.MessagesOut, c.UnitsOut, c.Connections, c.ConnectionMinutes)
	}
	_, _ = fmt.Fprintln(t, "API\tSTAGE\tROUTE\tMESSAGES IN\tUNITS IN\tMESSAGES OUT\tUNITS OUT\tCONNECTIONS\tMINUTES") // a buffer takes all
	for _, r := range u.Rows {
		line(r.APIID, r.Stage, r.Route, r.Counts)
	}
	line("total", "", "", u.Total)
	_ = t.Flush() // as above
	_, _ = fmt.Fprintf(&b, "\nsince %s, on AWS: %s\n", u.Since, u)
	return b.Bytes()
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// CSV is the rows, with a heading.
func (u Usage) CSV() ([]byte, error) {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	records := [][]string{{
		"api_id", "stage", "route", "messages_in", "units_in", "messages_out", "units_out", "connections", "open", "connection_minutes", "connection_seconds",
	}}
	n := func(i int64) string { return strconv.FormatInt(i, 10) }
	for _, r := range u.Rows {
		records = append(records, []string{
			r.APIID, r.Stage, r.Route, n(r.MessagesIn), n(r.UnitsIn), n(r.MessagesOut), n(r.UnitsOut), n(r.Connections), n(r.Open),
			n(r.ConnectionMinutes), strconv.FormatFloat(r.ConnectionSeconds, 'f', 3, 64),
		})
	}
	err := w.WriteAll(records)
	return b.Bytes(), err
}
