// Package page makes docs/compatibility.md: the hand-written rows of docs/compatibility.in.md, whose proof is a Go test,
// and one row for each scenario, from its own head.
package page

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"cleat/test/compat/scenario"
)

// Source and Result are the files, below the repository's root.
const (
	Source = "docs/compatibility.in.md"
	Result = "docs/compatibility.md"
)

// marker stands below a table and names the areas whose scenarios are its further rows.
var marker = regexp.MustCompile(`^<!-- scenarios: ([a-z0-9 -]+) -->$`)

const notice = "<!-- Made by `make generate` from compatibility.in.md and test/compat/scenarios: edit those. -->"

// Generate returns the page. Every area of the scenarios must have its place in the source, once.
func Generate(source []byte, scenarios []*scenario.Scenario) ([]byte, error) {
	rows := map[string][]string{}
	for _, s := range scenarios {
		rows[s.Area()] = append(rows[s.Area()], row(s))
	}
	var out bytes.Buffer
	placed := []string{}
	lines := strings.Split(strings.TrimSuffix(string(source), "\n"), "\n")
	for i, line := range lines {
		m := marker.FindStringSubmatch(line)
		if m == nil {
			out.WriteString(line + "\n")
			if i == 0 {
				out.WriteString("\n" + notice + "\n")
			}
			continue
		}
		if i == 0 || !strings.HasPrefix(lines[i-1], "|") {
			return nil, fmt.Errorf("%s:%d: the scenarios' rows must follow a table", Source, i+1)
		}
		for area := range strings.FieldsSeq(m[1]) {
			if slices.Contains(placed, area) {
				return nil, fmt.Errorf("%s:%d: the area %q has its place already", Source, i+1, area)
			}
			placed = append(placed, area)
			out.WriteString(strings.Join(rows[area], ""))
		}
	}
	for _, s := range scenarios {
		if !slices.Contains(placed, s.Area()) {
			return nil, fmt.Errorf("%s: no <!-- scenarios: … --> names the area %q of %s", Source, s.Area(), s.File)
		}
	}
	return out.Bytes(), nil
}

// row is a scenario as a line of a table.
func row(s *scenario.Scenario) string {
	status := "Same"
	if s.Differs != "" {
		status = "Differs: " + escape(s.Differs)
	}
	return fmt.Sprintf("| %s (%s) | %s | `scenarios/%s` |\n", escape(s.Title), s.Spec, status, s.Name)
}

// escape keeps a title from being read as Markdown.
func escape(text string) string {
	return strings.NewReplacer("|", `\|`, "<", "&lt;", "*", `\*`, "_", `\_`, "`", "\\`").Replace(text)
}
