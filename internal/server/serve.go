package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"cleat/internal/access"
	"cleat/internal/apigw"
	"cleat/internal/certs"
	"cleat/internal/config"
	"cleat/internal/conn"
	"cleat/internal/control"
	"cleat/internal/datadir"
	"cleat/internal/gateway"
	"cleat/internal/integration"
	"cleat/internal/lambda"
	"cleat/internal/listen"
	"cleat/internal/localca"
	"cleat/internal/project"
	"cleat/internal/store"
	"cleat/internal/systemd"
)

// ServeOptions say how a node for real use runs.
type ServeOptions struct {
	Config    string             // path of cleat.yaml; empty: there is none
	Overrides []project.Override // settings of the command line, which come before the file's
	DataDir   string             // where everything is kept that outlives the process, unless the settings say
	Env       []string           // the process's, which functions inherit
	Access    access.Options
	// NewLog makes the log, in the form "text" or "json".
	NewLog func(format string, level slog.Leveler) *slog.Logger
	// Stdout and Stderr are what those targets of logs mean.
	Stdout, Stderr io.Writer
	// Upstream is the proxy through which functions reach other hosts, as in listen.ProxyOptions; nil: directly.
	Upstream func(*url.URL) (*url.URL, error)
	// Sockets are listeners that were opened for this process already, by the name of the listener, "public" or "admin":
	// they take the place of its addresses. Nil is none.
	Sockets map[string][]net.Listener
	Version string // for the metrics
	// Reload asks for the settings to be read again, once for each value. It is never closed; nil: nobody asks.
	Reload <-chan struct{}
	// Poll is how often the files of the settings are looked at for changes. Zero: every two seconds.
	Poll time.Duration
	// Ready is called once, when the node serves what it keeps.
	Ready func(Serving)

	store *store.Store // of tests, which close it
}

// Serving is what somebody who started a node wants to know.
type Serving struct {
	Public, Admin []string // URLs, or "unix:" and a path
	Config        string
	DataDir       string
	Domain        string
	APIs, Stages  int
	Descriptors   uint64 // that the process may open; zero: unknown
	// Definitions are settings of cleat.yaml that were passed over.
	Definitions []string
}

// Parts of a stop that are left for what comes behind the drain, and for a whole stop that is late.
const (
	stopMargin = 2 * time.Second
	stopGrace  = 3 * time.Second
)

// State of a node, as readyz tells it.
const (
	stateStarting int32 = iota
	stateReady
	stateStopping
)

var stateNames = map[int32]string{stateStarting: "starting", stateReady: "ready", stateStopping: "stopping"}

// serveNode is a running "cleat serve".
type serveNode struct {
	o          ServeOptions
	log        *slog.Logger
	level      slog.LevelVar
	supervisor systemd.Supervisor
	node       *node
	keeper     certs.Keeper
	hosts      domainNames    // that lead to the node inside of its functions
	inner      *listen.Server // at which functions find it
	domain     string         // the node's own, with its port
	state      atomic.Int32
	loaded     chan struct{} // closed when the definitions were loaded once
	loadedOnce func()
	reloads    reloads

	mu       sync.Mutex // serialises loads
	settings *serveSettings
	warned   map[string]time.Time // certificates, by name: when their end was told of
}

// RunServe runs a node until ctx ends, then stops in order. It returns nil after an orderly end, cfn.Faults when the
// settings are wrong, and an error when a listener fails, when something of the node does, or when the stop takes longer than
// it may: then parts of it are still at work, and the process should end.
func RunServe(ctx context.Context, o ServeOptions) error {
	if o.Poll <= 0 {
		o.Poll = 2 * time.Second
	}
	settings, err := readServe(o)
	if err != nil {
		return err
	}
	if settings.Serve.Data == "" {
		return errors.New("there is no data directory: name one with --data, or as data in cleat.yaml")
	}
	s := &serveNode{
		o: o, settings: settings, supervisor: systemd.New(o.Env, os.Getpid()), loaded: make(chan struct{}), warned: map[string]time.Time{},
	}
	s.loadedOnce = sync.OnceFunc(func() { close(s.loaded) })
	s.setLevel(settings)
	s.log = slog.New(slog.DiscardHandler)
	if o.NewLog != nil {
		s.log = o.NewLog(cmp.Or(settings.Serve.LogFormat, "text"), &s.level)
	}
	done := make(chan error, 1)
	go func() { done <- s.run(ctx) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	late := time.NewTimer(s.stopSettings().Timeout + stopGrace)
	defer late.Stop()
	select {
	case err := <-done:
		return err
	case <-late.C:
		return fmt.Errorf("the stop took longer than %s: what was still at work is cut off", s.stopSettings().Timeout)
	}
}

func (s *serveNode) stopSettings() config.Stop {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.settings.Serve.Stop
}

func (s *serveNode) setLevel(settings *serveSettings) {
	var level slog.Level // info
	if text := settings.Serve.LogLevel; text != "" && level.UnmarshalText([]byte(text)) != nil {
		level = slog.LevelInfo // not reached: the settings were checked
	}
	s.level.Set(level)
}

// run starts the parts, lowest first:
//
//  1. the sockets, so that what is in use is found out before anything was done. Clients wait in the kernel's queue;
//  2. what the data directory keeps: the store, which one process may have open, and who may call;
//  3. the node: function workers, gateway. Where nobody could call it, its first user is made;
//  4. the accept loops, and the follower of the store. The node is ready once the definitions have been loaded.
func (s *serveNode) run(ctx context.Context) (err error) {
	s.tellSettings()
	v := &s.settings.Serve
	if err := datadir.Mark(v.Data); err != nil { // before anything is put in
		return fmt.Errorf("data directory %s: %w (name another with --data)", v.Data, err)
	}
	s.domain = v.Domain
	if s.hosts.authority, err = localca.Open(filepath.Join(v.Data, datadir.CAFolder)); err != nil {
		return fmt.Errorf("open the local certificate authority: %w", err)
	}
	s.keeper.Swap(s.settings.certs)
	if err := s.openACME(); err != nil {
		return err
	}
	if s.keeper.ACME != nil {
		defer s.keeper.ACME.Close() //nolint:contextcheck // it lets go of what it holds, whatever ctx says
	}
	sockets, err := s.openSockets(ctx)
	defer func() { err = errors.Join(err, sockets.close()) }() // those that never came to be served, and those whose server failed
	if err != nil {
		return err
	}
	o, err := s.nodeOptions(sockets)
	if err != nil {
		return err
	}
	closeData, err := openData(ctx, &o, s.o.Access)
	defer func() { err = errors.Join(err, closeData()) }()
	if err != nil {
		return errors.Join(err, closeLogs(o.logs))
	}
	if s.node, err = newNode(o); err != nil { //nolint:contextcheck // it ends in order, by stop
		return err
	}
	if err := s.registerMetrics(); err != nil {
		return err
	}
	stop := s.node.start() //nolint:contextcheck // ends by stop, after ctx
	defer func() { err = errors.Join(err, stop()) }()
	who := globalSettings(s.settings)
	if err := s.node.access.Admit(ctx, who.access(), s.o.Access.ShowFirstKey); err != nil {
		return err
	}
	return s.serve(ctx, sockets)
}

// tellSettings logs what is worth a line about the settings.
func (s *serveNode) tellSettings() {
	for _, w := range append(s.settings.Warnings, s.settings.advice()...) {
		s.log.Warn("settings", "warning", w.Error())
	}
	if d := s.settings.Definitions; len(d) > 0 {
		s.log.Info("cleat.yaml defines an API too, which is not looked at here: give it to the node with `cleat apply`", "settings", strings.Join(d, ", "))
	}
}

func (s *serveNode) openACME() error {
	a := s.settings.Serve.ACME
	if a == nil {
		return nil
	}
	var err error
	s.keeper.ACME, err = certs.NewACME(certs.ACMEOptions{
		Log: s.log, Dir: filepath.Join(s.settings.Serve.Data, datadir.ACMEFolder), Directory: a.Directory, Email: a.Email, Root: a.Root,
		Allow: s.allowed, TLS: s.settings.tlsAddress(), HTTP: a.HTTP,
	})
	return err
}

// nodeOptions sets the node up for functions that find it at the inner listener, by whatever name they use.
func (s *serveNode) nodeOptions(open *sockets) (nodeOptions, error) {
	v := &s.settings.Serve
	inner := open.inner.Addr().String()
	own := "http://" + inner
	o := nodeOptions{
		log: s.log, own: own, store: s.o.store, control: control.Options{Account: v.Account, Unlimited: true},
		dataDir: v.Data, usageDir: datadir.Within(v.Data, datadir.UsageFolder), codeDir: datadir.Within(v.Data, datadir.CodeFolder),
		addresses: addressesAt(urls("ws", v.Public.TLS, open.public)),
		lambda: lambda.Options{
			Log: s.log, Output: s.functionOutput, Region: s.settings.Region, Account: v.Account, Env: s.o.Env,
			Capture: lambda.Capture{
				Addr: inner, CAFile: s.hosts.authority.CertFile(), Proxy: own, Hosts: s.hosts.list,
				Endpoints: map[string]string{"AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI": own},
			},
		},
		gateway: gateway.Options{
			Log: s.log, Observe: func(*apigw.Record) {}, Conn: conn.Options{Limits: s.settings.limits(), Log: s.log, KeepAlive: hubKeepAlive(len(s.o.Sockets) == 0)}, Domain: s.settings.domain(),
			Integration: integration.Dependencies{Region: s.settings.Region, Account: v.Account, ConnectionHeaders: s.settings.ConnectionHeaders},
		},
	}
	if v.Domain != "" {
		o.control.Endpoint = s.endpoints(open)
		o.addresses = func(api apigw.APIID, stage string) []string { return []string{o.control.Endpoint(api) + "/" + stage} }
	}
	var err error
	o.logs, err = openLogs(s.settings.Logs, "cleat", LogTargets{Stdout: s.o.Stdout, Stderr: s.o.Stderr}, s.log)
	return o, err
}

// functionOutput writes what functions print to the log, and what Lambda's platform would print of each call for who looks
// closely: three lines a call.
func (s *serveNode) functionOutput(l lambda.Line) {
	level := slog.LevelInfo
	if l.Stream == lambda.StreamPlatform {
		level = slog.LevelDebug
	}
	if !s.log.Enabled(context.Background(), level) {
		return
	}
	s.log.Log(context.Background(), level, "function output", "line", l.Text, "function", l.Function, "time", l.Time.Format(time.RFC3339Nano))
}

// openData opens what a node that asks for signatures keeps in its data directory: its store, the sealing key and the audit
// log. It comes before newNode; what it returns is called after the node's end, and after a failure too.
func openData(ctx context.Context, o *nodeOptions, a access.Options) (closeData func() error, err error) {
	closeStore := func() error { return nil }
	if o.store == nil {
		if o.store, closeStore, err = datadir.Open(ctx, o.dataDir, o.log); err != nil {
			return func() error { return nil }, err
		}
	}
	o.access.Required = true
	if o.access.SealKey, err = access.OpenSealKey(ctx, o.store, o.dataDir, a); err != nil {
		return closeStore, err
	}
	if o.access.Audit, err = access.OpenAudit(o.dataDir, a, o.log); err != nil {
		return closeStore, err
	}
	return func() error { return errors.Join(o.access.Audit.Close(), closeStore()) }, nil
}

// part is something that runs until its context ends.
type part struct {
	name string
	run  func(context.Context) error
}

// serve runs the parts until ctx ends or one of them fails, then stops in this order:
//
//  1. the node is not ready any more, refuses handshakes, and waits for load balancers to see it, if it should;
//  2. connections are closed with 1001, so many a second that their clients do not come back all at once, $disconnect
//     events delivered, calls under way finished; requests are answered meanwhile, because functions push and clean up;
//  3. the listeners, then the follower of the store: nothing comes in any more;
//  4. the node (by run's deferred stop): function workers, what is left of the logs; then the store, when nobody is left who
//     writes to it.
func (s *serveNode) serve(ctx context.Context, open *sockets) error {
	background := context.WithoutCancel(ctx)
	serving, endServing := context.WithCancel(background)
	defer endServing()
	following, endFollowing := context.WithCancel(background)
	defer endFollowing()
	servers := s.servers(open) //nolint:contextcheck // an injected connection has its listener's context
	others := []part{
		{"following the definitions", func(ctx context.Context) error { return s.node.follow(ctx, s.load, s.failed) }},
		{"following the settings", s.followSettings},
		{"systemd's watchdog", func(ctx context.Context) error { return s.supervisor.Watch(ctx, func() { s.stopSettings() }) }},
	}
	ended := make(chan error, len(servers)+len(others))
	var serverGroup, otherGroup sync.WaitGroup
	begin := func(group *sync.WaitGroup, ctx context.Context, p part) {
		group.Go(func() {
			err := guarded(ctx, p)
			if err != nil {
				ended <- err
			}
		})
	}
	for _, p := range others {
		begin(&otherGroup, following, p)
	}
	for _, p := range servers {
		begin(&serverGroup, serving, p)
	}
	err := s.untilEnd(ctx, open, ended)
	s.shutdown(background)
	endServing()
	serverGroup.Wait()
	endFollowing()
	otherGroup.Wait()
	close(ended)
	for e := range ended {
		err = errors.Join(err, e)
	}
	return err
}

// guarded runs a part and makes an error of its panic: the rest of the node is to end in order.
func guarded(ctx context.Context, p part) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("%s: panic: %v", p.name, v)
		}
	}()
	if err := p.run(ctx); err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	return nil
}

// untilEnd tells when the node is ready, and returns when ctx ends or a part fails, with its error.
func (s *serveNode) untilEnd(ctx context.Context, open *sockets, failed <-chan error) error {
	select {
	case <-ctx.Done():
		return nil
	case err := <-failed:
		return err
	case <-s.loaded:
	}
	s.state.Store(stateReady)
	s.tell(ctx, "READY=1")
	if s.o.Ready != nil {
		s.o.Ready(s.serving(open))
	}
	select {
	case <-ctx.Done():
		return nil
	case err := <-failed:
		s.log.Error("the node ends, for a part of it has failed", "err", err)
		return err
	}
}

// tell sends a line to systemd.
func (s *serveNode) tell(ctx context.Context, lines ...string) {
	if err := s.supervisor.Notify(ctx, lines...); err != nil {
		s.log.Warn("systemd was not told", "lines", strings.Join(lines, " "), "err", err)
	}
}

// shutdown is steps 1 and 2 of serve's order.
func (s *serveNode) shutdown(ctx context.Context) {
	o := s.stopSettings()
	begun := time.Now()
	s.state.Store(stateStopping)
	s.tell(ctx, "STOPPING=1")
	open := s.node.gateway.Connections()
	s.log.Info("stopping", "connections", open, "timeout", o.Timeout.String())
	if o.Delay > 0 {
		time.Sleep(o.Delay)
	}
	left := o.Timeout - time.Since(begun) - min(stopMargin, o.Timeout/4)
	rate := o.CloseRate
	if rate == 0 {
		rate = int(float64(s.node.gateway.Connections()) / max(left.Seconds()/2, 1))
		rate = max(rate, leastCloseRate)
	}
	s.node.gateway.SetCloseRate(rate)
	ctx, cancel := context.WithTimeout(ctx, max(left, 0))
	defer cancel()
	if err := s.node.gateway.Shutdown(ctx); err != nil {
		stats := s.node.gateway.Stats()
		s.log.Error("the stop was cut off at its deadline: connections or their $disconnect events, or calls under way, were not finished",
			"err", err, "open", stats.Open, "closing", stats.Closing, "pending", stats.Pending)
		return
	}
	s.log.Info("every connection has ended", "took", time.Since(begun).Round(time.Millisecond).String())
}

// leastCloseRate is how many connections are closed in a second at least: so few that come back at once trouble nobody.
const leastCloseRate = 500

// serving is what to tell who started the node.
func (s *serveNode) serving(open *sockets) Serving {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := &s.settings.Serve
	apis := map[apigw.APIID]bool{}
	for i := range s.node.published {
		apis[s.node.published[i].API.APIID] = true
	}
	return Serving{
		Public: urls("ws", v.Public.TLS, open.public), Admin: urls("http", v.Admin.TLS, open.admin), Config: s.o.Config, DataDir: v.Data,
		Domain: v.Domain, APIs: len(apis), Stages: len(s.node.published), Descriptors: descriptors(), Definitions: s.settings.Definitions,
	}
}

// load gives the node what the store holds.
func (s *serveNode) load(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.loadLocked(ctx, s.settings)
}

func (s *serveNode) loadLocked(ctx context.Context, settings *serveSettings) error {
	if err := s.node.load(ctx, globalSettings(settings), logSettings{Logs: settings.Logs}); err != nil {
		return err
	}
	s.hosts.put(s.names())
	if s.keeper.ACME != nil && settings.Serve.ACME != nil {
		if err := s.keeper.ACME.Keep(s.certified(settings)); err != nil {
			return fmt.Errorf("get certificates: %w", err)
		}
	}
	s.loadedOnce()
	return nil
}

func globalSettings(s *serveSettings) settings { return settings{Node: s.Node, Region: s.Region} }

func (s *serveNode) failed(err error) { s.log.Error("definitions", "err", err) }
