//go:build e2e

package e2e_test

import (
	"strings"
	"testing"
)

// A project as it stands in public repositories: callbacks that answer {}, SDK v2, a hard-coded AWS host, a runtime of
// long ago, a plugin that is not there, permissions with pseudo parameters. It runs without a change.
func TestAcceptance(t *testing.T) {
	d := startDev(t, "acceptance", options{modules: "node_modules", env: []string{"AWS_REGION=eu-central-1"}})
	c := dial(t, d.ws(), nil)
	if got := c.ask(`{"action":"ping"}`); got != "pong" {
		t.Errorf("ping: received %q, want pong", got)
	}
	if got, want := c.ask(`{"action":"unheard"}`), `no route for {"action":"unheard"}`; got != want {
		t.Errorf("unknown action: received %q, want %q", got, want)
	}
	if got, want := c.ask(`not JSON`), `no route for not JSON`; got != want {
		t.Errorf("no JSON: received %q, want %q", got, want)
	}
	c.conn.Close(1000, "")
	d.awaitLog(0, "gone") // the function's own output is shown

	log := d.log.text()
	for _, part := range []string{d.ws(), d.endpoint(), "$connect", "$disconnect", "$default", "ping"} {
		if !strings.Contains(log, part) {
			t.Errorf("the log does not show %s", part)
		}
	}
}
