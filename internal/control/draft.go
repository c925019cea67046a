package control

import (
	"bytes"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/store"
)

// draft is one API being changed in memory: as the store has it, and as it is to become. Its methods make one change
// each and return what is wrong with it. A draft with anything wrong is thrown away in the end; that the change was made
// all the same keeps one fault from causing others.
type draft struct {
	before *store.Tree // nil: the API is new
	now    store.Tree
	// touched tells that something outside of the API has come to depend on it: it is written even if it is as before, so
	// that of this and its deletion one sees the other.
	touched bool
	// frozen are the definitions of the deployments that this change makes, by their ID.
	frozen map[string]apigw.Definition
}

// editable returns a draft of an API as it is.
func editable(t *store.Tree) *draft {
	return &draft{before: t, now: store.Tree{
		API: t.API, Routes: slices.Clone(t.Routes), RouteResponses: slices.Clone(t.RouteResponses),
		Integrations: slices.Clone(t.Integrations), IntegrationResponses: slices.Clone(t.IntegrationResponses),
		Authorizers: slices.Clone(t.Authorizers), Models: slices.Clone(t.Models),
		Deployments: slices.Clone(t.Deployments), Stages: slices.Clone(t.Stages),
	}}
}

func (d *draft) id() apigw.APIID { return d.now.API.APIID }

// The identifiers of what an API holds.
func routeID(r *apigw.Route) string                             { return r.RouteID }
func routeResponseID(r *apigw.RouteResponse) string             { return r.RouteResponseID }
func integrationID(i *apigw.Integration) string                 { return i.IntegrationID }
func integrationResponseID(r *apigw.IntegrationResponse) string { return r.IntegrationResponseID }
func authorizerID(a *apigw.Authorizer) string                   { return a.AuthorizerID }
func modelID(m *apigw.Model) string                             { return m.ModelID }
func deploymentID(d *apigw.Deployment) string                   { return d.DeploymentID }
func stageName(s *apigw.Stage) string                           { return s.StageName }

// find returns the member of that ID, nil when there is none.
func find[T any](list []T, id func(*T) string, want string) *T {
	for i := range list {
		if id(&list[i]) == want {
			return &list[i]
		}
	}
	return nil
}

// put replaces the member of the same ID, or puts the new one in its place in the order of IDs.
func put[T any](list *[]T, id func(*T) string, v T) {
	i, found := slices.BinarySearchFunc(*list, id(&v), func(have T, want string) int { return strings.Compare(id(&have), want) })
	if found {
		(*list)[i] = v
		return
	}
	*list = slices.Insert(*list, i, v)
}

// drop removes the members for which gone holds.
func drop[T any](list *[]T, gone func(*T) bool) {
	*list = slices.DeleteFunc(*list, func(v T) bool { return gone(&v) })
}

// forget removes everything whose key in the store is among those given.
func (d *draft) forget(keys map[string]bool) {
	api := d.id()
	forgetIn(&d.now.Routes, store.Routes(api), routeID, keys)
	forgetIn(&d.now.RouteResponses, store.RouteResponses(api), routeResponseID, keys)
	forgetIn(&d.now.Integrations, store.Integrations(api), integrationID, keys)
	forgetIn(&d.now.IntegrationResponses, store.IntegrationResponses(api), integrationResponseID, keys)
	forgetIn(&d.now.Authorizers, store.Authorizers(api), authorizerID, keys)
	forgetIn(&d.now.Models, store.Models(api), modelID, keys)
	forgetIn(&d.now.Deployments, store.Deployments(api), deploymentID, keys)
	forgetIn(&d.now.Stages, store.Stages(api), stageName, keys)
}

func forgetIn[T any](list *[]T, c store.Collection[T], id func(*T) string, keys map[string]bool) {
	drop(list, func(v *T) bool { return keys[c.Key(id(v)).String()] })
}

// write adds to a batch what changed, and with it the API itself: who else changes the API at the same time will
// conflict.
func (d *draft) write(b *store.Batch) {
	var before store.Tree
	expect := store.Absent()
	if d.before != nil {
		before, expect = *d.before, store.At(d.before.Revision)
	}
	n, api := b.Len(), d.id()
	writeDiff(b, store.Routes(api), routeID, before.Routes, d.now.Routes)
	writeDiff(b, store.RouteResponses(api), routeResponseID, before.RouteResponses, d.now.RouteResponses)
	writeDiff(b, store.Integrations(api), integrationID, before.Integrations, d.now.Integrations)
	writeDiff(b, store.IntegrationResponses(api), integrationResponseID, before.IntegrationResponses, d.now.IntegrationResponses)
	writeDiff(b, store.Authorizers(api), authorizerID, before.Authorizers, d.now.Authorizers)
	writeDiff(b, store.Models(api), modelID, before.Models, d.now.Models)
	writeDiff(b, store.Deployments(api), deploymentID, before.Deployments, d.now.Deployments)
	d.writeDefinitions(b, before.Deployments)
	writeDiff(b, store.Stages(api), stageName, before.Stages, d.now.Stages)
	if b.Len() > n || d.before == nil || d.touched || !equal(before.API, d.now.API) {
		store.Put(b, store.APIs().Key(string(api)), d.now.API, expect)
	}
}

// writeDefinitions writes what new deployments have frozen, and deletes what those had that are gone.
func (d *draft) writeDefinitions(b *store.Batch, before []apigw.Deployment) {
	definitions := store.Definitions(d.id())
	for i := range d.now.Deployments {
		id := d.now.Deployments[i].DeploymentID
		if definition, isNew := d.frozen[id]; isNew && find(before, deploymentID, id) == nil {
			store.Put(b, definitions.Key(id), definition, store.Expect{})
		}
	}
	for i := range before {
		if id := before[i].DeploymentID; find(d.now.Deployments, deploymentID, id) == nil {
			store.Delete(b, definitions.Key(id), store.Expect{})
		}
	}
}

func writeDiff[T any](b *store.Batch, c store.Collection[T], id func(*T) string, before, now []T) {
	old := make(map[string]*T, len(before))
	for i := range before {
		old[id(&before[i])] = &before[i]
	}
	for i := range now {
		key := id(&now[i])
		if o := old[key]; o == nil || !equal(o, &now[i]) {
			store.Put(b, c.Key(key), now[i], store.Expect{})
		}
		delete(old, key)
	}
	for _, key := range slices.Sorted(maps.Keys(old)) {
		store.Delete(b, c.Key(key), store.Expect{})
	}
}

// equal compares as the store would: by JSON, where nil and empty are the same. Most of what is compared has not been
// touched, which is seen without that.
func equal[T any](a, b T) bool {
	return reflect.DeepEqual(a, b) || bytes.Equal(mustJSON(a), mustJSON(b))
}

// mustJSON encodes a definition. They hold nothing that JSON cannot say; a value that did would differ from all others.
func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		return []byte(err.Error())
	}
	return b
}

// deploy freezes the definition as it is. The same definition under the same seed gives the same deployment, with the
// date of the first time, so that nothing changes where nothing changed.
func (d *draft) deploy(seed, description string, auto bool, now time.Time) (apigw.Deployment, problems) {
	var p problems
	if len(d.now.Routes) == 0 {
		p.bad("", "At least one route is required before deploying the Api")
	}
	p.length("description", description, 1024)
	definition := d.now.Definition()
	dep := apigw.Deployment{
		DeploymentID: idFrom(idLength, seed, string(d.id()), description, string(mustJSON(definition))),
		CreatedDate:  now, Description: description, AutoDeployed: auto, Status: "DEPLOYED",
	}
	if d.before != nil {
		if old := find(d.before.Deployments, deploymentID, dep.DeploymentID); old != nil {
			dep.CreatedDate = old.CreatedDate
		}
	}
	if len(p) == 0 {
		put(&d.now.Deployments, deploymentID, dep)
		if d.frozen == nil {
			d.frozen = map[string]apigw.Definition{}
		}
		d.frozen[dep.DeploymentID] = clone(definition)
	}
	return dep, p
}

// clone keeps a deployment apart from the draft, whose slices go on changing.
func clone(def apigw.Definition) apigw.Definition {
	def.Routes = slices.Clone(def.Routes)
	def.RouteResponses = slices.Clone(def.RouteResponses)
	def.Integrations = slices.Clone(def.Integrations)
	def.IntegrationResponses = slices.Clone(def.IntegrationResponses)
	def.Authorizers = slices.Clone(def.Authorizers)
	def.Models = slices.Clone(def.Models)
	return def
}

// autoDeploy points the stages with autoDeploy at a deployment of the definition as it is. It returns that deployment's
// ID, empty when there was none to make. Automatic deployments that no stage uses any more go.
func (d *draft) autoDeploy(now time.Time) string {
	var id string
	for i := range d.now.Stages {
		s := &d.now.Stages[i]
		if !s.AutoDeploy {
			continue
		}
		if len(d.now.Routes) == 0 {
			s.DeploymentID, s.LastDeploymentStatusMessage = "", "Deployment attempt failed: At least one route is required before deploying the Api"
			continue
		}
		if id == "" {
			dep, _ := d.deploy("auto", "Automatic deployment triggered by changes to the Api configuration", true, now)
			id = dep.DeploymentID
		}
		if s.DeploymentID != id {
			s.DeploymentID, s.LastUpdatedDate = id, now
			s.LastDeploymentStatusMessage = "Successfully deployed stage with deployment ID '" + id + "'"
		}
	}
	drop(&d.now.Deployments, func(dep *apigw.Deployment) bool {
		return dep.AutoDeployed && !slices.ContainsFunc(d.now.Stages, func(s apigw.Stage) bool { return s.DeploymentID == dep.DeploymentID })
	})
	return id
}
