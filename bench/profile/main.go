// Profile reads what `perf script` prints of a Go server and prints where its processor time went: system calls by name, the
// scheduler, memory, and the rest by Cleat's packages, as docs/performance.md has it. tools/profile.sh records and calls it:
//
//	perf script -i perf.data | go run ./bench/profile [-cpu 38.5]
package main

import (
	"flag"
	"fmt"
	"os"

	"cleat/bench/profile/stacks"
)

func main() {
	cpu := flag.Float64("cpu", 0, "microseconds of processor time of an operation, to be shared out; 0: shares alone")
	flag.Parse()
	p, err := stacks.Read(os.Stdin)
	if err == nil {
		err = p.Print(os.Stdout, *cpu)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1) //nolint:forbidigo // this is the program's main
	}
}
