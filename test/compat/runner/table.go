package runner

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"text/tabwriter"

	"cleat/test/compat/scenario"
)

// RunAll runs every scenario on every target, so many at a time. Results are in the order of scenarios, within them
// of targets.
func RunAll(ctx context.Context, targets []Target, b *Backends, scenarios []*scenario.Scenario, parallel int, o Options) [][]*Result {
	out := make([][]*Result, len(scenarios))
	turns := make(chan struct{}, max(1, parallel))
	var running sync.WaitGroup
	for i, s := range scenarios {
		out[i] = make([]*Result, len(targets))
		turns <- struct{}{}
		running.Go(func() {
			defer func() { <-turns }()
			for j, t := range targets { // one after the other: they share the scenario's backends
				out[i][j] = Run(ctx, t, b, s, o)
			}
		})
	}
	running.Wait()
	return out
}

// WriteTable writes results side by side, a line for each scenario, and below the table each difference in full.
func WriteTable(w io.Writer, targets []Target, results [][]*Result) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	head := []string{"SCENARIO", "SAYS"}
	ok := make([]int, len(targets))
	run := make([]int, len(targets))
	for _, t := range targets {
		head = append(head, strings.ToUpper(t.Name()))
	}
	lines := []string{strings.Join(head, "\t")}
	for _, row := range results {
		says := "as AWS"
		if row[0].Scenario.Differs != "" {
			says = "not as AWS"
		}
		cells := []string{row[0].Scenario.Name, says}
		for j, res := range row {
			switch {
			case res.Skipped != "":
				cells = append(cells, "skipped: "+res.Skipped)
				continue
			case res.OK():
				ok[j]++
				cells = append(cells, "ok")
			default:
				cells = append(cells, fmt.Sprintf("differs (line %d)", res.Differences[0].Line))
			}
			run[j]++
		}
		lines = append(lines, strings.Join(cells, "\t"))
	}
	total := []string{fmt.Sprintf("%d scenarios", len(results)), ""}
	for j := range targets {
		total = append(total, fmt.Sprintf("%d of %d ok", ok[j], run[j]))
	}
	lines = append(lines, strings.Join(total, "\t"), "")
	if _, err := io.WriteString(table, strings.Join(lines, "\n")); err != nil {
		return err
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, row := range results {
		for _, res := range row {
			for _, d := range res.Differences {
				if _, err := fmt.Fprintf(w, "\n%s: %v\n", res.Target, d); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
