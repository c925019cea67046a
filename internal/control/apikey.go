package control

import (
	"context"
	"errors"
	"strconv"

	"cleat/internal/apigw"
	"cleat/internal/draft"
	"cleat/internal/store"
)

// Lengths of identifiers (spec control-plane §14).
const (
	keyIDLength  = 10
	planIDLength = 6
)

// changeUsage makes one change of the API keys, usage plans and the account, and commits it. Changes through one Control
// take turns, so that they conflict with those of other nodes and of templates alone.
func (c *Control) changeUsage(ctx context.Context, edit func(u *draft.Usage) (draft.Problems, error)) error {
	c.usageChanges.Lock()
	defer c.usageChanges.Unlock()
	return draft.Retry(func() error {
		u, err := draft.LoadUsage(ctx, c.store)
		if err != nil {
			return err
		}
		p, err := edit(u)
		if err == nil {
			err = p.Held(c.o.Unlimited).Err()
		}
		if err != nil {
			return err
		}
		var b store.Batch
		u.Write(&b)
		return c.commit(ctx, &b)
	})
}

func unknownKey(id string) *apigw.Error {
	return &apigw.Error{Kind: apigw.KindNotFound, Message: "Invalid API Key identifier specified " + id}
}

// CreateAPIKey makes an API key (spec control-plane §14). ID, dates and an absent value are filled in.
func (c *Control) CreateAPIKey(ctx context.Context, k apigw.APIKey) (apigw.APIKey, error) {
	k.ID, k.CreatedDate = draft.NewID(keyIDLength), draft.Now()
	k.LastUpdatedDate = k.CreatedDate
	if k.Value == "" {
		k.Value = draft.NewKeyValue()
	}
	err := c.changeUsage(ctx, func(u *draft.Usage) (draft.Problems, error) { return u.PutKey(k), nil })
	if err != nil {
		return apigw.APIKey{}, err
	}
	return k, nil
}

// APIKeys returns all API keys, ordered by ID.
func (c *Control) APIKeys(ctx context.Context) ([]apigw.APIKey, error) {
	return store.List(ctx, c.store, store.APIKeys())
}

// APIKey returns an API key. An unknown one is an *apigw.Error of KindNotFound.
func (c *Control) APIKey(ctx context.Context, id string) (apigw.APIKey, error) {
	k, err := get(ctx, c, store.APIKeys(), id)
	if errors.Is(err, store.ErrNotFound) {
		return k, unknownKey(id)
	}
	return k, err
}

// get returns a member of a collection by an ID that somebody has sent. It fails with store.ErrNotFound.
func get[T any](ctx context.Context, c *Control, of store.Collection[T], id string) (T, error) {
	if !isID(id) {
		var none T
		return none, store.ErrNotFound
	}
	v, _, err := store.Get(ctx, c.store, of.Key(id))
	return v, err
}

// UpdateAPIKey changes an API key by patch operations: all of them, or none where one is refused.
func (c *Control) UpdateAPIKey(ctx context.Context, id string, ops []PatchOperation) (apigw.APIKey, error) {
	var out apigw.APIKey
	err := c.changeUsage(ctx, func(u *draft.Usage) (draft.Problems, error) {
		have := u.Key(id)
		if have == nil {
			return nil, unknownKey(id)
		}
		out = *have
		if p := patch(ops, keyPatches(&out)); len(p) > 0 {
			return p, nil
		}
		if !store.Equal(out, *have) {
			out.LastUpdatedDate = draft.Now()
		}
		return u.PutKey(out), nil
	})
	if err != nil {
		return apigw.APIKey{}, err
	}
	return out, nil
}

// keyPatches are the paths of an API key that may be changed.
func keyPatches(k *apigw.APIKey) patches {
	return patches{
		"/name":        {"replace", func(_ *draft.Problems, op PatchOperation) { k.Name = op.Value }},
		"/description": {"replace", func(_ *draft.Problems, op PatchOperation) { k.Description = op.Value }},
		"/customerId":  {"replace", func(_ *draft.Problems, op PatchOperation) { k.CustomerID = op.Value }},
		"/enabled": {"replace", func(p *draft.Problems, op PatchOperation) {
			on, err := strconv.ParseBool(op.Value)
			if err != nil {
				badValue(p, op, "true or false")
			}
			k.Enabled = on
		}},
		// Stages are a key's no more: AWS takes them where no usage plan ever was, and there they have no effect.
		"/stages": {"add remove", func(p *draft.Problems, op PatchOperation) {
			p.Bad("", "Invalid patch path '/stages' specified for op '%s'. A key is good for the stages of its usage plans", op.Op)
		}},
	}
}

// DeleteAPIKey deletes an API key and takes it out of its usage plans.
func (c *Control) DeleteAPIKey(ctx context.Context, id string) error {
	return c.changeUsage(ctx, func(u *draft.Usage) (draft.Problems, error) {
		if u.Key(id) == nil {
			return nil, unknownKey(id)
		}
		u.DropKey(id)
		return nil, nil
	})
}
