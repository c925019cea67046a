package conn_test

import (
	"crypto/tls"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gorilla/websocket"

	"cleat/internal/apigw"
	"cleat/internal/conn"
)

// The whole way of a connection: accepted, over TLS or not, its handshake served by net/http, hijacked, opened here, with
// somebody else's client at the other end.
func TestHTTP(t *testing.T) {
	for _, engine := range []string{conn.EnginePortable, ""} {
		for _, withTLS := range []bool{false, true} {
			t.Run(map[bool]string{false: "ws", true: "wss"}[withTLS]+" "+engine, func(t *testing.T) {
				h := newTestHandler()
				hub := newTestHub(t, h, conn.Options{Engine: engine})
				h.onMessage = func(id apigw.ConnectionID, _ any, m conn.Message) { _ = hub.Send(id, m.Data) }
				url := serveUpgrades(t, hub, withTLS)
				dialer := websocket.Dialer{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, HandshakeTimeout: wait}
				for range 3 {
					c, _, err := dialer.Dial(url, nil)
					if err != nil {
						t.Fatal(err)
					}
					if err := c.SetReadDeadline(time.Now().Add(wait)); err != nil {
						t.Fatal(err)
					}
					for _, n := range []int{0, 5, 1000, 32 << 10} {
						want := strings.Repeat("w", n)
						if err := c.WriteMessage(websocket.TextMessage, []byte(want)); err != nil {
							t.Fatal(err)
						}
						if op, got, err := c.ReadMessage(); err != nil || op != websocket.TextMessage || string(got) != want {
							t.Fatalf("got opcode %d, %d bytes, %v", op, len(got), err)
						}
					}
					bye := websocket.FormatCloseMessage(3999, "bye")
					if err := c.WriteControl(websocket.CloseMessage, bye, time.Now().Add(wait)); err != nil {
						t.Fatal(err)
					}
					if _, _, err := c.ReadMessage(); !websocket.IsCloseError(err, 3999) {
						t.Errorf("got %v", err)
					}
					c.Close()
					if got := h.waitClosed(t).reason; got.Code != 3999 || got.Text != "bye" {
						t.Errorf("got %+v", got)
					}
				}
			})
		}
	}
}

// serveUpgrades serves handshakes until the test ends, and returns where.
func serveUpgrades(t *testing.T, hub *conn.Hub, withTLS bool) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "ws://" + l.Addr().String()
	if withTLS {
		url = "wss://" + l.Addr().String()
		l = tlsListener{l}
	}
	srv := &http.Server{ReadHeaderTimeout: wait, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, err := hub.Reserve(nil)
		if err != nil {
			t.Error(err)
			return
		}
		c, rw, _, err := ws.UpgradeHTTP(r, w)
		if err != nil {
			hub.Abandon(id)
			t.Error(err)
			return
		}
		rest, _ := rw.Peek(rw.Reader.Buffered())
		if err := hub.Open(id, c, conn.Handshake{Rest: rest}); err != nil {
			t.Error(err)
		}
	})}
	done := make(chan struct{})
	go func() { defer close(done); _ = srv.Serve(l) }()
	t.Cleanup(func() {
		srv.Close()
		<-done
	})
	return url
}

type tlsListener struct{ net.Listener }

func (l tlsListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return conn.ServerTLS(c, testTLS()), nil
}
