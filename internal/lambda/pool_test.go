//go:build unix

package lambda_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/awsapi"
	"cleat/internal/lambda"
)

var timePattern = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z`)

// echo answers with its process's ID; with {"ms":n} after that time.
const echo = `exports.h = async (e) => { if (e.ms) await new Promise((r) => setTimeout(r, e.ms)); return process.pid }`

// eventually polls until ok holds.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("not in time: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func alive(t *testing.T, pid string) bool {
	t.Helper()
	n, err := strconv.Atoi(pid)
	if err != nil {
		t.Fatalf("pid %q: %v", pid, err)
	}
	return syscall.Kill(n, 0) == nil
}

func TestWorkerIsKeptWarm(t *testing.T) {
	t.Parallel()
	p := newTestPool(t, lambda.Options{}, node(write(t, map[string]string{"app.js": echo}), "app.h"))
	first := p.succeed(t, `{}`)
	for range 20 {
		if got := p.succeed(t, `{}`); got != first {
			t.Fatalf("call ran in process %s, want %s", got, first)
		}
	}
}

func TestConcurrentCallsRunSideBySide(t *testing.T) {
	t.Parallel()
	// Whoever runs waits until another process runs too.
	dir := write(t, map[string]string{"code/app.js": `const fs = require('fs'), met = __dirname + '/../met/'
		exports.h = async () => {
			for (fs.writeFileSync(met + process.pid, ''); fs.readdirSync(met).length < 2;) await new Promise((r) => setTimeout(r, 5))
			return process.pid
		}`, "met/.keep": ""})
	if err := os.Remove(filepath.Join(dir, "met/.keep")); err != nil {
		t.Fatal(err)
	}
	p := newTestPool(t, lambda.Options{MaxWorkers: 2}, node(filepath.Join(dir, "code"), "app.h"))
	var mu sync.Mutex
	pids := map[string]int{}
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() {
			pid := p.succeed(t, `{}`)
			mu.Lock()
			defer mu.Unlock()
			pids[pid]++
		})
	}
	wg.Wait()
	if len(pids) != 2 {
		t.Errorf("5 calls at a time ran in %d processes, want MaxWorkers = 2", len(pids))
	}
}

// A function that reserves its concurrency refuses what goes beyond it, as AWS does; asynchronous calls wait.
func TestReservedConcurrency(t *testing.T) {
	t.Parallel()
	f := node(write(t, map[string]string{"app.js": `const fs = require('fs'); exports.h = async (e) => { fs.appendFileSync(__dirname + '/../calls', e.n); await new Promise((r) => setTimeout(r, e.ms)) }`}), "app.h")
	f.CodeDir = write(t, map[string]string{"code/app.js": mustRead(t, f.CodeDir+"/app.js")}) + "/code"
	f.Concurrency = 1
	p := newTestPool(t, lambda.Options{}, f)
	calls := func() string {
		b, _ := os.ReadFile(filepath.Join(f.CodeDir, "..", "calls"))
		return string(b)
	}
	first := make(chan string, 1)
	go func() { first <- p.succeed(t, `{"n":"a","ms":300}`) }()
	eventually(t, "first call runs", func() bool { return calls() == "a" })
	_, err := p.Invoke(t.Context(), awsapi.Invocation{Function: "f", Payload: []byte(`{"n":"b","ms":0}`)})
	if apigw.KindOf(err) != apigw.KindFunctionConcurrency {
		t.Errorf("error = %v, want KindFunctionConcurrency", err)
	}
	if _, err := p.Invoke(t.Context(), awsapi.Invocation{Function: "f", Type: awsapi.InvokeEvent, Payload: []byte(`{"n":"c","ms":0}`)}); err != nil {
		t.Errorf("Event: %v", err)
	}
	<-first
	eventually(t, "asynchronous call runs", func() bool { return calls() == "ac" })
}

func mustRead(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestWaitForWorkerEndsWithContext(t *testing.T) {
	t.Parallel()
	p := newTestPool(t, lambda.Options{MaxWorkers: 1}, node(write(t, map[string]string{"app.js": echo}), "app.h"))
	pid := p.succeed(t, `{}`)
	busy := make(chan string, 1)
	go func() { busy <- p.succeed(t, `{"ms":3000}`) }()
	eventually(t, "second call runs", func() bool { return p.starts() == 2 })
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	if _, err := p.Invoke(ctx, awsapi.Invocation{Function: "f"}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error = %v, want the context's", err)
	}
	if got := <-busy; got != pid {
		t.Errorf("call ran in process %s, want %s", got, pid)
	}
	if got := p.succeed(t, `{}`); got != pid {
		t.Errorf("next call ran in process %s, want %s", got, pid)
	}
}

// A caller who leaves does not end the function, as on AWS.
func TestFunctionOutlivesItsCaller(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{"code/app.js": `exports.h = async () => { await new Promise((r) => setTimeout(r, 2000)); require('fs').writeFileSync(__dirname + '/../done', 'x'); throw new Error('late') }`})
	p := newTestPool(t, lambda.Options{}, node(dir+"/code", "app.h"))
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := p.Invoke(ctx, awsapi.Invocation{Function: "f"}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error = %v, want the context's", err)
	}
	eventually(t, "function finishes", func() bool { _, err := os.Stat(dir + "/done"); return err == nil })
	eventually(t, "its failure is logged", func() bool { return strings.Contains(p.log.String(), `cause="app.js:1: Error: late"`) })
}

// Spec lambda §2 and §3: the time-out kills the process and all it started; the next call gets a fresh one.
func TestTimeout(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{"app.js": `exports.h = async (e) => {
		if (!e.hang) return process.pid
		const child = require('child_process').spawn('sleep', ['600'])
		console.log('child ' + child.pid)
		for (;;) {}
	}`})
	f := node(dir, "app.h")
	f.Timeout = time.Second
	p := newTestPool(t, lambda.Options{}, f)
	first := p.succeed(t, `{}`)
	started := time.Now()
	r, got := p.fail(t, `{"hang":true}`)
	if took := time.Since(started); took < time.Second || took > 15*time.Second {
		t.Errorf("took %v, want one second", took)
	}
	if want := "RequestId: " + r.RequestID + " Error: Task timed out after 1.00 seconds"; got.ErrorType != "Sandbox.Timedout" || got.ErrorMessage != want {
		t.Errorf("payload = %s, want Sandbox.Timedout and %q", r.Payload, want)
	}
	if want := "serverless.yml:7: function f did not answer within its timeout of 1 s"; r.Cause != want {
		t.Errorf("Cause = %q, want %q", r.Cause, want)
	}
	child := ""
	for _, l := range p.output() {
		if _, pid, ok := strings.Cut(l.Text, "child "); ok {
			child = pid
		}
	}
	eventually(t, "process and child end", func() bool { return !alive(t, first) && !alive(t, child) })
	if again := p.succeed(t, `{}`); again == first {
		t.Errorf("next call ran in process %s, which had timed out", again)
	}
}

// Spec lambda §3: beyond InitTimeout a start counts as the invocation's own time.
func TestSlowStart(t *testing.T) {
	t.Parallel()
	f := node(write(t, map[string]string{"app.mjs": `await new Promise((r) => setTimeout(r, process.env.MS)); export const h = async (e, c) => c.getRemainingTimeInMillis()`}), "app.h")
	f.Timeout = 20 * time.Second // a start on a busy machine takes some of it too
	f.Environment = map[string]string{"MS": "1000"}
	p := newTestPool(t, lambda.Options{InitTimeout: 100 * time.Millisecond}, f)
	left, err := strconv.Atoi(p.succeed(t, `{}`))
	if err != nil || left > 19_100 || left < 0 {
		t.Errorf("time left of 20 s = %d ms, %v; want less by the late start", left, err)
	}
	f.Environment = map[string]string{"MS": "60000"}
	f.Timeout = time.Second
	p.Swap([]apigw.Function{f}, nil)
	if r, got := p.fail(t, `{}`); got.ErrorType != "Sandbox.Timedout" {
		t.Errorf("payload = %s, want Sandbox.Timedout", r.Payload)
	}
}

func TestIdleWorkersEnd(t *testing.T) {
	t.Parallel()
	p := newTestPool(t, lambda.Options{IdleAfter: 100 * time.Millisecond}, node(write(t, map[string]string{"app.js": echo}), "app.h"))
	pid := p.succeed(t, `{}`)
	eventually(t, "idle worker ends", func() bool { return !alive(t, pid) })
	p.succeed(t, `{}`)
}

// Spec lambda §8: a worker that ends while idle is discarded.
func TestWorkerEndsWhileIdle(t *testing.T) {
	t.Parallel()
	p := newTestPool(t, lambda.Options{}, node(write(t, map[string]string{"app.js": echo}), "app.h"))
	pid := p.succeed(t, `{}`)
	n, _ := strconv.Atoi(pid)
	if err := syscall.Kill(n, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "worker ends", func() bool { return !alive(t, pid) })
	eventually(t, "worker is discarded", func() bool { return strings.Contains(p.log.String(), "worker ended by itself") })
	if again := p.succeed(t, `{}`); again == pid {
		t.Error("call ran in a process that had ended")
	}
}

// An exception after the answer ends the worker; calls meanwhile do not suffer.
func TestCrashAfterAnswer(t *testing.T) {
	t.Parallel()
	p := newTestPool(t, lambda.Options{}, node(write(t, map[string]string{"app.js": `exports.h = async () => { setImmediate(() => { throw new Error('late') }); return 1 }`}), "app.h"))
	for range 5 {
		r := p.invoke(t, `{}`)
		if r.FunctionError != "" && !strings.Contains(r.Cause, "late") && !strings.Contains(r.Cause, "exit status 129") {
			t.Fatalf("payload = %s, cause %s", r.Payload, r.Cause)
		}
	}
}

func TestSwap(t *testing.T) {
	t.Parallel()
	f := node(write(t, map[string]string{"app.js": `exports.h = async (e) => { if (e.ms) { console.log('runs'); await new Promise((r) => setTimeout(r, e.ms)) } return [process.pid, process.env.V] }`}), "app.h")
	g := f
	g.Name = "g"
	p := newTestPool(t, lambda.Options{}, f, g)
	before := p.succeed(t, `{}`)
	p.Swap([]apigw.Function{g, f}, nil)
	if got := p.succeed(t, `{}`); got != before {
		t.Errorf("after a swap without change: %s, want %s", got, before)
	}

	// What runs is left to finish; the next call sees the new definition.
	running := make(chan string, 1)
	go func() { running <- p.succeed(t, `{"ms":300}`) }()
	eventually(t, "call runs", func() bool {
		return slices.ContainsFunc(p.output(), func(l lambda.Line) bool { return strings.HasSuffix(l.Text, "runs") })
	})
	f.Environment = map[string]string{"V": "2"}
	p.Swap([]apigw.Function{f}, nil)
	after := p.succeed(t, `{}`)
	if !strings.HasSuffix(after, `,"2"]`) {
		t.Errorf("after a change: %s, want V = 2", after)
	}
	if got := <-running; got != before {
		t.Errorf("running call gave %s, want %s", got, before)
	}
	pid := strings.TrimPrefix(strings.SplitN(before, ",", 2)[0], "[")
	pid = strings.TrimSuffix(pid, "]")
	eventually(t, "retired worker ends", func() bool { return !alive(t, pid) })

	if _, err := p.Invoke(t.Context(), awsapi.Invocation{Function: "g"}); apigw.KindOf(err) != apigw.KindFunctionNotFound {
		t.Errorf("a function that is gone: %v, want KindFunctionNotFound", err)
	}
}

func TestRefresh(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{
		"svc/app.ts":  `import { v } from '../shared/v'; export const h = async () => v`,
		"shared/v.ts": `export const v: number = 1`,
		"other/x.js":  ``,
		"svc/own.ts":  ``,
	})
	p := newTestPool(t, lambda.Options{}, node(dir+"/svc", "app.h"))
	expect := func(want string) {
		t.Helper()
		if got := p.succeed(t, `{}`); got != want {
			t.Errorf("payload = %s, want %s", got, want)
		}
	}
	expect("1")
	rewrite(t, dir+"/shared/v.ts", `export const v: number = 2`)
	expect("1") // nobody has told
	p.Refresh([]string{dir + "/other/x.js", dir + "/svc/__pycache__/x.pyc"})
	expect("1")
	p.Refresh([]string{dir + "/shared/v.ts"}) // outside of the code folder, but in the bundle
	expect("2")
	rewrite(t, dir+"/svc/app.ts", `export const h = async () => 3`)
	p.Refresh([]string{dir + "/svc/app.ts"})
	expect("3")
	rewrite(t, dir+"/svc/app.ts", `export const h = async () => 4`)
	p.Refresh(nil)
	expect("4")
	rewrite(t, dir+"/svc/app.ts", `export const h = async () => {`)
	p.Refresh(nil)
	if r, _ := p.fail(t, `{}`); !strings.Contains(r.Cause, "app.ts:1: Unexpected end of file") {
		t.Errorf("Cause = %q, want app.ts:1", r.Cause)
	}
	rewrite(t, dir+"/svc/app.ts", `export const h = async () => 5`)
	expect("5") // a start that failed is not remembered
}

// Spec lambda §1: names, types and refusals of the Invoke API.
func TestInvokeRequests(t *testing.T) {
	t.Parallel()
	f := node(write(t, map[string]string{"app.js": `exports.h = async (e, c) => [e, c.invokedFunctionArn]`}), "app.h")
	p := newTestPool(t, lambda.Options{Region: "eu-west-1"}, f)
	const arn = "arn:aws:lambda:eu-west-1:123456789012:function:f"
	big := []byte(`"` + strings.Repeat("x", apigw.QuotaLambdaPayload) + `"`)
	tests := map[string]struct {
		call awsapi.Invocation
		want string
		kind apigw.Kind
		text string
	}{
		"name":            {call: awsapi.Invocation{Function: "f", Payload: []byte(`1`)}, want: `[1,"` + arn + `"]`},
		"ARN":             {call: awsapi.Invocation{Function: arn, Payload: []byte(`1`)}, want: `[1,"` + arn + `"]`},
		"qualifier":       {call: awsapi.Invocation{Function: "f:live", Payload: []byte(`1`)}, want: `[1,"` + arn + `:live"]`},
		"empty payload":   {call: awsapi.Invocation{Function: "f"}, want: `[{},"` + arn + `"]`},
		"dry run":         {call: awsapi.Invocation{Function: "f", Type: awsapi.InvokeDryRun}},
		"unknown":         {call: awsapi.Invocation{Function: "g"}, kind: apigw.KindFunctionNotFound, text: "Function not found: arn:aws:lambda:eu-west-1:123456789012:function:g"},
		"unknown dry":     {call: awsapi.Invocation{Function: "g", Type: awsapi.InvokeDryRun}, kind: apigw.KindFunctionNotFound},
		"strange name":    {call: awsapi.Invocation{Function: "a b"}, kind: apigw.KindFunctionNotFound},
		"not JSON":        {call: awsapi.Invocation{Function: "f", Payload: []byte(`{`)}, kind: apigw.KindInvalidContent, text: "Could not parse request body into json: unexpected end of JSON input"},
		"too large":       {call: awsapi.Invocation{Function: "f", Payload: big}, kind: apigw.KindPayloadTooLarge},
		"event too large": {call: awsapi.Invocation{Function: "f", Type: awsapi.InvokeEvent, Payload: big[:1<<20+1]}, kind: apigw.KindPayloadTooLarge},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := p.Invoke(t.Context(), tt.call)
			if tt.kind != 0 {
				if apigw.KindOf(err) != tt.kind || !strings.Contains(awsapi.Message(err), tt.text) {
					t.Errorf("error = %v, want kind %d and %q", err, tt.kind, tt.text)
				}
				return
			}
			if err != nil || string(r.Payload) != tt.want || r.ExecutedVersion != "$LATEST" || len(r.RequestID) != 36 {
				t.Errorf("got %+v, %v; want payload %s", r, err, tt.want)
			}
		})
	}
}

// Spec lambda §2 and §3: an answer over 6 MB fails, and the worker lives on.
func TestResponseSize(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{
		"app.js": `exports.h = async (n) => n > 0 ? 'x'.repeat(n - 2) : process.pid`,
		"app.py": "import os\ndef h(n, c):\n  return 'x' * (n - 2) if n > 0 else os.getpid()",
	})
	for name, f := range map[string]apigw.Function{"node": node(dir, "app.h"), "python": python(dir, "app.h")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f.Concurrency = 1 // so that the next call waits for the worker, however long it takes to come back
			p := newTestPool(t, lambda.Options{}, f)
			pid := p.succeed(t, "0")
			if got := p.succeed(t, "6291556"); len(got) != 6291556 {
				t.Errorf("got %d bytes, want 6291556", len(got))
			}
			r, got := p.fail(t, "6291557")
			if got.ErrorType != "Function.ResponseSizeTooLarge" || !strings.Contains(got.ErrorMessage, "6291556") {
				t.Errorf("payload = %s, want Function.ResponseSizeTooLarge", r.Payload)
			}
			if got := p.succeed(t, "0"); got != pid {
				t.Errorf("next call ran in process %s, want %s", got, pid)
			}
		})
	}
}

// Spec lambda §5: everything a Node handler finds in its context; and the trace of each call.
func TestNodeContext(t *testing.T) {
	t.Parallel()
	f := node(write(t, map[string]string{"app.js": `exports.h = async (e, c) => ({ ...c, left: c.getRemainingTimeInMillis(), trace: process.env._X_AMZN_TRACE_ID })`}), "app.h")
	p := newTestPool(t, lambda.Options{}, f)
	r, err := p.Invoke(t.Context(), awsapi.Invocation{Function: "f", TraceID: "Root=1-2-3", ClientContext: []byte(`{"custom":{"a":1}}`)})
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(r.Payload, &got); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]any{
		"callbackWaitsForEmptyEventLoop": true, "functionVersion": "$LATEST", "functionName": "f", "memoryLimitInMB": "256",
		"logGroupName": "/aws/lambda/f", "invokedFunctionArn": "arn:aws:lambda:us-east-1:123456789012:function:f",
		"awsRequestId": r.RequestID, "trace": "Root=1-2-3",
	} {
		if got[key] != want {
			t.Errorf("%s = %v, want %v", key, got[key], want)
		}
	}
	if left, _ := got["left"].(float64); left <= 0 || left > 20000 {
		t.Errorf("time left = %v, want up to 20 s", got["left"])
	}
	if got := fmt.Sprint(got["clientContext"]); got != "map[custom:map[a:1]]" {
		t.Errorf("clientContext = %s", got)
	}
	r, err = p.Invoke(t.Context(), awsapi.Invocation{Function: "f"})
	if err != nil || !strings.Contains(string(r.Payload), `"trace":"Root=1-`) || strings.Contains(string(r.Payload), "clientContext\":{") {
		t.Errorf("second call: %s, %v; want a fresh trace and no client context", r.Payload, err)
	}
}

// Spec lambda §5, §6 and §8: lines carry function and request, streams stay apart, platform lines frame the call.
func TestOutput(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{
		"app.js": `console.log('start'); exports.h = async (e) => { console.log('a %d', 1); console.error('b\nc'); process.stdout.write('raw'); process.stderr.write('e1\r\ne2'); }`,
		"app.py": "import logging, sys\nprint('start')\ndef h(e, c):\n  print('a 1')\n  logging.warning('b')\n  sys.stderr.write('e1\\ne2')\n",
	})
	tests := map[string]struct {
		f    apigw.Function
		want []string
	}{
		"node":   {node(dir, "app.h"), []string{"stdout  TIME\tundefined\tINFO\tstart", "platform ID START", "stdout ID TIME\tID\tINFO\ta 1", "stdout ID TIME\tID\tERROR\tb", "stdout ID c", "stdout ID raw", "stderr ID e1", "stderr ID e2", "platform ID END", "platform ID REPORT"}},
		"python": {python(dir, "app.h"), []string{"stdout  start", "platform ID START", "stdout ID a 1", "stdout ID [WARNING]\tTIME\tID\tb", "stderr ID e1", "stderr ID e2", "platform ID END", "platform ID REPORT"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newTestPool(t, lambda.Options{}, tt.f)
			r, err := p.Invoke(t.Context(), awsapi.Invocation{Function: "f", LogTail: true})
			if err != nil || r.FunctionError != "" {
				t.Fatalf("Invoke: %s, %v", r.Cause, err)
			}
			var got []string
			for _, l := range p.output() {
				if l.Function != "f" || l.Time.IsZero() {
					t.Errorf("line %+v lacks function or time", l)
				}
				text := timePattern.ReplaceAllString(strings.ReplaceAll(l.Text, r.RequestID, "ID"), "TIME")
				if l.Stream == lambda.StreamPlatform {
					text, _, _ = strings.Cut(text, " ")
				}
				got = append(got, string(l.Stream)+" "+strings.Replace(l.RequestID, r.RequestID, "ID", 1)+" "+text)
			}
			// The order between two pipes is not defined.
			slices.Sort(got)
			slices.Sort(tt.want)
			if !slices.Equal(got, tt.want) {
				t.Errorf("lines:\n%q\nwant:\n%q", got, tt.want)
			}
			tail := string(r.LogTail)
			for _, want := range []string{"START RequestId: " + r.RequestID + " Version: $LATEST\n", "a 1\n", "e2\n", "END RequestId: " + r.RequestID + "\nREPORT RequestId: " + r.RequestID + "\tDuration: ", " ms\tMemory Size: 256 MB"} {
				if !strings.Contains(tail, want) {
					t.Errorf("tail %q lacks %q", tail, want)
				}
			}
		})
	}
}

// More than pipes hold comes before the end of its invocation too.
func TestMuchOutput(t *testing.T) {
	t.Parallel()
	const lines = 3000
	dir := write(t, map[string]string{
		"app.js": `exports.h = async () => { for (let i = 0; i < 3000; i++) (i % 2 ? process.stdout : process.stderr).write('x'.repeat(200) + '\n') }`,
		"app.py": "import sys\ndef h(e, c):\n    for i in range(3000):\n        (sys.stdout if i % 2 else sys.stderr).write('x' * 200 + '\\n')\n",
	})
	for name, f := range map[string]apigw.Function{"node": node(dir, "app.h"), "python": python(dir, "app.h")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newTestPool(t, lambda.Options{}, f)
			p.succeed(t, `{}`)
			p.succeed(t, `{}`)
			got := 0
			for _, l := range p.output() {
				switch {
				case l.Text == strings.Repeat("x", 200):
					got++
				case strings.HasPrefix(l.Text, "END "):
					if got != lines {
						t.Errorf("%d lines came before %q, want %d", got, l.Text, lines)
					}
					got = 0
				}
			}
		})
	}
}

func TestOutputIsBounded(t *testing.T) {
	t.Parallel()
	p := newTestPool(t, lambda.Options{}, node(write(t, map[string]string{"app.js": `exports.h = async () => { process.stdout.write('ü'.repeat(50000) + '\n\0not a mark\n') }`}), "app.h"))
	r, err := p.Invoke(t.Context(), awsapi.Invocation{Function: "f", LogTail: true})
	if err != nil || len(r.LogTail) > 4096 {
		t.Errorf("tail has %d bytes, %v; want at most 4096", len(r.LogTail), err)
	}
	var all []string
	for _, l := range p.output() {
		if l.Stream == lambda.StreamStdout {
			all = append(all, l.Text)
			if len(l.Text) > 32<<10 {
				t.Errorf("a line has %d bytes", len(l.Text))
			}
		}
	}
	if got, want := strings.Join(all, ""), strings.Repeat("ü", 50000)+"\x00not a mark"; got != want {
		t.Errorf("output has %d bytes in %d lines, want %d", len(got), len(all), len(want))
	}
}

func TestEventInvocation(t *testing.T) {
	t.Parallel()
	p := newTestPool(t, lambda.Options{}, node(write(t, map[string]string{"app.js": `exports.h = async (e) => { throw new Error('boom ' + e.n) }`}), "app.h"))
	r, err := p.Invoke(t.Context(), awsapi.Invocation{Function: "f", Type: awsapi.InvokeEvent, Payload: []byte(`{"n":1}`)})
	if err != nil || len(r.Payload) != 0 || r.FunctionError != "" {
		t.Errorf("got %+v, %v; want an empty answer", r, err)
	}
	eventually(t, "failure is logged", func() bool {
		return strings.Contains(p.log.String(), "request_id="+r.RequestID+` cause="app.js:1: Error: boom 1"`)
	})
}

func TestRunEndsEverything(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{"app.js": echo})
	started := make(chan struct{}, 2)
	p, err := lambda.New(lambda.Options{Env: testEnv(), TempDir: t.TempDir(), Output: func(l lambda.Line) {
		if strings.HasPrefix(l.Text, "START ") {
			started <- struct{}{}
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	p.Swap([]apigw.Function{node(dir, "app.h")}, nil)
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- p.Run(ctx) }()
	r, err := p.Invoke(t.Context(), awsapi.Invocation{Function: "f"})
	if err != nil {
		t.Fatal(err)
	}
	failed := make(chan awsapi.InvocationResult, 1)
	go func() {
		r, _ := p.Invoke(context.Background(), awsapi.Invocation{Function: "f", Payload: []byte(`{"ms":15000}`)})
		failed <- r
	}()
	<-started
	<-started
	cancel()
	if err := <-ran; err != nil {
		t.Errorf("Run: %v", err)
	}
	if r := <-failed; r.FunctionError != "Unhandled" || !strings.Contains(r.Cause, "the pool ends") {
		t.Errorf("running call gave %+v, want a failure", r)
	}
	if alive(t, string(r.Payload)) {
		t.Error("worker is alive after Run")
	}
	if _, err := p.Invoke(t.Context(), awsapi.Invocation{Function: "f"}); apigw.KindOf(err) != apigw.KindInternal || err == nil {
		t.Errorf("Invoke after Run: %v, want an internal error", err)
	}
	if err := p.Run(t.Context()); err == nil {
		t.Error("second Run succeeded")
	}
}

// A worker must not outlive Cleat, however that ends. The test starts itself as a stand-in for Cleat and kills it.
func TestWorkersDieWithCleat(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs a parent death signal")
	}
	if dir := os.Getenv("CLEAT_TEST_STAND_IN"); dir != "" {
		p := newTestPool(t, lambda.Options{}, node(dir, "app.h"))
		fmt.Fprintln(os.Stderr, "worker", p.succeed(t, `{}`))
		p.succeed(t, `{"ms":60000}`)
		return
	}
	t.Parallel()
	dir := write(t, map[string]string{"app.js": echo})
	pid := killedStandIn(t, dir)
	eventually(t, "worker ends", func() bool { return !alive(t, pid) })
}

func TestNewFails(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, o := range map[string]lambda.Options{
		"folder":    {TempDir: dir + "/absent"},
		"authority": {TempDir: dir, Capture: lambda.Capture{CAFile: dir + "/absent.pem"}},
	} {
		if p, err := lambda.New(o); err == nil {
			t.Errorf("%s: New = %v, want an error", name, p)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("New left %v, %v", left, err)
	}
}

// Two nodes must run in one test.
func TestTwoPools(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{"app.js": echo})
	a, b := newTestPool(t, lambda.Options{}, node(dir, "app.h")), newTestPool(t, lambda.Options{}, node(dir, "app.h"))
	if bytes.Equal([]byte(a.succeed(t, `{}`)), []byte(b.succeed(t, `{}`))) {
		t.Error("two pools share a worker")
	}
}

// Every call is worth waiting for a worker: of a burst none is refused.
func TestBurstWaits(t *testing.T) {
	t.Parallel()
	p := newTestPool(t, lambda.Options{MaxWorkers: 1}, node(write(t, map[string]string{"app.js": echo}), "app.h"))
	pid := p.succeed(t, `{}`)
	busy := make(chan string, 1)
	go func() { busy <- p.succeed(t, `{"ms":500}`) }()
	eventually(t, "first call runs", func() bool { return p.starts() == 2 })
	var wg sync.WaitGroup
	errs := make(chan error, 2000)
	for range cap(errs) {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			r, err := p.Invoke(ctx, awsapi.Invocation{Function: "f"})
			if err == nil && string(r.Payload) != pid {
				err = fmt.Errorf("got %s, want %s", r.Payload, pid)
			}
			errs <- err
		})
	}
	wg.Wait()
	<-busy
	close(errs)
	for err := range errs {
		if err != nil {
			t.Fatalf("a call of the burst: %v", err)
		}
	}
}

// What waits is bounded in bytes.
func TestWaitingIsBounded(t *testing.T) {
	t.Parallel()
	p := newTestPool(t, lambda.Options{MaxWorkers: 1}, node(write(t, map[string]string{"app.js": echo}), "app.h"))
	payload := []byte(`{"ms":15000}`)
	p.BoundQueue(3*len(payload) + 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	errs := make(chan error, 10)
	for range cap(errs) {
		go func() {
			_, err := p.Invoke(ctx, awsapi.Invocation{Function: "f", Payload: payload})
			errs <- err
		}()
	}
	for range cap(errs) - 1 - 3 { // one runs, three wait
		if err := <-errs; apigw.KindOf(err) != apigw.KindFunctionConcurrency {
			t.Errorf("error = %v, want KindFunctionConcurrency", err)
		}
	}
	cancel()
	for range 1 + 3 {
		if err := <-errs; !errors.Is(err, context.Canceled) {
			t.Errorf("error = %v, want the context's", err)
		}
	}
}

// Whoever gets the cause of a failure tells of it; the log warns only of failures that nobody waits for.
func TestFailureIsToldOnce(t *testing.T) {
	t.Parallel()
	code := map[string]string{"app.js": `exports.h = async (e) => { if (e.ms) await new Promise((r) => setTimeout(r, e.ms)); throw new Error('boom ' + e.n) }`}
	p := newTestPool(t, lambda.Options{}, node(write(t, code), "app.h"))
	p.fail(t, `{"n":"waited for"}`)
	if _, err := p.Invoke(t.Context(), awsapi.Invocation{Function: "f", Type: awsapi.InvokeEvent, Payload: []byte(`{"n":"detached"}`)}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := p.Invoke(ctx, awsapi.Invocation{Function: "f", Payload: []byte(`{"n":"left alone","ms":3000}`)}); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("error = %v, want the context's", err)
	}
	for text, level := range map[string]string{"boom waited for": "DEBUG", "boom detached": "WARN", "boom left alone": "WARN"} {
		eventually(t, text+" is in the log with "+level, func() bool {
			return slices.ContainsFunc(strings.Split(p.log.String(), "\n"), func(line string) bool {
				return strings.Contains(line, text) && strings.Contains(line, "level="+level)
			})
		})
	}
}
