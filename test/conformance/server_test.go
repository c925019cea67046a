package conformance_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/awsapi"
	"cleat/internal/conn"
	"cleat/internal/listen"
)

// target is a server under test: two listeners, with different limits.
type target struct {
	name         string
	tls          bool
	open, quotas string // addresses
	// hasty gives up soon on what must be refused: a server that refuses nothing would be waited for again and again.
	hasty bool
}

// patience is how long a case may take.
func (t target) patience(tc testCase) time.Duration {
	if t.hasty && !tc.lax {
		return 300 * time.Millisecond
	}
	return 20 * time.Second
}

// echoServer is Cleat without routes: a listener, handshakes and a hub, as package gateway puts them together, and a handler
// that sends every message back, one at a time, so that answers come in order.
type echoServer struct{ hub *conn.Hub }

func (s *echoServer) Message(id apigw.ConnectionID, _ any, m conn.Message) {
	send := s.hub.Send
	if m.Binary {
		send = s.hub.SendBinary
	}
	_ = send(id, m.Data) // a client that is gone needs no echo
}

func (s *echoServer) Closed(apigw.ConnectionID, any, conn.CloseReason, func()) {}

// ServeHTTP answers a handshake.
func (s *echoServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	u, err := listen.CheckUpgrade(r)
	if err == nil {
		u.Deflate, err = listen.AgreeDeflate(r.Header["Sec-Websocket-Extensions"])
	}
	if err != nil {
		if apigw.KindOf(err) == apigw.KindUpgradeRequired {
			listen.SetUpgradeHeaders(w.Header())
		}
		awsapi.WriteError(w, err, apigw.NewRequestID())
		return
	}
	answer, err := listen.AppendSwitching(nil, u.Key, "", u.Deflate.Fields()...)
	if err != nil {
		panic(err) // what was agreed on can be sent
	}
	id, err := s.hub.Reserve(nil)
	if err != nil {
		return
	}
	c, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		s.hub.Abandon(id)
		return
	}
	rest, _ := rw.Peek(rw.Reader.Buffered())
	_ = c.SetDeadline(time.Time{})
	_ = s.hub.Open(id, c, conn.Handshake{Answer: answer, Rest: bytes.Clone(rest), Window: u.Deflate.Window})
}

// start runs an echo server until the test ends and returns its address.
func start(t *testing.T, engine string, withTLS bool, limits apigw.Limits) string {
	t.Helper()
	limits.InFlight, limits.IdleTimeout, limits.PingInterval = 1, 0, 0
	s := new(echoServer)
	hub, err := conn.New(s, conn.Options{Engine: engine, Limits: limits})
	if err != nil {
		t.Fatal(err)
	}
	s.hub = hub
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o := listen.Options{Log: slog.New(slog.DiscardHandler), Handler: s}
	if withTLS {
		o.TLS = func(c net.Conn) net.Conn { return conn.ServerTLS(c, certificate()) }
	}
	srv := listen.New(ln, o)
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for _, run := range []func(context.Context) error{hub.Run, srv.Run} {
		running.Go(func() {
			if err := run(ctx); err != nil {
				t.Errorf("the server ended: %v", err)
			}
		})
	}
	t.Cleanup(func() {
		stop()
		running.Wait()
	})
	return ln.Addr().String()
}

func startTarget(t *testing.T, name, engine string, withTLS bool) target {
	t.Helper()
	return target{
		name: name, tls: withTLS,
		open:   start(t, engine, withTLS, apigw.LimitsOpen()),
		quotas: start(t, engine, withTLS, apigw.LimitsAWS()),
	}
}

var certificate = sync.OnceValue(func() *tls.Config {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
})
