//go:build linux

// Million holds a million live connections on one machine, by as many `cleat serve` processes, and as many processes of
// clients, as the limit of open files per process asks for, and tells what that costs: memory of Cleat, of the clients and
// of the kernel, the time to connect all, pushes to connections chosen at random, and what is left of the processor while
// nothing happens. It checks first whether the machine can hold them.
//
// The nodes are no cluster: they run side by side, and whoever pushes finds the owner by the incarnation that the
// connection's ID carries (conn.ParseID).
//
//	go run ./bench/million                       # writes docs/benchmarks.md
//	go run ./bench/million -n 50000 -write=false
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"cleat/bench/report"
	"cleat/bench/run"
)

type flags struct {
	n, per, pushes    int
	idle              time.Duration
	root, dir         string
	write, render     bool
	generate, noCheck bool
}

func main() {
	var f flags
	flag.IntVar(&f.n, "n", 1_000_000, "connections")
	flag.IntVar(&f.per, "per", 0, "connections of each process; 0: as many as its limit of open files allows")
	flag.IntVar(&f.pushes, "pushes", 10_000, "pushes, each to another connection, chosen at random")
	flag.DurationVar(&f.idle, "idle", time.Minute, "for how long nothing is done, to see what is left of the processor")
	flag.StringVar(&f.root, "root", ".", "the repository's root, whose docs/benchmarks.md is made anew")
	flag.StringVar(&f.dir, "dir", filepath.Join(".tools", "bench"), "folder for what is built")
	flag.BoolVar(&f.write, "write", true, "write docs/benchmarks/million.json and docs/benchmarks.md")
	flag.BoolVar(&f.render, "render", false, "make docs/benchmarks.md anew from docs/benchmarks/million.json, and do nothing else")
	flag.BoolVar(&f.noCheck, "force", false, "begin even if the machine seems too small")
	flag.BoolVar(&f.generate, "generate", false, "be a process of clients (used by the program itself)")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := start(ctx, f); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1) //nolint:forbidigo // this is the program's main
	}
}

// most bounds a run, whatever the machine does.
const most = time.Hour

func start(ctx context.Context, f flags) error {
	if f.generate {
		return generate(os.Stdin, os.Stdout)
	}
	file := filepath.Join(f.root, "docs", "benchmarks", "million.json")
	if f.render {
		b, err := os.ReadFile(file) //nolint:gosec // G304: the user's
		if err != nil {
			return err
		}
		var r result
		if err := json.Unmarshal(b, &r); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		return render(f.root, r)
	}
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	r, err := measure(ctx, f, os.Stdout)
	if err != nil {
		return err
	}
	r.Machine, r.Date = run.Machine(), time.Now().UTC().Format(time.DateOnly)
	if _, err := io.WriteString(os.Stdout, r.markdown()); err != nil || !f.write {
		return err
	}
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, append(b, '\n'), 0o644)); err != nil { //nolint:gosec // G301, G306: for everybody
		return err
	}
	return render(f.root, r)
}

// render puts the result into the page.
func render(root string, r result) error {
	file := filepath.Join(root, "docs", "benchmarks.md")
	page, err := os.ReadFile(file) //nolint:gosec // G304: the user's
	if err != nil {
		return err
	}
	replaced, ok := report.Replace(string(page), "million", r.markdown())
	if !ok {
		return fmt.Errorf("%s has no lines <!-- million:begin --> and <!-- million:end -->", file)
	}
	return os.WriteFile(file, []byte(replaced), 0o644) //nolint:gosec // G306: for everybody
}
