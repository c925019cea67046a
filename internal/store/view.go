package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"weak"

	"cleat/internal/apigw"
)

// View follows what the data plane serves: it reads and decodes only what has changed since it was last asked. It is not
// safe for concurrent use.
type View struct {
	store *Store
	at    Revision // zero: everything must be read
	next  Revision // to which the delta leads that is being taken in
	// served and functions are the revisions at which something of theirs was last seen to change.
	served, functions Revision

	apis     map[string]*viewedAPI // by API ID
	all      []Published           // what all of them publish
	changed  bool                  // all has yet to be made
	fresh    []*apigw.Definition   // of the delta that is being taken in
	keys     shelf[apigw.APIKey]
	plans    shelf[apigw.UsagePlan]
	planKeys shelf[apigw.UsagePlanKey]
	domains  shelf[apigw.DomainName]
	mappings shelf[apigw.APIMapping]
}

// viewedAPI is what a View keeps of one API.
type viewedAPI struct {
	api         shelf[apigw.API] // of one
	stages      shelf[apigw.Stage]
	deployments shelf[apigw.Deployment]
	definitions map[string]*Frozen // by deployment ID
	published   []Published
	changed     bool // published has yet to be made
}

// shelf is one collection, decoded.
type shelf[T any] struct {
	members map[string]shelved[T] // by the store's key
	list    []T                   // ordered by key; nil: has yet to be made
}

type shelved[T any] struct {
	value    T
	revision Revision
}

func (s *shelf[T]) put(e Entry) error {
	var v T
	if err := decode(e, &v); err != nil {
		return err
	}
	if s.members == nil {
		s.members = map[string]shelved[T]{}
	}
	s.members[e.Key], s.list = shelved[T]{v, e.Revision}, nil
	return nil
}

func (s *shelf[T]) drop(key string) {
	delete(s.members, key)
	s.list = nil
}

// all returns the members. The slice is made anew after each change, so that it may be kept.
func (s *shelf[T]) all() []T {
	if s.list == nil && len(s.members) > 0 {
		s.list = make([]T, 0, len(s.members))
		for _, key := range slices.Sorted(maps.Keys(s.members)) {
			s.list = append(s.list, s.members[key].value)
		}
	}
	return s.list
}

// NewView returns a view of a store, which has read nothing yet.
func (s *Store) NewView() *View { return &View{store: s} }

// Serving returns what the data plane serves now. What did not change since the last time is shared with what was returned
// then: it must not be changed. After an error everything is read anew.
func (v *View) Serving(ctx context.Context) (Serving, error) {
	delta, err := v.store.driver.Since(ctx, v.at)
	if err != nil {
		return Serving{}, err
	}
	v.at = 0 // until all went well
	if delta.Whole {
		*v = View{store: v.store, apis: map[string]*viewedAPI{}, changed: true}
	}
	v.next = delta.Revision
	for _, e := range delta.Entries {
		if err := v.take(e, false); err != nil {
			return Serving{}, err
		}
	}
	for _, key := range delta.Deleted {
		if err := v.take(Entry{Key: key}, true); err != nil {
			return Serving{}, err
		}
	}
	stages, err := v.stages()
	if err != nil {
		return Serving{}, err
	}
	v.at = delta.Revision
	fresh := v.fresh
	v.fresh = nil // lest it stays decoded for longer than the caller wants it
	return Serving{
		Revision: v.at, Served: v.served, FunctionsRevision: v.functions, Stages: stages, APIKeys: v.keys.all(), UsagePlans: v.plans.all(),
		UsagePlanKeys: v.planKeys.all(), Domains: v.domains.all(), Mappings: v.mappings.all(), fresh: fresh,
	}, nil
}

// stages puts together what all APIs publish. The slice is made anew after each change, so that it may be kept.
func (v *View) stages() ([]Published, error) {
	if !v.changed {
		return v.all, nil
	}
	ids := slices.Sorted(maps.Keys(v.apis))
	published := make([][]Published, 0, len(ids))
	for _, id := range ids {
		a := v.apis[id]
		if a.changed {
			if err := a.publish(id); err != nil {
				return nil, err
			}
			if len(a.api.members)+len(a.stages.members)+len(a.deployments.members)+len(a.definitions) == 0 {
				delete(v.apis, id)
			}
		}
		published = append(published, a.published)
	}
	v.all, v.changed = slices.Concat(published...), false
	return v.all, nil
}

// take takes in what has become of one key; of a deletion the entry has nothing but the key.
func (v *View) take(e Entry, gone bool) error {
	collection, rest, _ := strings.Cut(e.Key, "/")
	id, below, isBelow := strings.Cut(rest, "/")
	segment, _, _ := strings.Cut(below, "/")
	switch collection + "/" {
	case functionsPrefix:
		v.functions = v.next
		return nil
	case stacksPrefix, linksPrefix, accountPrefix, usersPrefix, rolesPrefix, policiesPrefix: // not the gateway's
		return nil
	case apisPrefix:
		if segment == stagesSegment || segment == deploymentsSegment {
			v.served = v.next
		}
		a := v.api(id)
		err := a.take(e, gone, segment)
		v.changed = v.changed || a.changed
		return err
	}
	v.served = v.next
	switch collection + "/" {
	case definitionsPrefix:
		v.define(v.api(id), below, e, gone)
		v.changed = true
		return nil
	case apiKeysPrefix:
		if !isBelow {
			return shelve(&v.keys, e, gone)
		}
	case plansPrefix:
		switch {
		case !isBelow:
			return shelve(&v.plans, e, gone)
		case segment == planKeysSegment:
			return shelve(&v.planKeys, e, gone)
		}
	case domainsPrefix:
		switch {
		case !isBelow:
			return shelve(&v.domains, e, gone)
		case segment == mappingsSegment:
			return shelve(&v.mappings, e, gone)
		}
	}
	return fmt.Errorf("the store holds %s, which this version does not know", e.Key)
}

func shelve[T any](s *shelf[T], e Entry, gone bool) error {
	if gone {
		s.drop(e.Key)
		return nil
	}
	return s.put(e)
}

func (v *View) api(id string) *viewedAPI {
	a := v.apis[id]
	if a == nil {
		a = &viewedAPI{definitions: map[string]*Frozen{}}
		v.apis[id] = a
	}
	return a
}

// take takes in what belongs to the API. What is not yet deployed is passed over.
func (a *viewedAPI) take(e Entry, gone bool, segment string) error {
	switch segment {
	case "":
		a.changed = true
		return shelve(&a.api, e, gone)
	case deploymentsSegment:
		a.changed = true
		return shelve(&a.deployments, e, gone)
	case stagesSegment:
		a.changed = true
		return shelve(&a.stages, e, gone)
	case routesSegment, routeResponsesSegment, integrationsSegment, integrationResponsesSegment, authorizersSegment, modelsSegment:
		return nil
	}
	return fmt.Errorf("the store holds %s, which this version does not know", e.Key)
}

// define takes in the definition of one of the API's deployments.
func (v *View) define(a *viewedAPI, deployment string, e Entry, gone bool) {
	a.changed = true
	if gone {
		delete(a.definitions, deployment)
		return
	}
	f := &Frozen{entry: e}
	if d := v.store.fresh.take(e); d != nil {
		f.decoded = weak.Make(d)
		v.fresh = append(v.fresh, d)
	}
	a.definitions[deployment] = f
}

// publish makes the list of stages that point at a deployment.
func (a *viewedAPI) publish(id string) error {
	a.published = nil
	apis := a.api.all()
	for _, key := range slices.Sorted(maps.Keys(a.stages.members)) {
		stage := a.stages.members[key]
		deploymentID := stage.value.DeploymentID
		deployment, ok := a.deployments.members[Deployments(apigw.APIID(id)).Key(deploymentID).path]
		if !ok || len(apis) == 0 {
			continue
		}
		frozen := a.definitions[deploymentID]
		if frozen == nil {
			return fmt.Errorf("the store holds deployment %s of API %s without its definition", deploymentID, id)
		}
		a.published = append(a.published, Published{
			API: &apis[0], Stage: &stage.value, Deployment: &deployment.value, Frozen: frozen,
			Revision: max(stage.revision, deployment.revision),
		})
	}
	a.changed = false
	return nil
}
