package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/awsapi"
	"cleat/internal/config"
	"cleat/internal/conn"
	"cleat/internal/control"
	"cleat/internal/controlapi"
	"cleat/internal/gateway"
	"cleat/internal/integration"
	"cleat/internal/lambda"
	"cleat/internal/listen"
)

// ServeOptions say how a node for real use runs.
type ServeOptions struct {
	DataDir string // where everything is kept that outlives the process
	Public  string // address of the data plane, "host:port"
	Admin   string // address of the control plane, metrics and health
	Region  string // that the node poses to be in; empty: awsapi.DefaultRegion
	Env     []string
	Log     *slog.Logger
	Access  AccessOptions
	// Ready is called once, when both listeners accept.
	Ready func(public, admin net.Addr)
}

// serveNode is a running "cleat serve".
type serveNode struct {
	o        ServeOptions
	node     *node
	settings settings

	loading sync.Mutex // one reload at a time
}

// RunServe runs a node until ctx ends, then stops in order: no connection is accepted any more, those open are closed
// with 1001, their $disconnect events delivered, calls under way finished. It returns nil after an orderly end.
func RunServe(ctx context.Context, o ServeOptions) (err error) {
	if o.Region == "" {
		o.Region = awsapi.DefaultRegion
	}
	s := &serveNode{o: o, settings: settings{Node: config.Default(), Region: o.Region}}
	limits := s.settings.Limits.Apply("")
	var lc net.ListenConfig
	public, err := lc.Listen(ctx, "tcp", o.Public)
	if err != nil {
		return fmt.Errorf("the public listener: %w", err)
	}
	defer func() { err = errors.Join(err, ignoreClosed(public.Close())) }()
	admin, err := lc.Listen(ctx, "tcp", o.Admin)
	if err != nil {
		return fmt.Errorf("the admin listener: %w", err)
	}
	defer func() { err = errors.Join(err, ignoreClosed(admin.Close())) }()
	options := s.nodeOptions(public.Addr(), limits)
	closeAccess, err := openAccess(ctx, &options, o)
	defer func() { err = errors.Join(err, closeAccess()) }()
	if err != nil {
		return err
	}
	if s.node, err = newNode(options); err != nil { //nolint:contextcheck // it ends in order, by stop
		return err
	}
	stop := s.node.start() //nolint:contextcheck // ends by stop, after ctx
	defer func() { err = errors.Join(err, stop()) }()

	if err := s.node.admit(ctx, s.settings, o.Access); err != nil {
		return err
	}
	runCtx, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	running := make(chan error, 3)
	go func() { running <- s.node.follow(runCtx, s.reload, s.failed) }()
	go func() {
		running <- listen.New(public, listen.Options{Log: o.Log, Handler: s.node.gateway, HandshakeTimeout: limits.HandshakeTimeout}).Run(runCtx)
	}()
	go func() {
		running <- listen.New(admin, listen.Options{Log: o.Log, Handler: s.adminHandler(admin.Addr()), HandshakeTimeout: limits.HandshakeTimeout}).Run(runCtx)
	}()
	if o.Ready != nil {
		o.Ready(public.Addr(), admin.Addr())
	}
	left := 3
	select {
	case <-ctx.Done():
	case err = <-running:
		left--
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
	defer cancel()
	err = errors.Join(err, s.node.gateway.Shutdown(drain))
	end()
	for range left {
		err = errors.Join(err, <-running)
	}
	return err
}

func (s *serveNode) nodeOptions(addr net.Addr, limits apigw.Limits) nodeOptions {
	own := "http://" + loopbackAddr(addr)
	return nodeOptions{
		log: s.o.Log, own: own, control: control.Options{Unlimited: true},
		dataDir: s.o.DataDir, usageDir: within(s.o.DataDir, usageFolder), codeDir: within(s.o.DataDir, codeFolder),
		lambda: lambda.Options{
			Log: s.o.Log, Output: func(l lambda.Line) {
				s.o.Log.Info("function output", "line", l.Text, "function", l.Function, "time", l.Time.Format(time.RFC3339Nano))
			},
			Region: s.o.Region, Account: awsapi.DefaultAccount, Env: s.o.Env,
		},
		gateway: gateway.Options{
			Log: s.o.Log, Observe: func(*apigw.Record) {}, Conn: conn.Options{Limits: limits, Log: s.o.Log},
			Integration: integration.Dependencies{Region: s.o.Region, Account: awsapi.DefaultAccount, ConnectionHeaders: s.settings.ConnectionHeaders},
		},
	}
}

func (s *serveNode) reload(ctx context.Context) error {
	s.loading.Lock()
	defer s.loading.Unlock()
	return s.node.load(ctx, s.settings, logSettings{Logs: s.settings.Logs})
}

func (s *serveNode) failed(err error) { s.o.Log.Error("definitions", "err", err) }

// adminHandler is everything that the admin listener at an address answers.
func (s *serveNode) adminHandler(addr net.Addr) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /_cleat/healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	local := isLoopback(addr)
	aws := s.node.controlPlane(controlapi.Options{Region: s.o.Region}, s.reload)
	mux.Handle("GET /metrics", s.node.login(actionReadMetrics, local, s.node.withMetrics(aws)))
	mux.Handle("/", aws)
	return mux
}
