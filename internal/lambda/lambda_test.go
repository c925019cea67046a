//go:build unix

package lambda_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"cleat/internal/apigw"
	"cleat/internal/awsapi"
	"cleat/internal/lambda"
	"cleat/internal/testkit"
)

func TestMain(m *testing.M) {
	if os.Getenv("CLEAT_TEST_BOOTSTRAP") != "" {
		fmt.Fprintln(os.Stderr, serveAsBootstrap())
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

// testPool is a running pool with what it put out.
type testPool struct {
	*lambda.Pool
	log *testkit.Log

	mu    sync.Mutex
	lines []lambda.Line
}

func (p *testPool) output() []lambda.Line {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]lambda.Line(nil), p.lines...)
}

// starts is how many invocations have begun.
func (p *testPool) starts() int {
	n := 0
	for _, l := range p.output() {
		if l.Stream == lambda.StreamPlatform && strings.HasPrefix(l.Text, "START ") {
			n++
		}
	}
	return n
}

// testEnv is the environment of workers in tests.
func testEnv() []string {
	env := []string{"HOME=/nonexistent"}
	for _, name := range []string{"PATH", "PYENV_ROOT", "SYSTEMROOT"} {
		if v := os.Getenv(name); v != "" {
			env = append(env, name+"="+v)
		}
	}
	return env
}

func newTestPool(tb testing.TB, o lambda.Options, functions ...apigw.Function) *testPool {
	tb.Helper()
	p := &testPool{log: &testkit.Log{}}
	o.Log = slog.New(slog.NewTextHandler(p.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	o.Output = func(l lambda.Line) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.lines = append(p.lines, l)
	}
	if o.Env == nil {
		o.Env = testEnv()
	}
	if o.TempDir == "" {
		o.TempDir = tb.TempDir()
	}
	var err error
	if p.Pool, err = lambda.New(o); err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	tb.Cleanup(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				tb.Errorf("Run: %v", err)
			}
		case <-time.After(time.Minute):
			tb.Error("Run did not return")
		}
		if left, err := os.ReadDir(o.TempDir); err != nil || len(left) > 0 {
			tb.Errorf("TempDir after Run holds %v, %v", left, err)
		}
		if tb.Failed() {
			tb.Logf("log:\n%s", p.log)
			for _, l := range p.output() {
				tb.Logf("%s %s %s", l.Stream, l.RequestID, l.Text)
			}
		}
	})
	p.Swap(functions, nil)
	return p
}

// write makes files below a fresh folder and returns it.
func write(tb testing.TB, files map[string]string) string {
	tb.Helper()
	dir, err := filepath.EvalSymlinks(tb.TempDir())
	if err != nil {
		tb.Fatal(err)
	}
	for name, text := range files {
		rewrite(tb, filepath.Join(dir, name), text)
	}
	return dir
}

func rewrite(tb testing.TB, path, text string) {
	tb.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		tb.Fatal(err)
	}
	mode := os.FileMode(0o600)
	if strings.HasPrefix(text, "#!") {
		mode = 0o700
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		tb.Fatal(err)
	}
}

func node(dir, handler string) apigw.Function {
	return apigw.Function{Name: "f", Runtime: "nodejs20.x", Handler: handler, CodeDir: dir, Timeout: 20 * time.Second, MemorySize: 256, Place: "serverless.yml:7"}
}

func python(dir, handler string) apigw.Function {
	f := node(dir, handler)
	f.Runtime = "python3.12"
	return f
}

func (p *testPool) invoke(t *testing.T, payload string) awsapi.InvocationResult {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	r, err := p.Invoke(ctx, awsapi.Invocation{Function: "f", Type: awsapi.InvokeRequestResponse, Payload: []byte(payload)})
	if err != nil {
		t.Fatalf("Invoke: %v\n%s", err, p.log)
	}
	return r
}

// succeed invokes and returns the payload of a call that must succeed.
func (p *testPool) succeed(t *testing.T, payload string) string {
	t.Helper()
	r := p.invoke(t, payload)
	if r.FunctionError != "" {
		t.Fatalf("function failed: %s\n%s", r.Payload, r.Cause)
	}
	return string(r.Payload)
}

// failure is an error payload.
type failure struct {
	ErrorType    string   `json:"errorType"`
	ErrorMessage string   `json:"errorMessage"`
	RequestID    *string  `json:"requestId"`
	Trace        []string `json:"trace"`
	StackTrace   []string `json:"stackTrace"`
}

// fail invokes and returns what a call that must fail gave.
func (p *testPool) fail(t *testing.T, payload string) (awsapi.InvocationResult, failure) {
	t.Helper()
	r := p.invoke(t, payload)
	if r.FunctionError != "Unhandled" {
		t.Fatalf("FunctionError = %q, payload %s; want Unhandled", r.FunctionError, r.Payload)
	}
	var f failure
	if err := json.Unmarshal(r.Payload, &f); err != nil {
		t.Fatalf("payload %q: %v", r.Payload, err)
	}
	if strings.ContainsAny(r.Cause, "\n") || r.Cause == "" {
		t.Errorf("Cause = %q, want one line", r.Cause)
	}
	if got := strings.Count(p.log.String(), "request_id="+r.RequestID+" cause="); got != 1 {
		t.Errorf("failure is in the log %d times, want once", got)
	}
	return r, f
}
