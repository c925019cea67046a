//go:build linux

package run

import (
	"os"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"cleat/bench/result"
)

// Machine describes the one that this runs on, as far as the kernel tells.
func Machine() result.Machine {
	m := result.Machine{CPU: runtime.GOARCH, Cores: runtime.NumCPU(), Go: runtime.Version()}
	if model, ok := field("/proc/cpuinfo", "model name"); ok {
		m.CPU = model
	}
	if total, ok := field("/proc/meminfo", "MemTotal"); ok {
		if kb, err := strconv.Atoi(strings.TrimSuffix(total, " kB")); err == nil {
			m.MemoryGB = (kb + 1<<19) >> 20
		}
	}
	var u unix.Utsname
	if err := unix.Uname(&u); err == nil {
		m.Kernel, _, _ = strings.Cut(unix.ByteSliceToString(u.Release[:]), "-")
	}
	return m
}

// field finds the first line "name: value" of a file of the kernel's.
func field(file, name string) (value string, ok bool) {
	b, err := os.ReadFile(file) //nolint:gosec // G304: of the kernel's
	if err != nil {
		return "", false
	}
	for line := range strings.Lines(string(b)) {
		if k, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(k) == name {
			return strings.TrimSpace(v), true
		}
	}
	return "", false
}
