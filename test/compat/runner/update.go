package runner

import (
	"slices"
	"strings"
)

// Edit replaces the lines From to To of a scenario's file.
type Edit struct {
	From, To int
	Lines    []string
}

// Apply makes edits in a scenario's text. No two of them may touch the same line.
func Apply(text string, edits []Edit) string {
	lines := strings.Split(text, "\n")
	edits = slices.SortedFunc(slices.Values(edits), func(a, b Edit) int { return b.From - a.From })
	for _, e := range edits {
		lines = slices.Replace(lines, e.From-1, e.To, e.Lines...)
	}
	return strings.Join(lines, "\n")
}
