//go:build e2e && linux

package e2e_test

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"golang.org/x/sys/unix"
)

// Running out of descriptors pauses accepting: those who are connected are served as before, nothing spins, and with
// room there is service again.
func TestOutOfDescriptors(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "cleat.yaml"), "name: mock\nroutes:\n  $default: {mock: {statusCode: 200, response: pong}, twoWay: true}\n")
	d := startDevIn(t, dir, options{})
	first := dial(t, d.ws(), nil)

	const room, wanted = 20, 60
	limit := unix.Rlimit{Cur: descriptors(t, d.cmd.Process.Pid) + room, Max: 1 << 14}
	if err := unix.Prlimit(d.cmd.Process.Pid, unix.RLIMIT_NOFILE, &limit, nil); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var open []*websocket.Conn
	var dialing sync.WaitGroup
	for range wanted {
		dialing.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			if c, _, err := websocket.Dial(ctx, d.ws(), nil); err == nil {
				mu.Lock()
				open = append(open, c)
				mu.Unlock()
			}
		})
	}
	dialing.Wait()
	if len(open) == 0 || len(open) >= wanted {
		t.Errorf("%d of %d got in with room for about %d", len(open), wanted, room)
	}
	before := cpuTime(t, d.cmd.Process.Pid)
	if got := first.ask("hello"); got != "pong" {
		t.Errorf("who was connected got %q", got)
	}
	time.Sleep(300 * time.Millisecond) // what is measured is the time itself: whether it is spent
	if used := cpuTime(t, d.cmd.Process.Pid) - before; used > 150*time.Millisecond {
		t.Errorf("while nothing could be accepted Cleat used %v of 300 ms", used)
	}
	for _, c := range open {
		c.CloseNow()
	}
	if got := dial(t, d.ws(), nil).ask("again"); got != "pong" {
		t.Errorf("with room again: got %q", got)
	}
	d.awaitLog(0, "accept")
}

func descriptors(t *testing.T, pid int) uint64 {
	t.Helper()
	entries, err := os.ReadDir("/proc/" + strconv.Itoa(pid) + "/fd")
	if err != nil {
		t.Fatal(err)
	}
	return uint64(len(entries))
}

// cpuTime is what a process has used; the kernel counts in hundredths of a second.
func cpuTime(t *testing.T, pid int) time.Duration {
	t.Helper()
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(rest)
	var ticks int
	for _, f := range fields[11:13] {
		n, err := strconv.Atoi(f)
		if err != nil {
			t.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}
