package server

import (
	"maps"
	"net"
	"slices"
	"strings"

	"cleat/internal/apigw"
	"cleat/internal/listen"
)

// names are the host names that lead to the node: its custom domain names, and its own domain with what is below it.
func (s *serveNode) names() []string {
	names := slices.Clone(s.node.domains)
	if s.domain != "" {
		name := listen.HostName(s.domain)
		names = append(names, name, "*."+name)
	}
	return names
}

// local tells which targets of the functions' CONNECT proxy end in this node.
func (s *serveNode) local(target string) bool {
	host, port, err := net.SplitHostPort(target)
	if err != nil {
		return false
	}
	if port == "443" && listen.IsAWSHost(host) {
		return true
	}
	_, own, _ := strings.Cut(s.domain, ":")
	name := listen.HostName(host)
	return (port == "443" || port == own) && (name == listen.HostName(s.domain) || listen.Owns(s.node.gateway.Directory(), name))
}

// endpoints tells where APIs are found below the node's domain.
func (s *serveNode) endpoints(open *sockets) func(apigw.APIID) string {
	port := ""
	for _, ln := range slices.Backward(open.public) {
		if _, p := splitAddr(ln.Addr()); p != "" {
			port = p
		}
	}
	settings := s.settings // of the start: what the endpoint is made of does not change
	return func(id apigw.APIID) string { return settings.endpoint(id, port) }
}

// allowed tells for which names certificates may be got when a client asks for them.
func (s *serveNode) allowed(name string) bool {
	return s.node != nil && !s.keeper.Covers(name) && listen.Owns(s.node.gateway.Directory(), name)
}

// certified are the names that certificates are got for ahead of any client: those named for it, the node's domain and its
// custom domain names. No challenge that is answered here proves a wildcard.
func (s *serveNode) certified(settings *serveSettings) []string {
	names := map[string]bool{}
	for _, name := range slices.Concat(settings.Serve.ACME.Domains, s.node.domains, []string{listen.HostName(s.domain)}) {
		if name != "" && !strings.HasPrefix(name, "*.") && !s.keeper.Covers(name) {
			names[name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}
