package report

import (
	"fmt"
	"strings"

	"cleat/bench/result"
)

// Readme is the README's part: the three figures that matter. charts is the folder of the charts, page the address of
// docs/benchmarks.md, both seen from there.
func Readme(r *result.Report, charts, page string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "![Messages a second](%s/messages.svg)\n\n", charts)
	fmt.Fprintf(&b, "| One machine of %d cores, shared with the load generator | Cleat | Best other server |\n|---|---|---|\n", r.Machine.Cores)
	for _, f := range []struct {
		what, name, figure, unit string
		more                     bool
	}{
		{"Messages a second to an HTTP backend and back", "message/100B/100/capacity", result.Rate, "", true},
		{"Processor time of such a message", "message/100B/100/capacity", result.CPU, " us", false},
		{"Memory of an idle connection", "idle/plain/idle", result.User, " bytes", false},
	} {
		ours, ok := r.Value(Cleat, f.name, f.figure)
		if !ok {
			continue
		}
		fmt.Fprintf(&b, "| %s | **%s%s** | %s |\n", f.what, whole(ours), f.unit, bestOther(r, f.name, f.figure, f.unit, f.more))
	}
	fmt.Fprintf(&b, "\n`%s` repeats it: [benchmarks](%s).\n", r.Command, page)
	return b.String()
}

func bestOther(r *result.Report, name, figure, unit string, more bool) string {
	who, best := "", 0.0
	for _, s := range r.Servers {
		v, ok := r.Value(s.Name, name, figure)
		if ok && !s.Floor && s.Name != Cleat && mark(r, s.Name, name) == "" && (who == "" || more == (v > best)) {
			who, best = s.Name, v
		}
	}
	if who == "" {
		return "–"
	}
	return fmt.Sprintf("%s%s (%s)", whole(best), unit, who)
}

// Replace puts text between the lines that begin with marker's comments in a page: <!-- NAME:begin … --> and
// <!-- NAME:end -->. ok is false when the page has not both.
func Replace(page, name, text string) (replaced string, ok bool) {
	begin := strings.Index(page, "<!-- "+name+":begin")
	if begin < 0 {
		return page, false
	}
	line := strings.Index(page[begin:], "-->\n")
	end := strings.Index(page, "<!-- "+name+":end")
	if line < 0 || end < begin+line {
		return page, false
	}
	return page[:begin+line+len("-->\n")] + "\n" + strings.TrimSpace(text) + "\n\n" + page[end:], true
}
