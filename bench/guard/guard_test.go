//go:build linux

package guard_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"cleat/bench/guard"
	"cleat/bench/result"
	"cleat/bench/run"
	"cleat/bench/stats"
)

var bounds = []guard.Bound{
	{Of: "an answer", Case: "mock/100/capacity", Figure: result.CPU, Floor: "mock/100/capacity", Usual: 1.5, Most: 2},
	{Of: "a message", Case: "message/100B/100/capacity", Figure: result.CPU, Floor: "mock/100/capacity", Usual: 3, Most: 4},
	{Of: "bytes", Case: "idle/plain/idle", Figure: result.User, Usual: 500, Most: 1000},
}

// machine answers for a run of the bench. Each slice has one value for each round; the last one stays.
type machine struct {
	echo, mock, message, bytes []float64
	asked                      [][]string
}

func (m *machine) measure(_ context.Context, cases []string) (*result.Report, error) {
	round := len(m.asked)
	m.asked = append(m.asked, cases)
	r := new(result.Report)
	add := func(server, name, figure string, values []float64) {
		if len(values) > 0 && slices.Contains(cases, name[:strings.LastIndexByte(name, '/')]) {
			v := values[min(round, len(values)-1)]
			r.Rows = append(r.Rows, result.Row{Case: name, Server: server, Values: map[string]stats.Spread{figure: stats.Of([]float64{v})}})
		}
	}
	add("echo", "mock/100/capacity", result.CPU, m.echo)
	add("cleat", "mock/100/capacity", result.CPU, m.mock)
	add("cleat", "message/100B/100/capacity", result.CPU, m.message)
	add("cleat", "idle/plain/idle", result.User, m.bytes)
	return r, nil
}

func TestCheck(t *testing.T) {
	one := []float64{10}
	for name, tt := range map[string]struct {
		machine machine
		over    string // what the error names; empty: none
		rounds  int    // that were measured
	}{
		"within":                           {machine{echo: one, mock: []float64{15}, message: []float64{30}, bytes: []float64{600}}, "", 3},
		"a machine that is ten times slow": {machine{echo: []float64{100}, mock: []float64{150}, message: []float64{300}, bytes: []float64{600}}, "", 3},
		"one round disturbed":              {machine{echo: one, mock: []float64{15, 90, 15}, message: []float64{30}, bytes: []float64{600}}, "", 3},
		"the echo disturbed in its round":  {machine{echo: []float64{10, 30, 10}, mock: []float64{15, 45, 15}, message: []float64{30, 90, 30}, bytes: []float64{600}}, "", 3},
		"disturbed the first time":         {machine{echo: one, mock: []float64{25, 25, 25, 15}, message: []float64{30}, bytes: []float64{600}}, "", 6},
		"dearer":                           {machine{echo: one, mock: []float64{21}, message: []float64{30}, bytes: []float64{600}}, "an answer", 6},
		"dearer and larger":                {machine{echo: one, mock: []float64{15}, message: []float64{41}, bytes: []float64{2600}}, "a message, bytes", 6},
		"larger":                           {machine{echo: one, mock: []float64{15}, message: []float64{30}, bytes: []float64{2600}}, "bytes", 4},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			err := guard.Check(t.Context(), bounds, 3, tt.machine.measure, &out)
			if tt.over == "" && err != nil {
				t.Errorf("got %v\n%s", err, &out)
			}
			if tt.over != "" && (!errors.Is(err, guard.ErrOver) || !strings.HasPrefix(err.Error(), tt.over+":")) {
				t.Errorf("got %v, want one about %s\n%s", err, tt.over, &out)
			}
			if got := len(tt.machine.asked); got != tt.rounds {
				t.Errorf("%d rounds were measured, want %d", got, tt.rounds)
			}
		})
	}
}

// What is measured again is what was over its bound and what that needs, and memory once.
func TestCheckMeasuresWhatItNeeds(t *testing.T) {
	m := machine{echo: []float64{10}, mock: []float64{15}, message: []float64{50}, bytes: []float64{600}}
	if err := guard.Check(t.Context(), bounds, 2, m.measure, new(strings.Builder)); !errors.Is(err, guard.ErrOver) {
		t.Errorf("got %v", err)
	}
	want := []string{"mock/100 message/100B/100 idle/plain", "mock/100 message/100B/100", "message/100B/100 mock/100", "message/100B/100 mock/100"}
	for i, cases := range m.asked {
		if got := strings.Join(cases, " "); i >= len(want) || got != want[i] {
			t.Errorf("round %d measured %s", i, got)
		}
	}
}

// A figure that is not there is no figure within its bound.
func TestCheckWithoutFigures(t *testing.T) {
	broken := errors.New("no port is free")
	for name, measure := range map[string]guard.Measure{
		"the bench fails": func(context.Context, []string) (*result.Report, error) { return nil, broken },
		"the server is faulty": func(context.Context, []string) (*result.Report, error) {
			return &result.Report{Rows: []result.Row{{Case: "mock/100", Server: "cleat", Fault: broken.Error()}}}, nil
		},
		"no echo":   (&machine{mock: []float64{15}, message: []float64{30}, bytes: []float64{600}}).measure,
		"echo of 0": (&machine{echo: []float64{0}, mock: []float64{15}, message: []float64{30}, bytes: []float64{600}}).measure,
	} {
		err := guard.Check(t.Context(), bounds, 1, measure, new(strings.Builder))
		if err == nil || errors.Is(err, guard.ErrOver) {
			t.Errorf("%s: got %v", name, err)
		}
		if strings.HasPrefix(name, "the") && !strings.Contains(err.Error(), broken.Error()) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// TestBounds: each is of a case that the bench has, leaves room for noise, and is not so wide that half as much again passes.
func TestBounds(t *testing.T) {
	for _, b := range guard.Bounds() {
		for _, name := range []string{b.Case, b.Floor} {
			at := strings.LastIndexByte(name, '/')
			if name != "" && !slices.Contains(run.Names(), name[:max(0, at)]) {
				t.Errorf("%s: the bench has no case %s", b.Of, name)
			}
		}
		if b.Floor != "" && (b.Most < 1.15*b.Usual || b.Most > 1.5*b.Usual) {
			t.Errorf("%s: usually %v, at most %v", b.Of, b.Usual, b.Most)
		}
	}
}
