//go:build e2e

// Package e2e_test runs the built program as its users do: `cleat dev` on whole projects, `cleat serve` with nothing but
// what tools tell it, and against them the clients that people have (browsers, wscat, the AWS CLI, the AWS SDKs for
// JavaScript, Python and Go, CDK, osls, Terraform where it is there). Run it with `make e2e`, which first has setup.sh install those
// clients.
//
// Each test starts a process of its own on a free port of the loopback interface, in a copy of a project in a temporary
// folder, and ends it as Ctrl-C does. Nothing here waits by sleeping: everything polls or reads with a deadline.
package e2e_test
