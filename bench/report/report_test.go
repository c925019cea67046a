package report_test

import (
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cleat/bench/report"
	"cleat/bench/result"
	"cleat/bench/stats"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden holds text to testdata.
func golden(t *testing.T, name, text string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if text != string(want) {
		t.Errorf("%s is another: go test ./bench/report -update, and look at the difference", name)
	}
}

func read(t *testing.T) *result.Report {
	t.Helper()
	r, err := result.Read(filepath.Join("testdata", "peers.json"))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestMarkdown(t *testing.T) { golden(t, "benchmarks.md", report.Markdown(read(t), "benchmarks")) }

func TestReadme(t *testing.T) {
	golden(t, "readme.md", report.Readme(read(t), "docs/benchmarks", "docs/benchmarks.md"))
}

func TestCharts(t *testing.T) {
	charts := report.Charts(read(t))
	for _, name := range []string{"messages.svg", "cpu.svg", "idle.svg", "push.svg", "connects.svg"} {
		golden(t, name, charts[name])
		for d := xml.NewDecoder(strings.NewReader(charts[name])); ; {
			_, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
	}
}

// A report of one case has the tables of that case, and no goals that it cannot judge.
func TestPartial(t *testing.T) {
	r := &result.Report{
		Servers: []result.Server{{Name: "cleat"}, {Name: "nchan"}, {Name: "anycable"}},
		Rows: []result.Row{
			{Case: "push/one/capacity", Server: "cleat", Values: map[string]stats.Spread{result.Rate: {Median: 15}, result.CPU: {Median: 20}}},
			{Case: "push/one/capacity", Server: "nchan", Values: map[string]stats.Spread{result.Rate: {Median: 10}}},
			{Case: "push/one/capacity", Server: "anycable", Values: map[string]stats.Spread{result.Rate: {Median: 30}, result.Lost: {Max: 0.08}}},
		},
	}
	got := report.Goals(r)
	for _, want := range []string{
		"| (b) CPU of a push to one | <= 20 us | 20.0 us | met |",
		"| (b) rate of pushes to one | >= 1.4 x the best peer's | 1.50 x nchan's | met |",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if n := strings.Count(got, "\n"); n != 9 {
		t.Errorf("%d lines, want a heading, a sentence, the table's two, and two goals:\n%s", n, got)
	}
	if len(report.Charts(r)) != 0 {
		t.Error("charts of nothing")
	}
}

// A rate at which pushes were lost is marked, and none that Cleat must beat, or may have.
func TestLossyRates(t *testing.T) {
	rate := func(server string, rate, lost, late float64) result.Row {
		return result.Row{Case: "push/one/capacity", Server: server, Values: map[string]stats.Spread{
			result.Rate: {Median: rate}, result.Lost: {Max: lost}, result.Late: {Median: late},
		}}
	}
	for name, c := range map[string]struct {
		ours, theirs result.Row
		want         []string
		not          string
	}{
		"a lossy peer is not the best": {
			rate("cleat", 15, 0, 0), rate("lossy", 30, 0.08, 0),
			[]string{"| lossy | 30 (lost 8 %) |", "| 1.50 x nchan's | met |", "| **cleat** | 15 |"},
			"x lossy's",
		},
		"a little is told as well": {rate("cleat", 15, 0, 0), rate("lossy", 30, 0.0004, 0), []string{"| 30 (lost < 1 %) |"}, "x lossy's"},
		"nor one that is late":     {rate("cleat", 15, 0, 0), rate("lossy", 30, 0, 0.02), []string{"| 30 (not kept up) |"}, "x lossy's"},
		"nor may Cleat lose any":   {rate("cleat", 15, 0.08, 0), rate("lossy", 5, 0, 0), []string{"| 1.50 x nchan's (lost 8 %) | **missed** |"}, "met |"},
	} {
		t.Run(name, func(t *testing.T) {
			r := &result.Report{
				Servers: []result.Server{{Name: "cleat"}, {Name: "nchan"}, {Name: "lossy"}},
				Rows:    []result.Row{c.ours, rate("nchan", 10, 0, 0), c.theirs},
			}
			got := report.Markdown(r, "charts")
			for _, want := range c.want {
				if !strings.Contains(got, want) {
					t.Errorf("no %q in\n%s", want, got)
				}
			}
			if strings.Contains(got, c.not) {
				t.Errorf("there is %q in\n%s", c.not, got)
			}
		})
	}
}

// Errors of many connections at once say the same many times.
func TestFaultsAreShort(t *testing.T) {
	r := &result.Report{
		Servers: []result.Server{{Name: "pushpin"}},
		Rows: []result.Row{
			{Case: "push/each", Server: "pushpin", Fault: strings.Repeat("the upgrade was answered with 502\n", 40)},
			{Case: "push/one", Server: "pushpin", Fault: strings.Repeat("ü", 1000)},
		},
	}
	got := report.Markdown(r, "charts")
	if want := "- pushpin, push/each: the upgrade was answered with 502\n"; !strings.Contains(got, want) {
		t.Errorf("no %q in\n%s", want, got)
	}
	if want := "- pushpin, push/one: " + strings.Repeat("ü", 80) + "…\n"; !strings.Contains(got, want) {
		t.Errorf("no %q in\n%s", want, got)
	}
}

func TestRoundsInWords(t *testing.T) {
	for n, want := range map[int]string{1: ": one round in which", 3: ": medians of 3 rounds in which"} {
		if got := report.Markdown(&result.Report{Rounds: n}, "charts"); !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

func TestReplace(t *testing.T) {
	const page = "before\n<!-- bench:begin: made -->\nold\n<!-- bench:end -->\nafter\n"
	got, ok := report.Replace(page, "bench", "new\n")
	if want := "before\n<!-- bench:begin: made -->\n\nnew\n\n<!-- bench:end -->\nafter\n"; got != want || !ok {
		t.Errorf("got %q, %v, want %q", got, ok, want)
	}
	if again, _ := report.Replace(got, "bench", "new"); again != got {
		t.Errorf("a second time it is %q", again)
	}
	for _, bad := range []string{"", "<!-- bench:begin -->\n", "<!-- bench:end -->\n<!-- bench:begin -->\n", "<!-- other:begin -->\n<!-- other:end -->"} {
		if got, ok := report.Replace(bad, "bench", "new"); ok || got != bad {
			t.Errorf("%q became %q", bad, got)
		}
	}
}
