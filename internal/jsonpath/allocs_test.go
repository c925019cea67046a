package jsonpath_test

import (
	"testing"

	"cleat/internal/jsonpath"
)

// TestEvalDoesNotAllocate: a path without a filter finds what is there.
func TestEvalDoesNotAllocate(t *testing.T) {
	root := parse(t, document(4096))
	p, err := jsonpath.Compile("$.user.name")
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() {
		if _, found, err := evaluate(p, root); err != nil || !found {
			t.Fatal(found, err)
		}
	}); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}
