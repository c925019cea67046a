package draft

import (
	"cleat/internal/apigw"
	"cleat/internal/store"
)

// Kind is one kind of what belongs to an API: where a draft and the store have it, and how one is checked and put in.
type Kind[T any] struct {
	name string // as AWS's messages have it
	list func(*store.Tree) *[]T
	id   func(*T) string
	of   func(apigw.APIID) store.Collection[T]
	put  func(d *API, v T) Problems
}

// The kinds of what belongs to an API.
var (
	Routes = &Kind[apigw.Route]{
		"Route", func(t *store.Tree) *[]apigw.Route { return &t.Routes }, routeID, store.Routes, (*API).putRoute,
	}
	RouteResponses = &Kind[apigw.RouteResponse]{
		"RouteResponse", func(t *store.Tree) *[]apigw.RouteResponse { return &t.RouteResponses }, routeResponseID, store.RouteResponses, (*API).putRouteResponse,
	}
	Integrations = &Kind[apigw.Integration]{
		"Integration", func(t *store.Tree) *[]apigw.Integration { return &t.Integrations }, integrationID, store.Integrations, (*API).putIntegration,
	}
	IntegrationResponses = &Kind[apigw.IntegrationResponse]{
		"IntegrationResponse", func(t *store.Tree) *[]apigw.IntegrationResponse { return &t.IntegrationResponses }, integrationResponseID,
		store.IntegrationResponses, (*API).putIntegrationResponse,
	}
	Authorizers = &Kind[apigw.Authorizer]{
		"Authorizer", func(t *store.Tree) *[]apigw.Authorizer { return &t.Authorizers }, authorizerID, store.Authorizers, (*API).putAuthorizer,
	}
	// A model that is put in is checked with the models that are in. Those of a template come in any order: AddModel.
	Models = &Kind[apigw.Model]{
		"Model", func(t *store.Tree) *[]apigw.Model { return &t.Models }, modelID, store.Models,
		func(d *API, m apigw.Model) Problems { return append(d.AddModel(m), d.CheckSchema(&m)...) },
	}
	// Of a deployment that is put in the description alone may be another than before; Deploy makes one.
	Deployments = &Kind[apigw.Deployment]{
		"Deployment", func(t *store.Tree) *[]apigw.Deployment { return &t.Deployments }, deploymentID, store.Deployments,
		func(d *API, dep apigw.Deployment) Problems {
			var p Problems
			p.length("description", dep.Description, maxDescription)
			put(&d.Now.Deployments, deploymentID, dep)
			return p
		},
	}
	// A stage with autoDeploy that is put in serves the API as it is at once. Its settings may name any route: KnowsRoutes.
	Stages = &Kind[apigw.Stage]{
		"stage", func(t *store.Tree) *[]apigw.Stage { return &t.Stages }, stageName, store.Stages,
		func(d *API, s apigw.Stage) Problems {
			p := d.setStage(s)
			d.AutoDeploy()
			return p
		},
	}
)

// The identifiers of what an API holds.
func routeID(r *apigw.Route) string                             { return r.RouteID }
func routeResponseID(r *apigw.RouteResponse) string             { return r.RouteResponseID }
func integrationID(i *apigw.Integration) string                 { return i.IntegrationID }
func integrationResponseID(r *apigw.IntegrationResponse) string { return r.IntegrationResponseID }
func authorizerID(a *apigw.Authorizer) string                   { return a.AuthorizerID }
func modelID(m *apigw.Model) string                             { return m.ModelID }
func deploymentID(d *apigw.Deployment) string                   { return d.DeploymentID }
func stageName(s *apigw.Stage) string                           { return s.StageName }

// ID is the identifier of one: a stage's is its name.
func (k *Kind[T]) ID(v *T) string { return k.id(v) }

// Key is the key in the store of one of an API.
func (k *Kind[T]) Key(api apigw.APIID, id string) store.Key[T] { return k.of(api).Key(id) }

// Find returns the one of that ID, nil when there is none. It is good until the draft changes.
func (k *Kind[T]) Find(d *API, id string) *T { return find(*k.list(&d.Now), k.id, id) }

// Put checks one, fills in its defaults and puts it in, in the place of that of the same ID. A stage of the same name must
// be dropped before.
func (k *Kind[T]) Put(d *API, v T) Problems { return k.put(d, v) }

// Drop removes those for which gone holds, whatever refers to them.
func (k *Kind[T]) Drop(d *API, gone func(*T) bool) { drop(k.list(&d.Now), gone) }

// Unknown is the answer to an identifier that nothing of the kind has, an *apigw.Error of KindNotFound.
func (k *Kind[T]) Unknown(id string) error {
	text := "Invalid " + k.name + " identifier specified"
	if k.name != Stages.name {
		text += " " + id
	}
	return &apigw.Error{Kind: apigw.KindNotFound, Message: text}
}

// kinds are all of them, in the order in which they are written.
var kinds = []interface {
	begin(d *API)
	forget(d *API, keys map[string]bool)
	write(b *store.Batch, d *API, before *store.Tree)
}{Routes, RouteResponses, Integrations, IntegrationResponses, Authorizers, Models, Deployments, Stages}

// begin has the draft begin with what the API has of the kind.
func (k *Kind[T]) begin(d *API) {
	list := k.list(&d.Now)
	*list = *k.list(d.before)
	clip(list)
}

func (k *Kind[T]) forget(d *API, keys map[string]bool) {
	forgetIn(k.list(&d.Now), k.of(d.ID()), k.id, keys)
}

func (k *Kind[T]) write(b *store.Batch, d *API, before *store.Tree) {
	writeDiff(b, k.of(d.ID()), k.id, *k.list(before), *k.list(&d.Now))
}
