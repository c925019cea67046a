// Package gateway is the data plane of one node: it turns a handshake, a message and the end of a connection into
// calls of the integrations that the deployed routes name, and tells the client what came of them (spec data-plane).
//
// One way leads through it. A request comes in by ServeHTTP; listen.Resolve says which stage it addresses. A handshake
// goes through connect.go: reserve an ID, decide whether the client may (admit.go), run $connect, send the 101, hand the
// socket to conn. A message comes back from conn by Message, an end by Closed (message.go). A push goes on to package
// push. Which stages there are is in the directory (directory.go), what one routes how in its immutable snapshot
// (snapshot.go), which is read once per event.
package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/authorizer"
	"cleat/internal/awsapi"
	"cleat/internal/conn"
	"cleat/internal/http1"
	"cleat/internal/integration"
	"cleat/internal/listen"
	"cleat/internal/push"
	"cleat/internal/usageplan"
)

// Options adjust a Gateway.
type Options struct {
	Log *slog.Logger // required
	// Observe is told of every event once it is over; it must not block, nor keep the record, which is used again; see
	// apigw.Record.Clone. Nil: nobody is told.
	Observe func(*apigw.Record)
	// ObserveWaits says that Observe may wait after all, for a terminal say. A message then costs a wake-up more.
	ObserveWaits bool
	// Integration is what integrations need to reach their backends.
	Integration integration.Dependencies
	// Conn sets up the hub. Its Log is taken from here when it has none.
	Conn conn.Options
	// DefaultAPI answers requests whose address names no API, where there are several. Empty: only a sole API does.
	DefaultAPI apigw.APIID
	// UsagePlans knows API keys and counts what they use. Nil: one that counts from zero.
	UsagePlans *usageplan.Index
	// Domain is a host name below which every API has its own, {apiId}.{Domain}. In the form of listen.HostName; empty: none.
	Domain string
}

// Gateway is one node's data plane. It is an http.Handler for everything a stage answers, and the conn.Handler of its
// own hub. All methods are safe for concurrent use. Run must be running for connections to be served.
type Gateway struct {
	log          *slog.Logger
	observe      func(*apigw.Record)
	observeWaits bool
	deps         integration.Dependencies
	limits       atomic.Pointer[apigw.Limits]
	rates        atomic.Pointer[rates] // made of limits
	plans        *usageplan.Index
	hub          *conn.Hub
	push         *push.Handler
	iam          atomic.Pointer[authorizer.IAM]

	directory directoryPointer
	swapping  sync.Mutex // held by Swap

	excesses excesses

	handshakes sync.WaitGroup // $connect calls under way
	stopped    context.Context
	stop       context.CancelCauseFunc
}

// New returns a Gateway that serves no API yet: see Swap.
func New(o Options) (*Gateway, error) {
	if o.Conn.Log == nil {
		o.Conn.Log = o.Log
	}
	if o.Observe == nil {
		o.Observe = func(*apigw.Record) {}
	}
	if o.Conn.Limits == (apigw.Limits{}) {
		o.Conn.Limits = apigw.LimitsAWS()
	}
	if o.UsagePlans == nil {
		o.UsagePlans = &usageplan.Index{}
	}
	g := &Gateway{log: o.Log, observe: o.Observe, observeWaits: o.ObserveWaits, deps: o.Integration, plans: o.UsagePlans}
	o.Conn.Yields = true
	g.limits.Store(&o.Conn.Limits)
	g.rates.Store(newRates(o.Conn.Limits, nil))
	g.stopped, g.stop = context.WithCancelCause(context.Background())
	first := emptyDirectory(o.DefaultAPI)
	first.domain = o.Domain
	g.directory.Store(first)
	hub, err := conn.New(g, o.Conn)
	if err != nil {
		return nil, err
	}
	g.hub = hub
	g.SetIAM(authorizer.NewIAM(authorizer.IAMOptions{Region: o.Integration.Region, Account: o.Integration.Account}))
	g.push = push.New(hub, func() apigw.Limits { return *g.limits.Load() }, g.authorizePush)
	return g, nil
}

// Run serves connections until ctx ends. End ctx only after Shutdown, or connections are dropped without a word.
func (g *Gateway) Run(ctx context.Context) error {
	err := g.hub.Run(ctx)
	g.stop(errStopped)
	g.handshakes.Wait()
	return err
}

var errStopped = errors.New("the gateway has stopped")

// SetCloseRate changes how many connections Shutdown closes in a second, so that their clients do not all come back at
// once. It counts from the next Shutdown on.
func (g *Gateway) SetCloseRate(perSecond int) { g.hub.SetCloseRate(perSecond) }

// Shutdown closes every connection with 1001, delivers the $disconnect events, and returns when all is done or ctx has
// ended. New handshakes should have been stopped before.
func (g *Gateway) Shutdown(ctx context.Context) error {
	err := g.hub.Shutdown(ctx, conn.ReasonShutdown)
	if err != nil {
		g.stop(errStopped) // running backend calls would outlive the deadline
	}
	return err
}

// SetLimits changes the limits of all connections, open ones included. It fails on limits that make no sense.
func (g *Gateway) SetLimits(l apigw.Limits) error {
	if err := g.hub.SetLimits(l); err != nil {
		return err
	}
	g.limits.Store(&l)
	g.rates.Store(newRates(l, g.rates.Load()))
	return nil
}

// Directory is what addresses are resolved against now.
func (g *Gateway) Directory() listen.Directory { return g.directory.Load() }

// Connections is the number of open connections.
func (g *Gateway) Connections() int { return g.hub.Len() }

// Stats are the hub's figures.
func (g *Gateway) Stats() conn.Stats { return g.hub.Stats() }

// ServeHTTP answers a handshake or a management request. It yields (listen.Options.Yields).
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	dir := g.directory.Load()
	path := listen.EscapedPath(r.URL)
	target, err := listen.Resolve(dir, r.Host, path)
	if none, ok := errors.AsType[*listen.NoRouteError](err); ok {
		err = none.Answer(r.Method)
	}
	if err != nil {
		g.refuse(w, r, err)
		return
	}
	if target.Form == listen.FormHealth {
		answerHealth(w)
		return
	}
	if target.Rest != "" {
		if target.API == "" && target.Stage != "" && !dir.hasStage(target.Stage) {
			// 410 would tell the caller to forget a connection that is alive (spec management-api §4).
			g.refuse(w, r, &apigw.Error{Kind: apigw.KindForbidden, Err: fmt.Errorf("no API has a stage %q", target.Stage)})
			return
		}
		g.servePush(w, r, dir.narrow(target), path)
		return
	}
	stage := dir.stage(target.API, target.Stage)
	if stage == nil {
		g.refuse(w, r, &apigw.Error{Kind: apigw.KindForbidden, Err: errors.New("the stage has no deployment")})
		return
	}
	upgrade, err := listen.CheckUpgrade(r)
	if err != nil {
		g.refuse(w, r, err)
		return
	}
	if g.limits.Load().Compression {
		if upgrade.Deflate, err = listen.AgreeDeflate(r.Header["Sec-Websocket-Extensions"]); err != nil {
			g.refuse(w, r, err)
			return
		}
	}
	g.connect(w, r, stage, upgrade)
}

// answerHealth answers what AWS keeps for the health checks of a custom domain name (spec data-plane §1.1). What it
// answers is not documented: a 200 is what every checker wants.
func answerHealth(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("healthy\n")) // a checker that is gone needs no answer
}

// refuse answers a request that never came to have a connection ID.
func (g *Gateway) refuse(w http.ResponseWriter, r *http.Request, err error) {
	if g.observeWaits {
		listen.Yielder(r)()
	}
	if apigw.KindOf(err) == apigw.KindUpgradeRequired {
		listen.SetUpgradeHeaders(w.Header())
	}
	awsapi.WriteError(w, err, apigw.NewRequestID())
	g.tell(apigw.Record{Time: time.Now(), Operation: "refused", Path: listen.EscapedPath(r.URL)}, err)
}

// requestRecords are the records of requests, which nobody keeps who is told of them.
var requestRecords = sync.Pool{New: func() any { return new(apigw.Record) }}

// tell observes a request's record; err is how it failed, or nil.
func (g *Gateway) tell(r apigw.Record, err error) {
	rec, _ := requestRecords.Get().(*apigw.Record)
	*rec = r
	if err != nil {
		failed(rec, err)
	}
	g.observe(rec)
	*rec = apigw.Record{}
	requestRecords.Put(rec)
}

func (g *Gateway) servePush(w http.ResponseWriter, r *http.Request, target listen.Target, path string) {
	listen.Yielder(r)() // for one push: the connection is kept, as a rule
	start := time.Now()
	http1.KeepsNothing(w) // push and who is told of its outcome do not, nor do the handlers that the server puts around this one
	var o push.Outcome
	if err := g.takeRequest(start); err != nil {
		o = g.push.Refuse(w, r, target.API, target.Stage, target.Rest, asManagement(err))
	} else {
		o = g.push.Serve(w, r, target.API, target.Stage, target.Rest)
	}
	if o.Err == nil {
		g.compare(o.Bytes, o.Binary)
	}
	g.tell(apigw.Record{
		Time: start, Operation: o.Operation, APIID: o.API, Stage: o.Stage, ConnectionID: o.ConnectionID,
		Path: path, Status: o.Status, Duration: time.Since(start), BytesOut: o.Bytes,
		Sent: o.Operation == "post" && o.Err == nil,
	}, o.Err)
}
