package server_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"cleat/internal/server"
)

// A change is waited for until it is served, but not for ever.
func TestEffect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var e server.Effect
		begun := time.Now()
		go func() {
			time.Sleep(time.Second)
			e.Reach(4)
			time.Sleep(500 * time.Millisecond)
			e.Reach(5)
			e.Reach(3) // an older load that ended late
		}()
		e.Await(t.Context(), 5)
		if took := time.Since(begun); took != 1500*time.Millisecond {
			t.Errorf("waited %s", took)
		}
		synctest.Wait()
		e.Await(t.Context(), 5)
		if took := time.Since(begun); took != 1500*time.Millisecond {
			t.Errorf("waited for what is served: %s", took)
		}
		e.Await(t.Context(), 6)
		if took := time.Since(begun); took != 1500*time.Millisecond+server.EffectTimeout {
			t.Errorf("a change that is never served: waited %s", took)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		e.Await(ctx, 6)
		if took := time.Since(begun); took != 1500*time.Millisecond+server.EffectTimeout {
			t.Errorf("with a context that has ended: waited %s", took)
		}
	})
}
