// Package scenario is the text format of test/compat (test/compat/README.md describes it for its readers and writers):
// one scenario is an API, what its backends answer, and a script of what a client does and must see. The package reads
// scenarios and matches text against their expectations; it opens no socket. Package runner runs what it reads.
package scenario
