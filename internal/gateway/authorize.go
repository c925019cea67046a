package gateway

import (
	"fmt"
	"net/http"

	"cleat/internal/apigw"
	"cleat/internal/authorizer"
)

// authorize asks, in the way that the route's authorizationType names, whether the client may connect (spec data-plane §2
// step 6). What no check is known for lets nobody in.
func (g *Gateway) authorize(r *http.Request, s *session, p *plan, ev *apigw.Event, rec *apigw.Record) error {
	switch p.route.AuthorizationType {
	case "", apigw.AuthorizationNone:
		return nil
	case apigw.AuthorizationIAM:
		return g.authorizeBySignature(r, s, ev, rec)
	case apigw.AuthorizationCustom:
		if p.authorizer != nil {
			return g.authorizeByFunction(s, p.authorizer, ev, rec)
		}
	}
	return &apigw.Error{Kind: apigw.KindAuthorizerConfig, Err: fmt.Errorf("route %s: authorization of type %s has nobody to decide it", p.route.RouteKey, p.route.AuthorizationType)}
}

// authorizeByFunction asks a Lambda authorizer. What it says of the client is shown in this event and all that follow,
// and in the log even of one that it refuses.
func (g *Gateway) authorizeByFunction(s *session, a *authorizer.Request, ev *apigw.Event, rec *apigw.Record) error {
	// As an integration, the function runs to its end even when the client hangs up meanwhile.
	granted, err := a.Authorize(g.stopped, ev, rec)
	if granted.Context != nil {
		s.learn(ev, func(g *grant) { g.authorizer, g.usageIdentifierKey = granted.Context, granted.UsageIdentifierKey })
	}
	return err
}

// compileAuthorizer makes the plan of a route's authorizer.
func compileAuthorizer(def *apigw.Definition, r *apigw.Route, d authorizer.Dependencies) (*authorizer.Request, error) {
	if r.AuthorizationType != apigw.AuthorizationCustom {
		return nil, nil
	}
	for i := range def.Authorizers {
		if a := &def.Authorizers[i]; a.AuthorizerID == r.AuthorizerID {
			plan, err := authorizer.Compile(a, d)
			if err != nil {
				return nil, fmt.Errorf("authorizer %s: %w", a.Name, err)
			}
			return plan, nil
		}
	}
	return nil, fmt.Errorf("route %s: there is no authorizer %q", r.RouteKey, r.AuthorizerID)
}
