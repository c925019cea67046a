package server_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"

	"cleat/internal/access"
	"cleat/internal/apigw"
	"cleat/internal/awsapi"
	"cleat/internal/project"
	"cleat/internal/server"
)

// served is a running "cleat serve" with the key that its first start has shown.
type served struct {
	public, admin net.Addr
	dir           string
	key           awsapi.Credentials // zero: none was shown
	stop          func()             // and wait
}

// listening are settings of a node that listens on free ports: of this machine to clients, at a host for its admin.
func listening(admin string) []project.Override {
	return []project.Override{
		{Setting: "public.listen", Values: []string{"127.0.0.1:0"}, From: "--public"},
		{Setting: "admin.listen", Values: []string{admin}, From: "--admin"},
	}
}

// logTo has a node log to l.
func logTo(l *slog.Logger) func(string, slog.Leveler) *slog.Logger {
	return func(string, slog.Leveler) *slog.Logger { return l }
}

// addrOf is the address that a URL of localhost means.
func addrOf(t *testing.T, url string) net.Addr {
	t.Helper()
	_, port, ok := strings.Cut(url, "://localhost:")
	a, err := net.ResolveTCPAddr("tcp", "127.0.0.1:"+port)
	if !ok || err != nil {
		t.Fatalf("%s is no URL of localhost: %v", url, err)
	}
	return a
}

// serve runs a node on free ports until the test ends. change may change its options.
func serve(t *testing.T, change func(*server.ServeOptions)) *served {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	s := &served{dir: t.TempDir()}
	ready := make(chan server.Serving, 1)
	o := server.ServeOptions{
		DataDir: s.dir, Overrides: listening("127.0.0.1:0"), Ready: func(is server.Serving) { ready <- is },
		Access: access.Options{ShowFirstKey: func(c awsapi.Credentials) error { s.key = c; return nil }},
	}
	if change != nil {
		change(&o)
	}
	s.dir = o.DataDir
	done := make(chan error, 1)
	go func() { done <- server.RunServe(ctx, o) }()
	ended := false
	s.stop = func() {
		cancel()
		if !ended {
			ended = true
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	}
	t.Cleanup(s.stop)
	select {
	case is := <-ready:
		s.public, s.admin = addrOf(t, is.Public[0]), addrOf(t, is.Admin[0])
	case err := <-done:
		done <- nil
		t.Fatal(err)
	}
	return s
}

// A node is told of an API by the control plane and knows it from then on (spec control-plane §3).
func TestServeControlPlane(t *testing.T) {
	s := serve(t, nil)
	body := `{"name":"chat","protocolType":"WEBSOCKET","routeSelectionExpression":"$request.body.action"}`
	resp := signedCall(t, s.admin, "apigateway", s.key, http.MethodPost, "/v2/apis", body)
	defer func() { _ = resp.Body.Close() }()
	var api apigw.API
	if err := json.NewDecoder(resp.Body).Decode(&api); err != nil || resp.StatusCode != http.StatusCreated || len(api.APIID) != 10 {
		t.Fatalf("got %d, %+v, %v", resp.StatusCode, api, err)
	}
}
