package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/backend"
	"cleat/internal/control"
	"cleat/internal/gateway"
	"cleat/internal/lambda"
	"cleat/internal/project"
	"cleat/internal/store"
	"cleat/internal/store/memory"
)

// node is what every kind of Cleat process runs: definitions, function workers and the data plane between them.
type node struct {
	log       *slog.Logger
	store     *store.Store
	control   *control.Control
	functions *lambda.Pool
	invoker   *backend.Functions
	gateway   *gateway.Gateway

	current []apigw.Function // what the last load gave; used by load only
	retired []retired        // what earlier loads took away; used by load only
}

// retired is a function that left the definitions. It can still be called for a while: connections that leave with it
// are owed their $disconnect.
type retired struct {
	function apigw.Function
	at       time.Time
}

const retirement = 30 * time.Second // a little more than an integration's time-out

type nodeOptions struct {
	log     *slog.Logger
	lambda  lambda.Options
	gateway gateway.Options
}

func newNode(o nodeOptions) (*node, error) {
	n := &node{log: o.log, store: store.New(memory.New())}
	n.control = control.New(n.store)
	var err error
	if n.functions, err = lambda.New(o.lambda); err != nil {
		return nil, fmt.Errorf("set up local functions: %w", err)
	}
	n.invoker = backend.NewFunctions(n.functions)
	o.gateway.Integration.Functions = n.invoker
	o.gateway.Integration.HTTP = backend.NewHTTP(backend.HTTPOptions{MaxBody: o.gateway.Conn.Limits.MessageSize + 1<<10})
	if n.gateway, err = gateway.New(o.gateway); err != nil {
		ended, end := context.WithCancel(context.Background())
		end()
		return nil, errors.Join(fmt.Errorf("set up the gateway: %w", err), n.functions.Run(ended)) // lets go of what it holds
	}
	return n, nil
}

// start runs the node's parts; the function that it returns ends them, gateway first, and waits for them.
func (n *node) start() (stop func() error) {
	gatewayCtx, stopGateway := context.WithCancel(context.Background())
	functionsCtx, stopFunctions := context.WithCancel(context.Background())
	gatewayDone, functionsDone := make(chan error, 1), make(chan error, 1)
	go func() { gatewayDone <- n.gateway.Run(gatewayCtx) }()
	go func() { functionsDone <- n.functions.Run(functionsCtx) }()
	return func() error {
		stopGateway()
		err := <-gatewayDone
		stopFunctions()
		return errors.Join(err, <-functionsDone)
	}
}

// load makes the node serve what the store holds now, with the settings of p that are no definitions: where functions
// run that do not run here, and what their environment is laid over. Functions come before routes, so that no route leads nowhere, and
// leave a while after them. It must not be called concurrently.
func (n *node) load(ctx context.Context, p *project.Project) error {
	rules := make([]backend.Rule, 0, len(p.Remote))
	for _, r := range p.Remote {
		invoker, err := backend.NewRemoteLambda(ctx, remoteOptions(r))
		if err != nil {
			return fmt.Errorf("%s: remote functions %q: %w", r.Place, r.Pattern, err)
		}
		rules = append(rules, backend.Rule{Pattern: r.Pattern, Invoker: invoker})
	}
	functions, err := n.store.Functions(ctx)
	if err != nil {
		return fmt.Errorf("read the functions: %w", err)
	}
	for i := range functions {
		functions[i].Environment = withDefaults(functions[i].Environment, p.Environment)
	}
	published, err := n.store.Published(ctx)
	if err != nil {
		return fmt.Errorf("read the definitions: %w", err)
	}
	n.functions.Swap(n.withRetired(functions, time.Now()))
	n.invoker.Swap(rules)
	return n.gateway.Swap(published)
}

// withRetired adds to the functions of now those that left not long ago.
func (n *node) withRetired(now []apigw.Function, at time.Time) []apigw.Function {
	has := func(fs []apigw.Function, name string) bool {
		return slices.ContainsFunc(fs, func(f apigw.Function) bool { return f.Name == name })
	}
	for _, f := range n.current {
		n.retired = append(n.retired, retired{f, at})
	}
	n.retired = slices.DeleteFunc(n.retired, func(r retired) bool {
		return has(now, r.function.Name) || at.Sub(r.at) > retirement
	})
	n.current = now
	all := slices.Clone(now)
	for _, r := range n.retired {
		if !has(all, r.function.Name) {
			all = append(all, r.function)
		}
	}
	return all
}

// remoteOptions says how a remote function is called. AWS gets the keys of the project, or else the user's own; a
// stand-in on another host gets the keys of the project or dummy ones, so that no credentials leave for a place that
// needs none, and none have to be there.
func remoteOptions(r project.RemoteFunction) backend.RemoteLambdaOptions {
	id, secret := r.AccessKeyID, r.SecretAccessKey
	if u, err := url.Parse(r.Endpoint); id == "" && err == nil && !isAWS(u.Hostname()) {
		id, secret = "local", "local"
	}
	return backend.RemoteLambdaOptions{
		Endpoint: r.Endpoint, Region: r.Region, Credentials: backend.StaticCredentials(id, secret, r.SessionToken),
	}
}

func isAWS(host string) bool {
	return strings.HasSuffix(host, ".amazonaws.com") || strings.HasSuffix(host, ".amazonaws.com.cn")
}
