package collector

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// Go collects when the heap has doubled, and every two minutes. A process that has had many clients come and is left alone
// then would keep the garbage of all those handshakes until it is time, and the pages it had filled for longer: Go gives
// back what lies beyond the heap that it would let grow anew.
const (
	// Quiet is how often a process is looked at, and how long little must have been allocated.
	Quiet = 3 * time.Second
	// little is what may be allocated in that time, in bytes: about twenty messages of a backend's a second.
	little = 256 << 10
	// worth is the memory, in bytes, below which nothing is given back.
	worth = 4 << 20
	// restShare is the part of the time that giving back may take: 1/restShare.
	restShare = 20
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

// Due tells whether memory is to be given back, after two looks at a process that lie Quiet apart and one right after the last time,
// zero for none: when it is at rest, and there is enough to give back, 4 MB and a quarter of what lives; and when as much was
// allocated since the last time, so that a process which idles is left alone even if giving back is of no use.
func Due(last, before, now Use) bool {
	enough := max(worth, now.Live/4)
	return now.Allocated-before.Allocated <= little && now.gain() >= enough && now.Allocated-last.Allocated >= enough
}

// Releaser gives memory back to the system when a process has become quiet.
type Releaser struct {
	Read    func() Use
	Release func() // collects, gives back, and returns when that is done
}

// Run looks at the process until stop is closed. It takes a twentieth of the time at most.
func (r Releaser) Run(stop <-chan struct{}) {
	tick := time.NewTicker(Quiet)
	defer tick.Stop()
	var last Use
	var rested time.Time
	for before := r.Read(); ; {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		now := r.Read()
		if begin := time.Now(); !begin.Before(rested) && Due(last, before, now) {
			r.Release()
			now = r.Read()
			last, rested = now, time.Now().Add(restShare*time.Since(begin))
		}
		before = now
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

// release collects and gives back. It collects twice, for what lies in a sync.Pool outlives one collection.
func release() {
	runtime.GC()
	debug.FreeOSMemory()
}
