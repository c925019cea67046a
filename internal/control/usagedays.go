package control

import (
	"context"

	"cleat/internal/apigw"
	"cleat/internal/draft"
)

// PlanUsers returns a usage plan and the IDs of its API keys, or one of those alone where key is not empty. What they
// have used the data plane knows.
func (c *Control) PlanUsers(ctx context.Context, plan, key string) (apigw.UsagePlan, []string, error) {
	p, err := c.UsagePlan(ctx, plan)
	if err != nil {
		return p, nil, err
	}
	keys, err := c.UsagePlanKeys(ctx, plan)
	if err != nil {
		return p, nil, err
	}
	var ids []string
	for i := range keys {
		if key == "" || keys[i].ID == key {
			ids = append(ids, keys[i].ID)
		}
	}
	if key != "" && len(ids) == 0 {
		return p, nil, unknownKey(key)
	}
	return p, ids, nil
}

// RemainingOf reads the patch operations of UpdateUsage: how much is to be left of a key's quota in the running period.
// changed is false where they ask for nothing.
func RemainingOf(plan *apigw.UsagePlan, ops []PatchOperation) (remaining int, changed bool, err error) {
	p := patch(ops, patches{"/remaining": {"replace", func(p *draft.Problems, op PatchOperation) {
		integer(p, op, &remaining)
		changed = true
		switch {
		case plan.Quota == nil:
			p.Bad("", "Usage Plan %s has no quota, so that there is nothing remaining", plan.ID)
		case remaining < 0:
			badValue(p, op, "a whole number that is not negative")
		}
	}}})
	return remaining, changed, p.Err()
}
