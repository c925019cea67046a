//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"time"

	"cleat/bench/peer"
	"cleat/bench/usage"
)

// farm is all processes of a run.
type farm struct {
	out     io.Writer
	began   time.Time
	dir     string
	nodes   []peer.Instance
	clients []*clients
}

func measure(ctx context.Context, f flags, out io.Writer) (r result, err error) {
	p, err := newPlan(f.n, f.per)
	if err != nil {
		return r, err
	}
	if err := p.check(f.n); err != nil && !f.noCheck {
		return r, fmt.Errorf("this machine cannot hold them (-n for fewer, -force to try):\n%w", err)
	}
	r = result{Connections: f.n, Processes: len(p.connections)}
	dir, err := filepath.Abs(f.dir)
	if err != nil {
		return r, err
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return r, err
	}
	server := peer.Cleat()
	if r.Commit, err = server.Install(ctx, dir); err != nil {
		return r, err
	}
	m := &farm{out: out, began: time.Now()}
	if m.dir, err = os.MkdirTemp("", "cleat-million"); err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, m.stop()) }()
	before, err := usage.ReadKernel()
	if err != nil {
		return r, err
	}
	if err := m.startNodes(ctx, server, p); err != nil {
		return r, err
	}
	base, err := usage.ReadMemory(m.nodeIDs())
	if err != nil {
		return r, err
	}
	r.NodeBase = base.Proportional / int64(r.Processes)
	if r.ConnectSeconds, err = m.connect(ctx, p); err != nil {
		return r, err
	}
	if err := m.pause(ctx, 5*time.Second); err != nil {
		return r, err
	}
	if err := m.memory(&r, before); err != nil {
		return r, err
	}
	if err := m.push(ctx, f.pushes, &r); err != nil {
		return r, err
	}
	return r, m.idle(ctx, f.idle, &r)
}

func (m *farm) say(format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	_, _ = fmt.Fprintf(m.out, "%6.1f s  %s\n", time.Since(m.began).Seconds(), line) // progress: nothing depends on it
}

func (m *farm) startNodes(ctx context.Context, server peer.Server, p plan) error {
	m.say("%d nodes, and as many processes of clients, with %d connections each", len(p.connections), p.connections[0])
	for i, n := range p.connections {
		dir := filepath.Join(m.dir, fmt.Sprintf("node%d", i))
		if err := os.Mkdir(dir, 0o750); err != nil {
			return err
		}
		// A node that is pushed to lets clients in by itself and tells them who they are. No route of theirs calls a backend.
		node, err := server.Start(ctx, peer.Setup{
			Scenario: peer.ScenarioPush, Dir: dir, Backend: "127.0.0.1:9", Connections: n, IdleTimeout: 2 * most,
		})
		if err != nil {
			return fmt.Errorf("node %d: %w", i, err)
		}
		m.nodes = append(m.nodes, node)
	}
	m.say("nodes answer")
	return nil
}

// connect has all clients connect and returns how many seconds that took.
func (m *farm) connect(ctx context.Context, p plan) (float64, error) {
	began := time.Now()
	for i, node := range m.nodes {
		c, err := startClients(ctx, node, p.connections[i])
		if err != nil {
			return 0, err
		}
		m.clients = append(m.clients, c)
	}
	done := make(chan struct{})
	defer close(done)
	go func() {
		for {
			select {
			case <-done:
				return
			case <-time.After(5 * time.Second):
				m.say("%d connected", m.connected())
			}
		}
	}()
	if err := m.allConnected(ctx); err != nil {
		return 0, err
	}
	seconds := time.Since(began).Seconds()
	m.say("all %d connected in %.1f s", m.connected(), seconds)
	return seconds, nil
}

// allConnected waits until all are, or until the first has a fault.
func (m *farm) allConnected(ctx context.Context) error {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	var wg sync.WaitGroup
	for i, c := range m.clients {
		wg.Go(func() {
			if _, err := c.await(ctx); err != nil {
				fail(fmt.Errorf("connect to node %d, after %d connections in all: %w", i, m.connected(), err))
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

func (m *farm) connected() (n int64) {
	for _, c := range m.clients {
		n += c.connected.Load()
	}
	return n
}

func (m *farm) pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

func (m *farm) memory(r *result, before usage.Kernel) error {
	nodes, err := usage.ReadMemory(m.nodeIDs())
	if err != nil {
		return err
	}
	clients, err := usage.ReadMemory(m.clientIDs())
	if err != nil {
		return err
	}
	kernel, err := usage.ReadKernel()
	if err != nil {
		return err
	}
	r.NodesResident, r.NodesProportional = nodes.Resident, nodes.Proportional
	r.ClientsResident, r.ClientsProportional = clients.Resident, clients.Proportional
	r.Slab, r.Sockets = kernel.Slab-before.Slab, kernel.Sockets-before.Sockets
	if r.Available, err = available(); err != nil {
		return err
	}
	m.say("nodes %.2f GB, clients %.2f GB, kernel %.2f GB; %.1f GB of memory are left", gb(nodes.Proportional), gb(clients.Proportional), gb(r.Slab+r.Sockets), gb(r.Available))
	return nil
}

// push pushes to connections of all nodes in random order, one after the other.
func (m *farm) push(ctx context.Context, n int, r *result) error {
	var ids []string
	owners := owners{}
	for i, c := range m.clients {
		share := n*(i+1)/len(m.clients) - n*i/len(m.clients)
		e, err := c.ask(ctx, command{IDs: max(share, 1)})
		if err != nil {
			return fmt.Errorf("the clients of node %d: %w", i, err)
		}
		if err := owners.add(e.IDs[0], m.nodes[i]); err != nil {
			return err
		}
		ids = append(ids, e.IDs[:min(share, len(e.IDs))]...)
	}
	rand.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] }) //nolint:gosec // G404: an order, not a secret
	p := pusher{owners: owners}
	defer p.close()
	for _, id := range ids {
		if err := p.push(ctx, id); err != nil {
			return fmt.Errorf("push to %s: %w", id, err)
		}
	}
	r.Pushes, r.PushP50, r.PushP99 = len(ids), p.quantile(0.5), p.quantile(0.99)
	m.say("%d pushes: p50 %.0f us, p99 %.0f us", len(ids), r.PushP50, r.PushP99)
	return m.delivered(ctx, len(ids))
}

// delivered waits until clients have got so many pushes.
func (m *farm) delivered(ctx context.Context, want int) error {
	for end := time.Now().Add(30 * time.Second); ; {
		got := 0
		for i, c := range m.clients {
			e, err := c.ask(ctx, command{Received: true})
			if err != nil {
				return fmt.Errorf("the clients of node %d: %w", i, err)
			}
			got += e.Received
		}
		switch {
		case got == want:
			return nil
		case got > want || time.Now().After(end):
			return fmt.Errorf("%d pushes have come, of %d", got, want)
		}
	}
}

// idle measures what is left of the processor while nothing happens.
func (m *farm) idle(ctx context.Context, d time.Duration, r *result) error {
	if err := m.pause(ctx, 5*time.Second); err != nil {
		return err
	}
	m.say("nothing is done for %s", d)
	nodes, err := usage.ReadCPU(m.nodeIDs())
	if err != nil {
		return err
	}
	clients, err := usage.ReadCPU(m.clientIDs())
	if err != nil {
		return err
	}
	idle, all, err := machineTimes()
	if err != nil {
		return err
	}
	began := time.Now()
	if err := m.pause(ctx, d); err != nil {
		return err
	}
	nodesAfter, err := usage.ReadCPU(m.nodeIDs())
	if err != nil {
		return err
	}
	clientsAfter, err := usage.ReadCPU(m.clientIDs())
	if err != nil {
		return err
	}
	idleAfter, allAfter, err := machineTimes()
	if err != nil {
		return err
	}
	r.IdleSeconds = time.Since(began).Seconds()
	r.IdleLeft = float64(idleAfter-idle) / float64(allAfter-all)
	r.IdleNodes = nodesAfter.Sub(nodes).Total().Seconds() / r.IdleSeconds
	r.IdleClients = clientsAfter.Sub(clients).Total().Seconds() / r.IdleSeconds
	return m.delivered(ctx, r.Pushes) // that is: all are still there
}

func (m *farm) nodeIDs() (ids []int) {
	for _, n := range m.nodes {
		ids = append(ids, n.Processes()...)
	}
	return ids
}

func (m *farm) clientIDs() (ids []int) {
	for _, c := range m.clients {
		ids = append(ids, c.cmd.Process.Pid)
	}
	return ids
}

// stop ends everything. Nodes end first, side by side: they take their time for connections.
func (m *farm) stop() error {
	errs := make([]error, len(m.nodes))
	var wg sync.WaitGroup
	for i, n := range m.nodes {
		wg.Go(func() { errs[i] = n.Stop() })
	}
	wg.Wait()
	for _, c := range m.clients {
		_ = c.stop() // it ends with the fault that its node is gone
	}
	return errors.Join(append(errs, os.RemoveAll(m.dir))...)
}
