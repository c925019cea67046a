// Handshake measures how fast connections are opened, and what each costs the server: processor time from accept to an
// open WebSocket connection and its end.
//
//	go run ./bench/handshake
//	go run ./bench/handshake -addr 127.0.0.1:3001 -path /dev -pid 4711
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"time"

	"cleat/bench/rig"
)

var (
	count = flag.Int("n", 10000, "handshakes; a fifth over TLS")
	width = flag.Int("width", 16, "handshakes at a time")
)

func main() { rig.Main(55*time.Second, about, run) }

func about() string {
	return fmt.Sprintf("Handshakes, %d clients at a time, each connection closed at once; CPU of the server", *width)
}

func run(ctx context.Context, external *rig.Target) error {
	_, err := fmt.Fprintf(os.Stdout, "%-10s %-5s %8s %14s %12s\n", "server", "TLS", "count", "handshakes/s", "CPU us each")
	if err != nil {
		return err
	}
	if external != nil {
		return measure(ctx, external, *count)
	}
	for _, withTLS := range []bool{false, true} {
		n := *count
		if withTLS {
			n /= 5
		}
		for _, kind := range []string{rig.Gateway, rig.Bare, rig.Hub, rig.Gorilla, rig.Coder} {
			t, err := rig.Start(ctx, kind, withTLS)
			if err != nil {
				return err
			}
			err = measure(ctx, t, n)
			if stopErr := t.Stop(); err == nil {
				err = stopErr
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func measure(ctx context.Context, t *rig.Target, n int) error {
	before, err := t.CPU()
	if err != nil {
		return err
	}
	begin := time.Now()
	_, err = rig.DialMany(ctx, t, n, *width, func(_, raw net.Conn) struct{} {
		if tcp, ok := raw.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // only spares the machine its TIME_WAITs
		}
		_ = raw.Close() // the server sees it either way
		return struct{}{}
	})
	if err != nil {
		return err
	}
	wall := time.Since(begin)
	after, err := t.CPU()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(os.Stdout, "%-10s %-5v %8d %14.0f %12.1f\n", t.Name, t.TLS, n, float64(n)/wall.Seconds(), float64((after-before).Nanoseconds())/1e3/float64(n))
	return err
}
