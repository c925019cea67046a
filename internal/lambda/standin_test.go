//go:build unix

package lambda_test

import (
	"bufio"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

var (
	timePattern = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z`)
	logStream   = regexp.MustCompile(`^\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}$`)
)

// killedStandIn runs TestWorkersDieWithCleat in a process of its own, kills that while its worker is busy, and returns
// the worker's ID.
func killedStandIn(t *testing.T, dir string) string {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestWorkersDieWithCleat$")
	cmd.Env = append(os.Environ(), "CLEAT_TEST_STAND_IN="+dir)
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
		pid = strings.TrimPrefix(lines.Text(), "worker ")
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if pid == "" {
		t.Fatal("the stand-in started no worker")
	}
	if !alivePattern.MatchString(pid) {
		t.Fatalf("the stand-in said %q", pid)
	}
	return pid
}

var alivePattern = regexp.MustCompile(`^\d+$`)
