package store_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"cleat/internal/apigw"
	"cleat/internal/store"
	"cleat/internal/store/memory"
)

// TestEqual: what is written alike is alike; what cannot be written is like nothing.
func TestEqual(t *testing.T) {
	route := func(models map[string]string) apigw.Route { return apigw.Route{RouteKey: "say", RequestModels: models} }
	for name, tt := range map[string]struct {
		a, b apigw.Route
		want bool
	}{
		"the same":      {route(map[string]string{"a": "b"}), route(map[string]string{"a": "b"}), true},
		"nil and empty": {route(nil), route(map[string]string{}), true},
		"another":       {route(nil), route(map[string]string{"a": "b"}), false},
	} {
		if got := store.Equal(tt.a, tt.b); got != tt.want {
			t.Errorf("%s: got %v", name, got)
		}
	}
	if store.Equal(math.NaN(), math.NaN()) {
		t.Error("what is no JSON equals itself")
	}
}

// TestDeleteTree: with an API goes all that belongs to it, the definitions of its deployments included, and nothing of
// others; an API that somebody has changed meanwhile stays.
func TestDeleteTree(t *testing.T) {
	s := store.New(memory.New())
	commit(t, s, fill)
	before, _, err := s.Entries(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	late, err := s.Tree(t.Context(), api)
	if err != nil {
		t.Fatal(err)
	}
	commit(t, s, func(b *store.Batch) { store.Put(b, store.APIs().Key(string(api)), late.API, store.Expect{}) })
	var b store.Batch
	late.Delete(&b)
	if _, err := s.Commit(t.Context(), &b); !errors.Is(err, store.ErrConflict) {
		t.Errorf("a tree of before: %v, want a conflict", err)
	}
	tree, err := s.Tree(t.Context(), api)
	if err != nil {
		t.Fatal(err)
	}
	commit(t, s, tree.Delete)
	left, _, err := s.Entries(t.Context())
	if err != nil || len(left) != len(before)-len(tree.Keys)-len(tree.Deployments) {
		t.Errorf("%d of %d entries are left, %v", len(left), len(before), err)
	}
	for _, e := range left {
		if strings.Contains(e.Key, string(api)) {
			t.Errorf("%s is left", e.Key)
		}
	}
}
