package usageplan_test

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/usageplan"
)

const (
	api   = apigw.APIID("a1b2c3d4e5")
	gold  = "gold-key-0123456789ab"
	iron  = "iron-key-0123456789ab"
	stale = "stale-key-0123456789a"
	loose = "loose-key-0123456789a"
)

// definitions are what control keeps: a plan with the keys gold and iron, a key that is off, and a key in no plan.
type definitions struct {
	keys     []apigw.APIKey
	plans    []apigw.UsagePlan
	planKeys []apigw.UsagePlanKey
}

func define(plan apigw.UsagePlan) definitions {
	plan.ID = "plan1"
	plan.APIStages = append([]apigw.UsagePlanStage{{APIID: api, Stage: "prod"}, {APIID: api, Stage: "beta"}}, plan.APIStages...)
	return definitions{
		keys: []apigw.APIKey{
			{ID: "gold", Value: gold, Enabled: true},
			{ID: "iron", Value: iron, Enabled: true},
			{ID: "loose", Value: loose, Enabled: true},
			{ID: "stale", Value: stale},
		},
		plans: []apigw.UsagePlan{plan},
		planKeys: []apigw.UsagePlanKey{
			{ID: "gold", UsagePlanID: "plan1"},
			{ID: "iron", UsagePlanID: "plan1"},
			{ID: "stale", UsagePlanID: "plan1"},
			{ID: "gone", UsagePlanID: "plan1"},
			{ID: "loose", UsagePlanID: "gone"},
		},
	}
}

func (d definitions) swapInto(x *usageplan.Index) { x.Swap(d.keys, d.plans, d.planKeys) }

func newIndex(plan apigw.UsagePlan) *usageplan.Index {
	var x usageplan.Index
	define(plan).swapInto(&x)
	return &x
}

// noon is a Wednesday, in a month of 31 days.
var noon = time.Date(2024, 7, 10, 12, 0, 0, 0, time.UTC)

const (
	allowed   = apigw.Kind(-1)
	forbidden = apigw.KindInvalidAPIKey
	limit     = apigw.KindLimitExceeded
	throttled = apigw.KindTooManyRequests
)

func kind(err error) apigw.Kind {
	if err == nil {
		return allowed
	}
	return apigw.KindOf(err)
}

// Who gets in (spec control-plane §14, data-plane §2 table).
func TestCheck(t *testing.T) {
	x := newIndex(apigw.UsagePlan{})
	var none usageplan.Index
	for name, tc := range map[string]struct {
		index *usageplan.Index
		value string
		api   apigw.APIID
		stage string
		want  apigw.Kind
	}{
		"a key of the plan":       {x, gold, api, "prod", allowed},
		"on another of its stage": {x, gold, api, "beta", allowed},
		"no key":                  {x, "", api, "prod", forbidden},
		"unknown":                 {x, "nobody-has-this-key-0", api, "prod", forbidden},
		"not enabled":             {x, stale, api, "prod", forbidden},
		"in no plan":              {x, loose, api, "prod", forbidden},
		"a stage of no plan":      {x, gold, api, "test", forbidden},
		"another API":             {x, gold, "zzzzzzzzzz", "prod", forbidden},
		"an empty index":          {&none, gold, api, "prod", forbidden},
	} {
		c, err := tc.index.Check(tc.value, tc.api, tc.stage, "$connect", noon)
		if kind(err) != tc.want {
			t.Errorf("%s: got %v, want kind %d", name, err, tc.want)
		}
		if err == nil && c.KeyID() != "gold" {
			t.Errorf("%s: key %q", name, c.KeyID())
		}
		if err != nil && tc.value != "" && strings.Contains(err.Error(), tc.value) {
			t.Errorf("%s: the error shows the key: %v", name, err)
		}
	}
}

// A plan's throttle is each key's own, over all its stages; a route may have another (spec control-plane §14).
func TestThrottle(t *testing.T) {
	x := newIndex(apigw.UsagePlan{
		Throttle: &apigw.ThrottleSettings{RateLimit: 1, BurstLimit: 2},
		APIStages: []apigw.UsagePlanStage{{APIID: api, Stage: "special", Throttle: map[string]apigw.ThrottleSettings{
			"slow": {RateLimit: 1, BurstLimit: 1}, "free": {},
		}}},
	})
	now := time.Now()
	for i, step := range []struct {
		value, stage, route string
		after               time.Duration
		want                apigw.Kind
	}{
		{gold, "prod", "$connect", 0, allowed},
		{gold, "beta", "$connect", 0, allowed},
		{gold, "prod", "$connect", 0, throttled},
		{iron, "prod", "$connect", 0, allowed},
		{gold, "special", "slow", 0, allowed},
		{gold, "special", "slow", 0, throttled},
		{gold, "special", "free", 0, allowed},
		{gold, "special", "other", 0, throttled},
		{gold, "prod", "$connect", time.Second, allowed},
		{gold, "prod", "$connect", 0, throttled},
	} {
		now = now.Add(step.after)
		if _, err := x.Check(step.value, api, step.stage, step.route, now); kind(err) != step.want {
			t.Errorf("step %d: got %v, want kind %d", i, err, step.want)
		}
	}
}

// A quota begins anew with its period, in UTC (spec control-plane §14).
func TestQuotaPeriods(t *testing.T) {
	at := func(s string) time.Time {
		v, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for name, tc := range map[string]struct {
		settings apigw.QuotaSettings
		from     string
		same     []string // in the period of from
		next     []string // in later ones, each in its own
	}{
		"day": {
			apigw.QuotaSettings{Period: apigw.QuotaDay},
			"2024-07-10T00:00:00Z",
			[]string{"2024-07-10T23:59:59Z", "2024-07-11T01:59:59+02:00"},
			[]string{"2024-07-11T00:00:00Z", "2024-07-12T00:00:00Z"},
		},
		"week": {
			apigw.QuotaSettings{Period: apigw.QuotaWeek}, "2024-07-07T00:00:00Z", // a Sunday
			[]string{"2024-07-13T23:59:59Z"}, []string{"2024-07-14T00:00:00Z", "2024-07-21T00:00:00Z"},
		},
		"week from Monday": {
			apigw.QuotaSettings{Period: apigw.QuotaWeek, Offset: 1},
			"2024-07-08T00:00:00Z",
			[]string{"2024-07-14T23:59:59Z"},
			[]string{"2024-07-15T00:00:00Z"},
		},
		"month": {
			apigw.QuotaSettings{Period: apigw.QuotaMonth},
			"2024-02-01T00:00:00Z",
			[]string{"2024-02-29T23:59:59Z"},
			[]string{"2024-03-01T00:00:00Z", "2024-12-01T00:00:00Z", "2025-01-01T00:00:00Z"},
		},
		"month from the 28th": {
			apigw.QuotaSettings{Period: apigw.QuotaMonth, Offset: 27},
			"2024-02-28T00:00:00Z",
			[]string{"2024-03-27T23:59:59Z"},
			[]string{"2024-03-28T00:00:00Z"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			tc.settings.Limit = 1 + len(tc.same)
			x := newIndex(apigw.UsagePlan{Quota: &tc.settings})
			check := func(when string, want apigw.Kind) {
				t.Helper()
				if _, err := x.Check(gold, api, "prod", "$connect", at(when)); kind(err) != want {
					t.Errorf("%s: got %v, want kind %d", when, err, want)
				}
			}
			check(tc.from, allowed)
			for _, when := range tc.same {
				check(when, allowed)
			}
			check(tc.from, limit)
			check(tc.same[0], limit)
			for _, when := range tc.next {
				for range tc.settings.Limit {
					check(when, allowed)
				}
				check(when, limit)
			}
			check(tc.from, limit) // the clock was put back
		})
	}
}

// What a throttle refuses is no part of the quota; a used-up quota is told before a throttle.
func TestQuotaAndThrottle(t *testing.T) {
	x := newIndex(apigw.UsagePlan{
		Throttle: &apigw.ThrottleSettings{RateLimit: 1, BurstLimit: 1}, Quota: &apigw.QuotaSettings{Limit: 2, Period: apigw.QuotaDay},
	})
	now := noon
	for i, step := range []struct {
		after time.Duration
		want  apigw.Kind
	}{{0, allowed}, {0, throttled}, {0, throttled}, {time.Second, allowed}, {0, limit}, {time.Second, limit}, {24 * time.Hour, allowed}} {
		now = now.Add(step.after)
		if _, err := x.Check(gold, api, "prod", "$connect", now); kind(err) != step.want {
			t.Errorf("step %d: got %v, want kind %d", i, err, step.want)
		}
	}
}

// What is used stays used through a Swap that leaves the settings alone, and clients follow the settings of now.
func TestSwapKeepsCounters(t *testing.T) {
	plan := func(limit int, rate float64) apigw.UsagePlan {
		return apigw.UsagePlan{
			Quota: &apigw.QuotaSettings{Limit: limit, Period: apigw.QuotaDay},
			APIStages: []apigw.UsagePlanStage{{APIID: api, Stage: "routes", Throttle: map[string]apigw.ThrottleSettings{
				"say": {RateLimit: rate, BurstLimit: 1},
			}}},
		}
	}
	x := newIndex(plan(3, 1))
	c, err := x.Check(gold, api, "routes", "say", noon)
	if err != nil {
		t.Fatal(err)
	}
	define(plan(3, 1)).swapInto(x)
	if err := c.Take("say", noon); kind(err) != throttled {
		t.Errorf("after a swap that changes nothing: got %v, want the bucket still empty", err)
	}
	define(plan(2, 5)).swapInto(x)
	if err := c.Take("say", noon); err != nil {
		t.Errorf("another throttle is another bucket: got %v", err)
	}
	if _, err := x.Check(gold, api, "prod", "$connect", noon); kind(err) != limit {
		t.Errorf("two of two are used: got %v", err)
	}
	define(plan(3, 5)).swapInto(x)
	if err := c.Take("other", noon); err != nil {
		t.Errorf("one more since the limit was raised: got %v", err)
	}
	if err := c.Take("other", noon); kind(err) != limit {
		t.Errorf("three of three are used: got %v", err)
	}
	changed := plan(3, 5)
	changed.Quota.Period = apigw.QuotaWeek
	define(changed).swapInto(x)
	if err := c.Take("other", noon); kind(err) != limit {
		t.Errorf("what was used today is used this week too: got %v", err)
	}
}

// An open connection keeps what it had when its key is gone or turned off (spec data-plane §3).
func TestClientOutlivesItsKey(t *testing.T) {
	x := newIndex(apigw.UsagePlan{Quota: &apigw.QuotaSettings{Limit: 2, Period: apigw.QuotaDay}})
	c, err := x.Check(gold, api, "prod", "$connect", noon)
	if err != nil {
		t.Fatal(err)
	}
	x.Swap(nil, nil, nil)
	if _, err := x.Check(gold, api, "prod", "$connect", noon); kind(err) != forbidden {
		t.Errorf("the key is gone: got %v", err)
	}
	if err := c.Take("say", noon); err != nil {
		t.Errorf("an open connection: %v", err)
	}
	if err := c.Take("say", noon); kind(err) != limit {
		t.Errorf("an open connection past its quota: %v", err)
	}
}

// Of two plans of a key for one stage the first counts, and of two keys with one value the first.
func TestFirstCounts(t *testing.T) {
	d := define(apigw.UsagePlan{})
	second := apigw.UsagePlan{ID: "plan2", APIStages: d.plans[0].APIStages, Quota: &apigw.QuotaSettings{Limit: 0, Period: apigw.QuotaDay}}
	d.plans = append(d.plans, second)
	d.planKeys = append(d.planKeys, apigw.UsagePlanKey{ID: "gold", UsagePlanID: "plan2"})
	d.keys = append(d.keys, apigw.APIKey{ID: "zinc", Value: gold})
	var x usageplan.Index
	d.swapInto(&x)
	if c, err := x.Check(gold, api, "prod", "$connect", noon); err != nil || c.KeyID() != "gold" {
		t.Errorf("got %v, %v", c, err)
	}
}

func TestNilClientTakesNothing(t *testing.T) {
	var c *usageplan.Client
	if err := c.Take("say", noon); err != nil {
		t.Error(err)
	}
}

// Many at once get exactly the quota, also while the index is swapped. Run with -race.
func TestConcurrent(t *testing.T) {
	const quota = 500
	plan := apigw.UsagePlan{Quota: &apigw.QuotaSettings{Limit: quota, Period: apigw.QuotaMonth}}
	x := newIndex(plan)
	var let atomic.Int64
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range quota {
				if _, err := x.Check(gold, api, "prod", "$connect", noon); err == nil {
					let.Add(1)
				}
			}
		})
	}
	all.Go(func() {
		for range 20 {
			define(plan).swapInto(x)
		}
	})
	all.Wait()
	if let.Load() != quota {
		t.Errorf("%d were let in, want %d", let.Load(), quota)
	}
}

func TestTakeDoesNotAllocate(t *testing.T) {
	x := newIndex(generous)
	c, err := x.Check(gold, api, "prod", "$connect", noon)
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() { _ = c.Take("say", noon) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

var generous = apigw.UsagePlan{
	Throttle: &apigw.ThrottleSettings{RateLimit: 1e9, BurstLimit: 1 << 30}, Quota: &apigw.QuotaSettings{Limit: 1<<31 - 1, Period: apigw.QuotaMonth},
}

func BenchmarkCheck(b *testing.B) {
	x := newIndex(generous)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := x.Check(gold, api, "prod", "$connect", noon); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkTake(b *testing.B) {
	x := newIndex(generous)
	c, err := x.Check(gold, api, "prod", "$connect", noon)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := c.Take("say", noon); err != nil {
			b.Fatal(err)
		}
	}
}
