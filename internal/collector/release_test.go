package collector_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"cleat/internal/collector"
)

func TestDue(t *testing.T) {
	storm := collector.Use{Allocated: 900 * mb, Live: 60 * mb, Objects: 90 * mb}
	tests := map[string]struct {
		last, before, now collector.Use
		want              bool
	}{
		"nothing at all":      {now: collector.Use{}},
		"handshakes' garbage": {before: collector.Use{Allocated: 900 * mb}, now: storm, want: true},
		"at work":             {before: collector.Use{Allocated: 899 * mb}, now: storm},
		"a message now and then": {
			before: collector.Use{Allocated: 900*mb - 100<<10}, now: storm, want: true,
		},
		"for the first time since": {
			last: collector.Use{Allocated: 880 * mb}, before: collector.Use{Allocated: 900 * mb}, now: storm, want: true,
		},
		"not long after the last time": {
			last: collector.Use{Allocated: 890 * mb}, before: collector.Use{Allocated: 900 * mb}, now: storm,
		},
		"pages": {
			before: collector.Use{Allocated: 50 * mb}, now: collector.Use{Allocated: 50 * mb, Live: 8 * mb, Objects: 8 * mb, Free: 5 * mb}, want: true,
		},
		"pages and garbage": {
			before: collector.Use{Allocated: 50 * mb}, now: collector.Use{Allocated: 50 * mb, Live: 8 * mb, Objects: 10 * mb, Free: 2 * mb}, want: true,
		},
		"a few pages": {
			before: collector.Use{Allocated: 50 * mb}, now: collector.Use{Allocated: 50 * mb, Live: 8 * mb, Objects: 8 * mb, Free: 3 * mb},
		},
		"little for such a heap": {
			before: collector.Use{Allocated: 900 * mb}, now: collector.Use{Allocated: 900 * mb, Live: 600 * mb, Objects: 700 * mb, Free: 40 * mb},
		},
		"less than lived": {
			before: collector.Use{Allocated: 900 * mb}, now: collector.Use{Allocated: 900 * mb, Live: 60 * mb, Objects: 20 * mb},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := collector.Due(tt.last, tt.before, tt.now); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
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
func (p *process) collect() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.use.Free += p.use.Objects - p.use.Live
	p.use.Objects = p.use.Live
}

// during runs f in virtual time with a process of which 60 MB live, and returns when memory was released, since the beginning.
func during(t *testing.T, p *process, f func()) []time.Duration {
	t.Helper()
	synctest.Test(t, func(*testing.T) {
		p.begin, p.use = time.Now(), collector.Use{Live: 60 * mb, Objects: 60 * mb}
		stop, done := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(done)
			collector.Releaser{Read: p.read, Release: p.release}.Run(stop)
		}()
		f()
		close(stop)
		<-done
	})
	return p.releases
}

// A node that clients have come to gives their garbage back, soon after and once; and again after the next time.
func TestReleaseAfterAStorm(t *testing.T) {
	p := &process{takes: 30 * time.Millisecond}
	storm := func() {
		for range 20 {
			p.allocate(8 * mb)
			p.collect()
			p.allocate(mb)
			time.Sleep(time.Second)
		}
	}
	releases := during(t, p, func() {
		storm()
		time.Sleep(time.Hour)
		storm()
		time.Sleep(time.Hour)
	})
	const work, most = 20 * time.Second, 20*time.Second + 2*collector.Quiet + 30*time.Millisecond
	if len(releases) != 2 || releases[0] < work || releases[0] > most || releases[1] < time.Hour+2*work || releases[1] > time.Hour+work+most {
		t.Errorf("released after %v, want it soon after each 20 s of work", releases)
	}
}

// What one collection of Go's is not due for is given back too.
func TestReleaseWithoutACollection(t *testing.T) {
	p := &process{}
	releases := during(t, p, func() {
		p.allocate(40 * mb)
		time.Sleep(2*collector.Quiet + time.Second)
	})
	if len(releases) != 1 {
		t.Errorf("released after %v, want it once, six seconds after the garbage was made", releases)
	}
}

// Whoever is at work is left alone.
func TestNoReleaseAtWork(t *testing.T) {
	p := &process{}
	releases := during(t, p, func() {
		for range 3600 {
			p.allocate(mb)
			p.collect()
			time.Sleep(time.Second)
		}
	})
	if len(releases) > 0 {
		t.Errorf("%d releases in an hour of work", len(releases))
	}
}

// An idle hour costs a look now and then, and no collection of ours.
func TestIdleHour(t *testing.T) {
	p := &process{}
	releases := during(t, p, func() {
		for range 30 {
			p.allocate(100 << 10)
			p.collect()
			time.Sleep(2 * time.Minute)
		}
	})
	if len(releases) > 0 || p.reads > 1201 {
		t.Errorf("%d releases, %d looks in an idle hour", len(releases), p.reads)
	}
}

// Where giving back is of no use it is tried once, and where it takes long, seldom.
func TestReleaseIsBounded(t *testing.T) {
	p := &process{useless: true}
	releases := during(t, p, func() {
		p.allocate(60 * mb)
		time.Sleep(time.Hour)
	})
	if len(releases) != 1 {
		t.Errorf("%d releases of the same garbage", len(releases))
	}
	p = &process{takes: time.Second}
	releases = during(t, p, func() {
		for range 360 {
			p.allocate(60 * mb)
			time.Sleep(10 * time.Second)
		}
	})
	if n := len(releases); n < 110 || n > 180 {
		t.Errorf("%d releases of a second in an hour, want one each twenty to thirty seconds", n)
	}
}

// Start has the process looked at until it is stopped, but where GOGC says how it wants to be.
func TestStartLooks(t *testing.T) {
	for name, want := range map[string]bool{"": true, "100": false} {
		t.Run("GOGC="+name, func(t *testing.T) {
			if unset(t, "GOGC"); name != "" {
				t.Setenv("GOGC", name)
			}
			var looks atomic.Int32
			stop := collector.StartWith(collector.Releaser{
				Read:    func() collector.Use { looks.Add(1); return collector.Use{} },
				Release: func() { t.Error("released, of nothing") },
			})
			for deadline := time.Now().Add(patience); want && looks.Load() == 0; time.Sleep(time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatal("nobody looks")
				}
			}
			stop()
			if got := looks.Load() > 0; got != want {
				t.Errorf("somebody looks: %v, want %v", got, want)
			}
		})
	}
}
