package gateway_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"cleat/internal/apigw"
	"cleat/internal/conn"
	"cleat/internal/gateway"
	"cleat/internal/integration"
	"cleat/internal/store"
)

// pipes is a listener whose connections are pipes in memory, so that a whole gateway fits into a synctest bubble.
type pipes struct {
	accepted chan net.Conn // never closed
	closed   chan struct{}
	once     sync.Once
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.accepted:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

func (p *pipes) dial(context.Context, string, string) (net.Conn, error) {
	client, server := net.Pipe()
	p.accepted <- server
	return client, nil
}

// bubble is a gateway in virtual time. Call newBubble and everything else inside of synctest.Test.
type bubble struct {
	*gateway.Gateway
	pipes     *pipes
	functions *functions
	records   chan *apigw.Record
	log       *strings.Builder // written by one goroutine at a time here
}

func newBubble(t *testing.T, serving store.Serving, limits apigw.Limits) *bubble {
	t.Helper()
	b := &bubble{
		pipes:     &pipes{accepted: make(chan net.Conn), closed: make(chan struct{})},
		functions: newFunctions(), records: make(chan *apigw.Record, 20_000), log: &strings.Builder{},
	}
	var err error
	b.Gateway, err = gateway.New(gateway.Options{
		Log: slog.New(slog.NewTextHandler(b.log, nil)), Observe: func(r *apigw.Record) { b.records <- r.Clone() },
		Integration: integration.Dependencies{Functions: b.functions},
		Conn:        conn.Options{Limits: limits, Engine: conn.EnginePortable},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Swap(serving); err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: b, ReadHeaderTimeout: time.Minute}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := server.Serve(b.pipes); !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("serve: %v", err)
		}
	})
	running.Go(func() { _ = b.Run(ctx) })
	t.Cleanup(func() {
		end, stop := context.WithTimeout(context.Background(), time.Minute)
		defer stop()
		if err := errors.Join(b.Shutdown(end), server.Close()); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		cancel()
		running.Wait()
	})
	return b
}

// dial connects to stage prod. A refusal is an answer.
func (b *bubble) dial(t *testing.T, h http.Header) (*websocket.Conn, *http.Response) {
	t.Helper()
	d := websocket.Dialer{NetDialContext: b.pipes.dial, WriteBufferSize: 256 << 10} // a message in one frame
	ws, res, err := d.DialContext(t.Context(), "ws://localhost/prod", h)
	if res == nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	if ws != nil {
		t.Cleanup(func() { _ = ws.Close() })
	}
	return ws, res
}

func (b *bubble) open(t *testing.T, h http.Header) *websocket.Conn {
	t.Helper()
	ws, res := b.dial(t, h)
	if ws == nil {
		t.Fatalf("refused with %d", res.StatusCode)
	}
	return ws
}

// push posts to a connection of stage prod.
func (b *bubble) push(t *testing.T, id string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	b.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/prod/@connections/"+id, strings.NewReader("hello")))
	return w
}
