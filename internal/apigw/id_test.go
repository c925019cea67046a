package apigw_test

import (
	"encoding/base64"
	"strings"
	"sync"
	"testing"

	"cleat/internal/apigw"
)

// IDs are made in batches by whoever asks; none comes twice, and none changes once it is out (spec data-plane §3).
func TestIDsAreFresh(t *testing.T) {
	const conn = apigw.ConnectionID("L0SM9cOFvHcCIhw=")
	const each = 1000
	all := make([][]string, 4)
	var wg sync.WaitGroup
	for i := range all {
		wg.Go(func() {
			for range each {
				all[i] = append(all[i], strings.Clone(string(apigw.NewRequestID())), apigw.NewMessageID(conn))
			}
		})
	}
	wg.Wait()
	seen := map[string]bool{}
	for _, ids := range all {
		for k, id := range ids {
			if b, err := base64.URLEncoding.DecodeString(id); err != nil || len(b) != 11 {
				t.Fatalf("%q is not the URL-safe base64 of 11 bytes: %v", id, err)
			}
			if message := k%2 == 1; message && !strings.HasSuffix(id, "Ihw=") {
				t.Errorf("message ID %q does not end as its connection's ID", id)
			}
			if seen[id] {
				t.Errorf("%q came twice", id)
			}
			seen[id] = true
		}
	}
}
