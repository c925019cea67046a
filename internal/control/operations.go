package control

import (
	"context"
	"maps"
	"slices"

	"cleat/internal/apigw"
)

// CreateRoute makes a route (spec control-plane §4). The RouteID is filled in.
func (c *Control) CreateRoute(ctx context.Context, api apigw.APIID, r apigw.Route) (apigw.Route, error) {
	r.RouteID = newID(idLength)
	return create(ctx, c, api, &routes, r, nil)
}

// UpdateRoute changes a route. Its integration can be changed and not be taken away; with an authorization type other
// than CUSTOM its authorizer is forgotten (spec control-plane §12).
func (c *Control) UpdateRoute(ctx context.Context, api apigw.APIID, id string, edit func(apigw.Route) (apigw.Route, error)) (apigw.Route, error) {
	return update(ctx, c, api, &routes, id, edit, func(_ *draft, before, after *apigw.Route) problems {
		var p problems
		if after.Target == "" && before.Target != "" {
			p.bad("target", "Invalid target: it cannot be removed; want integrations/{integrationId}")
		}
		if after.AuthorizationType != apigw.AuthorizationCustom && after.AuthorizerID == before.AuthorizerID {
			after.AuthorizerID = ""
		}
		return p
	})
}

// DeleteRoute deletes a route with its responses.
func (c *Control) DeleteRoute(ctx context.Context, api apigw.APIID, id string) error {
	return remove(ctx, c, api, &routes, id, func(d *draft, _ *apigw.Route) problems {
		drop(&d.now.RouteResponses, func(r *apigw.RouteResponse) bool { return r.RouteID == id })
		return nil
	})
}

// CreateRouteResponse makes the response of the route that its RouteID names (spec control-plane §5).
func (c *Control) CreateRouteResponse(ctx context.Context, api apigw.APIID, r apigw.RouteResponse) (apigw.RouteResponse, error) {
	r.RouteResponseID = newID(idLength)
	return create(ctx, c, api, &routeResponses, r, nil)
}

// UpdateRouteResponse changes a route response.
func (c *Control) UpdateRouteResponse(ctx context.Context, api apigw.APIID, id string, edit func(apigw.RouteResponse) (apigw.RouteResponse, error)) (apigw.RouteResponse, error) {
	return update(ctx, c, api, &routeResponses, id, edit, nil)
}

// DeleteRouteResponse deletes a route response.
func (c *Control) DeleteRouteResponse(ctx context.Context, api apigw.APIID, id string) error {
	return remove(ctx, c, api, &routeResponses, id, nil)
}

// CreateIntegration makes an integration (spec control-plane §6).
func (c *Control) CreateIntegration(ctx context.Context, api apigw.APIID, in apigw.Integration) (apigw.Integration, error) {
	in.IntegrationID = newID(idLength)
	return create(ctx, c, api, &integrations, in, nil)
}

// UpdateIntegration changes an integration.
func (c *Control) UpdateIntegration(ctx context.Context, api apigw.APIID, id string, edit func(apigw.Integration) (apigw.Integration, error)) (apigw.Integration, error) {
	return update(ctx, c, api, &integrations, id, edit, nil)
}

// DeleteIntegration deletes an integration with its responses, unless a route points at it.
func (c *Control) DeleteIntegration(ctx context.Context, api apigw.APIID, id string) error {
	return remove(ctx, c, api, &integrations, id, func(d *draft, in *apigw.Integration) problems {
		drop(&d.now.IntegrationResponses, func(r *apigw.IntegrationResponse) bool { return r.IntegrationID == id })
		return d.unused("delete", "Integration", func(r *apigw.Route) bool { return r.Target == "integrations/"+in.IntegrationID })
	})
}

// CreateIntegrationResponse makes a response of the integration that its IntegrationID names (spec control-plane §7).
func (c *Control) CreateIntegrationResponse(ctx context.Context, api apigw.APIID, r apigw.IntegrationResponse) (apigw.IntegrationResponse, error) {
	r.IntegrationResponseID = newID(idLength)
	return create(ctx, c, api, &integrationResponses, r, nil)
}

// UpdateIntegrationResponse changes an integration response.
func (c *Control) UpdateIntegrationResponse(ctx context.Context, api apigw.APIID, id string, edit func(apigw.IntegrationResponse) (apigw.IntegrationResponse, error)) (apigw.IntegrationResponse, error) {
	return update(ctx, c, api, &integrationResponses, id, edit, nil)
}

// DeleteIntegrationResponse deletes an integration response.
func (c *Control) DeleteIntegrationResponse(ctx context.Context, api apigw.APIID, id string) error {
	return remove(ctx, c, api, &integrationResponses, id, nil)
}

// CreateAuthorizer makes an authorizer (spec control-plane §8).
func (c *Control) CreateAuthorizer(ctx context.Context, api apigw.APIID, a apigw.Authorizer) (apigw.Authorizer, error) {
	a.AuthorizerID = newID(idLength)
	return create(ctx, c, api, &authorizers, a, nil)
}

// UpdateAuthorizer changes an authorizer.
func (c *Control) UpdateAuthorizer(ctx context.Context, api apigw.APIID, id string, edit func(apigw.Authorizer) (apigw.Authorizer, error)) (apigw.Authorizer, error) {
	return update(ctx, c, api, &authorizers, id, edit, nil)
}

// DeleteAuthorizer deletes an authorizer, unless a route uses it.
func (c *Control) DeleteAuthorizer(ctx context.Context, api apigw.APIID, id string) error {
	return remove(ctx, c, api, &authorizers, id, func(d *draft, _ *apigw.Authorizer) problems {
		return d.unused("delete", "Authorizer", func(r *apigw.Route) bool { return r.AuthorizerID == id })
	})
}

// CreateModel makes a model (spec control-plane §9).
func (c *Control) CreateModel(ctx context.Context, api apigw.APIID, m apigw.Model) (apigw.Model, error) {
	m.ModelID = newID(idLength)
	return create(ctx, c, api, &models, m, nil)
}

// UpdateModel changes a model. Its name stays while a route goes by it.
func (c *Control) UpdateModel(ctx context.Context, api apigw.APIID, id string, edit func(apigw.Model) (apigw.Model, error)) (apigw.Model, error) {
	return update(ctx, c, api, &models, id, edit, func(d *draft, before, after *apigw.Model) problems {
		if after.Name == before.Name {
			return nil
		}
		return d.unused("rename", "Model", goesBy(before))
	})
}

// DeleteModel deletes a model, unless a route uses it.
func (c *Control) DeleteModel(ctx context.Context, api apigw.APIID, id string) error {
	return remove(ctx, c, api, &models, id, func(d *draft, m *apigw.Model) problems {
		return d.unused("delete", "Model", goesBy(m))
	})
}

func goesBy(m *apigw.Model) func(*apigw.Route) bool {
	name := m.Name
	return func(r *apigw.Route) bool { return slices.Contains(slices.Collect(maps.Values(r.RequestModels)), name) }
}

// UpdateDeployment changes a deployment's description; the rest of it is for ever.
func (c *Control) UpdateDeployment(ctx context.Context, api apigw.APIID, id string, edit func(apigw.Deployment) (apigw.Deployment, error)) (apigw.Deployment, error) {
	return update(ctx, c, api, &deployments, id, edit, func(_ *draft, before, after *apigw.Deployment) problems {
		description := after.Description
		*after = *before
		after.Description = description
		return nil
	})
}

// DeleteDeployment deletes a deployment, unless a stage points at it.
func (c *Control) DeleteDeployment(ctx context.Context, api apigw.APIID, id string) error {
	return remove(ctx, c, api, &deployments, id, func(d *draft, _ *apigw.Deployment) problems {
		var p problems
		if slices.ContainsFunc(d.now.Stages, func(s apigw.Stage) bool { return s.DeploymentID == id }) {
			p.bad("", "Active stages pointing to this deployment must be moved or deleted")
		}
		return p
	})
}

// CreateStage makes a stage; with AutoDeploy it serves the API as it is at once (spec control-plane §11).
func (c *Control) CreateStage(ctx context.Context, api apigw.APIID, s apigw.Stage) (apigw.Stage, error) {
	return create(ctx, c, api, &stages, s, func(d *draft, s *apigw.Stage) problems { return d.knowsRoutes(s, nil) })
}

// UpdateStage changes a stage; what it serves changes with its deployment, or with AutoDeploy.
func (c *Control) UpdateStage(ctx context.Context, api apigw.APIID, name string, edit func(apigw.Stage) (apigw.Stage, error)) (apigw.Stage, error) {
	return update(ctx, c, api, &stages, name, edit, func(d *draft, before, after *apigw.Stage) problems {
		if after.AutoDeploy && after.DeploymentID == before.DeploymentID {
			after.DeploymentID = "" // nobody asked for it; setStage keeps it
		}
		return d.knowsRoutes(after, before)
	})
}

// DeleteStage deletes a stage, unless a custom domain name leads to it; its connections are closed (spec open-questions
// 48).
func (c *Control) DeleteStage(ctx context.Context, api apigw.APIID, name string) error {
	return remove(ctx, c, api, &stages, name, func(*draft, *apigw.Stage) problems {
		ds, err := c.loadDomains(ctx) // after the API was read: a mapping that is made from now on changes the API
		if err != nil {
			return failed(err)
		}
		return ds.removable(api, name)
	})
}

// unused objects to what is done to something that routes use.
func (d *draft) unused(done, what string, uses func(*apigw.Route) bool) problems {
	var p problems
	var ids []string
	for i := range d.now.Routes {
		if uses(&d.now.Routes[i]) {
			ids = append(ids, d.now.Routes[i].RouteID)
		}
	}
	if len(ids) > 0 {
		p.add(apigw.KindConflict, "", "Cannot %s %s because it is referenced by the following Routes with Ids: %v", done, what, ids)
	}
	return p
}
