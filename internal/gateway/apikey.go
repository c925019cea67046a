package gateway

import (
	"time"
	"unique"

	"cleat/internal/apigw"
	"cleat/internal/expr"
)

// apiKeyExpression is how the API keys of a definition are found.
func apiKeyExpression(def *apigw.Definition) (*expr.Expression, error) {
	text := def.APIKeySelectionExpression
	if text == "" {
		text = "$request.header.x-api-key"
	}
	return expr.Parse(expr.APIKey, text)
}

// checkAPIKey lets in who shows an API key that a usage plan allows here, where the route wants one (spec data-plane §2
// step 7). The key is read this once; the connection's messages count as the key's from then on (open-questions 38).
func (g *Gateway) checkAPIKey(s *session, p *plan, ev *apigw.Event, now time.Time) error {
	if p.apiKey == nil {
		return nil
	}
	vars := expr.Vars{Headers: ev.Headers}
	if s.grant != nil {
		vars.UsageIdentifierKey = s.grant.usageIdentifierKey
	}
	value := p.apiKey.Eval(vars)
	client, err := g.plans.Check(value, s.stage.api, s.stage.name, p.route.RouteKey, now)
	if err != nil {
		return err
	}
	s.learn(ev, func(g *grant) {
		g.client = client
		g.identity.APIKey, g.identity.APIKeyID = unique.Make(value).Value(), client.KeyID()
	})
	return nil
}
