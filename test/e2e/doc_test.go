//go:build e2e

// Package e2e_test runs the built program as its users do: `cleat dev` on whole projects, and against it the clients that
// people have (browsers, wscat, the AWS CLI, the AWS SDKs for JavaScript, Python's boto3). Run it with `make e2e`, which
// first has setup.sh install those clients.
//
// Each test starts a process of its own on a free port of the loopback interface, in a copy of a project in a temporary
// folder, and ends it as Ctrl-C does. Nothing here waits by sleeping: everything polls or reads with a deadline.
package e2e_test
