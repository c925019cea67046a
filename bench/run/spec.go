//go:build linux

// Package run measures servers in the bench's scenarios: it starts each server afresh, has the load generator at it, and
// reads what its processes used meanwhile. Servers take turns within each round (A B A B), so that whatever else the
// machine does meets them all.
package run

import (
	"time"

	"cleat/bench/peer"
)

// spec is a case: one start of a server, and what is measured then.
type spec struct {
	name        string // the first part of its rows' cases
	scenario    peer.Scenario
	connections int
	payload     int
	tls         bool
	measure     func(*session) error
	once        bool // in the first round only: it takes long, and its figures hardly move
	fewer       int  // connections to try with where a server cannot hold so many; 0: none
	rates       bool // also at half and nine tenths of the capacity
	fixed       float64
	// churn has clients come and go before memory is first read, and leaves out the idle hour. What every server keeps of
	// its first connections, however few they are (code that is paged in, garbage up to the first collection), is there then.
	churn bool
}

// brief is the case as Options.Brief has it.
func (s spec) brief() spec {
	s.rates, s.fixed = false, 0
	if s.scenario == peer.ScenarioIdle {
		s.connections, s.fewer, s.churn = fewIdle, 0, true
	}
	return s
}

// noLess tells whether a server that cannot do another case cannot do this one either: it is of the same kind and asks
// for as many connections and as large messages, or more of them.
func (s spec) noLess(other spec) bool {
	loop := s.scenario == peer.ScenarioMessage || s.scenario == peer.ScenarioMock
	return loop && s.name != other.name && s.scenario == other.scenario && s.connections >= other.connections && s.payload >= other.payload
}

// expected is about how long one server takes in one round of the case.
func (s spec) expected(d Durations) time.Duration {
	const start = 2 * time.Second // and to connect, and to end
	if s.scenario == peer.ScenarioIdle {
		const connect = 5 * time.Second
		return start + connect + 3*d.Settle + d.Idle + time.Duration(s.connections)*time.Second/talks
	}
	t := start + d.Warmup + d.Measure
	if s.rates {
		t += 2 * (d.Warmup + d.Measure)
	}
	if s.fixed > 0 {
		t += d.Warmup + max(d.Measure, d.Fixed)
	}
	return t
}

// Durations are how long things take.
type Durations struct {
	Warmup, Measure time.Duration
	Fixed           time.Duration // of a fixed rate, at least: there a single stall of the machine is all of p99
	Settle          time.Duration // before memory is read, of whichever server: the report says how long
	Idle            time.Duration // of which the processor time of an idle hour is told
}

// Full and Quick are for figures that count, and for trying the bench itself.
func Full() Durations {
	return Durations{Warmup: 300 * time.Millisecond, Measure: 1200 * time.Millisecond, Fixed: 3 * time.Second, Settle: 7 * time.Second, Idle: 6 * time.Second}
}

// Quick is for trying the bench itself.
func Quick() Durations {
	return Durations{Warmup: 200 * time.Millisecond, Measure: 500 * time.Millisecond, Settle: 7 * time.Second, Idle: 3 * time.Second}
}

// Brief is for a guard that measures often.
func Brief() Durations {
	return Durations{Warmup: 200 * time.Millisecond, Measure: 500 * time.Millisecond, Settle: 500 * time.Millisecond}
}

const (
	small = 100
	large = 4096
	push  = 1024
	// fewIdle connections are quickly there, and enough for a few megabytes of garbage more or less not to count.
	fewIdle = 10_000
)

// specs are all cases, in the order in which they run.
func specs() []spec {
	return []spec{
		{name: "message/100B/100", scenario: peer.ScenarioMessage, connections: 100, payload: small, measure: messages, rates: true},
		{name: "message/100B/1000", scenario: peer.ScenarioMessage, connections: 1000, payload: small, measure: messages, rates: true, fixed: 2000},
		{name: "message/100B/10000", scenario: peer.ScenarioMessage, connections: 10_000, payload: small, measure: messages, rates: true},
		{name: "message/4KB/100", scenario: peer.ScenarioMessage, connections: 100, payload: large, measure: messages},
		{name: "message/4KB/1000", scenario: peer.ScenarioMessage, connections: 1000, payload: large, measure: messages},
		{name: "message/4KB/10000", scenario: peer.ScenarioMessage, connections: 10_000, payload: large, measure: messages},
		{name: "push/one", scenario: peer.ScenarioPush, connections: 1, payload: push, measure: pushes},
		{name: "push/each", scenario: peer.ScenarioPush, connections: 10_000, payload: push, measure: pushes},
		{name: "function/10", scenario: peer.ScenarioFunction, connections: 10, payload: small, measure: messages, fixed: 500},
		{name: "mock/100", scenario: peer.ScenarioMock, connections: 100, payload: small, measure: messages, fixed: 2000},
		{name: "mock/1000", scenario: peer.ScenarioMock, connections: 1000, payload: small, measure: messages},
		{name: "connect/plain", scenario: peer.ScenarioConnect, connections: 20_000, measure: connects},
		{name: "connect/http", scenario: peer.ScenarioConnectHTTP, connections: 20_000, measure: connects},
		{name: "connect/tls", scenario: peer.ScenarioConnect, connections: 20_000, measure: connects, tls: true},
		{name: "connect/http-tls", scenario: peer.ScenarioConnectHTTP, connections: 20_000, measure: connects, tls: true},
		{name: "idle/plain", scenario: peer.ScenarioIdle, connections: 15_000, measure: idle, once: true, fewer: 10_000},
		{name: "idle/tls", scenario: peer.ScenarioIdle, connections: 15_000, measure: idleTLS, tls: true, once: true, fewer: 10_000},
	}
}

// Names are those of all cases, for Options.Only.
func Names() []string {
	var names []string
	for _, s := range specs() {
		names = append(names, s.name)
	}
	return names
}
