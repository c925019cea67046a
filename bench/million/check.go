//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// What a connection and a process are known to take, in bytes, with both ends of connections on this machine. It is for
// telling beforehand that there is too little; what they really take is measured.
const (
	kernelEach    = 10_500   // a socket at each end, with its file and its entry of epoll
	cleatEach     = 1_000    // in `cleat serve`, before its garbage is collected
	clientEach    = 500      // in the process of clients
	processesEach = 80 << 20 // an idle `cleat serve`, and its process of clients
	spareFiles    = 1_000    // of each process, for all but the connections
)

// plan is how connections are shared out.
type plan struct{ connections []int } // of each pair of processes

// newPlan shares n connections out evenly among as few processes as have files enough, or per for each.
func newPlan(n, per int) (plan, error) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return plan{}, err
	}
	room := int(min(limit.Max, 1<<20)) - spareFiles
	if per == 0 {
		per = room
	}
	switch {
	case n < 1 || per < 1:
		return plan{}, fmt.Errorf("no connections to make: -n %d, -per %d, %d open files", n, per, limit.Max)
	case per > room:
		return plan{}, fmt.Errorf("%d connections for each process, but it may open %d files, of which %d are for other things (ulimit -n)", per, limit.Max, spareFiles)
	}
	processes := (n + per - 1) / per
	p := plan{make([]int, processes)}
	for i := range p.connections {
		p.connections[i] = n*(i+1)/processes - n*i/processes
	}
	return p, nil
}

// check tells all that the machine lacks.
func (p plan) check(n int) error {
	var errs []error
	need := int64(n)*(kernelEach+cleatEach+clientEach) + int64(len(p.connections))*processesEach
	free, err := available()
	if err != nil {
		return err
	}
	if free < need {
		errs = append(errs, fmt.Errorf("%d connections take about %.1f GB of memory, of which %.1f GB are available (MemAvailable)", n, gb(need), gb(free)))
	}
	files, err := numbers("/proc/sys/fs/file-max")
	if err != nil {
		return err
	}
	used, err := numbers("/proc/sys/fs/file-nr")
	if err != nil {
		return err
	}
	if left := files[0] - used[0]; left < int64(2*n+500*len(p.connections)) {
		errs = append(errs, fmt.Errorf("%d connections are %d open files, of which the system has %d left (fs.file-max)", n, 2*n, left))
	}
	ports, err := numbers("/proc/sys/net/ipv4/ip_local_port_range")
	if err != nil {
		return err
	}
	if have := ports[1] - ports[0] + 1; have < 2*each {
		errs = append(errs, fmt.Errorf("%d ports for connections from each address are too few: %d are needed (net.ipv4.ip_local_port_range)", have, 2*each))
	}
	errs = append(errs, tracked(n))
	return errors.Join(errs...)
}

// tracked objects when the firewall keeps a list of connections that is too short. The list counts none where no rule
// needs it.
func tracked(n int) error {
	const list = "/proc/sys/net/netfilter/nf_conntrack_"
	most, err := numbers(list + "max")
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	now, err := numbers(list + "count")
	if err != nil {
		return err
	}
	if now[0] > 0 && most[0]-now[0] < int64(n) {
		return fmt.Errorf("the firewall tracks connections, %d at most: raise net.netfilter.nf_conntrack_max, or exempt the loopback interface", most[0])
	}
	return nil
}

func gb(bytes int64) float64 { return float64(bytes) / 1e9 }

// numbers reads a file of the kernel's with nothing but numbers in it.
func numbers(file string) ([]int64, error) {
	b, err := os.ReadFile(file) //nolint:gosec // G304: below /proc
	if err != nil {
		return nil, err
	}
	var all []int64
	for f := range strings.FieldsSeq(string(b)) {
		v, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		all = append(all, v)
	}
	return all, nil
}

// available is the memory that can be had without swapping.
func available() (int64, error) {
	b, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "MemAvailable:" {
			kb, err := strconv.ParseInt(f[1], 10, 64)
			return kb << 10, err
		}
	}
	return 0, errors.New("/proc/meminfo has no MemAvailable")
}

// machineTimes are what all cores together have spent since the machine's start, in ticks: idle, and in all.
func machineTimes() (idle, all int64, err error) {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, 0, err
	}
	line, _, _ := strings.Cut(string(b), "\n")
	f := strings.Fields(line)
	if len(f) < 9 || f[0] != "cpu" {
		return 0, 0, fmt.Errorf("/proc/stat begins with %q", line)
	}
	for i, field := range f[1:9] { // user, nice, system, idle, iowait, irq, softirq, steal; guests are part of user
		v, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, 0, fmt.Errorf("/proc/stat: %w", err)
		}
		all += v
		if i == 3 || i == 4 {
			idle += v
		}
	}
	return idle, all, nil
}
