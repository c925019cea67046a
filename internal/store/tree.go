package store

import (
	"context"
	"fmt"
	"slices"
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
}

// Tree returns an API with all that belongs to it. It fails with ErrNotFound. The slices are the caller's, but what their
// members refer to is shared with other trees and must not be changed: who changes a map of a member puts another in its
// place.
func (s *Store) Tree(ctx context.Context, id apigw.APIID) (*Tree, error) {
	key := APIs().Key(string(id)).path
	entries, _, err := s.driver.List(ctx, key)
	if err != nil {
		return nil, err
	}
	t := &Tree{Keys: make([]string, 0, len(entries))}
	seen := s.decoded.of(id)
	next := &memo{size: len(entries)}
	for len(entries) > 0 {
		rest, n := entries[0].Key[len(key):], 1
		if rest == "" || rest[0] == '/' { // not of an API whose ID begins with this one's
			segment, _, _ := strings.Cut(strings.TrimPrefix(rest, "/"), "/")
			collection := key + "/" + segment + "/"
			for segment != "" && n < len(entries) && strings.HasPrefix(entries[n].Key, collection) {
				n++
			}
			if err := t.add(entries[:n], segment, seen, next); err != nil {
				return nil, err
			}
		}
		entries = entries[n:]
	}
	if t.Revision == 0 {
		return nil, fmt.Errorf("API %s: %w", id, ErrNotFound)
	}
	s.decoded.keep(id, next)
	return t, nil
}

// Delete adds the deletion of the API and of all that belongs to it, the definitions of its deployments included.
func (t *Tree) Delete(b *Batch) {
	key := APIs().Key(string(t.API.APIID))
	Delete(b, key, At(t.Revision))
	for _, k := range t.Keys {
		if k != key.path {
			b.DeleteKey(k)
		}
	}
	for i := range t.Deployments {
		Delete(b, Definitions(t.API.APIID).Key(t.Deployments[i].DeploymentID), Expect{})
	}
}

// add takes in the entries of the API's collection segment, or the API's own one where that is empty. What was decoded
// before is in seen; it puts what it has into next.
func (t *Tree) add(entries []Entry, segment string, seen, next *memo) error {
	for i := range entries {
		t.Keys = append(t.Keys, entries[i].Key)
	}
	switch segment {
	case "":
		t.Revision = entries[0].Revision
		return decode(entries[0], &t.API)
	case routesSegment:
		return take(entries, &t.Routes, &seen.routes, &next.routes)
	case routeResponsesSegment:
		return take(entries, &t.RouteResponses, &seen.routeResponses, &next.routeResponses)
	case integrationsSegment:
		return take(entries, &t.Integrations, &seen.integrations, &next.integrations)
	case integrationResponsesSegment:
		return take(entries, &t.IntegrationResponses, &seen.integrationResponses, &next.integrationResponses)
	case authorizersSegment:
		return take(entries, &t.Authorizers, &seen.authorizers, &next.authorizers)
	case modelsSegment:
		return take(entries, &t.Models, &seen.models, &next.models)
	case deploymentsSegment:
		return take(entries, &t.Deployments, &seen.deployments, &next.deployments)
	case stagesSegment:
		return take(entries, &t.Stages, &seen.stages, &next.stages)
	}
	return fmt.Errorf("the store holds %s, which this version does not know", entries[0].Key)
}

// take reads a collection, by what was seen of it before, and notes what is next to be remembered. The list that it gives
// is a copy, for it is the caller's.
func take[T any](entries []Entry, to *[]T, seen, next *memory[T]) error {
	var err error
	if *next, err = seen.read(entries); err != nil {
		return err
	}
	*to = slices.Clone(next.values)
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
