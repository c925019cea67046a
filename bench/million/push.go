//go:build linux

package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"time"

	"cleat/bench/peer"
	"cleat/internal/conn"
)

// owners finds the node that holds a connection by the incarnation in its ID: as long as nodes do not know each other, who
// pushes must know them all.
type owners map[uint32]peer.Instance

// add takes the node that gave out an ID.
func (o owners) add(id string, node peer.Instance) error {
	incarnation, err := conn.ParseID(id)
	if err != nil {
		return err
	}
	if o[incarnation] != nil {
		return fmt.Errorf("two nodes have drawn the incarnation %d by chance: run again", incarnation)
	}
	o[incarnation] = node
	return nil
}

// pusher pushes, one after the other, over one connection to each node.
type pusher struct {
	owners owners
	links  map[string]*link // by address
	took   []float64        // microseconds, sorted by quantile
}

type link struct {
	conn   net.Conn
	answer *bufio.Reader
}

const pushTimeout = 30 * time.Second

// push pushes to a connection and waits for the answer.
func (p *pusher) push(ctx context.Context, id string) error {
	incarnation, err := conn.ParseID(id)
	if err != nil {
		return err
	}
	node := p.owners[incarnation]
	if node == nil {
		return fmt.Errorf("no node has incarnation %d", incarnation)
	}
	addr, request := node.Push(0, id, fmt.Appendf(nil, "push %d to %s", len(p.took), id))
	l, err := p.link(ctx, addr)
	if err != nil {
		return err
	}
	begin := time.Now()
	if err := l.conn.SetDeadline(begin.Add(pushTimeout)); err != nil {
		return err
	}
	if _, err := l.conn.Write(request); err != nil {
		return err
	}
	resp, err := http.ReadResponse(l.answer, nil)
	if err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if err := resp.Body.Close(); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the node answers %s", resp.Status)
	}
	p.took = append(p.took, float64(time.Since(begin))/1e3)
	return nil
}

func (p *pusher) link(ctx context.Context, addr string) (*link, error) {
	if l := p.links[addr]; l != nil {
		return l, nil
	}
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	if p.links == nil {
		p.links = map[string]*link{}
	}
	p.links[addr] = &link{c, bufio.NewReader(c)}
	return p.links[addr], nil
}

func (p *pusher) close() {
	for _, l := range p.links {
		_ = l.conn.Close() // all answers are there
	}
}

// quantile returns how many microseconds that share of the pushes took at most.
func (p *pusher) quantile(share float64) float64 {
	if len(p.took) == 0 {
		return 0
	}
	slices.Sort(p.took)
	return p.took[min(int(share*float64(len(p.took))), len(p.took)-1)]
}
