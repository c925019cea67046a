//go:build soak

package soak_test

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strconv"
	"strings"
	"testing"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/cfn"
	"cleat/internal/lambda"
	"cleat/internal/meter/report"
	"cleat/internal/project"
	"cleat/internal/server"
)

var (
	duration = flag.Duration("d", 5*time.Minute, "how long the crowd comes and goes")
	crowd    = flag.Int("n", 10_000, "most connections at a time")
	seed     = flag.Uint64("seed", 0, "what the crowd's choices are drawn from; zero: a new one")
)

// crowdArg makes this program the crowd's process.
const crowdArg = "CLEAT_SOAK_CROWD"

func TestMain(m *testing.M) {
	if os.Getenv(crowdArg) != "" {
		if err := runCrowd(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "the crowd:", err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// What may be left. The slab of 10,000 connections' slots stays for the next ones (3 MB), and pools are emptied by
// collections only as they see fit.
const heapMargin = 8 << 20

const (
	warmUp   = 3 * time.Second // the crowd that comes first, for what is made once and kept
	settling = 90 * time.Second
)

func TestSoak(t *testing.T) {
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano())
	}
	t.Logf("seed %d, %v, up to %d connections", *seed, *duration, *crowd)
	c := startCrowd(t)
	addr := startGateway(t, c.ask(t, request{Do: "start"}).Addr)

	warm := c.ask(t, request{Do: "run", Addr: addr, For: warmUp, Most: min(*crowd, 500), Seed: *seed})
	warm.check(t)
	before := settle(t, func(now, last reading) bool { return now.goroutines == last.goroutines && now.files == last.files })
	t.Logf("before: %v", before)

	res := c.ask(t, request{Do: "run", Addr: addr, For: *duration, Most: *crowd, Seed: *seed + 1})
	res.check(t)
	after := settle(t, func(now, _ reading) bool { return now.within(before) })
	t.Logf("after:  %v", after)
	if !after.within(before) {
		t.Errorf("the gateway did not get back to where it began: goroutines %d, %d before; files %d, %d before; heap %d KB, %d KB before, %d KB margin",
			after.goroutines, before.goroutines, after.files, before.files, after.heap>>10, before.heap>>10, heapMargin>>10)
		_ = pprof.Lookup("goroutine").WriteTo(os.Stderr, 1) // for whoever reads the log
	}
	for name, n := range res.Kinds {
		t.Logf("%8d × %s", n, name)
	}
}

// check reports what the crowd found wrong.
func (r response) check(t *testing.T) {
	t.Helper()
	t.Logf("%d connections, at most %d at a time; %d accepted, %d refused, %d gone within the handshake; %d messages, %d pushes, %d $disconnect events",
		r.Began, r.Peak, r.Accepted, r.Refused, r.Unclear, r.Messages, r.Pushes, r.Disconnects)
	for _, f := range r.Faults {
		t.Errorf("%s", f)
	}
	if r.FaultCount > len(r.Faults) {
		t.Errorf("and %d more faults", r.FaultCount-len(r.Faults))
	}
	if r.Accepted == 0 || r.Disconnects < r.Accepted {
		t.Errorf("%d accepted connections and %d $disconnect events", r.Accepted, r.Disconnects)
	}
}

// reading is what the gateway's process holds at one time.
type reading struct {
	heap       int // bytes that are in use after a collection
	rss        int
	goroutines int
	files      int
}

func (r reading) String() string {
	return fmt.Sprintf("heap %d KB, resident %d MB, %d goroutines, %d files", r.heap>>10, r.rss>>20, r.goroutines, r.files)
}

// within tells whether nothing is left since an earlier reading.
func (r reading) within(before reading) bool {
	return r.goroutines <= before.goroutines && r.files <= before.files && r.heap <= before.heap+heapMargin
}

// settle reads until two readings in a row will do, or time is up.
func settle(t *testing.T, ok func(now, last reading) bool) reading {
	t.Helper()
	last := read(t)
	for end := time.Now().Add(settling); ; {
		time.Sleep(time.Second)
		now := read(t)
		if ok(now, last) || time.Now().After(end) {
			return now
		}
		last = now
	}
}

func read(t *testing.T) reading {
	t.Helper()
	runtime.GC()
	runtime.GC() // the first one empties the pools' victims only
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := strconv.Atoi(strings.Fields(string(statm))[1])
	if err != nil {
		t.Fatal(err)
	}
	return reading{int(m.HeapAlloc), pages * os.Getpagesize(), runtime.NumGoroutine(), len(files)}
}

// startGateway runs "cleat dev" in this process until the test ends, in front of a backend, and returns its address.
func startGateway(t *testing.T, backend string) string {
	t.Helper()
	dir := t.TempDir()
	config := strings.ReplaceAll(`name: soak
routes:
  $connect: http://BACKEND/connect
  $disconnect: http://BACKEND/disconnect
  $default: { http: http://BACKEND/message, twoWay: true }
limits: { profile: aws, writeTimeout: 3s, closeTimeout: 3s, compression: on, connectRate: off, requestRate: off }
`, "BACKEND", backend)
	if err := os.WriteFile(filepath.Join(dir, "cleat.yaml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	r := &reporter{t: t, started: make(chan string, 1)}
	ended := make(chan error, 1)
	go func() {
		ended <- server.RunDev(ctx, server.DevOptions{
			Dir: dir, Project: project.Options{}, StateDir: filepath.Join(dir, "state"),
			Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})), Report: r,
		})
	}()
	select {
	case addr := <-r.started:
		t.Cleanup(func() {
			stop()
			if err := <-ended; err != nil {
				t.Errorf("the gateway ended: %v", err)
			}
		})
		return strings.Replace(addr, "localhost", "127.0.0.1", 1)
	case err := <-ended:
		stop()
		t.Fatalf("the gateway did not start: %v", err)
	}
	panic("unreachable")
}

// reporter hears what "cleat dev" would print.
type reporter struct {
	t       *testing.T
	started chan string
}

func (r *reporter) Started(s server.Started) { r.started <- s.Addr }
func (r *reporter) Reloaded(server.Reloaded) {}
func (r *reporter) Faults(err error)         { r.t.Errorf("reload: %v", err) }
func (r *reporter) Warn(f cfn.Fault)         { r.t.Logf("warning: %v", f) }
func (r *reporter) Event(*apigw.Record)      {}
func (r *reporter) Line(lambda.Line)         {}
func (r *reporter) Used(report.Usage)        {}
func (r *reporter) Stopping(connections int) {
	if connections != 0 {
		r.t.Errorf("%d connections are left at the end", connections)
	}
}

// crowdProcess is the other process, which is asked by a line of JSON and answers with one.
type crowdProcess struct {
	in  io.Writer
	out *bufio.Reader
}

func startCrowd(t *testing.T) *crowdProcess {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), crowdArg+"=1")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		kill := time.AfterFunc(10*time.Second, func() { _ = cmd.Process.Kill() })
		defer kill.Stop()
		if err := cmd.Wait(); err != nil {
			t.Errorf("the crowd ended: %v", err)
		}
	})
	return &crowdProcess{in, bufio.NewReader(out)}
}

func (c *crowdProcess) ask(t *testing.T, q request) response {
	t.Helper()
	var r response
	if err := json.NewEncoder(c.in).Encode(q); err != nil {
		t.Fatal(err)
	}
	line, err := c.out.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &r)
	}
	if err != nil {
		t.Fatalf("ask the crowd to %s: %v", q.Do, err)
	}
	return r
}
