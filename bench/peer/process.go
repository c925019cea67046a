package peer

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	startTimeout = 60 * time.Second // until a program answers
	endTimeout   = 5 * time.Second  // until a program that was asked to end is killed
)

// processes are the programs of one Instance, in the order in which they were started.
type processes struct {
	dir   string // for their logs
	procs []*process
}

type process struct {
	name string
	cmd  *exec.Cmd
	done chan struct{} // closed once the program has ended
}

// start runs a program in a process group of its own. What it says goes to a file, whose end is part of errors.
func (p *processes) start(name string, env []string, program string, args ...string) error {
	out, err := os.Create(filepath.Join(p.dir, name+".log")) //nolint:gosec // G304: in the folder of this start
	if err != nil {
		return err
	}
	defer out.Close()                     //nolint:errcheck // the program has its own descriptor
	cmd := exec.Command(program, args...) //nolint:gosec,noctx // G204: a peer, which Stop ends
	cmd.Dir, cmd.Env = p.dir, append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = out, out
	isolate(cmd)
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", name, err)
	}
	c := &process{name: name, cmd: cmd, done: make(chan struct{})}
	go func() {
		_ = cmd.Wait() // its end is what counts; stop asks for it and gives it a signal
		close(c.done)
	}()
	p.procs = append(p.procs, c)
	return nil
}

// IDs returns the IDs of the programs and of all their children.
func (p *processes) IDs() []int {
	var all []int
	for _, c := range p.procs {
		all = append(all, c.cmd.Process.Pid)
	}
	for i := 0; i < len(all); i++ { // all grows: children of children
		for _, id := range children(all[i]) {
			if !slices.Contains(all, id) {
				all = append(all, id)
			}
		}
	}
	return all
}

// children reads the kernel's list of a process's children, one list for each thread.
func children(pid int) []int {
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		return nil
	}
	var ids []int
	for _, list := range lists {
		b, err := os.ReadFile(list) //nolint:gosec // G304: of the kernel's
		if err != nil {
			continue // the thread has ended
		}
		for f := range strings.FieldsSeq(string(b)) {
			if id, err := strconv.Atoi(f); err == nil {
				ids = append(ids, id)
			}
		}
	}
	return ids
}

// stop asks the programs to end, the last one first, waits, and kills what is left of their groups.
func (p *processes) stop() error {
	var errs []error
	for _, c := range slices.Backward(p.procs) {
		errs = append(errs, c.stop())
	}
	p.procs = nil
	return errors.Join(errs...)
}

func (c *process) stop() error {
	if err := signalGroup(c.cmd.Process, syscall.SIGTERM); err != nil {
		return fmt.Errorf("end %s: %w", c.name, err)
	}
	patience := time.NewTimer(endTimeout)
	defer patience.Stop()
	select {
	case <-c.done:
	case <-patience.C:
	}
	err := signalGroup(c.cmd.Process, syscall.SIGKILL)
	<-c.done
	if err != nil {
		return fmt.Errorf("kill %s: %w", c.name, err)
	}
	return nil
}

// await calls ready until it returns nil, a program has ended, or the time for starting is over. Its error tells what the
// programs have said last.
func (p *processes) await(ctx context.Context, ready func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		for _, c := range p.procs {
			select {
			case <-c.done:
				return fmt.Errorf("%s has ended (%s)%s", c.name, c.cmd.ProcessState, p.said())
			default:
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("does not answer: %w%s", err, p.said())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// said returns the last lines of the programs' logs, for an error.
func (p *processes) said() string {
	var b strings.Builder
	for _, c := range p.procs {
		log, err := os.ReadFile(filepath.Join(p.dir, c.name+".log"))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			fmt.Fprintf(&b, "\n%s: %s", c.name, err)
		}
		const most = 1000
		if text := strings.TrimSpace(string(log[max(0, len(log)-most):])); text != "" {
			fmt.Fprintf(&b, "\n%s said: %s", c.name, text)
		}
	}
	return b.String()
}

// answers tells whether somebody listens at an address.
func answers(ctx context.Context, addr string) error {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	return c.Close()
}

// freeAddrs returns as many addresses of the loopback interface as asked for, on which nobody listens.
func freeAddrs(ctx context.Context, n int) ([]string, error) {
	addrs := make([]string, n)
	for i := range addrs {
		var lc net.ListenConfig
		l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		defer l.Close() //nolint:errcheck // it has carried nothing; all are held until the last is found
		addrs[i] = l.Addr().String()
	}
	return addrs, nil
}

// port is the port of an address that freeAddrs returned.
func port(addr string) string {
	_, p, _ := strings.Cut(addr, ":")
	return p
}
