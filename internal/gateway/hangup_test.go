package gateway_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/awsapi"
)

// A client that ends its sending side during $connect counts as gone, and reads the end of the connection: no answer.
func TestHalfCloseDuringConnect(t *testing.T) {
	n := newTestNode(t, api{routes: map[string]string{"$connect": "hello"}}, apigw.LimitsAWS())
	called, release := make(chan struct{}), make(chan struct{})
	n.functions.on("hello", func(map[string]any) (awsapi.InvocationResult, error) {
		close(called)
		<-release
		return awsapi.InvocationResult{Payload: []byte(`{}`)}, nil
	})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		stop := context.AfterFunc(r.Context(), func() { close(release) }) // net/http has noticed
		defer stop()
		n.ServeHTTP(w, r)
	}))
	defer srv.Close()
	c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	const request = "GET /prod HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: Q0FGRUJBQkVERUFEQkVFRg==\r\n\r\n"
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	<-called
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		t.Fatalf("dialled a %T", c)
	}
	if err := tcp.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(c); len(got) > 0 || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	if rec := <-n.records; rec.Operation != "connect" || rec.Status != 499 || rec.Err == nil {
		t.Errorf("got %+v", rec)
	}
}
