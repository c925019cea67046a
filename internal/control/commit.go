package control

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"cleat/internal/apigw"
	"cleat/internal/cfn"
	"cleat/internal/store"
)

// commit writes everything at once.
func (a *application) commit(ctx context.Context, c *Control) error {
	var b store.Batch
	for _, id := range a.order {
		a.drafts[id].write(&b)
	}
	if a.usage != nil {
		a.usage.write(&b)
	}
	a.domains.write(&b)
	if err := a.writeFunctions(ctx, c, &b); err != nil {
		return err
	}
	if err := a.writeDeletions(ctx, c, &b); err != nil {
		return err
	}
	if a.stack.Former != "" && a.stack.Former != a.stack.Name {
		store.Delete(&b, store.Stacks().Key(a.stack.Former), store.Expect{})
	}
	key, record := store.Stacks().Key(a.stack.Name), store.Stack{Name: a.stack.Name, Resources: a.made}
	if b.Len() == 0 && equal(record, a.record) {
		return nil
	}
	expect := store.Absent()
	if a.revision != 0 {
		expect = store.At(a.revision)
	}
	store.Put(&b, key, record, expect)
	_, err := c.store.Commit(ctx, &b)
	if errors.Is(err, store.ErrInvalid) {
		return fmt.Errorf("stack %s is too large for one change of the store: %w", a.stack.Name, err)
	}
	return err
}

// writeFunctions writes the functions that changed, and refuses those of another stack.
func (a *application) writeFunctions(ctx context.Context, c *Control, b *store.Batch) error {
	var faults cfn.Faults
	owned := a.before()
	for _, f := range a.outcome.Functions {
		key := store.Functions().Key(f.Name)
		have, revision, err := store.Get(ctx, c.store, key)
		switch {
		case errors.Is(err, store.ErrNotFound):
			store.Put(b, key, f, store.Absent())
		case err != nil:
			return err
		case !owned[key.String()]:
			faults.Addf(a.functionPlaces[f.Name], "function %s exists already and does not belong to stack %s", f.Name, a.stack.Name)
		case !equal(have, f):
			store.Put(b, key, f, store.At(revision))
		}
	}
	return faults.Err()
}

// wanted are the keys in the store of all that the template has.
func (a *application) wanted() []string { return slices.Collect(maps.Values(a.made)) }

// writeDeletions deletes the functions and the whole APIs that the stack had and no longer has. What it had inside of
// other APIs is gone from their drafts.
func (a *application) writeDeletions(ctx context.Context, c *Control, b *store.Batch) error {
	wanted := a.wanted()
	for _, logicalID := range sortedKeys(a.record.Resources) {
		key := a.record.Resources[logicalID]
		parts := strings.Split(key, "/")
		switch {
		case slices.Contains(wanted, key), parts[0] == "domainnames": // a.domains has those
		case parts[0] != "apis":
			b.DeleteKey(key)
		case len(parts) == 2:
			t, err := c.store.Tree(ctx, apigw.APIID(parts[1]))
			if errors.Is(err, store.ErrNotFound) {
				continue // somebody deleted it by hand
			}
			if err != nil {
				return err
			}
			deleteAPI(b, t)
		}
	}
	return nil
}

// visitOthers makes drafts of the APIs of others in which this stack had something before and has nothing now: a draft
// begins without it.
func (a *application) visitOthers(ctx context.Context, c *Control) error {
	own := a.before()
	for _, logicalID := range sortedKeys(a.record.Resources) {
		parts := strings.Split(a.record.Resources[logicalID], "/")
		if parts[0] != "apis" || len(parts) == 2 || own[parts[0]+"/"+parts[1]] {
			continue
		}
		if _, err := a.draft(ctx, c, apigw.APIID(parts[1])); err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
	return nil
}
