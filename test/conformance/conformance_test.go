package conformance_test

import (
	"flag"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"

	"go.uber.org/goleak"

	"cleat/internal/conn"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var only = flag.String("only", "", "play only the cases whose ID begins like this, and show what each does")

// picked are the sections with those cases that the flag asks for.
func picked() []section {
	all := slices.Clone(sections())
	if *only == "" {
		return all
	}
	for i := range all {
		var cases []testCase
		for _, tc := range all[i].cases {
			if strings.HasPrefix(tc.id, *only) {
				cases = append(cases, tc)
			}
		}
		all[i].cases = cases
	}
	return all
}

// tally counts the cases that passed, by section and target.
type tally struct {
	mu     sync.Mutex
	passed map[[2]string]int
}

func (c *tally) add(section, target string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.passed == nil {
		c.passed = map[[2]string]int{}
	}
	c.passed[[2]string{section, target}]++
}

// table is the summary: a line for each section, a column for each target.
func (c *tally) table(all []section, targets []string) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "\tSection\tCases\t%s\n", strings.Join(targets, "\t"))
	cases, passed := 0, make([]int, len(targets))
	for _, s := range all {
		cases += len(s.cases)
		fmt.Fprintf(w, "%s\t%s\t%d", s.number, s.title, len(s.cases))
		for i, t := range targets {
			n := c.passed[[2]string{s.number, t}]
			passed[i] += n
			fmt.Fprintf(w, "\t%d", n)
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, "\tAll\t%d", cases)
	for _, n := range passed {
		fmt.Fprintf(w, "\t%d", n)
	}
	fmt.Fprintln(w)
	_ = w.Flush() // a strings.Builder takes everything
	return b.String()
}

// TestConformance plays every case against every engine, plain and over TLS.
func TestConformance(t *testing.T) {
	t.Parallel()
	engines := []string{conn.EnginePortable}
	if runtime.GOOS == "linux" {
		engines = append(engines, conn.EngineEpoll)
	}
	all := picked()
	var count tally
	var names []string
	t.Cleanup(func() { t.Logf("cases passed:\n%s", count.table(all, names)) }) // once all targets have ended
	for _, engine := range engines {
		for _, withTLS := range []bool{false, true} {
			name := engine + map[bool]string{false: "/plain", true: "/tls"}[withTLS]
			names = append(names, name)
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				playAll(t, startTarget(t, name, engine, withTLS), all, &count)
			})
		}
	}
}

func playAll(t *testing.T, server target, all []section, count *tally) {
	t.Helper()
	for _, s := range all {
		for _, tc := range s.cases {
			if *only != "" {
				t.Logf("%s %s (%s): %v", tc.id, tc.title, tc.rfc, tc.steps)
			}
			if err := tc.play(server); err != nil {
				t.Errorf("case %s, %s (%s): %v", tc.id, tc.title, tc.rfc, err)
				continue
			}
			count.add(s.number, server.name)
		}
	}
}

// TestCases holds the list itself to its rules: every ID once, in its section, with a title and a source.
func TestCases(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, s := range sections() {
		for _, tc := range s.cases {
			if seen[tc.id] || !strings.HasPrefix(tc.id, s.number+".") || tc.title == "" || tc.rfc == "" {
				t.Errorf("case %q in section %s: %q, %q", tc.id, s.number, tc.title, tc.rfc)
			}
			seen[tc.id] = true
		}
	}
}
