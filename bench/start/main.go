// Start measures how long "cleat dev" takes from the start of its process to its first answer, on an example project
// without bundling. It builds the command first.
//
//	go run ./bench/start
//	go run ./bench/start -project path/to/project -runs 20
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"time"
)

func main() {
	project := flag.String("project", "examples/echo", "folder of the project")
	runs := flag.Int("runs", 10, "how many starts")
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := run(ctx, *project, min(max(*runs, 1), 100)); err != nil {
		fmt.Fprintln(os.Stderr, "start:", err)
		os.Exit(1) //nolint:forbidigo // a program of its own; nothing is left to clean up
	}
}

func run(ctx context.Context, project string, runs int) (err error) {
	dir, err := os.MkdirTemp("", "cleat-start")
	if err != nil {
		return err
	}
	defer func() { err = firstOf(err, os.RemoveAll(dir)) }()
	bin := filepath.Join(dir, "cleat")
	build := exec.CommandContext(ctx, "go", "build", "-o", bin, "./cmd/cleat") //nolint:gosec // G204: a file of ours
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return fmt.Errorf("build cleat: %w", err)
	}
	var took []time.Duration
	for range runs {
		d, err := once(ctx, bin, project, dir)
		if err != nil {
			return err
		}
		took = append(took, d)
	}
	slices.Sort(took)
	_, err = fmt.Fprintf(os.Stdout, "%s\nmin %.1f ms, median %.1f ms, max %.1f ms\n",
		fmt.Sprintf("\"cleat dev\" with %s: from the start of the process to its first answer, %d runs (%s %s/%s, %d cores)", project, runs, runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU()), millis(took[0]), millis(took[len(took)/2]), millis(took[len(took)-1]))
	return err
}

// once starts Cleat, waits until it answers, and ends it.
func once(ctx context.Context, bin, project, state string) (took time.Duration, err error) {
	port, err := freePort(ctx)
	if err != nil {
		return 0, err
	}
	cmd := exec.CommandContext(ctx, bin, "dev", "--port", strconv.Itoa(port), "--state-dir", filepath.Join(state, "state"), project) //nolint:gosec // G204: what was just built
	cmd.Stderr = os.Stderr
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		return 0, fmt.Errorf("start cleat: %w", err)
	}
	defer func() { err = firstOf(err, cmd.Process.Signal(os.Interrupt), cmd.Wait()) }()
	for {
		if answers(ctx, port) {
			return time.Since(begin), nil
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(time.Millisecond):
		}
	}
}

func answers(ctx context.Context, port int) bool {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://127.0.0.1:"+strconv.Itoa(port)+"/_cleat/healthz", nil)
	if err != nil {
		return false
	}
	r.Close = true
	res, err := (&http.Client{Transport: &http.Transport{}}).Do(r)
	if err != nil {
		return false
	}
	return res.Body.Close() == nil && res.StatusCode == http.StatusOK
}

func freePort(ctx context.Context) (int, error) {
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	addr, _ := ln.Addr().(*net.TCPAddr)
	return addr.Port, ln.Close()
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
