package export

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"cleat/internal/apigw"
	"cleat/internal/awsapi"
	"cleat/internal/cfn"
)

// Short returns the API as cleat.yaml has it, and what of it does not fit there; the first is of use only when the second is
// empty. Whether it behaves the same is for the caller to see, by Behaviour: this package does not read projects.
func (a *API) Short(region string) (short *cfn.Value, misfits []string) {
	s := &shortWriter{a: a}
	out := &cfn.Value{Kind: cfn.Map}
	put(out, "name", text(a.API.Name))
	if a.API.Description != "" {
		put(out, "description", text(a.API.Description))
	}
	if region != "" && region != awsapi.DefaultRegion {
		put(out, "region", text(region))
	}
	if a.API.RouteSelectionExpression != defaultRouteSelection {
		put(out, "routeSelectionExpression", text(a.API.RouteSelectionExpression))
	}
	if e := a.API.APIKeySelectionExpression; e != "" && e != defaultKeySelection {
		put(out, "apiKeySelectionExpression", text(e))
	}
	s.stage(out)
	routes := &cfn.Value{Kind: cfn.Map}
	for i := range a.Routes {
		put(routes, a.Routes[i].RouteKey, s.route(&a.Routes[i]))
	}
	put(out, "routes", routes)
	s.authorizers(out)
	s.models(out)
	s.rest()
	return out, s.misfits
}

type shortWriter struct {
	a       *API
	misfits []string
	rates   map[string]apigw.RouteSettings // of the stage, by route key
}

func (s *shortWriter) misfit(format string, args ...any) {
	if m := fmt.Sprintf(format, args...); !slices.Contains(s.misfits, m) {
		s.misfits = append(s.misfits, m)
	}
}

// stage writes what the file says of its one stage.
func (s *shortWriter) stage(out *cfn.Value) {
	if len(s.a.Stages) != 1 {
		s.misfit("it has %d stages, and cleat.yaml has one", len(s.a.Stages))
		return
	}
	st := &s.a.Stages[0]
	put(out, "stage", text(st.StageName))
	if st.DeploymentID == "" && !st.AutoDeploy {
		s.misfit("stage %s has no deployment", st.StageName)
	}
	if len(st.StageVariables) > 0 {
		put(out, "stageVariables", valueOf(st.StageVariables))
	}
	if d := st.DefaultRouteSettings; d != nil {
		s.onlyRates("the stage's default settings", *d)
		if rates := throttle(*d); rates != nil {
			put(out, "throttle", rates)
		}
	}
	if st.AccessLogSettings != nil {
		s.misfit("stage %s has an access log: its settings are the node's, in logs of cleat.yaml", st.StageName)
	}
	s.rates = st.RouteSettings
	for key, settings := range st.RouteSettings {
		s.onlyRates("the settings of route "+key, settings)
	}
}

func (s *shortWriter) onlyRates(of string, r apigw.RouteSettings) {
	r.ThrottlingBurstLimit, r.ThrottlingRateLimit = 0, 0
	if r.LoggingLevel == "OFF" {
		r.LoggingLevel = ""
	}
	if r != (apigw.RouteSettings{}) {
		s.misfit("%s have more than throttles: logging is the node's, in logs of cleat.yaml", of)
	}
}

func throttle(r apigw.RouteSettings) *cfn.Value {
	t := &cfn.Value{Kind: cfn.Map}
	if r.ThrottlingRateLimit != 0 {
		put(t, "rate", &cfn.Value{Kind: cfn.Number, Text: strconv.FormatFloat(r.ThrottlingRateLimit, 'f', -1, 64)})
	}
	if r.ThrottlingBurstLimit != 0 {
		put(t, "burst", cfn.NumberOf(cfn.Place{}, r.ThrottlingBurstLimit))
	}
	if len(t.Keys) == 0 {
		return nil
	}
	return t
}

// route writes one route with its integration.
func (s *shortWriter) route(r *apigw.Route) *cfn.Value {
	out := &cfn.Value{Kind: cfn.Map}
	in := s.a.integration(integrationOf(r))
	if in == nil {
		s.misfit("route %s has no integration", r.RouteKey)
		return out
	}
	s.target(out, r, in)
	if rr := s.a.routeResponseOf(r.RouteID); rr != nil {
		put(out, "twoWay", cfn.BoolOf(cfn.Place{}, true))
	} else if r.RouteResponseSelectionExpression != "" {
		s.misfit("route %s has a routeResponseSelectionExpression and no route response", r.RouteKey)
	}
	switch auth := s.a.authorizer(r.AuthorizerID); {
	case r.AuthorizationType == apigw.AuthorizationIAM:
		put(out, "authorizer", text(apigw.AuthorizationIAM))
	case r.AuthorizationType == apigw.AuthorizationCustom && auth != nil:
		put(out, "authorizer", text(auth.Name))
	}
	if r.APIKeyRequired {
		put(out, "apiKeyRequired", cfn.BoolOf(cfn.Place{}, true))
	}
	if t := throttle(s.rates[r.RouteKey]); t != nil {
		put(out, "throttle", t)
	}
	if more := properties("Route", r, "routeKey", "authorizationType", "apiKeyRequired", "routeResponseSelectionExpression"); len(more.Keys) > 0 {
		put(out, "route", more)
	}
	if len(out.Keys) == 1 && (out.Keys[0].Key == "http" || out.Keys[0].Key == "function") {
		return out.Keys[0].Value
	}
	return out
}

// target writes an integration: a function or a URL where it is no more than that, else all its properties.
func (s *shortWriter) target(out *cfn.Value, r *apigw.Route, in *apigw.Integration) {
	plain := properties("Integration", in, "description")
	has := func(only ...string) bool {
		return !slices.ContainsFunc(plain.Keys, func(e cfn.Entry) bool { return !slices.Contains(only, e.Key) })
	}
	responses := s.a.responsesOf(in.IntegrationID)
	arn, err := awsapi.ParseLambdaURI(in.IntegrationURI)
	isARN := err == nil && strings.HasPrefix(arn, "arn:") && !strings.Contains(arn, "${") // and no variable
	switch {
	case in.IntegrationType == apigw.IntegrationAWSProxy && isARN && len(responses) == 0 && has("IntegrationType", "IntegrationUri", "IntegrationMethod", "TimeoutInMillis"):
		put(out, "function", text(arn))
	case in.IntegrationType == apigw.IntegrationHTTPProxy && len(responses) == 0 && has("IntegrationType", "IntegrationUri", "IntegrationMethod", "TimeoutInMillis"):
		put(out, "http", text(in.IntegrationURI))
		if in.IntegrationMethod != "POST" {
			put(out, "method", text(in.IntegrationMethod))
		}
	default:
		put(out, "integration", plain)
		s.responses(out, r, responses)
		return
	}
	if t := plain.Get("TimeoutInMillis").Str(); t != "" {
		put(out, "timeout", text(t+"ms"))
	}
}

func (s *shortWriter) responses(out *cfn.Value, r *apigw.Route, responses []apigw.IntegrationResponse) {
	if len(responses) == 0 {
		return
	}
	all := &cfn.Value{Kind: cfn.Map}
	for _, ir := range responses {
		templates, expression := selected(ir.ResponseTemplates, ir.TemplateSelectionExpression)
		one := &cfn.Value{Kind: cfn.Map}
		switch {
		case len(templates) == 0 && expression == "":
		case len(templates) == 1 && expression == `\$default`:
			put(one, "template", text(templates[apigw.RouteDefault]))
		default:
			s.misfit("response %s of route %s chooses from several templates", ir.IntegrationResponseKey, r.RouteKey)
		}
		if len(ir.ResponseParameters) > 0 {
			put(one, "parameters", valueOf(ir.ResponseParameters))
		}
		if ir.ContentHandlingStrategy != "" {
			s.misfit("response %s of route %s has a ContentHandlingStrategy", ir.IntegrationResponseKey, r.RouteKey)
		}
		put(all, ir.IntegrationResponseKey, one)
	}
	put(out, "responses", all)
}

func (s *shortWriter) authorizers(out *cfn.Value) {
	all := &cfn.Value{Kind: cfn.Map}
	for i := range s.a.Authorizers {
		au := &s.a.Authorizers[i]
		one := &cfn.Value{Kind: cfn.Map}
		arn, err := awsapi.ParseLambdaURI(au.AuthorizerURI)
		if err != nil || strings.Contains(arn, "${") {
			s.misfit("authorizer %s has a URI with a variable in it", au.Name)
		}
		put(one, "function", text(arn))
		list := &cfn.Value{Kind: cfn.List}
		for _, source := range au.IdentitySource {
			list.Items = append(list.Items, text(source))
		}
		put(one, "identitySource", list)
		put(all, au.Name, one)
	}
	if len(all.Keys) > 0 {
		put(out, "authorizers", all)
	}
}

func (s *shortWriter) models(out *cfn.Value) {
	all := &cfn.Value{Kind: cfn.Map}
	for i := range s.a.Models {
		m := &s.a.Models[i]
		schema, err := cfn.Parse("schema.json", []byte(m.Schema))
		if err != nil || !schema.Is(cfn.Map) {
			s.misfit("the schema of model %s is no JSON object", m.Name)
		}
		if m.ContentType != "" && m.ContentType != "application/json" {
			s.misfit("model %s is of %s", m.Name, m.ContentType)
		}
		put(all, m.Name, schema)
	}
	if len(all.Keys) > 0 {
		put(out, "models", all)
	}
}

// rest finds what the short form has no place for at all.
func (s *shortWriter) rest() {
	if s.a.API.DisableExecuteAPIEndpoint {
		s.misfit("its default endpoint is disabled")
	}
	if s.a.API.DisableSchemaValidation {
		s.misfit("its messages are not held to their models (DisableSchemaValidation)")
	}
	if len(s.a.Mappings) > 0 {
		s.misfit("custom domain names lead to it: cleat.yaml has domains, which would make them anew")
	}
	if len(s.a.Plans) > 0 {
		s.misfit("it has usage plans")
	}
	for i := range s.a.Authorizers {
		if au := &s.a.Authorizers[i]; au.AuthorizerCredentialsARN != "" {
			s.misfit("authorizer %s is called with a role (AuthorizerCredentialsArn)", au.Name)
		}
	}
	if tags := properties("Api", s.a.API).Get("Tags"); tags != nil {
		s.misfit("it has tags")
	}
	for i := range s.a.Integrations {
		id := s.a.Integrations[i].IntegrationID
		if !slices.ContainsFunc(s.a.Routes, func(r apigw.Route) bool { return integrationOf(&r) == id }) {
			s.misfit("an integration is used by no route")
		}
	}
	for i := range s.misfits {
		s.misfits[i] = strings.ReplaceAll(s.misfits[i], "\n", " ")
	}
}
