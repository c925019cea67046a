package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"slices"

	"cleat/internal/cfn"
	"cleat/internal/config"
	"cleat/internal/conn"
	"cleat/internal/listen"
)

// sockets are the listeners of a node, by what they are for.
type sockets struct {
	public, admin []net.Listener
	inner         net.Listener // for functions, on this machine
	acme          net.Listener // nil: none
}

func (s *sockets) all() []net.Listener {
	out := slices.Concat(s.public, s.admin)
	for _, ln := range []net.Listener{s.inner, s.acme} {
		if ln != nil {
			out = append(out, ln)
		}
	}
	return out
}

func (s *sockets) close() error {
	var err error
	for _, ln := range s.all() {
		err = errors.Join(err, ignoreClosed(ln.Close()))
	}
	return err
}

// openSockets opens all listeners. What it returns with an error has to be closed too.
func (s *serveNode) openSockets(ctx context.Context) (*sockets, error) {
	out := &sockets{}
	v := &s.settings.Serve
	var err error
	if out.public, err = s.openListeners(ctx, "public", &v.Public); err != nil {
		return out, err
	}
	if out.admin, err = s.openListeners(ctx, "admin", &v.Admin); err != nil {
		return out, err
	}
	if out.inner, err = listen.Open(ctx, "127.0.0.1:0", 0); err != nil {
		return out, fmt.Errorf("the listener for functions: %w", err)
	}
	if v.ACME != nil && v.ACME.HTTP != "" {
		if out.acme, err = listen.Open(ctx, v.ACME.HTTP, 0); err != nil {
			return out, cfn.Faults{{Place: v.ACME.Place, Message: fmt.Sprintf("acme.http: %v", err)}}
		}
	}
	return out, nil
}

func (s *serveNode) openListeners(ctx context.Context, name string, l *config.Listener) ([]net.Listener, error) {
	if given := s.o.Sockets[name]; len(given) > 0 {
		return given, nil
	}
	var out []net.Listener
	for _, a := range l.Listen {
		ln, err := listen.Open(ctx, a.Text, fs.FileMode(l.SocketMode))
		if err != nil {
			return out, cfn.Faults{{Place: a.Place, Message: fmt.Sprintf("%s.listen: %v", name, err)}}
		}
		out = append(out, ln)
	}
	return out, nil
}

// servers are the accept loops of all listeners.
func (s *serveNode) servers(open *sockets) []part {
	var parts []part
	add := func(what string, ln net.Listener, o listen.Options) {
		o.Log, o.HandshakeTimeout, o.ShutdownTimeout = s.log, s.settings.limits().HandshakeTimeout, stopMargin
		parts = append(parts, part{"the " + what + " listener", listen.New(ln, o).Run})
	}
	for _, ln := range open.public {
		o := s.listenOptions(&s.settings.Serve.Public, s.publicHandler())
		o.Yields = true // as the gateway does
		add("public", ln, o)
	}
	for _, ln := range open.admin {
		add("admin", ln, s.listenOptions(&s.settings.Serve.Admin, s.adminHandler(ln.Addr())))
	}
	if open.acme != nil {
		add("ACME", open.acme, listen.Options{Handler: s.keeper.ACME.HTTP()})
	}
	s.inner = listen.New(open.inner, listen.Options{
		Log: s.log, Handler: s.innerHandler(), Plain: true, ShutdownTimeout: stopMargin,
		TLS: func(c net.Conn) net.Conn { return conn.ServerTLS(c, s.hosts.authority.TLSConfig()) },
	})
	return append(parts, part{"the functions' listener", s.inner.Run})
}

// listenOptions are what the settings say of a listener.
func (s *serveNode) listenOptions(l *config.Listener, h http.Handler) listen.Options {
	trust := listen.Trust{Proxies: l.Proxies, Sockets: l.Sockets}
	o := listen.Options{Handler: listen.Forwarded{Trust: trust, Headers: l.Forwarded}.Wrap(h), Plain: l.TLS == config.TLSBoth}
	if l.ProxyProtocol {
		o.ProxyProtocol = trust
	}
	if l.TLS != config.TLSOff {
		tls := s.keeper.TLSConfig()
		o.TLS = func(c net.Conn) net.Conn { return conn.ServerTLS(c, tls) }
	}
	return o
}

// urls are where listeners are reached.
func urls(scheme, tls string, open []net.Listener) []string {
	if tls != config.TLSOff {
		scheme += "s"
	}
	out := make([]string, len(open))
	for i, ln := range open {
		if out[i] = scheme + "://" + userAddr(ln.Addr()); ln.Addr().Network() == "unix" {
			out[i] = "unix:" + ln.Addr().String()
		}
	}
	return out
}
