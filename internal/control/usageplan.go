package control

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"

	"cleat/internal/apigw"
	"cleat/internal/cfn"
	"cleat/internal/store"
)

// API keys and usage plans belong to the node, not to an API; CloudFormation has them under the name of REST APIs (spec
// control-plane §14 and §15).
const (
	keyType     = "AWS::ApiGateway::ApiKey"
	planType    = "AWS::ApiGateway::UsagePlan"
	planKeyType = "AWS::ApiGateway::UsagePlanKey"
	restAPIType = "AWS::ApiGateway::RestApi"
)

var usageTypes = map[string]resourceType{
	keyType: {
		properties: []string{"CustomerId", "Description", "Enabled", "Value"},
		handled:    []string{"GenerateDistinctId", "Name", "StageKeys", "Tags"},
	},
	planType: {
		properties: []string{"ApiStages", "Description", "Quota", "Throttle"},
		handled:    []string{"Tags", "UsagePlanName"},
	},
	planKeyType: {handled: []string{"KeyId", "KeyType", "UsagePlanId"}},
}

// isUsage reports whether a resource is an API key, a usage plan, or one in the other.
func isUsage(r *cfn.Resource) bool {
	_, ok := usageTypes[r.Type]
	return ok
}

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

func apiKeyID(k *apigw.APIKey) string       { return k.ID }
func usagePlanID(p *apigw.UsagePlan) string { return p.ID }
func planKeyID(k *apigw.UsagePlanKey) string {
	return store.UsagePlanKeys(k.UsagePlanID).Key(k.ID).String()
}

// readUsage reads the keys and plans of the store, without those that belong to the stack.
func (a *application) readUsage(ctx context.Context, c *Control) error {
	u := &usage{}
	u.stored.keys, u.stored.plans, u.stored.planKeys = map[string]apigw.APIKey{}, map[string]apigw.UsagePlan{}, map[string]apigw.UsagePlanKey{}
	a.usage = u
	own := map[string]bool{}
	for _, key := range a.record.Resources {
		own[key] = true
	}
	keys, err := store.List(ctx, c.store, store.APIKeys())
	if err != nil {
		return fmt.Errorf("read the API keys: %w", err)
	}
	plans, err := store.List(ctx, c.store, store.UsagePlans())
	if err != nil {
		return fmt.Errorf("read the usage plans: %w", err)
	}
	var planKeys []apigw.UsagePlanKey
	for i := range plans {
		of, err := store.List(ctx, c.store, store.UsagePlanKeys(plans[i].ID))
		if err != nil {
			return fmt.Errorf("read the keys of usage plan %s: %w", plans[i].ID, err)
		}
		planKeys = append(planKeys, of...)
	}
	u.keys = keep(keys, u.stored.keys, own, func(k *apigw.APIKey) string { return store.APIKeys().Key(k.ID).String() })
	u.plans = keep(plans, u.stored.plans, own, func(p *apigw.UsagePlan) string { return store.UsagePlans().Key(p.ID).String() })
	u.planKeys = keep(planKeys, u.stored.planKeys, own, planKeyID)
	return nil
}

// keep notes what is stored and returns what does not belong to the stack.
func keep[T any](all []T, stored map[string]T, own map[string]bool, key func(*T) string) []T {
	var others []T
	for i := range all {
		k := key(&all[i])
		stored[k] = all[i]
		if !own[k] {
			others = append(others, all[i])
		}
	}
	return others
}

// addUsage takes in the API keys and usage plans of the template, and tells of API keys that nobody could have.
func (a *application) addUsage(ctx context.Context, c *Control, resources []*cfn.Resource) error {
	ours := slices.ContainsFunc(resources, isUsage)
	if !ours && !a.wantsAPIKeys() {
		return nil
	}
	if err := a.readUsage(ctx, c); err != nil {
		return err
	}
	a.noteRESTAPIs(resources)
	for _, phase := range []struct {
		typ  string
		take func(context.Context, *Control, *cfn.Resource) error
	}{{keyType, a.takeAPIKey}, {planType, a.takeUsagePlan}, {planKeyType, a.takeUsagePlanKey}} {
		for _, r := range resources {
			if r.Type != phase.typ {
				continue
			}
			checkProperties(r, usageTypes[r.Type], &a.faults)
			if err := phase.take(ctx, c, r); err != nil {
				return err
			}
		}
	}
	a.warnOfUselessKeys(resources)
	return nil
}

// noteRESTAPIs makes REST APIs foreign, so that plans for them are left alone as they are.
func (a *application) noteRESTAPIs(resources []*cfn.Resource) {
	for _, r := range resources {
		if r.Type != restAPIType {
			continue
		}
		if v, err := a.attribute(r, ""); err == nil {
			a.foreign[v.Str()] = true
		}
	}
}

// takeAPIKey takes in an AWS::ApiGateway::ApiKey. Like CloudFormation it makes keys that are off unless Enabled says
// otherwise.
func (a *application) takeAPIKey(_ context.Context, _ *Control, r *cfn.Resource) error {
	k := apigw.APIKey{ID: a.idOf(r)}
	n := len(a.faults)
	v, ok := a.evaluate(only(r.Properties, usageTypes[keyType].properties))
	d := decoder{of: r.LogicalID, faults: &a.faults}
	d.decode(v, usageTypes[keyType].properties, &k)
	name, err := a.physicalName(r, "Name")
	if !ok || err != nil || len(a.faults) > n {
		return nil // evaluate has told why
	}
	k.Name = name
	key := store.APIKeys().Key(k.ID).String()
	stored, known := a.usage.stored.keys[key]
	generated := v.Get("Value") == nil
	if generated {
		k.Value = a.generateKey(r, stored.Value)
	}
	k.CreatedDate = now()
	if known {
		k.CreatedDate, k.LastUpdatedDate = stored.CreatedDate, stored.LastUpdatedDate
	}
	if !known || !equal(stored, k) {
		k.LastUpdatedDate = now()
	}
	a.report(r, a.usage.putKey(k))
	if r.Properties.Get("StageKeys") != nil {
		a.warnings.Addf(a.placeOf(r, "StageKeys"), "%s: StageKeys is obsolete and has no effect: a key is good for the stages of its usage plans", r.LogicalID)
	}
	if !k.Enabled {
		a.warnings.Addf(r.Place, "API key %s is off: nobody gets in with it unless Enabled is true", r.LogicalID)
	}
	a.own(r.LogicalID, key)
	a.outcome.APIKeys = append(a.outcome.APIKeys, APIKeySummary{Name: k.Name, ID: k.ID, Value: k.Value, Generated: generated, Enabled: k.Enabled})
	return nil
}

// generateKey makes the value of a key that is given none: of the stack's seed, so that it is the same next time; without
// a seed the one that the store has, or a random one.
func (a *application) generateKey(r *cfn.Resource, stored string) string {
	switch {
	case a.stack.KeySeed != "":
		return idFrom(generatedValue, a.stack.KeySeed, a.stack.Name, r.LogicalID)
	case stored != "":
		return stored
	}
	var b [32]byte
	rand.Read(b[:])
	return base36(b[:], generatedValue)
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

// takeUsagePlan takes in an AWS::ApiGateway::UsagePlan. Stages of REST and HTTP APIs are left out of it, and a plan that
// has none but those is left alone.
func (a *application) takeUsagePlan(ctx context.Context, c *Control, r *cfn.Resource) error {
	p := apigw.UsagePlan{ID: a.idOf(r)}
	n := len(a.faults)
	v, ok := a.evaluate(only(r.Properties, usageTypes[planType].properties))
	d := decoder{of: r.LogicalID, faults: &a.faults}
	d.decode(v, usageTypes[planType].properties, &p)
	name, err := a.physicalName(r, "UsagePlanName")
	if !ok || err != nil || len(a.faults) > n {
		return nil
	}
	p.Name = name
	all := len(p.APIStages)
	p.APIStages = slices.DeleteFunc(p.APIStages, func(s apigw.UsagePlanStage) bool { return a.foreign[string(s.APIID)] })
	if all > 0 && len(p.APIStages) == 0 {
		a.left[r.Type]++
		a.foreign[p.ID] = true
		return nil
	}
	for i := range p.APIStages {
		if err := a.checkPlanStage(ctx, c, r, &p.APIStages[i]); err != nil {
			return err
		}
	}
	a.report(r, a.usage.putPlan(p))
	a.own(r.LogicalID, store.UsagePlans().Key(p.ID).String())
	return nil
}

// checkPlanStage refuses a stage that does not exist.
func (a *application) checkPlanStage(ctx context.Context, c *Control, r *cfn.Resource, s *apigw.UsagePlanStage) error {
	stages, routes := []apigw.Stage(nil), []apigw.Route(nil)
	if d := a.drafts[s.APIID]; d != nil {
		stages, routes = d.now.Stages, d.now.Routes
	} else {
		t, err := c.store.Tree(ctx, s.APIID)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if t != nil {
			stages, routes = t.Stages, t.Routes
		}
	}
	at := a.placeOf(r, "ApiStages")
	if find(stages, stageName, s.Stage) == nil {
		a.faults.Addf(at, "%s: API Stage not found: %s:%s", r.LogicalID, s.APIID, s.Stage)
		return nil
	}
	for _, key := range sortedKeys(s.Throttle) {
		if !slices.ContainsFunc(routes, func(rt apigw.Route) bool { return rt.RouteKey == key }) {
			a.warnings.Addf(at, "%s: there is no route %s: its throttle has no effect", r.LogicalID, key)
		}
	}
	return nil
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

// takeUsagePlanKey takes in an AWS::ApiGateway::UsagePlanKey.
func (a *application) takeUsagePlanKey(_ context.Context, _ *Control, r *cfn.Resource) error {
	v, ok := a.evaluate(r.Properties)
	if !ok {
		return nil
	}
	k := apigw.UsagePlanKey{ID: v.Get("KeyId").Str(), Type: v.Get("KeyType").Str(), UsagePlanID: v.Get("UsagePlanId").Str()}
	if a.foreign[k.UsagePlanID] {
		a.left[r.Type]++
		return nil
	}
	a.report(r, a.usage.putPlanKey(k))
	a.own(r.LogicalID, planKeyID(&k))
	return nil
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

// wantsAPIKeys tells whether any $connect of the drafts lets in only who has a key.
func (a *application) wantsAPIKeys() bool {
	return slices.ContainsFunc(a.order, func(id apigw.APIID) bool { return a.drafts[id].wantsAPIKey() })
}

func (d *draft) wantsAPIKey() bool {
	return slices.ContainsFunc(d.now.Routes, func(r apigw.Route) bool { return r.RouteKey == apigw.RouteConnect && r.APIKeyRequired })
}

// warnOfUselessKeys tells of keys that open nothing and of stages that no key opens.
func (a *application) warnOfUselessKeys(resources []*cfn.Resource) {
	for _, r := range resources {
		switch r.Type {
		case keyType:
			if id := a.idOf(r); !slices.ContainsFunc(a.usage.planKeys, func(k apigw.UsagePlanKey) bool { return k.ID == id }) {
				a.warnings.Addf(r.Place, "API key %s is in no usage plan: it opens nothing", r.LogicalID)
			}
		case apiGateway + "Stage":
			v, ok := a.evaluate(only(r.Properties, []string{"ApiId", "StageName"}))
			if d := a.drafts[apigw.APIID(v.Get("ApiId").Str())]; ok && d != nil && d.wantsAPIKey() && !a.usage.opens(d.id(), v.Get("StageName").Str()) {
				a.warnings.Addf(r.Place, "stage %s lets in only who has an API key, and there is no usage plan for it with a key: nobody gets in", v.Get("StageName").Str())
			}
		}
	}
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

// usageAttribute answers Ref and Fn::GetAtt of API keys and usage plans (spec control-plane §15).
func (a *application) usageAttribute(r *cfn.Resource, attribute string) (*cfn.Value, error) {
	id := map[string]string{keyType: "APIKeyId"}[r.Type]
	if id == "" {
		id = "Id"
	}
	if attribute != "" && attribute != id {
		return nil, fmt.Errorf("%s of type %s has no attribute %s", r.LogicalID, r.Type, attribute)
	}
	if r.Type != planKeyType {
		return cfn.TextOf(r.Place, a.idOf(r)), nil
	}
	v, err := a.evaluator.Evaluate(only(r.Properties, []string{"KeyId", "UsagePlanId"}))
	if err != nil {
		return nil, err
	}
	return cfn.TextOf(r.Place, v.Get("KeyId").Str()+":"+v.Get("UsagePlanId").Str()), nil
}
