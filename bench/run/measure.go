//go:build linux

package run

import (
	"context"
	"errors"
	"fmt"
	"time"

	"cleat/bench/load"
	"cleat/bench/peer"
	"cleat/bench/result"
	"cleat/bench/usage"
)

// session is one started server and a case.
type session struct {
	ctx      context.Context //nolint:containedctx // it lives for one call of a measure function
	spec     spec
	d        Durations
	instance peer.Instance
	// add takes the figures of one step of the case.
	add func(step string, values map[string]float64)
}

func (s *session) options() load.Options {
	o := load.Options{Addr: s.instance.Addr(), Connections: s.spec.connections}
	if c, ok := s.instance.(peer.Caller); ok {
		o.Request = c.Request
	} else {
		o.Client = s.instance.Client
	}
	return o
}

// meter reads the server's processor time at both ends of a measured time.
type meter struct {
	instance peer.Instance
	readings []usage.CPU
}

func (m *meter) mark() error {
	c, err := usage.ReadCPU(m.instance.Processes())
	m.readings = append(m.readings, c)
	return err
}

func (m *meter) used() usage.CPU { return m.readings[len(m.readings)-1].Sub(m.readings[0]) }

func (s *session) plan() (load.Plan, *meter) {
	m := &meter{instance: s.instance}
	return load.Plan{Payload: s.spec.payload, Warmup: s.d.Warmup, Measure: s.d.Measure, Mark: m.mark}, m
}

// figures are what nearly all cases have.
func figures(f load.Figures, m *meter) map[string]float64 {
	each := 1 / float64(max(f.Messages, 1))
	us := func(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
	v := map[string]float64{
		result.Rate: float64(f.Messages) / f.Elapsed.Seconds(),
		result.P50:  float64(f.Latency.ValueAtQuantile(50)) / 1e3,
		result.P99:  float64(f.Latency.ValueAtQuantile(99)) / 1e3,
	}
	if len(m.instance.Processes()) > 0 {
		v[result.CPU], v[result.System] = us(m.used().Total())*each, us(m.used().System)*each
	}
	return v
}

func faulty(step string, f load.Figures, err error) error {
	if err == nil && f.Faults > 0 {
		err = fmt.Errorf("%d faults, the first: %s", f.Faults, f.Fault)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", step, err)
	}
	return nil
}

// messages measures the capacity, and latency at rates.
func messages(s *session) (err error) {
	l, err := load.Open(s.ctx, s.options())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	p, m := s.plan()
	f, err := l.Capacity(s.ctx, p)
	if err := faulty("capacity", f, err); err != nil {
		return err
	}
	v := figures(f, m)
	s.add("capacity", v)
	rates := map[string]float64{}
	var steps []string
	fixed := ""
	if s.spec.rates {
		rates["50%"], rates["90%"] = 0.5*v[result.Rate], 0.9*v[result.Rate]
		steps = append(steps, "50%", "90%")
	}
	if s.spec.fixed > 0 {
		fixed = fmt.Sprintf("%.0f/s", s.spec.fixed)
		rates[fixed] = s.spec.fixed
		steps = append(steps, fixed)
	}
	for _, step := range steps {
		p, m := s.plan()
		if step == fixed {
			p.Measure = max(p.Measure, s.d.Fixed)
		}
		f, err := l.Rate(s.ctx, p, rates[step])
		if err := faulty(step, f, err); err != nil {
			return err
		}
		v := figures(f, m)
		v[result.Late] = float64(f.Late) / float64(f.Late+f.Messages)
		s.add(step, v)
	}
	return nil
}

// pushers is how many callers push at a time.
const pushers = 32

func pushes(s *session) (err error) {
	l, err := load.Open(s.ctx, s.options())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	text := make([]byte, s.spec.payload)
	for i := range text {
		text[i] = byte('a' + i%26)
	}
	var addr string
	requests := make([][]byte, s.spec.connections)
	for i, id := range l.IDs() {
		addr, requests[i] = s.instance.Push(i, id, text)
	}
	p, m := s.plan()
	f, err := l.Push(s.ctx, p, pushers, addr, requests, text)
	if errors.Is(err, load.ErrLost) {
		err = nil // its share is a figure: pages mark it, and no goal is held to a server that loses pushes
	}
	if err := faulty("push", f, err); err != nil {
		return err
	}
	v := figures(f, m)
	v[result.Lost] = float64(f.Lost) / float64(max(f.Pushed, 1))
	s.add("capacity", v)
	return nil
}

func connects(s *session) error {
	p, m := s.plan()
	connect := load.Connects
	if s.spec.tls {
		connect = load.TLSConnects
	}
	f, err := connect(s.ctx, s.options(), p)
	if err := faulty("connect", f, err); err != nil {
		return err
	}
	s.add("capacity", figures(f, m))
	return nil
}

// memory is what connections add.
type memory struct {
	instance peer.Instance
	user     int64
	kernel   usage.Kernel
}

func (m *memory) read() error {
	u, err := usage.ReadMemory(m.instance.Processes())
	if err != nil {
		return err
	}
	m.user = u.Proportional
	m.kernel, err = usage.ReadKernel()
	return err
}

// each is what every one of n connections has added since before, in bytes. The kernel keeps as much for the load
// generator's end of a connection as for the server's: half is the server's.
func (m *memory) each(before memory, n int) map[string]float64 {
	return map[string]float64{
		result.User:   float64(m.user-before.user) / float64(n),
		result.Kernel: float64(m.kernel.Total()-before.kernel.Total()) / float64(n) / 2,
		result.Count:  float64(n),
	}
}

// idlers are clients that do nothing but what they are told.
type idlers interface {
	Idle(ctx context.Context, d time.Duration) error
	Close() error
}

func idle(s *session) error {
	return s.idle(func() (idlers, func() error, error) {
		l, err := load.Open(s.ctx, s.options())
		if err != nil {
			return nil, nil, err
		}
		return l, func() error {
			p := load.Plan{Payload: small, Measure: time.Duration(s.spec.connections) * time.Second / talks}
			f, err := l.Rate(s.ctx, p, talks)
			return faulty("talk", f, err)
		}, nil
	})
}

func idleTLS(s *session) error {
	return s.idle(func() (idlers, func() error, error) {
		l, err := load.OpenTLS(s.ctx, s.options())
		if err != nil {
			return nil, nil, err
		}
		return l, func() error { return l.TalkOnce(s.ctx, talks) }, nil
	})
}

// talks is how many of the idle clients talk each second.
const talks = 2000

func (s *session) idle(open func() (idlers, func() error, error)) (err error) {
	before, after := memory{instance: s.instance}, memory{instance: s.instance}
	pause := func(d time.Duration) error {
		select {
		case <-s.ctx.Done():
			return context.Cause(s.ctx)
		case <-time.After(d):
			return nil
		}
	}
	if s.spec.churn {
		f, err := load.Connects(s.ctx, s.options(), load.Plan{Warmup: s.d.Warmup, Measure: s.d.Measure})
		if err := faulty("come and go", f, err); err != nil {
			return err
		}
	}
	if err := errors.Join(pause(s.d.Settle), before.read()); err != nil {
		return err
	}
	l, talk, err := open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	if err := errors.Join(l.Idle(s.ctx, s.d.Settle), after.read()); err != nil {
		return err
	}
	s.add("idle", after.each(before, s.spec.connections))
	if !s.spec.tls && !s.spec.churn {
		m := &meter{instance: s.instance}
		begin := time.Now()
		if err := errors.Join(m.mark(), l.Idle(s.ctx, s.d.Idle), m.mark()); err != nil {
			return err
		}
		s.add("hour", map[string]float64{result.Hour: m.used().Total().Seconds() * float64(time.Hour) / float64(time.Since(begin))})
	}
	if err := talk(); err != nil {
		return err
	}
	if err := errors.Join(l.Idle(s.ctx, s.d.Settle), after.read()); err != nil {
		return err
	}
	s.add("talked", after.each(before, s.spec.connections))
	return nil
}
