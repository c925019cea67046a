package stacks

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"cleat/internal/apigw"
	"cleat/internal/cfn"
	"cleat/internal/draft"
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

// addUsage takes in the API keys and usage plans of the template, and tells of API keys that nobody could have.
func (a *application) addUsage(ctx context.Context, resources []*cfn.Resource) error {
	ours := slices.ContainsFunc(resources, isUsage)
	if !ours && !a.wantsAPIKeys() {
		return nil
	}
	var err error
	if a.usage, err = draft.LoadUsage(ctx, a.store); err != nil {
		return err
	}
	a.usage.Forget(a.before())
	for _, phase := range []struct {
		typ  string
		take func(context.Context, *cfn.Resource) error
	}{{keyType, a.takeAPIKey}, {planType, a.takeUsagePlan}, {planKeyType, a.takeUsagePlanKey}} {
		for _, r := range resources {
			if r.Type != phase.typ {
				continue
			}
			checkProperties(r, usageTypes[r.Type], &a.faults)
			if err := phase.take(ctx, r); err != nil {
				return err
			}
		}
	}
	a.warnOfUselessKeys(resources)
	return nil
}

// noteRESTAPIs makes REST APIs foreign, so that plans and API mappings for them are left alone as they are.
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
func (a *application) takeAPIKey(_ context.Context, r *cfn.Resource) error {
	k := apigw.APIKey{ID: a.idOf(r)}
	n := len(a.faults)
	v, ok := a.evaluate(only(r.Properties, usageTypes[keyType].properties))
	cfn.Decode(v, usageTypes[keyType].properties, &k, r.LogicalID, &a.faults)
	name, err := a.physicalName(r, "Name")
	if !ok || err != nil || len(a.faults) > n {
		return nil // evaluate has told why
	}
	k.Name = name
	key := store.APIKeys().Key(k.ID).String()
	stored := a.usage.Stored(k.ID)
	generated := v.Get("Value") == nil
	if generated {
		k.Value = a.generateKey(r, stored)
	}
	k.CreatedDate = draft.Now()
	if stored != nil {
		k.CreatedDate, k.LastUpdatedDate = stored.CreatedDate, stored.LastUpdatedDate
	}
	if stored == nil || !store.Equal(*stored, k) {
		k.LastUpdatedDate = draft.Now()
	}
	a.report(r, a.usage.PutKey(k))
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
func (a *application) generateKey(r *cfn.Resource, stored *apigw.APIKey) string {
	switch {
	case a.stack.KeySeed != "":
		return draft.DeriveKeyValue(a.stack.KeySeed, a.stack.Name, r.LogicalID)
	case stored != nil:
		return stored.Value
	}
	return draft.NewKeyValue()
}

// takeUsagePlan takes in an AWS::ApiGateway::UsagePlan. Stages of REST and HTTP APIs are left out of it, and a plan that
// has none but those is left alone.
func (a *application) takeUsagePlan(ctx context.Context, r *cfn.Resource) error {
	p := apigw.UsagePlan{ID: a.idOf(r)}
	n := len(a.faults)
	v, ok := a.evaluate(only(r.Properties, usageTypes[planType].properties))
	cfn.Decode(v, usageTypes[planType].properties, &p, r.LogicalID, &a.faults)
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
		if err := a.checkPlanStage(ctx, r, &p.APIStages[i]); err != nil {
			return err
		}
	}
	a.report(r, a.usage.PutPlan(p))
	a.own(r.LogicalID, store.UsagePlans().Key(p.ID).String())
	return nil
}

// checkPlanStage refuses a stage that does not exist.
func (a *application) checkPlanStage(ctx context.Context, r *cfn.Resource, s *apigw.UsagePlanStage) error {
	stages, routes := []apigw.Stage(nil), []apigw.Route(nil)
	if d := a.drafts[s.APIID]; d != nil {
		stages, routes = d.Now.Stages, d.Now.Routes
	} else {
		t, err := a.store.Tree(ctx, s.APIID)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if t != nil {
			stages, routes = t.Stages, t.Routes
		}
	}
	at := a.placeOf(r, "ApiStages")
	if !slices.ContainsFunc(stages, func(st apigw.Stage) bool { return st.StageName == s.Stage }) {
		a.faults.Addf(at, "%s: API Stage not found: %s:%s", r.LogicalID, s.APIID, s.Stage)
		return nil
	}
	for _, key := range slices.Sorted(maps.Keys(s.Throttle)) {
		if !slices.ContainsFunc(routes, func(rt apigw.Route) bool { return rt.RouteKey == key }) {
			a.warnings.Addf(at, "%s: there is no route %s: its throttle has no effect", r.LogicalID, key)
		}
	}
	return nil
}

// takeUsagePlanKey takes in an AWS::ApiGateway::UsagePlanKey.
func (a *application) takeUsagePlanKey(_ context.Context, r *cfn.Resource) error {
	v, ok := a.evaluate(r.Properties)
	if !ok {
		return nil
	}
	k := apigw.UsagePlanKey{ID: v.Get("KeyId").Str(), Type: v.Get("KeyType").Str(), UsagePlanID: v.Get("UsagePlanId").Str()}
	if a.foreign[k.UsagePlanID] {
		a.left[r.Type]++
		return nil
	}
	a.report(r, a.usage.PutPlanKey(k))
	a.own(r.LogicalID, planKeyEntry(&k))
	return nil
}

// planKeyEntry is the key in the store of the belonging of an API key to a plan.
func planKeyEntry(k *apigw.UsagePlanKey) string {
	return store.UsagePlanKeys(k.UsagePlanID).Key(k.ID).String()
}

// wantsAPIKey tells whether $connect lets in only who has a key.
func wantsAPIKey(d *draft.API) bool {
	return slices.ContainsFunc(d.Now.Routes, func(r apigw.Route) bool { return r.RouteKey == apigw.RouteConnect && r.APIKeyRequired })
}

// wantsAPIKeys tells whether any $connect of the drafts lets in only who has a key.
func (a *application) wantsAPIKeys() bool {
	return slices.ContainsFunc(a.order, func(id apigw.APIID) bool { return wantsAPIKey(a.drafts[id]) })
}

// warnOfUselessKeys tells of keys that open nothing and of stages that no key opens.
func (a *application) warnOfUselessKeys(resources []*cfn.Resource) {
	for _, r := range resources {
		switch r.Type {
		case keyType:
			if id := a.idOf(r); !slices.ContainsFunc(a.usage.PlanKeys, func(k apigw.UsagePlanKey) bool { return k.ID == id }) {
				a.warnings.Addf(r.Place, "API key %s is in no usage plan: it opens nothing", r.LogicalID)
			}
		case apiGateway + "Stage":
			v, ok := a.evaluate(only(r.Properties, []string{"ApiId", "StageName"}))
			if d := a.drafts[apigw.APIID(v.Get("ApiId").Str())]; ok && d != nil && wantsAPIKey(d) && !a.usage.Opens(d.ID(), v.Get("StageName").Str()) {
				a.warnings.Addf(r.Place, "stage %s lets in only who has an API key, and there is no usage plan for it with a key: nobody gets in", v.Get("StageName").Str())
			}
		}
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
