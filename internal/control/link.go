package control

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"cleat/internal/apigw"
	"cleat/internal/draft"
	"cleat/internal/store"
)

const linkIDLength = 6

func unknownLink(id string) *apigw.Error {
	return &apigw.Error{Kind: apigw.KindNotFound, Message: "Invalid VpcLink identifier specified " + id}
}

// CreateVPCLink makes a VPC link of its version. ID and date are filled in. Where the link leads is the configuration of
// the node.
func (c *Control) CreateVPCLink(ctx context.Context, l apigw.VPCLink) (apigw.VPCLink, error) {
	l.ID, l.CreatedDate = draft.NewID(linkIDLength), draft.Now()
	if err := draft.CheckVPCLink(&l).Err(); err != nil {
		return apigw.VPCLink{}, err
	}
	all, err := c.VPCLinks(ctx, l.Version)
	if err != nil {
		return apigw.VPCLink{}, err
	}
	var p draft.Problems
	if len(all) >= apigw.QuotaVPCLinks {
		p.Add(apigw.KindQuotaExceeded, "", "Maximum number of VPC links has been reached: %d", apigw.QuotaVPCLinks)
	}
	if err := p.Held(c.o.Unlimited).Err(); err != nil {
		return apigw.VPCLink{}, err
	}
	var b store.Batch
	store.Put(&b, store.VPCLinks().Key(l.ID), l, store.Absent())
	if err := c.commit(ctx, &b); err != nil {
		return apigw.VPCLink{}, err
	}
	return l, nil
}

// VPCLinks returns the VPC links of a version, ordered by ID.
func (c *Control) VPCLinks(ctx context.Context, v apigw.VPCLinkVersion) ([]apigw.VPCLink, error) {
	all, err := store.List(ctx, c.store, store.VPCLinks())
	return slices.DeleteFunc(all, func(l apigw.VPCLink) bool { return l.Version != v }), err
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
func (c *Control) changeLink(ctx context.Context, id string, edit func(*apigw.VPCLink) draft.Problems) (apigw.VPCLink, error) {
	var out apigw.VPCLink
	err := draft.Retry(func() error {
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
		if err := edit(&out).Err(); err != nil {
			return err
		}
		if err := draft.CheckVPCLink(&out).Err(); err != nil || store.Equal(have, out) {
			return err
		}
		var b store.Batch
		store.Put(&b, key, out, store.At(revision))
		return c.commit(ctx, &b)
	})
	if err != nil {
		return apigw.VPCLink{}, err
	}
	return out, nil
}

// PatchVPCLink changes a VPC link of V1 by patch operations.
func (c *Control) PatchVPCLink(ctx context.Context, id string, ops []PatchOperation) (apigw.VPCLink, error) {
	return c.changeLink(ctx, id, func(l *apigw.VPCLink) draft.Problems {
		if l.Version != apigw.LinkV1 {
			return draft.Failed(unknownLink(id))
		}
		return patch(ops, patches{
			"/name":        {"replace", func(_ *draft.Problems, op PatchOperation) { l.Name = op.Value }},
			"/description": {"replace", func(_ *draft.Problems, op PatchOperation) { l.Description = op.Value }},
		})
	})
}

// RenameVPCLink gives a VPC link of V2 a name, unless that is nil.
func (c *Control) RenameVPCLink(ctx context.Context, id string, name *string) (apigw.VPCLink, error) {
	return c.changeLink(ctx, id, func(l *apigw.VPCLink) draft.Problems {
		if l.Version != apigw.LinkV2 {
			return draft.Failed(unknownLink(id))
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
			if in.ConnectionType == draft.ConnectionVPCLink && in.ConnectionID == id {
				used = append(used, in.IntegrationID+":"+string(api))
			}
		}
	}
	if len(used) > 0 {
		var p draft.Problems
		p.Bad("", "Cannot delete vpc link. Vpc link '%s', is referenced in [%s] in format of [Integration:Api].", id, strings.Join(used, ", "))
		return p.Err()
	}
	var b store.Batch
	store.Delete(&b, store.VPCLinks().Key(id), store.Expect{})
	return c.commit(ctx, &b)
}
