//go:build e2e

package e2e_test

import (
	"testing"
	"time"
)

// A project without bundling is ready in a moment. The promise is 150 ms on an idle machine; the best of some starts is
// what a busy one can be held to.
func TestStartUp(t *testing.T) {
	const promised = 150 * time.Millisecond
	best := time.Hour
	for range 5 {
		started := time.Now()
		d := startDev(t, "recorder", options{})
		best = min(best, time.Since(started))
		d.stop()
		if best <= promised {
			break
		}
	}
	t.Logf("from the start of the process to healthz: %v", best)
	if best > 2*promised {
		t.Errorf("the best of five starts took %v, promised are %v", best, promised)
	}
}
