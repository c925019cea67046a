package control

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"cleat/internal/apigw"
	"cleat/internal/store"
)

// Bounds of spec control-plane §14.
const (
	minKeyValue    = 20
	maxKeyValue    = 128
	generatedValue = 40
	maxKeys        = 10_000
	maxPlans       = 300
	maxPlansPerKey = 10
)

// usage is the node's API keys and usage plans being changed in memory. They belong to no API, so they are no part of a
// draft. Like a draft's, the methods make one change each and return what is wrong with it.
type usage struct {
	stored   store.Usage
	keys     []apigw.APIKey // each list is ordered by its entries' keys in the store
	plans    []apigw.UsagePlan
	planKeys []apigw.UsagePlanKey
	account  apigw.Account

	// touched and gone are the store's keys of what was put in and what was taken out.
	touched map[string]bool
	gone    []string
}

// loadUsage returns the API keys and usage plans as they are.
func (c *Control) loadUsage(ctx context.Context) (*usage, error) {
	stored, err := c.store.Usage(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the API keys and usage plans: %w", err)
	}
	return &usage{
		stored: stored, keys: slices.Clone(stored.APIKeys), plans: slices.Clone(stored.UsagePlans), planKeys: slices.Clone(stored.UsagePlanKeys),
		account: stored.Account, touched: map[string]bool{},
	}, nil
}

// forget takes out everything whose key in the store is among those given, without deleting it.
func (u *usage) forget(keys map[string]bool) {
	drop(&u.keys, func(k *apigw.APIKey) bool { return keys[apiKeyEntry(k).String()] })
	drop(&u.plans, func(p *apigw.UsagePlan) bool { return keys[usagePlanEntry(p).String()] })
	drop(&u.planKeys, func(k *apigw.UsagePlanKey) bool { return keys[planKeyEntry(k).String()] })
}

func apiKeyID(k *apigw.APIKey) string { return k.ID }

func usagePlanID(p *apigw.UsagePlan) string { return p.ID }

func planKeyID(k *apigw.UsagePlanKey) string { return planKeyEntry(k).String() }

// The entries in the store.
func apiKeyEntry(k *apigw.APIKey) store.Key[apigw.APIKey] { return store.APIKeys().Key(k.ID) }

func usagePlanEntry(p *apigw.UsagePlan) store.Key[apigw.UsagePlan] {
	return store.UsagePlans().Key(p.ID)
}

func planKeyEntry(k *apigw.UsagePlanKey) store.Key[apigw.UsagePlanKey] {
	return store.UsagePlanKeys(k.UsagePlanID).Key(k.ID)
}

// putKey checks an API key and puts it in.
func (u *usage) putKey(k apigw.APIKey) problems {
	var p problems
	switch n := len(k.Value); {
	case n < minKeyValue:
		p.bad("value", "API Key value should be at least %d characters", minKeyValue)
	case n > maxKeyValue:
		p.bad("value", "API Key value exceeds maximum size of %d characters", maxKeyValue)
	case strings.ContainsFunc(k.Value, func(c rune) bool { return c <= ' ' || c > '~' }):
		p.bad("value", "API Key value has characters that no header carries: want letters, digits and signs, no blanks")
	}
	p.length("name", k.Name, 1024)
	p.length("description", k.Description, maxDescription)
	if find(u.keys, apiKeyID, k.ID) == nil && len(u.keys) >= maxKeys {
		p.add(apigw.KindQuotaExceeded, "", "Maximum number of API Keys (%d) has been reached", maxKeys)
	}
	if slices.ContainsFunc(u.keys, func(o apigw.APIKey) bool { return o.Value == k.Value && o.ID != k.ID }) {
		p.add(apigw.KindConflict, "value", "API Key already exists")
	}
	p.tags(k.Tags)
	put(&u.keys, apiKeyID, k)
	u.touched[apiKeyEntry(&k).String()] = true
	return p
}

// putPlan checks a usage plan and puts it in.
func (u *usage) putPlan(plan apigw.UsagePlan) problems {
	var p problems
	p.length("usagePlanName", plan.Name, 1024)
	p.length("description", plan.Description, maxDescription)
	if find(u.plans, usagePlanID, plan.ID) == nil && len(u.plans) >= maxPlans {
		p.add(apigw.KindQuotaExceeded, "", "Maximum number of Usage Plans (%d) has been reached", maxPlans)
	}
	if plan.Throttle != nil {
		p.throttle("throttle", *plan.Throttle)
	}
	seen := map[string]bool{}
	for _, s := range plan.APIStages {
		if at := string(s.APIID) + ":" + s.Stage; seen[at] {
			p.add(apigw.KindConflict, "apiStages", "API Stage %s is in the plan twice", at)
		} else {
			seen[at] = true
		}
		for _, key := range sortedKeys(s.Throttle) {
			p.throttle("apiStages", s.Throttle[key])
		}
	}
	if plan.Quota != nil {
		p.quota(*plan.Quota)
	}
	p.tags(plan.Tags)
	for i := range u.planKeys {
		if k := &u.planKeys[i]; k.UsagePlanID == plan.ID {
			u.countsOnce(&p, &plan, k.ID)
		}
	}
	put(&u.plans, usagePlanID, plan)
	u.touched[usagePlanEntry(&plan).String()] = true
	return p
}

func (p *problems) throttle(field string, t apigw.ThrottleSettings) {
	if t.BurstLimit < 0 || t.RateLimit < 0 {
		p.bad(field, "a throttling limit must not be negative")
	}
}

func (p *problems) quota(q apigw.QuotaSettings) {
	if q.Limit < 1 || q.Limit > 1<<31-1 {
		p.bad("quota", "Quota.Limit must be a whole number from 1 to 2147483647")
	}
	last, ok := map[apigw.QuotaPeriod]int{apigw.QuotaDay: 0, apigw.QuotaWeek: 6, apigw.QuotaMonth: 27}[q.Period]
	switch {
	case !ok:
		p.bad("quota", "Quota.Period must be one of [DAY, WEEK, MONTH], not %q", q.Period)
	case q.Offset < 0 || q.Offset > last:
		p.bad("quota", "Quota.Offset, the day on which a %s begins, must be from 0 to %d", strings.ToLower(string(q.Period)), last)
	}
}

// putPlanKey checks the belonging of a key to a plan and puts it in.
func (u *usage) putPlanKey(k apigw.UsagePlanKey) problems {
	var p problems
	if k.Type != "API_KEY" {
		p.bad("keyType", "Invalid key type %q. Must be API_KEY", k.Type)
	}
	if find(u.keys, apiKeyID, k.ID) == nil {
		p.add(apigw.KindNotFound, "keyId", "Invalid API Key identifier specified %s", k.ID)
	}
	plan := find(u.plans, usagePlanID, k.UsagePlanID)
	if plan == nil {
		p.add(apigw.KindNotFound, "usagePlanId", "Invalid Usage Plan ID specified %s", k.UsagePlanID)
		return p
	}
	if find(u.planKeys, planKeyID, planKeyID(&k)) != nil {
		p.add(apigw.KindConflict, "keyId", "The API Key %s is in the usage plan already", k.ID)
		return p
	}
	if n := u.countsOnce(&p, plan, k.ID); n >= maxPlansPerKey {
		p.add(apigw.KindQuotaExceeded, "keyId", "The API Key %s is in %d usage plans, which is as many as there can be", k.ID, n)
	}
	put(&u.planKeys, planKeyID, k)
	u.touched[planKeyEntry(&k).String()] = true
	return p
}

// countsOnce refuses a key in a plan where another plan of the key opens one of the stages too. It returns in how many
// other plans the key is.
func (u *usage) countsOnce(p *problems, plan *apigw.UsagePlan, key string) int {
	others := 0
	for i := range u.planKeys {
		o := &u.planKeys[i]
		if o.ID != key || o.UsagePlanID == plan.ID {
			continue
		}
		others++
		if other := find(u.plans, usagePlanID, o.UsagePlanID); other != nil && shareStage(plan, other) {
			p.add(apigw.KindConflict, "keyId", "The API Key %s is in usage plan %s already, which has a stage in common: a key counts in one plan for each stage", key, o.UsagePlanID)
		}
	}
	return others
}

// dropKey takes a key out, and out of its plans.
func (u *usage) dropKey(id string) {
	u.gone = append(u.gone, store.APIKeys().Key(id).String())
	drop(&u.keys, func(k *apigw.APIKey) bool { return k.ID == id })
	u.dropPlanKeys(func(k *apigw.UsagePlanKey) bool { return k.ID == id })
}

// dropPlan takes a plan out, with the belonging of keys to it.
func (u *usage) dropPlan(id string) {
	u.gone = append(u.gone, store.UsagePlans().Key(id).String())
	drop(&u.plans, func(p *apigw.UsagePlan) bool { return p.ID == id })
	u.dropPlanKeys(func(k *apigw.UsagePlanKey) bool { return k.UsagePlanID == id })
}

func (u *usage) dropPlanKeys(gone func(*apigw.UsagePlanKey) bool) {
	drop(&u.planKeys, func(k *apigw.UsagePlanKey) bool {
		if !gone(k) {
			return false
		}
		u.gone = append(u.gone, planKeyEntry(k).String())
		return true
	})
}

func shareStage(x, y *apigw.UsagePlan) bool {
	return slices.ContainsFunc(x.APIStages, func(s apigw.UsagePlanStage) bool {
		return slices.ContainsFunc(y.APIStages, func(o apigw.UsagePlanStage) bool { return o.APIID == s.APIID && o.Stage == s.Stage })
	})
}

// withoutEffectRoute tells of a key that nobody is asked for: API Gateway looks at $connect only (spec data-plane §7).
func withoutEffectRoute(r *apigw.Route) problems {
	var p problems
	if r.APIKeyRequired && r.RouteKey != apigw.RouteConnect {
		p.bad("apiKeyRequired", "an API key is asked for on $connect only: on route %s this has no effect", r.RouteKey)
	}
	return p
}

func (d *draft) wantsAPIKey() bool {
	return slices.ContainsFunc(d.now.Routes, func(r apigw.Route) bool { return r.RouteKey == apigw.RouteConnect && r.APIKeyRequired })
}

// opens tells whether any key of any plan opens a stage.
func (u *usage) opens(api apigw.APIID, stage string) bool {
	return slices.ContainsFunc(u.planKeys, func(k apigw.UsagePlanKey) bool {
		plan := find(u.plans, usagePlanID, k.UsagePlanID)
		return plan != nil && slices.ContainsFunc(plan.APIStages, func(s apigw.UsagePlanStage) bool { return s.APIID == api && s.Stage == stage })
	})
}

// write adds to a batch what changed, and with it the account: who else changes anything of it at the same time will
// conflict.
func (u *usage) write(b *store.Batch) {
	n := b.Len()
	writeTouched(b, u.touched, apiKeyEntry, u.stored.APIKeys, u.keys)
	writeTouched(b, u.touched, usagePlanEntry, u.stored.UsagePlans, u.plans)
	writeTouched(b, u.touched, planKeyEntry, u.stored.UsagePlanKeys, u.planKeys)
	for _, key := range u.gone {
		b.DeleteKey(key)
	}
	if b.Len() > n || u.account != u.stored.Account {
		store.Put(b, store.Account(), u.account, u.stored.Expect())
	}
}

// writeTouched writes those of the touched that are not as they are stored.
func writeTouched[T any](b *store.Batch, touched map[string]bool, entry func(*T) store.Key[T], stored, now []T) {
	id := func(v *T) string { return entry(v).String() }
	for i := range now {
		key := entry(&now[i])
		if !touched[key.String()] {
			continue
		}
		if have := find(stored, id, key.String()); have == nil || !equal(*have, now[i]) {
			store.Put(b, key, now[i], store.Expect{})
		}
	}
}
