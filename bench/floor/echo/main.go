//go:build linux

// Echo runs the bench's bare echo at an address: echo 127.0.0.1:9001.
package main

import (
	"context"
	"fmt"
	"os"

	"cleat/bench/floor"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: echo ADDRESS:PORT")
		os.Exit(2) //nolint:forbidigo // this is the program's main
	}
	if err := floor.Serve(context.Background(), os.Args[1], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "echo:", err)
		os.Exit(1) //nolint:forbidigo // this is the program's main
	}
}
