// Command cleat runs serverless WebSocket projects: Amazon API Gateway's WebSocket APIs on one's own machine.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

func main() {
	os.Exit(run(untilSignal(), os.Args[1:], os.Environ(), os.Stdin, os.Stdout, os.Stderr))
}

// untilSignal returns a context that ends at the first interrupt, which begins an orderly end. The second ends the
// process at once.
func untilSignal() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2) // never closed
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		cancel()
		<-signals
		os.Exit(exitInterrupted)
	}()
	return ctx
}

// exitInterrupted is what shells know as ended by an interrupt.
const exitInterrupted = 130

// cli is the command line. Its help texts are what "cleat --help" teaches from.
type cli struct {
	Dev         devCommand         `cmd:"" help:"Run the project in a folder, functions included, and reload it when files change."`
	Serve       serveCommand       `cmd:"" help:"Run a node for real use: it keeps what the control plane tells it."`
	Apply       applyCommand       `cmd:"" help:"Send a project's APIs and functions to a running node, after showing what changes."`
	Export      exportCommand      `cmd:"" help:"Write an API of a running node as CloudFormation or cleat.yaml."`
	Import      importCommand      `cmd:"" help:"Read an API out of an AWS account, or any endpoint, into a project's folder."`
	Stacks      stacksCommand      `cmd:"" help:"List, show and delete what was applied to a running node."`
	Check       checkCommand       `cmd:"" help:"Read a project and report every fault in it, with file and line."`
	Connections connectionsCommand `cmd:"" help:"List, inspect, push to and close the connections of a running Cleat."`
	Credentials credentialsCommand `cmd:"" help:"Manage who may call a node: users, access keys, policies."`
	Health      healthCommand      `cmd:"" help:"Ask a running node whether it is ready for clients."`
	Backup      backupCommand      `cmd:"" help:"Write all that a running node keeps into one file."`
	Restore     restoreCommand     `cmd:"" help:"Make the data directory of a node from a backup."`
	Usage       usageCommand       `cmd:"" help:"Show what a running Cleat has counted in AWS's units, and what it would have cost there."`
	Version     versionCommand     `cmd:"" help:"Print the version."`
}

// process is what a command may touch of the process it runs in.
type process struct {
	ctx            context.Context //nolint:containedctx // a command line has one context for its one command
	env            []string
	stdin          io.Reader
	stdout, stderr io.Writer
}

// exitError is an error that has already been shown and only sets the process's exit code.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// run is main without the process: arguments in, exit code out. 0 is success, 1 a failure, 2 a wrong command line.
func run(ctx context.Context, args, env []string, stdin io.Reader, stdout, stderr io.Writer) int {
	var c cli
	exited := -1
	parser, err := kong.New(&c,
		kong.Name("cleat"),
		kong.Description("Amazon API Gateway's WebSocket APIs, self-hosted. Start with: cleat dev"),
		kong.Writers(stdout, stderr),
		kong.Exit(func(code int) { exited = code }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, Summary: true}),
		kong.Vars{"port": "3001"},
	)
	if err != nil {
		_, _ = fmt.Fprintln(stderr, "cleat:", err)
		return 1
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	k, err := parser.Parse(args)
	if exited >= 0 { // --help
		return exited
	}
	if err != nil {
		_, _ = fmt.Fprintf(stderr, "cleat: %v\nTry: cleat --help\n", err)
		return 2
	}
	err = k.Run(&process{ctx: ctx, env: env, stdin: stdin, stdout: stdout, stderr: stderr})
	var code exitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &code):
		return int(code)
	}
	_, _ = fmt.Fprintln(stderr, "cleat:", err)
	return 1
}
