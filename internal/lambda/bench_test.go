//go:build unix

package lambda_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"cleat/internal/awsapi"
	"cleat/internal/lambda"
)

// BenchmarkWarmInvoke measures what a call of a warm Node function costs beyond the bare HTTP round trip to a Node
// process that does the same: half a millisecond at most is promised for the median. Calls of both kinds alternate.
func BenchmarkWarmInvoke(b *testing.B) {
	payload := []byte(`{"requestContext":{"routeKey":"$default","connectionId":"L0SM9cOFvHcCIhw="},"body":"` + strings.Repeat("x", 400) + `"}`)
	p := newTestPool(b, lambda.Options{}, node(write(b, map[string]string{"app.js": `exports.h = async (e) => ({ statusCode: 200, body: e.body })`}), "app.h"))
	call := awsapi.Invocation{Function: "f", Payload: payload}
	bare := startBareServer(b)
	client := &http.Client{Transport: &http.Transport{}}
	b.Cleanup(client.CloseIdleConnections)

	invoke := func() {
		if r, err := p.Invoke(b.Context(), call); err != nil || r.FunctionError != "" {
			b.Fatalf("Invoke: %s, %v", r.Payload, err)
		}
	}
	post := func() {
		r, err := client.Post(bare, "application/json", bytes.NewReader(payload))
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			b.Fatal(err)
		}
		r.Body.Close()
	}
	for range 300 {
		invoke()
		post()
	}
	invokes, posts := make([]time.Duration, 0, b.N), make([]time.Duration, 0, b.N)
	for b.Loop() {
		t0 := time.Now()
		invoke()
		t1 := time.Now()
		post()
		invokes, posts = append(invokes, t1.Sub(t0)), append(posts, time.Since(t1))
	}
	slices.Sort(invokes)
	slices.Sort(posts)
	us := func(d []time.Duration, q float64) float64 {
		return float64(d[int(q*float64(len(d)-1))].Nanoseconds()) / 1000
	}
	b.ReportMetric(us(invokes, .5), "invoke-p50-µs")
	b.ReportMetric(us(posts, .5), "http-p50-µs")
	b.ReportMetric(us(invokes, .5)-us(posts, .5), "overhead-p50-µs")
	b.ReportMetric(us(invokes, .99), "invoke-p99-µs")
	b.ReportMetric(us(posts, .99), "http-p99-µs")
}

// BenchmarkBusyInvoke measures the processor time of a call of a warm Node function while ten callers keep the pool busy:
// this process's own part and that of the workers.
func BenchmarkBusyInvoke(b *testing.B) {
	const callers = 10
	code := `exports.h = async (e) => {
		if (!e.usage) return { statusCode: 200, body: e.body }
		await new Promise((r) => setTimeout(r, 200)) // so that each worker gets one such call
		const u = process.cpuUsage()
		return { pid: process.pid, used: u.user + u.system }
	}`
	p := newTestPool(b, lambda.Options{}, node(write(b, map[string]string{"app.js": code}), "app.h"))
	invoke := func(payload []byte) []byte {
		r, err := p.Invoke(b.Context(), awsapi.Invocation{Function: "f", Payload: payload})
		if err != nil || r.FunctionError != "" {
			b.Errorf("Invoke: %s, %v", r.Payload, err)
		}
		return r.Payload
	}
	workers := func() (used map[int]float64) {
		used = map[int]float64{}
		var mu sync.Mutex
		var wg sync.WaitGroup
		for range callers {
			wg.Go(func() {
				var usage struct {
					PID  int
					Used float64 // microseconds
				}
				answer := invoke([]byte(`{"usage":true}`))
				mu.Lock()
				defer mu.Unlock()
				if err := json.Unmarshal(answer, &usage); err != nil {
					b.Errorf("usage: %s, %v", answer, err)
				}
				used[usage.PID] = usage.Used
			})
		}
		wg.Wait()
		return used
	}
	payload := []byte(`{"requestContext":{"routeKey":"$default","connectionId":"L0SM9cOFvHcCIhw="},"body":"` + strings.Repeat("x", 400) + `"}`)
	busy := func(calls int) {
		var left atomic.Int64
		left.Store(int64(calls))
		var wg sync.WaitGroup
		for range callers {
			wg.Go(func() {
				for left.Add(-1) >= 0 {
					invoke(payload)
				}
			})
		}
		wg.Wait()
	}
	workers()
	busy(2000)
	var own [2]syscall.Rusage
	before := workers()
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &own[0]); err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	busy(b.N)
	b.StopTimer()
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &own[1]); err != nil {
		b.Fatal(err)
	}
	var theirs float64
	for pid, used := range workers() {
		theirs += used - before[pid]
	}
	each := func(ns int64) float64 { return float64(ns) / 1000 / float64(b.N) }
	b.ReportMetric(each(own[1].Utime.Nano()+own[1].Stime.Nano()-own[0].Utime.Nano()-own[0].Stime.Nano()), "own-cpu-µs/op")
	b.ReportMetric(theirs/float64(b.N), "workers-cpu-µs/op")
}

// startBareServer runs a Node process that echoes over plain HTTP, and returns its URL.
func startBareServer(b *testing.B) string {
	b.Helper()
	cmd := exec.Command("node", "-e", `require('http').createServer((q, r) => { let b = ''; q.on('data', (c) => { b += c }); q.on('end', () => {
		const a = JSON.stringify({ statusCode: 200, body: JSON.parse(b).body }); r.writeHead(200, { 'Content-Length': Buffer.byteLength(a) }); r.end(a) }) })
		.listen(0, '127.0.0.1', function () { console.log('http://127.0.0.1:' + this.address().port) })`)
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	buf := make([]byte, 100)
	n, err := out.Read(buf)
	if err != nil {
		b.Fatal(err)
	}
	return strings.TrimSpace(string(buf[:n]))
}
