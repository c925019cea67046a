package store

import (
	"context"
	"fmt"
	"strings"

	"cleat/internal/apigw"
)

// Tree is an API with all that belongs to it, as it was at one revision. Slices are ordered by ID.
type Tree struct {
	API                  apigw.API
	Routes               []apigw.Route
	RouteResponses       []apigw.RouteResponse
	Integrations         []apigw.Integration
	IntegrationResponses []apigw.IntegrationResponse
	Authorizers          []apigw.Authorizer
	Models               []apigw.Model
	Deployments          []apigw.Deployment
	Stages               []apigw.Stage

	// Revision is that of the API's own entry. Who changes anything below an API writes the API with At(Revision) as
	// well, so that of two concurrent changes one sees the other.
	Revision Revision
	// Keys are the store's keys of all of it.
	Keys []string

	stageRevisions      map[string]Revision
	deploymentRevisions map[string]Revision
}

// Tree returns an API with all that belongs to it. It fails with ErrNotFound.
func (s *Store) Tree(ctx context.Context, id apigw.APIID) (*Tree, error) {
	trees, err := s.trees(ctx, APIs().Key(string(id)).path)
	if err != nil {
		return nil, err
	}
	for _, t := range trees {
		if t.API.APIID == id {
			return t, nil
		}
	}
	return nil, fmt.Errorf("API %s: %w", id, ErrNotFound)
}

// trees returns the APIs whose keys begin with prefix.
func (s *Store) trees(ctx context.Context, prefix string) ([]*Tree, error) {
	entries, _, err := s.driver.List(ctx, prefix)
	if err != nil {
		return nil, err
	}
	return treesOf(entries)
}

// treesOf makes the trees of the APIs that entries belong to.
func treesOf(entries []Entry) ([]*Tree, error) {
	byID := map[string]*Tree{}
	var trees []*Tree
	for _, e := range entries {
		id, rest, _ := strings.Cut(strings.TrimPrefix(e.Key, apisPrefix), "/")
		t := byID[id]
		if t == nil {
			t = &Tree{stageRevisions: map[string]Revision{}, deploymentRevisions: map[string]Revision{}}
			byID[id] = t
			trees = append(trees, t)
		}
		if err := t.add(e, rest); err != nil {
			return nil, err
		}
	}
	return trees, nil
}

// add takes in one entry; rest is its key below the API, empty for the API itself.
func (t *Tree) add(e Entry, rest string) error {
	t.Keys = append(t.Keys, e.Key)
	segment, id, _ := strings.Cut(rest, "/")
	switch segment {
	case "":
		t.Revision = e.Revision
		return decode(e, &t.API)
	case routesSegment:
		return appendDecoded(e, &t.Routes)
	case routeResponsesSegment:
		return appendDecoded(e, &t.RouteResponses)
	case integrationsSegment:
		return appendDecoded(e, &t.Integrations)
	case integrationResponsesSegment:
		return appendDecoded(e, &t.IntegrationResponses)
	case authorizersSegment:
		return appendDecoded(e, &t.Authorizers)
	case modelsSegment:
		return appendDecoded(e, &t.Models)
	case deploymentsSegment:
		t.deploymentRevisions[id] = e.Revision
		return appendDecoded(e, &t.Deployments)
	case stagesSegment:
		t.stageRevisions[id] = e.Revision
		return appendDecoded(e, &t.Stages)
	}
	return fmt.Errorf("the store holds %s, which this version does not know", e.Key)
}

func appendDecoded[T any](e Entry, all *[]T) error {
	var v T
	if err := decode(e, &v); err != nil {
		return err
	}
	*all = append(*all, v)
	return nil
}

// Definition returns what a deployment of the API as it is now would freeze (spec control-plane §10).
func (t *Tree) Definition() apigw.Definition {
	return apigw.Definition{
		RouteSelectionExpression:  t.API.RouteSelectionExpression,
		APIKeySelectionExpression: t.API.APIKeySelectionExpression,
		DisableExecuteAPIEndpoint: t.API.DisableExecuteAPIEndpoint,
		DisableSchemaValidation:   t.API.DisableSchemaValidation,
		Routes:                    t.Routes,
		RouteResponses:            t.RouteResponses,
		Integrations:              t.Integrations,
		IntegrationResponses:      t.IntegrationResponses,
		Authorizers:               t.Authorizers,
		Models:                    t.Models,
	}
}
