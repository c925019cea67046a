package authorizer_test

import (
	"fmt"
	"testing"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/authorizer"
)

// tries makes n attempts with a key, each of which fails where it is let in, and returns how many were.
func tries(f *authorizer.Failures, source, key string, known bool, n int, at time.Time) int {
	in := 0
	for range n {
		if f.Admit(source, key, at) == nil {
			f.Failed(source, key, known, at)
			in++
		}
	}
	return in
}

func TestFailures(t *testing.T) {
	start := time.Now()
	for name, test := range map[string]struct {
		before func(*authorizer.Failures)
		source string
		key    string
		wait   time.Duration
		kind   apigw.Kind // zero: let in
	}{
		"nothing has failed":            {func(*authorizer.Failures) {}, "192.0.2.1", "AKIA1", 0, 0},
		"a few have":                    {func(f *authorizer.Failures) { tries(f, "192.0.2.1", "AKIA1", true, 9, start) }, "192.0.2.1", "AKIA1", 0, 0},
		"a key at an address":           {func(f *authorizer.Failures) { tries(f, "192.0.2.1", "AKIA1", true, 10, start) }, "192.0.2.1", "AKIA1", 0, apigw.KindTooManyRequests},
		"one is forgiven after a while": {func(f *authorizer.Failures) { tries(f, "192.0.2.1", "AKIA1", true, 50, start) }, "192.0.2.1", "AKIA1", 6 * time.Second, 0},
		"and not before":                {func(f *authorizer.Failures) { tries(f, "192.0.2.1", "AKIA1", true, 50, start) }, "192.0.2.1", "AKIA1", 5 * time.Second, apigw.KindTooManyRequests},
		"another key there":             {func(f *authorizer.Failures) { tries(f, "192.0.2.1", "AKIA1", true, 50, start) }, "192.0.2.1", "AKIA2", 0, 0},
		"the key elsewhere":             {func(f *authorizer.Failures) { tries(f, "192.0.2.1", "AKIA1", true, 50, start) }, "192.0.2.2", "AKIA1", 0, 0},
		"unknown keys at an address":    {func(f *authorizer.Failures) { tries(f, "192.0.2.1", "AKIAX", false, 20, start) }, "192.0.2.1", "AKIA1", 0, apigw.KindTooManyRequests},
		"its neighbours":                {func(f *authorizer.Failures) { tries(f, "192.0.2.1", "AKIAX", false, 50, start) }, "192.0.2.2", "AKIAX", 0, 0},
		"a key that has proven right": {func(f *authorizer.Failures) {
			f.Succeeded("192.0.2.1", "AKIA1", start)
			tries(f, "192.0.2.1", "AKIAX", false, 50, start)
		}, "192.0.2.1", "AKIA1", 0, 0},
		"and is guessed at all the same": {func(f *authorizer.Failures) {
			f.Succeeded("192.0.2.1", "AKIA1", start)
			tries(f, "192.0.2.1", "AKIA1", true, 50, start)
		}, "192.0.2.1", "AKIA1", 0, apigw.KindTooManyRequests},
		"proven long ago": {func(f *authorizer.Failures) {
			f.Succeeded("192.0.2.1", "AKIA1", start.Add(-time.Hour))
			tries(f, "192.0.2.1", "AKIAX", false, 50, start)
		}, "192.0.2.1", "AKIA1", 0, apigw.KindTooManyRequests},
		"one network of IPv6":           {func(f *authorizer.Failures) { tries(f, "2001:db8::1", "AKIAX", false, 50, start) }, "2001:db8::2", "AKIAX", 0, apigw.KindTooManyRequests},
		"two networks of IPv6":          {func(f *authorizer.Failures) { tries(f, "2001:db8::1", "AKIAX", false, 50, start) }, "2001:db8:0:1::1", "AKIAX", 0, 0},
		"IPv4 as IPv6":                  {func(f *authorizer.Failures) { tries(f, "192.0.2.1", "AKIAX", false, 50, start) }, "::ffff:192.0.2.1", "AKIAX", 0, apigw.KindTooManyRequests},
		"a Unix socket":                 {func(f *authorizer.Failures) { tries(f, "", "AKIAX", false, 50, start) }, "", "AKIAX", 0, apigw.KindTooManyRequests},
		"many addresses, a fresh one":   {fromEverywhere(start), "203.0.113.1", "AKIA1", 0, 0},
		"many addresses, one that was":  {fromEverywhere(start), "10.0.0.1", "AKIA1", 0, apigw.KindTooManyRequests},
		"many addresses, another's key": {fromEverywhere(start), "10.0.0.1", "AKIA2", 0, 0},
	} {
		f := &authorizer.Failures{}
		test.before(f)
		err := f.Admit(test.source, test.key, start.Add(test.wait))
		if (err == nil) != (test.kind == 0) || err != nil && apigw.KindOf(err) != test.kind {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// fromEverywhere are guesses at one key from many addresses.
func fromEverywhere(at time.Time) func(*authorizer.Failures) {
	return func(f *authorizer.Failures) {
		for n := range 200 {
			tries(f, fmt.Sprintf("10.0.0.%d", n), "AKIA1", true, 1, at)
		}
	}
}

// However many addresses fail, memory stays bounded, and those that fail now are remembered.
func TestFailuresAreBounded(t *testing.T) {
	f := &authorizer.Failures{}
	start := time.Now()
	for n := range 100_000 {
		source := fmt.Sprintf("10.%d.%d.%d", n>>16, n>>8&255, n&255)
		f.Failed(source, "", false, start)
		if n%100 == 0 {
			f.Failed("192.0.2.1", "", false, start)
		}
	}
	if young, old := f.Sizes(); young > 8192 || old > 8192 {
		t.Errorf("remembers %d and %d", young, old)
	}
	if f.Admit("192.0.2.1", "AKIA1", start) == nil {
		t.Error("who fails all the time was forgotten")
	}
	if failed, refused := f.Counts(); failed != 101_000 || refused != 1 {
		t.Errorf("counted %d failures, %d refusals", failed, refused)
	}
}

func TestNilFailures(t *testing.T) {
	var f *authorizer.Failures
	if tries(f, "192.0.2.1", "AKIA1", true, 1000, time.Now()) != 1000 {
		t.Error("a nil Failures refuses")
	}
}

func BenchmarkFailuresPass(b *testing.B) {
	f := &authorizer.Failures{}
	now := time.Now()
	tries(f, "192.0.2.9", "AKIAX", false, 50, now)
	b.ReportAllocs()
	for b.Loop() {
		if f.Admit("192.0.2.1", "AKIA1", now) != nil {
			b.Fatal("refused")
		}
		f.Succeeded("192.0.2.1", "AKIA1", now)
	}
}
