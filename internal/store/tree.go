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
	next := make(memo, len(entries))
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
func (t *Tree) add(entries []Entry, segment string, seen, next memo) error {
	for i := range entries {
		t.Keys = append(t.Keys, entries[i].Key)
	}
	switch segment {
	case "":
		t.Revision = entries[0].Revision
		return decode(entries[0], &t.API)
	case routesSegment:
		return takeAll(entries, &t.Routes, seen, next)
	case routeResponsesSegment:
		return takeAll(entries, &t.RouteResponses, seen, next)
	case integrationsSegment:
		return takeAll(entries, &t.Integrations, seen, next)
	case integrationResponsesSegment:
		return takeAll(entries, &t.IntegrationResponses, seen, next)
	case authorizersSegment:
		return takeAll(entries, &t.Authorizers, seen, next)
	case modelsSegment:
		return takeAll(entries, &t.Models, seen, next)
	case deploymentsSegment:
		return takeAll(entries, &t.Deployments, seen, next)
	case stagesSegment:
		return takeAll(entries, &t.Stages, seen, next)
	}
	return fmt.Errorf("the store holds %s, which this version does not know", entries[0].Key)
}

func takeAll[T any](entries []Entry, all *[]T, seen, next memo) error {
	*all = make([]T, len(entries))
	for i := range entries {
		if err := take(entries[i], &(*all)[i], seen, next); err != nil {
			return err
		}
	}
	return nil
}

func take[T any](e Entry, to *T, seen, next memo) error {
	m := seen[e.Key]
	if m.value == nil || m.revision != e.Revision {
		v := new(T)
		if err := decode(e, v); err != nil {
			return err
		}
		m = memory{v, e.Revision}
	}
	next[e.Key] = m
	v, ok := m.value.(*T)
	if !ok {
		return fmt.Errorf("%s was another kind of definition before", e.Key)
	}
	*to = *v
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
