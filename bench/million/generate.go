//go:build linux

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"time"

	"cleat/bench/evloop"
	"cleat/bench/wire"
	"cleat/internal/frame"
)

// task is the first line that a process of clients reads: whom to connect to.
type task struct {
	Addr        string
	Path        string
	Hello       string // a message that is answered by {"id":"…"}
	Connections int
}

// command is each further line. Standard input's end is the process's.
type command struct {
	IDs      int  // asks for the IDs of so many connections, chosen at random
	Received bool // asks how many pushes have come
}

// event is a line that a process of clients writes.
type event struct {
	Connected int      // tells how far it is
	Ready     bool     // all are connected; also with the answer to each command
	IDs       []string // the answer
	Received  int      // the answer
	Fault     string   // what went wrong; nothing comes after it
}

// client is one connection, kept small: there are a million.
type client struct {
	id    [16]byte // of the connection: all have this length
	index int32
	state state
}

type state uint8

const (
	upgrading state = iota
	greeting        // it has asked who it is
	ready
)

// generator is a process of clients.
type generator struct {
	task
	loop    *evloop.Loop
	to      netip.AddrPort
	clients []client
	hello   []byte // framed

	dialed, connected, received int
	fault                       error
}

const (
	width    = 64                     // clients that connect at a time
	progress = 500 * time.Millisecond // between two lines of it
	nap      = 250 * time.Millisecond // at most until a command is seen
	// each is how many clients share an address, so that ports are there for all of them: the kernel has 28,000 for a pair
	// of addresses and a port, and finds free ones fast as long as many are.
	each = 5000
)

func generate(in io.Reader, out io.Writer) error {
	lines, answers := json.NewDecoder(bufio.NewReader(in)), json.NewEncoder(out)
	var t task
	if err := lines.Decode(&t); err != nil {
		return err
	}
	g := &generator{task: t, clients: make([]client, t.Connections), hello: wire.AppendText(nil, []byte(t.Hello))}
	if err := g.run(lines, answers); err != nil {
		return answers.Encode(event{Fault: err.Error()}) // the main process tells of it, unless it is about to end all
	}
	return nil
}

func (g *generator) run(lines *json.Decoder, answers *json.Encoder) (err error) {
	if g.to, err = netip.ParseAddrPort(g.Addr); err != nil {
		return err
	}
	if g.loop, err = evloop.New(g); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, g.loop.Close()) }()
	if err := g.connect(answers); err != nil {
		return err
	}
	commands := make(chan command) // closed when standard input ends
	go func() {
		defer close(commands)
		for {
			var c command
			if lines.Decode(&c) != nil {
				return
			}
			commands <- c
		}
	}()
	for {
		select {
		case c, ok := <-commands:
			if !ok {
				return nil
			}
			if err := answers.Encode(g.answer(c)); err != nil {
				return err
			}
		default:
		}
		if err := g.poll(nap); err != nil {
			return err
		}
	}
}

// connect returns when all clients know who they are.
func (g *generator) connect(answers *json.Encoder) error {
	said := time.Now()
	for g.connected < len(g.clients) {
		for g.dialed < len(g.clients) && g.dialed-g.connected < width {
			c := &g.clients[g.dialed]
			c.index = int32(g.dialed)                                            //nolint:gosec // G115: below 20,000
			from := netip.AddrFrom4([4]byte{127, 0, 1, byte(1 + g.dialed/each)}) //nolint:gosec // G115: a few
			if _, err := g.loop.Dial(from, g.to, c); err != nil {
				return err
			}
			g.dialed++
		}
		if err := g.poll(progress); err != nil {
			return err
		}
		if time.Since(said) > progress {
			said = time.Now()
			if err := answers.Encode(event{Connected: g.connected}); err != nil {
				return err
			}
		}
	}
	return answers.Encode(event{Connected: g.connected, Ready: true})
}

func (g *generator) poll(d time.Duration) error {
	return errors.Join(g.loop.Poll(d), g.fault)
}

func (g *generator) answer(c command) event {
	e := event{Connected: g.connected, Ready: true, Received: g.received}
	for _, i := range rand.Perm(len(g.clients))[:min(c.IDs, len(g.clients))] { //nolint:gosec // G404: a choice, not a secret
		e.IDs = append(e.IDs, string(g.clients[i].id[:]))
	}
	return e
}

func (g *generator) fail(c *client, err error) {
	if g.fault == nil {
		g.fault = fmt.Errorf("client %d of %d: %w", c.index, len(g.clients), err)
	}
}

// of is the client of a connection.
func of(c *evloop.Conn) *client {
	cl, ok := c.Owner.(*client)
	if !ok {
		panic("a connection without its client")
	}
	return cl
}

// Opened is evloop.Handler's.
func (g *generator) Opened(c *evloop.Conn, err error) {
	if err == nil {
		err = c.Write(wire.Upgrade(int(of(c).index), g.Addr, g.Path, nil))
	}
	if err != nil {
		g.fail(of(c), err)
	}
}

// Closed is evloop.Handler's.
func (g *generator) Closed(c *evloop.Conn, err error) {
	g.fail(of(c), fmt.Errorf("the connection ended: %w", err))
}

// Data is evloop.Handler's.
func (g *generator) Data(c *evloop.Conn, b []byte) (used int) {
	cl := of(c)
	used, err := g.data(c, cl, b)
	if err != nil {
		g.fail(cl, err)
		return len(b)
	}
	return used
}

func (g *generator) data(c *evloop.Conn, cl *client, b []byte) (used int, err error) {
	if cl.state == upgrading {
		used, err = wire.Switched(int(cl.index), b)
		if err != nil || used == 0 {
			return 0, err
		}
		cl.state = greeting
		if err := c.Write(g.hello); err != nil {
			return used, err
		}
	}
	for {
		op, _, text, n, err := wire.ServerFrame(b[used:])
		if err != nil || n == 0 {
			return used, err
		}
		used += n
		switch op {
		case frame.OpText:
			err = g.text(cl, text)
		case frame.OpPing:
			err = c.Write(wire.AppendPong(nil, text))
		default:
			err = fmt.Errorf("the server sends a frame of type %v", op)
		}
		if err != nil {
			return used, err
		}
	}
}

// text takes the answer to the greeting, and afterwards pushes, which name their receiver.
func (g *generator) text(cl *client, text []byte) error {
	if cl.state == ready {
		if !bytes.Contains(text, cl.id[:]) {
			return fmt.Errorf("it was sent what is not for it: %.100q", text)
		}
		g.received++
		return nil
	}
	var answer struct{ ID string }
	if err := json.Unmarshal(text, &answer); err != nil || len(answer.ID) != len(cl.id) {
		return fmt.Errorf("it asked who it is and was told %.100q", text)
	}
	copy(cl.id[:], answer.ID)
	cl.state = ready
	g.connected++
	return nil
}
