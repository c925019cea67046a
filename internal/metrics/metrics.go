// Package metrics shows what goes on as Prometheus metrics: the six that API Gateway publishes for a WebSocket API, under
// AWS's names in Prometheus' spelling (spec data-plane §9.3), and what AWS does not publish, such as the number of open
// connections. It is told of every record of the gateway. Its labels are bounded by the deployed definitions: an API, a
// stage, and a route where the stage asks for detailed metrics; never a connection, a caller or a text from outside.
package metrics

import (
	"strconv"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"cleat/internal/apigw"
	"cleat/internal/conn"
)

// Metrics counts records. All methods are safe for concurrent use.
type Metrics struct {
	connect, message, integrationError, clientError, executionError *prometheus.CounterVec
	latency                                                         *prometheus.HistogramVec
	pushes, refused                                                 *prometheus.CounterVec
	disconnects                                                     *prometheus.CounterVec

	stages atomic.Pointer[map[apigw.StageKey]*stage] // never nil
}

// stage is the children of one stage, found once.
type stage struct {
	revision uint64               // the stage's
	routes   map[string]*children // by route key, those with detailed metrics
	others   *children
}

// children are the metrics of one set of labels.
type children struct {
	connect, message, integrationError, clientError, executionError prometheus.Counter
	latency                                                         prometheus.Observer
}

var labels = []string{"api_id", "stage", "route"}

// Options say where figures come from that are no events'.
type Options struct {
	Connections func() conn.Stats
	// Dropped is how many lines the access and the execution log have lost; nil: they lose none.
	Dropped func() (access, execution uint64)
	// Excess is how often something was allowed that AWS refuses; nil: nobody counts.
	Excess func(apigw.Excess) uint64
}

// New registers the metrics of a node. It fails when they are registered already.
func New(reg prometheus.Registerer, o Options) (*Metrics, error) {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	m := &Metrics{
		connect:          counter("aws_apigateway_connect_count_total", "ConnectCount of AWS/ApiGateway: events sent to the $connect route.", labels...),
		message:          counter("aws_apigateway_message_count_total", "MessageCount of AWS/ApiGateway: messages from and to clients.", labels...),
		integrationError: counter("aws_apigateway_integration_error_total", "IntegrationError of AWS/ApiGateway: integrations that answered 4XX or 5XX.", labels...),
		clientError:      counter("aws_apigateway_client_error_total", "ClientError of AWS/ApiGateway: refused with 4XX before the integration.", labels...),
		executionError:   counter("aws_apigateway_execution_error_total", "ExecutionError of AWS/ApiGateway: integrations that could not be called or failed.", labels...),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "aws_apigateway_integration_latency_seconds", Help: "IntegrationLatency of AWS/ApiGateway: from the call of the integration to its answer.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 29},
		}, labels),
		pushes:      counter("cleat_management_requests_total", "Requests of the management API.", "operation", "status"),
		refused:     counter("cleat_refused_requests_total", "Requests that addressed no stage, or were no handshake.", "status"),
		disconnects: counter("cleat_disconnects_total", "Connections that ended, by close code; codes of 4000 and more together.", "api_id", "stage", "code"),
	}
	m.stages.Store(&map[apigw.StageKey]*stage{})
	for _, c := range []prometheus.Collector{
		m.connect, m.message, m.integrationError, m.clientError, m.executionError, m.latency, m.pushes, m.refused, m.disconnects,
		&hub{o},
	} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// Swap replaces the stages. The figures of those that are gone are dropped.
func (m *Metrics) Swap(stages []apigw.ServedStage) {
	next := make(map[apigw.StageKey]*stage, len(stages))
	before := *m.stages.Load()
	for i := range stages {
		s := &stages[i]
		key := s.Key()
		if have := before[key]; have != nil && have.revision == s.Revision && s.Revision != 0 {
			next[key] = have
			continue
		}
		out := &stage{revision: s.Revision, routes: map[string]*children{}, others: m.children(key, "")}
		for _, route := range s.RouteKeys {
			rs, ok := s.Stage.RouteSettings[route]
			if !ok && s.Stage.DefaultRouteSettings != nil {
				rs = *s.Stage.DefaultRouteSettings
			}
			if rs.DetailedMetricsEnabled {
				out.routes[route] = m.children(key, route)
			}
		}
		next[key] = out
	}
	for key := range *m.stages.Swap(&next) {
		if next[key] == nil {
			gone := prometheus.Labels{"api_id": string(key.APIID), "stage": key.Stage}
			for _, v := range []*prometheus.CounterVec{m.connect, m.message, m.integrationError, m.clientError, m.executionError, m.disconnects} {
				v.DeletePartialMatch(gone)
			}
			m.latency.DeletePartialMatch(gone)
		}
	}
}

func (m *Metrics) children(key apigw.StageKey, route string) *children {
	l := []string{string(key.APIID), key.Stage, route}
	return &children{
		connect: m.connect.WithLabelValues(l...), message: m.message.WithLabelValues(l...),
		integrationError: m.integrationError.WithLabelValues(l...), clientError: m.clientError.WithLabelValues(l...),
		executionError: m.executionError.WithLabelValues(l...), latency: m.latency.WithLabelValues(l...),
	}
}

// Observe counts a record. It does not block and does not keep the record.
func (m *Metrics) Observe(rec *apigw.Record) {
	s := (*m.stages.Load())[rec.StageKey()]
	if rec.Event == nil {
		m.observeRequest(s, rec)
		return
	}
	if s == nil {
		return
	}
	s.others.observe(rec)
	if c := s.routes[rec.RouteKey]; c != nil {
		c.observe(rec)
	}
	if rec.Event.Context.EventType == apigw.EventDisconnect {
		m.disconnects.WithLabelValues(string(rec.APIID), rec.Stage, closeCode(rec.CloseCode)).Inc()
	}
}

func (m *Metrics) observeRequest(s *stage, rec *apigw.Record) {
	status := strconv.Itoa(rec.Status)
	if rec.Operation == "refused" {
		m.refused.WithLabelValues(status).Inc()
		return
	}
	m.pushes.WithLabelValues(operation(rec.Operation), status).Inc()
	if rec.Operation == "post" && rec.Err == nil && s != nil {
		s.others.message.Inc()
	}
}

// operation bounds the label: a refused method is whatever somebody sent.
func operation(s string) string {
	switch s {
	case "post", "get", "delete", "list":
		return s
	}
	return "other"
}

// closeCode bounds the label: applications have a thousand codes of their own.
func closeCode(code int) string {
	switch {
	case code >= 4000:
		return "4xxx"
	case code >= 3000:
		return "3xxx"
	case code >= 1000 && code < 1016:
		return strconv.Itoa(code)
	}
	return "other"
}

func (c *children) observe(rec *apigw.Record) {
	switch rec.Event.Context.EventType {
	case apigw.EventConnect:
		if rec.Event.Context.RouteKey != "" { // otherwise nothing was sent to any route
			c.connect.Inc()
		}
	case apigw.EventMessage:
		c.message.Inc()
		if rec.BytesOut > 0 {
			c.message.Inc()
		}
	case apigw.EventDisconnect:
	}
	i := &rec.Integration
	if i.Taken {
		c.latency.Observe(i.Latency.Seconds())
	}
	switch {
	case i.Taken && rec.BackendStatus >= 400:
		c.integrationError.Inc()
	case rec.Err == nil:
	case i.Taken, rec.Status >= 500:
		c.executionError.Inc()
	default:
		c.clientError.Inc()
	}
}

// hub shows the figures of the hub, read when they are asked for.
type hub struct{ o Options }

var hubFigures = []struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(*conn.Stats) float64
}{
	{desc("cleat_connections", "Open connections."), prometheus.GaugeValue, func(s *conn.Stats) float64 { return float64(s.Open) }},
	{desc("cleat_connections_pending", "Handshakes that wait for $connect."), prometheus.GaugeValue, func(s *conn.Stats) float64 { return float64(s.Pending) }},
	{desc("cleat_connections_closing", "Connections whose close handshake is under way."), prometheus.GaugeValue, func(s *conn.Stats) float64 { return float64(s.Closing) }},
	{desc("cleat_messages_in_flight", "Messages being handled."), prometheus.GaugeValue, func(s *conn.Stats) float64 { return float64(s.InFlight) }},
	{desc("cleat_connections_opened_total", "Connections that became open."), prometheus.CounterValue, func(s *conn.Stats) float64 { return float64(s.Opened) }},
	{desc("cleat_messages_in_total", "Messages from clients."), prometheus.CounterValue, func(s *conn.Stats) float64 { return float64(s.MessagesIn) }},
	{desc("cleat_message_bytes_in_total", "Payload of messages from clients."), prometheus.CounterValue, func(s *conn.Stats) float64 { return float64(s.BytesIn) }},
	{desc("cleat_messages_out_total", "Messages to clients."), prometheus.CounterValue, func(s *conn.Stats) float64 { return float64(s.MessagesOut) }},
	{desc("cleat_message_bytes_out_total", "Payload of messages to clients."), prometheus.CounterValue, func(s *conn.Stats) float64 { return float64(s.BytesOut) }},
	{desc("cleat_output_buffer_full_total", "Messages refused because a client did not read."), prometheus.CounterValue, func(s *conn.Stats) float64 { return float64(s.BufferFull) }},
	{desc("cleat_read_pauses_total", "Times that reading from a client was stopped: too many of its messages were being handled."), prometheus.CounterValue, func(s *conn.Stats) float64 { return float64(s.Pauses) }},
	{desc("cleat_handler_panics_total", "Panics caught while an event was handled."), prometheus.CounterValue, func(s *conn.Stats) float64 { return float64(s.Panics) }},
}

var droppedLines = prometheus.NewDesc("cleat_log_lines_lost_total", "Lines of the access and execution log that could not be written.", []string{"log"}, nil)

var excess = prometheus.NewDesc("cleat_excess_total", "What was allowed here and AWS would have refused.", []string{"kind"}, nil)

func desc(name, help string) *prometheus.Desc { return prometheus.NewDesc(name, help, nil, nil) }

var _ prometheus.Collector = (*hub)(nil)

// Describe implements prometheus.Collector.
func (h *hub) Describe(out chan<- *prometheus.Desc) {
	for i := range hubFigures {
		out <- hubFigures[i].desc
	}
	out <- droppedLines
	out <- excess
}

// Collect implements prometheus.Collector.
func (h *hub) Collect(out chan<- prometheus.Metric) {
	stats := h.o.Connections()
	for i := range hubFigures {
		f := &hubFigures[i]
		out <- prometheus.MustNewConstMetric(f.desc, f.kind, f.value(&stats))
	}
	if h.o.Dropped != nil {
		access, execution := h.o.Dropped()
		out <- prometheus.MustNewConstMetric(droppedLines, prometheus.CounterValue, float64(access), "access")
		out <- prometheus.MustNewConstMetric(droppedLines, prometheus.CounterValue, float64(execution), "execution")
	}
	if h.o.Excess != nil {
		for e := range apigw.Excesses {
			out <- prometheus.MustNewConstMetric(excess, prometheus.CounterValue, float64(h.o.Excess(e)), e.Name())
		}
	}
}
