//go:build !race

package gateway_test

import (
	"testing"

	"cleat/internal/apigw"
)

// TestMessageAllocates: a message costs no more than it has to, whoever looks on.
func TestMessageAllocates(t *testing.T) {
	for name, m := range messages {
		t.Run(name, func(t *testing.T) {
			var observe func(*apigw.Record)
			if m.observe != nil {
				observe = m.observe(t)
			}
			if n := testing.AllocsPerRun(200, newMessage(t, m.route, observe)); n > m.allocs {
				t.Errorf("%v allocations, want %v at most", n, m.allocs)
			}
		})
	}
}
