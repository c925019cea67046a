package rig

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"
)

// Main is the frame of the programs: it parses the flags all of them have, serves when it is the process under test, and
// otherwise calls run with a context of the given time. Servers is what -addr, -path and -pid name, or empty when the
// program is to start its own.
func Main(most time.Duration, run func(ctx context.Context, external *Target) error) {
	serve := flag.String("serve", "", "be the server under test: hub, gorilla or coder (used by the program itself)")
	withTLS := flag.Bool("tls", false, "with -serve or -addr: over TLS")
	addr := flag.String("addr", "", "test the server that runs at this host:port instead of our own")
	path := flag.String("path", "/", "with -addr: the path of the handshake")
	pid := flag.Int("pid", 0, "with -addr: the server's process, whose memory and CPU are read")
	flag.Parse()
	if err := start(most, run, *serve, *withTLS, *addr, *path, *pid); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1) //nolint:forbidigo // this is the program's main
	}
}

func start(most time.Duration, run func(context.Context, *Target) error, serve string, withTLS bool, addr, path string, pid int) error {
	if serve != "" {
		return Serve(serve, withTLS)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	if addr == "" {
		return run(ctx, nil)
	}
	if pid == 0 {
		return fmt.Errorf("-addr needs -pid")
	}
	return run(ctx, &Target{Name: "external", Addr: addr, Path: path, TLS: withTLS, PID: pid})
}
