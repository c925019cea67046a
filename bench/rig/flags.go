package rig

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"time"
)

// Header is the first line of a program's output: what was measured, and where.
func Header(about string) string {
	return fmt.Sprintf("%s (%s %s/%s, %d cores)", about, runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
}

// Main is the frame of the programs: it parses the flags all of them have, serves when it is the process under test, and
// otherwise writes a Header with what about returns and calls run with a context of the given time. external is what -addr, -path and -pid name, or nil when the
// program is to start its own.
func Main(most time.Duration, about func() string, run func(ctx context.Context, external *Target) error) {
	serve := flag.String("serve", "", "be the server under test: hub, gorilla or coder (used by the program itself)")
	withTLS := flag.Bool("tls", false, "with -serve or -addr: over TLS")
	addr := flag.String("addr", "", "test the server that runs at this host:port instead of our own")
	path := flag.String("path", "/", "with -addr: the path of the handshake")
	pid := flag.Int("pid", 0, "with -addr: the server's process, whose memory and CPU are read")
	flag.Parse()
	if err := start(most, about, run, *serve, *withTLS, *addr, *path, *pid); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1) //nolint:forbidigo // this is the program's main
	}
}

func start(most time.Duration, about func() string, run func(context.Context, *Target) error, serve string, withTLS bool, addr, path string, pid int) error {
	if serve != "" {
		return Serve(serve, withTLS)
	}
	if addr != "" && pid == 0 {
		return errors.New("-addr needs -pid")
	}
	if _, err := fmt.Fprintln(os.Stdout, Header(about())); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	if addr == "" {
		return run(ctx, nil)
	}
	return run(ctx, &Target{Name: "external", Addr: addr, Path: path, TLS: withTLS, PID: pid})
}
