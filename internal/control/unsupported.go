package control

import "cleat/internal/apigw"

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

// withoutEffectAPI are the settings of an API that are kept and do nothing yet.
func withoutEffectAPI(api *apigw.API) problems {
	var p problems
	if api.DisableExecuteAPIEndpoint {
		p.notYet("disableExecuteApiEndpoint", "custom domain names; the API can be reached under its own address all the same")
	}
	return p
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
