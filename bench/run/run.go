//go:build linux

package run

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"cleat/bench/peer"
	"cleat/bench/result"
	"cleat/bench/stats"
)

// Options say what a run measures.
type Options struct {
	Dir       string        // for builds and packages; it outlives the run
	Servers   []peer.Server // in the order in which they take turns
	Only      []string      // cases' names, or what they begin with up to a slash; none: all
	Rounds    int
	Durations Durations
	// Brief leaves out latencies at rates and the idle hour, and has few connections be idle: what a guard has time for.
	Brief bool
	// Backend is the command line of the HTTP backend, which writes its address as one line and ends with its input.
	Backend []string
	Out     io.Writer // progress
}

type runner struct {
	Options
	begin     time.Time
	scratch   string // removed at the end
	backend   string // its address
	cert, key string
	samples   map[[2]string]map[string][]float64 // by case and server, then by figure
	faults    map[[2]string]string
	order     [][2]string
	remaining remaining
}

// Run installs the servers and measures those that could be, and returns both. Faults of a server are part of the result;
// an error is the bench's own, or ctx's.
func Run(ctx context.Context, o Options) (servers []result.Server, rows []result.Row, err error) {
	r := &runner{Options: o, begin: time.Now(), samples: map[[2]string]map[string][]float64{}, faults: map[[2]string]string{}}
	if err := os.MkdirAll(o.Dir, 0o750); err != nil {
		return nil, nil, err
	}
	if r.scratch, err = os.MkdirTemp("", "cleat-bench-"); err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(r.scratch)) }()
	r.cert, r.key = filepath.Join(r.scratch, "cert.pem"), filepath.Join(r.scratch, "key.pem")
	if err := writeCertificate(r.cert, r.key); err != nil {
		return nil, nil, err
	}
	servers, present := r.install(ctx)
	stop, err := r.startBackend(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	chosen := r.plan(present)
	for _, s := range chosen {
		if err := r.measure(ctx, s, present); err != nil {
			return nil, nil, err
		}
	}
	return servers, r.rows(), nil
}

func (r *runner) chosen(name string) bool {
	return len(r.Only) == 0 || slices.ContainsFunc(r.Only, func(p string) bool { return strings.HasPrefix(name+"/", p+"/") })
}

func (r *runner) say(format string, args ...any) {
	at := fmt.Sprintf("%6.1fs  ", time.Since(r.begin).Seconds())
	_, _ = fmt.Fprintf(r.Out, at+format+"\n", args...) // progress that nobody can see is none to stop for
}

// install returns all servers, and those that are there.
func (r *runner) install(ctx context.Context) (all []result.Server, present []peer.Server) {
	floors := map[string]bool{}
	for _, f := range peer.Floors() {
		floors[f.Name()] = true
	}
	for _, s := range r.Servers {
		row := result.Server{Name: s.Name(), Floor: floors[s.Name()], Notes: s.Notes()}
		var err error
		if row.Version, err = s.Install(ctx, r.Dir); err != nil {
			row.Missing = err.Error()
			r.say("%-18s cannot be installed: %v", s.Name(), err)
		} else {
			present = append(present, s)
			r.say("%-18s %s", s.Name(), row.Version)
		}
		all = append(all, row)
	}
	return all, present
}

// startBackend runs the backend in a process of its own, which ends with ours.
func (r *runner) startBackend(ctx context.Context) (stop func() error, err error) {
	cmd := exec.CommandContext(ctx, r.Backend[0], r.Backend[1:]...) //nolint:gosec // G204: this very program
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the backend: %w", err)
	}
	stop = func() error { return errors.Join(in.Close(), cmd.Wait()) }
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start the backend: %w", err), stop())
	}
	r.backend = strings.TrimSpace(line)
	return stop, nil
}

// plan returns the cases to be run, and sets what remains to be done.
func (r *runner) plan(servers []peer.Server) []spec {
	var chosen []spec
	for _, s := range specs() {
		if !r.chosen(s.name) {
			continue
		}
		if r.Brief {
			s = s.brief()
		}
		chosen = append(chosen, s)
		for _, server := range servers {
			if _, ok := server.Can(s.scenario); ok {
				r.remaining.expected += time.Duration(r.rounds(s)) * s.expected(r.Durations)
			}
		}
	}
	return chosen
}

func (r *runner) rounds(s spec) int {
	if s.once {
		return 1
	}
	return r.Rounds
}

// failed returns the case that asks no more than s and that a server has failed at the first step.
func (r *runner) failed(s spec, server string) (name string, ok bool) {
	for _, less := range specs() {
		_, fault := r.faults[[2]string{less.name, server}]
		if fault && s.noLess(less) && r.samples[[2]string{less.name + "/capacity", server}] == nil {
			return less.name, true
		}
	}
	return "", false
}

// measure runs all rounds of a case.
func (r *runner) measure(ctx context.Context, s spec, servers []peer.Server) error {
	for round := range r.rounds(s) {
		r.say("%s, round %d of %d%s", s.name, round+1, r.rounds(s), r.remaining.left())
		for _, server := range servers {
			key := [2]string{s.name, server.Name()}
			if why, ok := server.Can(s.scenario); !ok {
				r.fault(key, why)
				continue
			}
			if _, failed := r.faults[key]; failed {
				r.remaining.skip(s.expected(r.Durations))
				continue
			}
			if less, failed := r.failed(s, server.Name()); failed {
				r.fault(key, "not tried: it failed "+less)
				r.remaining.skip(s.expected(r.Durations))
				continue
			}
			begin := time.Now()
			err := r.once(ctx, s, server)
			if err != nil && s.fewer > 0 && !errors.Is(err, peer.ErrNoTLS) && ctx.Err() == nil {
				r.say("%-24s %-18s %d connections, for with %d: %v", s.name, server.Name(), s.fewer, s.connections, err)
				r.forget(key)
				less := s
				less.connections = s.fewer
				err = r.once(ctx, less, server)
			}
			r.remaining.took(s.expected(r.Durations), time.Since(begin))
			if cause := context.Cause(ctx); cause != nil {
				return cause
			}
			switch {
			case errors.Is(err, peer.ErrNoTLS):
				r.fault(key, err.Error()) // it was to be expected
			case err != nil:
				r.fault(key, err.Error())
				r.say("%-24s %-18s round %d: %v", s.name, server.Name(), round+1, err)
			}
		}
	}
	return nil
}

func (r *runner) fault(key [2]string, why string) { r.faults[key] = why }

// forget drops what a case of a server has found so far.
func (r *runner) forget(key [2]string) {
	found := func(k [2]string) bool { return k[1] == key[1] && strings.HasPrefix(k[0], key[0]+"/") }
	r.order = slices.DeleteFunc(r.order, found)
	maps.DeleteFunc(r.samples, func(k [2]string, _ map[string][]float64) bool { return found(k) })
}

// most is how long one server in one round of a case may take.
const most = time.Minute

func (r *runner) once(ctx context.Context, s spec, server peer.Server) (err error) {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	dir, err := os.MkdirTemp(r.scratch, server.Name()+"-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	setup := peer.Setup{Scenario: s.scenario, Dir: dir, Backend: r.backend, Connections: s.connections}
	if s.tls {
		setup.CertFile, setup.KeyFile = r.cert, r.key
	}
	instance, err := server.Start(ctx, setup)
	if err != nil {
		return fmt.Errorf("start: %w", err)
	}
	defer func() { err = errors.Join(err, instance.Stop()) }()
	return s.measure(&session{ctx: ctx, spec: s, d: r.Durations, instance: instance, add: func(step string, values map[string]float64) {
		r.add(s.name+"/"+step, server.Name(), values)
	}})
}

func (r *runner) add(name, server string, values map[string]float64) {
	key := [2]string{name, server}
	if r.samples[key] == nil {
		r.samples[key] = map[string][]float64{}
		r.order = append(r.order, key)
	}
	var b strings.Builder
	for _, figure := range []string{result.Rate, result.CPU, result.P50, result.P99, result.Lost, result.User, result.Kernel, result.Hour} {
		if v, ok := values[figure]; ok {
			fmt.Fprintf(&b, "  %s %.1f", figure, v)
		}
	}
	for figure, v := range values {
		r.samples[key][figure] = append(r.samples[key][figure], v)
	}
	r.say("%-28s %-18s%s", name, server, b.String())
}

// rows puts the rounds together. A server's fault in a case is a row of the case's own name.
func (r *runner) rows() []result.Row {
	rows := make([]result.Row, 0, len(r.order)+len(r.faults))
	for _, key := range r.order {
		row := result.Row{Case: key[0], Server: key[1], Values: map[string]stats.Spread{}}
		for figure, values := range r.samples[key] {
			row.Values[figure] = stats.Of(values)
		}
		rows = append(rows, row)
	}
	for _, s := range specs() {
		for _, server := range r.Servers {
			if why, ok := r.faults[[2]string{s.name, server.Name()}]; ok {
				rows = append(rows, result.Row{Case: s.name, Server: server.Name(), Fault: why})
			}
		}
	}
	return rows
}
