package apigatewayv2

import (
	"slices"
	"strings"

	"cleat/internal/apigw"
	"cleat/internal/control"
	"cleat/internal/controlapi"
	"cleat/internal/draft"
	"cleat/internal/store"
)

// hidden takes the place of a member of a definition that AWS does not show.
type hidden struct{}

// empty is a map as AWS shows it where there is always one.
func empty[V any](m map[string]V) map[string]V {
	if m == nil {
		return map[string]V{}
	}
	return m
}

// where is the part of a list for which holds does.
func where[T any](list []T, holds func(*T) bool) []T {
	var part []T
	for i := range list {
		if holds(&list[i]) {
			part = append(part, list[i])
		}
	}
	return part
}

func asItIs[T any](v T) any { return v }

// of returns what an API has of a kind.
func of[T any](s *service, list func(*store.Tree) []T) func(*controlapi.Call) ([]T, error) {
	return func(c *controlapi.Call) ([]T, error) {
		t, err := s.tree(c)
		if err != nil {
			return nil, err
		}
		return list(t), nil
	}
}

// apis are the APIs (spec control-plane §3).
func (s *service) apis() *collection[apigw.API] {
	return &collection[apigw.API]{
		name: "Api", plural: "Apis", path: "/v2/apis", id: "apiId",
		members: members{
			"apiKeySelectionExpression": settable, "description": settable, "disableExecuteApiEndpoint": settable, "disableSchemaValidation": settable,
			"ipAddressType": settable, "name": settable, "protocolType": initial, "routeSelectionExpression": settable,
			"tags": initial, "version": settable,
			"corsConfiguration": httpOnly, "credentialsArn": httpOnly, "routeKey": httpOnly, "target": httpOnly,
		},
		all: func(c *controlapi.Call) ([]apigw.API, error) { return s.control.APIs(c.Context) },
		key: func(v *apigw.API) string { return string(v.APIID) },
		one: func(c *controlapi.Call, id string) (apigw.API, error) {
			t, err := s.control.API(c.Context, apigw.APIID(id))
			if err != nil {
				return apigw.API{}, err
			}
			return t.API, nil
		},
		create: func(c *controlapi.Call, v apigw.API) (apigw.API, error) {
			return s.control.CreateAPI(c.Context, v, c.Region)
		},
		update: func(c *controlapi.Call, id string, edit func(apigw.API) (apigw.API, error)) (apigw.API, error) {
			return s.control.UpdateAPI(c.Context, apigw.APIID(id), edit)
		},
		remove: func(c *controlapi.Call, id string) error { return s.control.DeleteAPI(c.Context, apigw.APIID(id)) },
		show: func(v apigw.API) any {
			return struct {
				apigw.API
				Tags map[string]string `json:"tags"`
			}{v, empty(v.Tags)}
		},
	}
}

// routes are an API's routes (spec control-plane §4).
func (s *service) routes() *collection[apigw.Route] {
	return &collection[apigw.Route]{
		name: "Route", plural: "Routes", path: "/v2/apis/{apiId}/routes", id: "routeId",
		members: members{
			"apiKeyRequired": settable, "authorizationType": settable, "authorizerId": settable, "modelSelectionExpression": settable,
			"operationName": settable, "requestModels": settable, "requestParameters": {update: joinEach}, "routeKey": settable,
			"routeResponseSelectionExpression": settable, "target": settable,
			"authorizationScopes": httpOnly,
		},
		all: of(s, func(t *store.Tree) []apigw.Route { return t.Routes }), key: func(v *apigw.Route) string { return v.RouteID },
		unknown: draft.Routes.Unknown,
		create: func(c *controlapi.Call, v apigw.Route) (apigw.Route, error) {
			return s.control.CreateRoute(c.Context, apiID(c), v)
		},
		update: func(c *controlapi.Call, id string, edit func(apigw.Route) (apigw.Route, error)) (apigw.Route, error) {
			return s.control.UpdateRoute(c.Context, apiID(c), id, edit)
		},
		remove: func(c *controlapi.Call, id string) error { return s.control.DeleteRoute(c.Context, apiID(c), id) },
		show:   asItIs[apigw.Route],
	}
}

// routeResponses are a route's responses (spec control-plane §5).
func (s *service) routeResponses() *collection[apigw.RouteResponse] {
	return &collection[apigw.RouteResponse]{
		name: "RouteResponse", plural: "RouteResponses", path: "/v2/apis/{apiId}/routes/{routeId}/routeresponses", id: "routeResponseId",
		members: members{"modelSelectionExpression": settable, "responseModels": settable, "responseParameters": settable, "routeResponseKey": settable},
		all: func(c *controlapi.Call) ([]apigw.RouteResponse, error) {
			t, err := s.tree(c)
			if err != nil {
				return nil, err
			}
			route := c.Path("routeId")
			if !slices.ContainsFunc(t.Routes, func(r apigw.Route) bool { return r.RouteID == route }) {
				return nil, draft.Routes.Unknown(route)
			}
			return where(t.RouteResponses, func(r *apigw.RouteResponse) bool { return r.RouteID == route }), nil
		},
		key: func(v *apigw.RouteResponse) string { return v.RouteResponseID }, unknown: draft.RouteResponses.Unknown, nested: true,
		create: func(c *controlapi.Call, v apigw.RouteResponse) (apigw.RouteResponse, error) {
			v.RouteID = c.Path("routeId")
			return s.control.CreateRouteResponse(c.Context, apiID(c), v)
		},
		update: func(c *controlapi.Call, id string, edit func(apigw.RouteResponse) (apigw.RouteResponse, error)) (apigw.RouteResponse, error) {
			return s.control.UpdateRouteResponse(c.Context, apiID(c), id, edit)
		},
		remove: func(c *controlapi.Call, id string) error {
			return s.control.DeleteRouteResponse(c.Context, apiID(c), id)
		},
		show: func(v apigw.RouteResponse) any {
			return struct {
				apigw.RouteResponse
				RouteID *hidden `json:"routeId,omitempty"`
			}{RouteResponse: v}
		},
	}
}

// integrations are an API's integrations (spec control-plane §6).
func (s *service) integrations() *collection[apigw.Integration] {
	return &collection[apigw.Integration]{
		name: "Integration", plural: "Integrations", path: "/v2/apis/{apiId}/integrations", id: "integrationId",
		members: members{
			"connectionId": settable, "connectionType": settable, "contentHandlingStrategy": settable, "credentialsArn": settable, "description": settable,
			"integrationMethod": settable, "integrationType": settable, "integrationUri": settable, "passthroughBehavior": settable,
			"payloadFormatVersion": settable, "requestParameters": {update: joinTexts}, "requestTemplates": settable,
			"templateSelectionExpression": settable, "timeoutInMillis": {zero: "Timeout should be between 50 ms and 29000 ms"},
			"integrationSubtype": httpOnly, "responseParameters": httpOnly, "tlsConfig": httpOnly,
		},
		all: of(s, func(t *store.Tree) []apigw.Integration { return t.Integrations }), key: func(v *apigw.Integration) string { return v.IntegrationID },
		unknown: draft.Integrations.Unknown,
		create: func(c *controlapi.Call, v apigw.Integration) (apigw.Integration, error) {
			return s.control.CreateIntegration(c.Context, apiID(c), v)
		},
		update: func(c *controlapi.Call, id string, edit func(apigw.Integration) (apigw.Integration, error)) (apigw.Integration, error) {
			return s.control.UpdateIntegration(c.Context, apiID(c), id, edit)
		},
		remove: func(c *controlapi.Call, id string) error { return s.control.DeleteIntegration(c.Context, apiID(c), id) },
		show:   asItIs[apigw.Integration],
	}
}

// integrationResponses are an integration's responses (spec control-plane §7).
func (s *service) integrationResponses() *collection[apigw.IntegrationResponse] {
	return &collection[apigw.IntegrationResponse]{
		name: "IntegrationResponse", plural: "IntegrationResponses", path: "/v2/apis/{apiId}/integrations/{integrationId}/integrationresponses", id: "integrationResponseId",
		members: members{
			"contentHandlingStrategy": settable, "integrationResponseKey": settable, "responseParameters": settable, "responseTemplates": settable,
			"templateSelectionExpression": settable,
		},
		all: func(c *controlapi.Call) ([]apigw.IntegrationResponse, error) {
			t, err := s.tree(c)
			if err != nil {
				return nil, err
			}
			in := c.Path("integrationId")
			if !slices.ContainsFunc(t.Integrations, func(v apigw.Integration) bool { return v.IntegrationID == in }) {
				return nil, draft.Integrations.Unknown(in)
			}
			return where(t.IntegrationResponses, func(r *apigw.IntegrationResponse) bool { return r.IntegrationID == in }), nil
		},
		key: func(v *apigw.IntegrationResponse) string { return v.IntegrationResponseID }, unknown: draft.IntegrationResponses.Unknown, nested: true,
		create: func(c *controlapi.Call, v apigw.IntegrationResponse) (apigw.IntegrationResponse, error) {
			v.IntegrationID = c.Path("integrationId")
			return s.control.CreateIntegrationResponse(c.Context, apiID(c), v)
		},
		update: func(c *controlapi.Call, id string, edit func(apigw.IntegrationResponse) (apigw.IntegrationResponse, error)) (apigw.IntegrationResponse, error) {
			return s.control.UpdateIntegrationResponse(c.Context, apiID(c), id, edit)
		},
		remove: func(c *controlapi.Call, id string) error {
			return s.control.DeleteIntegrationResponse(c.Context, apiID(c), id)
		},
		show: func(v apigw.IntegrationResponse) any {
			return struct {
				apigw.IntegrationResponse
				IntegrationID *hidden `json:"integrationId,omitempty"`
			}{IntegrationResponse: v}
		},
	}
}

// authorizers are an API's authorizers (spec control-plane §8).
func (s *service) authorizers() *collection[apigw.Authorizer] {
	return &collection[apigw.Authorizer]{
		name: "Authorizer", plural: "Authorizers", path: "/v2/apis/{apiId}/authorizers", id: "authorizerId",
		members: members{
			"authorizerCredentialsArn": settable, "authorizerResultTtlInSeconds": settable, "authorizerType": settable, "authorizerUri": settable,
			"identitySource": required, "identityValidationExpression": settable, "name": settable,
			"authorizerPayloadFormatVersion": httpOnly, "enableSimpleResponses": httpOnly, "jwtConfiguration": httpOnly,
		},
		all: of(s, func(t *store.Tree) []apigw.Authorizer { return t.Authorizers }), key: func(v *apigw.Authorizer) string { return v.AuthorizerID },
		unknown: draft.Authorizers.Unknown,
		create: func(c *controlapi.Call, v apigw.Authorizer) (apigw.Authorizer, error) {
			return s.control.CreateAuthorizer(c.Context, apiID(c), v)
		},
		update: func(c *controlapi.Call, id string, edit func(apigw.Authorizer) (apigw.Authorizer, error)) (apigw.Authorizer, error) {
			return s.control.UpdateAuthorizer(c.Context, apiID(c), id, edit)
		},
		remove: func(c *controlapi.Call, id string) error { return s.control.DeleteAuthorizer(c.Context, apiID(c), id) },
		show:   asItIs[apigw.Authorizer],
	}
}

// models are an API's models (spec control-plane §9).
func (s *service) models() *collection[apigw.Model] {
	return &collection[apigw.Model]{
		name: "Model", plural: "Models", path: "/v2/apis/{apiId}/models", id: "modelId",
		members: members{"contentType": settable, "description": settable, "name": settable, "schema": settable},
		all:     of(s, func(t *store.Tree) []apigw.Model { return t.Models }), key: func(v *apigw.Model) string { return v.ModelID },
		unknown: draft.Models.Unknown,
		create: func(c *controlapi.Call, v apigw.Model) (apigw.Model, error) {
			return s.control.CreateModel(c.Context, apiID(c), v)
		},
		update: func(c *controlapi.Call, id string, edit func(apigw.Model) (apigw.Model, error)) (apigw.Model, error) {
			return s.control.UpdateModel(c.Context, apiID(c), id, edit)
		},
		remove: func(c *controlapi.Call, id string) error { return s.control.DeleteModel(c.Context, apiID(c), id) },
		show:   asItIs[apigw.Model],
	}
}

// deployments are an API's deployments (spec control-plane §10).
func (s *service) deployments() *collection[apigw.Deployment] {
	return &collection[apigw.Deployment]{
		name: "Deployment", plural: "Deployments", path: "/v2/apis/{apiId}/deployments", id: "deploymentId",
		members: members{"description": settable},
		all:     of(s, func(t *store.Tree) []apigw.Deployment { return t.Deployments }), key: func(v *apigw.Deployment) string { return v.DeploymentID },
		unknown: draft.Deployments.Unknown,
		create: func(c *controlapi.Call, v apigw.Deployment) (apigw.Deployment, error) {
			var request struct {
				StageName string `json:"stageName"`
			}
			if err := c.JSON(&request); err != nil {
				return apigw.Deployment{}, err
			}
			return s.control.CreateDeployment(c.Context, apiID(c), v.Description, request.StageName)
		},
		update: func(c *controlapi.Call, id string, edit func(apigw.Deployment) (apigw.Deployment, error)) (apigw.Deployment, error) {
			return s.control.UpdateDeployment(c.Context, apiID(c), id, edit)
		},
		remove: func(c *controlapi.Call, id string) error { return s.control.DeleteDeployment(c.Context, apiID(c), id) },
		show: func(v apigw.Deployment) any {
			return struct {
				apigw.Deployment
				Definition *hidden `json:"definition,omitempty"`
			}{Deployment: v}
		},
	}
}

// stages are an API's stages (spec control-plane §11).
func (s *service) stages() *collection[apigw.Stage] {
	return &collection[apigw.Stage]{
		name: "Stage", plural: "Stages", path: "/v2/apis/{apiId}/stages", id: "stageName",
		members: members{
			"accessLogSettings": {update: joinOrClear}, "autoDeploy": settable, "clientCertificateId": settable,
			"defaultRouteSettings": {update: joinSettings}, "deploymentId": settable, "description": settable,
			"routeSettings": {update: joinEach}, "stageName": initial, "stageVariables": {update: joinTexts}, "tags": initial,
		},
		all: of(s, func(t *store.Tree) []apigw.Stage { return t.Stages }), key: func(v *apigw.Stage) string { return v.StageName },
		unknown: draft.Stages.Unknown,
		create: func(c *controlapi.Call, v apigw.Stage) (apigw.Stage, error) {
			return s.control.CreateStage(c.Context, apiID(c), v)
		},
		update: func(c *controlapi.Call, id string, edit func(apigw.Stage) (apigw.Stage, error)) (apigw.Stage, error) {
			return s.control.UpdateStage(c.Context, apiID(c), id, edit)
		},
		remove: func(c *controlapi.Call, id string) error { return s.control.DeleteStage(c.Context, apiID(c), id) },
		show: func(v apigw.Stage) any {
			return struct {
				apigw.Stage
				RouteSettings  map[string]apigw.RouteSettings `json:"routeSettings"`
				StageVariables map[string]string              `json:"stageVariables"`
				Tags           map[string]string              `json:"tags"`
			}{v, empty(v.RouteSettings), empty(v.StageVariables), empty(v.Tags)}
		},
	}
}

// domainNames are the custom domain names (spec control-plane §13).
func (s *service) domainNames() *collection[apigw.DomainName] {
	return &collection[apigw.DomainName]{
		name: "DomainName", plural: "DomainNames", path: "/v2/domainnames", id: "domainName",
		members: members{
			"domainName": initial, "domainNameConfigurations": {update: joinOnly}, "routingMode": settable, "tags": initial,
			"mutualTlsAuthentication": httpOnly,
		},
		all: func(c *controlapi.Call) ([]apigw.DomainName, error) { return s.control.DomainNames(c.Context) },
		key: func(v *apigw.DomainName) string { return v.DomainName },
		one: func(c *controlapi.Call, id string) (apigw.DomainName, error) {
			return s.control.DomainName(c.Context, id)
		},
		create: func(c *controlapi.Call, v apigw.DomainName) (apigw.DomainName, error) {
			return s.control.CreateDomainName(c.Context, v, c.Region)
		},
		update: func(c *controlapi.Call, id string, edit func(apigw.DomainName) (apigw.DomainName, error)) (apigw.DomainName, error) {
			return s.control.UpdateDomainName(c.Context, id, edit)
		},
		remove: func(c *controlapi.Call, id string) error { return s.control.DeleteDomainName(c.Context, id) },
		show:   asItIs[apigw.DomainName],
	}
}

// apiMappings are the API mappings of a custom domain name (spec control-plane §13).
func (s *service) apiMappings() *collection[apigw.APIMapping] {
	return &collection[apigw.APIMapping]{
		name: "ApiMapping", plural: "ApiMappings", path: "/v2/domainnames/{domainName}/apimappings", id: "apiMappingId",
		members: members{"apiId": {required: true, always: true}, "apiMappingKey": settable, "stage": required},
		all: func(c *controlapi.Call) ([]apigw.APIMapping, error) {
			return s.control.APIMappings(c.Context, c.Path("domainName"))
		},
		key: func(v *apigw.APIMapping) string { return v.APIMappingID }, unknown: func(string) error { return control.UnknownMapping() },
		create: func(c *controlapi.Call, v apigw.APIMapping) (apigw.APIMapping, error) {
			v.DomainName = strings.ToLower(c.Path("domainName"))
			return s.control.CreateAPIMapping(c.Context, v)
		},
		update: func(c *controlapi.Call, id string, edit func(apigw.APIMapping) (apigw.APIMapping, error)) (apigw.APIMapping, error) {
			return s.control.UpdateAPIMapping(c.Context, c.Path("domainName"), id, edit)
		},
		remove: func(c *controlapi.Call, id string) error {
			return s.control.DeleteAPIMapping(c.Context, c.Path("domainName"), id)
		},
		show: func(v apigw.APIMapping) any {
			return struct {
				apigw.APIMapping
				DomainName *hidden `json:"domainName,omitempty"`
			}{APIMapping: v}
		},
	}
}
