package peer

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
)

// isolate gives a program a group of its own, so that its children can be ended with it, and has the kernel ask it to
// end when this process is gone.
func isolate(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}

// signalGroup sends a signal to a program that isolate has prepared, and its children. None being left is no error.
func signalGroup(p *os.Process, s syscall.Signal) error {
	if err := syscall.Kill(-p.Pid, s); err != nil && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	return nil
}
