package server

import (
	"net"
	"net/http"
	"net/http/pprof"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"cleat/internal/access"
	"cleat/internal/controlapi"
	"cleat/internal/listen"
)

// health answers whether the process lives, and whether clients should be sent to it. Both are told to anybody: load
// balancers have no credentials.
func (s *serveNode) health(mux *http.ServeMux) {
	mux.HandleFunc("GET /_cleat/healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	mux.HandleFunc("GET /_cleat/readyz", func(w http.ResponseWriter, _ *http.Request) {
		state := s.state.Load()
		w.Header().Set("Cache-Control", "no-store")
		if state != stateReady {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_, _ = w.Write([]byte(stateNames[state] + "\n"))
	})
}

// publicHandler is the data plane. Once the node is stopping it lets no connection in; the management API goes on, for
// functions push during their $disconnect.
func (s *serveNode) publicHandler() http.Handler {
	mux := http.NewServeMux()
	s.health(mux)
	data := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.state.Load() == stateStopping && listen.IsUpgrade(r) {
			w.Header().Set("Connection", "close")
			w.Header().Set("Retry-After", "1")
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = w.Write([]byte(`{"message": "Service Unavailable"}`)) // a client that is gone needs no answer
			return
		}
		s.node.gateway.ServeHTTP(w, r)
	})
	mux.Handle("/", data)
	return straight(mux, data)
}

// innerHandler is what functions on this machine find under every name of the node's: the data plane, and a CONNECT proxy
// that leads to it. Web pages in a browser on this machine are kept away, as from "cleat dev".
func (s *serveNode) innerHandler() http.Handler {
	guard := listen.Guard{Hosts: []string{"*"}, Directory: s.node.gateway.Directory}
	proxy := listen.NewProxy(listen.ProxyOptions{
		Log: s.log, Upstream: s.o.Upstream, Inject: func(c net.Conn) { s.inner.Inject(c) }, Local: s.local,
	})
	return proxy.Wrap(guard.Wrap(s.publicHandler()))
}

// adminHandler is everything that the admin listener at an address answers. What shows the inside of the node is kept for
// who is on this machine or logs in; the control plane and the events ask for signatures themselves.
func (s *serveNode) adminHandler(addr net.Addr) http.Handler {
	mux := http.NewServeMux()
	s.health(mux)
	local := isLoopback(addr)
	mux.Handle("GET /metrics", s.node.access.Login(access.ActionReadMetrics, local, promhttp.HandlerFor(s.node.registry, promhttp.HandlerOpts{})))
	mux.Handle("GET /_cleat/usage", s.node.access.Login(access.ActionReadConsole, local, http.HandlerFunc(s.node.serveUsage)))
	mux.HandleFunc("GET /_cleat/events", s.node.serveEvents)
	debug := http.NewServeMux()
	debug.HandleFunc("GET /debug/pprof/", pprof.Index)
	debug.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	debug.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	debug.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	debug.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	mux.Handle("GET /debug/pprof/", s.node.access.Login(access.ActionReadDebug, local, debug))
	mux.Handle("/", s.node.controlPlane(controlapi.Options{Region: s.settings.Region, Account: s.settings.Serve.Account}, s.load))
	return mux
}
