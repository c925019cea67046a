package server

import (
	"runtime"

	"github.com/prometheus/client_golang/prometheus"

	"cleat/internal/apigw"
)

// registerMetrics adds what a node tells of itself to the metrics of its traffic.
func (s *serveNode) registerMetrics() error {
	return s.node.registry.Register(&nodeMetrics{s})
}

// nodeMetrics collects the figures of a node when somebody asks.
type nodeMetrics struct{ s *serveNode }

var (
	descBuild  = prometheus.NewDesc("cleat_build_info", "The program: its version and that of Go. Always 1.", []string{"version", "goversion"}, nil)
	descReady  = prometheus.NewDesc("cleat_ready", "1 when clients should be sent here, as readyz says.", nil, nil)
	descAPIs   = prometheus.NewDesc("cleat_apis", "APIs with a stage that is served.", nil, nil)
	descStages = prometheus.NewDesc("cleat_stages", "Stages that are served.", nil, nil)
	descExpiry = prometheus.NewDesc("cleat_tls_certificate_expiry_timestamp_seconds", "When a certificate ends.", []string{"name", "source"}, nil)
	descReload = prometheus.NewDesc("cleat_settings_reloads_total", "How often the settings were read again, by what came of it.", []string{"result"}, nil)
)

// Describe implements prometheus.Collector.
func (m *nodeMetrics) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descBuild, descReady, descAPIs, descStages, descExpiry, descReload} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (m *nodeMetrics) Collect(to chan<- prometheus.Metric) {
	s := m.s
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	ready := 0.0
	if s.state.Load() == stateReady {
		ready = 1
	}
	gauge(descBuild, 1, s.o.Version, runtime.Version())
	gauge(descReady, ready)
	s.mu.Lock()
	apis := map[apigw.APIID]bool{}
	for i := range s.node.published {
		apis[s.node.published[i].API.APIID] = true
	}
	stages := len(s.node.published)
	s.mu.Unlock()
	gauge(descAPIs, float64(len(apis)))
	gauge(descStages, float64(stages))
	seen := map[[2]string]bool{}
	for _, e := range s.keeper.Expiries() {
		if key := [2]string{e.Name, e.Source}; !seen[key] {
			seen[key] = true
			gauge(descExpiry, float64(e.At.Unix()), e.Name, e.Source)
		}
	}
	for result, n := range map[string]int64{"done": s.reloads.done.Load(), "failed": s.reloads.failed.Load()} {
		to <- prometheus.MustNewConstMetric(descReload, prometheus.CounterValue, float64(n), result)
	}
}
