package export

import (
	"encoding/json"
	"slices"
	"strings"

	"cleat/internal/apigw"
	"cleat/internal/awsapi"
	"cleat/internal/expr"
)

// behaviour is what clients and backends can tell of an API: no identifiers, no dates, no texts for people.
type behaviour struct {
	RouteSelectionExpression, APIKeySelectionExpression string
	DisableExecuteAPIEndpoint                           bool
	Routes                                              []routeBehaviour
	Stages                                              []stageBehaviour
	Mappings                                            [][3]string
}

type routeBehaviour struct {
	Route       apigw.Route
	Integration json.RawMessage
	TwoWay      bool
	Authorizer  *apigw.Authorizer
	Models      map[string]string // schemas by what selects them
}

type stageBehaviour struct {
	Name     string
	Deployed bool
	Settings apigw.Stage
}

// Behaviour is a text that is the same for two APIs that clients and backends cannot tell apart, as far as that can be said
// without running them; names of the API, descriptions and tags do not count.
func (a *API) Behaviour() []byte {
	b := behaviour{
		RouteSelectionExpression: a.API.RouteSelectionExpression, APIKeySelectionExpression: a.API.APIKeySelectionExpression,
		DisableExecuteAPIEndpoint: a.API.DisableExecuteAPIEndpoint,
	}
	if b.APIKeySelectionExpression == "" {
		b.APIKeySelectionExpression = defaultKeySelection
	}
	for i := range a.Routes {
		b.Routes = append(b.Routes, a.routeBehaviour(&a.Routes[i]))
	}
	for _, s := range a.Stages {
		sb := stageBehaviour{Name: s.StageName, Deployed: s.DeploymentID != "" || s.AutoDeploy}
		sb.Settings.StageVariables, sb.Settings.RouteSettings, sb.Settings.AccessLogSettings = s.StageVariables, s.RouteSettings, s.AccessLogSettings
		if s.DefaultRouteSettings != nil && *s.DefaultRouteSettings != (apigw.RouteSettings{}) {
			sb.Settings.DefaultRouteSettings = s.DefaultRouteSettings
		}
		b.Stages = append(b.Stages, sb)
	}
	for _, m := range a.Mappings {
		b.Mappings = append(b.Mappings, [3]string{m.DomainName, m.APIMappingKey, m.Stage})
	}
	return mustJSON(b)
}

func (a *API) routeBehaviour(r *apigw.Route) routeBehaviour {
	out := routeBehaviour{Route: *r, TwoWay: a.routeResponseOf(r.RouteID) != nil}
	out.Route.RouteID, out.Route.Target, out.Route.AuthorizerID, out.Route.OperationName, out.Route.RequestModels = "", "", "", "", nil
	if out.Route.AuthorizationType == "" {
		out.Route.AuthorizationType = apigw.AuthorizationNone
	}
	if in := a.integration(integrationOf(r)); in != nil {
		out.Integration = mustJSON(a.integrationBehaviour(in))
	}
	if auth := a.authorizer(r.AuthorizerID); auth != nil && r.AuthorizationType == apigw.AuthorizationCustom {
		out.Authorizer = &apigw.Authorizer{AuthorizerType: auth.AuthorizerType, AuthorizerURI: auth.AuthorizerURI, IdentitySource: slices.Sorted(slices.Values(auth.IdentitySource))}
	}
	for key, name := range r.RequestModels {
		for i := range a.Models {
			if m := &a.Models[i]; m.Name == name && !a.API.DisableSchemaValidation {
				if out.Models == nil {
					out.Models = map[string]string{}
				}
				out.Models[key] = compact(strings.ReplaceAll(m.Schema, string(a.API.APIID), "{api}"))
			}
		}
	}
	if out.Models == nil {
		out.Route.ModelSelectionExpression = ""
	}
	return out
}

// compact is a JSON text without blanks.
func compact(text string) string {
	var v json.RawMessage
	if json.Unmarshal([]byte(text), &v) != nil {
		return text
	}
	return string(mustJSON(v))
}

// integrationBehaviour is an integration with its responses and without identifiers.
func (a *API) integrationBehaviour(in *apigw.Integration) any {
	c := *in
	c.IntegrationID, c.Description, c.IntegrationResponseSelectionExpression = "", "", ""
	for _, d := range []struct {
		s   *string
		not string
	}{{&c.ConnectionType, "INTERNET"}, {&c.PassthroughBehavior, "WHEN_NO_MATCH"}, {&c.PayloadFormatVersion, "1.0"}} {
		if *d.s == d.not {
			*d.s = ""
		}
	}
	if c.TimeoutInMillis == apigw.QuotaMaxTimeoutMillis {
		c.TimeoutInMillis = 0
	}
	_, err := awsapi.ParseLambdaURI(c.IntegrationURI)
	if c.IntegrationType == apigw.IntegrationMock || err == nil {
		c.IntegrationMethod = "" // nobody looks at it: functions are POSTed to
	}
	proxy := c.IntegrationType == apigw.IntegrationAWSProxy || c.IntegrationType == apigw.IntegrationHTTPProxy
	if proxy {
		c.RequestTemplates, c.TemplateSelectionExpression = nil, ""
	}
	c.RequestTemplates, c.TemplateSelectionExpression = selected(c.RequestTemplates, c.TemplateSelectionExpression)
	var responses []apigw.IntegrationResponse
	for _, r := range a.responsesOf(in.IntegrationID) {
		r.IntegrationID, r.IntegrationResponseID = "", ""
		r.ResponseTemplates, r.TemplateSelectionExpression = selected(r.ResponseTemplates, r.TemplateSelectionExpression)
		responses = append(responses, r)
	}
	return struct {
		Integration apigw.Integration
		Responses   []apigw.IntegrationResponse
	}{c, responses}
}

// selected is the one template that an expression without variables selects, whatever its key.
func selected(templates map[string]string, expression string) (map[string]string, string) {
	e, err := expr.Parse(expr.Template, expression)
	if err != nil {
		return templates, expression
	}
	key, ok := e.Static()
	if text, there := templates[key]; ok && there {
		return map[string]string{apigw.RouteDefault: text}, `\$default`
	}
	return templates, expression
}

// mustJSON encodes what has nothing that JSON cannot say.
func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		return []byte(err.Error())
	}
	return b
}
