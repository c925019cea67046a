// Package usage reads what the Linux kernel counts of processes, and of its own memory.
package usage

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// CPU is processor time.
type CPU struct{ User, System time.Duration }

// Total is both.
func (c CPU) Total() time.Duration { return c.User + c.System }

// Sub is the time between two readings.
func (c CPU) Sub(before CPU) CPU { return CPU{c.User - before.User, c.System - before.System} }

// tick is the unit of /proc/PID/stat: USER_HZ is 100 on every architecture that Go runs on.
const tick = 10 * time.Millisecond

// gone tells that a process or a thread has ended since it was listed.
func gone(err error) bool { return errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ESRCH) }

// ReadCPU returns the processor time that processes have used, threads that have ended included; a process that has ended
// has no share in it. The kernel splits what
// it knows to the nanosecond (/proc/PID/task/*/schedstat) between user and system by ticks; so is this, while the threads
// all live.
func ReadCPU(pids []int) (CPU, error) {
	var sum CPU
	for _, pid := range pids {
		c, err := processCPU(pid)
		if gone(err) {
			continue
		}
		if err != nil {
			return CPU{}, err
		}
		sum.User += c.User
		sum.System += c.System
	}
	return sum, nil
}

func processCPU(pid int) (CPU, error) {
	f, err := stat(pid)
	if err != nil {
		return CPU{}, err
	}
	user, err := strconv.ParseInt(f[11], 10, 64)
	if err != nil {
		return CPU{}, err
	}
	system, err := strconv.ParseInt(f[12], 10, 64)
	if err != nil {
		return CPU{}, err
	}
	c := CPU{time.Duration(user) * tick, time.Duration(system) * tick}
	fine, err := threads(pid)
	if err != nil {
		return CPU{}, err
	}
	// Threads that ended are missing in the finer figure.
	if total := c.Total(); total > 0 && fine > total-4*tick {
		c.User = time.Duration(float64(c.User) / float64(total) * float64(fine))
		c.System = fine - c.User
	}
	return c, nil
}

// stat returns the fields of /proc/PID/stat behind the command, whose name may hold anything: the state is field 0.
func stat(pid int) ([]string, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil, err
	}
	at := strings.LastIndexByte(string(b), ')')
	f := strings.Fields(string(b[at+1:]))
	if len(f) < 15 {
		return nil, fmt.Errorf("/proc/%d/stat has %d fields", pid, len(f))
	}
	return f, nil
}

func threads(pid int) (time.Duration, error) {
	dir := fmt.Sprintf("/proc/%d/task", pid)
	list, err := os.ReadDir(dir)
	if err != nil {
		return 0, err
	}
	var sum time.Duration
	for _, e := range list {
		b, err := os.ReadFile(dir + "/" + e.Name() + "/schedstat") //nolint:gosec // G304: the kernel's
		if gone(err) {
			continue
		}
		if err != nil {
			return 0, err
		}
		f := strings.Fields(string(b))
		if len(f) == 0 {
			return 0, fmt.Errorf("no times of thread %s", e.Name())
		}
		n, err := strconv.ParseInt(f[0], 10, 64)
		if err != nil {
			return 0, err
		}
		sum += time.Duration(n)
	}
	return sum, nil
}

// Memory is what processes have in memory, in bytes.
type Memory struct {
	Resident     int64 // RSS: pages that several processes share count in each
	Proportional int64 // PSS: such pages are shared out
}

// ReadMemory reads /proc/PID/smaps_rollup of processes.
func ReadMemory(pids []int) (Memory, error) {
	var m Memory
	for _, pid := range pids {
		kb, err := table(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		if gone(err) {
			continue
		}
		if err != nil {
			return m, err
		}
		m.Resident += kb["Rss"]
		m.Proportional += kb["Pss"]
	}
	return m, nil
}

// table reads a file of lines such as "Rss:   12 kB" and returns bytes.
func table(file string) (map[string]int64, error) {
	b, err := os.ReadFile(file) //nolint:gosec // G304: the kernel's
	if err != nil {
		return nil, err
	}
	bytes := map[string]int64{}
	for line := range strings.Lines(string(b)) {
		name, value, ok := strings.Cut(line, ":")
		f := strings.Fields(value)
		if !ok || len(f) == 0 {
			continue
		}
		if n, err := strconv.ParseInt(f[0], 10, 64); err == nil {
			bytes[name] = n << 10
		}
	}
	return bytes, nil
}

// Kernel is what the whole kernel has in memory, in bytes. Only differences say something, on a machine at rest.
type Kernel struct {
	Slab    int64 // its objects: sockets, files, entries of epoll
	Sockets int64 // buffers of TCP sockets
}

// Total is both.
func (k Kernel) Total() int64 { return k.Slab + k.Sockets }

// ReadKernel reads /proc/meminfo and /proc/net/sockstat.
func ReadKernel() (Kernel, error) {
	info, err := table("/proc/meminfo")
	if err != nil {
		return Kernel{}, err
	}
	b, err := os.ReadFile("/proc/net/sockstat")
	if err != nil {
		return Kernel{}, err
	}
	k := Kernel{Slab: info["Slab"]}
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		for i := 1; i+1 < len(f); i += 2 {
			if f[0] != "TCP:" || f[i] != "mem" {
				continue
			}
			pages, err := strconv.ParseInt(f[i+1], 10, 64)
			if err != nil {
				return k, err
			}
			k.Sockets = pages * int64(os.Getpagesize())
		}
	}
	return k, nil
}
