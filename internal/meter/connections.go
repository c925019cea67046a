package meter

import (
	"sync"
	"time"
)

const (
	millisPerMinute  = 60_000
	secondsPerMinute = 60
)

// connections count the connections of one stage and their time. Of those that are open it keeps sums from which their time
// at any moment can be told: with n open that began at b, the exact time is n·now - Σb. For whole minutes each rounded up,
// a beginning is split into the minute m of the clock and the second s in it: up to the minute M and the second S one
// has begun M - m minutes, and one more if its second is past, so that the sum is n·M - Σm + the number of those with s < S.
type connections struct {
	base int64 // Unix milliseconds, near the beginnings, so that sums stay small

	mu                    sync.Mutex
	began                 int64
	endedMinutes          int64
	endedMillis           int64
	open                  int64
	sumMillis, sumMinutes int64
	seconds               [secondsPerMinute]int64
}

// begin counts a connection that has become open. Its end may have been counted before.
func (c *connections) begin(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.began++
	c.move(at.UnixMilli(), 1)
}

// end counts the end of a connection.
func (c *connections) end(began, ended time.Time) {
	millis := max(ended.UnixMilli()-began.UnixMilli(), 0)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.endedMillis += millis
	c.endedMinutes += max((millis+millisPerMinute-1)/millisPerMinute, 1)
	c.move(began.UnixMilli(), -1)
}

// move adds n connections to the open ones.
func (c *connections) move(began, n int64) {
	c.open += n
	c.sumMillis += n * (began - c.base)
	c.sumMinutes += n * (began / millisPerMinute)
	c.seconds[second(began)] += n
}

func second(millis int64) int64 { return millis / 1000 % secondsPerMinute }

func (c *connections) read(into *Counts, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := now.UnixMilli()
	minutes := c.open*(at/millisPerMinute) - c.sumMinutes
	for s := range second(at) {
		minutes += c.seconds[s]
	}
	into.Connections += c.began
	into.Open += max(c.open, 0) // below zero while an end is counted before its beginning
	into.ConnectionMinutes += c.endedMinutes + max(minutes, 0)
	into.ConnectionMillis += c.endedMillis + max(c.open*(at-c.base)-c.sumMillis, 0)
}
