//go:build !race && unix

package backend_test

import (
	"context"
	"testing"
	"time"

	"cleat/internal/backend"
)

// TestCallAllocates: a call costs its answer, which is what the caller keeps of it, whether or not its context can end.
func TestCallAllocates(t *testing.T) {
	h := newTestHTTP(t, backend.HTTPOptions{})
	call := newCall(t, startBackend(t), 100)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if n := testing.AllocsPerRun(500, func() {
		call.Deadline = time.Now().Add(29 * time.Second)
		if _, err := h.Do(ctx, call); err != nil {
			t.Fatal(err)
		}
	}); n > 2 {
		t.Errorf("%v allocations, want 2: the answer, and its header and body in one", n)
	}
}
