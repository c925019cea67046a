package stacks_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"cleat/internal/apigw"
	"cleat/internal/control/stacks"
	"cleat/internal/store"
	"cleat/internal/store/memory"
	"cleat/internal/store/storetest"
)

// TestConflicts: a template gets in when others are quicker a few times, and is told of it when they always are.
func TestConflicts(t *testing.T) {
	for name, tt := range map[string]struct {
		refusals int
		ok       bool
	}{"now and then": {2, true}, "always": {1000, false}} {
		t.Run(name, func(t *testing.T) {
			b := &storetest.Busy{Driver: memory.New(), Refusals: tt.refusals}
			_, err := stacks.New(store.New(b), stacks.Options{}).Apply(t.Context(), stack(t, chat))
			if tt.ok != (err == nil) || !tt.ok && (apigw.KindOf(err) != apigw.KindConflict || !strings.Contains(err.Error(), "Unable to complete operation due to concurrent modification.")) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestUnlimited: a node may lift the quotas that AWS raises on request.
func TestUnlimited(t *testing.T) {
	w := newWorld(t)
	more := chat
	for i := range apigw.QuotaStages + 1 {
		more += fmt.Sprintf("  More%d: {Type: \"AWS::ApiGatewayV2::Stage\", Properties: {ApiId: !Ref Api, StageName: s%d}}\n", i, i)
	}
	if _, err := w.stacks.Apply(t.Context(), stack(t, more)); err == nil {
		t.Error("a template with many stages passes the quotas")
	}
	if _, err := stacks.New(w.store, stacks.Options{Unlimited: true}).Apply(t.Context(), stack(t, more)); err != nil {
		t.Errorf("a template with many stages: %v", err)
	}
}

func TestEndedContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := newWorld(t).stacks.Apply(ctx, stack(t, chat)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
