// Package runner runs the scenarios of test/compat against a target: Cleat itself, started in this process, or any other
// endpoint that serves the same definitions, AWS among them. It plays the client and the backends of a scenario and
// says, with file and line, where what came is not what the scenario expects. It knows nothing of how a target works.
package runner
