package store

import (
	"context"
	"fmt"
	"strings"

	"cleat/internal/apigw"
)

// FunctionTree is a function with all that belongs to it, as it was at one revision. Slices are ordered by key.
type FunctionTree struct {
	Function apigw.Function
	Versions []apigw.Function
	Aliases  []apigw.FunctionAlias
	Policies []apigw.FunctionPolicy

	// Revision is that of the function's own entry. Who changes anything below it writes it with At(Revision) as well, so
	// that of two concurrent changes one sees the other.
	Revision Revision
	// Keys are the store's keys of all of it.
	Keys []string
}

// FunctionTree returns a function with all that belongs to it. It fails with ErrNotFound.
func (s *Store) FunctionTree(ctx context.Context, name string) (*FunctionTree, error) {
	trees, _, err := s.functionTrees(ctx, Functions().Key(name).path)
	if err != nil {
		return nil, err
	}
	for _, t := range trees {
		if t.Function.Name == name {
			return t, nil
		}
	}
	return nil, fmt.Errorf("function %s: %w", name, ErrNotFound)
}

// FunctionTrees returns all functions, as they were at the revision that it returns.
func (s *Store) FunctionTrees(ctx context.Context) ([]*FunctionTree, Revision, error) {
	return s.functionTrees(ctx, functionsPrefix)
}

func (s *Store) functionTrees(ctx context.Context, prefix string) ([]*FunctionTree, Revision, error) {
	entries, revision, err := s.driver.List(ctx, prefix)
	if err != nil {
		return nil, 0, err
	}
	byName := map[string]*FunctionTree{}
	var trees []*FunctionTree
	for _, e := range entries {
		name, rest, _ := strings.Cut(strings.TrimPrefix(e.Key, functionsPrefix), "/")
		t := byName[name]
		if t == nil {
			t = &FunctionTree{}
			byName[name] = t
			trees = append(trees, t)
		}
		if err := t.add(e, rest); err != nil {
			return nil, 0, err
		}
	}
	return trees, revision, nil
}

// Delete adds the deletion of the function and of all that belongs to it.
func (t *FunctionTree) Delete(b *Batch) {
	key := Functions().Key(t.Function.Name)
	Delete(b, key, At(t.Revision))
	for _, k := range t.Keys {
		if k != key.path {
			b.DeleteKey(k)
		}
	}
}

// add takes in one entry; rest is its key below the function, empty for the function itself.
func (t *FunctionTree) add(e Entry, rest string) error {
	t.Keys = append(t.Keys, e.Key)
	segment, _, _ := strings.Cut(rest, "/")
	switch segment {
	case "":
		t.Revision = e.Revision
		return decode(e, &t.Function)
	case versionsSegment:
		return appendDecoded(e, &t.Versions)
	case aliasesSegment:
		return appendDecoded(e, &t.Aliases)
	case policiesSegment:
		return appendDecoded(e, &t.Policies)
	}
	return fmt.Errorf("the store holds %s, which this version does not know", e.Key)
}
