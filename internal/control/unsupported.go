package control

import (
	"cleat/internal/apigw"
	"cleat/internal/vtl"
)

// This file is all that AWS takes and this version refuses. Each refusal is a problem of kind bad request whose text
// begins "not supported yet:". A definition that would be refused here must not be passed over in silence: it may be
// what keeps somebody out.

func (p *problems) notYet(field, format string, args ...any) {
	p.bad(field, "not supported yet: "+format, args...)
}

func unsupportedRoute(r *apigw.Route) problems {
	var p problems
	switch r.AuthorizationType {
	case apigw.AuthorizationCustom:
		p.notYet("authorizationType", "Lambda authorizers (route %s)", r.RouteKey)
	case apigw.AuthorizationIAM:
		p.notYet("authorizationType", "AWS_IAM authorization (route %s)", r.RouteKey)
	}
	if r.APIKeyRequired {
		p.notYet("apiKeyRequired", "API keys (route %s)", r.RouteKey)
	}
	if len(r.RequestModels) > 0 {
		p.notYet("requestModels", "validation by models (route %s)", r.RouteKey)
	}
	return p
}

func unsupportedIntegration(in *apigw.Integration) problems {
	var p problems
	if in.ConnectionType == "VPC_LINK" {
		p.notYet("connectionType", "VPC links")
	}
	if in.IntegrationType == apigw.IntegrationAWS && !isLambdaURI(in.IntegrationURI) {
		p.notYet("integrationUri", "integrations with AWS services other than Lambda, such as %s", in.IntegrationURI)
	}
	switch in.IntegrationType {
	case apigw.IntegrationAWS, apigw.IntegrationHTTP, apigw.IntegrationMock:
		p.literalTemplates("requestTemplates", in.RequestTemplates)
	case apigw.IntegrationAWSProxy, apigw.IntegrationHTTPProxy: // proxies do not look at them
	}
	return p
}

func unsupportedIntegrationResponse(r *apigw.IntegrationResponse) problems {
	var p problems
	p.literalTemplates("responseTemplates", r.ResponseTemplates)
	return p
}

// literalTemplates refuses templates that are more than literal text.
func (p *problems) literalTemplates(field string, templates map[string]string) {
	for _, key := range sortedKeys(templates) {
		if d, found := vtl.FirstDirective(templates[key]); found {
			p.notYet(field, "mapping templates that are more than literal text (%q, line %d: %s)", key, d.Line, d.Text)
		}
	}
}

// withoutEffect are the settings of a stage that are kept and do nothing yet: they are worth a warning.
func withoutEffect(s *apigw.Stage) problems {
	var p problems
	throttled := func(rs apigw.RouteSettings) bool { return rs.ThrottlingBurstLimit > 0 || rs.ThrottlingRateLimit > 0 }
	if s.DefaultRouteSettings != nil && throttled(*s.DefaultRouteSettings) {
		p.notYet("defaultRouteSettings", "throttling; the limits of stage %s have no effect", s.StageName)
	}
	for _, key := range sortedKeys(s.RouteSettings) {
		if throttled(s.RouteSettings[key]) {
			p.notYet("routeSettings", "throttling; the limits of stage %s, route %s have no effect", s.StageName, key)
		}
	}
	return p
}
