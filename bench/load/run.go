//go:build linux

package load

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	hdr "github.com/HdrHistogram/hdrhistogram-go"
)

// Plan is how a run goes.
type Plan struct {
	Payload int           // bytes of each message's payload, at least 32
	Warmup  time.Duration // before anything counts
	Measure time.Duration
	// Mark is called when the measured time begins and when it ends.
	Mark func() error
}

// Figures are what a run came to.
type Figures struct {
	Messages int           // answered in the measured time
	Elapsed  time.Duration // that time, as it was
	// Late are messages that were due and, because no client was free, not sent before the time was over.
	Late int
	// Pushed counts all pushes that were sent, of which Lost were answered with success and never delivered.
	Pushed, Lost int
	// Faults are clients lost and messages never answered; Fault tells of the first.
	Faults int
	Fault  string
	// Latency is of messages sent in the measured time, in nanoseconds.
	Latency *hdr.Histogram
}

// bounds of a run.
const (
	mostMessages = 10_000_000
	drain        = 5 * time.Second // for what is still under way at the end
	turn         = 6 * time.Second // for every client to have had its turn in a closed loop
)

// run is one under way.
type run struct {
	arrived  func(*client)
	answered func(*client, []byte) error
	lost     func(*client)
	warm     func() bool // it may begin to count; nil: after the time for that

	from, until int64 // the measured time; 0: not begun, not over
	underWay    int
	done        int // answers in the measured time
	sent        int
	latency     *hdr.Histogram
}

func newRun() *run {
	const least, most, digits = int64(time.Microsecond), int64(2 * time.Minute), 3
	return &run{latency: hdr.New(least, most, digits)}
}

// measured tells whether what was due at a time counts.
func (r *run) measured(due int64) bool {
	return r.from > 0 && due >= r.from && (r.until == 0 || due < r.until)
}

// record takes an answer that came now to what was due then.
func (r *run) record(now, due int64) error {
	if r.from > 0 && r.until == 0 {
		r.done++
	}
	if !r.measured(due) {
		return nil
	}
	return r.latency.RecordValue(min(now-due, r.latency.HighestTrackableValue()))
}

// stamp makes a payload of size bytes that no other message has.
func (s *Session) stamp(size, index int, seq uint64) []byte {
	if len(s.scratch) != size {
		s.scratch = bytes.Repeat([]byte("0123456789abcdef"), size/16+1)[:size]
	}
	digits(s.scratch[0:10], uint64(index)) //nolint:gosec // G115: not negative
	s.scratch[10] = '-'
	digits(s.scratch[11:31], seq)
	s.scratch[31] = '-'
	return s.scratch
}

func digits(b []byte, n uint64) {
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = byte('0' + n%10)
		n /= 10
	}
}

// send has a client send its next message, which was due at a time.
func (s *Session) send(c *client, size int, due int64) {
	c.seq++
	c.due = max(due, 1)
	s.run.sent++
	s.run.underWay++
	payload := s.stamp(size, c.index, c.seq)
	var err error
	if c.http {
		s.frame = s.opts.Request(s.frame[:0], payload)
		err = c.conn.Write(s.frame)
	} else {
		c.message = c.Message(c.message[:0], c.seq, payload)
		err = s.sendText(c, c.message)
	}
	if err != nil {
		s.fail(c, err)
	}
}

// check takes the answer to a client's message and tells when that had been due.
func (s *Session) check(c *client, size int, body []byte) (due int64, err error) {
	if c.due == 0 {
		return 0, fmt.Errorf("an answer that nobody waits for: %.200q", body)
	}
	want := c.Answers
	if want == nil {
		want = s.stamp(size, c.index, c.seq)
	}
	if !bytes.Contains(body, want) {
		return 0, fmt.Errorf("the answer to message %d is another's: %.200q", c.seq, body)
	}
	due, c.due = c.due, 0
	s.run.underWay--
	return due, nil
}

// lost takes a client out of the run.
func (s *Session) lost(c *client) {
	if c.due != 0 {
		c.due = 0
		s.run.underWay--
	}
}

// Capacity runs a closed loop: every client sends its next message when the last is answered.
func (s *Session) Capacity(ctx context.Context, p Plan) (Figures, error) {
	r := newRun()
	r.answered = func(c *client, body []byte) error {
		due, err := s.check(c, p.Payload, body)
		if err != nil {
			return err
		}
		now := s.now()
		if err := r.record(now, due); err != nil {
			return err
		}
		if r.until == 0 {
			s.send(c, p.Payload, now)
		}
		return nil
	}
	r.lost = s.lost
	// A slow server with many clients answers the first of them for seconds before it comes to the last.
	r.warm = func() bool { return r.sent >= 2*len(s.clients) || r.underWay == 0 }
	return s.measure(ctx, r, p, func() {
		for _, c := range s.clients {
			if c.state == ready {
				s.send(c, p.Payload, s.now())
			}
		}
	}, func(int64) time.Duration { return -1 })
}

// Rate sends a fixed number of messages a second, evenly spaced, each by the client that has been idle for longest.
// Latency counts from when a message was due, also when no client was free then.
func (s *Session) Rate(ctx context.Context, p Plan, perSecond float64) (Figures, error) {
	r := newRun()
	idle := newQueue(len(s.clients))
	r.answered = func(c *client, body []byte) error {
		due, err := s.check(c, p.Payload, body)
		if err != nil {
			return err
		}
		idle.push(c)
		return r.record(s.now(), due)
	}
	r.lost = s.lost
	var start int64
	next := 0
	due := func(k int) int64 { return start + int64(float64(k)*1e9/perSecond) }
	// tick sends what is due, and returns how long until the next is.
	tick := func(now int64) time.Duration {
		for ; r.until == 0 && due(next) <= now; next++ {
			c := idle.pop()
			if c == nil {
				return -1 // the next answer comes first
			}
			if c.state == gone {
				next--
				continue
			}
			s.send(c, p.Payload, due(next))
		}
		return time.Duration(due(next) - s.now())
	}
	f, err := s.measure(ctx, r, p, func() {
		for _, c := range s.clients {
			if c.state == ready {
				idle.push(c)
			}
		}
		start = s.now()
	}, tick)
	for k := next; due(k) < r.until; k++ {
		f.Late++
	}
	return f, err
}

// measure runs from begin through warm-up, the measured time and what is under way after it. tick is called whenever
// something may be due; it returns the time until the next call, negative for no matter when.
func (s *Session) measure(ctx context.Context, r *run, p Plan, begin func(), tick func(now int64) time.Duration) (Figures, error) {
	if p.Payload < 32 {
		return Figures{}, errors.New("a payload needs 32 bytes")
	}
	s.run = r
	defer func() { s.run = nil }()
	faults := s.faults
	s.fault = nil
	begin()
	if err := s.through(ctx, tick, p.Warmup); err != nil {
		return Figures{}, err
	}
	for end := s.now() + int64(turn); r.warm != nil && !r.warm() && s.now() < end; {
		if err := s.through(ctx, tick, 50*time.Millisecond); err != nil {
			return Figures{}, err
		}
	}
	if err := mark(p); err != nil {
		return Figures{}, err
	}
	r.from = s.now()
	if err := s.through(ctx, tick, p.Measure); err != nil {
		return Figures{}, err
	}
	r.until = s.now()
	if err := mark(p); err != nil {
		return Figures{}, err
	}
	for end := s.now() + int64(drain); r.underWay > 0 && s.now() < end; {
		if err := s.poll(ctx, time.Second); err != nil {
			return Figures{}, err
		}
	}
	f := Figures{Messages: r.done, Elapsed: time.Duration(r.until - r.from), Faults: s.faults - faults + r.underWay, Latency: r.latency}
	switch {
	case s.fault != nil:
		f.Fault = s.fault.Error()
	case r.underWay > 0:
		f.Fault = fmt.Sprintf("%d messages had no answer within %v", r.underWay, drain)
	}
	if 100*f.Faults > len(s.clients) || r.done == 0 {
		return f, fmt.Errorf("%d faults, %d answers; the first fault: %s", f.Faults, r.done, f.Fault)
	}
	return f, nil
}

func mark(p Plan) error {
	if p.Mark == nil {
		return nil
	}
	return p.Mark()
}

// through lets a time pass.
func (s *Session) through(ctx context.Context, tick func(now int64) time.Duration, d time.Duration) error {
	end := s.now() + int64(d)
	for {
		now := s.now()
		if now >= end {
			return nil
		}
		if s.run.sent > mostMessages {
			return fmt.Errorf("more than %d messages in one run: make it shorter", mostMessages)
		}
		wait := min(time.Duration(end-now), 100*time.Millisecond)
		if next := tick(now); next >= 0 {
			wait = min(wait, next)
		}
		if err := s.poll(ctx, max(wait, 0)); err != nil {
			return err
		}
	}
}

// queue holds each client at most once, first in, first out.
type queue struct {
	ring []*client
	head int
	n    int
}

func newQueue(most int) *queue { return &queue{ring: make([]*client, max(most, 1))} }

func (q *queue) push(c *client) {
	q.ring[(q.head+q.n)%len(q.ring)] = c
	q.n++
}

// pop returns nil when the queue is empty.
func (q *queue) pop() *client {
	if q.n == 0 {
		return nil
	}
	c := q.ring[q.head]
	q.head = (q.head + 1) % len(q.ring)
	q.n--
	return c
}
