package server_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"testing"

	"cleat/internal/apigw"
	"cleat/internal/awsapi"
	"cleat/internal/server"
)

// served is a running "cleat serve" with the key that its first start has shown.
type served struct {
	public, admin net.Addr
	dir           string
	key           awsapi.Credentials // zero: none was shown
	stop          func()             // and wait
}

// serve runs a node on free ports until the test ends. change may change its options.
func serve(t *testing.T, change func(*server.ServeOptions)) *served {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	s := &served{dir: t.TempDir()}
	type addrs struct{ public, admin net.Addr }
	ready := make(chan addrs, 1)
	o := server.ServeOptions{
		DataDir: s.dir, Public: "127.0.0.1:0", Admin: "127.0.0.1:0", Log: slog.New(slog.DiscardHandler),
		Ready:  func(public, admin net.Addr) { ready <- addrs{public, admin} },
		Access: server.AccessOptions{ShowFirstKey: func(c awsapi.Credentials) error { s.key = c; return nil }},
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
	case a := <-ready:
		s.public, s.admin = a.public, a.admin
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
