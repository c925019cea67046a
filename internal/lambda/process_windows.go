package lambda

import (
	"fmt"
	"os/exec"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

// processGroup is a process with all that it starts: a job object, which the system empties when Cleat ends.
type processGroup struct {
	mu  sync.Mutex
	job windows.Handle // zero when it is closed
}

func (g *processGroup) start(cmd *exec.Cmd) error {
	job, err := windows.CreateJobObject(nil, nil)
	if err != nil {
		return fmt.Errorf("make a job object: %w", err)
	}
	g.job = job
	limits := windows.JOBOBJECT_EXTENDED_LIMIT_INFORMATION{}
	limits.BasicLimitInformation.LimitFlags = windows.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE
	_, err = windows.SetInformationJobObject(job, windows.JobObjectExtendedLimitInformation, uintptr(unsafe.Pointer(&limits)), uint32(unsafe.Sizeof(limits)))
	if err != nil {
		g.close()
		return fmt.Errorf("set up a job object: %w", err)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: windows.CREATE_NEW_PROCESS_GROUP} // Ctrl-C is for Cleat alone
	if err := cmd.Start(); err != nil {
		g.close()
		return err
	}
	if err := g.assign(cmd); err != nil {
		_ = cmd.Process.Kill() // the first error says more
		_ = cmd.Wait()
		g.close()
		return err
	}
	return nil
}

func (g *processGroup) assign(cmd *exec.Cmd) error {
	process, err := windows.OpenProcess(windows.PROCESS_SET_QUOTA|windows.PROCESS_TERMINATE, false, uint32(cmd.Process.Pid))
	if err != nil {
		return fmt.Errorf("open the new process: %w", err)
	}
	err = windows.AssignProcessToJobObject(g.job, process)
	if closed := windows.CloseHandle(process); err == nil {
		err = closed
	}
	if err != nil {
		return fmt.Errorf("put the new process into its job object: %w", err)
	}
	return nil
}

// wait waits for the end of the process, kills what it left behind and reads its output to the end.
func (g *processGroup) wait(cmd *exec.Cmd) error {
	err := cmd.Wait()
	g.close()
	return err
}

func (g *processGroup) kill(*exec.Cmd) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.job != 0 {
		_ = windows.TerminateJobObject(g.job, 1) // fails only when nothing is left in it
	}
}

func (g *processGroup) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.job != 0 {
		_ = windows.CloseHandle(g.job) // kills what is left
		g.job = 0
	}
}
