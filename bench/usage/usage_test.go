//go:build linux

package usage_test

import (
	"os"
	"testing"
	"time"

	"cleat/bench/usage"
)

func TestReadCPU(t *testing.T) {
	me := []int{os.Getpid()}
	before, err := usage.ReadCPU(me)
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(50 * time.Millisecond); time.Now().Before(end); {
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
