// Package guard holds Cleat to what an operation may cost, in ratios to what one costs the bare epoll echo in the same
// round of the same run: processor time of each, never time on the clock, so that a slow or busy machine slows both. It is
// for CI, which has a minute for it; `go run ./bench/peers -guard` runs it. What it bounds is in the table Bounds.
package guard

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"cleat/bench/report"
	"cleat/bench/result"
	"cleat/bench/stats"
)

// ErrOver is Check's when a bound was passed twice.
var ErrOver = errors.New("costs more than it may")

// Floor is the server whose figures Cleat's are divided by.
const Floor = "echo"

// Measure runs the cases of bench/run once, Cleat and the echo in turns, and returns what it found.
type Measure func(ctx context.Context, cases []string) (*result.Report, error)

// Check measures rounds times (memory, which hardly moves, once), prints a line for each bound to out, and looks at the medians. What is over its bound then is
// measured as often again, by itself: it fails only when that median is over it as well. Errors are ErrOver, those of
// measure, and figures that are not there.
func Check(ctx context.Context, bounds []Bound, rounds int, measure Measure, out io.Writer) error {
	over, err := check(ctx, bounds, rounds, measure, out)
	if err != nil || len(over) == 0 {
		return err
	}
	if _, err := fmt.Fprintf(out, "\nover their bounds, measured again: %s\n", names(over)); err != nil {
		return err
	}
	if over, err = check(ctx, over, rounds, measure, out); err != nil {
		return err
	}
	if len(over) > 0 {
		return fmt.Errorf("%s: %w, twice in a row; docs/performance.md, \"Keeping it\", says how to find what", names(over), ErrOver)
	}
	return nil
}

func check(ctx context.Context, bounds []Bound, rounds int, measure Measure, out io.Writer) (over []Bound, err error) {
	samples := make([][]float64, len(bounds))
	for round := range rounds {
		now := slices.DeleteFunc(slices.Clone(bounds), func(b Bound) bool { return round > 0 && b.Floor == "" })
		if len(now) == 0 {
			break
		}
		r, err := measure(ctx, cases(now))
		if err != nil {
			return nil, err
		}
		for i, b := range bounds {
			if !slices.Contains(now, b) {
				continue
			}
			v, err := b.of(r)
			if err != nil {
				return nil, err
			}
			samples[i] = append(samples[i], v)
		}
	}
	if _, err := fmt.Fprintf(out, "\n%-40s %8s %17s %8s %8s\n", "", "median", "of", "usual", "most"); err != nil {
		return nil, err
	}
	for i, b := range bounds {
		s := stats.Of(samples[i])
		verdict := ""
		if s.Median > b.Most {
			over, verdict = append(over, b), "  OVER"
		}
		_, err := fmt.Fprintf(out, "%-40s %8s %17s %8s %8s%s\n",
			b.Of, b.show(s.Median), b.show(s.Min)+" - "+b.show(s.Max), b.show(b.Usual), b.show(b.Most), verdict)
		if err != nil {
			return nil, err
		}
	}
	return over, nil
}

// of takes the bound's figure out of a report.
func (b Bound) of(r *result.Report) (float64, error) {
	v, err := value(r, report.Cleat, b.Case, b.Figure)
	if err != nil || b.Floor == "" {
		return v, err
	}
	f, err := value(r, Floor, b.Floor, b.Figure)
	if err != nil {
		return 0, err
	}
	return v / f, nil
}

// value is a figure that has to be there and above zero. Of what went wrong the row of the case tells, without the step.
func value(r *result.Report, server, name, figure string) (float64, error) {
	v, ok := r.Value(server, name, figure)
	if ok && v > 0 {
		return v, nil
	}
	why := "nothing was measured"
	if row := r.Row(server, part(name)); row != nil && row.Fault != "" {
		why = row.Fault
	}
	return 0, fmt.Errorf("%s of %s in %s: %s", figure, server, name, why)
}

func (b Bound) show(v float64) string {
	if b.Floor == "" {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.2fx", v)
}

// cases are what bounds need measured.
func cases(bounds []Bound) []string {
	var all []string
	seen := map[string]bool{}
	for _, b := range bounds {
		for _, name := range []string{part(b.Case), part(b.Floor)} {
			if name != "" && !seen[name] {
				seen[name] = true
				all = append(all, name)
			}
		}
	}
	return all
}

// part is a case without its step.
func part(name string) string { return name[:max(0, strings.LastIndexByte(name, '/'))] }

func names(bounds []Bound) string {
	var all []string
	for _, b := range bounds {
		all = append(all, b.Of)
	}
	return strings.Join(all, ", ")
}
