//go:build !race

package socket_test

import "testing"

// With the race detector a sync.Pool drops some of what it is given, at random.
func TestAcceptAllocations(t *testing.T) {
	ln := listenOurs(t, "127.0.0.1:0")
	if got := testing.AllocsPerRun(100, func() { _ = ln.AcceptNow() }); got > 0 {
		t.Errorf("%v allocations to find nothing, want none", got)
	}
}
