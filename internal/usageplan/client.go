package usageplan

import (
	"fmt"
	"math"
	"strings"
	"sync/atomic"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/throttle"
)

// Client is an API key on one stage. It lasts as long as anybody holds it; its methods are safe for concurrent use.
type Client struct {
	keyID string
	terms atomic.Pointer[terms] // never nil
}

// terms are what a client may ask for. They are immutable and read once per request.
type terms struct {
	key    string // as logs name it
	usage  *usage
	routes map[string]*throttle.Bucket // instead of the plan's, by route key
}

// usage is what a key uses of a plan, on all its stages together.
type usage struct {
	bucket *throttle.Bucket // nil: no throttle
	quota  *quota           // nil: none
}

// usageOf returns the usage of a key under a plan, with what it has used before where the plan's settings are the same.
func usageOf(plan *apigw.UsagePlan, before *usage) *usage {
	u := &usage{}
	if before == nil {
		before = &usage{}
	}
	if plan.Throttle != nil {
		u.bucket = bucket(before.bucket, *plan.Throttle)
	}
	if plan.Quota != nil {
		u.quota = newQuota(*plan.Quota, before.quota)
	}
	return u
}

// KeyID is the ID of the API key.
func (c *Client) KeyID() string { return c.keyID }

// Take counts one request. It fails with an *apigw.Error of KindLimitExceeded when the quota is used up, else of
// KindTooManyRequests when the route, or the plan where the route has no throttle of its own, is asked too often; what is
// refused counts against no quota. A nil Client takes nothing.
func (c *Client) Take(routeKey string, now time.Time) error {
	if c == nil {
		return nil
	}
	t := c.terms.Load()
	q, b := t.usage.quota, t.usage.bucket
	var current uint64
	if q != nil {
		if current = period(q.settings, now); !q.left(current) {
			return t.exceeded()
		}
	}
	if own, ok := t.routes[routeKey]; ok {
		b = own
	}
	if !b.Allow(now) {
		return &apigw.Error{Kind: apigw.KindTooManyRequests, Err: fmt.Errorf("the usage plan of API key %s allows no more at a time on route %s", t.key, routeKey)}
	}
	if q != nil && !q.take(current) { // others took the rest meanwhile
		return t.exceeded()
	}
	return nil
}

func (t *terms) exceeded() error {
	q := t.usage.quota
	return &apigw.Error{Kind: apigw.KindLimitExceeded, Err: fmt.Errorf("API key %s has used up its quota of %d requests a %s", t.key, q.settings.Limit, strings.ToLower(string(q.settings.Period)))}
}

// quota is how much a key may ask for in a period, and how much it has.
type quota struct {
	settings apigw.QuotaSettings
	limit    uint64
	// used has the number of the period in the upper half and the requests in it in the lower one. Quotas of the same
	// periods share it, so that who changes a limit gives nobody a fresh start.
	used *atomic.Uint64
}

func newQuota(s apigw.QuotaSettings, before *quota) *quota {
	q := &quota{settings: s, limit: uint64(min(max(s.Limit, 0), math.MaxInt32)), used: new(atomic.Uint64)}
	if before != nil && before.settings.Period == s.Period && before.settings.Offset == s.Offset {
		q.used = before.used
	}
	return q
}

const half = 32

// left reports whether something is left in the period.
func (q *quota) left(current uint64) bool { return counted(q.used.Load(), current) < q.limit }

// take counts a request, unless the quota is used up.
func (q *quota) take(current uint64) bool {
	for {
		have := q.used.Load()
		count := counted(have, current)
		if count >= q.limit {
			return false
		}
		// A clock that was put back does not open a period that is over.
		if q.used.CompareAndSwap(have, max(have>>half, current)<<half|(count+1)) {
			return true
		}
	}
}

// counted is how many requests of used count in the period.
func counted(used, current uint64) uint64 {
	if used>>half < current {
		return 0
	}
	return used & (1<<half - 1)
}

// period numbers the period in which now lies, by UTC. Numbers grow with time.
func period(s apigw.QuotaSettings, now time.Time) uint64 {
	now = now.UTC().AddDate(0, 0, -s.Offset)
	days := uint64(max(now.Unix(), 0)) / (24 * 60 * 60)
	switch s.Period {
	case apigw.QuotaWeek:
		return (days + 4) / 7 // the first of January 1970 was a Thursday
	case apigw.QuotaMonth:
		return uint64(now.Year())*12 + uint64(now.Month()) //nolint:gosec // G115: nobody lives before Christ
	case apigw.QuotaDay:
	}
	return days
}
