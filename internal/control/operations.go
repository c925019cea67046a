package control

import (
	"context"
	"maps"
	"slices"

	"cleat/internal/apigw"
	"cleat/internal/draft"
)

// CreateRoute makes a route (spec control-plane §4). The RouteID is filled in.
func (c *Control) CreateRoute(ctx context.Context, api apigw.APIID, r apigw.Route) (apigw.Route, error) {
	r.RouteID = draft.NewID(draft.IDLength)
	return create(ctx, c, api, draft.Routes, r, nil)
}

// UpdateRoute changes a route. Its integration can be changed and not be taken away; with an authorization type other
// than CUSTOM its authorizer is forgotten (spec control-plane §12).
func (c *Control) UpdateRoute(ctx context.Context, api apigw.APIID, id string, edit func(apigw.Route) (apigw.Route, error)) (apigw.Route, error) {
	return update(ctx, c, api, draft.Routes, id, edit, func(_ *draft.API, before, after *apigw.Route) draft.Problems {
		var p draft.Problems
		if after.Target == "" && before.Target != "" {
			p.Bad("target", "Invalid target: it cannot be removed; want integrations/{integrationId}")
		}
		if after.AuthorizationType != apigw.AuthorizationCustom && after.AuthorizerID == before.AuthorizerID {
			after.AuthorizerID = ""
		}
		return p
	})
}

// DeleteRoute deletes a route with its responses.
func (c *Control) DeleteRoute(ctx context.Context, api apigw.APIID, id string) error {
	return remove(ctx, c, api, draft.Routes, id, func(d *draft.API, _ *apigw.Route) draft.Problems {
		draft.RouteResponses.Drop(d, func(r *apigw.RouteResponse) bool { return r.RouteID == id })
		return nil
	})
}

// CreateRouteResponse makes the response of the route that its RouteID names (spec control-plane §5).
func (c *Control) CreateRouteResponse(ctx context.Context, api apigw.APIID, r apigw.RouteResponse) (apigw.RouteResponse, error) {
	r.RouteResponseID = draft.NewID(draft.IDLength)
	return create(ctx, c, api, draft.RouteResponses, r, nil)
}

// UpdateRouteResponse changes a route response.
func (c *Control) UpdateRouteResponse(ctx context.Context, api apigw.APIID, id string, edit func(apigw.RouteResponse) (apigw.RouteResponse, error)) (apigw.RouteResponse, error) {
	return update(ctx, c, api, draft.RouteResponses, id, edit, nil)
}

// DeleteRouteResponse deletes a route response.
func (c *Control) DeleteRouteResponse(ctx context.Context, api apigw.APIID, id string) error {
	return remove(ctx, c, api, draft.RouteResponses, id, nil)
}

// CreateIntegration makes an integration (spec control-plane §6).
func (c *Control) CreateIntegration(ctx context.Context, api apigw.APIID, in apigw.Integration) (apigw.Integration, error) {
	in.IntegrationID = draft.NewID(draft.IDLength)
	return create(ctx, c, api, draft.Integrations, in, nil)
}

// UpdateIntegration changes an integration.
func (c *Control) UpdateIntegration(ctx context.Context, api apigw.APIID, id string, edit func(apigw.Integration) (apigw.Integration, error)) (apigw.Integration, error) {
	return update(ctx, c, api, draft.Integrations, id, edit, nil)
}

// DeleteIntegration deletes an integration with its responses, unless a route points at it.
func (c *Control) DeleteIntegration(ctx context.Context, api apigw.APIID, id string) error {
	return remove(ctx, c, api, draft.Integrations, id, func(d *draft.API, in *apigw.Integration) draft.Problems {
		draft.IntegrationResponses.Drop(d, func(r *apigw.IntegrationResponse) bool { return r.IntegrationID == id })
		return unused(d, "delete", "Integration", func(r *apigw.Route) bool { return r.Target == "integrations/"+in.IntegrationID })
	})
}

// CreateIntegrationResponse makes a response of the integration that its IntegrationID names (spec control-plane §7).
func (c *Control) CreateIntegrationResponse(ctx context.Context, api apigw.APIID, r apigw.IntegrationResponse) (apigw.IntegrationResponse, error) {
	r.IntegrationResponseID = draft.NewID(draft.IDLength)
	return create(ctx, c, api, draft.IntegrationResponses, r, nil)
}

// UpdateIntegrationResponse changes an integration response.
func (c *Control) UpdateIntegrationResponse(ctx context.Context, api apigw.APIID, id string, edit func(apigw.IntegrationResponse) (apigw.IntegrationResponse, error)) (apigw.IntegrationResponse, error) {
	return update(ctx, c, api, draft.IntegrationResponses, id, edit, nil)
}

// DeleteIntegrationResponse deletes an integration response.
func (c *Control) DeleteIntegrationResponse(ctx context.Context, api apigw.APIID, id string) error {
	return remove(ctx, c, api, draft.IntegrationResponses, id, nil)
}

// CreateAuthorizer makes an authorizer (spec control-plane §8).
func (c *Control) CreateAuthorizer(ctx context.Context, api apigw.APIID, a apigw.Authorizer) (apigw.Authorizer, error) {
	a.AuthorizerID = draft.NewID(draft.IDLength)
	return create(ctx, c, api, draft.Authorizers, a, nil)
}

// UpdateAuthorizer changes an authorizer.
func (c *Control) UpdateAuthorizer(ctx context.Context, api apigw.APIID, id string, edit func(apigw.Authorizer) (apigw.Authorizer, error)) (apigw.Authorizer, error) {
	return update(ctx, c, api, draft.Authorizers, id, edit, nil)
}

// DeleteAuthorizer deletes an authorizer, unless a route uses it.
func (c *Control) DeleteAuthorizer(ctx context.Context, api apigw.APIID, id string) error {
	return remove(ctx, c, api, draft.Authorizers, id, func(d *draft.API, _ *apigw.Authorizer) draft.Problems {
		return unused(d, "delete", "Authorizer", func(r *apigw.Route) bool { return r.AuthorizerID == id })
	})
}

// CreateModel makes a model (spec control-plane §9).
func (c *Control) CreateModel(ctx context.Context, api apigw.APIID, m apigw.Model) (apigw.Model, error) {
	m.ModelID = draft.NewID(draft.IDLength)
	return create(ctx, c, api, draft.Models, m, nil)
}

// UpdateModel changes a model. Its name stays while a route goes by it.
func (c *Control) UpdateModel(ctx context.Context, api apigw.APIID, id string, edit func(apigw.Model) (apigw.Model, error)) (apigw.Model, error) {
	return update(ctx, c, api, draft.Models, id, edit, func(d *draft.API, before, after *apigw.Model) draft.Problems {
		if after.Name == before.Name {
			return nil
		}
		return unused(d, "rename", "Model", goesBy(before))
	})
}

// DeleteModel deletes a model, unless a route uses it.
func (c *Control) DeleteModel(ctx context.Context, api apigw.APIID, id string) error {
	return remove(ctx, c, api, draft.Models, id, func(d *draft.API, m *apigw.Model) draft.Problems {
		return unused(d, "delete", "Model", goesBy(m))
	})
}

func goesBy(m *apigw.Model) func(*apigw.Route) bool {
	name := m.Name
	return func(r *apigw.Route) bool { return slices.Contains(slices.Collect(maps.Values(r.RequestModels)), name) }
}

// UpdateDeployment changes a deployment's description; the rest of it is for ever.
func (c *Control) UpdateDeployment(ctx context.Context, api apigw.APIID, id string, edit func(apigw.Deployment) (apigw.Deployment, error)) (apigw.Deployment, error) {
	return update(ctx, c, api, draft.Deployments, id, edit, func(_ *draft.API, before, after *apigw.Deployment) draft.Problems {
		description := after.Description
		*after = *before
		after.Description = description
		return nil
	})
}

// DeleteDeployment deletes a deployment, unless a stage points at it.
func (c *Control) DeleteDeployment(ctx context.Context, api apigw.APIID, id string) error {
	return remove(ctx, c, api, draft.Deployments, id, func(d *draft.API, _ *apigw.Deployment) draft.Problems {
		var p draft.Problems
		if slices.ContainsFunc(d.Now.Stages, func(s apigw.Stage) bool { return s.DeploymentID == id }) {
			p.Bad("", "Active stages pointing to this deployment must be moved or deleted")
		}
		return p
	})
}

// CreateStage makes a stage; with AutoDeploy it serves the API as it is at once (spec control-plane §11).
func (c *Control) CreateStage(ctx context.Context, api apigw.APIID, s apigw.Stage) (apigw.Stage, error) {
	return create(ctx, c, api, draft.Stages, s, func(d *draft.API, s *apigw.Stage) draft.Problems { return d.KnowsRoutes(s, nil) })
}

// UpdateStage changes a stage; what it serves changes with its deployment, or with AutoDeploy.
func (c *Control) UpdateStage(ctx context.Context, api apigw.APIID, name string, edit func(apigw.Stage) (apigw.Stage, error)) (apigw.Stage, error) {
	return update(ctx, c, api, draft.Stages, name, edit, func(d *draft.API, before, after *apigw.Stage) draft.Problems {
		if after.AutoDeploy && after.DeploymentID == before.DeploymentID {
			after.DeploymentID = "" // nobody asked for it; the stage keeps it
		}
		return d.KnowsRoutes(after, before)
	})
}

// DeleteStage deletes a stage, unless a custom domain name leads to it; its connections are closed (spec open-questions
// 48).
func (c *Control) DeleteStage(ctx context.Context, api apigw.APIID, name string) error {
	return remove(ctx, c, api, draft.Stages, name, func(*draft.API, *apigw.Stage) draft.Problems {
		ds, err := draft.LoadDomains(ctx, c.store) // after the API was read: a mapping that is made from now on changes the API
		if err != nil {
			return draft.Failed(err)
		}
		return ds.Removable(api, name)
	})
}

// unused objects to what is done to something that routes use.
func unused(d *draft.API, done, what string, uses func(*apigw.Route) bool) draft.Problems {
	var p draft.Problems
	var ids []string
	for i := range d.Now.Routes {
		if uses(&d.Now.Routes[i]) {
			ids = append(ids, d.Now.Routes[i].RouteID)
		}
	}
	if len(ids) > 0 {
		p.Add(apigw.KindConflict, "", "Cannot %s %s because it is referenced by the following Routes with Ids: %v", done, what, ids)
	}
	return p
}
