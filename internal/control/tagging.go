package control

import (
	"context"
	"maps"
	"strings"

	"cleat/internal/apigw"
	"cleat/internal/draft"
)

// NodeTags returns the tags of what belongs to no API: an API key, usage plan or VPC link, by the path in its ARN, such
// as "/apikeys/a1b2c3d4e5". An unknown one, and a path of anything else, is an *apigw.Error of KindNotFound.
func (c *Control) NodeTags(ctx context.Context, path string) (map[string]string, error) {
	kind, id, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	switch kind {
	case "apikeys":
		k, err := c.APIKey(ctx, id)
		return k.Tags, err
	case "usageplans":
		p, err := c.UsagePlan(ctx, id)
		return p.Tags, err
	case "vpclinks":
		l, err := c.link(ctx, id)
		return l.Tags, err
	}
	return nil, unknownResource(path)
}

func unknownResource(path string) *apigw.Error {
	return &apigw.Error{Kind: apigw.KindNotFound, Message: "Invalid resource specified " + path}
}

// TagNode puts tags on what NodeTags knows, in the place of those of the same keys.
func (c *Control) TagNode(ctx context.Context, path string, tags map[string]string) error {
	return c.changeTags(ctx, path, func(all map[string]string) { maps.Copy(all, tags) })
}

// UntagNode takes tags off what NodeTags knows. Those that are not there are no error.
func (c *Control) UntagNode(ctx context.Context, path string, keys []string) error {
	return c.changeTags(ctx, path, func(all map[string]string) {
		for _, k := range keys {
			delete(all, k)
		}
	})
}

func (c *Control) changeTags(ctx context.Context, path string, edit func(map[string]string)) error {
	edited := func(tags map[string]string) map[string]string {
		all := map[string]string{}
		maps.Copy(all, tags)
		edit(all)
		return all
	}
	kind, id, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	switch kind {
	case "apikeys":
		return c.changeUsage(ctx, func(u *draft.Usage) (draft.Problems, error) {
			k := u.Key(id)
			if k == nil {
				return nil, unknownKey(id)
			}
			next := *k
			next.Tags = edited(k.Tags)
			return u.PutKey(next), nil
		})
	case "usageplans":
		return c.changeUsage(ctx, func(u *draft.Usage) (draft.Problems, error) {
			p := u.Plan(id)
			if p == nil {
				return nil, unknownPlan(id)
			}
			next := *p
			next.Tags = edited(p.Tags)
			return u.PutPlan(next), nil
		})
	case "vpclinks":
		_, err := c.changeLink(ctx, id, func(l *apigw.VPCLink) draft.Problems {
			l.Tags = edited(l.Tags)
			return nil
		})
		return err
	}
	return unknownResource(path)
}
