package stacks

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"cleat/internal/apigw"
	"cleat/internal/cfn"
	"cleat/internal/draft"
	"cleat/internal/store"
)

// commit writes everything at once, unless nothing changes or this is a dry run: then what it returns is nil. What it
// returns can take the commit back.
func (a *application) commit(ctx context.Context) (*undo, error) {
	var b store.Batch
	for _, id := range a.order {
		a.drafts[id].Write(&b)
	}
	if a.usage != nil {
		a.usage.Write(&b)
	}
	a.domains.Write(&b)
	if err := a.writeFunctions(ctx, &b); err != nil {
		return nil, err
	}
	if err := a.writeDeletions(ctx, &b); err != nil {
		return nil, err
	}
	if a.stack.Former != "" && a.stack.Former != a.stack.Name {
		store.Delete(&b, store.Stacks().Key(a.stack.Former), store.Expect{})
	}
	a.writeRecord(&b)
	before, err := a.valuesOf(ctx, &b)
	if err != nil {
		return nil, err
	}
	a.plan(&b, before)
	if err := a.checkServing(ctx); err != nil {
		return nil, err
	}
	if b.Len() == 0 || a.stack.DryRun {
		return nil, nil
	}
	_, err = a.store.Commit(ctx, &b)
	if errors.Is(err, store.ErrInvalid) {
		return nil, fmt.Errorf("stack %s is too large for one change of the store: %w", a.stack.Name, err)
	}
	return &undo{batch: &b, before: before}, err
}

// writeRecord writes what the stack is made of, or deletes that with the stack.
func (a *application) writeRecord(b *store.Batch) {
	key, record := store.Stacks().Key(a.stack.Name), store.Stack{Name: a.stack.Name, Resources: a.made, Outputs: a.outputs}
	if b.Len() == 0 && a.revision != 0 && !a.deleting && store.Equal(record, a.record) {
		return
	}
	expect := store.Absent()
	if a.revision != 0 {
		expect = store.At(a.revision)
	}
	if a.deleting {
		store.Delete(b, key, expect)
	} else {
		store.Put(b, key, record, expect)
	}
}

// writeFunctions writes the functions that changed, and refuses those of another stack.
func (a *application) writeFunctions(ctx context.Context, b *store.Batch) error {
	var faults cfn.Faults
	owned := a.before()
	for _, f := range a.outcome.Functions {
		key := store.Functions().Key(f.Name)
		have, revision, err := store.Get(ctx, a.store, key)
		switch {
		case errors.Is(err, store.ErrNotFound):
			f.LastModified = draft.Now()
			store.Put(b, key, f, store.Absent())
		case err != nil:
			return err
		case !owned[key.String()]:
			faults.Addf(a.functionPlaces[f.Name], "function %s exists already and does not belong to stack %s", f.Name, a.stack.Name)
		default:
			if f = successor(&have, f); !store.Equal(have, f) {
				f.LastModified = draft.Now()
				store.Put(b, key, f, store.At(revision))
			}
		}
	}
	return faults.Err()
}

// successor is a template's function with what others have made of the one before it and the template does not say.
func successor(have *apigw.Function, f apigw.Function) apigw.Function {
	f.LastVersion, f.LastModified = have.LastVersion, have.LastModified
	if f.Tags == nil {
		f.Tags = have.Tags
	}
	return f
}

// wanted are the keys in the store of all that the template has.
func (a *application) wanted() []string { return slices.Collect(maps.Values(a.made)) }

// writeDeletions deletes the functions and the whole APIs that the stack had and no longer has. What it had inside of
// other APIs is gone from their drafts.
func (a *application) writeDeletions(ctx context.Context, b *store.Batch) error {
	wanted := a.wanted()
	for _, logicalID := range slices.Sorted(maps.Keys(a.record.Resources)) {
		key := a.record.Resources[logicalID]
		parts := strings.Split(key, "/")
		switch {
		case slices.Contains(wanted, key), parts[0] == "domainnames": // a.domains has those
		case parts[0] == "functions":
			t, err := a.store.FunctionTree(ctx, parts[1])
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				return err
			}
			if err == nil {
				t.Delete(b)
			}
		case parts[0] != "apis":
			b.DeleteKey(key)
		case len(parts) == 2:
			t, err := a.store.Tree(ctx, apigw.APIID(parts[1]))
			if errors.Is(err, store.ErrNotFound) {
				continue // somebody deleted it by hand
			}
			if err != nil {
				return err
			}
			t.Delete(b)
		}
	}
	return nil
}

// visitOthers makes drafts of the APIs of others in which this stack had something before and has nothing now: a draft
// begins without it.
func (a *application) visitOthers(ctx context.Context) error {
	own := a.before()
	for _, logicalID := range slices.Sorted(maps.Keys(a.record.Resources)) {
		parts := strings.Split(a.record.Resources[logicalID], "/")
		if parts[0] != "apis" || len(parts) == 2 || own[parts[0]+"/"+parts[1]] {
			continue
		}
		if _, err := a.draft(ctx, apigw.APIID(parts[1])); err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
	return nil
}
