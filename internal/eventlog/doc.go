// Package eventlog writes what became of events: access-log lines in the user's own format and execution-log lines, to
// standard output, a file that is rotated, or a collector over HTTP (spec data-plane §9.1 and §9.2). It is told of every
// record of the gateway and never holds one up: what a sink cannot take in time is dropped, counted and said.
package eventlog
