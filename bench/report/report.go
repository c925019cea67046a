// Package report shows what a run of the bench found: the generated part of docs/benchmarks.md, the README's figures, and
// charts. Everything here is a pure function of a result.Report.
package report

import (
	"fmt"
	"math"
	"strings"

	"cleat/bench/result"
)

// Cleat is the name of the server that the others are compared with.
const Cleat = "cleat"

// page is a report under way.
type page struct {
	strings.Builder
	r *result.Report
}

func (p *page) say(format string, args ...any) {
	_, _ = fmt.Fprintf(p, format+"\n", args...) // a strings.Builder takes everything
}

// Markdown is the generated part of docs/benchmarks.md. charts is the folder of the charts, seen from there.
func Markdown(r *result.Report, charts string) string {
	p := &page{r: r}
	p.say("## Side by side: `%s`\n", r.Command)
	p.goals()
	p.say("### The run\n")
	p.say("%s, commit %s, %s: %s; the run took %.0f minutes. CPU is the server's own user and system time, children included, and the figure to trust: the rates are shared with the load generator and the backend.\n",
		r.Date, r.Commit, machine(r.Machine), rounds(r.Rounds), r.Minutes)
	p.say("![Messages a second](%s/messages.svg) ![Processor time of a message](%s/cpu.svg)\n", charts, charts)
	p.say("![Bytes of an idle connection](%s/idle.svg) ![Pushes a second](%s/push.svg)\n", charts, charts)
	p.messages()
	p.rest()
	p.idle()
	p.notDone()
	p.servers()
	p.say("%s", method)
	return p.String()
}

func rounds(n int) string {
	if n == 1 {
		return "one round in which the servers took turns, so that one stall of the machine is a whole figure"
	}
	return fmt.Sprintf("medians of %d rounds in which the servers took turns, memory of one. \"Rounds apart\" is the highest less the lowest rate, of the median", n)
}

func machine(m result.Machine) string {
	return fmt.Sprintf("%d cores of %s, %d GB, Linux %s, %s", m.Cores, m.CPU, m.MemoryGB, m.Kernel, m.Go)
}

const method = `### How it is measured

The load generator is one thread over epoll; its clients come from many loopback addresses. **Capacity** is a closed loop: each client
sends its next message when the last is answered. At a **fixed rate** messages are due at set times, whatever the server does, and latency
counts from when they were due. Every answer must carry the message's own payload, and every push must reach its client once: a share of them that did not stands
beside the rate ("lost 8 %"), and such a rate is none to compare with. A rate that more than 1 % of the messages were too late for is "not kept up".
A server that fails a case is not tried again with it, nor with more of the same. A server is started afresh for each case in each round; what goes before the measured time is warm-up. A message of 100 B or 4 KB has that much
payload, to which each server's dialect adds. Bytes of an idle connection are the server's own pages (PSS of all its processes, less what it had before
they came), read seven seconds after the last of them has come, or has talked; no server is made to collect its garbage, and one that does so by itself when
it is left alone has that time for it. The kernel's are half of what slab and socket buffers grow by, for it keeps as much for the client's end. TLS is 1.3
with X25519 and a P-256 certificate, without resumption.

### How to repeat it

On Linux 5.11 or newer, at rest, with Go, Node and npm: ` + "`make bench-peers`" + `, in half an hour. The servers come from the package registries (Debian's as root) and
are built below .tools/bench; one that cannot be had is named above with the reason. ` + "`make bench`" + ` is Cleat and the floors alone, in five minutes. Parts, which write
nothing: ` + "`make bench-peers ARGS=\"-only message/100B,push -servers cleat,nchan,direct -rounds 5\"`" + `; ` + "`-quick`" + ` tries everything in short times. Figures of two runs
compare only on one machine at rest.
`

// column is one of a table: what it shows of a server.
type column struct {
	head string
	cell func(server string) string
}

// figure is a column of one figure of a case.
func (p *page) figure(head, name, figure string, show func(float64) string) column {
	return column{head, func(server string) string {
		v, ok := p.r.Value(server, name, figure)
		if !ok {
			return ""
		}
		return show(v)
	}}
}

// marked is figure with what it must not stand without.
func (p *page) marked(head, name, figure string, show func(float64) string) column {
	c := p.figure(head, name, figure, show)
	return column{head, func(server string) string {
		cell := c.cell(server)
		if cell == "" {
			return ""
		}
		return cell + mark(p.r, server, name)
	}}
}

// between is a column of the least and the most that a latency was in a round.
func (p *page) between(head, name, figure string) column {
	return column{head, func(server string) string {
		row := p.r.Row(server, name)
		if row == nil || row.Values[figure].N < 2 {
			return ""
		}
		s := row.Values[figure]
		return ms(s.Min) + " to " + ms(s.Max)
	}}
}

// ratio is a column that tells how often a server's figure goes into Cleat's, or the reverse.
func (p *page) ratio(head, name, figure string) column {
	return column{head, func(server string) string {
		ours, ok := p.r.Value(Cleat, name, figure)
		theirs, there := p.r.Value(server, name, figure)
		if !ok || !there || ours == 0 {
			return ""
		}
		return fmt.Sprintf("%.2f", theirs/ours)
	}}
}

// spread is a column that tells how far a figure's rounds lie apart.
func (p *page) spread(name, figure string) column {
	return column{"Rounds apart", func(server string) string {
		row := p.r.Row(server, name)
		if row == nil || row.Values[figure].Median == 0 || row.Values[figure].N < 2 {
			return ""
		}
		s := row.Values[figure]
		return fmt.Sprintf("%.0f %%", 100*(s.Max-s.Min)/s.Median)
	}}
}

// table shows the servers that have something in it.
func (p *page) table(title string, columns ...column) {
	var rows [][]string
	for _, s := range p.r.Servers {
		cells, some := []string{s.Name}, false
		if s.Name == Cleat {
			cells[0] = "**cleat**"
		}
		if s.Floor {
			cells[0] = "*" + s.Name + "*"
		}
		for _, c := range columns {
			cell := c.cell(s.Name)
			some = some || cell != ""
			if cell == "" {
				cell = "–"
			}
			cells = append(cells, cell)
		}
		if some {
			rows = append(rows, cells)
		}
	}
	if len(rows) == 0 {
		return
	}
	heads := []string{"Server"}
	for _, c := range columns {
		heads = append(heads, c.head)
	}
	p.say("%s\n", title)
	p.row(heads)
	p.say("|%s", strings.Repeat("---|", len(heads)))
	for _, r := range rows {
		p.row(r)
	}
	p.say("")
}

func (p *page) row(cells []string) { p.say("| %s |", strings.Join(cells, " | ")) }

func (p *page) messages() {
	p.say("### (a) Message, HTTP backend, reply\n")
	var capacity, rates []column
	for _, n := range []string{"100", "1000", "10000"} {
		name, conns := "message/100B/"+n, thousands(n)
		capacity = append(capacity, p.figure(conns+": a second", name+"/capacity", result.Rate, whole), p.figure("CPU us", name+"/capacity", result.CPU, tenths))
		for _, at := range []string{"50%", "90%"} {
			rates = append(rates, p.latency(conns+" at "+strings.TrimSuffix(at, "%")+" %", name+"/"+at))
		}
	}
	capacity = append(capacity, p.spread("message/100B/100/capacity", result.Rate), p.ratio("Rate to Cleat's, 100", "message/100B/100/capacity", result.Rate), p.ratio("CPU to Cleat's", "message/100B/100/capacity", result.CPU))
	p.table("Capacity with 100 B, by the number of connections:", capacity...)
	p.table("Latency at 50 % and 90 % of the server's own capacity, p50 / p99 in ms:", rates...)
	const fixed = "message/100B/1000/2000/s"
	p.table("At a fixed 2,000 a second over 1,000 connections, in ms:",
		p.marked("p50", fixed, result.P50, ms), p.figure("p99", fixed, result.P99, ms), p.between("p99 of rounds", fixed, result.P99),
		p.over("p50 over direct", fixed, result.P50), p.over("p99 over direct", fixed, result.P99), p.figure("CPU us", fixed, result.CPU, tenths))
	var big []column
	for _, n := range []string{"100", "1000", "10000"} {
		name := "message/4KB/" + n + "/capacity"
		big = append(big, p.figure(thousands(n)+": a second", name, result.Rate, whole), p.figure("CPU us", name, result.CPU, tenths))
	}
	p.table("Capacity with 4 KB:", append(big, p.ratio("Rate to Cleat's, 100", "message/4KB/100/capacity", result.Rate))...)
}

func (p *page) latency(head, name string) column {
	return column{head, func(server string) string {
		p50, ok := p.r.Value(server, name, result.P50)
		p99, there := p.r.Value(server, name, result.P99)
		if !ok || !there {
			return ""
		}
		return ms(p50) + " / " + ms(p99) + mark(p.r, server, name)
	}}
}

func (p *page) over(head, name, figure string) column {
	return column{head, func(server string) string {
		v, ok := p.r.Value(server, name, figure)
		floor, there := p.r.Value("direct", name, figure)
		if !ok || !there || server == "direct" {
			return ""
		}
		return fmt.Sprintf("%+.2f", (v-floor)/1e3)
	}}
}

func (p *page) capacity(title, name string) {
	name += "/capacity"
	p.table(title, p.marked("A second", name, result.Rate, whole), p.spread(name, result.Rate), p.figure("CPU us", name, result.CPU, tenths), p.figure("of it system", name, result.System, tenths),
		p.figure("p50 ms", name, result.P50, ms), p.figure("p99 ms", name, result.P99, ms), p.ratio("Rate to Cleat's", name, result.Rate), p.ratio("CPU to Cleat's", name, result.CPU))
}

func (p *page) rest() {
	p.say("### (b) Pushes of 1 KB\n")
	p.capacity("32 callers push to one connection, each its next push when the last is answered:", "push/one")
	p.capacity("The same, to each of 10,000 connections in turn:", "push/each")
	p.say("### (c) Message, local Node function, reply\n")
	p.capacity("10 connections; *node* is an HTTP server of the same kind of process, called directly:", "function/10")
	p.table("At a fixed 500 a second, in ms:", p.marked("p50", "function/10/500/s", result.P50, ms), p.figure("p99", "function/10/500/s", result.P99, ms), p.between("p99 of rounds", "function/10/500/s", result.P99))
	p.say("### (d) Message, answer by a template\n")
	p.capacity("A `MOCK` integration whose response template has three references, 100 connections; *echo* sends the message back:", "mock/100")
	p.capacity("1,000 connections:", "mock/1000")
	p.say("### (e) Connects\n")
	for _, c := range [][2]string{
		{"64 clients at a time, who leave once they are let in, by the server alone (`$connect` is a `MOCK`):", "connect/plain"},
		{"Let in by the HTTP backend:", "connect/http"},
		{"Over TLS, 32 at a time, by the server alone:", "connect/tls"},
		{"Over TLS, by the HTTP backend:", "connect/http-tls"},
	} {
		p.capacity(c[0], c[1])
	}
}

func (p *page) idle() {
	p.say("### (f) Idle connections, (g) processor time\n")
	count := column{"Connections", func(server string) string {
		var shown []string
		for _, name := range []string{"idle/plain/idle", "idle/tls/idle"} {
			if v, ok := p.r.Value(server, name, result.Count); ok {
				shown = append(shown, whole(v))
			}
		}
		if len(shown) == 2 && shown[0] == shown[1] {
			shown = shown[:1]
		}
		return strings.Join(shown, ", TLS ")
	}}
	p.table("Bytes of each, the server's own and the kernel's:", count,
		p.figure("Plain", "idle/plain/idle", result.User, whole), p.figure("kernel", "idle/plain/idle", result.Kernel, whole), p.figure("after a message", "idle/plain/talked", result.User, whole),
		p.figure("TLS", "idle/tls/idle", result.User, whole), p.figure("kernel", "idle/tls/idle", result.Kernel, whole), p.figure("after a message", "idle/tls/talked", result.User, whole),
		p.ratio("Plain to Cleat's", "idle/plain/idle", result.User), p.ratio("TLS to Cleat's", "idle/tls/idle", result.User))
	million := func(v float64) string { return fmt.Sprintf("%.1f", v) }
	p.table("Seconds of processor time: of a million messages (100 B, 100 connections, at capacity), and of an hour of the idle plain connections above "+
		"(some seconds of it, scaled):", p.figure("A million messages", "message/100B/100/capacity", result.CPU, million), p.figure("An idle hour", "idle/plain/hour", result.Hour, million))
}

// notDone lists what a server did not do, and why.
func (p *page) notDone() {
	var lines []string
	for _, s := range p.r.Servers {
		if s.Missing != "" {
			lines = append(lines, fmt.Sprintf("- %s was not measured: %s", s.Name, oneLine(s.Missing)))
		}
		cases := map[string][]string{}
		var reasons []string
		for _, row := range p.r.Rows {
			if row.Server != s.Name || row.Fault == "" || s.Floor {
				continue
			}
			if cases[row.Fault] == nil {
				reasons = append(reasons, row.Fault)
			}
			cases[row.Fault] = append(cases[row.Fault], row.Case)
		}
		for _, why := range reasons {
			lines = append(lines, fmt.Sprintf("- %s, %s: %s", s.Name, strings.Join(cases[why], ", "), oneLine(why)))
		}
	}
	if len(lines) > 0 {
		p.say("### Not measured, or with faults\n\n%s\n", strings.Join(lines, "\n"))
	}
}

func (p *page) servers() {
	p.say("### The servers and their configuration\n")
	for _, s := range p.r.Servers {
		if s.Missing != "" {
			continue
		}
		version := ""
		if s.Version != "-" && s.Version != "" {
			version = " " + s.Version
		}
		p.say("- **%s**%s. %s", s.Name, version, strings.Join(strings.Fields(s.Notes), " "))
	}
	p.say("")
}

func ms(us float64) string { return fmt.Sprintf("%.2f", us/1e3) }

func tenths(v float64) string { return fmt.Sprintf("%.1f", v) }

// whole shows a number with commas.
func whole(v float64) string {
	s := fmt.Sprintf("%.0f", math.Abs(v))
	for at := len(s) - 3; at > 0; at -= 3 {
		s = s[:at] + "," + s[at:]
	}
	if v < 0 {
		return "-" + s
	}
	return s
}

func thousands(n string) string {
	var v float64
	_, _ = fmt.Sscan(n, &v) // our own names
	return whole(v)
}
