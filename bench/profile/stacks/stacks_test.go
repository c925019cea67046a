package stacks_test

import (
	"maps"
	"strings"
	"testing"

	"cleat/bench/profile/stacks"
)

// What `perf script` prints, with a sample for each part; the innermost frame is the first.
const script = `cleat 7 1.1:     500250 cpu-clock: 
	ffff1 tcp_sendmsg_locked+0x1 ([kernel.kallsyms])
	ffff2 __x64_sys_write+0x2 ([kernel.kallsyms])
	ffff3 do_syscall_64+0x3 ([kernel.kallsyms])
	ffff4 entry_SYSCALL_64_after_hwframe+0x4 ([kernel.kallsyms])
	   d0 internal/runtime/syscall/linux.Syscall6+0xe (/bin/cleat)
	   e0 cleat/internal/conn.move+0x1 (/bin/cleat)

cleat 7 1.2:     500250 cpu-clock: 
	ffff2 ksys_write+0x2 ([kernel.kallsyms])
	ffff3 do_syscall_64+0x3 ([kernel.kallsyms])
	   e0 cleat/internal/conn.move+0x1 (/bin/cleat)

cleat 7 1.3:     500250 cpu-clock: 
	ffff3 do_syscall_64+0x3 ([kernel.kallsyms])
	   d0 internal/runtime/syscall/linux.Syscall6+0xe (/bin/cleat)
	   e0 cleat/internal/conn.move+0x1 (/bin/cleat)

cleat 7 1.4:     500250 cpu-clock: 
	ffff1 finish_task_switch.isra.0+0x1 ([kernel.kallsyms])
	ffff2 exit_to_user_mode_loop+0x2 ([kernel.kallsyms])
	ffff3 do_syscall_64+0x3 ([kernel.kallsyms])
	   e0 cleat/internal/conn.move+0x1 (/bin/cleat)

cleat 7 1.5:     500250 cpu-clock: 
	   40 runtime.nextFreeFast+0x1 (/bin/cleat)
	   41 runtime.mallocgc+0xac (/bin/cleat)
	   42 cleat/internal/integration.(*httpCaller).call+0xc5 (/bin/cleat)

cleat 7 1.6:     500250 cpu-clock: 
	   50 runtime.runqgrab+0x1 (/bin/cleat)
	   51 runtime.findRunnable+0x2 (/bin/cleat)
	   52 runtime.mcall.abi0+0x3 (/bin/cleat)

cleat 7 1.7:     500250 cpu-clock: 
	   60 time.Time.AppendFormat+0x1 (/bin/cleat)
	   61 cleat/internal/lambdaevent.AppendProxy+0x2 (/bin/cleat)
	   62 cleat/internal/gateway.(*Gateway).Message+0x3 (/bin/cleat)

cleat 7 1.8:     500250 cpu-clock: 
	   60 time.Time.AppendFormat+0x1 (/bin/cleat)
`

func TestRead(t *testing.T) {
	p, err := stacks.Read(strings.NewReader(script))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]int{
		"`write`": 2, "internal/conn": 1, "the kernel: another process's turn, interrupts": 1, "memory: allocation and collection": 1,
		"Go's scheduler, but for its system calls": 1, "internal/lambdaevent": 1, "the rest": 1,
	}
	if p.Total != 8 || !maps.Equal(p.Parts, want) {
		t.Errorf("got %d: %v\nwant %v", p.Total, p.Parts, want)
	}
}

func TestReadNothing(t *testing.T) {
	if _, err := stacks.Read(strings.NewReader("\n")); err == nil {
		t.Error("no error")
	}
}

func TestPrint(t *testing.T) {
	p := &stacks.Profile{Parts: map[string]int{"`write`": 600, "internal/conn": 395, "`futex`": 4, "the rest": 1}, Total: 1000}
	for cpu, want := range map[float64]string{
		0:  "| Part | Share |\n|---|---|\n| `write` | 60 % |\n| internal/conn | 40 % |\n| the rest | 0 % |\n",
		50: "| Part | Share | us |\n|---|---|---|\n| `write` | 60 % | 30.0 |\n| internal/conn | 40 % | 19.8 |\n| the rest | 0 % | 0.2 |\n",
	} {
		var out strings.Builder
		if err := p.Print(&out, cpu); err != nil || out.String() != want {
			t.Errorf("got %v\n%s\nwant\n%s", err, &out, want)
		}
	}
}
