package stats_test

import (
	"slices"
	"testing"

	"cleat/bench/stats"
)

func TestOf(t *testing.T) {
	for name, c := range map[string]struct {
		in   []float64
		want stats.Spread
	}{
		"none":  {nil, stats.Spread{}},
		"one":   {[]float64{3}, stats.Spread{Median: 3, Min: 3, Max: 3, N: 1}},
		"odd":   {[]float64{9, 1, 2}, stats.Spread{Median: 2, Min: 1, Max: 9, N: 3}},
		"even":  {[]float64{4, 1, 2, 9}, stats.Spread{Median: 3, Min: 1, Max: 9, N: 4}},
		"below": {[]float64{-1, -3}, stats.Spread{Median: -2, Min: -3, Max: -1, N: 2}},
	} {
		t.Run(name, func(t *testing.T) {
			in := slices.Clone(c.in)
			if got := stats.Of(in); got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
			if !slices.Equal(in, c.in) {
				t.Errorf("the values were changed: %v", in)
			}
		})
	}
}
