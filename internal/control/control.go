package control

import (
	"context"
	"errors"
	"slices"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/store"
)

// Control changes definitions. It is safe for concurrent use, also by several nodes over one store.
type Control struct {
	store *store.Store
}

// New returns the control of the definitions in a store.
func New(s *store.Store) *Control { return &Control{s} }

// attempts bounds how often a change is tried again when somebody else was quicker.
const attempts = 5

// now is the time as AWS shows it: UTC, whole seconds (spec control-plane §1).
func now() time.Time { return time.Now().UTC().Truncate(time.Second) }

// retry runs a change until it does not conflict.
func retry(change func() error) error {
	var err error
	for range attempts {
		if err = change(); !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
	return &apigw.Error{Kind: apigw.KindConflict, Message: "Unable to complete operation due to concurrent modification. Please try again later.", Err: err}
}

// load returns an API as it is; what is missing is AWS's answer.
func (c *Control) load(ctx context.Context, id apigw.APIID) (*store.Tree, error) {
	t, err := c.store.Tree(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, &apigw.Error{Kind: apigw.KindNotFound, Message: "Invalid API identifier specified " + string(id), Err: err}
	}
	return t, err
}

// change makes one change of an API, brings its stages with autoDeploy up to date and commits.
func (c *Control) change(ctx context.Context, id apigw.APIID, edit func(d *draft) problems) error {
	return retry(func() error {
		t, err := c.load(ctx, id)
		if err != nil {
			return err
		}
		d := editable(t)
		if err := edit(d).err(); err != nil {
			return err
		}
		d.autoDeploy(now())
		return c.commit(ctx, d)
	})
}

func (c *Control) commit(ctx context.Context, d *draft) error {
	var b store.Batch
	d.write(&b)
	if b.Len() == 0 {
		return nil
	}
	_, err := c.store.Commit(ctx, &b)
	return err
}

// API returns an API with all that belongs to it. An unknown one is an *apigw.Error of KindNotFound, as with all
// methods that take an API's ID.
func (c *Control) API(ctx context.Context, id apigw.APIID) (*store.Tree, error) {
	return c.load(ctx, id)
}

// APIs returns all APIs, ordered by ID.
func (c *Control) APIs(ctx context.Context) ([]apigw.API, error) {
	return store.List(ctx, c.store, store.APIs())
}

// CreateAPI makes an API of its name, protocol and expressions; ID, date and defaults are filled in (spec control-plane
// §3). region makes the endpoint's host name. Like every operation it fails with an *apigw.Error for what AWS refuses.
func (c *Control) CreateAPI(ctx context.Context, api apigw.API, region string) (apigw.API, error) {
	api.APIID, api.CreatedDate = apigw.APIID(newID(apiIDLength)), now()
	api.APIEndpoint = apiEndpoint(api.APIID, region)
	if err := checkAPI(&api).err(); err != nil {
		return apigw.API{}, err
	}
	return api, c.commit(ctx, &draft{now: store.Tree{API: api}})
}

func apiEndpoint(id apigw.APIID, region string) string {
	return "wss://" + string(id) + ".execute-api." + region + "." + urlSuffix(region)
}

// DeleteAPI deletes an API with all that belongs to it, its stages included, unless a custom domain name leads to it.
func (c *Control) DeleteAPI(ctx context.Context, id apigw.APIID) error {
	return retry(func() error {
		t, err := c.load(ctx, id)
		if err != nil {
			return err
		}
		ds, err := c.loadDomains(ctx)
		if err != nil {
			return err
		}
		if err := ds.removable(id, "").err(); err != nil {
			return err
		}
		var b store.Batch
		deleteAPI(&b, t)
		_, err = c.store.Commit(ctx, &b)
		return err
	})
}

func deleteAPI(b *store.Batch, t *store.Tree) {
	key := store.APIs().Key(string(t.API.APIID))
	store.Delete(b, key, store.At(t.Revision))
	for _, k := range t.Keys {
		if k != key.String() {
			b.DeleteKey(k)
		}
	}
	for i := range t.Deployments {
		store.Delete(b, store.Definitions(t.API.APIID).Key(t.Deployments[i].DeploymentID), store.Expect{})
	}
}

// create makes one change and returns what is in the draft after it.
func create[T any](ctx context.Context, c *Control, api apigw.APIID, edit func(d *draft) problems, result func(d *draft) *T) (T, error) {
	var out T
	err := c.change(ctx, api, func(d *draft) problems {
		p := edit(d)
		if v := result(d); len(p) == 0 && v != nil {
			out = *v
		}
		return p
	})
	return out, err
}

// CreateRoute makes a route (spec control-plane §4). The RouteID is filled in.
func (c *Control) CreateRoute(ctx context.Context, api apigw.APIID, r apigw.Route) (apigw.Route, error) {
	r.RouteID = newID(idLength)
	return create(ctx, c, api,
		func(d *draft) problems { return d.putRoute(r) },
		func(d *draft) *apigw.Route { return find(d.now.Routes, routeID, r.RouteID) })
}

// CreateRouteResponse makes the response of the route that its RouteID names (spec control-plane §5).
func (c *Control) CreateRouteResponse(ctx context.Context, api apigw.APIID, r apigw.RouteResponse) (apigw.RouteResponse, error) {
	r.RouteResponseID = newID(idLength)
	return create(ctx, c, api,
		func(d *draft) problems { return d.putRouteResponse(r) },
		func(d *draft) *apigw.RouteResponse {
			return find(d.now.RouteResponses, routeResponseID, r.RouteResponseID)
		})
}

// CreateIntegration makes an integration (spec control-plane §6).
func (c *Control) CreateIntegration(ctx context.Context, api apigw.APIID, in apigw.Integration) (apigw.Integration, error) {
	in.IntegrationID = newID(idLength)
	return create(ctx, c, api,
		func(d *draft) problems { return d.putIntegration(in) },
		func(d *draft) *apigw.Integration { return find(d.now.Integrations, integrationID, in.IntegrationID) })
}

// CreateIntegrationResponse makes a response of the integration that its IntegrationID names (spec control-plane §7).
func (c *Control) CreateIntegrationResponse(ctx context.Context, api apigw.APIID, r apigw.IntegrationResponse) (apigw.IntegrationResponse, error) {
	r.IntegrationResponseID = newID(idLength)
	return create(ctx, c, api,
		func(d *draft) problems {
			return d.putIntegrationResponse(r)
		},
		func(d *draft) *apigw.IntegrationResponse {
			return find(d.now.IntegrationResponses, integrationResponseID, r.IntegrationResponseID)
		})
}

// CreateAuthorizer makes an authorizer (spec control-plane §8).
func (c *Control) CreateAuthorizer(ctx context.Context, api apigw.APIID, a apigw.Authorizer) (apigw.Authorizer, error) {
	a.AuthorizerID = newID(idLength)
	return create(ctx, c, api,
		func(d *draft) problems { return d.putAuthorizer(a) },
		func(d *draft) *apigw.Authorizer { return find(d.now.Authorizers, authorizerID, a.AuthorizerID) })
}

// CreateModel makes a model (spec control-plane §9).
func (c *Control) CreateModel(ctx context.Context, api apigw.APIID, m apigw.Model) (apigw.Model, error) {
	m.ModelID = newID(idLength)
	return create(ctx, c, api,
		func(d *draft) problems { return slices.Concat(d.putModel(m), d.checkSchema(&m)) },
		func(d *draft) *apigw.Model { return find(d.now.Models, modelID, m.ModelID) })
}

// CreateDeployment freezes the API as it is and, when stage is not empty, points that stage at it (spec control-plane
// §10).
func (c *Control) CreateDeployment(ctx context.Context, api apigw.APIID, description, stage string) (apigw.Deployment, error) {
	var out apigw.Deployment
	err := c.change(ctx, api, func(d *draft) problems {
		var p problems
		out, p = d.deploy(newID(idLength), description, false, now())
		if stage != "" && len(p) == 0 {
			p = d.pointStage(stage, out.DeploymentID, now())
		}
		return p
	})
	if err != nil {
		return apigw.Deployment{}, err
	}
	return out, nil
}

// pointStage makes a stage serve a deployment.
func (d *draft) pointStage(stage, deployment string, at time.Time) problems {
	var p problems
	s := find(d.now.Stages, stageName, stage)
	switch {
	case s == nil:
		p.add(apigw.KindNotFound, "stageName", "Invalid stage identifier specified")
	case s.AutoDeploy:
		p.bad("stageName", "Deployment ID cannot be set on a stage with autoDeploy")
	case s.DeploymentID != deployment:
		s.DeploymentID, s.LastUpdatedDate = deployment, at
	}
	return p
}

// CreateStage makes a stage; with AutoDeploy it serves the API as it is at once (spec control-plane §11).
func (c *Control) CreateStage(ctx context.Context, api apigw.APIID, s apigw.Stage) (apigw.Stage, error) {
	return create(ctx, c, api,
		func(d *draft) problems {
			p := d.putStage(s, now())
			if len(p) == 0 {
				d.autoDeploy(now())
			}
			return p
		},
		func(d *draft) *apigw.Stage { return find(d.now.Stages, stageName, s.StageName) })
}

// remove deletes one member of an API, with what belongs to it.
func remove[T any](ctx context.Context, c *Control, api apigw.APIID, what, wanted string, list func(d *draft) *[]T, id func(*T) string, check func(d *draft, p *problems)) error {
	return c.change(ctx, api, func(d *draft) problems {
		var p problems
		if find(*list(d), id, wanted) == nil {
			if what == "stage" {
				p.add(apigw.KindNotFound, "", "Invalid stage identifier specified")
			} else {
				p.add(apigw.KindNotFound, "", "Invalid %s identifier specified %s", what, wanted)
			}
			return p
		}
		if check != nil {
			check(d, &p)
		}
		if len(p) == 0 {
			drop(list(d), func(v *T) bool { return id(v) == wanted })
		}
		return p
	})
}

// DeleteRoute deletes a route with its responses.
func (c *Control) DeleteRoute(ctx context.Context, api apigw.APIID, id string) error {
	return remove(ctx, c, api, "Route", id, func(d *draft) *[]apigw.Route { return &d.now.Routes }, routeID, func(d *draft, _ *problems) {
		drop(&d.now.RouteResponses, func(r *apigw.RouteResponse) bool { return r.RouteID == id })
	})
}

// DeleteRouteResponse deletes a route response.
func (c *Control) DeleteRouteResponse(ctx context.Context, api apigw.APIID, id string) error {
	return remove(ctx, c, api, "RouteResponse", id, func(d *draft) *[]apigw.RouteResponse { return &d.now.RouteResponses }, routeResponseID, nil)
}

// DeleteIntegration deletes an integration with its responses, unless a route points at it.
func (c *Control) DeleteIntegration(ctx context.Context, api apigw.APIID, id string) error {
	return remove(ctx, c, api, "Integration", id, func(d *draft) *[]apigw.Integration { return &d.now.Integrations }, integrationID, func(d *draft, p *problems) {
		if used := d.routesWith(func(r *apigw.Route) bool { return r.Target == "integrations/"+id }); len(used) > 0 {
			p.add(apigw.KindConflict, "", "Cannot delete Integration because it is referenced by the following Routes with Ids: %v", used)
			return
		}
		drop(&d.now.IntegrationResponses, func(r *apigw.IntegrationResponse) bool { return r.IntegrationID == id })
	})
}

// DeleteIntegrationResponse deletes an integration response.
func (c *Control) DeleteIntegrationResponse(ctx context.Context, api apigw.APIID, id string) error {
	return remove(ctx, c, api, "IntegrationResponse", id, func(d *draft) *[]apigw.IntegrationResponse { return &d.now.IntegrationResponses }, integrationResponseID, nil)
}

// DeleteAuthorizer deletes an authorizer, unless a route uses it.
func (c *Control) DeleteAuthorizer(ctx context.Context, api apigw.APIID, id string) error {
	return remove(ctx, c, api, "Authorizer", id, func(d *draft) *[]apigw.Authorizer { return &d.now.Authorizers }, authorizerID, func(d *draft, p *problems) {
		if used := d.routesWith(func(r *apigw.Route) bool { return r.AuthorizerID == id }); len(used) > 0 {
			p.add(apigw.KindConflict, "", "Cannot delete Authorizer because it is referenced by the following Routes with Ids: %v", used)
		}
	})
}

// DeleteModel deletes a model, unless a route uses it.
func (c *Control) DeleteModel(ctx context.Context, api apigw.APIID, id string) error {
	return remove(ctx, c, api, "Model", id, func(d *draft) *[]apigw.Model { return &d.now.Models }, modelID, func(d *draft, p *problems) {
		name := find(d.now.Models, modelID, id).Name
		used := d.routesWith(func(r *apigw.Route) bool {
			return slices.ContainsFunc(sortedKeys(r.RequestModels), func(key string) bool { return r.RequestModels[key] == name })
		})
		if len(used) > 0 {
			p.add(apigw.KindConflict, "", "Cannot delete Model because it is referenced by the following Routes with Ids: %v", used)
		}
	})
}

// DeleteDeployment deletes a deployment, unless a stage points at it.
func (c *Control) DeleteDeployment(ctx context.Context, api apigw.APIID, id string) error {
	return remove(ctx, c, api, "Deployment", id, func(d *draft) *[]apigw.Deployment { return &d.now.Deployments }, deploymentID, func(d *draft, p *problems) {
		if slices.ContainsFunc(d.now.Stages, func(s apigw.Stage) bool { return s.DeploymentID == id }) {
			p.bad("", "Active stages pointing to this deployment must be moved or deleted")
		}
	})
}

// DeleteStage deletes a stage, unless a custom domain name leads to it; its connections are closed (spec open-questions
// 48).
func (c *Control) DeleteStage(ctx context.Context, api apigw.APIID, name string) error {
	return remove(ctx, c, api, "stage", name, func(d *draft) *[]apigw.Stage { return &d.now.Stages }, stageName, func(_ *draft, p *problems) {
		ds, err := c.loadDomains(ctx) // after the API was read: a mapping that is made from now on changes the API
		if err != nil {
			*p = append(*p, problem{err: &apigw.Error{Kind: apigw.KindInternal, Err: err}})
			return
		}
		*p = append(*p, ds.removable(api, name)...)
	})
}

// routesWith returns the IDs of the routes for which uses holds.
func (d *draft) routesWith(uses func(*apigw.Route) bool) []string {
	var ids []string
	for i := range d.now.Routes {
		if uses(&d.now.Routes[i]) {
			ids = append(ids, d.now.Routes[i].RouteID)
		}
	}
	return ids
}
