//go:build linux

// Peers measures Cleat beside the servers that do a similar job, in the scenarios of docs/benchmarks.md, and writes what it
// found there, with docs/benchmarks/peers.json and charts, and the README's figures. A run of some servers or some cases,
// or a quick one, writes nothing unless -root says where.
//
//	go run ./bench/peers
//	go run ./bench/peers -quick -only message/100B -servers cleat,nchan,direct
//	go run ./bench/peers -render
//	go run ./bench/peers -guard
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"cleat/bench/backend"
	"cleat/bench/guard"
	"cleat/bench/peer"
	"cleat/bench/report"
	"cleat/bench/result"
	"cleat/bench/run"
)

// most is how long a run may take: twice what it takes on two cores at rest.
const most = time.Hour

type flags struct {
	only, servers, root, dir string
	rounds                   int
	quick, render, backend   bool
	guard                    bool
	measured                 time.Duration
}

func main() {
	var f flags
	flag.StringVar(&f.only, "only", "", "cases, with commas: names, or what they begin with up to a slash, of\n"+strings.Join(run.Names(), " "))
	flag.StringVar(&f.servers, "servers", "", "servers, with commas; empty: all of "+strings.Join(names(servers()), ","))
	flag.IntVar(&f.rounds, "rounds", 3, "how often each is measured")
	flag.BoolVar(&f.quick, "quick", false, "short times and one round, to try the bench itself")
	flag.StringVar(&f.root, "root", "", "the repository whose docs and README are made anew; empty: the working directory after a whole run, nowhere after others")
	flag.BoolVar(&f.render, "render", false, "measure nothing: make the pages anew of the last run's figures")
	flag.StringVar(&f.dir, "dir", filepath.Join(".tools", "bench"), "folder for what is built and installed")
	flag.DurationVar(&f.measured, "measure", 0, "how long each is measured; 0: 1.2 s, or what -quick or -guard has")
	flag.BoolVar(&f.guard, "guard", false, "hold Cleat to the bounds of bench/guard, in a minute, and write nothing")
	flag.BoolVar(&f.backend, "backend", false, "be the HTTP backend (used by the program itself)")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ctx, cancel := context.WithTimeoutCause(ctx, most, fmt.Errorf("the bench was not done within %v", most))
	defer cancel()
	if err := start(ctx, f); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1) //nolint:forbidigo // this is the program's main
	}
}

// servers are all there are, in the order of tables.
func servers() []peer.Server {
	return slices.Concat([]peer.Server{peer.Cleat()}, peer.Peers(), peer.Floors())
}

func names(servers []peer.Server) []string {
	var names []string
	for _, s := range servers {
		names = append(names, s.Name())
	}
	return names
}

func start(ctx context.Context, f flags) error {
	all := servers()
	if f.backend {
		return serveBackend(ctx, all)
	}
	if f.render {
		root := filepath.Join(f.root, ".")
		r, err := result.Read(filepath.Join(root, "docs", "benchmarks", resultsFile))
		if err != nil {
			return err
		}
		return render(root, r)
	}
	chosen, err := choose(all, f.servers)
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	dir, err := filepath.Abs(f.dir)
	if err != nil {
		return err
	}
	o := run.Options{
		Dir: dir, Servers: chosen, Only: list(f.only), Rounds: f.rounds, Durations: run.Full(),
		Backend: []string{self, "-backend"}, Out: os.Stdout,
	}
	switch {
	case f.guard:
		o.Durations = run.Brief()
	case f.quick:
		o.Rounds, o.Durations = 1, run.Quick()
	}
	if f.measured > 0 {
		o.Durations.Measure = f.measured
	}
	if f.guard {
		return check(ctx, o)
	}
	if f.root == "" && f.only == "" && f.servers == "" && !f.quick && f.measured == 0 {
		f.root = "."
	}
	begin := time.Now()
	found, rows, err := run.Run(ctx, o)
	if err != nil {
		return err
	}
	r := &result.Report{
		Machine: run.Machine(), Date: begin.UTC().Format(time.DateOnly), Commit: commit(found), Command: "make bench-peers",
		Rounds: o.Rounds, Minutes: time.Since(begin).Minutes(), Servers: found, Rows: rows,
	}
	if _, err := fmt.Fprintf(os.Stdout, "\n%s\n%.1f minutes\n", report.Goals(r), r.Minutes); err != nil || f.root == "" {
		return err
	}
	return write(f.root, r)
}

// check holds Cleat to its bounds.
func check(ctx context.Context, o run.Options) error {
	all, err := choose(servers(), report.Cleat+","+guard.Floor)
	if err != nil {
		return err
	}
	o.Servers, o.Brief = []peer.Server{all[0], busyFloor{all[1]}}, true
	rounds := o.Rounds
	o.Rounds = 1
	return guard.Check(ctx, guard.Bounds(), rounds, func(ctx context.Context, cases []string) (*result.Report, error) {
		once := o
		once.Only = cases
		found, rows, err := run.Run(ctx, once)
		return &result.Report{Servers: found, Rows: rows}, err
	}, o.Out)
}

// busyFloor is a floor that bounds of memory do not wait for: they need none.
type busyFloor struct{ peer.Server }

// Can is peer.Server's.
func (f busyFloor) Can(s peer.Scenario) (why string, ok bool) {
	if s == peer.ScenarioIdle {
		return "no bound is about it", false
	}
	return f.Server.Can(s)
}

// commit is Cleat's version.
func commit(servers []result.Server) string {
	for _, s := range servers {
		if s.Name == report.Cleat {
			return s.Version
		}
	}
	return "unknown"
}

func list(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, ",")
}

func choose(all []peer.Server, chosen string) ([]peer.Server, error) {
	if chosen == "" {
		return all, nil
	}
	var servers []peer.Server
	for _, name := range list(chosen) {
		i := slices.Index(names(all), name)
		if i < 0 {
			return nil, fmt.Errorf("no server %q: there are %s", name, strings.Join(names(all), ", "))
		}
		servers = append(servers, all[i])
	}
	return servers, nil
}

// serveBackend answers until standard input ends.
func serveBackend(ctx context.Context, all []peer.Server) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		defer cancel()
		_, _ = io.Copy(io.Discard, os.Stdin) // its end is all that counts
	}()
	var routes []peer.Route
	for _, s := range all {
		if r, ok := s.(peer.Router); ok {
			routes = append(routes, r.Routes()...)
		}
	}
	return backend.Serve(ctx, "127.0.0.1:0", routes, os.Stdout)
}
