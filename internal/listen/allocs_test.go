//go:build !race

package listen_test

import (
	"bufio"
	"net/http"
	"strings"
	"testing"

	"cleat/internal/listen"
)

// TestCheckUpgradeAllocates: looking at a handshake costs what it keeps of it.
func TestCheckUpgradeAllocates(t *testing.T) {
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(handshake("Sec-WebSocket-Protocol: a, b"))))
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() {
		if _, err := listen.CheckUpgrade(r); err != nil {
			t.Fatal(err)
		}
	}); n > 2 {
		t.Errorf("%v allocations, want 2 at most", n)
	}
}
