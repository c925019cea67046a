//go:build e2e

package e2e_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

const cdkModules = "../../examples/cdk-chat/node_modules"

// TestExampleSAMChat runs a SAM template as its author deploys it.
func TestExampleSAMChat(t *testing.T) {
	checkTelling(t, startDevIn(t, copyProject(t, "../../examples/sam-chat", ""), options{}), `{"told": true}`, `{"from": %q, "text": "hello"}`)
}

// TestExampleCDKChat synthesizes a CDK app of two stacks and runs it; another `cdk synth` takes effect in connections that are open.
func TestExampleCDKChat(t *testing.T) {
	dir := copyProject(t, "../../examples/cdk-chat", cdkModules)
	synthesize(t, dir, "node bin/app.js")
	d := startDevIn(t, dir, options{})
	checkTelling(t, d, `{"told":true}`, `{"from":%q,"text":"hello"}`)

	c, _ := d.connect()
	before := d.log.length()
	d.edit("lib/chat-stack.js", "body: event.requestContext.connectionId", "body: event.requestContext.stage")
	synthesize(t, dir, "node bin/app.js")
	d.awaitLog(before, "reloaded")
	d.eventually("the new code answers", func() error {
		if got := c.ask(`{"action":"whoami"}`); got != "dev" {
			return fmt.Errorf("answered %s", got)
		}
		return nil
	})
}

// checkTelling has one client write to another.
func checkTelling(t *testing.T, d *dev, told, received string) {
	t.Helper()
	ada, adaID := d.connect()
	grace, graceID := d.connect()
	if got := ada.ask(fmt.Sprintf(`{"action":"tell","to":%q,"text":"hello"}`, graceID)); got != told {
		t.Errorf("received %s, want %s", got, told)
	}
	if got, want := grace.receive(), fmt.Sprintf(received, adaID); got != want {
		t.Errorf("received %s, want %s", got, want)
	}
}

// synthesize runs `cdk synth`, which needs no network and no account.
func synthesize(t *testing.T, dir, app string) {
	t.Helper()
	modules, err := filepath.Abs(cdkModules)
	if err != nil {
		t.Fatal(err)
	}
	runIn(t, dir, filepath.Join(modules, ".bin", "cdk"), "synth", "--quiet", "--no-notices", "--app", app)
}

// runIn runs a tool in a project's folder.
func runIn(t *testing.T, dir, program string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Dir = dir
	cmd.Env = append(cleanEnv(), "CI=1", "SLS_TELEMETRY_DISABLED=1", "SLS_NOTIFICATIONS_MODE=off", "E2E_EVENTS="+filepath.Join(dir, "events.jsonl"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s %q: %v\n%s", program, args, err, out)
	}
}

// replaceProject puts another project file in place of serverless.yml.
func replaceProject(t *testing.T, dir, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, filepath.Base(file)), text, 0o600)
	}
	if err == nil {
		err = os.Remove(filepath.Join(dir, "serverless.yml"))
	}
	if err != nil {
		t.Fatal(err)
	}
}
