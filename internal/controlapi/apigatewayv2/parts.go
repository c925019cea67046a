package apigatewayv2

import (
	"maps"
	"net/http"
	"slices"

	"cleat/internal/apigw"
	"cleat/internal/controlapi"
	"cleat/internal/draft"
)

// parts are the operations on a part of a resource.
func (s *service) parts() []controlapi.Operation {
	const route, stage = "/v2/apis/{apiId}/routes/{routeId}", "/v2/apis/{apiId}/stages/{stageName}"
	return []controlapi.Operation{
		operation("DeleteRouteRequestParameter", http.MethodDelete, route+"/requestparameters/{requestParameterKey}", s.deleteRouteRequestParameter),
		operation("DeleteAccessLogSettings", http.MethodDelete, stage+"/accesslogsettings", s.deleteAccessLogSettings),
		operation("DeleteRouteSettings", http.MethodDelete, stage+"/routesettings/{routeKey}", s.deleteRouteSettings),
		operation("ResetAuthorizersCache", http.MethodDelete, stage+"/cache/authorizers", s.resetAuthorizersCache),
		operation("GetModelTemplate", http.MethodGet, "/v2/apis/{apiId}/models/{modelId}/template", s.getModelTemplate),
	}
}

// without is a map without a key; one that is not there is answered with a text.
func without[V any](m map[string]V, key, text string) (map[string]V, error) {
	if _, ok := m[key]; !ok {
		return nil, &apigw.Error{Kind: apigw.KindNotFound, Message: text}
	}
	m = maps.Clone(m)
	delete(m, key)
	return m, nil
}

func (s *service) deleteRouteRequestParameter(c *controlapi.Call) (controlapi.Answer, error) {
	_, err := s.control.UpdateRoute(c.Context, apiID(c), c.Path("routeId"), func(r apigw.Route) (_ apigw.Route, err error) {
		key := c.Path("requestParameterKey")
		r.RequestParameters, err = without(r.RequestParameters, key, "Invalid request parameter key specified "+key)
		return r, err
	})
	return controlapi.NoContent(), err
}

func (s *service) deleteAccessLogSettings(c *controlapi.Call) (controlapi.Answer, error) {
	_, err := s.control.UpdateStage(c.Context, apiID(c), c.Path("stageName"), func(v apigw.Stage) (apigw.Stage, error) {
		v.AccessLogSettings = nil
		return v, nil
	})
	return controlapi.NoContent(), err
}

func (s *service) deleteRouteSettings(c *controlapi.Call) (controlapi.Answer, error) {
	_, err := s.control.UpdateStage(c.Context, apiID(c), c.Path("stageName"), func(v apigw.Stage) (_ apigw.Stage, err error) {
		key := c.Path("routeKey")
		v.RouteSettings, err = without(v.RouteSettings, key, "Unable to find Route by key "+key+" within the provided RouteSettings")
		return v, err
	})
	return controlapi.NoContent(), err
}

// resetAuthorizersCache does nothing: a WebSocket API caches no decisions (spec control-plane §2).
func (s *service) resetAuthorizersCache(c *controlapi.Call) (controlapi.Answer, error) {
	t, err := s.tree(c)
	if err != nil {
		return controlapi.Answer{}, err
	}
	if name := c.Path("stageName"); !slices.ContainsFunc(t.Stages, func(v apigw.Stage) bool { return v.StageName == name }) {
		return controlapi.Answer{}, draft.Stages.Unknown(name)
	}
	return controlapi.NoContent(), nil
}

func (s *service) getModelTemplate(c *controlapi.Call) (controlapi.Answer, error) {
	m, err := s.models().get(c)
	if err != nil {
		return controlapi.Answer{}, err
	}
	return controlapi.OK(map[string]string{"value": modelTemplate(m.Schema)}), nil
}

// httpOnlyOperations are those that have a meaning for HTTP APIs alone. They are refused in words.
func httpOnlyOperations() []controlapi.Operation {
	refuse := func(name, method, path, why string) controlapi.Operation {
		return operation(name, method, path, func(*controlapi.Call) (controlapi.Answer, error) {
			return controlapi.Answer{}, badRequest(name + " is not supported for WEBSOCKET APIs: " + why)
		})
	}
	return []controlapi.Operation{
		refuse("ImportApi", http.MethodPut, "/v2/apis", "OpenAPI definitions describe HTTP APIs only"),
		refuse("ReimportApi", http.MethodPut, "/v2/apis/{apiId}", "OpenAPI definitions describe HTTP APIs only"),
		refuse("ExportApi", http.MethodGet, "/v2/apis/{apiId}/exports/{specification}", "OpenAPI definitions describe HTTP APIs only"),
		refuse("DeleteCorsConfiguration", http.MethodDelete, "/v2/apis/{apiId}/cors", "only HTTP APIs have a CORS configuration"),
	}
}
