package collector_test

import (
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"cleat/internal/collector"
)

func TestNext(t *testing.T) {
	tests := map[string]struct {
		before, now collector.Use
		want        collector.Step
	}{
		"nothing at all":         {collector.Use{}, collector.Use{}, collector.Rest},
		"handshakes' garbage":    {collector.Use{Allocated: 900 * mb}, collector.Use{Allocated: 900 * mb, Live: 60 * mb, Objects: 90 * mb}, collector.Release},
		"pages":                  {collector.Use{}, collector.Use{Live: 8 * mb, Objects: 8 * mb, Free: 5 * mb}, collector.Release},
		"both":                   {collector.Use{}, collector.Use{Live: 8 * mb, Objects: 10 * mb, Free: 2 * mb}, collector.Release},
		"a few pages":            {collector.Use{}, collector.Use{Live: 8 * mb, Objects: 8 * mb, Free: 3 * mb}, collector.Rest},
		"little for such a heap": {collector.Use{}, collector.Use{Live: 600 * mb, Objects: 700 * mb, Free: 40 * mb}, collector.Rest},
		"less than lived":        {collector.Use{}, collector.Use{Live: 60 * mb, Objects: 20 * mb}, collector.Rest},
		"at work":                {collector.Use{Allocated: 900 * mb}, collector.Use{Allocated: 901 * mb, Live: 60 * mb, Objects: 90 * mb}, collector.Wait},
		"a message now and then": {collector.Use{Allocated: 900 * mb}, collector.Use{Allocated: 900*mb + 100<<10, Live: 60 * mb, Objects: 90 * mb}, collector.Release},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := collector.Next(tt.before, tt.now); got != tt.want {
				t.Errorf("got step %d, want %d", got, tt.want)
			}
		})
	}
}

// process is one whose memory is made up.
type process struct {
	mu       sync.Mutex
	use      collector.Use
	reads    int
	releases []time.Duration // since begin
	begin    time.Time
	takes    time.Duration // a release
	useless  bool          // nothing becomes of a release
}

func (p *process) read() collector.Use {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reads++
	return p.use
}

func (p *process) release() {
	time.Sleep(p.takes)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.releases = append(p.releases, time.Since(p.begin))
	if !p.useless {
		p.use.Free, p.use.Objects = 0, p.use.Live
	}
}

// allocate makes garbage.
func (p *process) allocate(n uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.use.Allocated += n
	p.use.Objects += n
}

// collect is a collection of Go's own, after which the pages stay.
func (p *process) collect(r *collector.Releaser) {
	p.mu.Lock()
	p.use.Free += p.use.Objects - p.use.Live
	p.use.Objects = p.use.Live
	p.mu.Unlock()
	r.Collected()
}

// released returns when memory was released, since the beginning.
func (p *process) released() []time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.releases)
}

// during runs f in virtual time with a process of which so much lives.
func during(t *testing.T, p *process, live uint64, f func(*collector.Releaser)) {
	t.Helper()
	synctest.Test(t, func(*testing.T) {
		p.begin, p.use = time.Now(), collector.Use{Live: live, Objects: live}
		r := &collector.Releaser{Read: p.read, Release: p.release}
		f(r)
		r.End()
		synctest.Wait()
	})
}

// A node that clients have come to gives their garbage back, soon after and once.
func TestReleaseAfterAStorm(t *testing.T) {
	p := &process{takes: 30 * time.Millisecond}
	during(t, p, 60*mb, func(r *collector.Releaser) {
		for range 20 {
			p.allocate(8 * mb)
			p.collect(r)
			p.allocate(mb)
			time.Sleep(time.Second)
		}
		if at := p.released(); len(at) > 0 {
			t.Errorf("released at work, after %s", at[0])
		}
		time.Sleep(time.Hour)
	})
	if len(p.releases) != 1 || p.releases[0] > 20*time.Second+2*collector.Quiet+p.takes {
		t.Errorf("released after %v, want it once, soon after the 20 s of work", p.releases)
	}
}

// Whoever is at work is left alone.
func TestNoReleaseAtWork(t *testing.T) {
	p := &process{}
	during(t, p, 60*mb, func(r *collector.Releaser) {
		for range 3600 {
			p.allocate(mb)
			p.collect(r)
			time.Sleep(time.Second)
		}
	})
	if len(p.releases) > 0 || p.reads > 3600/3*2+2 {
		t.Errorf("%d releases, %d looks in an hour of work", len(p.releases), p.reads)
	}
}

// An idle hour costs two looks for each of the collections that Go makes, and no collection of ours.
func TestIdleHour(t *testing.T) {
	p := &process{}
	during(t, p, 60*mb, func(r *collector.Releaser) {
		for range 30 {
			p.allocate(100 << 10)
			p.collect(r)
			time.Sleep(2 * time.Minute)
		}
	})
	if len(p.releases) > 0 || p.reads > 60 {
		t.Errorf("%d releases, %d looks in an idle hour", len(p.releases), p.reads)
	}
}

// Where giving back is of no use, it is tried once for each collection at most, and where it takes long, seldom.
func TestReleaseIsBounded(t *testing.T) {
	p := &process{useless: true}
	during(t, p, 60*mb, func(r *collector.Releaser) {
		p.allocate(60 * mb)
		p.collect(r)
		time.Sleep(time.Hour)
	})
	if len(p.releases) != 1 {
		t.Errorf("%d releases after one collection", len(p.releases))
	}
	p = &process{useless: true, takes: time.Second}
	during(t, p, 60*mb, func(r *collector.Releaser) {
		p.allocate(60 * mb)
		for range 3600 {
			p.collect(r)
			time.Sleep(time.Second)
		}
	})
	if n := len(p.releases); n < 30 || n > 36 {
		t.Errorf("%d releases of a second in an hour, want one each hundred seconds", n)
	}
}

// After the end nothing is looked at.
func TestReleaserEnds(t *testing.T) {
	p := &process{}
	var reads int
	during(t, p, 60*mb, func(r *collector.Releaser) {
		p.allocate(60 * mb)
		p.collect(r)
		r.End()
		reads = p.reads // nobody else looks now
		p.collect(r)
		time.Sleep(time.Hour)
	})
	if len(p.releases) > 0 || p.reads != reads {
		t.Errorf("%d releases and %d looks after the end", len(p.releases), p.reads-reads)
	}
}

// Start tells the releaser of every collection.
func TestStartTellsOfCollections(t *testing.T) {
	unset(t, "GOGC")
	var told atomic.Bool
	stop := collector.StartWith(&collector.Releaser{
		Read:    func() collector.Use { told.Store(true); return collector.Use{} },
		Release: func() { t.Error("released, of nothing") },
	})
	defer stop()
	for deadline := time.Now().Add(patience); !told.Load(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the releaser was not told of a collection")
		}
		runtime.GC()
	}
}
