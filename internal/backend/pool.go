package backend

import (
	"container/list"
	"context"
	"net"
	"os"
	"sync"
	"time"
)

// pool keeps connections for plain HTTP by the host of the URL, in the spelling given. Of the idle ones the last used goes
// first, so that those beyond need grow old; one timer closes them. Calls past the bound wait in the order they came. A
// connection that is being made is nobody's: it goes, as every connection that becomes free does, to whoever has waited
// longest.
type pool struct {
	dial              func(ctx context.Context, network, addr string) (net.Conn, error)
	life              context.Context //nolint:containedctx // of dialling, which is for no call in particular: whoever began it may leave
	maxIdle, maxConns int
	idleTimeout       time.Duration

	mu     sync.Mutex
	hosts  map[string]*host // those with connections or calls that wait
	timer  *time.Timer      // nil until a connection is first idle
	armed  bool             // the timer runs
	closed bool             // since Close no call was made: free connections are closed
}

// host is what a pool has of one host, under the pool's lock.
type host struct {
	name    string       // the pool's key
	addr    string       // that is dialled
	idle    []*plainConn // the one used last comes last
	open    int          // connections, those that are being made included
	dialing int
	waiting list.List // of chan grant
}

// grant is what a waiting call gets.
type grant struct {
	conn *plainConn
	err  error // of dialling
}

func newPool(o *HTTPOptions) *pool {
	return &pool{
		dial: o.dial, life: context.Background(),
		maxIdle: o.MaxIdlePerHost, maxConns: o.MaxConnsPerHost, idleTimeout: o.IdleTimeout, hosts: map[string]*host{},
	}
}

// get returns a connection for a request that must end at deadline (zero: when ctx ends); put or drop gives it back.
func (p *pool) get(ctx context.Context, r *Request, deadline time.Time) (*plainConn, error) {
	u := r.URL
	p.mu.Lock()
	p.closed = false
	h := p.hosts[u.Host]
	if h == nil {
		h = &host{name: u.Host, addr: net.JoinHostPort(u.Hostname(), or(u.Port(), "80"))}
		p.hosts[u.Host] = h
	}
	if last := len(h.idle) - 1; last >= 0 {
		c := h.idle[last]
		h.idle[last] = nil
		h.idle = h.idle[:last]
		p.mu.Unlock()
		return c, nil
	}
	ready := make(chan grant, 1)
	place := h.waiting.PushBack(ready)
	p.fill(h)
	p.mu.Unlock()
	r.yield()

	var late <-chan time.Time
	if !deadline.IsZero() {
		timer := time.NewTimer(time.Until(deadline))
		defer timer.Stop()
		late = timer.C
	}
	err := os.ErrDeadlineExceeded
	select {
	case g := <-ready:
		return g.conn, g.err
	case <-late:
	case <-ctx.Done():
		err = ctx.Err()
	}
	p.mu.Lock()
	h.waiting.Remove(place) // which does nothing once it has been served
	p.mu.Unlock()
	select {
	case g := <-ready:
		if g.conn != nil {
			p.put(g.conn)
		}
	default:
	}
	return nil, err
}

// fill makes as many connections as calls wait for, within the bound.
func (p *pool) fill(h *host) {
	for h.dialing < h.waiting.Len() && h.open < p.maxConns {
		h.dialing++
		h.open++
		go p.connect(h)
	}
}

func (p *pool) connect(h *host) {
	nc, err := p.dial(p.life, "tcp", h.addr)
	if err == nil {
		p.free(newPlainConn(h, nc), true)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	h.dialing--
	h.serve(grant{err: err})
	p.lose(h)
}

// serve gives the call that has waited longest what it waits for, and reports whether there was one.
func (h *host) serve(g grant) bool {
	first := h.waiting.Front()
	if first == nil {
		return false
	}
	if ready, ok := h.waiting.Remove(first).(chan grant); ok {
		ready <- g // there is room for one
	}
	return true
}

// put takes back a connection that can be used again.
func (p *pool) put(c *plainConn) { p.free(c, false) }

func (p *pool) free(c *plainConn, fresh bool) {
	p.mu.Lock()
	h := c.host
	if fresh {
		h.dialing--
	}
	if h.serve(grant{conn: c}) {
		p.mu.Unlock()
		return
	}
	if p.closed || len(h.idle) >= p.maxIdle {
		p.lose(h)
		p.mu.Unlock()
		c.close()
		return
	}
	c.since, c.kept = time.Now(), true
	h.idle = append(h.idle, c)
	p.arm(p.idleTimeout)
	p.mu.Unlock()
}

// drop closes a connection that cannot be used again.
func (p *pool) drop(c *plainConn) {
	c.close()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lose(c.host)
}

// lose notes that a host has a connection less.
func (p *pool) lose(h *host) {
	h.open--
	p.fill(h)
	if h.open == 0 && h.waiting.Len() == 0 && p.hosts[h.name] == h {
		delete(p.hosts, h.name)
	}
}

// arm has the timer look after idle connections in a while, if it does not anyway.
func (p *pool) arm(after time.Duration) {
	switch {
	case p.armed:
		return
	case p.timer == nil:
		p.timer = time.AfterFunc(after, p.closeOld)
	default:
		p.timer.Reset(after)
	}
	p.armed = true
}

// closeOld closes the connections that have been idle for too long.
func (p *pool) closeOld() {
	p.mu.Lock()
	p.armed = false
	now := time.Now()
	var next time.Duration
	old := p.take(func(c *plainConn) bool {
		left := p.idleTimeout - now.Sub(c.since)
		if left > 0 && (next == 0 || left < next) {
			next = left
		}
		return left <= 0
	})
	if next > 0 {
		p.arm(next)
	}
	p.mu.Unlock()
	closeAll(old)
}

// closeIdle closes all idle connections, and until the next call those that become free.
func (p *pool) closeIdle() {
	p.mu.Lock()
	p.closed = true
	if p.armed {
		p.armed = !p.timer.Stop()
	}
	all := p.take(func(*plainConn) bool { return true })
	p.mu.Unlock()
	closeAll(all)
}

// take takes idle connections out of the pool.
func (p *pool) take(which func(*plainConn) bool) []*plainConn {
	var out []*plainConn
	for _, h := range p.hosts {
		n := 0
		for _, c := range h.idle {
			if which(c) {
				out = append(out, c)
			} else {
				h.idle[n] = c
				n++
			}
		}
		clear(h.idle[n:])
		gone := len(h.idle) - n
		h.idle = h.idle[:n]
		for range gone {
			p.lose(h)
		}
	}
	return out
}

func closeAll(cs []*plainConn) {
	for _, c := range cs {
		c.close()
	}
}
