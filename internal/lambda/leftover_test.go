//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package lambda_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"cleat/internal/lambda"
)

// A new pool removes what killed ones left behind, and nothing else.
func TestLeftovers(t *testing.T) {
	t.Parallel()
	temp := t.TempDir()
	living, err := lambda.New(lambda.Options{Env: testEnv(), TempDir: temp})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- living.Run(ctx) }()
	before := names(t, temp)

	for _, name := range []string{"cleat-lambda-17/lock", "cleat-lambda-17/runtime/x.js", "cleat-lambda-18/x", "cleat-lambda-x/lock", "other-19/lock"} {
		rewrite(t, filepath.Join(temp, name), "")
	}
	rewrite(t, filepath.Join(temp, "cleat-lambda-20"), "")
	if err := os.Symlink(filepath.Join(temp, "other-19"), filepath.Join(temp, "cleat-lambda-21")); err != nil {
		t.Fatal(err)
	}
	p, err := lambda.New(lambda.Options{Env: testEnv(), TempDir: temp})
	if err != nil {
		t.Fatal(err)
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if err := p.Run(stopped); err != nil {
		t.Errorf("Run: %v", err)
	}
	want := append(before, "cleat-lambda-18", "cleat-lambda-20", "cleat-lambda-21", "cleat-lambda-x", "other-19")
	slices.Sort(want)
	if got := names(t, temp); !slices.Equal(got, want) {
		t.Errorf("left are %q, want %q", got, want)
	}
	if _, err := os.Stat(filepath.Join(temp, "other-19", "lock")); err != nil {
		t.Errorf("what a link leads to was touched: %v", err)
	}
	cancel()
	if err := <-ran; err != nil {
		t.Errorf("Run: %v", err)
	}
}

// One New removes a bounded number of folders: it must not keep a start waiting.
func TestLeftoversAreBounded(t *testing.T) {
	t.Parallel()
	temp := t.TempDir()
	for i := range 150 {
		rewrite(t, filepath.Join(temp, fmt.Sprintf("cleat-lambda-%d", i), "lock"), "")
	}
	p, err := lambda.New(lambda.Options{Env: testEnv(), TempDir: temp})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.Run(ctx); err != nil {
		t.Errorf("Run: %v", err)
	}
	if got := len(names(t, temp)); got != 50 {
		t.Errorf("%d of 150 folders are left, want 50", got)
	}
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}
