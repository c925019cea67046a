package storetest

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"

	"cleat/internal/apigw"
	"cleat/internal/store"
)

// Busy is a driver on which somebody else is quicker for as often as Refusals says.
type Busy struct {
	store.Driver

	mu       sync.Mutex
	Refusals int // set before the first commit that is to be refused; guarded by mu from then on
}

// Commit fails with store.ErrConflict while there are Refusals left.
func (b *Busy) Commit(ctx context.Context, changes []store.Change) (store.Revision, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.Refusals > 0 {
		b.Refusals--
		return 0, store.ErrConflict
	}
	return b.Driver.Commit(ctx, changes)
}

// Published is a stage that is served, with its definition decoded.
type Published struct {
	store.Published
	Definition *apigw.Definition
}

// Decode returns a stage with its definition.
func Decode(tb testing.TB, p store.Published) Published {
	tb.Helper()
	d, err := p.Frozen.Definition()
	if err != nil {
		tb.Fatal(err)
	}
	return Published{p, d}
}

// OnlyPublished returns the one stage that a store has to serve.
func OnlyPublished(tb testing.TB, s *store.Store) Published {
	tb.Helper()
	all, err := s.Serving(tb.Context())
	if err != nil || len(all.Stages) != 1 {
		tb.Fatalf("%d stages are published, %v, want 1", len(all.Stages), err)
	}
	return Decode(tb, all.Stages[0])
}

// RouteKeys are those of its definition, in order.
func (p *Published) RouteKeys() string {
	var keys []string
	for _, r := range p.Definition.Routes {
		keys = append(keys, r.RouteKey)
	}
	slices.Sort(keys)
	return strings.Join(keys, " ")
}
