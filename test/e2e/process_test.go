//go:build e2e

package e2e_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// process is one running `cleat`, of any command that goes on until it is told to end.
type process struct {
	t     *testing.T
	name  string // "cleat dev"
	cmd   *exec.Cmd
	log   *transcript
	ended chan struct{} // closed when the process has ended; err is readable then
	err   error
	// fault is a line of Cleat's own log that asks somebody to act: nothing in these tests may be the cause of one.
	fault *regexp.Regexp
}

// startProcess runs `cleat` with args, of which the first is its command, in dir.
func startProcess(t *testing.T, dir string, fault *regexp.Regexp, env []string, args ...string) *process {
	t.Helper()
	p := &process{t: t, name: "cleat " + args[0], log: newTranscript(), ended: make(chan struct{}), fault: fault}
	p.cmd = exec.CommandContext(context.Background(), built.cleat, args...)
	p.cmd.Dir, p.cmd.Env = dir, append(cleanEnv(), env...)
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", p.name, err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	return p
}

// in is p for a subtest, whose failures are then the subtest's own.
func (p *process) in(t *testing.T) *process {
	t.Helper()
	sub := *p
	sub.t = t
	return &sub
}

// eventually polls until check answers nil, and fails the test when that takes too long or the process ends.
func (p *process) eventually(what string, check func() error) {
	p.t.Helper()
	if err := poll(check, p.ended); err != nil {
		p.t.Fatalf("%s: %v", what, err)
	}
}

// interrupt sends what Ctrl-C sends.
func (p *process) interrupt() {
	p.t.Helper()
	p.signal(syscall.SIGINT)
}

func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatalf("send %v to %s: %v", s, p.name, err)
	}
}

// wait waits for the process to end and returns its exit code, -1 if a signal ended it.
func (p *process) wait() int {
	p.t.Helper()
	select {
	case <-p.ended:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(patience):
		p.t.Fatalf("%s did not end within %v", p.name, patience)
		return -1
	}
}

// finish ends a process that the test left running, and shows its log when the test failed.
func (p *process) finish() {
	select {
	case <-p.ended:
	default:
		p.stop()
	}
	for line := range strings.Lines(p.log.text()) {
		if p.fault.MatchString(line) {
			p.t.Errorf("%s reports an error of its own: %s", p.name, line)
		}
	}
	if p.t.Failed() {
		p.t.Logf("what %s printed:\n%s", p.name, p.log.text())
	}
}

func (p *process) stop() {
	if err := p.cmd.Process.Signal(syscall.SIGINT); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Errorf("interrupt %s: %v", p.name, err)
	}
	select {
	case <-p.ended:
		if code := p.cmd.ProcessState.ExitCode(); code != 0 {
			p.t.Errorf("%s ended with %v after Ctrl-C, want exit code 0", p.name, p.cmd.ProcessState)
		}
	case <-time.After(patience):
		p.t.Errorf("%s did not end within %v of Ctrl-C", p.name, patience)
		if err := p.cmd.Process.Kill(); err != nil {
			p.t.Error(err)
		}
		<-p.ended
	}
}
