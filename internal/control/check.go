package control

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/expr"
	"cleat/internal/logformat"
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
	maxResultTTL   = 3600 // seconds
)

// mayAdd refuses one more of a kind of which the API has its fill.
func (p *problems) mayAdd(kind string, have, quota int) {
	if have >= quota {
		p.add(apigw.KindQuotaExceeded, "", "Maximum number of %s for this API has been reached.  Please contact AWS if you need additional %s.", kind, kind)
	}
}

// expression refuses a selection expression that does not parse; empty passes.
func (p *problems) expression(kind expr.Kind, field, text string) {
	if text == "" {
		return
	}
	if _, err := expr.Parse(kind, text); err != nil {
		p.bad(field, "%v", err)
	}
}

// checkAPI checks an API and fills in its defaults (spec control-plane §3).
func checkAPI(api *apigw.API) problems {
	var p problems
	if api.Name == "" {
		p.bad("name", "Name is required")
	}
	p.length("name", api.Name, maxName)
	switch api.ProtocolType {
	case "WEBSOCKET":
	case "HTTP":
		p.bad("protocolType", "HTTP APIs are not served here, only WebSocket APIs")
	default:
		p.bad("protocolType", "Invalid protocol specified. Must be one of [HTTP, WEBSOCKET]")
	}
	if api.RouteSelectionExpression == "" {
		p.bad("routeSelectionExpression", "routeSelectionExpression is required for WEBSOCKET APIs, such as $request.body.action")
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

func (p *problems) tags(tags map[string]string) {
	if len(tags) > maxTags {
		p.bad("tags", "more than %d tags", maxTags)
	}
	for k, v := range tags {
		if k == "" || len(k) > 128 || len(v) > 256 || strings.HasPrefix(k, "aws:") {
			p.bad("tags", "tag %q: keys have 1 to 128 characters and do not begin with aws:, values at most 256", k)
			return
		}
	}
}

// putRoute checks a route and puts it in (spec control-plane §4).
func (d *draft) putRoute(r apigw.Route) problems {
	var p problems
	if find(d.now.Routes, routeID, r.RouteID) == nil {
		p.mayAdd("Routes", len(d.now.Routes), apigw.QuotaRoutes)
	}
	if err := expr.CheckRouteKey(r.RouteKey); err != nil {
		p.bad("routeKey", "%v", err)
	}
	for i := range d.now.Routes {
		if o := &d.now.Routes[i]; o.RouteKey == r.RouteKey && o.RouteID != r.RouteID {
			p.add(apigw.KindConflict, "routeKey", "Route with key %s already exists for this API", r.RouteKey)
		}
	}
	d.checkAuthorization(&r, &p)
	p.expression(expr.Model, "modelSelectionExpression", r.ModelSelectionExpression)
	p.length("operationName", r.OperationName, 64)
	for key, name := range r.RequestModels {
		if !slices.ContainsFunc(d.now.Models, func(m apigw.Model) bool { return m.Name == name }) {
			p.bad("requestModels", "Invalid Model identifier specified: %s, for the key %s", name, key)
		}
	}
	for key := range r.RequestParameters {
		if !constraintKey.MatchString(key) {
			p.bad("requestParameters", "%q: want route.request.header.{name} or route.request.querystring.{name}", key)
		} else if r.RouteKey != apigw.RouteConnect {
			p.bad("requestParameters", "%q: only $connect has headers and a query string", key)
		}
	}
	p.expression(expr.RouteResponse, "routeResponseSelectionExpression", r.RouteResponseSelectionExpression)
	if r.Target != "" {
		id, ok := strings.CutPrefix(r.Target, "integrations/")
		if !ok || id == "" {
			p.bad("target", "Invalid target %q: want integrations/{integrationId}", r.Target)
		} else if find(d.now.Integrations, integrationID, id) == nil {
			p.add(apigw.KindNotFound, "target", "Invalid Integration identifier specified %s", id)
		}
	}
	put(&d.now.Routes, routeID, r)
	return p
}

var constraintKey = regexp.MustCompile(`^route\.request\.(?:header|querystring)\.[a-zA-Z0-9._$-]+$`)

func (d *draft) checkAuthorization(r *apigw.Route, p *problems) {
	if r.AuthorizationType == "" {
		r.AuthorizationType = apigw.AuthorizationNone
	}
	switch r.AuthorizationType {
	case apigw.AuthorizationNone:
		if r.AuthorizerID != "" {
			p.bad("authorizerId", "An authorizer needs the authorization type CUSTOM")
		}
		return
	case apigw.AuthorizationIAM:
	case apigw.AuthorizationCustom:
		switch {
		case r.AuthorizerID == "":
			p.bad("authorizerId", "The authorization type CUSTOM needs an authorizer")
		case find(d.now.Authorizers, authorizerID, r.AuthorizerID) == nil:
			p.add(apigw.KindNotFound, "authorizerId", "Invalid Authorizer identifier specified %s", r.AuthorizerID)
		}
	default:
		p.bad("authorizationType", "Invalid authorization type %q for a WebSocket API. Must be one of [NONE, AWS_IAM, CUSTOM]", r.AuthorizationType)
		return
	}
	if r.RouteKey != apigw.RouteConnect {
		p.bad("authorizationType", "Currently, authorization is restricted to the $connect route only")
	}
}

// putRouteResponse checks a route response and puts it in (spec control-plane §5).
func (d *draft) putRouteResponse(r apigw.RouteResponse) problems {
	var p problems
	if r.RouteResponseKey != apigw.RouteDefault {
		p.bad("routeResponseKey", "Invalid route response key %q: only $default is possible", r.RouteResponseKey)
	}
	if find(d.now.Routes, routeID, r.RouteID) == nil {
		p.add(apigw.KindNotFound, "routeId", "Invalid Route identifier specified %s", r.RouteID)
	}
	for i := range d.now.RouteResponses {
		if o := &d.now.RouteResponses[i]; o.RouteID == r.RouteID && o.RouteResponseKey == r.RouteResponseKey && o.RouteResponseID != r.RouteResponseID {
			p.add(apigw.KindConflict, "routeResponseKey", "RouteResponse with key %s already exists for this Route", r.RouteResponseKey)
		}
	}
	p.expression(expr.Model, "modelSelectionExpression", r.ModelSelectionExpression)
	put(&d.now.RouteResponses, routeResponseID, r)
	return p
}

// putAuthorizer checks an authorizer and puts it in (spec control-plane §8).
func (d *draft) putAuthorizer(a apigw.Authorizer) problems {
	var p problems
	if find(d.now.Authorizers, authorizerID, a.AuthorizerID) == nil {
		p.mayAdd("Authorizers", len(d.now.Authorizers), apigw.QuotaAuthorizers)
	}
	if a.Name == "" {
		p.bad("name", "Name is required")
	}
	p.length("name", a.Name, maxName)
	for i := range d.now.Authorizers {
		if o := &d.now.Authorizers[i]; o.Name == a.Name && o.AuthorizerID != a.AuthorizerID {
			p.add(apigw.KindConflict, "name", "Authorizer with name %s already exists for this API", a.Name)
		}
	}
	if a.AuthorizerType != "REQUEST" {
		p.bad("authorizerType", "Invalid authorizer type %q for a WebSocket API. Must be REQUEST", a.AuthorizerType)
	}
	if a.AuthorizerURI == "" {
		p.bad("authorizerUri", "Authorizer URI is required for REQUEST authorizers")
	} else {
		p.lambdaURI("authorizerUri", a.AuthorizerURI)
	}
	if a.AuthorizerResultTTLInSeconds < 0 || a.AuthorizerResultTTLInSeconds > maxResultTTL {
		p.bad("authorizerResultTtlInSeconds", "Invalid authorizerResultTtlInSeconds: want 0 to %d", maxResultTTL)
	}
	p.length("identityValidationExpression", a.IdentityValidationExpression, 1024)
	for _, s := range a.IdentitySource {
		switch {
		case !identitySource.MatchString(s):
			p.bad("identitySource", "Invalid identity source %q: want route.request.header.{name}, route.request.querystring.{name}, stageVariables.{name} or context.{name}", s)
		case strangeContext(s):
			p.bad("identitySource", "Invalid identity source %q: no such variable is in a WebSocket API's context", s)
		}
	}
	put(&d.now.Authorizers, authorizerID, a)
	return p
}

var identitySource = regexp.MustCompile(`^(?:route\.request\.(?:header|querystring)|stageVariables|context)\.[a-zA-Z0-9._$-]+$`)

// putStage is setStage for a stage that was not there.
func (d *draft) putStage(s apigw.Stage, now time.Time) problems {
	return append(d.setStage(s, now), d.knowsRoutes(&s, nil)...)
}

// setStage checks a stage and puts it in (spec control-plane §11). A stage that was there keeps its dates where nothing
// else changes.
func (d *draft) setStage(s apigw.Stage, now time.Time) problems {
	var p problems
	if find(d.now.Stages, stageName, s.StageName) != nil {
		p.add(apigw.KindConflict, "stageName", "Stage already exists")
	}
	p.mayAdd("Stages", len(d.now.Stages), apigw.QuotaStages)
	if !stagePattern.MatchString(s.StageName) {
		p.bad("stageName", "Invalid stage name %q: want 1 to 128 letters, digits, _ and -", s.StageName)
	}
	switch {
	case s.AutoDeploy && s.DeploymentID != "":
		p.bad("deploymentId", "Deployment ID cannot be set on a stage with autoDeploy")
	case s.DeploymentID != "" && find(d.now.Deployments, deploymentID, s.DeploymentID) == nil:
		p.add(apigw.KindNotFound, "deploymentId", "Invalid Deployment identifier specified %s", s.DeploymentID)
	}
	p.length("description", s.Description, maxDescription)
	p.stageVariables(s.StageVariables)
	p.tags(s.Tags)
	if s.DefaultRouteSettings == nil {
		s.DefaultRouteSettings = &apigw.RouteSettings{}
	}
	p.routeSettings("defaultRouteSettings", *s.DefaultRouteSettings)
	for _, key := range sortedKeys(s.RouteSettings) {
		p.routeSettings("routeSettings", s.RouteSettings[key])
	}
	if a := s.AccessLogSettings; a != nil && a.Format != "" {
		if _, err := logformat.Parse(a.Format); err != nil {
			p.bad("accessLogSettings", "%v", err)
		}
	}
	s.CreatedDate, s.LastUpdatedDate = now, now
	if d.before != nil {
		if old := find(d.before.Stages, stageName, s.StageName); old != nil {
			if s.AutoDeploy { // until autoDeploy makes another
				s.DeploymentID, s.LastDeploymentStatusMessage = old.DeploymentID, old.LastDeploymentStatusMessage
			}
			s.CreatedDate, s.LastUpdatedDate = old.CreatedDate, old.LastUpdatedDate
			if !equal(*old, s) {
				s.LastUpdatedDate = now
			}
		}
	}
	put(&d.now.Stages, stageName, s)
	return p
}

// knowsRoutes refuses settings of routes that the API does not have, save those that the stage had before: the route may
// have gone since, and may still be deployed. before is nil for a new stage.
func (d *draft) knowsRoutes(s, before *apigw.Stage) problems {
	var p problems
	for _, key := range sortedKeys(s.RouteSettings) {
		if before != nil {
			if _, had := before.RouteSettings[key]; had {
				continue
			}
		}
		if !slices.ContainsFunc(d.now.Routes, func(r apigw.Route) bool { return r.RouteKey == key }) {
			p.add(apigw.KindNotFound, "routeSettings", "Unable to find Route by key %s within the provided RouteSettings", key)
		}
	}
	return p
}

var (
	stagePattern  = regexp.MustCompile(`^[A-Za-z0-9_-]{1,128}$`)
	variableName  = regexp.MustCompile(`^[A-Za-z0-9_]{1,64}$`)
	variableValue = regexp.MustCompile(`^[A-Za-z0-9\-._~:/?#&=,]+$`)
)

func (p *problems) stageVariables(variables map[string]string) {
	if len(variables) > apigw.QuotaStageVariables {
		p.bad("stageVariables", "more than %d stage variables", apigw.QuotaStageVariables)
	}
	for _, name := range sortedKeys(variables) {
		switch value := variables[name]; {
		case !variableName.MatchString(name):
			p.bad("stageVariables", "Invalid stage variable name %q: want 1 to 64 letters, digits and _", name)
		case len(value) > maxStageValue || !variableValue.MatchString(value):
			p.bad("stageVariables", "Invalid stage variable value of %s: want 1 to %d letters, digits and -._~:/?#&=,", name, maxStageValue)
		}
	}
}

func (p *problems) routeSettings(field string, rs apigw.RouteSettings) {
	p.oneOf(field, rs.LoggingLevel, "ERROR", "INFO", "OFF")
	if rs.ThrottlingBurstLimit < 0 || rs.ThrottlingRateLimit < 0 {
		p.bad(field, "a throttling limit must not be negative")
	}
}
