package rig

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // G505: RFC 6455 asks for it
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/coder/websocket"
	gorilla "github.com/gorilla/websocket"

	"cleat/internal/apigw"
	"cleat/internal/conn"
	front "cleat/internal/listen"
)

// The servers under test. All of them echo.
const (
	Gateway = "gateway" // the whole data plane: listener, gateway, route, integration, with a function that is a Go call
	Bare    = "bare"    // the same with net/http's server in the place of the listener
	Deflate = "deflate" // the same with compression, which its clients agree to
	Hub     = "hub"     // net/http for the handshake, then conn.Hub
	Gorilla = "gorilla" // gorilla/websocket with its defaults, a goroutine per connection
	Coder   = "coder"   // coder/websocket with its defaults, a goroutine per connection
)

// ours tells what holds its connections in a conn.Hub.
func ours(kind string) bool { return kind == Hub || kind == Gateway || kind == Bare || kind == Deflate }

// Serve runs a server until standard input ends. It writes its address as one line, and answers every line it reads,
// after it has collected garbage, with one of its own: the number of goroutines.
func Serve(kind string, withTLS bool) error {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	var listen net.ListenConfig
	if ours(kind) {
		listen.KeepAlive = -1 // as Cleat itself does: the hub sets it for the connections that stay
	}
	l, err := listen.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	handler, wait, err := handlerOf(ctx, kind)
	if err != nil {
		return err
	}
	var serve func() error
	closeServer := func() error { return nil }
	addr := l.Addr()
	if kind == Gateway {
		serve, err = listener(ctx, l, handler, withTLS)
	} else {
		if withTLS {
			l, err = newTLSListener(l, ours(kind))
		}
		srv := &http.Server{Handler: handler, ReadHeaderTimeout: 30 * time.Second}
		serve, closeServer = func() error { return notClosed(srv.Serve(l)) }, srv.Close
	}
	if err != nil {
		return err
	}
	failed := make(chan error, 1)
	go func() { failed <- serve() }()
	if _, err := fmt.Fprintln(os.Stdout, addr); err != nil {
		return err
	}
	err = answer(os.Stdin, os.Stdout)
	stop()
	return errors.Join(err, closeServer(), <-failed, wait())
}

// listener is Cleat's own, as far as it serves l until ctx ends.
func listener(ctx context.Context, l net.Listener, h http.Handler, withTLS bool) (serve func() error, err error) {
	o := front.Options{Log: slog.New(slog.DiscardHandler), Handler: h}
	if withTLS {
		cfg, err := newTLS()
		if err != nil {
			return nil, err
		}
		o.TLS = func(c net.Conn) net.Conn { return conn.ServerTLS(c, cfg) }
	}
	s := front.New(l, o)
	return func() error { return s.Run(ctx) }, nil
}

func notClosed(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

func answer(in io.Reader, out io.Writer) error {
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		runtime.GC()
		runtime.GC()
		debug.FreeOSMemory()
		if _, err := fmt.Fprintln(out, runtime.NumGoroutine()); err != nil {
			return err
		}
	}
	return lines.Err()
}

// tlsListener is tls.Listener with the TLS of a choice.
type tlsListener struct {
	net.Listener
	server func(net.Conn) *tls.Conn
}

func (l *tlsListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return l.server(c), nil
}

// newTLS is the TLS of a server with a certificate of its own.
func newTLS() (*tls.Config, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS12}, nil
}

func newTLSListener(l net.Listener, held bool) (net.Listener, error) {
	cfg, err := newTLS()
	if err != nil {
		return nil, err
	}
	server := func(c net.Conn) *tls.Conn { return tls.Server(c, cfg) }
	if held {
		server = func(c net.Conn) *tls.Conn { return conn.ServerTLS(c, cfg) }
	}
	return &tlsListener{l, server}, nil
}

// handlerOf returns a server's handler and what to wait for after ctx has ended.
func handlerOf(ctx context.Context, kind string) (h http.Handler, wait func() error, err error) {
	none := func() error { return nil }
	switch kind {
	case Gateway, Bare, Deflate:
		return gatewayHandler(ctx, kind == Deflate)
	case Hub:
		return hubHandler(ctx)
	case Gorilla:
		return http.HandlerFunc(echoGorilla), none, nil
	case Coder:
		return http.HandlerFunc(echoCoder), none, nil
	}
	return nil, nil, fmt.Errorf("no server %q", kind)
}

func echoGorilla(w http.ResponseWriter, r *http.Request) {
	up := gorilla.Upgrader{}
	c, err := up.Upgrade(w, r, nil)
	if err != nil {
		return // the client has its answer
	}
	defer c.Close() //nolint:errcheck // the connection is over either way
	for {
		op, b, err := c.ReadMessage()
		if err != nil || c.WriteMessage(op, b) != nil {
			return
		}
	}
}

func echoCoder(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, nil)
	if err != nil {
		return // the client has its answer
	}
	defer c.CloseNow() //nolint:errcheck // the connection is over either way
	for {
		op, b, err := c.Read(r.Context())
		if err != nil || c.Write(r.Context(), op, b) != nil {
			return
		}
	}
}

// echo is the Handler that sends every message back.
type echo struct{ hub *conn.Hub }

func (e *echo) Message(id apigw.ConnectionID, _ any, m conn.Message) {
	_ = e.hub.Send(id, m.Data) // a client that is gone needs no echo
}

func (e *echo) Closed(apigw.ConnectionID, any, conn.CloseReason, func()) {}

func hubHandler(ctx context.Context) (http.Handler, func() error, error) {
	e := new(echo)
	hub, err := conn.New(e, conn.Options{Limits: apigw.LimitsAWS(), Log: slog.New(slog.NewTextHandler(os.Stderr, nil))})
	if err != nil {
		return nil, nil, err
	}
	e.hub = hub
	ended := make(chan error, 1)
	go func() { ended <- hub.Run(ctx) }()
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := upgrade(hub, w, r); err != nil {
			slog.New(slog.NewTextHandler(os.Stderr, nil)).Error("upgrade", "err", err)
		}
	})
	return handler, func() error { return <-ended }, nil
}

// upgrade answers a handshake and gives the connection to the Hub.
func upgrade(hub *conn.Hub, w http.ResponseWriter, r *http.Request) error {
	id, err := hub.Reserve(nil)
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return err
	}
	c, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		hub.Abandon(id)
		return err
	}
	sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) //nolint:gosec // G401: RFC 6455 §4.2.2
	answer := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
		base64.StdEncoding.EncodeToString(sum[:]) + "\r\n\r\n"
	rest, err := rw.Peek(rw.Reader.Buffered())
	if err != nil {
		hub.Abandon(id)
		return errors.Join(err, c.Close())
	}
	return hub.Open(id, c, conn.Handshake{Answer: []byte(answer), Rest: rest})
}
