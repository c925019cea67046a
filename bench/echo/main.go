// Echo measures what a message costs the server: processor time of its process for reading one, calling the handler on a
// goroutine of its own, and writing one back.
//
//	go run ./bench/echo
//	go run ./bench/echo -addr 127.0.0.1:3001 -path /dev -pid 4711
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"time"

	"cleat/bench/rig"
)

var (
	each = flag.Duration("d", 2*time.Second, "how long each run takes")
	size = flag.Int("size", 128, "bytes of a message, at most 32768")
)

func main() { rig.Main(80*time.Second, about, run) }

func about() string {
	return fmt.Sprintf("Echo of %d-byte messages: each client sends its next one when the last has come back, for %v", *size, *each)
}

func run(ctx context.Context, external *rig.Target) error {
	_, err := fmt.Fprintf(os.Stdout, "%-10s %-5s %6s %6s %10s %12s %10s %10s\n", "server", "TLS", "conns", "bytes", "msg/s", "CPU us/msg", "p50", "p99")
	if err != nil {
		return err
	}
	if external != nil {
		return measure(ctx, external)
	}
	for _, withTLS := range []bool{false, true} {
		for _, kind := range []string{rig.Gateway, rig.Hub, rig.Gorilla, rig.Coder} {
			t, err := rig.Start(ctx, kind, withTLS)
			if err != nil {
				return err
			}
			err = measure(ctx, t)
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

func measure(ctx context.Context, t *rig.Target) error {
	for _, conns := range []int{100, 1000} {
		f, err := rig.Echo(ctx, t, conns, *size, *each)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(os.Stdout, "%-10s %-5v %6d %6d %10.0f %12.2f %10v %10v\n", t.Name, t.TLS, conns, *size,
			float64(f.Messages)/f.Wall.Seconds(), float64(f.CPU.Nanoseconds())/1e3/float64(f.Messages), f.P50.Round(10*time.Microsecond), f.P99.Round(10*time.Microsecond))
		if err != nil {
			return err
		}
	}
	return nil
}
