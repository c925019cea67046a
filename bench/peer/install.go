package peer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// run runs a command of an installation and returns what it printed. Its error has that too.
func run(ctx context.Context, dir string, program string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, program, args...) //nolint:gosec // G204: the installers of the peers
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "CGO_ENABLED=0")
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s%s", program, strings.Join(args, " "), err, out.Bytes(), said.Bytes())
	}
	return strings.TrimSpace(out.String()), nil
}

// debian installs packages of Debian unless they are there, and returns the version of the first. Their services are not
// started: a policy says no to that while they are installed.
func debian(ctx context.Context, packages ...string) (string, error) {
	version := func() (v string, err error) {
		for _, name := range slices.Backward(packages) {
			out, err := run(ctx, "", "dpkg-query", "-W", "-f", "${db:Status-Status} ${Version}", name)
			if err != nil {
				return "", err
			}
			var installed bool
			if v, installed = strings.CutPrefix(out, "installed "); !installed {
				return "", fmt.Errorf("%s is not installed: %s", name, out)
			}
		}
		return v, nil
	}
	if v, err := version(); err == nil {
		return v, nil
	}
	for _, tool := range []string{"dpkg-query", "apt-get"} {
		if _, err := exec.LookPath(tool); err != nil {
			return "", fmt.Errorf("install %s by hand: this system has no %s", strings.Join(packages, " "), tool)
		}
	}
	if os.Getuid() != 0 {
		return "", fmt.Errorf("as root, run: apt-get install --no-install-recommends %s", strings.Join(packages, " "))
	}
	if _, err := run(ctx, "", "apt-get", "update", "-qq"); err != nil {
		return "", err
	}
	policy, err := noServices()
	if err != nil {
		return "", err
	}
	_, err = run(ctx, "", "apt-get", append([]string{"install", "-y", "-qq", "--no-install-recommends"}, packages...)...)
	if err := errors.Join(err, policy()); err != nil {
		return "", err
	}
	return version()
}

// noServices keeps Debian's packages from starting services until undo is called. A policy that is there already stays.
func noServices() (undo func() error, err error) {
	const file = "/usr/sbin/policy-rc.d"
	f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755) //nolint:gosec // G302: it must be executable
	if errors.Is(err, os.ErrExist) {
		return func() error { return nil }, nil
	}
	if err != nil {
		return nil, err
	}
	_, err = f.WriteString("#!/bin/sh\nexit 101\n")
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, errors.Join(err, os.Remove(file))
	}
	return func() error { return os.Remove(file) }, nil
}

// golang builds a command of a Go module in a scratch module that requires it, unless that is done, and returns where the
// program is.
func golang(ctx context.Context, dir, command, version string) (program string, err error) {
	name := filepath.Base(strings.TrimSuffix(command, "/v5"))
	dir = filepath.Join(dir, name+"-"+version)
	program = filepath.Join(dir, name)
	if _, err := os.Stat(program); err == nil {
		return program, nil
	}
	if _, err := exec.LookPath("go"); err != nil {
		return "", fmt.Errorf("%s is built from source: %w", name, err)
	}
	if err := os.RemoveAll(dir); err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return "", err
	}
	for _, args := range [][]string{
		{"mod", "init", "scratch"},
		{"get", command + "@" + version},
		{"build", "-trimpath", "-ldflags", "-s -w", "-o", name + ".new", command},
	} {
		if _, err := run(ctx, dir, "go", args...); err != nil {
			return "", err
		}
	}
	return program, os.Rename(program+".new", program)
}
