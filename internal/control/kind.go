package control

import (
	"context"
	"regexp"

	"cleat/internal/apigw"
	"cleat/internal/draft"
)

// create puts one in and returns what became of it. check, which may be nil, objects to more than Put does.
func create[T any](ctx context.Context, c *Control, api apigw.APIID, k *draft.Kind[T], v T, check func(d *draft.API, v *T) draft.Problems) (T, error) {
	var out T
	err := c.change(ctx, api, func(d *draft.API) draft.Problems {
		p := k.Put(d, v).Held(c.o.Unlimited)
		if check != nil {
			p = append(p, check(d, &v)...)
		}
		if made := k.Find(d, k.ID(&v)); made != nil {
			out = *made
		}
		return p
	})
	if err != nil {
		out = *new(T)
	}
	return out, err
}

// update replaces one by what edit makes of it and returns what became of it. changed, which may be nil, adjusts the new
// one and objects to what must not be changed.
func update[T any](ctx context.Context, c *Control, api apigw.APIID, k *draft.Kind[T], id string, edit func(T) (T, error), changed func(d *draft.API, before, after *T) draft.Problems) (T, error) {
	var out T
	err := c.change(ctx, api, func(d *draft.API) draft.Problems {
		have := k.Find(d, id)
		if have == nil {
			return draft.Failed(k.Unknown(id))
		}
		before := *have
		after, err := edit(before)
		if err != nil {
			return draft.Failed(err)
		}
		var p draft.Problems
		if changed != nil {
			p = changed(d, &before, &after)
		}
		k.Drop(d, func(v *T) bool { return k.ID(v) == id }) // or it would be in its own way
		p = append(p, k.Put(d, after).Held(c.o.Unlimited)...)
		if made := k.Find(d, id); made != nil {
			out = *made
		}
		return p
	})
	if err != nil {
		out = *new(T)
	}
	return out, err
}

// remove deletes one. check, which may be nil, objects, or takes along what belongs to it.
func remove[T any](ctx context.Context, c *Control, api apigw.APIID, k *draft.Kind[T], id string, check func(d *draft.API, v *T) draft.Problems) error {
	return c.change(ctx, api, func(d *draft.API) draft.Problems {
		v := k.Find(d, id)
		if v == nil {
			return draft.Failed(k.Unknown(id))
		}
		if check != nil {
			if p := check(d, v); len(p) > 0 {
				return p
			}
		}
		k.Drop(d, func(v *T) bool { return k.ID(v) == id })
		return nil
	})
}

var idPattern = regexp.MustCompile(`^[A-Za-z0-9]{1,64}$`)

// isID tells whether a text may be an identifier; what comes from a request's path may be anything.
func isID(s string) bool { return idPattern.MatchString(s) }
