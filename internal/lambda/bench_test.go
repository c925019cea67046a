//go:build unix

package lambda_test

import (
	"bytes"
	"io"
	"net/http"
	"os/exec"
	"slices"
	"strings"
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
