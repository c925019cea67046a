//go:build linux

// Package load is the bench's load generator. It connects as many clients as asked for, from many loopback addresses, on
// one thread and one event loop, and has them send: in a closed loop, where each client sends its next message when the
// answer to the last has come, which finds the capacity; or at a fixed rate, where messages are due at set times whatever
// the server does and their latency counts from when they were due, so that a server that stalls is not spared by a
// client that waits for it (no "coordinated omission"). Answers must carry the payload that was sent.
//
// It knows nothing of servers: package peer tells how their clients speak. Package bench/run is its caller.
package load
