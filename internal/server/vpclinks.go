package server

import (
	"context"
	"fmt"
	"slices"

	"cleat/internal/apigw"
	"cleat/internal/backend"
	"cleat/internal/config"
	"cleat/internal/draft"
	"cleat/internal/store"
)

// linkTo finds where a VPC link of the control plane leads: the link in the configuration that has its ID, its name, or
// the name of its load balancer; else target, which is its own where that is a URL. Both are nil where it leads nowhere.
func linkTo(configured []config.VPCLink, l *apigw.VPCLink) (at *config.VPCLink, target string) {
	names := []string{l.ID, l.Name}
	for _, t := range l.TargetARNs {
		if draft.IsTargetURL(t) {
			target = t
		}
		names = append(names, draft.LoadBalancerName(t))
	}
	for _, name := range names {
		i := slices.IndexFunc(configured, func(c config.VPCLink) bool { return name != "" && c.Name == name })
		if i >= 0 {
			return &configured[i], ""
		}
	}
	return nil, target
}

// backendLinks are the VPC links of the configuration, under the IDs and names of those of the control plane too, and
// those of the latter that say themselves where they lead. Integrations name links by either.
func backendLinks(configured []config.VPCLink, made []apigw.VPCLink) []backend.Link {
	links := make([]backend.Link, 0, len(configured)+len(made))
	byName := map[string]int{}
	for _, l := range configured {
		link := backend.Link{Name: l.Name, Targets: l.Targets}
		if l.Check != nil {
			check := backend.HealthCheck(*l.Check)
			link.Check = &check
		}
		byName[l.Name] = len(links)
		links = append(links, link)
	}
	for i := range made {
		l := &made[i]
		at, target := linkTo(configured, l)
		switch {
		case at != nil:
			link := &links[byName[at.Name]]
			link.Aliases = append(link.Aliases, l.ID, l.Name)
		case target != "":
			links = append(links, backend.Link{Name: l.ID, Aliases: []string{l.Name}, Targets: []string{target}})
		}
	}
	return links
}

// loadLinks makes integrations reach private backends.
func (n *node) loadLinks(ctx context.Context, p settings) error {
	made, err := store.List(ctx, n.store, store.VPCLinks())
	if err != nil {
		return fmt.Errorf("read the VPC links: %w", err)
	}
	n.configuredLinks.Store(&p.VPCLinks)
	if err := n.links.Swap(backendLinks(p.VPCLinks, made)); err != nil { //nolint:contextcheck // health checks outlive ctx: the next load or the stop ends them
		return fmt.Errorf("set up the VPC links of cleat.yaml: %w", err)
	}
	return nil
}

// linkLeads tells whether this node knows where a VPC link leads.
func (n *node) linkLeads(l *apigw.VPCLink) bool {
	var configured []config.VPCLink
	if all := n.configuredLinks.Load(); all != nil {
		configured = *all
	}
	at, target := linkTo(configured, l)
	return at != nil || target != ""
}
