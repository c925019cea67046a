package control

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"cleat/internal/apigw"
	"cleat/internal/draft"
	"cleat/internal/store"
)

func unknownPlan(id string) *apigw.Error {
	return &apigw.Error{Kind: apigw.KindNotFound, Message: "Invalid Usage Plan ID specified " + id}
}

// CreateUsagePlan makes a usage plan (spec control-plane §14). The ID is filled in.
func (c *Control) CreateUsagePlan(ctx context.Context, plan apigw.UsagePlan) (apigw.UsagePlan, error) {
	plan.ID = draft.NewID(planIDLength)
	err := c.changeUsage(ctx, func(u *draft.Usage) (draft.Problems, error) {
		if plan.Name == "" {
			var p draft.Problems
			p.Bad("name", "Usage Plan name is required")
			return p, nil
		}
		return c.putPlanWithStages(ctx, u, plan, nil)
	})
	if err != nil {
		return apigw.UsagePlan{}, err
	}
	return plan, nil
}

// putPlanWithStages is putPlan where the stages that the plan did not have before must exist.
func (c *Control) putPlanWithStages(ctx context.Context, u *draft.Usage, plan apigw.UsagePlan, before []apigw.UsagePlanStage) (draft.Problems, error) {
	for i := range plan.APIStages {
		s := &plan.APIStages[i]
		if slices.ContainsFunc(before, func(o apigw.UsagePlanStage) bool { return o.APIID == s.APIID && o.Stage == s.Stage }) {
			continue
		}
		var p draft.Problems
		if s.APIID == "" || s.Stage == "" {
			p.Bad("apiStages", "Invalid API Stage {api: %s, stage: %s} specified for usageplan %s", s.APIID, s.Stage, plan.Name)
			return p, nil
		}
		err := store.ErrNotFound
		if isID(string(s.APIID)) && draft.IsStageName(s.Stage) {
			_, _, err = store.Get(ctx, c.store, store.Stages(s.APIID).Key(s.Stage))
		}
		if errors.Is(err, store.ErrNotFound) {
			p.Add(apigw.KindNotFound, "apiStages", "API Stage not found: %s:%s", s.APIID, s.Stage)
			return p, nil
		}
		if err != nil {
			return nil, err
		}
	}
	return u.PutPlan(plan), nil
}

// UsagePlans returns all usage plans, or those of one API key where its ID is not empty, ordered by ID.
func (c *Control) UsagePlans(ctx context.Context, key string) ([]apigw.UsagePlan, error) {
	u, err := draft.LoadUsage(ctx, c.store)
	if err != nil {
		return nil, err
	}
	if key == "" {
		return u.Plans, nil
	}
	if u.Key(key) == nil {
		return nil, unknownKey(key)
	}
	return slices.DeleteFunc(u.Plans, func(p apigw.UsagePlan) bool { return !u.InPlan(p.ID, key) }), nil
}

// UsagePlan returns a usage plan. An unknown one is an *apigw.Error of KindNotFound.
func (c *Control) UsagePlan(ctx context.Context, id string) (apigw.UsagePlan, error) {
	plan, err := get(ctx, c, store.UsagePlans(), id)
	if errors.Is(err, store.ErrNotFound) {
		return plan, unknownPlan(id)
	}
	return plan, err
}

// UpdateUsagePlan changes a usage plan by patch operations: all of them, or none where one is refused.
func (c *Control) UpdateUsagePlan(ctx context.Context, id string, ops []PatchOperation) (apigw.UsagePlan, error) {
	var out apigw.UsagePlan
	err := c.changeUsage(ctx, func(u *draft.Usage) (draft.Problems, error) {
		have := u.Plan(id)
		if have == nil {
			return nil, unknownPlan(id)
		}
		out = clonePlan(*have)
		if p := patch(ops, planPatches(&out)); len(p) > 0 {
			return p, nil
		}
		return c.putPlanWithStages(ctx, u, out, have.APIStages)
	})
	if err != nil {
		return apigw.UsagePlan{}, err
	}
	return out, nil
}

// clonePlan returns a copy that shares nothing.
func clonePlan(p apigw.UsagePlan) apigw.UsagePlan {
	p.APIStages = slices.Clone(p.APIStages)
	for i := range p.APIStages {
		p.APIStages[i].Throttle = maps.Clone(p.APIStages[i].Throttle)
	}
	if p.Throttle != nil {
		p.Throttle = new(*p.Throttle)
	}
	if p.Quota != nil {
		p.Quota = new(*p.Quota)
	}
	p.Tags = maps.Clone(p.Tags)
	return p
}

// planPatches are the paths of a usage plan that may be changed. Limits may come one by one: what they are together is
// checked in the end.
func planPatches(plan *apigw.UsagePlan) patches {
	throttle := func() *apigw.ThrottleSettings {
		if plan.Throttle == nil {
			plan.Throttle = &apigw.ThrottleSettings{}
		}
		return plan.Throttle
	}
	quota := func() *apigw.QuotaSettings {
		if plan.Quota == nil {
			plan.Quota = &apigw.QuotaSettings{}
		}
		return plan.Quota
	}
	return patches{
		"/name":        {"replace", func(_ *draft.Problems, op PatchOperation) { plan.Name = op.Value }},
		"/description": {"replace", func(_ *draft.Problems, op PatchOperation) { plan.Description = op.Value }},
		"/productCode": {"add replace remove", func(_ *draft.Problems, op PatchOperation) {
			plan.ProductCode = op.Value
			if op.Op == "remove" {
				plan.ProductCode = ""
			}
		}},
		"/throttle":            {"remove", func(*draft.Problems, PatchOperation) { plan.Throttle = nil }},
		"/throttle/rateLimit":  {"add replace", func(p *draft.Problems, op PatchOperation) { number(p, op, &throttle().RateLimit) }},
		"/throttle/burstLimit": {"add replace", func(p *draft.Problems, op PatchOperation) { integer(p, op, &throttle().BurstLimit) }},
		"/quota":               {"remove", func(*draft.Problems, PatchOperation) { plan.Quota = nil }},
		"/quota/limit":         {"add replace", func(p *draft.Problems, op PatchOperation) { integer(p, op, &quota().Limit) }},
		"/quota/offset":        {"add replace", func(p *draft.Problems, op PatchOperation) { integer(p, op, &quota().Offset) }},
		"/quota/period":        {"add replace", func(_ *draft.Problems, op PatchOperation) { quota().Period = apigw.QuotaPeriod(op.Value) }},
		"/apiStages":           {"add remove", func(p *draft.Problems, op PatchOperation) { patchStages(p, plan, op) }},
		"/apiStages/*":         {"add replace remove", func(p *draft.Problems, op PatchOperation) { patchStageThrottle(p, plan, op) }},
	}
}

// patchStages puts a stage, "apiId:stage", into a plan or takes it out.
func patchStages(p *draft.Problems, plan *apigw.UsagePlan, op PatchOperation) {
	api, stage, _ := strings.Cut(op.Value, ":")
	at := func(s apigw.UsagePlanStage) bool { return string(s.APIID) == api && s.Stage == stage }
	n := len(plan.APIStages)
	switch {
	case op.Op == "add" && slices.ContainsFunc(plan.APIStages, at):
		p.Add(apigw.KindConflict, "apiStages", "API Stage %s is in the plan already", op.Value)
	case op.Op == "add":
		plan.APIStages = append(plan.APIStages, apigw.UsagePlanStage{APIID: apigw.APIID(api), Stage: stage})
	default:
		if plan.APIStages = slices.DeleteFunc(plan.APIStages, at); len(plan.APIStages) == n {
			p.Add(apigw.KindNotFound, "apiStages", "API Stage not found: %s", op.Value)
		}
	}
}

// patchStageThrottle changes the throttles of single routes of a plan's stage:
//
//	/apiStages/{apiId:stage}/throttle                          remove
//	/apiStages/{apiId:stage}/throttle/{routeKey}               remove
//	/apiStages/{apiId:stage}/throttle/{routeKey}/rateLimit     add, replace
//	/apiStages/{apiId:stage}/throttle/{routeKey}/burstLimit    add, replace
//
// A route key may have slashes as they are: Terraform sends them so.
func patchStageThrottle(p *draft.Problems, plan *apigw.UsagePlan, op PatchOperation) {
	id, rest, _ := strings.Cut(strings.TrimPrefix(op.Path, "/apiStages/"), "/")
	id = unescape(id)
	i := slices.IndexFunc(plan.APIStages, func(s apigw.UsagePlanStage) bool { return string(s.APIID)+":"+s.Stage == id })
	key, below := strings.CutPrefix(rest, "throttle/")
	cut := strings.LastIndexByte(key, '/')
	switch {
	case i < 0:
		p.Add(apigw.KindNotFound, "apiStages", "API Stage not found: %.256s", id)
	case op.Op == "remove" && rest == "throttle":
		plan.APIStages[i].Throttle = nil
	case op.Op == "remove" && below && key != "":
		if _, ok := plan.APIStages[i].Throttle[unescape(key)]; !ok {
			p.Add(apigw.KindNotFound, "apiStages", "There is no throttle for %.256s on API Stage %s", unescape(key), id)
		}
		delete(plan.APIStages[i].Throttle, unescape(key))
	case op.Op != "remove" && below && cut > 0:
		s := &plan.APIStages[i]
		route := unescape(key[:cut])
		t := s.Throttle[route]
		switch key[cut+1:] {
		case "rateLimit":
			number(p, op, &t.RateLimit)
		case "burstLimit":
			integer(p, op, &t.BurstLimit)
		default:
			badPath(p, op, planPatches(plan))
		}
		if s.Throttle == nil {
			s.Throttle = map[string]apigw.ThrottleSettings{}
		}
		s.Throttle[route] = t
	default:
		badPath(p, op, planPatches(plan))
	}
}

// DeleteUsagePlan deletes a usage plan, unless it opens any stage still. Its keys are those of no plan then, or of others.
func (c *Control) DeleteUsagePlan(ctx context.Context, id string) error {
	return c.changeUsage(ctx, func(u *draft.Usage) (draft.Problems, error) {
		plan := u.Plan(id)
		if plan == nil {
			return nil, unknownPlan(id)
		}
		var p draft.Problems
		if len(plan.APIStages) > 0 {
			p.Bad("", "Cannot delete Usage Plan %s because there are API Stages associated with it", id)
			return p, nil
		}
		u.DropPlan(id)
		return nil, nil
	})
}

// PlanKey is an API key as one of a usage plan.
type PlanKey struct {
	ID    string `json:"id"`
	Type  string `json:"type"`
	Value string `json:"value,omitempty"`
	Name  string `json:"name,omitempty"`
}

// planKeyOf shows the belonging of a key to a plan.
func planKeyOf(u *draft.Usage, k *apigw.UsagePlanKey) PlanKey {
	out := PlanKey{ID: k.ID, Type: k.Type}
	if key := u.Key(k.ID); key != nil {
		out.Value, out.Name = key.Value, key.Name
	}
	return out
}

// CreateUsagePlanKey puts an API key into a usage plan (spec control-plane §14).
func (c *Control) CreateUsagePlanKey(ctx context.Context, k apigw.UsagePlanKey) (PlanKey, error) {
	var out PlanKey
	err := c.changeUsage(ctx, func(u *draft.Usage) (draft.Problems, error) {
		p := u.PutPlanKey(k)
		out = planKeyOf(u, &k)
		return p, nil
	})
	if err != nil {
		return PlanKey{}, err
	}
	return out, nil
}

// UsagePlanKeys returns the API keys of a usage plan, ordered by ID.
func (c *Control) UsagePlanKeys(ctx context.Context, plan string) ([]PlanKey, error) {
	u, err := draft.LoadUsage(ctx, c.store)
	if err != nil {
		return nil, err
	}
	if u.Plan(plan) == nil {
		return nil, unknownPlan(plan)
	}
	var out []PlanKey
	for i := range u.PlanKeys {
		if k := &u.PlanKeys[i]; k.UsagePlanID == plan {
			out = append(out, planKeyOf(u, k))
		}
	}
	return out, nil
}

// UsagePlanKey returns an API key of a usage plan.
func (c *Control) UsagePlanKey(ctx context.Context, plan, key string) (PlanKey, error) {
	keys, err := c.UsagePlanKeys(ctx, plan)
	if err != nil {
		return PlanKey{}, err
	}
	i := slices.IndexFunc(keys, func(k PlanKey) bool { return k.ID == key })
	if i < 0 {
		return PlanKey{}, unknownKey(key)
	}
	return keys[i], nil
}

// DeleteUsagePlanKey takes an API key out of a usage plan.
func (c *Control) DeleteUsagePlanKey(ctx context.Context, plan, key string) error {
	return c.changeUsage(ctx, func(u *draft.Usage) (draft.Problems, error) {
		if u.Plan(plan) == nil {
			return nil, unknownPlan(plan)
		}
		if !u.InPlan(plan, key) {
			return nil, unknownKey(key)
		}
		u.DropPlanKey(plan, key)
		return nil, nil
	})
}
