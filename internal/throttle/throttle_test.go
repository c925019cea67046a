package throttle_test

import (
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"cleat/internal/throttle"
)

// taken is how many tokens a bucket gives at one moment.
func taken(b *throttle.Bucket, at time.Time, most int) int {
	n := 0
	for n < most && b.Allow(at) {
		n++
	}
	return n
}

// Token buckets refill by their rate and hold their burst (spec data-plane §7).
func TestBucket(t *testing.T) {
	for name, tc := range map[string]struct {
		rate  float64
		burst int
		waits []time.Duration // one after the other
		want  []int           // tokens given at the start and after each wait
	}{
		"the account's":            {10_000, 5000, []time.Duration{time.Millisecond, time.Second}, []int{5000, 10, 5000}},
		"new connections":          {500, 250, []time.Duration{10 * time.Millisecond}, []int{250, 5}},
		"slower than a second":     {0.5, 1, []time.Duration{time.Second, time.Second, 4 * time.Second}, []int{1, 0, 1, 1}},
		"three a second":           {3, 2, []time.Duration{time.Second/3 - 1, 1, time.Second}, []int{2, 0, 1, 2}},
		"no burst: a second's":     {2.5, 0, []time.Duration{time.Hour}, []int{3, 3}},
		"no burst, hardly a rate":  {0.001, 0, []time.Duration{999 * time.Second, time.Second}, []int{1, 0, 1}},
		"a burst beyond all years": {1e-9, math.MaxInt, nil, []int{1}},
		"a rate beyond all clocks": {1e12, 7, []time.Duration{time.Nanosecond}, []int{7, 1}},
	} {
		t.Run(name, func(t *testing.T) {
			b := throttle.New(tc.rate, tc.burst)
			at := time.Now()
			for i, want := range tc.want {
				if i > 0 {
					at = at.Add(tc.waits[i-1])
				}
				most := 6000
				if tc.burst == math.MaxInt {
					most = 1
				}
				if got := taken(b, at, most); got != want {
					t.Errorf("step %d: %d tokens, want %d", i, got, want)
				}
			}
		})
	}
}

func TestNoRateNeverRefuses(t *testing.T) {
	for _, rate := range []float64{0, -1, math.NaN()} {
		b := throttle.New(rate, 5)
		if b != nil {
			t.Fatalf("a rate of %v made a bucket", rate)
		}
		if n := taken(b, time.Now(), 100); n != 100 {
			t.Errorf("refused after %d", n)
		}
	}
}

func TestIs(t *testing.T) {
	b := throttle.New(2, 0)
	var none *throttle.Bucket
	for name, c := range map[string]struct{ got, want bool }{
		"same":        {b.Is(2, 0), true},
		"other rate":  {b.Is(3, 0), false},
		"other burst": {b.Is(2, 2), false},
		"none, none":  {none.Is(0, 0), true},
		"none, some":  {none.Is(1, 0), false},
	} {
		if c.got != c.want {
			t.Errorf("%s: %v", name, c.got)
		}
	}
}

// Whatever comes when, a bucket gives no more than burst + rate × time, and none of what is due is lost.
func TestNeverMoreThanItsRate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rate := rapid.Float64Range(0.1, 2000).Draw(t, "rate")
		burst := rapid.IntRange(1, 300).Draw(t, "burst")
		b := throttle.New(rate, burst)
		start := time.Now()
		at, given, model, last := start, 0, float64(burst), start
		for _, ms := range rapid.SliceOfN(rapid.IntRange(0, 400), 1, 200).Draw(t, "gaps") {
			at = at.Add(time.Duration(ms) * time.Millisecond)
			model = min(float64(burst), model+at.Sub(last).Seconds()*rate)
			last = at
			got := b.Allow(at)
			switch {
			case got && model < 1-1e-6:
				t.Fatalf("a token at %v where %v are left", at.Sub(start), model)
			case !got && model > 1+1e-6:
				t.Fatalf("no token at %v where %v are left", at.Sub(start), model)
			}
			if got {
				given++
				model--
			}
		}
		if most := float64(burst) + at.Sub(start).Seconds()*rate + 1e-3; float64(given) > most {
			t.Fatalf("gave %d, at most %v are due", given, most)
		}
	})
}

// Many at once get exactly the burst. Run with -race.
func TestConcurrent(t *testing.T) {
	const burst = 1000
	b := throttle.New(1, burst)
	now := time.Now()
	var given atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range burst {
				if b.Allow(now) {
					given.Add(1)
				}
			}
		})
	}
	all.Wait()
	if given.Load() != burst {
		t.Errorf("gave %d tokens at one moment, want %d", given.Load(), burst)
	}
}

func TestAllowDoesNotAllocate(t *testing.T) {
	b := throttle.New(10_000, 5000)
	if n := testing.AllocsPerRun(100, func() { b.Allow(time.Now()) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkAllow(b *testing.B) {
	bucket := throttle.New(1e9, 1<<30)
	now := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(1)
		bucket.Allow(now)
	}
}

func BenchmarkAllowParallel(b *testing.B) {
	bucket := throttle.New(1e9, 1<<30)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		now := time.Now()
		for pb.Next() {
			now = now.Add(1)
			bucket.Allow(now)
		}
	})
}
