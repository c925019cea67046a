//go:build !race

package frame_test

import (
	"strings"
	"testing"
	"time"

	"cleat/internal/frame"
)

// Under the race detector pools forget at random.

// A bomb costs what the longest legal message does.
func TestReaderBombCost(t *testing.T) {
	bomb := compressed(frame.OpText, true, deflated(t, strings.Repeat("x", 20<<20)))
	start := time.Now()
	const rounds = 20
	for range rounds {
		var r frame.Reader
		if _, _, err := r.Next(bomb, deflating); err == nil {
			t.Fatal("no error")
		}
	}
	if took := time.Since(start) / rounds; took > 20*time.Millisecond { // 0.1 ms as measured; 20 MB would take 20 ms and more
		t.Errorf("a bomb took %v", took)
	}
	got := testing.Benchmark(func(b *testing.B) {
		b.Helper()
		b.ReportAllocs()
		for b.Loop() {
			var r frame.Reader
			if _, _, err := r.Next(bomb, deflating); err == nil {
				b.Fatal("no error")
			}
		}
	})
	if n := got.AllocedBytesPerOp(); n > 16<<10 {
		t.Errorf("a bomb allocated %d bytes", n)
	}
}

// In the long run a compressed message costs its payload, and sending one costs nothing.
func TestDeflateAllocations(t *testing.T) {
	text := strings.Repeat("all work and no play ", 200)
	in := compressed(frame.OpText, true, deflated(t, text))
	out := make([]byte, 0, 8<<10)
	for name, tc := range map[string]struct {
		do   func()
		want float64
	}{
		"receive": {func() {
			var r frame.Reader
			if ev, _, err := r.Next(in, deflating); err != nil || len(ev.Data) != len(text) || cap(ev.Data) > len(text)+512 {
				t.Fatalf("%v %d %v", ev.Kind, cap(ev.Data), err)
			}
		}, 1},
		"send": {func() { out = frame.AppendDeflated(out[:0], frame.OpText, []byte(text), 32<<10, frame.MaxWindow) }, 1}, // the conversion
	} {
		if got := testing.AllocsPerRun(200, tc.do); got > tc.want {
			t.Errorf("%s: %v allocations, want %v", name, got, tc.want)
		}
	}
}
