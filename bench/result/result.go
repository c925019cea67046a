// Package result is what a run of the bench found, as it is kept in JSON: bench/run makes it and bench/report shows it.
package result

import (
	"encoding/json"
	"fmt"
	"os"

	"cleat/bench/stats"
)

// Report is one run.
type Report struct {
	Machine Machine  `json:"machine"`
	Date    string   `json:"date"` // 2026-01-31
	Commit  string   `json:"commit"`
	Command string   `json:"command"` // that repeats it
	Rounds  int      `json:"rounds"`
	Minutes float64  `json:"minutes"` // it took
	Servers []Server `json:"servers"` // in the order of tables
	Rows    []Row    `json:"rows"`
}

// Machine is where it ran.
type Machine struct {
	CPU      string `json:"cpu"`
	Cores    int    `json:"cores"`
	MemoryGB int    `json:"memoryGB"`
	Kernel   string `json:"kernel"`
	Go       string `json:"go"`
}

// Server is one that was measured, or was to be.
type Server struct {
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
	Floor   bool   `json:"floor,omitempty"`
	Notes   string `json:"notes,omitempty"`
	// Missing tells why it was not measured: it could not be installed.
	Missing string `json:"missing,omitempty"`
}

// Row is one server in one case.
type Row struct {
	Case   string `json:"case"` // "message/100B/1000/capacity"
	Server string `json:"server"`
	// Values are the figures by their names, see the constants.
	Values map[string]stats.Spread `json:"values,omitempty"`
	// Fault tells what went wrong, in at least one round, or why the server does not do this at all.
	Fault string `json:"fault,omitempty"`
}

// Names of figures.
const (
	Rate   = "rate"   // messages, pushes or connects a second
	CPU    = "cpu"    // the server's processor time for each, microseconds
	System = "system" // the system's part of that
	P50    = "p50"    // latency, microseconds
	P99    = "p99"
	Late   = "late"   // share of messages that were due and not sent in time, of a fixed rate
	Lost   = "lost"   // share of pushes that were answered with success and never delivered
	User   = "user"   // bytes of the server's processes for each connection
	Kernel = "kernel" // bytes of the kernel for each connection
	Hour   = "hour"   // seconds of processor time in an hour
	Count  = "count"  // connections that were held
)

// Value returns the median of a figure, ok false when the row is not there or has it not.
func (r *Report) Value(server, name, figure string) (v float64, ok bool) {
	row := r.Row(server, name)
	if row == nil {
		return 0, false
	}
	s, ok := row.Values[figure]
	return s.Median, ok
}

// Row returns a server's row of a case, or nil.
func (r *Report) Row(server, name string) *Row {
	for i := range r.Rows {
		if r.Rows[i].Case == name && r.Rows[i].Server == server {
			return &r.Rows[i]
		}
	}
	return nil
}

// Write keeps a report in a file.
func (r *Report) Write(file string) error {
	b, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(b, '\n'), 0o644) //nolint:gosec // G306: for everybody
}

// Read is the reverse of Write.
func Read(file string) (*Report, error) {
	b, err := os.ReadFile(file) //nolint:gosec // G304: of whoever calls it
	if err != nil {
		return nil, err
	}
	r := new(Report)
	if err := json.Unmarshal(b, r); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return r, nil
}
