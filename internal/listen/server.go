package listen

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/http1"
	"cleat/internal/socket"
)

// Options set up a Server. Log and Handler are required.
type Options struct {
	Log     *slog.Logger
	Handler http.Handler
	// Yields says that the Handler calls what Yielder returns before it waits for anybody but its client, and before it works for longer
	// than a few hundred microseconds: it may hold up the accepting of connections until then. Without, it never does, which costs a
	// wake-up for each connection.
	Yields bool
	// TLS makes the server side of TLS over an accepted connection; what it returns must be a *tls.Conn, with or
	// without something in between that speaks for it. Nil: plain HTTP only.
	TLS func(net.Conn) net.Conn
	// Plain serves plain HTTP beside TLS on the one port: the first byte tells. Without TLS it means nothing.
	Plain bool
	// ProxyProtocol are the proxies that begin each of their connections with a PROXY protocol header, version 1 or 2: a
	// connection of theirs without one is closed. Connections of others have none.
	ProxyProtocol Trust
	// MaxHandshakes bounds the TLS handshakes that compute at a time; the others wait their turn in order. A handshake
	// holds its turn only while it computes, never while it waits for its client. Zero: GOMAXPROCS.
	MaxHandshakes int
	// MaxConns bounds the connections that are not hijacked: those in a handshake, those with a request under way and
	// the idle ones. At the limit idle ones are closed, and if that is not enough accepting pauses, which leaves the
	// next clients in the kernel's queue. Zero: 16,384, about 0.4 GB when all are busy.
	MaxConns int
	// HandshakeTimeout bounds the client's part of a TLS handshake (the first byte included), and, counted anew, the
	// head of a request. Time spent waiting for a turn is not the client's. Zero: 10 s.
	HandshakeTimeout time.Duration
	// BodyTimeout bounds the reading of a whole request, so that a trickled body ends. Zero: 60 s.
	BodyTimeout time.Duration
	// WriteTimeout bounds the sending of each 64 KB of an answer, so that a client which does not read holds nothing.
	// An answer may go on for as long as its client keeps reading. Zero: 30 s.
	WriteTimeout time.Duration
	// IdleTimeout bounds the wait for the next request on a connection. Zero: 2 min.
	IdleTimeout time.Duration
	// MaxHeaderBytes bounds a request's head; past it the answer is 431. Zero: apigw.QuotaHandshakeHeader, to which
	// net/http adds 4,096. AWS's quota counts the request line and the values, so the slack is for the names.
	MaxHeaderBytes int
	// ShutdownTimeout bounds the wait for requests under way when Run ends. Zero: 10 s.
	ShutdownTimeout time.Duration
}

func (o Options) withDefaults() Options {
	if o.MaxHandshakes <= 0 {
		o.MaxHandshakes = runtime.GOMAXPROCS(0)
	}
	if o.MaxConns <= 0 {
		o.MaxConns = 16 << 10
	}
	if o.HandshakeTimeout <= 0 {
		o.HandshakeTimeout = 10 * time.Second
	}
	if o.BodyTimeout <= 0 {
		o.BodyTimeout = time.Minute
	}
	if o.WriteTimeout <= 0 {
		o.WriteTimeout = 30 * time.Second
	}
	if o.IdleTimeout <= 0 {
		o.IdleTimeout = 2 * time.Minute
	}
	if o.MaxHeaderBytes <= 0 {
		o.MaxHeaderBytes = apigw.QuotaHandshakeHeader
	}
	if o.ShutdownTimeout <= 0 {
		o.ShutdownTimeout = 10 * time.Second
	}
	return o
}

// phase is where a server is in its life.
type phase int

const (
	phaseNew    phase = iota // nothing is served yet
	phaseOpen                // Run is at work
	phaseEnding              // no connection may join any more
	phaseEnded               // nothing may begin any more
)

// headSlack is what net/http adds to MaxHeaderBytes.
const headSlack = 4096

// Server serves one listener. A handler that hijacks a connection gets the bare one: a *tls.Conn, or what the listener
// or Inject gave (a *net.TCPConn or *socket.Conn as a rule), with no wrapper of this package and no deadline. All methods may be called
// at any time from any goroutine.
type Server struct {
	o     Options
	ln    net.Listener
	queue *socket.Listener // ln where it is one; else nil
	base  context.Context  // of all requests; set by Run
	// accepting ends accepting; set by Run.
	accepting context.Context
	plain     *http1.Server
	http      *http.Server // of what is not plain
	incoming  *handover
	turns     turns
	crew      *crew

	slots chan struct{} // one per connection that counts towards MaxConns; never closed
	full  atomic.Bool   // somebody waits for a slot: idle connections must go
	began atomic.Bool
	done  chan struct{} // closed when Run begins to end

	mu    sync.Mutex
	phase phase
	conns map[*clientConn]struct{} // those that hold a slot
	tasks int                      // connections being set up, and handlers that run
	empty chan struct{}            // closed when the phase is ending and nothing is left
}

// New returns a server for a listener, which it owns from then on: Run closes it, and so does Close.
func New(ln net.Listener, o Options) *Server {
	o = o.withDefaults()
	s := &Server{
		o:     o,
		ln:    ln,
		turns: newTurns(o.MaxHandshakes),
		slots: make(chan struct{}, o.MaxConns),
		done:  make(chan struct{}),
		conns: map[*clientConn]struct{}{},
		empty: make(chan struct{}),
	}
	s.queue, _ = ln.(*socket.Listener)
	s.crew = newCrew(s)
	s.incoming = &handover{conns: make(chan net.Conn), done: s.done, addr: ln.Addr()}
	return s
}

// Addr is the listener's address.
func (s *Server) Addr() net.Addr { return s.ln.Addr() }

// Close releases the listener of a server whose Run was never called. After Run it does nothing.
func (s *Server) Close() error {
	if s.began.Swap(true) {
		return nil
	}
	close(s.done)
	return s.ln.Close()
}

// Run accepts and serves connections until ctx ends or the listener is closed by somebody else, which is an error. It
// may be called once. At the end no new request is taken, those under way get ShutdownTimeout, then their contexts end
// and their connections are closed. Run returns when every handler and every goroutine of the server has ended; a
// handler that ignores its context holds it up for another second at most and is reported as an error. Hijacked
// connections are left alone.
func (s *Server) Run(ctx context.Context) error {
	if s.began.Swap(true) {
		return errors.New("listen: Run was called before, or the server is closed")
	}
	base, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	s.base = base
	s.plain = &http1.Server{
		Handler:     http.HandlerFunc(s.serve),
		Log:         s.o.Log,
		HeadTimeout: s.o.HandshakeTimeout,
		BodyTimeout: s.o.BodyTimeout,
		IdleTimeout: s.o.IdleTimeout,
		Draining:    s.done,
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	s.http = &http.Server{
		Handler:           http.HandlerFunc(s.serve),
		Protocols:         protocols,
		ReadHeaderTimeout: s.o.HandshakeTimeout,
		ReadTimeout:       s.o.BodyTimeout,
		IdleTimeout:       s.o.IdleTimeout,
		MaxHeaderBytes:    s.o.MaxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(s.o.Log.Handler(), slog.LevelDebug),
		BaseContext:       func(net.Listener) context.Context { return base },
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, connKey{}, clientOf(c))
		},
		ConnState: s.stateChanged,
	}
	s.mu.Lock()
	s.phase = phaseOpen
	s.mu.Unlock()
	served := make(chan error, 1) // Serve's one result
	go func() { served <- s.http.Serve(s.incoming) }()
	stop := context.AfterFunc(ctx, func() { _ = s.ln.Close() }) // Run closes it again and reads the error
	err := s.accept(ctx)
	stop()
	if closeErr := s.ln.Close(); closeErr != nil && !errors.Is(closeErr, net.ErrClosed) {
		s.o.Log.Warn("closing the listener", "addr", s.ln.Addr().String(), "err", closeErr)
	}
	return errors.Join(err, s.end(context.WithoutCancel(ctx), cancel, served))
}

// end is the orderly stop. Its steps: (1) nothing new joins and half-made connections are closed, so that nothing can
// start a request behind our back; (2) requests under way are waited for; (3) what is still there loses its context and
// its connection; (4) all of it is waited for.
func (s *Server) end(ctx context.Context, cancel context.CancelFunc, served <-chan error) error {
	close(s.done)
	s.mu.Lock()
	s.phase = phaseEnding
	s.checkEmpty()
	for c := range s.conns {
		if c.state.Load() != stateActive {
			c.abort() // net/http itself would give a silent new connection five seconds
		}
	}
	s.mu.Unlock()

	ctx, stop := context.WithTimeout(ctx, s.o.ShutdownTimeout)
	defer stop()
	var err error
	shutErr := s.http.Shutdown(ctx)
	if shutErr == nil {
		select {
		case <-s.empty:
		case <-ctx.Done():
			shutErr = ctx.Err()
		}
	}
	if errors.Is(shutErr, context.DeadlineExceeded) {
		s.o.Log.Warn("requests were cut off at shutdown", "addr", s.ln.Addr().String(), "timeout", s.o.ShutdownTimeout)
	} else if shutErr != nil {
		err = fmt.Errorf("shut down the HTTP server: %w", shutErr)
	}
	cancel()
	if closeErr := s.http.Close(); closeErr != nil && !errors.Is(closeErr, net.ErrClosed) {
		err = errors.Join(err, fmt.Errorf("close the HTTP server: %w", closeErr))
	}
	s.mu.Lock()
	for c := range s.conns {
		c.abort()
	}
	s.mu.Unlock()
	if serveErr := <-served; !errors.Is(serveErr, http.ErrServerClosed) {
		err = errors.Join(err, fmt.Errorf("serve HTTP: %w", serveErr))
	}
	grace := time.NewTimer(time.Second)
	defer grace.Stop()
	select {
	case <-s.empty:
	case <-grace.C:
		s.mu.Lock()
		err = errors.Join(err, fmt.Errorf("%d handlers still run after the shutdown of %s", s.tasks, s.ln.Addr()))
		s.mu.Unlock()
	}
	return err
}

// serve is the handler that http1 and net/http call: it counts the request, bares what is hijacked and lets the head go.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	c, ok := r.Context().Value(connKey{}).(*clientConn)
	if !ok || !s.begin() {
		panic(http.ErrAbortHandler) // the server has ended; its connections are closed
	}
	defer s.finish()
	c.seal()
	defer c.drop()
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		if err, is := v.(error); !is || !errors.Is(err, http.ErrAbortHandler) {
			s.o.Log.Error("panic in a handler", "method", r.Method, "path", r.URL.Path, "err", v, "stack", string(debug.Stack()))
		}
		// How much of an answer is out is unknown, so the connection must end.
		panic(http.ErrAbortHandler)
	}()
	if r.ProtoMajor != 1 {
		// net/http passes on the first line of HTTP/2, which somebody speaks who was not told that he may.
		w.Header().Set("Connection", "close")
		http.Error(w, "This port speaks HTTP/1.1", http.StatusHTTPVersionNotSupported)
		return
	}
	if !s.o.Yields {
		c.yield()
	}
	if _, ok := w.(taker); !ok {
		w = &response{ResponseWriter: w}
	}
	s.o.Handler.ServeHTTP(w, r)
}

// begin counts something that Run must wait for; false before Run and after its end.
func (s *Server) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.phase == phaseNew || s.phase == phaseEnded {
		return false
	}
	s.tasks++
	return true
}

func (s *Server) finish() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tasks--
	s.checkEmpty()
}

// checkEmpty ends the server when it is ending and nothing is left. Its caller holds mu.
func (s *Server) checkEmpty() {
	if s.phase == phaseEnding && s.tasks == 0 && len(s.conns) == 0 {
		s.phase = phaseEnded
		close(s.empty)
	}
}

// stateChanged follows net/http's view of a connection.
func (s *Server) stateChanged(nc net.Conn, state http.ConnState) {
	c := clientOf(nc)
	if c == nil {
		return // not reached: only clientConns are handed over
	}
	switch state {
	case http.StateNew:
	case http.StateActive:
		c.state.Store(stateActive)
	case http.StateIdle:
		s.idle(c)
	case http.StateHijacked, http.StateClosed:
		s.leave(c)
	}
}

// idle notes that a connection waits for its next request, and closes it when somebody waits for its slot.
func (s *Server) idle(c *clientConn) {
	c.state.Store(stateIdle)
	if s.full.Load() {
		c.abort()
	}
}

// join lets a connection in that holds a slot; false when the server has ended.
func (s *Server) join(c *clientConn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.phase != phaseOpen {
		return false
	}
	s.conns[c] = struct{}{}
	return true
}

// leave gives a connection's slot back, once.
func (s *Server) leave(c *clientConn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, in := s.conns[c]; !in {
		return
	}
	delete(s.conns, c)
	<-s.slots
	s.checkEmpty()
}

// shed closes the connections that wait for a next request.
func (s *Server) shed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		if c.state.Load() == stateIdle {
			c.abort()
		}
	}
}

// handover is the listener from which net/http gets connections that are ready for it.
type handover struct {
	conns chan net.Conn // never closed
	done  <-chan struct{}
	addr  net.Addr
}

var _ net.Listener = (*handover)(nil)

// Accept implements net.Listener.
func (h *handover) Accept() (net.Conn, error) {
	select {
	case c := <-h.conns:
		return c, nil
	case <-h.done:
		// Not an error that ends Serve by itself: Shutdown has been called or is about to be.
		return nil, http.ErrServerClosed
	}
}

// Close implements net.Listener. The owner of done ends the listener, net/http must not.
func (h *handover) Close() error { return nil }

// Addr implements net.Listener.
func (h *handover) Addr() net.Addr { return h.addr }

// handshaker is what the server needs of a *tls.Conn.
type handshaker interface {
	net.Conn
	HandshakeContext(ctx context.Context) error
	ConnectionState() tls.ConnectionState
}

var _ handshaker = (*tls.Conn)(nil)
