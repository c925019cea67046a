//go:build !race

package integration_test

import (
	"strings"
	"testing"

	"cleat/internal/apigw"
	"cleat/internal/integration"
)

// TestAWSProxyAllocates: a message to a function costs its event, the context with its time-out, and what the answer is read to.
func TestAWSProxyAllocates(t *testing.T) {
	p, err := integration.Compile(&proxyIntegration, nil, integration.Dependencies{Functions: answering(`{"statusCode":200,"body":"ok"}`)})
	if err != nil {
		t.Fatal(err)
	}
	ev := testEvent(apigw.EventMessage)
	ev.Body = []byte(`{"action":"say","text":"` + strings.Repeat("x", 488) + `"}`)
	var room integration.Room
	if n := testing.AllocsPerRun(500, func() {
		if _, err := p.Do(t.Context(), ev, &room); err != nil {
			t.Fatal(err)
		}
		room.Leave()
	}); n > 8 {
		t.Errorf("%v allocations, want 8 at most", n)
	}
}
