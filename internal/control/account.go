package control

import (
	"context"
	"errors"
	"strings"

	"cleat/internal/apigw"
	"cleat/internal/draft"
	"cleat/internal/store"
)

// Account returns what holds for the node as a whole (spec control-plane §14).
func (c *Control) Account(ctx context.Context) (apigw.Account, error) {
	a, _, err := store.Get(ctx, c.store, store.Account())
	if errors.Is(err, store.ErrNotFound) {
		err = nil
	}
	return a, err
}

// UpdateAccount changes the account by patch operations.
func (c *Control) UpdateAccount(ctx context.Context, ops []PatchOperation) (apigw.Account, error) {
	var out apigw.Account
	err := c.changeUsage(ctx, func(u *draft.Usage) (draft.Problems, error) {
		p := patch(ops, accountPatches(&u.Account))
		out = u.Account
		return p, nil
	})
	if err != nil {
		return apigw.Account{}, err
	}
	return out, nil
}

// maxRoleARN bounds the ARN of the account's role, in characters.
const maxRoleARN = 2048

// accountPatches are the paths of the account that may be changed.
func accountPatches(a *apigw.Account) patches {
	return patches{
		"/cloudwatchRoleArn": {"replace remove add", func(p *draft.Problems, op PatchOperation) {
			if op.Op == "remove" {
				op.Value = ""
			}
			// Its parts are partition, service, region, account and resource. Terraform resets it with an empty text.
			parts := strings.SplitN(op.Value, ":", 6)
			if op.Value != "" && (len(parts) < 6 || parts[0] != "arn" || parts[2] != "iam" || !strings.HasPrefix(parts[5], "role/") || len(op.Value) > maxRoleARN) {
				p.Bad("cloudwatchRoleArn", "The role ARN is not well formed")
			}
			a.CloudWatchRoleARN = op.Value
		}},
		// Usage plans are a feature of every account since 2016.
		"/features": {"add remove", func(p *draft.Problems, op PatchOperation) {
			if op.Op == "remove" || op.Value != "UsagePlans" {
				badValue(p, op, "UsagePlans, which cannot be removed")
			}
		}},
	}
}
