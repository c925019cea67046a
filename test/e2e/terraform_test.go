//go:build e2e

package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// terraform is a folder of Terraform's, applied to a node.
type terraform struct {
	t    *testing.T
	node *serve
	dir  string
}

// run runs Terraform for a revision of the app, and returns its exit code and what it printed. It starts the provider anew, which takes its
// time.
func (tf *terraform) run(revision string, args ...string) (code int, out string) {
	tf.t.Helper()
	ctx, cancel := context.WithTimeout(tf.t.Context(), 12*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "terraform", args...)
	cmd.Dir = tf.dir
	cmd.Env = append(append(cleanEnv(), tf.node.key...), "TF_IN_AUTOMATION=yes", "CHECKPOINT_DISABLE=yes",
		"TF_VAR_endpoint="+tf.node.endpoint(), "TF_VAR_region="+region, "TF_VAR_revision="+revision)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGINT) } // so that it ends the provider too
	cmd.WaitDelay = patience
	printed, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		tf.t.Fatalf("terraform %s: %v\n%s", args[0], err, printed)
	}
	if exit != nil {
		printed = append(printed, exit.Stderr...)
	}
	return cmd.ProcessState.ExitCode(), string(printed)
}

func (tf *terraform) must(revision string, args ...string) string {
	tf.t.Helper()
	code, out := tf.run(revision, args...)
	if code != 0 {
		tf.t.Fatalf("terraform %s of %s: exit code %d\n%s", args[0], revision, code, out)
	}
	return out
}

// settled checks that what the node holds is what was applied: a plan would change nothing.
func (tf *terraform) settled(when, revision string) {
	tf.t.Helper()
	if code, out := tf.run(revision, "plan", "-detailed-exitcode", "-no-color", "-input=false"); code != 0 {
		tf.t.Errorf("%s, a plan has exit code %d (2: it shows changes)\n%s", when, code, out)
	}
}

func (tf *terraform) output(name string) string {
	tf.t.Helper()
	return strings.TrimSpace(tf.must("", "output", "-raw", name))
}

// TestTerraform has Terraform's AWS provider itself make, change and destroy an app with every resource that a WebSocket API may
// have: no plan shows a change that nobody made. It runs where there is a terraform that finds the provider, by its own
// means or in the folder that TERRAFORM_PLUGINS names.
func TestTerraform(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("terraform"); err != nil {
		t.Skip("there is no terraform here")
	}
	s := startServe(t)
	tf := &terraform{t: t, node: s, dir: copyProject(t, "testdata/terraform", "")}
	for _, revision := range []string{"v1", "bare", "v2"} {
		code, err := os.ReadFile(zipFile(t, "testdata/life/index.js", revision))
		if err != nil {
			t.Fatal(err)
		}
		writeFile(t, filepath.Join(tf.dir, revision+".zip"), string(code))
	}
	init := []string{"init", "-no-color", "-input=false"}
	if plugins := os.Getenv("TERRAFORM_PLUGINS"); plugins != "" {
		init = append(init, "-plugin-dir="+plugins)
	}
	if code, out := tf.run("v1", init...); code != 0 {
		t.Skipf("terraform finds no AWS provider here (TERRAFORM_PLUGINS may name a folder of one):\n%s", out)
	}

	apply := []string{"apply", "-auto-approve", "-no-color", "-input=false"}
	tf.must("v1", apply...)
	tf.settled("after create", "v1")
	api := tf.output("api_id")
	c := dialSoon(t, s.ws(api, "prod")+"?token=let-me-in")
	if got := c.ask("hello"); got != "v1 got hello" {
		t.Errorf("received %q", got)
	}
	pusher := signWith(tf.output("key_id"), tf.output("key_secret"))
	mustCommand(t, pusher, "", built.cleat, "connections", "--endpoint", s.connections(api, "prod"), "post", s.onlyID(api, "prod"), "pushed")
	if got := c.receive(); got != "pushed" {
		t.Errorf("received %q", got)
	}

	tf.must("bare", apply...)
	tf.settled("after taking away what may be taken away", "bare")
	tf.must("v2", apply...)
	tf.settled("after adding it again", "v2")
	s.eventually("the connection sees the new deployment", func() error {
		if got := c.ask(`{"action": "mock"}`); got != `{"mock": "v2"}` {
			return fmt.Errorf("received %s", got)
		}
		return nil
	})
	c.conn.CloseNow()
	s.restart(syscall.SIGKILL)
	tf.settled("after a restart", "v2")
	tf.must("v2", "destroy", "-auto-approve", "-no-color", "-input=false")
	if status := refused(t, s.ws(api, "prod")); status != 403 {
		t.Errorf("a client of a destroyed API gets %d, want 403", status)
	}
}
