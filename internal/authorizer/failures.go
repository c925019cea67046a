package authorizer

import (
	"errors"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"cleat/internal/apigw"
)

// Failures slows down who guesses: it counts failed authentications by where they come from and by whose access key they
// claim, and refuses further tries, right ones included, while there are too many. Nobody is refused for what comes from
// other addresses alone, and a neighbour at the same address, behind one NAT or proxy, goes on with a key that has
// proven right there.
//
//   - An address over its limit gets no further try, but with keys that have succeeded there lately.
//   - A key over its limit at one address gets no further try there.
//   - While a key is over its limit at all addresses together, an address where it has failed lately and not succeeded
//     gets no further try with it: who guesses from many addresses has one try at each.
//
// Memory is bounded: where too many addresses fail at once, the oldest are forgotten first. It is safe for concurrent
// use. A nil Failures never refuses.
type Failures struct {
	failed, refused atomic.Int64

	mu     sync.RWMutex
	levels aging // guarded by mu: when all of the failures of an attempt's parts will be forgiven
	proven aging // guarded by mu: when a key last succeeded at an address
}

// attempt is what failures are counted by: an address, a key, or a key at an address. What is left out is zero.
type attempt struct {
	source netip.Prefix
	key    string
}

// limit is a token bucket of failures: as many at once, and one more forgiven after each pause.
type limit struct {
	burst int
	pause time.Duration
}

var (
	addressLimit = limit{20, 3 * time.Second}
	pairLimit    = limit{10, 6 * time.Second}
	keyLimit     = limit{100, 600 * time.Millisecond}
)

const (
	// provenFor is how long a success counts for a key at an address, and provenGrain how exact that is kept.
	provenFor   = time.Hour
	provenGrain = time.Minute
	// maxAttempts bounds each of the tables, twice (see aging): some 5 MB at most.
	maxAttempts = 8192
)

// Admit refuses an attempt to authenticate with KindTooManyRequests while there were too many failures. source is the
// sender's address; one that is none, as of a Unix socket, counts as an address of its own.
func (f *Failures) Admit(source, accessKeyID string, now time.Time) error {
	if f == nil || f.failed.Load() == 0 {
		return nil
	}
	from := sourceOf(source)
	f.mu.RLock()
	over := f.over(from, accessKeyID, now)
	f.mu.RUnlock()
	if over == nil {
		return nil
	}
	f.refused.Add(1)
	return &apigw.Error{Kind: apigw.KindTooManyRequests, Err: over}
}

var (
	errKeyHere    = errors.New("too many failed signatures with this access key from this address")
	errAddress    = errors.New("too many failed signatures from this address")
	errKeyOverall = errors.New("too many failed signatures with this access key")
)

// over says which limit an attempt is over. It needs f.mu.
func (f *Failures) over(from netip.Prefix, key string, now time.Time) error {
	pair := attempt{from, key}
	if pairLimit.over(f.levels.get(pair), now) {
		return errKeyHere
	}
	if now.Sub(f.proven.get(pair)) < provenFor {
		return nil
	}
	switch {
	case addressLimit.over(f.levels.get(attempt{source: from}), now):
		return errAddress
	case keyLimit.over(f.levels.get(attempt{key: key}), now) && f.levels.get(pair).After(now):
		return errKeyOverall
	}
	return nil
}

// Failed counts a failure. known tells that somebody has the key: others have no table of their own.
func (f *Failures) Failed(source, accessKeyID string, known bool, now time.Time) {
	if f == nil {
		return
	}
	f.failed.Add(1)
	from := sourceOf(source)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.levels.add(attempt{source: from}, addressLimit, now)
	if known {
		f.levels.add(attempt{from, accessKeyID}, pairLimit, now)
		f.levels.add(attempt{key: accessKeyID}, keyLimit, now)
	}
}

// Succeeded notes that a key has proven right at an address.
func (f *Failures) Succeeded(source, accessKeyID string, now time.Time) {
	if f == nil {
		return
	}
	pair := attempt{sourceOf(source), accessKeyID}
	f.mu.RLock()
	fresh := now.Sub(f.proven.get(pair)) < provenGrain
	f.mu.RUnlock()
	if fresh {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.proven.put(pair, now)
}

// Counts are how many authentications have failed, and how many were refused without a look.
func (f *Failures) Counts() (failed, refused int64) {
	if f == nil {
		return 0, 0
	}
	return f.failed.Load(), f.refused.Load()
}

// sourceOf is the address that failures are counted by: a network of IPv6 is what one sender is given.
func sourceOf(source string) netip.Prefix {
	addr, err := netip.ParseAddr(source)
	if err != nil {
		return netip.Prefix{}
	}
	addr = addr.Unmap().WithZone("")
	bits := 32
	if addr.Is6() {
		bits = 64
	}
	p, err := addr.Prefix(bits)
	if err != nil {
		return netip.Prefix{} // not reached: each has so many bits
	}
	return p
}

// over tells whether a level leaves no room for one more failure.
func (l limit) over(level, now time.Time) bool {
	return level.Sub(now) > time.Duration(l.burst-1)*l.pause
}

// aging is a table of times with bounded memory: when the young half is full it becomes the old one, and what was in the old
// one and has not been written since is forgotten. The zero value is empty.
type aging struct{ young, old map[attempt]time.Time }

func (a *aging) get(k attempt) time.Time {
	if t, ok := a.young[k]; ok {
		return t
	}
	return a.old[k]
}

func (a *aging) put(k attempt, t time.Time) {
	if _, known := a.young[k]; !known && len(a.young) >= maxAttempts {
		a.young, a.old = nil, a.young
	}
	if a.young == nil {
		a.young = map[attempt]time.Time{}
	}
	a.young[k] = t
}

// add counts one failure.
func (a *aging) add(k attempt, l limit, now time.Time) {
	level := a.get(k)
	if level.Before(now) {
		level = now
	}
	// One beyond the limit is as good as many: who has failed for hours is not shut out for hours.
	a.put(k, earlier(level.Add(l.pause), now.Add(time.Duration(l.burst)*l.pause)))
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
