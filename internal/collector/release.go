package collector

import (
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"time"
)

// Go collects when the heap has doubled, and every two minutes. A process that has had many clients come and is left alone
// then would keep the garbage of all those handshakes until it is time, and the pages it had filled for longer: Go gives
// back what lies beyond the heap that it would let grow anew.
const (
	// Quiet is how long little must have been allocated, and how often a busy process is looked at.
	Quiet = 3 * time.Second
	// little is what may be allocated in that time, in bytes: about twenty messages of a backend's a second.
	little = 256 << 10
	// Worth is the memory, in bytes, below which nothing is given back, together with a quarter of what lives.
	Worth = 4 << 20
	// restShare is the part of the time that giving back may take: 1/restShare.
	restShare = 100
)

// Use is what a process uses of Go's memory, in bytes.
type Use struct {
	Allocated uint64 // since the process began; it only grows
	Live      uint64 // what lived at the last collection
	Objects   uint64 // what lives and what nobody has swept yet
	Free      uint64 // pages that hold nothing, and that the system has not got back
}

// gain is how much memory the system may get back at most: what was made since the last collection may live.
func (u Use) gain() uint64 { return u.Free + u.Objects - min(u.Live, u.Objects) }

// Step is what a Releaser does next.
type Step int

// The steps that a look at the process may lead to.
const (
	Rest    Step = iota // nothing until the next collection: there is too little to give back
	Wait                // look again after Quiet: the process is at work
	Release             // collect, and give back what is free
)

// Next returns the step after two looks at a process that lie Quiet apart, or more.
func Next(before, now Use) Step {
	switch {
	case now.Allocated-before.Allocated > little:
		return Wait
	case now.gain() < max(Worth, now.Live/4):
		return Rest
	}
	return Release
}

// Releaser gives memory back to the system when a process has become quiet. It looks only after a collection, for a process that
// allocates comes to one sooner or later and one that does not has nothing to give back; and then for as long as the process is
// at work. The zero value, with Read and Release set, is ready; its methods may be called at any time from any goroutine.
type Releaser struct {
	Read    func() Use
	Release func() // collects, gives back, and returns when that is done

	mu      sync.Mutex // guards the rest
	ended   bool
	watches bool        // the timer is set, or memory is being released
	timer   *time.Timer // nil before the first collection
	before  Use         // when the timer was set
	rested  time.Time   // nothing is released before that
}

// Collected tells of a collection, whoever wanted it.
func (r *Releaser) Collected() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended || r.watches {
		return
	}
	r.watch()
}

// watch has the process looked at. The mutex is held.
func (r *Releaser) watch() {
	r.watches, r.before = true, r.Read()
	wait := max(Quiet, time.Until(r.rested))
	if r.timer == nil {
		r.timer = time.AfterFunc(wait, r.look)
	} else {
		r.timer.Reset(wait)
	}
}

func (r *Releaser) look() {
	r.mu.Lock()
	if r.ended {
		r.mu.Unlock()
		return
	}
	step := Next(r.before, r.Read())
	if step == Wait {
		r.watch()
		r.mu.Unlock()
		return
	}
	r.watches = step == Release
	r.mu.Unlock()
	if step != Release {
		return
	}
	// Without the mutex: Collected is told of this collection too, and has nothing to do then.
	begin := time.Now()
	r.Release()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.watches, r.rested = false, time.Now().Add(restShare*time.Since(begin))
}

// End stops looking. A release that is under way goes on to its end.
func (r *Releaser) End() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = true
	if r.timer != nil {
		r.timer.Stop()
	}
}

// use reads what this process uses.
func use() Use {
	s := []metrics.Sample{
		{Name: "/gc/heap/allocs:bytes"},
		{Name: "/gc/heap/live:bytes"},
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/memory/classes/heap/free:bytes"},
	}
	metrics.Read(s)
	return Use{s[0].Value.Uint64(), s[1].Value.Uint64(), s[2].Value.Uint64(), s[3].Value.Uint64()}
}

func newReleaser() *Releaser { return &Releaser{Read: use, Release: debug.FreeOSMemory} }
