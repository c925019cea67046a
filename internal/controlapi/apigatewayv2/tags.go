package apigatewayv2

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"cleat/internal/apigw"
	"cleat/internal/controlapi"
	"cleat/internal/draft"
)

// tags are the operations on the tags of APIs, stages, custom domain names and VPC links (spec control-plane §13).
func (s *service) tags() []controlapi.Operation {
	const path = "/v2/tags/{resourceArn}"
	all := []controlapi.Operation{
		operation("TagResource", http.MethodPost, path, s.tagResource),
		operation("GetTags", http.MethodGet, path, s.getTags),
		operation("UntagResource", http.MethodDelete, path, s.untagResource),
	}
	for i := range all {
		all[i].Resource = func(c *controlapi.Call) string {
			return arnPrefix(c) + "/tags/" + url.QueryEscape(c.Path("resourceArn"))
		}
	}
	return all
}

// tagged is something that has tags.
type tagged struct {
	read   func() (map[string]string, error)
	update func(tagChange) error
}

// tagChange puts tags on something, in the place of those of the same keys, and takes others off.
type tagChange struct {
	put map[string]string
	off []string
}

func (t tagChange) of(have map[string]string) map[string]string {
	all := maps.Clone(have)
	if all == nil && len(t.put) > 0 {
		all = map[string]string{}
	}
	maps.Copy(all, t.put)
	for _, key := range t.off {
		delete(all, key)
	}
	return all
}

// tagged finds what the ARN in a request's path names.
func (s *service) tagged(c *controlapi.Call) (tagged, error) {
	path, ok := strings.CutPrefix(c.Path("resourceArn"), arnPrefix(c)+"/")
	kind, rest, _ := strings.Cut(path, "/")
	id, stage, below := strings.Cut(rest, "/stages/")
	switch {
	case !ok || rest == "":
	case kind == "apis" && below:
		return s.taggedStage(c, apigw.APIID(id), stage), nil
	case kind == "apis":
		return s.taggedAPI(c, apigw.APIID(id)), nil
	case kind == "domainnames":
		return s.taggedDomain(c, rest), nil
	case kind == "vpclinks":
		return s.taggedLink(c, rest), nil
	}
	return tagged{}, badRequest("Invalid resource ARN specified: want that of an API, a stage, a domain name or a VPC link, such as " + arnPrefix(c) + "/apis/a1b2c3d4e5")
}

func (s *service) taggedAPI(c *controlapi.Call, id apigw.APIID) tagged {
	return tagged{
		read: func() (map[string]string, error) {
			t, err := s.control.API(c.Context, id)
			if err != nil {
				return nil, err
			}
			return t.API.Tags, nil
		},
		update: func(change tagChange) error {
			_, err := s.control.UpdateAPI(c.Context, id, func(v apigw.API) (apigw.API, error) {
				v.Tags = change.of(v.Tags)
				return v, nil
			})
			return err
		},
	}
}

func (s *service) taggedStage(c *controlapi.Call, id apigw.APIID, name string) tagged {
	return tagged{
		read: func() (map[string]string, error) {
			t, err := s.control.API(c.Context, id)
			if err != nil {
				return nil, err
			}
			i := slices.IndexFunc(t.Stages, func(v apigw.Stage) bool { return v.StageName == name })
			if i < 0 {
				return nil, draft.Stages.Unknown(name)
			}
			return t.Stages[i].Tags, nil
		},
		update: func(change tagChange) error {
			_, err := s.control.UpdateStage(c.Context, id, name, func(v apigw.Stage) (apigw.Stage, error) {
				v.Tags = change.of(v.Tags)
				return v, nil
			})
			return err
		},
	}
}

func (s *service) taggedDomain(c *controlapi.Call, name string) tagged {
	return tagged{
		read: func() (map[string]string, error) {
			v, err := s.control.DomainName(c.Context, name)
			return v.Tags, err
		},
		update: func(change tagChange) error {
			_, err := s.control.UpdateDomainName(c.Context, name, func(v apigw.DomainName) (apigw.DomainName, error) {
				v.Tags = change.of(v.Tags)
				return v, nil
			})
			return err
		},
	}
}

// taggedLink is a VPC link of V2; apigateway's own operations know those of V1.
func (s *service) taggedLink(c *controlapi.Call, id string) tagged {
	read := func() (map[string]string, error) {
		v, err := s.control.VPCLink(c.Context, apigw.LinkV2, id)
		return v.Tags, err
	}
	return tagged{
		read: read,
		update: func(change tagChange) error {
			if _, err := read(); err != nil {
				return err
			}
			path := "/vpclinks/" + id
			if len(change.off) > 0 {
				return s.control.UntagNode(c.Context, path, change.off)
			}
			return s.control.TagNode(c.Context, path, change.put)
		},
	}
}

func (s *service) getTags(c *controlapi.Call) (controlapi.Answer, error) {
	of, err := s.tagged(c)
	if err != nil {
		return controlapi.Answer{}, err
	}
	have, err := of.read()
	if err != nil {
		return controlapi.Answer{}, err
	}
	return controlapi.OK(map[string]any{"tags": empty(have)}), nil
}

func (s *service) tagResource(c *controlapi.Call) (controlapi.Answer, error) {
	var request struct {
		Tags map[string]string `json:"tags"`
	}
	if err := c.JSON(&request); err != nil {
		return controlapi.Answer{}, err
	}
	of, err := s.tagged(c)
	if err != nil {
		return controlapi.Answer{}, err
	}
	return controlapi.Created(struct{}{}), of.update(tagChange{put: request.Tags})
}

func (s *service) untagResource(c *controlapi.Call) (controlapi.Answer, error) {
	keys := c.Request.URL.Query()["tagKeys"]
	if len(keys) == 0 {
		return controlapi.Answer{}, badRequest("tagKeys is required")
	}
	of, err := s.tagged(c)
	if err != nil {
		return controlapi.Answer{}, err
	}
	return controlapi.NoContent(), of.update(tagChange{off: keys})
}
