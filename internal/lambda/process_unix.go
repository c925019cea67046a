//go:build unix

package lambda

import (
	"os/exec"
	"sync"
	"syscall"
)

// processGroup is a process with all that it starts.
type processGroup struct {
	mu   sync.Mutex
	gone bool // reaped: its number may belong to somebody else
}

func (g *processGroup) start(cmd *exec.Cmd) error {
	attr := &syscall.SysProcAttr{Setpgid: true}
	dieWithParent(attr)
	cmd.SysProcAttr = attr
	return cmd.Start()
}

// wait waits for the end of the process, kills what it left behind and reads its output to the end.
func (g *processGroup) wait(cmd *exec.Cmd) error {
	if awaitExit(cmd.Process.Pid) {
		g.kill(cmd) // it is not reaped yet, so the number is still its own
		g.reaped()
		return cmd.Wait()
	}
	err := cmd.Wait()
	g.reaped()
	return err
}

func (g *processGroup) reaped() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.gone = true
}

func (g *processGroup) kill(cmd *exec.Cmd) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.gone {
		return
	}
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // fails only when the group has ended
}
