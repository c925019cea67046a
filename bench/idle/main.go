// Idle measures what an idle WebSocket connection costs the server: resident bytes of its process, everything it keeps
// included. Servers with a goroutine per connection are measured in the same run, to be compared with.
//
//	go run ./bench/idle
//	go run ./bench/idle -addr 127.0.0.1:3001 -path /dev -pid 4711
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	"cleat/bench/rig"
)

var count = flag.Int("n", 15000, "connections; the goroutine-per-connection servers get a third, with TLS a fifteenth")

func main() { rig.Main(150*time.Second, about, run) }

func about() string {
	return fmt.Sprintf("Idle connections: resident bytes of the server that each adds, garbage included and without it; up to %d", *count)
}

func run(ctx context.Context, external *rig.Target) error {
	_, err := fmt.Fprintf(os.Stdout, "%-10s %-5s %7s %14s %14s %12s %8s\n", "server", "TLS", "conns", "bytes/conn", "after GC", "goroutines", "ratio")
	if err != nil {
		return err
	}
	if external != nil {
		_, err := measure(ctx, external, *count, 0)
		return err
	}
	for _, withTLS := range []bool{false, true} {
		share := 3
		if withTLS {
			share = 15
		}
		base := 0.0
		for _, kind := range []string{rig.Gateway, rig.Deflate, rig.Hub, rig.Gorilla, rig.Coder} {
			n := *count
			if kind == rig.Gorilla || kind == rig.Coder {
				n /= share
			}
			per, err := own(ctx, kind, withTLS, n, base)
			if err != nil {
				return err
			}
			if kind == rig.Gateway {
				base = per
			}
		}
	}
	return nil
}

func own(ctx context.Context, kind string, withTLS bool, n int, base float64) (float64, error) {
	t, err := rig.Start(ctx, kind, withTLS)
	if err != nil {
		return 0, err
	}
	per, err := measure(ctx, t, n, base)
	if stopErr := t.Stop(); err == nil {
		err = stopErr
	}
	return per, err
}

// measure opens n connections, leaves them alone, and returns the bytes that each has added once garbage is collected.
func measure(ctx context.Context, t *rig.Target, n int, base float64) (float64, error) {
	t.CheapTLS = true
	// What the first connections bring along is no part of what each of many costs.
	warm, err := rig.DialMany(ctx, t, 50, 4, func(_, raw net.Conn) net.Conn { return raw })
	if err != nil {
		return 0, err
	}
	defer closeAll(warm)
	if _, err := t.Settle(); err != nil {
		return 0, err
	}
	before, err := t.RSS()
	if err != nil {
		return 0, err
	}
	held, err := rig.DialMany(ctx, t, n, 16, func(_, raw net.Conn) net.Conn { return raw })
	defer closeAll(held)
	if err != nil {
		return 0, err
	}
	time.Sleep(time.Second) // for handshakes' goroutines to end
	peak, err := t.RSS()
	if err != nil {
		return 0, err
	}
	goroutines, err := t.Settle()
	if err != nil {
		return 0, err
	}
	after, err := t.RSS()
	if err != nil {
		return 0, err
	}
	per := float64(after-before) / float64(n)
	settled, count, ratio := fmt.Sprintf("%.0f", per), strconv.Itoa(goroutines), "1"
	if t.External() { // nobody made it collect its garbage, or counted
		settled, count, ratio = "-", "-", "-"
	} else if base > 0 {
		ratio = fmt.Sprintf("%.1f", per/base)
	}
	_, err = fmt.Fprintf(os.Stdout, "%-10s %-5v %7d %14.0f %14s %12s %8s\n", t.Name, t.TLS, n, float64(peak-before)/float64(n), settled, count, ratio)
	return per, err
}

func closeAll(all []net.Conn) {
	for _, c := range all {
		if c != nil {
			_ = c.Close()
		}
	}
}
