//go:build !linux

package peer

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
)

// isolate does nothing: other systems have no group that ends with its parent.
func isolate(*exec.Cmd) {}

// signalGroup ends the program alone, at once.
func signalGroup(p *os.Process, _ syscall.Signal) error {
	if err := p.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}
