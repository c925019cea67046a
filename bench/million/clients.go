//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync/atomic"
	"time"

	"cleat/bench/peer"
)

// clients is a process of clients as the main process sees it. Its methods are called one after the other.
type clients struct {
	cmd       *exec.Cmd
	stdin     io.Closer
	commands  *json.Encoder
	connected atomic.Int64
	events    chan event // those that are Ready or a Fault; closed when the process has no more to say
}

// startClients begins to connect n clients to a node.
func startClients(ctx context.Context, node peer.Instance, n int) (*clients, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := &clients{cmd: exec.CommandContext(ctx, self, "-generate"), events: make(chan event, 2)} //nolint:gosec // G204: this program
	c.cmd.Stderr = os.Stderr
	c.cmd.Env = append(os.Environ(), "GOMAXPROCS=1") // there are dozens of processes for the cores
	stdin, err := c.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	c.stdin, c.commands = stdin, json.NewEncoder(stdin)
	stdout, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	go c.read(stdout)
	first := node.Client(0)
	err = c.commands.Encode(task{Addr: node.Addr(), Path: first.Path, Hello: string(first.Hello), Connections: n})
	if err != nil {
		return nil, errors.Join(err, c.stop())
	}
	return c, nil
}

func (c *clients) read(from io.Reader) {
	defer close(c.events)
	for lines := json.NewDecoder(from); ; {
		var e event
		if lines.Decode(&e) != nil {
			return
		}
		c.connected.Store(int64(e.Connected))
		if e.Ready || e.Fault != "" {
			c.events <- e
		}
	}
}

// await waits until all are connected, or for the answer to a command.
func (c *clients) await(ctx context.Context) (event, error) {
	select {
	case e, ok := <-c.events:
		switch {
		case !ok:
			return e, errors.New("a process of clients has ended")
		case e.Fault != "":
			return e, errors.New(e.Fault)
		}
		return e, nil
	case <-ctx.Done():
		return event{}, context.Cause(ctx)
	}
}

func (c *clients) ask(ctx context.Context, what command) (event, error) {
	if err := c.commands.Encode(what); err != nil {
		return event{}, fmt.Errorf("ask a process of clients: %w", err)
	}
	return c.await(ctx)
}

// stop ends the process, which closes its connections.
func (c *clients) stop() error {
	err := c.stdin.Close()
	kill := time.AfterFunc(10*time.Second, func() { _ = c.cmd.Process.Kill() }) // it is gone, or its end is told below
	defer kill.Stop()
	for range c.events { // a fault that nobody waits for
	}
	return errors.Join(err, c.cmd.Wait())
}
