package control

import (
	"context"
	"errors"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"cleat/internal/apigw"
	"cleat/internal/store"
)

const linkIDLength = 6

var loadBalancer = regexp.MustCompile(`^arn:aws[a-z-]*:elasticloadbalancing:[a-z0-9-]+:[0-9]{12}:loadbalancer/net/[A-Za-z0-9-]+/[0-9a-f]+$`)

func unknownLink(id string) *apigw.Error {
	return &apigw.Error{Kind: apigw.KindNotFound, Message: "Invalid VpcLink identifier specified " + id}
}

// checkLink checks a VPC link (spec control-plane §13).
func checkLink(l *apigw.VPCLink) problems {
	var p problems
	if l.Name == "" {
		p.bad("name", "Name is required")
	}
	p.length("name", l.Name, maxName)
	p.length("description", l.Description, maxDescription)
	p.tags(l.Tags)
	switch l.Version {
	case apigw.LinkV1:
		if len(l.TargetARNs) != 1 || !loadBalancer.MatchString(l.TargetARNs[0]) && !IsTargetURL(l.TargetARNs[0]) {
			p.bad("targetArns", "Invalid targetArns: want the ARN of one network load balancer, or, here, a URL of a scheme, a host and a port such as http://10.0.0.7:8080")
		}
	case apigw.LinkV2:
		if len(l.SubnetIDs) == 0 {
			p.bad("subnetIds", "subnetIds is required")
		}
		p.texts("subnetIds", l.SubnetIDs)
		p.texts("securityGroupIds", l.SecurityGroupIDs)
	}
	return p
}

// texts bounds a list of identifiers of other services.
func (p *problems) texts(field string, list []string) {
	if len(list) > maxTags || slices.ContainsFunc(list, func(s string) bool { return s == "" || len(s) > maxName }) {
		p.bad(field, "%s must be at most %d texts of 1 to %d characters", field, maxTags, maxName)
	}
}

// IsTargetURL reports whether a VPC link's target is the address of a backend itself, where AWS has a load balancer's ARN.
func IsTargetURL(target string) bool {
	u, err := url.Parse(target)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" && u.Port() != "" && strings.Trim(u.Path, "/") == "" &&
		u.RawQuery == "" && u.User == nil && u.Fragment == "" && len(target) <= maxURI
}

// LoadBalancerName is the name in the ARN of a load balancer, empty when a target is none.
func LoadBalancerName(target string) string {
	if !loadBalancer.MatchString(target) {
		return ""
	}
	return strings.Split(target, "/")[2]
}

// CreateVPCLink makes a VPC link of its version. ID and date are filled in. Where the link leads is the configuration of
// the node.
func (c *Control) CreateVPCLink(ctx context.Context, l apigw.VPCLink) (apigw.VPCLink, error) {
	l.ID, l.CreatedDate = newID(linkIDLength), now()
	if err := checkLink(&l).err(); err != nil {
		return apigw.VPCLink{}, err
	}
	all, err := c.VPCLinks(ctx, l.Version)
	if err != nil {
		return apigw.VPCLink{}, err
	}
	var p problems
	if len(all) >= apigw.QuotaVPCLinks {
		p.add(apigw.KindQuotaExceeded, "", "Maximum number of VPC links has been reached: %d", apigw.QuotaVPCLinks)
	}
	if err := c.held(p).err(); err != nil {
		return apigw.VPCLink{}, err
	}
	var b store.Batch
	store.Put(&b, store.VPCLinks().Key(l.ID), l, store.Absent())
	if err := c.commitBatch(ctx, &b); err != nil {
		return apigw.VPCLink{}, err
	}
	return l, nil
}

// VPCLinks returns the VPC links of a version, ordered by ID.
func (c *Control) VPCLinks(ctx context.Context, v apigw.VPCLinkVersion) ([]apigw.VPCLink, error) {
	all, err := store.List(ctx, c.store, store.VPCLinks())
	drop(&all, func(l *apigw.VPCLink) bool { return l.Version != v })
	return all, err
}

// VPCLink returns a VPC link. One that is unknown, or of another version, is an *apigw.Error of KindNotFound.
func (c *Control) VPCLink(ctx context.Context, v apigw.VPCLinkVersion, id string) (apigw.VPCLink, error) {
	l, err := c.link(ctx, id)
	if err == nil && l.Version != v {
		return apigw.VPCLink{}, unknownLink(id)
	}
	return l, err
}

// link returns a VPC link of any version.
func (c *Control) link(ctx context.Context, id string) (apigw.VPCLink, error) {
	l, err := get(ctx, c, store.VPCLinks(), id)
	if errors.Is(err, store.ErrNotFound) {
		return l, unknownLink(id)
	}
	return l, err
}

// changeLink makes one change of a VPC link of any version.
func (c *Control) changeLink(ctx context.Context, id string, edit func(*apigw.VPCLink) problems) (apigw.VPCLink, error) {
	var out apigw.VPCLink
	err := retry(func() error {
		if !isID(id) {
			return unknownLink(id)
		}
		key := store.VPCLinks().Key(id)
		have, revision, err := store.Get(ctx, c.store, key)
		if errors.Is(err, store.ErrNotFound) {
			return unknownLink(id)
		}
		if err != nil {
			return err
		}
		out = have
		if err := edit(&out).err(); err != nil {
			return err
		}
		if err := checkLink(&out).err(); err != nil || equal(have, out) {
			return err
		}
		var b store.Batch
		store.Put(&b, key, out, store.At(revision))
		return c.commitBatch(ctx, &b)
	})
	if err != nil {
		return apigw.VPCLink{}, err
	}
	return out, nil
}

// PatchVPCLink changes a VPC link of V1 by patch operations.
func (c *Control) PatchVPCLink(ctx context.Context, id string, ops []PatchOperation) (apigw.VPCLink, error) {
	return c.changeLink(ctx, id, func(l *apigw.VPCLink) problems {
		if l.Version != apigw.LinkV1 {
			return problems{{"", unknownLink(id)}}
		}
		return patch(ops, patches{
			"/name":        {"replace", func(_ *problems, op PatchOperation) { l.Name = op.Value }},
			"/description": {"replace", func(_ *problems, op PatchOperation) { l.Description = op.Value }},
		})
	})
}

// RenameVPCLink gives a VPC link of V2 a name, unless that is nil.
func (c *Control) RenameVPCLink(ctx context.Context, id string, name *string) (apigw.VPCLink, error) {
	return c.changeLink(ctx, id, func(l *apigw.VPCLink) problems {
		if l.Version != apigw.LinkV2 {
			return problems{{"", unknownLink(id)}}
		}
		if name != nil {
			l.Name = *name
		}
		return nil
	})
}

// DeleteVPCLink deletes a VPC link, unless an integration names it by its ID.
func (c *Control) DeleteVPCLink(ctx context.Context, v apigw.VPCLinkVersion, id string) error {
	if _, err := c.VPCLink(ctx, v, id); err != nil {
		return err
	}
	integrations, err := c.store.Integrations(ctx)
	if err != nil {
		return err
	}
	var used []string
	for _, api := range slices.Sorted(maps.Keys(integrations)) {
		for _, in := range integrations[api] {
			if in.ConnectionType == connectionVPCLink && in.ConnectionID == id {
				used = append(used, in.IntegrationID+":"+string(api))
			}
		}
	}
	if len(used) > 0 {
		var p problems
		p.bad("", "Cannot delete vpc link. Vpc link '%s', is referenced in [%s] in format of [Integration:Api].", id, strings.Join(used, ", "))
		return p.err()
	}
	var b store.Batch
	store.Delete(&b, store.VPCLinks().Key(id), store.Expect{})
	return c.commitBatch(ctx, &b)
}
