package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"sync"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/awsapi"
	"cleat/internal/cfn"
	"cleat/internal/conn"
	"cleat/internal/control"
	"cleat/internal/control/stacks"
	"cleat/internal/controlapi"
	"cleat/internal/gateway"
	"cleat/internal/integration"
	"cleat/internal/lambda"
	"cleat/internal/listen"
	"cleat/internal/localca"
	"cleat/internal/meter/report"
	"cleat/internal/project"
	"cleat/internal/watch"
)

// DevOptions say what "cleat dev" runs and how.
type DevOptions struct {
	Dir     string          // the project's folder, or its file
	Host    string          // address to listen on; empty means 127.0.0.1
	Port    int             // 0 takes a free one
	Project project.Options // how the project's variables are resolved
	// Profile names the limits, "aws" or "open"; empty means the project's own, else "aws". The project's overrides of
	// single limits hold in any case.
	Profile  string
	DynamoDB string   // endpoint URL of DynamoDB, where tables are made; empty: that of the project's cleat.yaml, if any
	StateDir string   // where the local authority is kept between runs
	Env      []string // the environment that functions inherit, "K=V"
	// Upstream is the proxy through which other hosts are reached, as in listen.ProxyOptions; nil: directly.
	Upstream func(*url.URL) (*url.URL, error)
	// AllowHosts and AllowOrigins are names by which Cleat may be addressed, and origins of pages that may use the
	// management API, beyond this machine's own (listen.Guard).
	AllowHosts, AllowOrigins []string
	Log                      *slog.Logger
	Report                   Reporter
	Logs                     LogTargets
}

// Reporter is told what goes on, to show it to whoever started Cleat. Its methods are called from many goroutines at
// once and must not block for long.
type Reporter interface {
	// Started is called once, when connections are accepted.
	Started(Started)
	// Reloaded is called after a change on disk took effect.
	Reloaded(Reloaded)
	// Faults is called when a change on disk could not be applied: the definitions from before stay.
	Faults(error)
	// Warn is called for what is not wrong but worth a line.
	Warn(cfn.Fault)
	// Event is called once for every event, when it is over. The record is used again: apigw.Record.Clone is for keeping.
	Event(*apigw.Record)
	// Line is called for every line that a function writes.
	Line(lambda.Line)
	// Stopping is called when the end has begun, with the number of connections that are being closed.
	Stopping(connections int)
	// Used is called at the end, once all connections are closed, with what the run would have cost on AWS.
	Used(report.Usage)
}

// Started is what a user needs to know to begin.
type Started struct {
	Project *project.Project
	Outcome stacks.Outcome
	Addr    string // "localhost:3001"
	Open    bool   // other machines can reach it
	Took    time.Duration
	Tables  []TableStatus
}

// Reloaded says what a change on disk came to.
type Reloaded struct {
	Files   []string // relative to the project's folder
	Outcome stacks.Outcome
	Took    time.Duration
	// Definitions tells whether the project was read again, rather than only the functions' code.
	Definitions bool
	// Moved tells that the project has other addresses, routes or API keys than before; Addr and Region say where it is now.
	Moved        bool
	Addr, Region string
}

// Bounds of the parts of a stop, in the order of Dev.shutdown.
const (
	drainTime  = 10 * time.Second
	closeTime  = time.Second // for a client to answer the close frame: nobody at a terminal waits for a sleeping tab
	listenTime = 2 * time.Second
)

// dev is a running "cleat dev".
type dev struct {
	o        DevOptions
	node     *node
	listener *listen.Server
	addr     string // host:port as users write it
	keySeed  string // of which API keys without a value get theirs
	started  time.Time
	domains  domainNames

	mu      sync.Mutex // serialises reloads
	project *project.Project
	apis    []stacks.APISummary    // as last told
	keys    []stacks.APIKeySummary // as last told
}

// RunDev runs a project until ctx ends, then stops in order: connections are closed with 1001, their $disconnect
// events delivered, the functions ended. It returns nil after an orderly end, cfn.Faults when the project cannot be
// run, another error when something of ours failed.
func RunDev(ctx context.Context, o DevOptions) error {
	d := &dev{o: o, started: time.Now()}
	if d.o.Host == "" {
		d.o.Host = "127.0.0.1"
	}
	p, _, err := load(ctx, o.Dir, o.Project)
	if err != nil {
		d.warn(p.Warnings)
		return err
	}
	d.project = p
	return d.run(ctx)
}

// run starts the parts, lowest first:
//
//  1. the local authority and the listening socket, so that functions can be told where Cleat is;
//  2. the node: function workers, gateway, store;
//  3. the definitions and tables of the project, so that the first request finds them;
//  4. the listener's accept loop, and the watcher of the project's folder.
func (d *dev) run(ctx context.Context) (err error) {
	authority, err := d.openAuthority()
	if err != nil {
		return err
	}
	if d.keySeed, err = authority.Secret("API keys"); err != nil {
		return err
	}
	d.domains.authority = authority

	ln, err := listen.Open(ctx, net.JoinHostPort(d.o.Host, strconv.Itoa(d.o.Port)), 0)
	if err != nil {
		return fmt.Errorf("listen: %w (choose another port with --port)", err)
	}
	defer func() { err = errors.Join(err, ignoreClosed(ln.Close())) }()
	d.addr = userAddr(ln.Addr())
	limits := d.project.Limits.Apply(d.o.Profile)
	o := d.nodeOptions(loopbackAddr(ln.Addr()), authority.CertFile(), limits)
	if o.logs, err = openLogs(d.logs(d.project).Logs, d.project.Name, d.o.Logs, d.o.Log); err != nil {
		return err
	}
	if d.node, err = newNode(o); err != nil { //nolint:contextcheck // the node outlives ctx: it ends in order, by stop
		return err
	}
	stop := d.node.start() //nolint:contextcheck // ends by stop, after ctx
	defer func() { err = errors.Join(err, stop()) }()

	outcome, err := d.apply(ctx, d.project)
	if err != nil {
		return err
	}
	d.apis, d.keys = outcome.APIs, outcome.APIKeys
	d.hintLogs(d.node.published)
	started := Started{Project: d.project, Outcome: outcome, Addr: d.addr, Open: !isLoopback(ln.Addr())}
	started.Tables = d.makeTables(ctx, outcome.Tables)
	d.listener = listen.New(ln, listen.Options{
		//nolint:contextcheck // an injected connection has the listener's context
		Log: d.o.Log, Handler: d.handler(), Plain: true, HandshakeTimeout: limits.HandshakeTimeout,
		TLS: func(c net.Conn) net.Conn { return conn.ServerTLS(c, authority.TLSConfig()) },
	})
	return d.serve(ctx, started)
}

// serve answers until ctx ends or the listener fails, then shuts down.
func (d *dev) serve(ctx context.Context, started Started) error {
	serveCtx, stopServing := context.WithCancel(context.WithoutCancel(ctx))
	serving := make(chan error, 1)
	go func() { serving <- d.listener.Run(serveCtx) }()
	watchCtx, stopWatching := context.WithCancel(ctx)
	var watching sync.WaitGroup
	watched := make(chan struct{})
	watching.Go(func() { d.watch(watchCtx, sync.OnceFunc(func() { close(watched) })) })
	<-watched // so that a file saved from now on is seen
	watching.Go(func() {
		if err := d.node.follow(watchCtx, d.reload, d.o.Report.Faults); err != nil {
			d.o.Log.Error("changes by the control plane are not followed any more", "err", err)
		}
	})
	started.Took = time.Since(d.started)
	d.o.Report.Started(started)

	var failed error
	select {
	case <-ctx.Done():
	case failed = <-serving:
		serving <- nil
	}
	stopWatching()
	watching.Wait()
	return errors.Join(failed, d.shutdown(context.WithoutCancel(ctx), stopServing, serving))
}

func (d *dev) openAuthority() (*localca.Authority, error) {
	authority, err := localca.Open(filepath.Join(d.o.StateDir, "ca"))
	if err != nil {
		return nil, fmt.Errorf("open the local certificate authority: %w", err)
	}
	if why := authority.Replaced(); why != "" {
		d.o.Log.Warn("the local certificate authority was made anew", "why", why)
	}
	return authority, nil
}

// nodeOptions sets the node up for functions that find it at addr, whose TLS they trust by caFile.
func (d *dev) nodeOptions(addr, caFile string, limits apigw.Limits) nodeOptions {
	return nodeOptions{
		log: d.o.Log, own: "http://" + addr, dynamoDB: d.o.DynamoDB, lambdaURL: "http://" + addr,
		control: control.Options{Unlimited: unlimited(d.project.Limits, d.o.Profile)},
		lambda: lambda.Options{
			Log: d.o.Log, Output: d.o.Report.Line, Region: d.project.Region, Account: awsapi.DefaultAccount,
			Env: d.o.Env, ExtraEnv: d.extraEnv(),
			Capture: lambda.Capture{
				Addr: addr, CAFile: caFile, Proxy: "http://" + addr, Hosts: d.domains.list,
				Endpoints: map[string]string{"AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI": "http://" + addr + "/" + d.project.Stage},
			},
		},
		gateway: gateway.Options{
			Log: d.o.Log, Observe: d.observe, ObserveWaits: true,
			Conn:        conn.Options{Limits: limits, Log: d.o.Log, KeepAlive: hubKeepAlive(true)},
			Integration: integration.Dependencies{Region: d.project.Region, Account: awsapi.DefaultAccount, ConnectionHeaders: d.project.ConnectionHeaders},
		},
	}
}

// shutdown ends what run began, in this order:
//
//  1. connections are closed and their $disconnect events delivered, while the listener still answers, because
//     functions push and clean up during that;
//  2. the listener: nothing comes in any more;
//  3. the node (by run's deferred stop): function workers end last, when nobody can call them.
func (d *dev) shutdown(ctx context.Context, stopServing context.CancelFunc, serving <-chan error) error {
	d.o.Report.Stopping(d.node.gateway.Connections())
	drain, cancel := context.WithTimeout(ctx, drainTime)
	defer cancel()
	limits := d.project.Limits.Apply(d.o.Profile)
	limits.CloseTimeout = min(limits.CloseTimeout, closeTime)
	err := d.node.gateway.SetLimits(limits)
	if err = errors.Join(err, d.node.gateway.Shutdown(drain)); err != nil {
		d.o.Log.Warn("not every connection ended in order before the deadline", "err", err)
	}
	d.o.Report.Used(d.node.usage())
	stopServing()
	select {
	case err := <-serving:
		return err
	case <-time.After(listenTime):
		d.o.Log.Warn("requests were still being answered when Cleat stopped")
		return nil
	}
}

// apply gives the node the project's definitions. Those of the project's former name, which is where its identifiers
// come from, are taken away.
func (d *dev) apply(ctx context.Context, p *project.Project) (stacks.Outcome, error) {
	stack := stackOf(p)
	stack.KeySeed = d.keySeed
	if d.project.Name != p.Name {
		stack.Former = d.project.Name
	}
	outcome, err := d.node.stacks.Apply(ctx, stack)
	if err != nil {
		return outcome, err
	}
	d.domains.set(outcome)
	if err := d.node.load(ctx, settingsOf(p), d.logs(p)); err != nil {
		return outcome, err
	}
	missingLinks(p, &outcome)
	d.warn(p.Warnings)
	d.warn(outcome.Warnings)
	return outcome, nil
}

// reload gives the node what the store holds, after somebody else than the project changed it.
func (d *dev) reload(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.node.load(ctx, settingsOf(d.project), d.logs(d.project))
}

func settingsOf(p *project.Project) settings {
	return settings{Node: p.Node, Region: p.Region, Environment: p.Environment}
}

func (d *dev) warn(warnings []cfn.Fault) {
	for _, w := range warnings {
		d.o.Report.Warn(w)
	}
}

// watch follows the project's folder, and files elsewhere that the project was read from, until ctx ends. It calls
// ready once it does, or cannot: a project that cannot be watched runs all the same, without reloading.
func (d *dev) watch(ctx context.Context, ready func()) {
	defer ready()
	if err := watch.Folder(ctx, d.project.Dir, watch.Options{Files: d.project.Files, Folders: d.project.Folders, Own: d.ownFiles(), Ready: ready}, d.changed); err != nil {
		d.o.Report.Warn(cfn.Fault{Message: fmt.Sprintf("changes are not followed any more, restart to see them: %v", err)})
	}
}

// changed is called by the watcher with what changed on disk. A change of a file that the project was read from
// reloads the definitions; any change renews the workers whose code it may be. Connections stay open through both.
func (d *dev) changed(files []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	start := time.Now()
	r := Reloaded{Files: relative(d.project.Dir, files)}
	if touches(files, d.project.Files) {
		p, _, err := load(context.Background(), d.o.Dir, d.o.Project)
		if err == nil {
			r.Outcome, err = d.apply(context.Background(), p)
		}
		if err != nil {
			d.o.Report.Faults(err)
			return
		}
		if err := d.node.gateway.SetLimits(p.Limits.Apply(d.o.Profile)); err != nil {
			d.o.Report.Faults(err)
			return
		}
		if was, is := d.logs(d.project), d.logs(p); was.Access != is.Access || was.Execution != is.Execution {
			d.warn([]cfn.Fault{{Message: "logs: where they go changes with the next start"}})
		}
		d.project, r.Definitions = p, true
		r.Moved, r.Addr, r.Region = !reflect.DeepEqual(d.apis, r.Outcome.APIs) || !slices.Equal(d.keys, r.Outcome.APIKeys), d.addr, p.Region
		d.apis, d.keys = r.Outcome.APIs, r.Outcome.APIKeys
		d.makeTables(context.Background(), r.Outcome.Tables)
	}
	d.node.functions.Refresh(files)
	r.Took = time.Since(start)
	d.o.Report.Reloaded(r)
}

func (d *dev) observe(r *apigw.Record) {
	d.o.Report.Event(r)
}

// extraEnv is what functions find in their environment on top of what they inherit.
func (d *dev) extraEnv() map[string]string {
	env := map[string]string{}
	if d.o.DynamoDB != "" {
		env["AWS_ENDPOINT_URL_DYNAMODB"] = d.o.DynamoDB
		env["DYNAMODB_ENDPOINT"] = d.o.DynamoDB
	}
	return env
}

// handler is everything that the one port answers. The guard stands before all of it but CONNECT, which names the host
// that somebody wants to reach and is refused to peers from elsewhere.
func (d *dev) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /_cleat/healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	mux.HandleFunc("GET /_cleat/events", d.node.serveEvents)
	mux.HandleFunc("GET /_cleat/usage", d.node.serveUsage)
	aws := d.node.controlPlane(controlapi.Options{Region: d.project.Region}, d.reload)
	mux.Handle("/_cleat/stacks", aws) // these need no signature here, which is what tells other services' requests
	mux.Handle("/_cleat/stacks/", aws)
	mux.Handle("/_cleat/code/", aws)
	data := d.node.withMetrics(d.node.gateway)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if aws.Wants(r) {
			aws.ServeHTTP(w, r)
			return
		}
		data.ServeHTTP(w, r)
	})
	guard := listen.Guard{Hosts: d.o.AllowHosts, Origins: d.o.AllowOrigins, Directory: d.node.gateway.Directory}
	proxy := listen.NewProxy(listen.ProxyOptions{
		Log: d.o.Log, Upstream: d.o.Upstream, Inject: func(c net.Conn) { d.listener.Inject(c) }, Local: d.local,
	})
	return proxy.Wrap(guard.Wrap(mux))
}
