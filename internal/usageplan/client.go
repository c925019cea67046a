package usageplan

import (
	"fmt"
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

// usage is what a key may use of a plan, on all its stages together, and what it has.
type usage struct {
	account *account
	bucket  *throttle.Bucket     // nil: no throttle
	quota   *apigw.QuotaSettings // nil: none
}

// usageOf returns the usage of a key under a plan. The throttle goes on from before where its settings are the same.
func usageOf(plan *apigw.UsagePlan, a *account, before *usage) *usage {
	u := &usage{account: a, quota: plan.Quota}
	if plan.Throttle != nil {
		var b *throttle.Bucket
		if before != nil {
			b = before.bucket
		}
		u.bucket = bucket(b, *plan.Throttle)
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
	b := t.usage.bucket
	if own, ok := t.routes[routeKey]; ok {
		b = own
	}
	switch t.usage.account.take(t.usage.quota, b, now) {
	case usedUp:
		q := t.usage.quota
		return &apigw.Error{Kind: apigw.KindLimitExceeded, Err: fmt.Errorf("API key %s has used up its quota of %d requests a %s", t.key, q.Limit, strings.ToLower(string(q.Period)))}
	case tooFast:
		return &apigw.Error{Kind: apigw.KindTooManyRequests, Err: fmt.Errorf("the usage plan of API key %s allows no more at a time on route %s", t.key, routeKey)}
	case letIn:
	}
	return nil
}
