package server

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"

	"cleat/internal/apigw"
	"cleat/internal/config"
	"cleat/internal/controlapi"
	"cleat/internal/gateway"
	"cleat/internal/integration"
	"cleat/internal/lambda"
	"cleat/internal/store"
)

// Effect is effect, for its test.
type Effect struct{ effect }

// EffectTimeout is effectTimeout.
const EffectTimeout = effectTimeout

// Reach is reach.
func (e *Effect) Reach(r store.Revision) { e.reach(r) }

// Await is await.
func (e *Effect) Await(ctx context.Context, r store.Revision) { e.await(ctx, r) }

// TestNode is a node without listeners, over a store that outlives it.
type TestNode struct {
	Control, Data http.Handler
	stop          func() error
	end           context.CancelFunc
	followed      chan error
}

// StartNode starts a node that keeps what API keys use in a folder, with the VPC links of a configuration.
func StartNode(s *store.Store, usageDir string, links []config.VPCLink) (*TestNode, error) {
	log := slog.New(slog.DiscardHandler)
	n, err := newNode(nodeOptions{
		log: log, store: s, usageDir: usageDir, own: "http://127.0.0.1:1", lambda: lambda.Options{Log: log},
		gateway: gateway.Options{Log: log, Observe: func(*apigw.Record) {}, Integration: integration.Dependencies{ConnectionHeaders: true}},
	})
	if err != nil {
		return nil, err
	}
	p := settings{Node: config.Default()}
	p.VPCLinks = links
	ctx, end := context.WithCancel(context.Background())
	load := func(ctx context.Context) error { return n.load(ctx, p, logSettings{}) }
	t := &TestNode{Control: n.controlPlane(controlapi.Options{}, load), Data: n.gateway, stop: n.start(), end: end, followed: make(chan error, 1)}
	first := make(chan struct{})
	var failures error
	go func() {
		var once sync.Once
		err := n.follow(ctx, func(ctx context.Context) error {
			defer once.Do(func() { close(first) })
			return load(ctx)
		}, func(err error) { failures = errors.Join(failures, err) })
		t.followed <- errors.Join(err, failures)
	}()
	<-first
	return t, nil
}

// Stop ends the node.
func (t *TestNode) Stop() error {
	t.end()
	return errors.Join(<-t.followed, t.stop())
}

// WithStore has a node keep its definitions in a store of the test's.
func WithStore(o ServeOptions, s *store.Store) ServeOptions {
	o.store = s
	return o
}

// Straight is straight.
func Straight(mux, root http.Handler) http.Handler { return straight(mux, root) }
