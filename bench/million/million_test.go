//go:build linux

package main

import (
	"strings"
	"testing"

	"cleat/bench/peer"
	"cleat/internal/conn"
)

func TestPlan(t *testing.T) {
	for name, c := range map[string]struct {
		n, per    int
		processes int
		fault     string
	}{
		"as many as fit":               {n: 2000, per: 1000, processes: 2},
		"one more":                     {n: 2001, per: 1000, processes: 3},
		"fewer than a process has":     {n: 10, per: 1000, processes: 1},
		"none":                         {n: 0, per: 1000, fault: "no connections"},
		"more than files of a process": {n: 2000, per: 1 << 20, fault: "may open"},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := newPlan(c.n, c.per)
			if c.fault != "" {
				if err == nil || !strings.Contains(err.Error(), c.fault) {
					t.Fatalf("got %v, want %q", err, c.fault)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			sum := 0
			for _, n := range p.connections {
				sum += n
				if n > c.per {
					t.Errorf("%d connections of a process, of at most %d", n, c.per)
				}
			}
			if sum != c.n || len(p.connections) != c.processes {
				t.Errorf("got %v, want %d in %d processes", p.connections, c.n, c.processes)
			}
		})
	}
}

func TestCheckNamesWhatLacks(t *testing.T) {
	p := plan{connections: make([]int, 1)}
	const tooMany = 1_000_000_000_000
	err := p.check(tooMany)
	if err == nil {
		t.Fatal("a machine holds a million million connections")
	}
	for _, want := range []string{"MemAvailable", "fs.file-max"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not name %s", err, want)
		}
	}
	if err := p.check(1); err != nil {
		t.Errorf("one connection: %v", err)
	}
}

// A second node of the same incarnation would get the first one's pushes.
func TestOwners(t *testing.T) {
	const id = "L0SM9cOFvHcCIhw="
	if _, err := conn.ParseID(id); err != nil {
		t.Fatal(err)
	}
	o := owners{}
	if err := o.add(id, struct{ peer.Instance }{}); err != nil {
		t.Fatal(err)
	}
	if err := o.add(id, struct{ peer.Instance }{}); err == nil {
		t.Error("two nodes own the same connections")
	}
	if err := o.add("nonsense", struct{ peer.Instance }{}); err == nil {
		t.Error("an ID of nobody's is taken")
	}
}

func TestQuantile(t *testing.T) {
	p := pusher{}
	if got := p.quantile(0.5); got != 0 {
		t.Errorf("of nothing: %v", got)
	}
	for i := range 100 {
		p.took = append(p.took, float64(100-i))
	}
	if p50, p99 := p.quantile(0.5), p.quantile(0.99); p50 != 51 || p99 != 100 {
		t.Errorf("got %v and %v", p50, p99)
	}
}

func TestMarkdown(t *testing.T) {
	r := result{
		Connections: 1_000_000, Processes: 53, NodesProportional: 1_500_000_000, NodeBase: 20_000_000, Slab: 10_000_000_000,
		ConnectSeconds: 100, Pushes: 10_000, PushP50: 120, PushP99: 900, IdleLeft: 0.945, IdleSeconds: 60,
	}
	r.Machine.Cores = 2
	got := r.markdown()
	for _, want := range []string{
		"1,000,000 connections, 53 `cleat serve` processes", "| **1,500** | 1.50 GB |", "(20.0 MB each) | 1,060 | 1.06 GB |",
		"| 10,000 | 10.00 GB |", "| 100.0 s, 10,000 a second |", "p50 0.12 ms, p99 0.90 ms", "left of 2 cores while nothing happens, over 60 s | 94.5 %",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}
