package gateway

import (
	"fmt"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/awsapi"
	"cleat/internal/throttle"
)

// This file is who may go on when many come at once (spec data-plane §7). Each request passes several buckets, the
// narrowest first, as AWS orders them: who is stopped by a limit of their own takes nothing from everybody's. A
// $disconnect passes none.

// rates are this node's buckets, which stand for those of an account and region. They are immutable, but for the tokens.
type rates struct {
	limits             apigw.Limits // that they were made of
	connects, requests *throttle.Bucket
	// awsConnects and awsRequests are of AWS's size, where ours are wider. They refuse nobody: see exceed.
	awsConnects, awsRequests *throttle.Bucket
}

// newRates makes the buckets of some limits. Those that stay the same are taken over from before, which may be nil.
func newRates(l apigw.Limits, before *rates) *rates {
	if before == nil {
		before = &rates{}
	}
	r := &rates{
		limits:   l,
		connects: keep(before.connects, float64(l.ConnectRate), l.ConnectBurst()),
		requests: keep(before.requests, float64(l.RequestRate), l.RequestBurst),
	}
	if l.ConnectRate <= 0 || l.ConnectRate > apigw.QuotaConnectRate {
		r.awsConnects = keep(before.awsConnects, apigw.QuotaConnectRate, apigw.QuotaConnectBurst)
	}
	if l.RequestRate <= 0 || l.RequestRate > apigw.QuotaRequestRate || l.RequestBurst > apigw.QuotaRequestBurst {
		r.awsRequests = keep(before.awsRequests, apigw.QuotaRequestRate, apigw.QuotaRequestBurst)
	}
	return r
}

// keep returns a bucket of that size: the one from before, with what is left in it, if it was made of the same.
func keep(before *throttle.Bucket, rate float64, burst int) *throttle.Bucket {
	if before.Is(rate, burst) {
		return before
	}
	return throttle.New(rate, burst)
}

// takeConnect counts a new connection against the throttle of $connect, whose plan may be nil, and the node's limits.
// Who the client is plays no part: it is not known yet (spec data-plane §2 step 8).
func (g *Gateway) takeConnect(p *plan, now time.Time) error {
	if err := p.take(now); err != nil {
		return err
	}
	r := g.rates.Load()
	if !r.connects.Allow(now) {
		return tooMany("this node lets in %d new connections a second (limits.connectRate)", r.limits.ConnectRate)
	}
	if !r.awsConnects.Allow(now) {
		g.exceed(apigw.ExcessConnectRate)
	}
	return g.takeRequest(now)
}

// takeRequest counts a connect, a message or a management request against the node's limits.
func (g *Gateway) takeRequest(now time.Time) error {
	r := g.rates.Load()
	if !r.requests.Allow(now) {
		return tooMany("this node takes %d requests a second (limits.requestRate)", r.limits.RequestRate)
	}
	if !r.awsRequests.Allow(now) {
		g.exceed(apigw.ExcessRequestRate)
	}
	return nil
}

// asManagement gives a refusal of the throttles the form that it has on the management API (spec management-api §4).
func asManagement(err error) error {
	return &apigw.Error{Kind: apigw.KindLimitExceeded, Message: awsapi.Message(err), Err: err}
}

func tooMany(format string, args ...any) error {
	return &apigw.Error{Kind: apigw.KindTooManyRequests, Err: fmt.Errorf(format, args...)}
}

// take counts an event against the stage's throttle of its route; a nil plan has none.
func (p *plan) take(now time.Time) error {
	if p == nil || p.throttle.Allow(now) {
		return nil
	}
	return tooMany("the stage's settings throttle route %s", p.route.RouteKey)
}

// admitMessage counts a message against its client's usage plan, its route's throttle and the node's limits (spec
// data-plane §4.3 step 4).
func (g *Gateway) admitMessage(s *session, p *plan, now time.Time) error {
	if s.grant != nil {
		if err := s.grant.client.Take(p.route.RouteKey, now); err != nil {
			return err
		}
	}
	if err := p.take(now); err != nil {
		return err
	}
	return g.takeRequest(now)
}

// setThrottles gives the snapshot's plans the buckets of their stage's settings. Those that stay the same are taken over
// from the snapshot before, which may be nil: a new deployment gives nobody a fresh burst.
func (s *snapshot) setThrottles(stage *apigw.Stage, routes []apigw.Route, before *snapshot) {
	for i := range routes {
		key := routes[i].RouteKey
		p, ok := s.table.Lookup(key)
		if !ok {
			continue // the table does not serve it
		}
		var old *throttle.Bucket
		if before != nil {
			if p, ok := before.table.Lookup(key); ok {
				old = p.throttle
			}
		}
		rate, burst := throttleOf(stage, key).Rates()
		p.throttle = keep(old, rate, burst)
	}
}

// throttleOf is what a stage's settings say about a route: its own throttle, or else the default one. Each route has a
// bucket to itself either way; none of either leaves the node's limits alone.
func throttleOf(stage *apigw.Stage, routeKey string) apigw.ThrottleSettings {
	if own := stage.RouteSettings[routeKey].Throttle(); own != (apigw.ThrottleSettings{}) {
		return own
	}
	if stage.DefaultRouteSettings == nil {
		return apigw.ThrottleSettings{}
	}
	return stage.DefaultRouteSettings.Throttle()
}
