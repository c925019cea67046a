package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"cleat/internal/access"
	"cleat/internal/apigw"
	"cleat/internal/authorizer"
	"cleat/internal/awsapi"
	"cleat/internal/backend"
	"cleat/internal/codestore"
	"cleat/internal/config"
	"cleat/internal/control"
	"cleat/internal/control/stacks"
	"cleat/internal/eventlog"
	"cleat/internal/eventstream"
	"cleat/internal/gateway"
	"cleat/internal/lambda"
	"cleat/internal/listen"
	"cleat/internal/meter"
	"cleat/internal/metrics"
	"cleat/internal/store"
	"cleat/internal/store/memory"
	"cleat/internal/usageplan"
)

// node is what every kind of Cleat process runs: definitions, function workers and the data plane between them.
type node struct {
	log       *slog.Logger
	store     *store.Store
	control   *control.Control
	stacks    *stacks.Stacks
	code      *codestore.Store
	functions *lambda.Pool
	invoker   *backend.Functions
	services  *backend.Services
	links     *backend.Links
	gateway   *gateway.Gateway
	plans     *usageplan.Index
	keeper    *usageplan.Keeper // nil: what keys use is forgotten with the process
	logs      *eventlog.Log
	metrics   *metrics.Metrics
	meter     *meter.Meter
	registry  *prometheus.Registry
	events    *eventstream.Stream
	billing   atomic.Pointer[billing]                      // never nil
	dataDir   string                                       // what backups have files of; empty: no files
	own       string                                       // URL at which this node is reached from itself
	addresses func(api apigw.APIID, stage string) []string // where clients find a stage
	dynamoDB  string                                       // URL of a DynamoDB that the command line names; empty: none
	lambdaURL string                                       // URL of Lambda's API that functions are told; empty: AWS's own

	access      *access.Gate // who may call
	functionEnv []string     // that functions inherit

	configuredLinks atomic.Pointer[[]config.VPCLink] // those of the last load
	effect          effect                           // what of the store is served

	published []store.Published // what the last load gave
	// Those below are used by load only.
	domains []string // custom domain names, what the last load gave
	view    *store.View
	served  servedStages
	loaded  *loadedFunctions   // what the last load gave; nil before the first
	current []apigw.Function   // the same
	retired map[string]retired // what earlier loads took away, by qualified name
}

// hubKeepAlive is what a hub is told of keep-alive: nothing needs to be done where all connections come with it. On those
// of a listener that somebody else opened, package net sets its own.
func hubKeepAlive(opened bool) time.Duration {
	if listen.KeepAliveInherited && opened {
		return -1
	}
	return 0
}

type nodeOptions struct {
	log      *slog.Logger
	store    *store.Store // nil: one in memory
	lambda   lambda.Options
	gateway  gateway.Options
	logs     eventlog.Options
	control  control.Options
	access   access.GateOptions // newNode adds what the node itself knows
	dataDir  string             // what backups have files of; empty: no files
	codeDir  string             // where uploaded code is kept; empty: as long as the node runs
	usageDir string             // where the usage of API keys is kept; empty: nowhere
	// own, dynamoDB and lambdaURL are as in node.
	own, dynamoDB, lambdaURL string
	addresses                func(api apigw.APIID, stage string) []string // as in node; nil: below own
}

// settings are what a node runs with that are no definitions: where functions run that do not run here, what their
// environment is laid over, who may sign, where AWS services and private backends are.
type settings struct {
	config.Node
	Region string
	// Environment are variables that every function gets beneath its own.
	Environment map[string]string
}

// access are those of them that say who may call.
func (p *settings) access() access.Settings {
	return access.Settings{Region: p.Region, Users: p.Users}
}

func newNode(o nodeOptions) (*node, error) {
	n := &node{
		log: o.log, store: o.store, events: eventstream.New(), logs: eventlog.New(o.logs), meter: meter.New(), own: o.own, dynamoDB: o.dynamoDB, lambdaURL: o.lambdaURL, dataDir: o.dataDir,
		functionEnv: o.lambda.Env, plans: &usageplan.Index{},
	}
	if n.addresses = o.addresses; n.addresses == nil {
		n.addresses = addressesAt([]string{"ws" + strings.TrimPrefix(o.own, "http")})
	}
	n.billing.Store(&billing{region: o.lambda.Region})
	var err error
	if o.usageDir != "" {
		if n.keeper, err = usageplan.NewKeeper(o.usageDir, n.plans, o.log); err != nil {
			return nil, err
		}
	}
	o.gateway.UsagePlans = n.plans
	if n.store == nil {
		n.store = store.New(memory.New())
	}
	n.control, n.view = control.New(n.store, o.control), n.store.NewView()
	n.stacks = stacks.New(n.store, stacks.Options{Unlimited: o.control.Unlimited})
	o.access.Log, o.access.Region, o.access.Account = o.log, o.lambda.Region, o.lambda.Account
	o.access.FunctionEnv = o.lambda.Env
	o.access.Apply = func(iam *authorizer.IAM, functions awsapi.Credentials) {
		n.gateway.SetIAM(iam)
		n.functions.SetCredentials(functions)
	}
	n.access = access.New(n.store, o.access)
	ended, end := context.WithCancel(context.Background())
	end() // what runs with it only lets go of what it holds
	if n.functions, err = lambda.New(o.lambda); err != nil {
		return nil, errors.Join(fmt.Errorf("set up local functions: %w", err), n.logs.Run(ended))
	}
	if o.codeDir == "" {
		o.codeDir = filepath.Join(n.functions.Dir(), "code")
	}
	if n.code, err = codestore.Open(o.codeDir, codestore.Options{}); err != nil {
		return nil, errors.Join(err, n.functions.Run(ended), n.logs.Run(ended))
	}
	n.invoker = backend.NewFunctions(n.functions)
	o.gateway.Integration.Functions = n.invoker
	bounds := backend.HTTPOptions{MaxBody: o.gateway.Conn.Limits.MessageSize + 1<<10}
	n.links, n.services = backend.NewLinks(backend.NewHTTP(bounds), bounds), backend.NewServices(backend.HTTPOptions{})
	o.gateway.Integration.HTTP, o.gateway.Integration.Services = n.links, n.services
	observe := o.gateway.Observe
	o.gateway.Observe = func(rec *apigw.Record) {
		n.logs.Observe(rec)
		n.metrics.Observe(rec)
		n.meter.Observe(rec)
		n.events.Send(rec)
		observe(rec)
	}
	if err = n.newGateway(o.gateway); err != nil {
		return nil, errors.Join(fmt.Errorf("set up the gateway: %w", err), n.functions.Run(ended), n.logs.Run(ended))
	}
	return n, nil
}

// newGateway makes the data plane, and the metrics that show it.
func (n *node) newGateway(o gateway.Options) error {
	var err error
	if n.gateway, err = gateway.New(o); err != nil {
		return err
	}
	n.registry = prometheus.NewRegistry()
	n.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	n.registry.MustRegister(n.access.Collectors()...)
	n.gateway.SetIAM(n.access.Closed())
	n.metrics, err = metrics.New(n.registry, metrics.Options{Connections: n.gateway.Stats, Dropped: n.logs.Dropped, Excess: n.gateway.Excess})
	return err
}

// start runs the node's parts; the function that it returns ends them, gateway first, and waits for them.
func (n *node) start() (stop func() error) {
	gatewayCtx, stopGateway := context.WithCancel(context.Background())
	functionsCtx, stopFunctions := context.WithCancel(context.Background())
	logsCtx, stopLogs := context.WithCancel(context.Background())
	gatewayDone, functionsDone, logsDone := make(chan error, 1), make(chan error, 1), make(chan error, 1)
	swept := make(chan struct{})
	go func() { gatewayDone <- n.gateway.Run(gatewayCtx) }()
	go func() { functionsDone <- n.functions.Run(functionsCtx) }()
	go func() { defer close(swept); n.sweepCode(functionsCtx) }()
	go func() { logsDone <- n.logs.Run(logsCtx) }()
	stopKeeper := n.startKeeper()
	return func() error {
		stopGateway()
		err := <-gatewayDone
		err = errors.Join(err, stopKeeper()) // nothing counts any more
		n.links.Close()
		n.services.Close()
		stopFunctions()
		<-swept
		err = errors.Join(err, <-functionsDone)
		stopLogs() // last, for the others have something to tell until they end
		return errors.Join(err, <-logsDone)
	}
}

// startKeeper keeps what API keys use; the function that it returns keeps it for the last time.
func (n *node) startKeeper() (stop func() error) {
	if n.keeper == nil {
		return func() error { return nil }
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- n.keeper.Run(ctx) }()
	return func() error {
		cancel()
		return <-done
	}
}

// load makes the node serve what the store holds now, with the given settings. Functions
// come before routes, so that no route leads nowhere, and leave a while after them. It must not be called concurrently.
func (n *node) load(ctx context.Context, p settings, logs logSettings) error {
	rules := make([]backend.Rule, 0, len(p.Remote))
	for _, r := range p.Remote {
		invoker, err := backend.NewRemoteLambda(ctx, remoteOptions(r))
		if err != nil {
			return fmt.Errorf("%s: remote functions %q: %w", r.Place, r.Pattern, err)
		}
		rules = append(rules, backend.Rule{Pattern: r.Pattern, Invoker: invoker})
	}
	serving, err := n.view.Serving(ctx)
	if err != nil {
		return fmt.Errorf("read the definitions: %w", err)
	}
	functions, aliases, err := n.functionsOf(ctx, &serving, p)
	if err != nil {
		return fmt.Errorf("read the functions: %w", err)
	}
	// Most changes are of what is not deployed yet, and change nothing that is served.
	moved := n.served.revision == 0 || n.served.revision != serving.Served
	if moved || n.served.logs != logs {
		if err := n.observeStages(serving.Stages, logs); err != nil {
			return err
		}
	}
	n.billing.Store(&billing{p.Region, p.Prices})
	n.domains = nil
	for i := range serving.Domains {
		n.domains = append(n.domains, serving.Domains[i].DomainName)
	}
	if err := n.access.Load(ctx, p.access()); err != nil { // before the routes that ask for them
		return err
	}
	if err := n.loadServices(p); err != nil {
		return err
	}
	if err := n.loadLinks(ctx, p); err != nil {
		return err
	}
	n.functions.Swap(n.withRetired(functions, time.Now()), aliases)
	n.invoker.Swap(rules)
	if moved {
		if err := n.gateway.Swap(serving); err != nil {
			return err
		}
	}
	n.served.revision, n.served.logs = serving.Served, logs
	n.effect.reach(serving.Revision)
	return nil
}

// servedStages are what the last load put into effect.
type servedStages struct {
	revision store.Revision // store.Serving's Served; zero: nothing was
	logs     logSettings
	stages   []apigw.ServedStage
}

// observeStages tells the logs, the metrics and the meter of the stages that are served from now on.
func (n *node) observeStages(published []store.Published, logs logSettings) error {
	before := n.served.stages
	stages := make([]apigw.ServedStage, len(published))
	for i := range published {
		p := &published[i]
		for len(before) > 0 && precedes(&before[0], p) {
			before = before[1:]
		}
		var err error
		if stages[i], err = servedStage(p, before); err != nil {
			return fmt.Errorf("read the definitions: %w", err)
		}
	}
	err := n.logs.Swap(stages, eventlog.Overrides{AccessFormat: logs.AccessFormat, ExecutionLevel: logs.ExecutionLevel, DefaultLevel: logs.defaultLevel, DataTrace: logs.DataTrace})
	if err != nil {
		return err
	}
	n.metrics.Swap(stages)
	n.meter.Swap(stages)
	n.published, n.served.stages = published, stages
	return nil
}

// precedes tells whether a stage comes before another one in the order that both have (store.Serving).
func precedes(s *apigw.ServedStage, p *store.Published) bool {
	return cmp.Or(cmp.Compare(s.APIID, p.API.APIID), cmp.Compare(s.Stage.StageName, p.Stage.StageName)) < 0
}

// servedStage is a stage for those who observe it: the first of those from before, where that is the stage and nothing has
// changed.
func servedStage(p *store.Published, before []apigw.ServedStage) (apigw.ServedStage, error) {
	s := apigw.ServedStage{APIID: p.API.APIID, Stage: p.Stage, Revision: uint64(p.Revision)}
	if len(before) > 0 && before[0].Key() == s.Key() && before[0].Revision == s.Revision {
		return before[0], nil
	}
	def, err := p.Frozen.Definition()
	if err != nil {
		return s, err
	}
	s.RouteKeys = make([]string, len(def.Routes))
	for i := range def.Routes {
		s.RouteKeys[i] = def.Routes[i].RouteKey
	}
	return s, nil
}

// remoteOptions says how a remote function is called. AWS gets the keys of the project, or else the user's own; a
// stand-in on another host gets the keys of the project or dummy ones, so that no credentials leave for a place that
// needs none, and none have to be there.
func remoteOptions(r config.RemoteFunction) backend.RemoteLambdaOptions {
	id, secret := r.AccessKeyID, r.SecretAccessKey
	if u, err := url.Parse(r.Endpoint); id == "" && err == nil && !backend.IsAWSHost(u.Hostname()) {
		id, secret = "local", "local"
	}
	return backend.RemoteLambdaOptions{
		Endpoint: r.Endpoint, Region: r.Region, Credentials: backend.StaticCredentials(id, secret, r.SessionToken),
	}
}
