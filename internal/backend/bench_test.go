package backend_test

import (
	"bytes"
	"errors"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/backend"
	"cleat/internal/testkit"
)

// asBackend in the environment makes the test binary an HTTP backend on the listener it was given, so that a benchmark can tell
// the caller's processor time from the backend's.
const asBackend = "CLEAT_TEST_BACKEND"

// serveBackend answers every request with 100 bytes until its standard input ends.
func serveBackend() error {
	ln, err := net.FileListener(os.NewFile(3, "listener"))
	if err != nil {
		return err
	}
	go func() {
		_, _ = os.Stdin.Read(make([]byte, 1))
		os.Exit(0)
	}()
	return testkit.ServeHTTP(ln, strings.Repeat("x", 100))
}

// startBackend starts that backend in a process of its own and returns its address.
func startBackend(tb testing.TB) string {
	tb.Helper()
	ln, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		tb.Fatal(err)
	}
	file, err := ln.File()
	if err != nil {
		tb.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), asBackend+"=1")
	cmd.ExtraFiles = []*os.File{file}
	in, err := cmd.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := errors.Join(cmd.Start(), file.Close(), ln.Close()); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := errors.Join(in.Close(), cmd.Wait()); err != nil {
			tb.Error(err)
		}
	})
	return ln.Addr().String()
}

// netHTTP returns an HTTP that leaves every call to net/http: what the short way is held against.
func netHTTP(o backend.HTTPOptions) *backend.HTTP {
	o.Proxy = func(*http.Request) (*url.URL, error) { return nil, nil } //nolint:nilnil // no proxy
	return backend.NewHTTP(o)
}

// newCall is a call as HTTP_PROXY makes one of a message.
func newCall(tb testing.TB, addr string, size int) *backend.Request {
	tb.Helper()
	return &backend.Request{
		Method: "POST", URL: parse(tb, "http://"+addr+"/ws"), Body: bytes.Repeat([]byte("x"), size),
		Header: apigw.Fields{
			{Name: "Content-Type", Value: "application/json; charset=UTF-8"},
			{Name: "User-Agent", Value: "AmazonAPIGateway_a1b2c3d4e5"},
			{Name: "X-Amzn-Apigateway-Api-Id", Value: "a1b2c3d4e5"},
			{Name: "X-Cleat-Connected-At", Value: "1710277042123"},
			{Name: "X-Cleat-Connection-Id", Value: "Qyi07eCbtjMCJKw="},
			{Name: "X-Cleat-Domain-Name", Value: "a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com"},
			{Name: "X-Cleat-Event-Type", Value: "MESSAGE"},
			{Name: "X-Cleat-Request-Id", Value: "Qyi3UG41tjMFlUg="},
			{Name: "X-Cleat-Route-Key", Value: "say"},
			{Name: "X-Cleat-Stage", Value: "prod"},
			{Name: "X-Forwarded-For", Value: "198.51.100.1"},
			{Name: "X-Forwarded-Proto", Value: "https"},
		},
	}
}

// BenchmarkHTTP calls a backend in a process of its own; cpu-us/op is this process's part.
func BenchmarkHTTP(b *testing.B) {
	addr := startBackend(b)
	for name, open := range map[string]func(backend.HTTPOptions) *backend.HTTP{"plain": backend.NewHTTP, "net-http": netHTTP} {
		for _, callers := range []int{1, 100, 1000} {
			for _, size := range []int{100, 4 << 10} {
				b.Run(name+"/callers="+strconv.Itoa(callers)+"/bytes="+strconv.Itoa(size), func(b *testing.B) {
					h := open(backend.HTTPOptions{})
					defer h.Close()
					call := newCall(b, addr, size)
					b.ReportAllocs()
					before := processorTime(b)
					var all sync.WaitGroup
					for k := range callers {
						all.Go(func() {
							for i := k; i < b.N; i += callers {
								r := *call
								r.Deadline = time.Now().Add(29 * time.Second)
								if _, err := h.Do(b.Context(), &r); err != nil {
									b.Error(err)
									return
								}
							}
						})
					}
					all.Wait()
					b.ReportMetric(float64((processorTime(b)-before).Microseconds())/float64(b.N), "cpu-us/op")
				})
			}
		}
	}
}
