// Package stacks sorts the samples of a Go program's profile into parts that somebody who wants it faster can do something
// about.
package stacks

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// Profile counts samples by the part of the program that they fell into.
type Profile struct {
	Parts map[string]int
	Total int
}

// Read reads what `perf script` prints: samples with empty lines between them, each a line about the process and then its frames, the
// innermost first, "address symbol+offset (file)".
func Read(r io.Reader) (*Profile, error) {
	p := &Profile{Parts: map[string]int{}}
	in := bufio.NewScanner(r)
	in.Buffer(nil, 1<<20)
	var stack []Frame
	within := false
	end := func() {
		if within {
			p.Parts[Part(stack)]++
			p.Total++
		}
		within, stack = false, stack[:0]
	}
	for in.Scan() {
		switch line := in.Text(); {
		case strings.TrimSpace(line) == "":
			end()
		case !strings.HasPrefix(line, "\t") && !strings.HasPrefix(line, " "):
			end()
			within = true
		default:
			stack = append(stack, frame(line))
		}
	}
	end()
	if err := in.Err(); err != nil {
		return nil, err
	}
	if p.Total == 0 {
		return nil, errors.New("no samples: is it what `perf script` printed, of a recording with -g?")
	}
	return p, nil
}

// Frame is one call of a stack.
type Frame struct {
	Symbol string // of the kernel "ksys_write", of a program "cleat/internal/conn.(*Hub).Send"
	Kernel bool
}

// frame reads a frame's line. What Go has for both of its calling conventions is one.
func frame(line string) Frame {
	_, name, _ := strings.Cut(strings.TrimSpace(line), " ")
	at := strings.LastIndex(name, " (")
	f := Frame{Kernel: at >= 0 && strings.HasPrefix(name[at:], " ([")}
	if at >= 0 {
		name = name[:at]
	}
	if at := strings.LastIndex(name, "+0x"); at >= 0 {
		name = name[:at]
	}
	f.Symbol = strings.TrimSuffix(name, ".abi0")
	return f
}

// Names of the parts that are neither a system call nor a package.
const (
	switches  = "the kernel: another process's turn, interrupts"
	scheduler = "Go's scheduler, but for its system calls"
	memory    = "memory: allocation and collection"
	rest      = "the rest"
)

// Part names what a sample belongs to, its innermost frame first: to the system call that it is in, by the kernel's name; to Go's
// memory or scheduler when one of them is at work; or else to the innermost of Cleat's packages, with all that it calls of
// the library.
func Part(stack []Frame) string {
	user := 0
	for user < len(stack) && stack[user].Kernel {
		user++
	}
	if user > 0 {
		for _, f := range slices.Backward(stack[:user]) {
			if name, ok := systemCall(f.Symbol); ok {
				return "`" + name + "`"
			}
		}
		if slices.ContainsFunc(stack[:user], func(f Frame) bool { return !entry(f.Symbol) }) {
			return switches
		}
	}
	for _, f := range stack[user:] {
		if name, ok := strings.CutPrefix(f.Symbol, "runtime."); ok {
			switch {
			case hasAny(name, "gcBgMarkWorker", "gcAssistAlloc", "bgsweep", "bgscavenge", "mallocgc", "growslice", "gcStart", "gcMarkDone"):
				return memory
			case hasAny(name, "schedule", "findRunnable", "park_m", "goready", "ready", "wakep", "startm", "sysmon", "mstart", "gopreempt_m",
				"goschedImpl", "exitsyscall", "entersyscall", "reentersyscall", "mcall", "netpoll", "notesleep", "notewakeup"):
				return scheduler
			}
		}
	}
	for _, f := range stack[user:] {
		if path, ok := strings.CutPrefix(f.Symbol, "cleat/internal/"); ok {
			name, _, _ := strings.Cut(path, ".")
			return "internal/" + name
		}
	}
	return rest
}

// systemCall takes the name of a system call out of that of the kernel's function for it: __x64_sys_futex, ksys_write.
func systemCall(symbol string) (string, bool) {
	for _, prefix := range []string{"__x64_sys_", "__arm64_sys_", "__se_sys_", "__do_sys_", "__sys_", "ksys_"} {
		if name, ok := strings.CutPrefix(symbol, prefix); ok {
			return name, true
		}
	}
	return "", false
}

// entry tells the kernel's way from a program to a system call, which belongs to whoever calls.
func entry(symbol string) bool {
	return strings.HasPrefix(symbol, "entry_SYSCALL") || strings.HasPrefix(symbol, "do_syscall") || strings.HasPrefix(symbol, "syscall_")
}

func hasAny(name string, begins ...string) bool {
	return slices.ContainsFunc(begins, func(b string) bool { return name == b || strings.HasPrefix(name, b+".") })
}

// Print writes a table in Markdown, the largest part first; those below one in a hundred are one line. With cpu, microseconds of
// an operation, each has its share of them as well.
func (p *Profile) Print(w io.Writer, cpu float64) error {
	head := "| Part | Share |\n|---|---|\n"
	if cpu > 0 {
		head = "| Part | Share | us |\n|---|---|---|\n"
	}
	if _, err := io.WriteString(w, head); err != nil {
		return err
	}
	line := func(name string, n int) error {
		share := float64(n) / float64(p.Total)
		text := fmt.Sprintf("| %s | %.0f %% |", name, 100*share)
		if cpu > 0 {
			text += fmt.Sprintf(" %.1f |", cpu*share)
		}
		_, err := fmt.Fprintln(w, text)
		return err
	}
	names := slices.SortedFunc(maps.Keys(p.Parts), func(a, b string) int {
		return cmp.Or(p.Parts[b]-p.Parts[a], strings.Compare(a, b))
	})
	small := p.Parts[rest]
	for _, name := range names {
		switch n := p.Parts[name]; {
		case name == rest:
		case n*100 < p.Total:
			small += n
		default:
			if err := line(name, n); err != nil {
				return err
			}
		}
	}
	return line(rest, small)
}
