// Package usageplan knows what an API key is good for: which stages its usage plans open, and how much it may ask of
// them (spec control-plane §14, data-plane §7). Package gateway asks it once at $connect and then for each message; it
// learns what there is from store.Serving.
//
// What a key has used is counted day by day for each plan, in this process's memory; a Keeper lets it outlive the process.
package usageplan

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/throttle"
)

// Index finds API keys by their values. The zero Index has none and is ready. Its methods are safe for concurrent use.
type Index struct {
	swapping sync.Mutex // held by Swap
	table    atomic.Pointer[table]
	ledger   ledger
}

// table is all keys at one moment. It is immutable, but for the terms of its clients.
type table struct {
	byHash  map[hash]*key
	byID    map[string]*key
	members map[member]*usage
}

// hash is that of a key's value. Values are found by it, so that how long a search takes tells nothing of how much of a
// guess was right.
type hash = [sha256.Size]byte

type key struct {
	id      string
	shown   string // in logs
	enabled bool
	clients map[stage]*Client
}

type stage struct {
	api  apigw.APIID
	name string
}

// member is a key in a plan.
type member struct{ plan, key string }

var empty = &table{}

func (x *Index) load() *table {
	if t := x.table.Load(); t != nil {
		return t
	}
	return empty
}

// Swap makes the index hold exactly the given keys and plans. What a key has used of a plan stays, its throttles where
// their settings do, and clients that Check gave out before follow the new settings. Those of keys and plans that
// are gone keep what they had: open connections are not affected (spec data-plane §3). A value that two keys have is the
// first's, and of two plans of a key for one stage the first counts; control refuses both.
func (x *Index) Swap(keys []apigw.APIKey, plans []apigw.UsagePlan, planKeys []apigw.UsagePlanKey) {
	x.swapping.Lock()
	defer x.swapping.Unlock()
	old := x.load()
	next := &table{byHash: map[hash]*key{}, byID: map[string]*key{}, members: map[member]*usage{}}
	for i := range keys {
		k := &keys[i]
		made := &key{id: k.ID, shown: shown(k), enabled: k.Enabled, clients: map[stage]*Client{}}
		next.byID[k.ID] = made
		if h := sha256.Sum256([]byte(k.Value)); next.byHash[h] == nil {
			next.byHash[h] = made
		}
	}
	byID := map[string]*apigw.UsagePlan{}
	for i := range plans {
		byID[plans[i].ID] = &plans[i]
	}
	for _, pk := range planKeys {
		plan, k := byID[pk.UsagePlanID], next.byID[pk.ID]
		if plan == nil || k == nil {
			continue // one of the two was deleted, which takes the key out of the plan
		}
		m := member{plan.ID, k.id}
		u := usageOf(plan, x.ledger.of(m), old.members[m])
		next.members[m] = u
		for i := range plan.APIStages {
			s := &plan.APIStages[i]
			at := stage{s.APIID, s.Stage}
			if k.clients[at] == nil {
				k.clients[at] = clientOf(old.byID[k.id], k, at, u, s.Throttle)
			}
		}
	}
	x.table.Store(next)
	x.ledger.prune(next.members)
}

// clientOf returns the client of a key on a stage, the one from before if there was one, under the terms of now.
func clientOf(before, now *key, at stage, u *usage, routes map[string]apigw.ThrottleSettings) *Client {
	var c *Client
	if before != nil {
		c = before.clients[at]
	}
	if c == nil {
		c = &Client{keyID: now.id}
	}
	had := c.terms.Load()
	t := &terms{key: now.shown, usage: u}
	for routeKey, settings := range routes {
		if t.routes == nil {
			t.routes = map[string]*throttle.Bucket{}
		}
		var b *throttle.Bucket
		if had != nil {
			b = had.routes[routeKey]
		}
		t.routes[routeKey] = bucket(b, settings)
	}
	c.terms.Store(t)
	return c
}

// shown is how logs name a key: never by its value.
func shown(k *apigw.APIKey) string {
	if k.Name == "" {
		return k.ID
	}
	return k.Name + " (" + k.ID + ")"
}

// bucket returns a bucket of these settings: the one from before if it was made of the same.
func bucket(before *throttle.Bucket, s apigw.ThrottleSettings) *throttle.Bucket {
	rate, burst := s.Rates()
	if before.Is(rate, burst) {
		return before
	}
	return throttle.New(rate, burst)
}

// Check lets in who shows an enabled key of a plan that opens the stage, counts the request as one of the route, and
// returns the client on whose account later requests go. It fails with an *apigw.Error of KindInvalidAPIKey, KindLimitExceeded
// or KindTooManyRequests, whose text never holds the value.
func (x *Index) Check(value string, api apigw.APIID, stageName, routeKey string, now time.Time) (*Client, error) {
	if value == "" {
		return nil, &apigw.Error{Kind: apigw.KindInvalidAPIKey, Err: errors.New("the client showed no API key")}
	}
	k := x.load().byHash[sha256.Sum256([]byte(value))]
	if k == nil {
		return nil, &apigw.Error{Kind: apigw.KindInvalidAPIKey, Err: errors.New("there is no such API key")}
	}
	if !k.enabled {
		return nil, &apigw.Error{Kind: apigw.KindInvalidAPIKey, Err: fmt.Errorf("API key %s is not enabled", k.shown)}
	}
	c := k.clients[stage{api, stageName}]
	if c == nil {
		return nil, &apigw.Error{Kind: apigw.KindInvalidAPIKey, Err: fmt.Errorf("API key %s is in no usage plan for stage %s of API %s", k.shown, stageName, api)}
	}
	if err := c.Take(routeKey, now); err != nil {
		return nil, err
	}
	return c, nil
}

// Used returns what a key has used of a plan on each day from the first to the last.
func (x *Index) Used(plan *apigw.UsagePlan, key string, first, last Day) []Use {
	return x.ledger.known(member{plan.ID, key}).read(plan.Quota, first, last)
}

// SetLeft makes that much be left of a key's quota in the period of now. The plan must have a quota.
func (x *Index) SetLeft(plan *apigw.UsagePlan, key string, left int64, now time.Time) {
	x.ledger.of(member{plan.ID, key}).setLeft(*plan.Quota, left, now)
}
