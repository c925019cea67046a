//go:build unix

package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/awsapi"
	"cleat/internal/collector"
	"cleat/internal/config"
	"cleat/internal/conn"
	"cleat/internal/control"
	"cleat/internal/controlapi"
	"cleat/internal/datadir"
	"cleat/internal/gateway"
	"cleat/internal/integration"
	"cleat/internal/lambda"
	"cleat/internal/store"
	"cleat/internal/store/natskv"
)

// The benchmarks of this file are the figures of "Control plane" in docs/benchmarks.md.

// filled is a data directory with some APIs, each with routes, as many integrations, a deployment and a stage "prod".
func filled(tb testing.TB, apis, routes int) string {
	tb.Helper()
	dir := tb.TempDir()
	d, err := natskv.Open(tb.Context(), natskv.Options{Dir: filepath.Join(dir, datadir.StoreFolder), NoSync: true})
	if err != nil {
		tb.Fatal(err)
	}
	s := store.New(d)
	for i := range apis {
		var b store.Batch
		putAPI(&b, benchAPI(i), routes)
		if _, err := s.Commit(tb.Context(), &b); err != nil {
			tb.Fatal(err)
		}
	}
	if err := d.Close(); err != nil {
		tb.Fatal(err)
	}
	return dir
}

func benchAPI(i int) apigw.APIID { return apigw.APIID(fmt.Sprintf("api%07d", i)) }

func putAPI(b *store.Batch, id apigw.APIID, routes int) {
	free := store.Expect{}
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	tree := store.Tree{API: apigw.API{APIID: id, Name: string(id), ProtocolType: "WEBSOCKET", RouteSelectionExpression: "$request.body.action", CreatedDate: now}}
	for i := range routes {
		in := apigw.Integration{
			IntegrationID: fmt.Sprintf("i%06d", i), IntegrationType: apigw.IntegrationAWSProxy, TimeoutInMillis: 29000, PassthroughBehavior: "WHEN_NO_MATCH", ConnectionType: "INTERNET",
			IntegrationMethod: "POST", IntegrationURI: awsapi.LambdaURI(awsapi.DefaultRegion, awsapi.FunctionARN(awsapi.DefaultRegion, awsapi.DefaultAccount, fmt.Sprintf("function-%d", i%10))),
		}
		if i%3 == 0 { // shaped by a template
			in.IntegrationType, in.IntegrationURI, in.TemplateSelectionExpression = apigw.IntegrationMock, "", "\\$default"
			in.RequestTemplates = map[string]string{"$default": `#set($body = $input.path('$')){"statusCode": 200, "user": "$body.user", "items": [#foreach($i in $body.items)"$i.name"#if($foreach.hasNext),#end#end]}`}
		}
		route := apigw.Route{RouteID: fmt.Sprintf("r%06d", i), RouteKey: fmt.Sprintf("action%d", i), Target: "integrations/" + in.IntegrationID, AuthorizationType: "NONE"}
		tree.Integrations, tree.Routes = append(tree.Integrations, in), append(tree.Routes, route)
		store.Put(b, store.Integrations(id).Key(in.IntegrationID), in, free)
		store.Put(b, store.Routes(id).Key(route.RouteID), route, free)
	}
	store.Put(b, store.APIs().Key(string(id)), tree.API, free)
	store.Put(b, store.Deployments(id).Key("first"), apigw.Deployment{DeploymentID: "first", CreatedDate: now, Status: "DEPLOYED"}, free)
	store.Put(b, store.Definitions(id).Key("first"), tree.Definition(), free)
	store.Put(b, store.Stages(id).Key("prod"), apigw.Stage{StageName: "prod", DeploymentID: "first", CreatedDate: now, LastUpdatedDate: now}, free)
}

// benchNode is a node over a data directory that follows its store.
type benchNode struct {
	*node
	control *httptest.Server
	stop    func()
	loaded  chan store.Revision // holds the revision of the stage that was served last
}

func startBenchNode(tb testing.TB, dir string) *benchNode {
	tb.Helper()
	log := slog.New(slog.DiscardHandler)
	d, err := natskv.Open(tb.Context(), natskv.Options{Dir: filepath.Join(dir, datadir.StoreFolder), Log: log})
	if err != nil {
		tb.Fatal(err)
	}
	n := &benchNode{loaded: make(chan store.Revision, 1)}
	n.node, err = newNode(nodeOptions{
		log: log, store: store.New(d), own: "http://127.0.0.1:1", control: control.Options{Unlimited: true},
		lambda: lambda.Options{Log: log, Region: awsapi.DefaultRegion, Account: awsapi.DefaultAccount, Output: func(lambda.Line) {}},
		gateway: gateway.Options{
			Log: log, Observe: func(*apigw.Record) {}, Conn: conn.Options{Log: log, Limits: apigw.LimitsAWS()},
			Integration: integration.Dependencies{Region: awsapi.DefaultRegion, Account: awsapi.DefaultAccount},
		},
	})
	if err != nil {
		tb.Fatal(err)
	}
	stop := n.start()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	p := settings{Node: config.Default(), Region: awsapi.DefaultRegion}
	go func() {
		done <- n.follow(ctx, func(ctx context.Context) error {
			err := n.load(ctx, p, logSettings{Logs: p.Logs})
			if err == nil {
				select {
				case <-n.loaded:
				default:
				}
				n.loaded <- n.published[0].Revision
			}
			return err
		}, func(err error) { tb.Error(err) })
	}()
	n.control = httptest.NewServer(n.controlPlane(controlapi.Options{}, func(context.Context) error { return nil }))
	n.stop = sync.OnceFunc(func() {
		n.control.Close()
		cancel()
		if err := errors.Join(<-done, stop(), d.Close()); err != nil {
			tb.Error(err)
		}
	})
	tb.Cleanup(n.stop)
	<-n.loaded
	return n
}

// call makes one request of the control plane.
func (n *benchNode) call(tb testing.TB, method, path, body string) map[string]any {
	tb.Helper()
	req, err := http.NewRequestWithContext(tb.Context(), method, n.control.URL+path, bytes.NewBufferString(body))
	if err != nil {
		tb.Fatal(err)
	}
	resp, err := n.control.Client().Do(req)
	if err != nil {
		tb.Fatal(err)
	}
	text, err := io.ReadAll(resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err != nil || resp.StatusCode/100 != 2 {
		tb.Fatalf("%s %s: %d %s, %v", method, path, resp.StatusCode, text, err)
	}
	out := map[string]any{}
	if len(text) > 0 {
		if err := json.Unmarshal(text, &out); err != nil {
			tb.Fatal(err)
		}
	}
	return out
}

// usedCPU is the processor time that this process has used, which a busy machine does not blur.
func usedCPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// reportTimes gives the percentiles of what single rounds took, and the processor time of each since cpu.
func reportTimes(b *testing.B, took []time.Duration, cpu time.Duration) {
	b.Helper()
	b.ReportMetric(float64((usedCPU()-cpu).Microseconds())/1000/float64(len(took)), "cpu-ms")
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkControl is single calls over HTTP, with 600 APIs of 300 routes stored and served, each commit on disk before
// its answer. The node goes on serving what changes.
func BenchmarkControl(b *testing.B) {
	b.Cleanup(collector.Start()) // as in cleat serve
	n := startBenchNode(b, filled(b, 600, 300))
	each := func(name string, do func(b *testing.B, i int), after func(b *testing.B, i int)) {
		b.Run(name, func(b *testing.B) {
			var took []time.Duration
			cpu := usedCPU()
			for i := range b.N {
				begin := time.Now()
				do(b, i)
				took = append(took, time.Since(begin))
				if after != nil {
					after(b, i)
				}
			}
			reportTimes(b, took, cpu)
		})
	}
	path := func(i int) string { return "/v2/apis/" + string(benchAPI(i*7%600)) }
	var id string
	each("CreateRoute", func(b *testing.B, i int) {
		b.Helper()
		id, _ = n.call(b, http.MethodPost, path(i)+"/routes", `{"routeKey":"new","target":"integrations/i000001"}`)["routeId"].(string)
	}, func(b *testing.B, i int) {
		b.Helper()
		n.call(b, http.MethodDelete, path(i)+"/routes/"+id, "")
	})
	each("UpdateIntegration", func(b *testing.B, i int) {
		b.Helper()
		n.call(b, http.MethodPatch, path(i)+"/integrations/i000001", fmt.Sprintf(`{"timeoutInMillis":%d}`, 1000+i%1000))
	}, nil)
	each("CreateDeployment", func(b *testing.B, i int) {
		b.Helper()
		id, _ = n.call(b, http.MethodPost, path(i)+"/deployments", fmt.Sprintf(`{"stageName":"prod","description":"%d"}`, i))["deploymentId"].(string)
	}, nil)
	each("GetRoute", func(b *testing.B, i int) {
		b.Helper()
		n.call(b, http.MethodGet, path(i)+"/routes/r000001", "")
	}, nil)
	each("GetRoutes", func(b *testing.B, i int) {
		b.Helper()
		n.call(b, http.MethodGet, path(i)+"/routes?maxResults=500", "")
	}, nil)
	each("GetApis", func(b *testing.B, _ int) {
		b.Helper()
		n.call(b, http.MethodGet, "/v2/apis", "")
	}, nil)
	heap(b)
}

func heap(b *testing.B) {
	b.Helper()
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	b.Logf("heap after collection: %d MB", m.HeapAlloc>>20)
}

// BenchmarkServed is the time from a CreateDeployment's request until the stage serves it.
func BenchmarkServed(b *testing.B) {
	b.Cleanup(collector.Start()) // as in cleat serve
	n := startBenchNode(b, filled(b, 600, 300))
	path := "/v2/apis/" + string(benchAPI(0))
	var took []time.Duration
	cpu := usedCPU()
	at := n.published[0].Revision
	for i := range b.N {
		begin := time.Now()
		n.call(b, http.MethodPost, path+"/deployments", fmt.Sprintf(`{"stageName":"prod","description":"%d"}`, i))
		for now := at; now <= at; {
			now = <-n.loaded
			if now > at {
				at = now
				break
			}
		}
		took = append(took, time.Since(begin))
	}
	reportTimes(b, took, cpu)
}

// BenchmarkStart is from the opening of the data directory until everything in it is served, with 600 APIs of 50 routes.
func BenchmarkStart(b *testing.B) {
	b.Cleanup(collector.Start()) // as in cleat serve
	dir := filled(b, 600, 50)
	var took []time.Duration
	cpu := usedCPU()
	for range b.N {
		begin := time.Now()
		stop := startBenchNode(b, dir).stop
		took = append(took, time.Since(begin))
		stop()
	}
	reportTimes(b, took, cpu)
}
