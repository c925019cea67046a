package control

import (
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

// usage is the node's API keys and usage plans while a template is applied: those of others, and what the template has
// come to so far.
type usage struct {
	keys     []apigw.APIKey // each list is ordered by ID, the last by plan and key
	plans    []apigw.UsagePlan
	planKeys []apigw.UsagePlanKey

	stored struct { // as the store has it, by its keys
		keys     map[string]apigw.APIKey
		plans    map[string]apigw.UsagePlan
		planKeys map[string]apigw.UsagePlanKey
	}
}

func apiKeyID(k *apigw.APIKey) string { return k.ID }

func usagePlanID(p *apigw.UsagePlan) string { return p.ID }

func planKeyID(k *apigw.UsagePlanKey) string {
	return store.UsagePlanKeys(k.UsagePlanID).Key(k.ID).String()
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
	if len(u.keys) >= maxKeys {
		p.add(apigw.KindLimitExceeded, "", "Maximum number of API Keys (%d) has been reached", maxKeys)
	}
	if slices.ContainsFunc(u.keys, func(o apigw.APIKey) bool { return o.Value == k.Value && o.ID != k.ID }) {
		p.add(apigw.KindConflict, "value", "API Key already exists")
	}
	put(&u.keys, apiKeyID, k)
	return p
}

// putPlan checks a usage plan and puts it in.
func (u *usage) putPlan(plan apigw.UsagePlan) problems {
	var p problems
	p.length("usagePlanName", plan.Name, 1024)
	p.length("description", plan.Description, maxDescription)
	if len(u.plans) >= maxPlans {
		p.add(apigw.KindLimitExceeded, "", "Maximum number of Usage Plans (%d) has been reached", maxPlans)
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
	put(&u.plans, usagePlanID, plan)
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
	others := 0
	for i := range u.planKeys {
		o := &u.planKeys[i]
		if o.ID != k.ID {
			continue
		}
		others++
		other := find(u.plans, usagePlanID, o.UsagePlanID)
		switch {
		case o.UsagePlanID == k.UsagePlanID:
			p.add(apigw.KindConflict, "keyId", "The API Key %s is in the usage plan already", k.ID)
		case other != nil && shareStage(plan, other):
			p.add(apigw.KindConflict, "keyId", "The API Key %s is in usage plan %s already, which has a stage in common: a key counts in one plan for each stage", k.ID, o.UsagePlanID)
		}
	}
	if others >= maxPlansPerKey {
		p.add(apigw.KindLimitExceeded, "keyId", "The API Key %s is in %d usage plans, which is as many as there can be", k.ID, others)
	}
	if find(u.planKeys, planKeyID, planKeyID(&k)) == nil {
		put(&u.planKeys, planKeyID, k)
	}
	return p
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

// write adds to a batch what changed. What the stack no longer has is deleted with the rest of it.
func (u *usage) write(b *store.Batch) {
	for i := range u.keys {
		writeIfChanged(b, store.APIKeys().Key(u.keys[i].ID), u.stored.keys, u.keys[i])
	}
	for i := range u.plans {
		writeIfChanged(b, store.UsagePlans().Key(u.plans[i].ID), u.stored.plans, u.plans[i])
	}
	for i := range u.planKeys {
		k := &u.planKeys[i]
		writeIfChanged(b, store.UsagePlanKeys(k.UsagePlanID).Key(k.ID), u.stored.planKeys, *k)
	}
}

func writeIfChanged[T any](b *store.Batch, key store.Key[T], stored map[string]T, v T) {
	if have, ok := stored[key.String()]; !ok || !equal(have, v) {
		store.Put(b, key, v, store.Expect{})
	}
}
