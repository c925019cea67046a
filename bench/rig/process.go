package rig

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// Target is a server under test: one that Start started, or any other of which the process is known.
type Target struct {
	Name string
	Addr string // host:port
	Path string // of the handshake, such as "/dev"
	TLS  bool
	PID  int
	// CheapTLS leaves the post-quantum key exchange out, which costs half of a handshake and is no part of what stays.
	CheapTLS bool

	cmd   *exec.Cmd
	stdin io.WriteCloser
	out   *bufio.Scanner
}

// Start runs this very program with the arguments that make it serve, "-serve kind", in a process of its own.
func Start(ctx context.Context, kind string, withTLS bool) (*Target, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, "-serve", kind, "-tls="+strconv.FormatBool(withTLS)) //nolint:gosec // G204: this program
	cmd.Stderr = os.Stderr
	cmd.WaitDelay = 5 * time.Second
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	t := &Target{Name: kind, Path: "/", TLS: withTLS, PID: cmd.Process.Pid, cmd: cmd, stdin: stdin, out: bufio.NewScanner(stdout)}
	if !t.out.Scan() {
		return nil, errors.Join(fmt.Errorf("server %s did not start", kind), t.Stop())
	}
	t.Addr = t.out.Text()
	return t, nil
}

// External tells whether the target is a server that Start did not start.
func (t *Target) External() bool { return t.cmd == nil }

// Settle has a server that Start started collect its garbage, and returns how many goroutines it has. Of other servers
// nothing is asked.
func (t *Target) Settle() (goroutines int, err error) {
	if t.cmd == nil {
		return 0, nil
	}
	if _, err := fmt.Fprintln(t.stdin); err != nil {
		return 0, err
	}
	if !t.out.Scan() {
		return 0, fmt.Errorf("server %s is gone", t.Name)
	}
	return strconv.Atoi(t.out.Text())
}

// Stop ends a server that Start started.
func (t *Target) Stop() error {
	if t.cmd == nil {
		return nil
	}
	return errors.Join(t.stdin.Close(), t.cmd.Wait())
}

// RSS returns the resident bytes of the target's process.
func (t *Target) RSS() (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", t.PID))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "Rss:" {
			kb, err := strconv.ParseInt(f[1], 10, 64)
			return kb << 10, err
		}
	}
	return 0, fmt.Errorf("no Rss of process %d", t.PID)
}

// CPU returns the processor time that the target's threads have used: what the scheduler counts, in nanoseconds, where
// /proc/PID/stat has hundredths of a second. A thread that has ended is not counted; Go keeps its threads.
func (t *Target) CPU() (time.Duration, error) {
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", t.PID))
	if err != nil {
		return 0, err
	}
	var sum time.Duration
	for _, e := range threads {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/schedstat", t.PID, e.Name()))
		if err != nil {
			return 0, err
		}
		f := strings.Fields(string(b))
		if len(f) == 0 {
			return 0, fmt.Errorf("no times of process %d", t.PID)
		}
		n, err := strconv.ParseInt(f[0], 10, 64)
		if err != nil {
			return 0, err
		}
		sum += time.Duration(n)
	}
	if sum == 0 {
		return 0, fmt.Errorf("no times of process %d", t.PID)
	}
	return sum, nil
}
