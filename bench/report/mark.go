package report

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"cleat/bench/result"
)

// mark is what a figure must not stand without, in brackets: that the server lost pushes, or did not keep up with the rate.
// It is empty for a server that did all it was asked for.
func mark(r *result.Report, server, name string) string {
	const late = 0.01
	if share, _ := r.Value(server, name, result.Late); share > late {
		return " (not kept up)"
	}
	row := r.Row(server, name)
	if row == nil {
		return ""
	}
	switch share := row.Values[result.Lost].Max; { // of any round
	case share <= 0:
		return ""
	case share < 0.01:
		return " (lost < 1 %)"
	default:
		return fmt.Sprintf(" (lost %.0f %%)", 100*share)
	}
}

// oneLine is an error, or several of them, in one line of a sensible length: each different line of it once.
func oneLine(s string) string {
	const most = 160
	var lines []string
	seen := map[string]bool{}
	for line := range strings.Lines(s) {
		line = strings.Join(strings.Fields(line), " ")
		if line != "" && !seen[line] {
			seen[line] = true
			lines = append(lines, line)
		}
	}
	s = strings.Join(lines, "; ")
	if len(s) <= most {
		return s
	}
	s = s[:most]
	for !utf8.ValidString(s) {
		s = s[:len(s)-1]
	}
	return s + "…"
}
