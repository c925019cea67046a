// Package throttle is a token bucket: it holds up to a burst of tokens, a rate of them flows in each second, and who
// finds none is refused (spec data-plane §7). It waits for nobody, starts no goroutine and allocates nothing; what is
// limited, and what a refusal looks like, is its callers' business: gateway and usageplan.
package throttle

import (
	"math"
	"sync/atomic"
	"time"
)

// Bucket is one token bucket, full to begin with. Its methods are safe for concurrent use; those of a nil Bucket never
// refuse. It keeps one number, the time at which it will be full again: a token is the time that it takes to flow in.
type Bucket struct {
	rate     float64
	burst    int
	began    time.Time // times below are nanoseconds from here
	token    int64     // how long it takes for one token to flow in
	capacity int64     // how long it takes for all of them
	full     atomic.Int64
}

// Bounds that keep the arithmetic whole: a token of a nanosecond at least, and a bucket that fills in 30 years at most.
const (
	maxRate     = 1e9
	maxCapacity = 1 << 60
)

// New returns a full bucket. rate is in tokens a second, fractions included; below zero or zero gives nil, which never
// refuses. A burst below one stands for what flows in within a second, one at least.
func New(rate float64, burst int) *Bucket {
	if !(rate > 0) { // also not a number
		return nil
	}
	b := &Bucket{rate: rate, burst: burst, began: time.Now()}
	rate = min(rate, maxRate)
	if burst < 1 {
		burst = max(1, int(math.Ceil(rate)))
	}
	b.token = int64(min(float64(time.Second)/rate, maxCapacity))
	b.capacity = int64(min(float64(b.token)*float64(burst), maxCapacity))
	b.full.Store(math.MinInt64)
	return b
}

// Is reports whether the bucket was made of the same rate and burst. A nil bucket was made of no rate.
func (b *Bucket) Is(rate float64, burst int) bool {
	if b == nil {
		return !(rate > 0)
	}
	return b.rate == rate && b.burst == burst
}

// Allow takes a token and reports whether there was one. now is the time of the call; calls may come out of order.
func (b *Bucket) Allow(now time.Time) bool {
	if b == nil {
		return true
	}
	at := int64(now.Sub(b.began))
	for {
		full := b.full.Load()
		next := max(full, at) + b.token
		if next-at > b.capacity {
			return false
		}
		if b.full.CompareAndSwap(full, next) {
			return true
		}
	}
}
