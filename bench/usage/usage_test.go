//go:build linux

package usage_test

import (
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"cleat/bench/usage"
)

func TestReadCPU(t *testing.T) {
	me := []int{os.Getpid()}
	before, err := usage.ReadCPU(me)
	if err != nil {
		t.Fatal(err)
	}
	for begin := processTime(t); processTime(t)-begin < 50*time.Millisecond; { // not of the clock's time: others may have the cores
		_ = make([]byte, 1<<10)
	}
	after, err := usage.ReadCPU(me)
	if err != nil {
		t.Fatal(err)
	}
	if got := after.Sub(before).Total(); got <= 0 || got > time.Minute {
		t.Errorf("50 ms of work took %v", got)
	}
	const nobody = 1 << 30
	both, err := usage.ReadCPU(append(me, nobody))
	if err != nil || both.Total() < after.Total() {
		t.Errorf("with a process that is gone: %v, %v", both, err)
	}
}

// processTime is the processor time of this process.
func processTime(t *testing.T) time.Duration {
	t.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func TestReadMemory(t *testing.T) {
	m, err := usage.ReadMemory([]int{os.Getpid()})
	if err != nil {
		t.Fatal(err)
	}
	if m.Proportional <= 0 || m.Resident < m.Proportional {
		t.Errorf("got %+v", m)
	}
	k, err := usage.ReadKernel()
	if err != nil || k.Total() <= 0 {
		t.Errorf("the kernel's: %+v, %v", k, err)
	}
}
