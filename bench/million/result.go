//go:build linux

package main

import (
	"fmt"
	"strings"

	machine "cleat/bench/result"
)

// result is what a run found, as it is kept in JSON. Memory is in bytes, of all processes together.
type result struct {
	Machine     machine.Machine `json:"machine"`
	Date        string          `json:"date"`
	Commit      string          `json:"commit"`
	Connections int             `json:"connections"`
	Processes   int             `json:"processes"` // of Cleat; as many of clients

	ConnectSeconds float64 `json:"connectSeconds"`

	NodeBase            int64 `json:"nodeBase"` // of one node without connections, proportional
	NodesResident       int64 `json:"nodesResident"`
	NodesProportional   int64 `json:"nodesProportional"` // pages of the program, which all share, count once
	ClientsResident     int64 `json:"clientsResident"`
	ClientsProportional int64 `json:"clientsProportional"`
	Slab                int64 `json:"slab"`    // the kernel's objects, of both ends
	Sockets             int64 `json:"sockets"` // the kernel's buffers, of both ends
	Available           int64 `json:"available"`

	Pushes  int     `json:"pushes"`
	PushP50 float64 `json:"pushP50"` // microseconds
	PushP99 float64 `json:"pushP99"`

	IdleSeconds float64 `json:"idleSeconds"`
	IdleLeft    float64 `json:"idleLeft"`    // share of all cores
	IdleNodes   float64 `json:"idleNodes"`   // cores that nodes use
	IdleClients float64 `json:"idleClients"` // cores that clients use
}

// markdown is the part of docs/benchmarks.md.
func (r result) markdown() string {
	var b strings.Builder
	say := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	n := float64(r.Connections)
	per := func(bytes int64) string { return fmt.Sprintf("%s | %.2f GB", thousands(float64(bytes)/n), gb(bytes)) }
	say("%s connections, %d `cleat serve` processes and as many of clients, on %d cores (%s) with %d GB, Linux %s, %s; Cleat %s, %s.",
		thousands(n), r.Processes, r.Machine.Cores, r.Machine.CPU, r.Machine.MemoryGB, r.Machine.Kernel, r.Machine.Go, r.Commit, r.Date)
	say("")
	say("| Memory | Bytes for each connection | In all |")
	say("|---|---|---|")
	say("| **Cleat, everything included** | **%s** | %.2f GB |", thousands(float64(r.NodesProportional)/n), gb(r.NodesProportional))
	say("| of that, what %d processes have without connections (%.1f MB each) | %s |", r.Processes, float64(r.NodeBase)/1e6, per(r.NodeBase*int64(r.Processes)))
	say("| the load generators | %s |", per(r.ClientsProportional))
	say("| the kernel's objects, of both ends | %s |", per(r.Slab))
	say("| the kernel's buffers, of both ends | %s |", per(r.Sockets))
	say("| left on the machine | | %.1f GB |", gb(r.Available))
	say("")
	say("| What | Figure |")
	say("|---|---|")
	say("| connecting all, each told its ID | %.1f s, %s a second |", r.ConnectSeconds, thousands(n/r.ConnectSeconds))
	say("| a push to each of %s connections chosen at random, one after the other | p50 %.2f ms, p99 %.2f ms |", thousands(float64(r.Pushes)), r.PushP50/1e3, r.PushP99/1e3)
	say("| left of %d cores while nothing happens, over %.0f s | %.1f %% |", r.Machine.Cores, r.IdleSeconds, 100*r.IdleLeft)
	say("| which Cleat's processes use meanwhile, and the clients' | %.3f and %.3f cores |", r.IdleNodes, r.IdleClients)
	say("")
	say("Memory of processes is proportional (PSS: the program's pages, which all share, count once); resident, which counts them")
	say("in each, it is %.2f GB of Cleat and %.2f GB of clients.", gb(r.NodesResident), gb(r.ClientsResident))
	return b.String()
}

// thousands writes a whole number with commas.
func thousands(v float64) string {
	s := fmt.Sprintf("%.0f", v)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
