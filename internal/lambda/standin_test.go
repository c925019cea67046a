//go:build unix

package lambda_test

import (
	"bufio"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// killedStandIn runs TestWorkersDieWithCleat in a process of its own, kills that while its worker is busy, and returns
// the worker's ID.
func killedStandIn(t *testing.T, dir string) string {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestWorkersDieWithCleat$")
	cmd.Env = append(os.Environ(), "CLEAT_TEST_STAND_IN="+dir, "TMPDIR="+t.TempDir()) // what the killed process leaves behind goes with the test
	out, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pid := ""
	lines := bufio.NewScanner(out)
	for pid == "" && lines.Scan() {
		if after, ok := strings.CutPrefix(lines.Text(), "worker "); ok {
			pid = after
		}
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if pid == "" {
		t.Fatal("the stand-in started no worker")
	}
	return pid
}
