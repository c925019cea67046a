//go:build e2e

package e2e_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// built is what TestMain prepares once for all tests, which only read it.
var built struct {
	cleat string // the program
	state string // its state directory, with the local certificate authority, shared as on a user's machine
	path  string // PATH of everything that the tests start: a python3 that has boto3 comes first
}

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "end-to-end tests:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	dir, err := os.MkdirTemp("", "cleat-e2e-")
	if err != nil {
		return 1, fmt.Errorf("make a temporary folder: %w", err)
	}
	defer func() { err = firstError(err, os.RemoveAll(dir)) }()

	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	built.cleat = filepath.Join(dir, "cleat")
	build := exec.CommandContext(ctx, "go", "build", "-o", built.cleat, "../../cmd/cleat")
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		return 1, fmt.Errorf("build cmd/cleat: %w", err)
	}
	built.state = filepath.Join(dir, "state")
	if built.path, err = pathWithBoto3(ctx, filepath.Join(dir, "bin")); err != nil {
		return 1, err
	}
	return m.Run(), nil
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// pathWithBoto3 returns a PATH on which `python3` can import boto3. Debian's package gives boto3 to /usr/bin/python3
// only, which another python3 earlier on the PATH may hide.
func pathWithBoto3(ctx context.Context, bin string) (string, error) {
	path := os.Getenv("PATH")
	candidates := []string{"/usr/bin/python3"}
	if first, err := exec.LookPath("python3"); err == nil {
		candidates = append([]string{first}, candidates...)
	}
	for _, python := range candidates {
		if exec.CommandContext(ctx, python, "-c", "import boto3").Run() != nil {
			continue
		}
		if err := os.MkdirAll(bin, 0o755); err != nil {
			return "", fmt.Errorf("make a folder for python3: %w", err)
		}
		if err := os.Symlink(python, filepath.Join(bin, "python3")); err != nil {
			return "", fmt.Errorf("put python3 first: %w", err)
		}
		return bin + string(os.PathListSeparator) + path, nil
	}
	return "", fmt.Errorf("no python3 here can import boto3 (tried %v): run test/e2e/setup.sh", candidates)
}
