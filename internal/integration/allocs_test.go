//go:build !race && unix

package integration_test

import (
	"testing"

	"cleat/internal/backend"
	"cleat/internal/integration"
)

// TestHTTPProxyAllocates: a message to an HTTP backend costs its request, in one piece, the texts of its headers in another, and its
// answer in two.
func TestHTTPProxyAllocates(t *testing.T) {
	h := backend.NewHTTP(backend.HTTPOptions{})
	t.Cleanup(h.Close)
	for name, tt := range map[string]struct {
		http  integration.HTTP
		bound float64
	}{"shaping": {silent{&backend.Response{Status: 200}}, 2}, "all of it": {h, 4}} {
		if n := testing.AllocsPerRun(500, newProxyCall(t, tt.http)); n > tt.bound {
			t.Errorf("%s: %v allocations, want %v at most", name, n, tt.bound)
		}
	}
}
