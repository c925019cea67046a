package control

import (
	"context"
	"errors"
	"regexp"

	"cleat/internal/apigw"
)

// member is one kind of what belongs to an API: where a draft has it, and how one is checked and put in.
type member[T any] struct {
	name string // as AWS's messages have it
	list func(d *draft) *[]T
	id   func(*T) string
	put  func(d *draft, v T) problems
}

// The kinds of what belongs to an API.
var (
	routes = member[apigw.Route]{"Route", func(d *draft) *[]apigw.Route { return &d.now.Routes }, routeID, (*draft).putRoute}

	routeResponses = member[apigw.RouteResponse]{
		"RouteResponse", func(d *draft) *[]apigw.RouteResponse { return &d.now.RouteResponses }, routeResponseID, (*draft).putRouteResponse,
	}
	integrations = member[apigw.Integration]{
		"Integration", func(d *draft) *[]apigw.Integration { return &d.now.Integrations }, integrationID, (*draft).putIntegration,
	}
	integrationResponses = member[apigw.IntegrationResponse]{
		"IntegrationResponse", func(d *draft) *[]apigw.IntegrationResponse { return &d.now.IntegrationResponses }, integrationResponseID, (*draft).putIntegrationResponse,
	}
	authorizers = member[apigw.Authorizer]{
		"Authorizer", func(d *draft) *[]apigw.Authorizer { return &d.now.Authorizers }, authorizerID, (*draft).putAuthorizer,
	}
	models = member[apigw.Model]{
		"Model", func(d *draft) *[]apigw.Model { return &d.now.Models }, modelID,
		func(d *draft, m apigw.Model) problems { return append(d.putModel(m), d.checkSchema(&m)...) },
	}
	deployments = member[apigw.Deployment]{
		"Deployment", func(d *draft) *[]apigw.Deployment { return &d.now.Deployments }, deploymentID,
		func(d *draft, dep apigw.Deployment) problems {
			var p problems
			p.length("description", dep.Description, maxDescription)
			put(&d.now.Deployments, deploymentID, dep)
			return p
		},
	}
	// A stage with autoDeploy serves the API as it is at once.
	stages = member[apigw.Stage]{
		kindStage, func(d *draft) *[]apigw.Stage { return &d.now.Stages }, stageName,
		func(d *draft, s apigw.Stage) problems {
			p := d.setStage(s, now())
			d.autoDeploy(now())
			return p
		},
	}
)

// Unknown is the answer to an identifier that nothing of a kind has. what is the kind as AWS's messages have it: "Route",
// "Integration", "stage".
func Unknown(what, id string) error {
	text := "Invalid " + what + " identifier specified"
	if what != kindStage {
		text += " " + id
	}
	return &apigw.Error{Kind: apigw.KindNotFound, Message: text}
}

const kindStage = "stage"

// failed is what another one's error comes to among problems.
func failed(err error) problems {
	e, ok := errors.AsType[*apigw.Error](err)
	if !ok {
		e = &apigw.Error{Kind: apigw.KindInternal, Err: err}
	}
	return problems{{err: e}}
}

// create puts one in and returns what became of it. check, which may be nil, objects to more than put does.
func create[T any](ctx context.Context, c *Control, api apigw.APIID, m *member[T], v T, check func(d *draft, v *T) problems) (T, error) {
	var out T
	err := c.change(ctx, api, func(d *draft) problems {
		p := c.held(m.put(d, v))
		if check != nil {
			p = append(p, check(d, &v)...)
		}
		if made := find(*m.list(d), m.id, m.id(&v)); made != nil {
			out = *made
		}
		return p
	})
	if err != nil {
		out = *new(T)
	}
	return out, err
}

// update replaces one by what edit makes of it and returns what became of it. changed, which may be nil, adjusts the new
// one and objects to what must not be changed.
func update[T any](ctx context.Context, c *Control, api apigw.APIID, m *member[T], id string, edit func(T) (T, error), changed func(d *draft, before, after *T) problems) (T, error) {
	var out T
	err := c.change(ctx, api, func(d *draft) problems {
		have := find(*m.list(d), m.id, id)
		if have == nil {
			return failed(Unknown(m.name, id))
		}
		before := *have
		after, err := edit(before)
		if err != nil {
			return failed(err)
		}
		var p problems
		if changed != nil {
			p = changed(d, &before, &after)
		}
		drop(m.list(d), func(v *T) bool { return m.id(v) == id }) // or it would be in its own way
		p = append(p, c.held(m.put(d, after))...)
		if made := find(*m.list(d), m.id, id); made != nil {
			out = *made
		}
		return p
	})
	if err != nil {
		out = *new(T)
	}
	return out, err
}

// remove deletes one. check, which may be nil, objects, or takes along what belongs to it.
func remove[T any](ctx context.Context, c *Control, api apigw.APIID, m *member[T], id string, check func(d *draft, v *T) problems) error {
	return c.change(ctx, api, func(d *draft) problems {
		v := find(*m.list(d), m.id, id)
		if v == nil {
			return failed(Unknown(m.name, id))
		}
		if check != nil {
			if p := check(d, v); len(p) > 0 {
				return p
			}
		}
		drop(m.list(d), func(v *T) bool { return m.id(v) == id })
		return nil
	})
}

var idPattern = regexp.MustCompile(`^[A-Za-z0-9]{1,64}$`)

// isID tells whether a text may be an identifier; what comes from a request's path may be anything.
func isID(s string) bool { return idPattern.MatchString(s) }
