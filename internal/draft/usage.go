package draft

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"cleat/internal/apigw"
	"cleat/internal/store"
)

// Bounds of spec control-plane §14.
const (
	minKeyValue    = 20
	maxKeyValue    = 128
	maxKeys        = 10_000
	maxPlans       = 300
	maxPlansPerKey = 10
)

// Usage is the draft of the node's API keys and usage plans, and of the account. They belong to no API, so they are no part
// of an API's draft.
type Usage struct {
	// What is to be there, each list ordered by the keys of its entries in the store. It is to be read.
	Keys     []apigw.APIKey
	Plans    []apigw.UsagePlan
	PlanKeys []apigw.UsagePlanKey
	// Account is what holds for the node as a whole, to be changed as it pleases.
	Account apigw.Account

	stored store.Usage
	// touched and gone are the store's keys of what was put in and what was taken out.
	touched map[string]bool
	gone    []string
}

// LoadUsage returns the draft of the API keys and usage plans that a store holds.
func LoadUsage(ctx context.Context, s *store.Store) (*Usage, error) {
	stored, err := s.Usage(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the API keys and usage plans: %w", err)
	}
	return &Usage{
		Keys: slices.Clone(stored.APIKeys), Plans: slices.Clone(stored.UsagePlans), PlanKeys: slices.Clone(stored.UsagePlanKeys),
		Account: stored.Account, stored: stored, touched: map[string]bool{},
	}, nil
}

// Key returns an API key, nil when there is none of that ID. It is good until the draft changes.
func (u *Usage) Key(id string) *apigw.APIKey { return find(u.Keys, apiKeyID, id) }

// Stored returns an API key as the store has it, nil when it has none of that ID.
func (u *Usage) Stored(id string) *apigw.APIKey { return find(u.stored.APIKeys, apiKeyID, id) }

// Plan returns a usage plan, nil when there is none of that ID. It is good until the draft changes.
func (u *Usage) Plan(id string) *apigw.UsagePlan { return find(u.Plans, usagePlanID, id) }

// InPlan tells whether an API key is in a usage plan.
func (u *Usage) InPlan(plan, key string) bool {
	return find(u.PlanKeys, planKeyID, planKeyID(&apigw.UsagePlanKey{ID: key, UsagePlanID: plan})) != nil
}

// Forget takes out everything whose key in the store is among those given, without deleting it.
func (u *Usage) Forget(keys map[string]bool) {
	drop(&u.Keys, func(k *apigw.APIKey) bool { return keys[apiKeyEntry(k).String()] })
	drop(&u.Plans, func(p *apigw.UsagePlan) bool { return keys[usagePlanEntry(p).String()] })
	drop(&u.PlanKeys, func(k *apigw.UsagePlanKey) bool { return keys[planKeyEntry(k).String()] })
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

// PutKey checks an API key and puts it in.
func (u *Usage) PutKey(k apigw.APIKey) Problems {
	var p Problems
	switch n := len(k.Value); {
	case n < minKeyValue:
		p.Bad("value", "API Key value should be at least %d characters", minKeyValue)
	case n > maxKeyValue:
		p.Bad("value", "API Key value exceeds maximum size of %d characters", maxKeyValue)
	case strings.ContainsFunc(k.Value, func(c rune) bool { return c <= ' ' || c > '~' }):
		p.Bad("value", "API Key value has characters that no header carries: want letters, digits and signs, no blanks")
	}
	p.length("name", k.Name, 1024)
	p.length("description", k.Description, maxDescription)
	if u.Key(k.ID) == nil && len(u.Keys) >= maxKeys {
		p.Add(apigw.KindQuotaExceeded, "", "Maximum number of API Keys (%d) has been reached", maxKeys)
	}
	if slices.ContainsFunc(u.Keys, func(o apigw.APIKey) bool { return o.Value == k.Value && o.ID != k.ID }) {
		p.Add(apigw.KindConflict, "value", "API Key already exists")
	}
	p.tags(k.Tags)
	put(&u.Keys, apiKeyID, k)
	u.touched[apiKeyEntry(&k).String()] = true
	return p
}

// PutPlan checks a usage plan and puts it in.
func (u *Usage) PutPlan(plan apigw.UsagePlan) Problems {
	var p Problems
	p.length("usagePlanName", plan.Name, 1024)
	p.length("description", plan.Description, maxDescription)
	if u.Plan(plan.ID) == nil && len(u.Plans) >= maxPlans {
		p.Add(apigw.KindQuotaExceeded, "", "Maximum number of Usage Plans (%d) has been reached", maxPlans)
	}
	if plan.Throttle != nil {
		p.throttle("throttle", *plan.Throttle)
	}
	seen := map[string]bool{}
	for _, s := range plan.APIStages {
		if at := string(s.APIID) + ":" + s.Stage; seen[at] {
			p.Add(apigw.KindConflict, "apiStages", "API Stage %s is in the plan twice", at)
		} else {
			seen[at] = true
		}
		for _, key := range slices.Sorted(maps.Keys(s.Throttle)) {
			p.throttle("apiStages", s.Throttle[key])
		}
	}
	if plan.Quota != nil {
		p.quota(*plan.Quota)
	}
	p.tags(plan.Tags)
	for i := range u.PlanKeys {
		if k := &u.PlanKeys[i]; k.UsagePlanID == plan.ID {
			u.countsOnce(&p, &plan, k.ID)
		}
	}
	put(&u.Plans, usagePlanID, plan)
	u.touched[usagePlanEntry(&plan).String()] = true
	return p
}

func (p *Problems) throttle(field string, t apigw.ThrottleSettings) {
	if t.BurstLimit < 0 || t.RateLimit < 0 {
		p.Bad(field, "a throttling limit must not be negative")
	}
}

func (p *Problems) quota(q apigw.QuotaSettings) {
	if q.Limit < 1 || q.Limit > 1<<31-1 {
		p.Bad("quota", "Quota.Limit must be a whole number from 1 to 2147483647")
	}
	last, ok := map[apigw.QuotaPeriod]int{apigw.QuotaDay: 0, apigw.QuotaWeek: 6, apigw.QuotaMonth: 27}[q.Period]
	switch {
	case !ok:
		p.Bad("quota", "Quota.Period must be one of [DAY, WEEK, MONTH], not %q", q.Period)
	case q.Offset < 0 || q.Offset > last:
		p.Bad("quota", "Quota.Offset, the day on which a %s begins, must be from 0 to %d", strings.ToLower(string(q.Period)), last)
	}
}

// PutPlanKey checks the belonging of a key to a plan and puts it in.
func (u *Usage) PutPlanKey(k apigw.UsagePlanKey) Problems {
	var p Problems
	if k.Type != "API_KEY" {
		p.Bad("keyType", "Invalid key type %q. Must be API_KEY", k.Type)
	}
	if u.Key(k.ID) == nil {
		p.Add(apigw.KindNotFound, "keyId", "Invalid API Key identifier specified %s", k.ID)
	}
	plan := u.Plan(k.UsagePlanID)
	if plan == nil {
		p.Add(apigw.KindNotFound, "usagePlanId", "Invalid Usage Plan ID specified %s", k.UsagePlanID)
		return p
	}
	if u.InPlan(k.UsagePlanID, k.ID) {
		p.Add(apigw.KindConflict, "keyId", "The API Key %s is in the usage plan already", k.ID)
		return p
	}
	if n := u.countsOnce(&p, plan, k.ID); n >= maxPlansPerKey {
		p.Add(apigw.KindQuotaExceeded, "keyId", "The API Key %s is in %d usage plans, which is as many as there can be", k.ID, n)
	}
	put(&u.PlanKeys, planKeyID, k)
	u.touched[planKeyEntry(&k).String()] = true
	return p
}

// countsOnce refuses a key in a plan where another plan of the key opens one of the stages too. It returns in how many
// other plans the key is.
func (u *Usage) countsOnce(p *Problems, plan *apigw.UsagePlan, key string) int {
	others := 0
	for i := range u.PlanKeys {
		o := &u.PlanKeys[i]
		if o.ID != key || o.UsagePlanID == plan.ID {
			continue
		}
		others++
		if other := u.Plan(o.UsagePlanID); other != nil && shareStage(plan, other) {
			p.Add(apigw.KindConflict, "keyId", "The API Key %s is in usage plan %s already, which has a stage in common: a key counts in one plan for each stage", key, o.UsagePlanID)
		}
	}
	return others
}

// DropKey takes a key out, and out of its plans.
func (u *Usage) DropKey(id string) {
	u.gone = append(u.gone, store.APIKeys().Key(id).String())
	drop(&u.Keys, func(k *apigw.APIKey) bool { return k.ID == id })
	u.dropPlanKeys(func(k *apigw.UsagePlanKey) bool { return k.ID == id })
}

// DropPlan takes a plan out, with the belonging of keys to it.
func (u *Usage) DropPlan(id string) {
	u.gone = append(u.gone, store.UsagePlans().Key(id).String())
	drop(&u.Plans, func(p *apigw.UsagePlan) bool { return p.ID == id })
	u.dropPlanKeys(func(k *apigw.UsagePlanKey) bool { return k.UsagePlanID == id })
}

// DropPlanKey takes a key out of a plan. One that is not in it is no problem.
func (u *Usage) DropPlanKey(plan, key string) {
	u.dropPlanKeys(func(k *apigw.UsagePlanKey) bool { return k.ID == key && k.UsagePlanID == plan })
}

// UndoKey takes out a key that this draft has put in, with its plans.
func (u *Usage) UndoKey(id string) {
	drop(&u.Keys, func(k *apigw.APIKey) bool { return k.ID == id })
	delete(u.touched, store.APIKeys().Key(id).String())
	drop(&u.PlanKeys, func(k *apigw.UsagePlanKey) bool {
		if k.ID != id {
			return false
		}
		delete(u.touched, planKeyEntry(k).String())
		return true
	})
}

func (u *Usage) dropPlanKeys(gone func(*apigw.UsagePlanKey) bool) {
	drop(&u.PlanKeys, func(k *apigw.UsagePlanKey) bool {
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

// Opens tells whether any key of any plan opens a stage.
func (u *Usage) Opens(api apigw.APIID, stage string) bool {
	return slices.ContainsFunc(u.PlanKeys, func(k apigw.UsagePlanKey) bool {
		plan := u.Plan(k.UsagePlanID)
		return plan != nil && slices.ContainsFunc(plan.APIStages, func(s apigw.UsagePlanStage) bool { return s.APIID == api && s.Stage == stage })
	})
}

// Write adds to a batch what changed, and with it the account: who else changes anything of it at the same time will
// conflict.
func (u *Usage) Write(b *store.Batch) {
	n := b.Len()
	writeTouched(b, u.touched, apiKeyEntry, u.stored.APIKeys, u.Keys)
	writeTouched(b, u.touched, usagePlanEntry, u.stored.UsagePlans, u.Plans)
	writeTouched(b, u.touched, planKeyEntry, u.stored.UsagePlanKeys, u.PlanKeys)
	for _, key := range u.gone {
		b.DeleteKey(key)
	}
	if b.Len() > n || u.Account != u.stored.Account {
		store.Put(b, store.Account(), u.Account, u.stored.Expect())
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
		if have := find(stored, id, key.String()); have == nil || !store.Equal(*have, now[i]) {
			store.Put(b, key, now[i], store.Expect{})
		}
	}
}
