package metrics_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"cleat/internal/apigw"
	"cleat/internal/conn"
	"cleat/internal/metrics"
)

func newTestMetrics(tb testing.TB) (*metrics.Metrics, *prometheus.Registry) {
	tb.Helper()
	reg := prometheus.NewPedanticRegistry()
	m, err := metrics.New(reg, metrics.Options{
		Connections: func() conn.Stats { return conn.Stats{Open: 5, Opened: 9} },
		Dropped:     func() (uint64, uint64) { return 3, 4 },
		Excess:      func(e apigw.Excess) uint64 { return 10 + uint64(e) },
	})
	if err != nil {
		tb.Fatal(err)
	}
	return m, reg
}

func record(t apigw.EventType, route string, change func(*apigw.Record)) *apigw.Record {
	r := &apigw.Record{APIID: "a1", Stage: "prod", RouteKey: route, Operation: strings.ToLower(string(t)), Event: &apigw.Event{Context: apigw.RequestContext{EventType: t, RouteKey: route}}}
	if change != nil {
		change(r)
	}
	return r
}

// A stage is looked at again when its revision says so, and when it says nothing; its counters go on.
func TestRevisions(t *testing.T) {
	m, reg := newTestMetrics(t)
	swap := func(revision uint64, detailed ...string) {
		settings := map[string]apigw.RouteSettings{}
		for _, route := range detailed {
			settings[route] = apigw.RouteSettings{DetailedMetricsEnabled: true}
		}
		m.Swap([]apigw.ServedStage{{APIID: "a1", Stage: &apigw.Stage{StageName: "prod", RouteSettings: settings}, RouteKeys: []string{"one", "two", "three"}, Revision: revision}})
	}
	series := func() int {
		n, err := testutil.GatherAndCount(reg, "aws_apigateway_message_count_total")
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for _, step := range []struct {
		revision uint64
		detailed []string
		want     int
	}{{1, []string{"one"}, 2}, {1, []string{"one"}, 2}, {2, []string{"one", "two"}, 3}, {0, []string{"one", "two", "three"}, 4}} {
		if swap(step.revision, step.detailed...); series() != step.want {
			t.Errorf("revision %d: %d series, want %d", step.revision, series(), step.want)
		}
	}
}

// AWS's six metrics (spec data-plane §9.3), by route where the stage asks for detailed ones.
func TestMetrics(t *testing.T) {
	m, reg := newTestMetrics(t)
	stage := apigw.Stage{StageName: "prod", RouteSettings: map[string]apigw.RouteSettings{"say": {DetailedMetricsEnabled: true}}}
	m.Swap([]apigw.ServedStage{{APIID: "a1", Stage: &stage, RouteKeys: []string{"$connect", "say", "other"}}})
	called := func(status int, err error) func(*apigw.Record) {
		return func(r *apigw.Record) {
			r.Integration = apigw.Step{Taken: true, Latency: 2 * time.Millisecond}
			r.BackendStatus, r.Err = status, err
			if err != nil {
				r.Status = 502
			}
		}
	}
	m.Observe(record(apigw.EventConnect, "$connect", called(200, nil)))
	m.Observe(record(apigw.EventMessage, "say", func(r *apigw.Record) { called(200, nil)(r); r.BytesOut = 7 }))
	m.Observe(record(apigw.EventMessage, "say", called(500, nil)))
	m.Observe(record(apigw.EventMessage, "say", called(0, errors.New("refused"))))
	m.Observe(record(apigw.EventMessage, "", func(r *apigw.Record) { r.Err, r.Status = errors.New("no route"), 403 }))
	m.Observe(record(apigw.EventDisconnect, "", func(r *apigw.Record) { r.CloseCode = 4321 }))
	m.Observe(&apigw.Record{APIID: "a1", Stage: "prod", Operation: "post", Status: 200})
	m.Observe(&apigw.Record{Operation: "some'; thing", Status: 403})
	m.Observe(&apigw.Record{Operation: "refused", Status: 426})
	m.Observe(record(apigw.EventMessage, "say", func(r *apigw.Record) { r.Stage = "unknown" }))

	want := `
# HELP aws_apigateway_client_error_total ClientError of AWS/ApiGateway: refused with 4XX before the integration.
# TYPE aws_apigateway_client_error_total counter
aws_apigateway_client_error_total{api_id="a1",route="",stage="prod"} 1
aws_apigateway_client_error_total{api_id="a1",route="say",stage="prod"} 0
# HELP aws_apigateway_connect_count_total ConnectCount of AWS/ApiGateway: events sent to the $connect route.
# TYPE aws_apigateway_connect_count_total counter
aws_apigateway_connect_count_total{api_id="a1",route="",stage="prod"} 1
aws_apigateway_connect_count_total{api_id="a1",route="say",stage="prod"} 0
# HELP aws_apigateway_execution_error_total ExecutionError of AWS/ApiGateway: integrations that could not be called or failed.
# TYPE aws_apigateway_execution_error_total counter
aws_apigateway_execution_error_total{api_id="a1",route="",stage="prod"} 1
aws_apigateway_execution_error_total{api_id="a1",route="say",stage="prod"} 1
# HELP aws_apigateway_integration_error_total IntegrationError of AWS/ApiGateway: integrations that answered 4XX or 5XX.
# TYPE aws_apigateway_integration_error_total counter
aws_apigateway_integration_error_total{api_id="a1",route="",stage="prod"} 1
aws_apigateway_integration_error_total{api_id="a1",route="say",stage="prod"} 1
# HELP aws_apigateway_message_count_total MessageCount of AWS/ApiGateway: messages from and to clients.
# TYPE aws_apigateway_message_count_total counter
aws_apigateway_message_count_total{api_id="a1",route="",stage="prod"} 6
aws_apigateway_message_count_total{api_id="a1",route="say",stage="prod"} 4
# HELP cleat_connections Open connections.
# TYPE cleat_connections gauge
cleat_connections 5
# HELP cleat_disconnects_total Connections that ended, by close code; codes of 4000 and more together.
# TYPE cleat_disconnects_total counter
cleat_disconnects_total{api_id="a1",code="4xxx",stage="prod"} 1
# HELP cleat_excess_total What was allowed here and AWS would have refused.
# TYPE cleat_excess_total counter
cleat_excess_total{kind="binary"} 14
cleat_excess_total{kind="connect_rate"} 10
cleat_excess_total{kind="frame_size"} 13
cleat_excess_total{kind="message_size"} 12
cleat_excess_total{kind="request_rate"} 11
# HELP cleat_log_lines_lost_total Lines of the access and execution log that could not be written.
# TYPE cleat_log_lines_lost_total counter
cleat_log_lines_lost_total{log="access"} 3
cleat_log_lines_lost_total{log="execution"} 4
# HELP cleat_management_requests_total Requests of the management API.
# TYPE cleat_management_requests_total counter
cleat_management_requests_total{operation="other",status="403"} 1
cleat_management_requests_total{operation="post",status="200"} 1
# HELP cleat_refused_requests_total Requests that addressed no stage, or were no handshake.
# TYPE cleat_refused_requests_total counter
cleat_refused_requests_total{status="426"} 1
`
	names := []string{
		"aws_apigateway_client_error_total", "aws_apigateway_connect_count_total", "aws_apigateway_execution_error_total",
		"aws_apigateway_integration_error_total", "aws_apigateway_message_count_total", "cleat_connections", "cleat_disconnects_total",
		"cleat_excess_total", "cleat_log_lines_lost_total", "cleat_management_requests_total", "cleat_refused_requests_total",
	}
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), names...); err != nil {
		t.Error(err)
	}
	if n := testutil.CollectAndCount(reg, "aws_apigateway_integration_latency_seconds"); n != 2 {
		t.Errorf("%d latency histograms, want the stage's and the route's", n)
	}
	if problems, err := testutil.GatherAndLint(reg); err != nil || len(problems) > 0 {
		t.Errorf("lint: %v, %v", problems, err)
	}

	m.Swap(nil) // the stage is gone, and its figures with it
	if n := testutil.CollectAndCount(reg, "aws_apigateway_message_count_total", "aws_apigateway_integration_latency_seconds", "cleat_disconnects_total"); n != 0 {
		t.Errorf("%d figures of a stage that is no more", n)
	}
}

func TestObserveDoesNotAllocate(t *testing.T) {
	m, _ := newTestMetrics(t)
	m.Swap([]apigw.ServedStage{{APIID: "a1", Stage: &apigw.Stage{StageName: "prod"}, RouteKeys: []string{"say"}}})
	rec := record(apigw.EventMessage, "say", func(r *apigw.Record) { r.Integration.Taken = true })
	if n := testing.AllocsPerRun(100, func() { m.Observe(rec) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkObserve(b *testing.B) {
	m, _ := newTestMetrics(b)
	m.Swap([]apigw.ServedStage{{APIID: "a1", Stage: &apigw.Stage{StageName: "prod"}, RouteKeys: []string{"say"}}})
	rec := record(apigw.EventMessage, "say", func(r *apigw.Record) { r.Integration.Taken = true })
	b.ReportAllocs()
	for b.Loop() {
		m.Observe(rec)
	}
}
