package server

import (
	"net"
	"slices"
	"strings"
	"sync/atomic"

	"cleat/internal/control/stacks"
	"cleat/internal/listen"
	"cleat/internal/localca"
)

// domainNames are the custom domain names that a project has now. Inside of its functions they lead to Cleat, which
// answers them over TLS; elsewhere they lead wherever the world's DNS says.
type domainNames struct {
	authority *localca.Authority
	names     atomic.Pointer[[]string]
}

// set takes the names from an applied project.
func (d *domainNames) set(o stacks.Outcome) {
	names := []string{}
	for _, api := range o.APIs {
		for _, domain := range api.Domains {
			if !slices.Contains(names, domain.Name) {
				names = append(names, domain.Name)
			}
		}
	}
	d.put(names)
}

// put sets the names.
func (d *domainNames) put(names []string) {
	d.names.Store(&names)
	d.authority.Allow(names...)
}

// list returns the names.
func (d *domainNames) list() []string {
	if names := d.names.Load(); names != nil {
		return *names
	}
	return nil
}

// has tells whether a host is one of them, or falls under one with a star.
func (d *domainNames) has(host string) bool {
	name := listen.HostName(host)
	_, rest, _ := strings.Cut(name, ".")
	names := d.list()
	return slices.Contains(names, name) || slices.Contains(names, "*."+rest)
}

// local tells which targets of the CONNECT proxy end in this node: AWS's default endpoints and the project's custom
// domain names, at HTTPS's port or Cleat's own.
func (d *dev) local(target string) bool {
	host, port, err := net.SplitHostPort(target)
	if err != nil {
		return false
	}
	_, own, _ := net.SplitHostPort(d.addr)
	return port == "443" && listen.IsAWSHost(host) || (port == "443" || port == own) && d.domains.has(host)
}
