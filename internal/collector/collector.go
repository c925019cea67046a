// Package collector sets Go's garbage collector for a process that runs for months: it lets a large heap hold more garbage
// than Go does by itself, where the machine has the memory, and keeps the process within what its container may have. What
// a heap of hundreds of megabytes holds is definitions, which stay, and going through them again and again takes the
// processor from calls and messages. A process that has become quiet gives back what it does not need. GOGC and GOMEMLIMIT in the environment come before all of it.
package collector

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

const (
	// usual is Go's own GOGC: as much garbage as there is of what lives.
	usual = 100
	// small is the heap, in bytes, up to which the usual holds: idle connections live in that, and their garbage would
	// show in what each of them costs.
	small = 64 << 20
	// share is the part of the memory that garbage beyond the usual may fill, together with what lives: 1/share.
	share = 4
)

// Percent returns the GOGC, in percent, for a heap of which so many bytes live, in a process that may have so much memory;
// zero memory stands for an unknown amount, which lets nothing but the usual. The garbage is as much as what lives, and
// twice as much of what lives beyond 64 MB, while all of it stays within a quarter of the memory.
func Percent(live, memory uint64) int {
	if live <= small {
		return usual
	}
	garbage := min(small+2*(live-small), memory/share-min(live, memory/share))
	return max(usual, int(garbage*100/live)) //nolint:gosec // G115: at most 300
}

// Memory returns how many bytes of memory this process may have: what its control group allows, at most what there is. It
// is zero where neither can be found out.
func Memory() uint64 {
	total, err := memlimit.FromSystem()
	if err != nil {
		total = 0
	}
	if allowed, err := memlimit.FromCgroup(); err == nil && (total == 0 || allowed < total) {
		return allowed
	}
	return total
}

// Start sets the collector of the whole process, keeps it set as the heap grows and shrinks, and has memory given back where
// there was much to do and there is little now. The function that it returns ends that and brings back what was before.
func Start() (stop func()) { return start(Releaser{use, release}) }

func start(r Releaser) (stop func()) {
	f := &follower{memory: Memory()}
	limit := debug.SetMemoryLimit(-1)
	if os.Getenv("GOMEMLIMIT") == "" && f.memory > 0 {
		debug.SetMemoryLimit(int64(f.memory / 10 * 9)) //nolint:gosec // no machine has so much; the rest is for what is not Go's
	}
	if os.Getenv("GOGC") != "" {
		return func() { debug.SetMemoryLimit(limit) }
	}
	f.next()
	over := make(chan struct{})
	var releasing sync.WaitGroup
	releasing.Go(func() { r.Run(over) })
	return func() {
		close(over)
		releasing.Wait()
		f.end()
		debug.SetMemoryLimit(limit)
	}
}

// follower sets GOGC anew after each collection.
type follower struct {
	memory uint64

	mu    sync.Mutex // guards ended, and is held while GOGC is set
	ended bool
}

// cycle is garbage from its making on, so that its cleanup tells of the next collection. The pointer keeps the allocator
// from putting others beside it.
type cycle struct{ _ *cycle }

func (f *follower) next() { runtime.AddCleanup(new(cycle), (*follower).collected, f) }

func (f *follower) collected() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ended {
		return
	}
	live, now := read()
	// The world is stopped to set it: small steps are left out.
	if want := Percent(live, f.memory); want < now-5 || want > now+5 || want == usual && now != usual {
		debug.SetGCPercent(want)
	}
	f.next()
}

func (f *follower) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ended = true
	debug.SetGCPercent(usual)
}

// read returns how much lived at the last collection, in bytes, and the GOGC of now.
func read() (live uint64, percent int) {
	samples := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/gogc:percent"}}
	metrics.Read(samples)
	return samples[0].Value.Uint64(), int(samples[1].Value.Uint64()) //nolint:gosec // a GOGC fits
}
