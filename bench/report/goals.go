package report

import (
	"fmt"

	"cleat/bench/result"
)

// goal is one that Cleat has.
type goal struct {
	of       string
	aim      string
	measured string
	met      bool
	known    bool // all figures that it needs are there
}

// Goals is the table of those goals that a report has the figures for.
func Goals(r *result.Report) string {
	p := &page{r: r}
	p.goals()
	return p.String()
}

func (p *page) goals() {
	met, known := 0, 0
	for _, g := range goals(p.r) {
		if g.known {
			known++
			if g.met {
				met++
			}
		}
	}
	if known == 0 {
		return
	}
	p.say("### Goals\n")
	p.say("%d of %d are met. What bounds those that are missed, and where the time goes: [performance](performance.md). "+
		"The best peer is the fastest of those that lost nothing.\n", met, known)
	p.row([]string{"Scenario", "Goal for Cleat", "Measured", ""})
	p.say("|---|---|---|---|")
	for _, g := range goals(p.r) {
		if !g.known {
			continue
		}
		verdict := "**missed**"
		if g.met {
			verdict = "met"
		}
		p.row([]string{g.of, g.aim, g.measured, verdict})
	}
	p.say("")
}

// template is what a template of three references costs by itself, in microseconds: BenchmarkReferences of internal/vtl,
// rounded up.
const template = 1.0

func goals(r *result.Report) []goal {
	const (
		message = "message/100B/100/capacity"
		fixed   = "message/100B/1000/2000/s"
	)
	goals := []goal{
		atMost(r, "(a) CPU of a message", message, result.CPU, 15, "us"),
		times(r, "(a) rate", message, 2.5),
		above(r, "(a) p50 at 2,000/s over the direct call", fixed, "direct", result.P50, 100),
		above(r, "(a) p99 at 2,000/s over the direct call", fixed, "direct", result.P99, 200),
	}
	for _, n := range []string{"1000", "10000"} {
		goals = append(goals, keeps(r, n), flat(r, n))
	}
	for _, to := range []string{"one", "each"} {
		name := "push/" + to + "/capacity"
		goals = append(goals, atMost(r, "(b) CPU of a push to "+to, name, result.CPU, 20, "us"), times(r, "(b) rate of pushes to "+to, name, 1.4))
	}
	return append(goals,
		above(r, "(c) p50 over a bare HTTP call of the same process", "function/10/500/s", "node", result.P50, 300),
		twice(r),
		atMost(r, "(e) CPU of a connect by HTTP", "connect/http/capacity", result.CPU, 50, "us"),
		times(r, "(e) rate of connects by HTTP", "connect/http/capacity", 1.3),
		atLeast(r, "(e) TLS handshakes a second", "connect/tls/capacity", 2500),
		atMost(r, "(f) an idle connection", "idle/plain/idle", result.User, 1024, "bytes"),
		atMost(r, "(f) after a message", "idle/plain/talked", result.User, 1024, "bytes"),
		atMost(r, "(f) an idle connection over TLS", "idle/tls/idle", result.User, 6144, "bytes"),
		atMost(r, "(f) over TLS, after a message", "idle/tls/talked", result.User, 6144, "bytes"),
	)
}

func atMost(r *result.Report, of, name, figure string, most float64, unit string) goal {
	v, ok := r.Value(Cleat, name, figure)
	show := tenths
	if unit == "bytes" {
		show = whole
	}
	return goal{of, fmt.Sprintf("<= %s %s", whole(most), unit), show(v) + " " + unit, v <= most, ok}
}

func atLeast(r *result.Report, of, name string, least float64) goal {
	v, ok := r.Value(Cleat, name, result.Rate)
	return goal{of, ">= " + whole(least), whole(v), v >= least, ok}
}

// best is the peer with the highest rate of those that did all of what they were asked for.
func best(r *result.Report, name string) (peer string, rate float64) {
	for _, s := range r.Servers {
		if v, ok := r.Value(s.Name, name, result.Rate); ok && !s.Floor && s.Name != Cleat && v > rate && mark(r, s.Name, name) == "" {
			peer, rate = s.Name, v
		}
	}
	return peer, rate
}

// times compares rates with the best peer's.
func times(r *result.Report, of, name string, least float64) goal {
	v, ok := r.Value(Cleat, name, result.Rate)
	peer, rate := best(r, name)
	if !ok || rate == 0 {
		return goal{}
	}
	return goal{of, fmt.Sprintf(">= %.1f x the best peer's", least), fmt.Sprintf("%.2f x %s's", v/rate, peer) + mark(r, Cleat, name), v >= least*rate && mark(r, Cleat, name) == "", true}
}

// above compares a latency with a floor's.
func above(r *result.Report, of, name, floor, figure string, most float64) goal {
	v, ok := r.Value(Cleat, name, figure)
	f, there := r.Value(floor, name, figure)
	return goal{of, fmt.Sprintf("+%.2f ms", most/1e3), fmt.Sprintf("%+.2f ms", (v-f)/1e3) + mark(r, Cleat, name), v-f <= most && mark(r, Cleat, name) == "", ok && there}
}

// keeps compares what is left of the capacity with more connections to what is left of the direct call's.
func keeps(r *result.Report, n string) goal {
	left := func(server string) (float64, bool) {
		few, ok := r.Value(server, "message/100B/100/capacity", result.Rate)
		many, there := r.Value(server, "message/100B/"+n+"/capacity", result.Rate)
		if !ok || !there || few == 0 {
			return 0, false
		}
		return many / few, true
	}
	ours, ok := left(Cleat)
	direct, there := left("direct")
	return goal{"(a) of the rate with 100 connections " + thousands(n) + " leave", fmt.Sprintf("%.0f %%, as of the direct call", 100*direct), fmt.Sprintf("%.0f %%", 100*ours), ours >= direct, ok && there}
}

// flat wants the cost of a message to be the same with more connections, a tenth aside.
func flat(r *result.Report, n string) goal {
	few, ok := r.Value(Cleat, "message/100B/100/capacity", result.CPU)
	many, there := r.Value(Cleat, "message/100B/"+n+"/capacity", result.CPU)
	return goal{"(a) CPU of a message with " + thousands(n), fmt.Sprintf("<= %.1f us, a tenth more than with 100", 1.1*few), tenths(many) + " us", many <= 1.1*few, ok && there}
}

func twice(r *result.Report) goal {
	v, ok := r.Value(Cleat, "mock/100/capacity", result.CPU)
	echo, there := r.Value("echo", "mock/100/capacity", result.CPU)
	most := 2*echo + template
	return goal{"(d) CPU of an answer by a template", fmt.Sprintf("<= %.1f us, twice the echo's and %.0f for the template", most, template), tenths(v) + " us", v <= most, ok && there}
}
