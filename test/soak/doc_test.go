//go:build soak

// Package soak_test has thousands of clients connect to a whole gateway, talk, stall, break every rule and vanish, for
// minutes, and then looks for what they left behind: memory, goroutines, descriptors, and $disconnect events that came twice,
// with the wrong code, or not at all.
//
// The gateway is "cleat dev" in this very process, so that it can be looked into (soak_test.go). A second process, this
// program again, has the clients (crowd_test.go, client_test.go) and the HTTP backend that keeps the books (backend_test.go):
// both ends in one process would need 20,000 descriptors.
//
//	make soak                        # five minutes, 10,000 connections: what CI runs
//	make soak D=20s N=2000 SEED=7    # a quick try, with the choices of an earlier run
package soak_test
