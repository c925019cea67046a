package draft

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"cleat/internal/apigw"
	"cleat/internal/expr"
	"cleat/internal/logformat"
	"cleat/internal/store"
)

// Bounds of spec control-plane §3 to §11 that are no quotas.
const (
	maxName        = 128
	maxDescription = 1024
	maxVersion     = 64
	maxURI         = 2048
	maxParameter   = 512
	maxTemplate    = 32 << 10
	maxTags        = 50
	maxStageValue  = 512
	maxModels      = 60
	maxConnection  = 1024 // a VPC link's ID or name
	maxResultTTL   = 3600 // seconds
)

// mayAdd refuses one more of a kind of which the API has its fill.
func (p *Problems) mayAdd(kind string, have, quota int) {
	if have >= quota {
		p.Add(apigw.KindQuotaExceeded, "", "Maximum number of %s for this API has been reached.  Please contact AWS if you need additional %s.", kind, kind)
	}
}

// expression refuses a selection expression that does not parse; empty passes.
func (p *Problems) expression(kind expr.Kind, field, text string) {
	if text == "" {
		return
	}
	if _, err := expr.Parse(kind, text); err != nil {
		p.Bad(field, "%v", err)
	}
}

// checkAPI checks an API and fills in its defaults (spec control-plane §3).
func checkAPI(api *apigw.API) Problems {
	var p Problems
	if api.Name == "" {
		p.Bad("name", "Name is required")
	}
	p.length("name", api.Name, maxName)
	switch api.ProtocolType {
	case "WEBSOCKET":
	case "HTTP":
		p.Bad("protocolType", "HTTP APIs are not served here, only WebSocket APIs")
	default:
		p.Bad("protocolType", "Invalid protocol specified. Must be one of [HTTP, WEBSOCKET]")
	}
	if api.RouteSelectionExpression == "" {
		p.Bad("routeSelectionExpression", "routeSelectionExpression is required for WEBSOCKET APIs, such as $request.body.action")
	}
	p.expression(expr.Route, "routeSelectionExpression", api.RouteSelectionExpression)
	if api.APIKeySelectionExpression == "" {
		api.APIKeySelectionExpression = "$request.header.x-api-key"
	}
	p.expression(expr.APIKey, "apiKeySelectionExpression", api.APIKeySelectionExpression)
	p.length("description", api.Description, maxDescription)
	p.length("version", api.Version, maxVersion)
	if api.IPAddressType == "" {
		api.IPAddressType = "ipv4"
	}
	p.oneOf("ipAddressType", api.IPAddressType, "ipv4", "dualstack")
	p.tags(api.Tags)
	return p
}

func (p *Problems) tags(tags map[string]string) {
	if len(tags) > maxTags {
		p.Bad("tags", "more than %d tags", maxTags)
	}
	for k, v := range tags {
		if k == "" || len(k) > 128 || len(v) > 256 || strings.HasPrefix(k, "aws:") {
			p.Bad("tags", "tag %q: keys have 1 to 128 characters and do not begin with aws:, values at most 256", k)
			return
		}
	}
}

// putRoute checks a route and puts it in (spec control-plane §4).
func (d *API) putRoute(r apigw.Route) Problems {
	var p Problems
	if find(d.Now.Routes, routeID, r.RouteID) == nil {
		p.mayAdd("Routes", len(d.Now.Routes), apigw.QuotaRoutes)
	}
	if err := expr.CheckRouteKey(r.RouteKey); err != nil {
		p.Bad("routeKey", "%v", err)
	}
	for i := range d.Now.Routes {
		if o := &d.Now.Routes[i]; o.RouteKey == r.RouteKey && o.RouteID != r.RouteID {
			p.Add(apigw.KindConflict, "routeKey", "Route with key %s already exists for this API", r.RouteKey)
		}
	}
	d.checkAuthorization(&r, &p)
	p.expression(expr.Model, "modelSelectionExpression", r.ModelSelectionExpression)
	p.length("operationName", r.OperationName, 64)
	for key, name := range r.RequestModels {
		if !slices.ContainsFunc(d.Now.Models, func(m apigw.Model) bool { return m.Name == name }) {
			p.Bad("requestModels", "Invalid Model identifier specified: %s, for the key %s", name, key)
		}
	}
	for key := range r.RequestParameters {
		if !constraintKey.MatchString(key) {
			p.Bad("requestParameters", "%q: want route.request.header.{name} or route.request.querystring.{name}", key)
		} else if r.RouteKey != apigw.RouteConnect {
			p.Bad("requestParameters", "%q: only $connect has headers and a query string", key)
		}
	}
	p.expression(expr.RouteResponse, "routeResponseSelectionExpression", r.RouteResponseSelectionExpression)
	if r.Target != "" {
		id, ok := strings.CutPrefix(r.Target, "integrations/")
		if !ok || id == "" {
			p.Bad("target", "Invalid target %q: want integrations/{integrationId}", r.Target)
		} else if find(d.Now.Integrations, integrationID, id) == nil {
			p.Add(apigw.KindNotFound, "target", "Invalid Integration identifier specified %s", id)
		}
	}
	put(&d.Now.Routes, routeID, r)
	return p
}

var constraintKey = regexp.MustCompile(`^route\.request\.(?:header|querystring)\.[a-zA-Z0-9._$-]+$`)

func (d *API) checkAuthorization(r *apigw.Route, p *Problems) {
	if r.AuthorizationType == "" {
		r.AuthorizationType = apigw.AuthorizationNone
	}
	switch r.AuthorizationType {
	case apigw.AuthorizationNone:
		if r.AuthorizerID != "" {
			p.Bad("authorizerId", "An authorizer needs the authorization type CUSTOM")
		}
		return
	case apigw.AuthorizationIAM:
	case apigw.AuthorizationCustom:
		switch {
		case r.AuthorizerID == "":
			p.Bad("authorizerId", "The authorization type CUSTOM needs an authorizer")
		case find(d.Now.Authorizers, authorizerID, r.AuthorizerID) == nil:
			p.Add(apigw.KindNotFound, "authorizerId", "Invalid Authorizer identifier specified %s", r.AuthorizerID)
		}
	default:
		p.Bad("authorizationType", "Invalid authorization type %q for a WebSocket API. Must be one of [NONE, AWS_IAM, CUSTOM]", r.AuthorizationType)
		return
	}
	if r.RouteKey != apigw.RouteConnect {
		p.Bad("authorizationType", "Currently, authorization is restricted to the $connect route only")
	}
}

// putRouteResponse checks a route response and puts it in (spec control-plane §5).
func (d *API) putRouteResponse(r apigw.RouteResponse) Problems {
	var p Problems
	if r.RouteResponseKey != apigw.RouteDefault {
		p.Bad("routeResponseKey", "Invalid route response key %q: only $default is possible", r.RouteResponseKey)
	}
	if find(d.Now.Routes, routeID, r.RouteID) == nil {
		p.Add(apigw.KindNotFound, "routeId", "Invalid Route identifier specified %s", r.RouteID)
	}
	for i := range d.Now.RouteResponses {
		if o := &d.Now.RouteResponses[i]; o.RouteID == r.RouteID && o.RouteResponseKey == r.RouteResponseKey && o.RouteResponseID != r.RouteResponseID {
			p.Add(apigw.KindConflict, "routeResponseKey", "RouteResponse with key %s already exists for this Route", r.RouteResponseKey)
		}
	}
	p.expression(expr.Model, "modelSelectionExpression", r.ModelSelectionExpression)
	put(&d.Now.RouteResponses, routeResponseID, r)
	return p
}

// putAuthorizer checks an authorizer and puts it in (spec control-plane §8).
func (d *API) putAuthorizer(a apigw.Authorizer) Problems {
	var p Problems
	if find(d.Now.Authorizers, authorizerID, a.AuthorizerID) == nil {
		p.mayAdd("Authorizers", len(d.Now.Authorizers), apigw.QuotaAuthorizers)
	}
	if a.Name == "" {
		p.Bad("name", "Name is required")
	}
	p.length("name", a.Name, maxName)
	for i := range d.Now.Authorizers {
		if o := &d.Now.Authorizers[i]; o.Name == a.Name && o.AuthorizerID != a.AuthorizerID {
			p.Add(apigw.KindConflict, "name", "Authorizer with name %s already exists for this API", a.Name)
		}
	}
	if a.AuthorizerType != "REQUEST" {
		p.Bad("authorizerType", "Invalid authorizer type %q for a WebSocket API. Must be REQUEST", a.AuthorizerType)
	}
	if a.AuthorizerURI == "" {
		p.Bad("authorizerUri", "Authorizer URI is required for REQUEST authorizers")
	} else {
		p.lambdaURI("authorizerUri", a.AuthorizerURI)
	}
	if a.AuthorizerResultTTLInSeconds < 0 || a.AuthorizerResultTTLInSeconds > maxResultTTL {
		p.Bad("authorizerResultTtlInSeconds", "Invalid authorizerResultTtlInSeconds: want 0 to %d", maxResultTTL)
	}
	p.length("identityValidationExpression", a.IdentityValidationExpression, 1024)
	for _, s := range a.IdentitySource {
		switch {
		case !identitySource.MatchString(s):
			p.Bad("identitySource", "Invalid identity source %q: want route.request.header.{name}, route.request.querystring.{name}, stageVariables.{name} or context.{name}", s)
		case strangeContext(s):
			p.Bad("identitySource", "Invalid identity source %q: no such variable is in a WebSocket API's context", s)
		}
	}
	put(&d.Now.Authorizers, authorizerID, a)
	return p
}

var identitySource = regexp.MustCompile(`^(?:route\.request\.(?:header|querystring)|stageVariables|context)\.[a-zA-Z0-9._$-]+$`)

// AddStage checks a stage with its settings of routes and puts it in. If it has autoDeploy, it is for AutoDeploy to deploy,
// once all is in that it is to serve.
func (d *API) AddStage(s apigw.Stage) Problems {
	return append(d.setStage(s), d.KnowsRoutes(&s, nil)...)
}

// setStage checks a stage and puts it in (spec control-plane §11). A stage that was there keeps its dates where nothing
// else changes.
func (d *API) setStage(s apigw.Stage) Problems {
	var p Problems
	if find(d.Now.Stages, stageName, s.StageName) != nil {
		p.Add(apigw.KindConflict, "stageName", "Stage already exists")
	}
	p.mayAdd("Stages", len(d.Now.Stages), apigw.QuotaStages)
	if !IsStageName(s.StageName) {
		p.Bad("stageName", "Invalid stage name %q: want 1 to 128 letters, digits, _ and -", s.StageName)
	}
	switch {
	case s.AutoDeploy && s.DeploymentID != "":
		p.Bad("deploymentId", "Deployment ID cannot be set on a stage with autoDeploy")
	case s.DeploymentID != "" && find(d.Now.Deployments, deploymentID, s.DeploymentID) == nil:
		p.Add(apigw.KindNotFound, "deploymentId", "Invalid Deployment identifier specified %s", s.DeploymentID)
	}
	p.length("description", s.Description, maxDescription)
	p.stageVariables(s.StageVariables)
	p.tags(s.Tags)
	if s.DefaultRouteSettings == nil {
		s.DefaultRouteSettings = &apigw.RouteSettings{}
	}
	p.routeSettings("defaultRouteSettings", *s.DefaultRouteSettings)
	for _, key := range slices.Sorted(maps.Keys(s.RouteSettings)) {
		p.routeSettings("routeSettings", s.RouteSettings[key])
	}
	if a := s.AccessLogSettings; a != nil && a.Format != "" {
		if _, err := logformat.Parse(a.Format); err != nil {
			p.Bad("accessLogSettings", "%v", err)
		}
	}
	s.CreatedDate, s.LastUpdatedDate = d.at, d.at
	if d.before != nil {
		if old := find(d.before.Stages, stageName, s.StageName); old != nil {
			if s.AutoDeploy { // until AutoDeploy makes another
				s.DeploymentID, s.LastDeploymentStatusMessage = old.DeploymentID, old.LastDeploymentStatusMessage
			}
			s.CreatedDate, s.LastUpdatedDate = old.CreatedDate, old.LastUpdatedDate
			if !store.Equal(*old, s) {
				s.LastUpdatedDate = d.at
			}
		}
	}
	put(&d.Now.Stages, stageName, s)
	return p
}

// KnowsRoutes refuses settings of routes that the API does not have, save those that the stage had before: the route may
// have gone since, and may still be deployed. before is nil for a new stage.
func (d *API) KnowsRoutes(s, before *apigw.Stage) Problems {
	var p Problems
	for _, key := range slices.Sorted(maps.Keys(s.RouteSettings)) {
		if before != nil {
			if _, had := before.RouteSettings[key]; had {
				continue
			}
		}
		if !slices.ContainsFunc(d.Now.Routes, func(r apigw.Route) bool { return r.RouteKey == key }) {
			p.Add(apigw.KindNotFound, "routeSettings", "Unable to find Route by key %s within the provided RouteSettings", key)
		}
	}
	return p
}

// IsStageName tells whether a text may be a stage's name (spec control-plane §11).
func IsStageName(s string) bool { return stagePattern.MatchString(s) }

var (
	stagePattern  = regexp.MustCompile(`^[A-Za-z0-9_-]{1,128}$`)
	variableName  = regexp.MustCompile(`^[A-Za-z0-9_]{1,64}$`)
	variableValue = regexp.MustCompile(`^[A-Za-z0-9\-._~:/?#&=,]+$`)
)

func (p *Problems) stageVariables(variables map[string]string) {
	if len(variables) > apigw.QuotaStageVariables {
		p.Bad("stageVariables", "more than %d stage variables", apigw.QuotaStageVariables)
	}
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		switch value := variables[name]; {
		case !variableName.MatchString(name):
			p.Bad("stageVariables", "Invalid stage variable name %q: want 1 to 64 letters, digits and _", name)
		case len(value) > maxStageValue || !variableValue.MatchString(value):
			p.Bad("stageVariables", "Invalid stage variable value of %s: want 1 to %d letters, digits and -._~:/?#&=,", name, maxStageValue)
		}
	}
}

func (p *Problems) routeSettings(field string, rs apigw.RouteSettings) {
	p.oneOf(field, rs.LoggingLevel, "ERROR", "INFO", "OFF")
	if rs.ThrottlingBurstLimit < 0 || rs.ThrottlingRateLimit < 0 {
		p.Bad(field, "a throttling limit must not be negative")
	}
}
