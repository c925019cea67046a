package report

import (
	"fmt"
	"html"
	"strings"

	"cleat/bench/result"
)

// bar is one of a chart.
type bar struct {
	name  string
	value float64
	kind  string // "cleat", "peer" or "floor"
	mark  string // behind its value
}

// Charts are the SVG files of a report by their names. A chart without figures is not among them.
func Charts(r *result.Report) map[string]string {
	charts := map[string]string{}
	for file, c := range map[string]struct{ title, unit, name, figure string }{
		"messages.svg": {"Messages a second through an HTTP backend (more is better)", "", "message/100B/100/capacity", result.Rate},
		"cpu.svg":      {"Processor time of such a message (less is better)", " us", "message/100B/100/capacity", result.CPU},
		"idle.svg":     {"Bytes of an idle connection (less is better)", "", "idle/plain/idle", result.User},
		"push.svg":     {"Pushes a second, 10,000 connections (more is better)", "", "push/each/capacity", result.Rate},
		"connects.svg": {"Connects a second let in by HTTP (more is better)", "", "connect/http/capacity", result.Rate},
	} {
		if bars := barsOf(r, c.name, c.figure); len(bars) > 0 {
			charts[file] = chart(c.title, c.unit, bars)
		}
	}
	return charts
}

func barsOf(r *result.Report, name, figure string) []bar {
	var bars []bar
	for _, s := range r.Servers {
		v, ok := r.Value(s.Name, name, figure)
		if !ok {
			continue
		}
		kind := "peer"
		switch {
		case s.Name == Cleat:
			kind = "cleat"
		case s.Floor:
			kind = "floor"
		}
		bars = append(bars, bar{s.Name, v, kind, mark(r, s.Name, name)})
	}
	return bars
}

// style is readable on light and on dark pages.
const style = `text{font:13px system-ui,sans-serif;fill:#1f2328}.title{font-weight:600}.cleat{fill:#0969da}.peer{fill:#8c959f}.floor{fill:#d0d7de}` +
	`@media(prefers-color-scheme:dark){text{fill:#e6edf3}.cleat{fill:#4493f8}.peer{fill:#6e7681}.floor{fill:#3d444d}}`

// chart draws horizontal bars, from zero.
func chart(title, unit string, bars []bar) string {
	const (
		width, left, right = 640, 140, 90
		top, step, height  = 34, 26, 18
	)
	most := 0.0
	for _, b := range bars {
		most = max(most, b.value)
	}
	var s strings.Builder
	fmt.Fprintf(&s, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-label="%s">`+"\n",
		width, top+step*len(bars)+6, width, top+step*len(bars)+6, html.EscapeString(title))
	fmt.Fprintf(&s, "<style>%s</style>\n<text class=\"title\" x=\"8\" y=\"20\">%s</text>\n", style, html.EscapeString(title))
	for i, b := range bars {
		y, long := top+step*i, 1.0
		if most > 0 {
			long = max(long, b.value/most*(width-left-right))
		}
		show := whole(b.value)
		if b.value < 1000 {
			show = strings.TrimSuffix(tenths(b.value), ".0")
		}
		fmt.Fprintf(&s, `<text x="%d" y="%d" text-anchor="end">%s</text><rect class="%s" x="%d" y="%d" width="%.1f" height="%d" rx="2"/><text x="%.1f" y="%d">%s</text>`+"\n",
			left-8, y+14, html.EscapeString(b.name), b.kind, left, y, long, height, left+long+6, y+14, html.EscapeString(show+unit+b.mark))
	}
	s.WriteString("</svg>\n")
	return s.String()
}
