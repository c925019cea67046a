package collector_test

import (
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"testing"
	"time"

	"cleat/internal/collector"
)

const mb = 1 << 20

func TestPercent(t *testing.T) {
	tests := map[string]struct {
		live, memory uint64
		want         int
	}{
		"empty":                           {0, 8192 * mb, 100},
		"idle connections":                {64 * mb, 8192 * mb, 100},
		"a little more":                   {80 * mb, 8192 * mb, 120},
		"definitions":                     {256 * mb, 8192 * mb, 175},
		"many definitions":                {600 * mb, 8192 * mb, 189},
		"all of the share":                {600 * mb, 6144 * mb, 156},
		"more than the share":             {1000 * mb, 6144 * mb, 100},
		"a small machine":                 {100 * mb, 512 * mb, 100},
		"more than there is":              {1000 * mb, 512 * mb, 100},
		"unknown memory":                  {1000 * mb, 0, 100},
		"an unlimited group":              {1000 * mb, math.MaxInt64, 193},
		"as much as an address can point": {math.MaxInt64, math.MaxUint64, 100},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := collector.Percent(tt.live, tt.memory); got != tt.want {
				t.Errorf("got %d, want %d", got, tt.want)
			}
		})
	}
}

func TestMemory(t *testing.T) {
	if got := collector.Memory(); got < 32*mb || got > 1<<50 {
		t.Errorf("this process may have %d bytes", got)
	}
}

func gogc() uint64 {
	s := []metrics.Sample{{Name: "/gc/gogc:percent"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

// patience bounds the wait for what the runtime does in its own time.
const patience = 30 * time.Second

// collectUntil collects until GOGC is as wanted.
func collectUntil(t *testing.T, what string, ok func(uint64) bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(gogc()); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: GOGC is %d", what, gogc())
		}
		runtime.GC()
	}
}

// GOGC follows the heap up and down, and is as before at the end.
func TestStart(t *testing.T) {
	if collector.Memory() < 2048*mb {
		t.Skip("too little memory to let garbage have more of it")
	}
	unset(t, "GOGC")
	unset(t, "GOMEMLIMIT")
	limit := debug.SetMemoryLimit(-1)
	stop := collector.Start()
	if got := debug.SetMemoryLimit(-1); got >= int64(collector.Memory()) || got < mb {
		t.Errorf("the limit is %d bytes of %d", got, collector.Memory())
	}
	held := make([]byte, 128*mb)
	collectUntil(t, "with a large heap", func(p uint64) bool { return p > 110 })
	runtime.KeepAlive(held)
	collectUntil(t, "with a small heap", func(p uint64) bool { return p == 100 })
	stop()
	held = make([]byte, 128*mb)
	runtime.GC()
	runtime.GC()
	if got := gogc(); got != 100 {
		t.Errorf("after the end: GOGC is %d", got)
	}
	runtime.KeepAlive(held)
	if got := debug.SetMemoryLimit(-1); got != limit {
		t.Errorf("after the end: the limit is %d, want %d", got, limit)
	}
}

// Who has set the collector by the environment is left alone.
func TestEnvironment(t *testing.T) {
	t.Setenv("GOGC", "150")
	t.Setenv("GOMEMLIMIT", "1TiB")
	limit := debug.SetMemoryLimit(-1)
	before := debug.SetGCPercent(150)
	defer debug.SetGCPercent(before)
	stop := collector.Start()
	defer stop()
	runtime.GC()
	if got := debug.SetMemoryLimit(-1); got != limit || gogc() != 150 {
		t.Errorf("GOGC %d, limit %d, want 150 and %d", gogc(), got, limit)
	}
}

// unset takes a variable out of the environment for a test.
func unset(t *testing.T, name string) {
	t.Helper()
	t.Setenv(name, "") // which brings it back
	if err := os.Unsetenv(name); err != nil {
		t.Fatal(err)
	}
}
