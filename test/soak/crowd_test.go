//go:build soak

package soak_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// request is what the gateway's process asks of the crowd's.
type request struct {
	Do   string // "start": the backend; "run": the clients, until all have left
	Addr string // of the gateway
	For  time.Duration
	Most int
	Seed uint64
}

// response is the answer.
type response struct {
	Addr                          string // of the backend
	Began, Peak                   int
	Accepted, Refused, Unclear    int
	Messages, Pushes, Disconnects int
	Kinds                         map[string]int
	Faults                        []string
	FaultCount                    int
}

// arrivals is the most connections that are opened a second; with $connect and $disconnect each is two calls of the backend.
const arrivals = 150

// share is how much of the crowd stays until the end; the others come and go.
const share = 0.99

// maxFaults bounds what is told.
const maxFaults = 20

func runCrowd(in io.Reader, out io.Writer) error {
	b, err := startBackend()
	if err != nil {
		return err
	}
	for lines := bufio.NewScanner(in); lines.Scan(); {
		var q request
		if err := json.Unmarshal(lines.Bytes(), &q); err != nil {
			return err
		}
		r := response{Addr: b.addr}
		if q.Do == "run" {
			r = run(q, b)
		}
		if err := json.NewEncoder(out).Encode(r); err != nil {
			return err
		}
	}
	return nil
}

// ground is what all clients of a run share.
type ground struct {
	addr   string
	end    time.Time // when those that stay leave
	pushes atomic.Int64
	here   atomic.Int64
	peak   atomic.Int64

	mu       sync.Mutex
	outcomes []outcome
	faults   []string
}

func (g *ground) fault(format string, args ...any) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.faults = append(g.faults, fmt.Sprintf(format, args...))
}

// run has clients come at a steady rate until the time is up, and holds what they saw against the backend's books.
func run(q request, b *backend) response {
	g := &ground{addr: q.Addr, end: time.Now().Add(q.For)}
	rng := rand.New(rand.NewPCG(q.Seed, 0))
	b.takeMessages()
	var clients sync.WaitGroup
	tick := time.NewTicker(time.Second / arrivals)
	defer tick.Stop()
	stay, staying := int(share*float64(q.Most)), 0
	n := 0
	for time.Now().Before(g.end) {
		<-tick.C
		if g.here.Load() >= int64(q.Most) {
			continue
		}
		n++
		k := pick(rng)
		// Those that stay come early, so that there are many of them for long; every third comes and goes.
		if staying < stay && n%3 != 0 {
			staying++
			k = stays
		}
		c := &client{ground: g, n: n, kind: k, rng: rand.New(rand.NewPCG(q.Seed, uint64(n)))}
		clients.Go(func() {
			g.peak.Store(max(g.peak.Load(), g.here.Add(1)))
			defer g.here.Add(-1)
			o := c.live()
			g.mu.Lock()
			g.outcomes = append(g.outcomes, o)
			g.mu.Unlock()
		})
	}
	clients.Wait()
	faults, disconnects := b.audit(g.outcomes, 30*time.Second)
	b.hangUp()
	faults = append(g.faults, faults...)
	r := response{
		Began: n, Peak: int(g.peak.Load()), Kinds: map[string]int{}, Messages: b.takeMessages(), Pushes: int(g.pushes.Load()), Disconnects: disconnects,
		Faults: faults[:min(len(faults), maxFaults)], FaultCount: len(faults),
	}
	for _, o := range g.outcomes {
		r.Kinds[o.kind]++
		switch o.state {
		case accepted:
			r.Accepted++
		case refused:
			r.Refused++
		case unclear:
			r.Unclear++
		}
	}
	return r
}

// pick draws a kind of client by its weight.
func pick(rng *rand.Rand) *kind {
	all := kinds()
	sum := 0
	for _, k := range all {
		sum += k.weight
	}
	at := rng.IntN(sum)
	i := slices.IndexFunc(all, func(k *kind) bool {
		at -= k.weight
		return at < 0
	})
	return all[i]
}
