package server_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"

	"cleat/internal/apigw"
	"cleat/internal/server"
)

// A node is told of an API by the control plane and knows it from then on (spec control-plane §3).
func TestServeControlPlane(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	ready := make(chan net.Addr, 1)
	done := make(chan error, 1)
	go func() {
		done <- server.RunServe(ctx, server.ServeOptions{
			DataDir: t.TempDir(), Public: "127.0.0.1:0", Admin: "127.0.0.1:0", Log: slog.New(slog.DiscardHandler),
			Ready: func(_, admin net.Addr) { ready <- admin },
		})
	}()
	defer func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	var admin net.Addr
	select {
	case admin = <-ready:
	case err := <-done:
		done <- nil
		t.Fatal(err)
	}
	body := `{"name":"chat","protocolType":"WEBSOCKET","routeSelectionExpression":"$request.body.action"}`
	resp, err := http.Post("http://"+admin.String()+"/v2/apis", "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var api apigw.API
	if err := json.NewDecoder(resp.Body).Decode(&api); err != nil || resp.StatusCode != http.StatusCreated || len(api.APIID) != 10 {
		t.Fatalf("got %d, %+v, %v", resp.StatusCode, api, err)
	}
}
