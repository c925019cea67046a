//go:build !race

package awsapi_test

import (
	"testing"

	"cleat/internal/awsapi"
)

func TestVerifyAllocates(t *testing.T) {
	for name, v := range verifications(t) {
		var with awsapi.SigV4
		n := testing.AllocsPerRun(100, func() {
			if err := v.run(&with); err != nil {
				t.Fatal(err)
			}
		})
		if n > v.allocs {
			t.Errorf("%s: %v allocations, want %v at most", name, n, v.allocs)
		}
	}
}
