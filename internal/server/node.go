package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

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
}

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

// load makes the node serve what the store holds now. Functions come before routes, so that no route leads nowhere.
func (n *node) load(ctx context.Context, remote []project.RemoteFunction, functions []apigw.Function) error {
	rules := make([]backend.Rule, 0, len(remote))
	for _, r := range remote {
		invoker, err := backend.NewRemoteLambda(ctx, backend.RemoteLambdaOptions{
			Endpoint: r.Endpoint, Region: r.Region, Credentials: backend.StaticCredentials(r.AccessKeyID, r.SecretAccessKey, r.SessionToken),
		})
		if err != nil {
			return fmt.Errorf("%s: remote functions %q: %w", r.Place, r.Pattern, err)
		}
		rules = append(rules, backend.Rule{Pattern: r.Pattern, Invoker: invoker})
	}
	n.functions.Swap(functions)
	n.invoker.Swap(rules)
	published, err := n.store.Published(ctx)
	if err != nil {
		return fmt.Errorf("read the definitions: %w", err)
	}
	return n.gateway.Swap(published)
}
