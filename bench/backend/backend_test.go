//go:build linux

package backend_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"cleat/bench/backend"
	"cleat/bench/peer"
	"cleat/internal/testkit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func start(t *testing.T, routes ...peer.Route) (addr string) {
	t.Helper()
	return testkit.Announced(t, func(ctx context.Context, out io.Writer) error { return backend.Serve(ctx, "127.0.0.1:0", routes, out) })
}

func TestRoutes(t *testing.T) {
	addr := start(t, peer.Route{Path: "/below/", Answer: func(path string, header func(string) string, body []byte) (int, []string, []byte) {
		return 201, []string{"X-Path: " + path, "Content-Type: text/plain"}, append([]byte(header("x-name")+" "), body...)
	}})
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for name, c := range map[string]struct {
		path, body  string
		chunked     bool
		status      int
		answer      string
		contentType string
		header      string
	}{
		"echo":       {path: "/echo", body: strings.Repeat("x", 100_000), status: 200, answer: strings.Repeat("x", 100_000), contentType: "application/json"},
		"in chunks":  {path: "/echo?q", body: "hello", chunked: true, status: 200, answer: "hello", contentType: "application/json"},
		"let in":     {path: "/ok", status: 200, answer: "{}", contentType: "application/json"},
		"a server's": {path: "/below/here", body: "b", status: 201, answer: "me b", contentType: "text/plain", header: "/below/here"},
		"none":       {path: "/below", status: 404, contentType: "application/json"},
	} {
		t.Run(name, func(t *testing.T) {
			var body io.Reader = strings.NewReader(c.body)
			if c.chunked {
				body = io.MultiReader(body) // whose length nobody knows
			}
			r, err := http.NewRequest(http.MethodPost, "http://"+addr+c.path, body)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("X-Name", "me")
			resp, err := client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			answer, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != c.status || string(answer) != c.answer || resp.Header.Get("Content-Type") != c.contentType || resp.Header.Get("X-Path") != c.header {
				t.Errorf("got %d %.100q %v", resp.StatusCode, answer, resp.Header)
			}
		})
	}
}

func TestPipelined(t *testing.T) {
	c, err := net.Dial("tcp", start(t))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	const request = "POST /echo HTTP/1.1\r\nContent-Length: 2\r\n\r\n"
	if _, err := c.Write([]byte(request + "ab" + request + "c")); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(c)
	for _, want := range []string{"ab", "cd"} {
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || string(got) != want {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
		if _, err := c.Write([]byte("d")); err != nil {
			t.Fatal(err)
		}
	}
}
