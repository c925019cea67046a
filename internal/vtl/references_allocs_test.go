//go:build !race

package vtl_test

import (
	"testing"

	"cleat/internal/vtl"
)

// TestReferencesAllocate: such a template prints into the room that there is, but for the digits of its number.
func TestReferencesAllocate(t *testing.T) {
	template, err := vtl.Parse(`{"from":"$context.connectionId","route":"$context.routeKey","at":$context.requestTimeEpoch}`)
	if err != nil {
		t.Fatal(err)
	}
	in, out := testInput(""), make([]byte, 0, 256)
	n := testing.AllocsPerRun(100, func() {
		if out, err = template.Render(out[:0], in); err != nil {
			t.Fatal(err)
		}
	})
	if n > 1 {
		t.Errorf("%v allocations, want 1 at most", n)
	}
}
