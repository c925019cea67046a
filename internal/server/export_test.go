package server

import (
	"context"

	"cleat/internal/store"
)

// Effect is effect, for its test.
type Effect struct{ effect }

// EffectTimeout is effectTimeout.
const EffectTimeout = effectTimeout

// Reach is reach.
func (e *Effect) Reach(r store.Revision) { e.reach(r) }

// Await is await.
func (e *Effect) Await(ctx context.Context, r store.Revision) { e.await(ctx, r) }
