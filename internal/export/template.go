package export

import (
	"encoding/json"
	"slices"
	"strings"

	"cleat/internal/cfn"
)

const (
	defaultKeySelection   = "$request.header.x-api-key"
	defaultRouteSelection = "$request.body.action"
	v2Type                = "AWS::ApiGatewayV2::"
)

// writer makes one template.
type writer struct {
	a            *API
	names        names
	resources    *cfn.Value
	outputs      *cfn.Value
	routes       []string          // logical IDs
	integrations map[string]string // logical IDs, by ID; likewise the others
	authorizers  map[string]string
	models       map[string]string // by name
	stages       map[string]string // by name
	deployment   string            // empty: no stage needs one
}

// CloudFormation returns the API as a template, in an order that stays, with readable logical IDs.
func (a *API) CloudFormation() *cfn.Value {
	w := &writer{
		a: a, names: names{map[string]bool{}}, resources: &cfn.Value{Kind: cfn.Map}, outputs: &cfn.Value{Kind: cfn.Map},
		integrations: map[string]string{}, authorizers: map[string]string{}, models: map[string]string{}, stages: map[string]string{},
	}
	w.names.give("", "Api")
	w.resource("Api", v2Type+"Api", properties("Api", a.API))
	w.addModels()
	w.addAuthorizers()
	w.addIntegrations()
	w.addRoutes()
	w.addStages()
	w.addMappings()
	w.addPlans()
	out := &cfn.Value{Kind: cfn.Map}
	put(out, "AWSTemplateFormatVersion", text("2010-09-09"))
	put(out, "Description", text("WebSocket API "+a.API.Name))
	put(out, "Resources", w.resources)
	if len(w.outputs.Keys) > 0 {
		put(out, "Outputs", w.outputs)
	}
	return out
}

func (w *writer) resource(id, typ string, props *cfn.Value, dependsOn ...string) {
	r := &cfn.Value{Kind: cfn.Map}
	put(r, "Type", text(typ))
	if len(dependsOn) > 0 {
		list := &cfn.Value{Kind: cfn.List}
		for _, d := range dependsOn {
			list.Items = append(list.Items, text(d))
		}
		put(r, "DependsOn", list)
	}
	put(r, "Properties", props)
	put(w.resources, id, r)
}

// inAPI puts ApiId before other properties.
func inAPI(props *cfn.Value) *cfn.Value {
	props.Keys = append([]cfn.Entry{{Key: "ApiId", Value: ref("Api")}}, props.Keys...)
	return props
}

func (w *writer) addModels() {
	for i := range w.a.Models {
		m := &w.a.Models[i]
		id := w.names.give(m.Name, "Model")
		w.models[m.Name] = id
		props := inAPI(properties("Model", m))
		put(props, "Schema", w.schema(m.Schema))
		w.resource(id, v2Type+"Model", props)
	}
}

// schema is a model's schema as an object, which people can read, or as text where an object would be taken for something else.
// Schemas name others by the API's ID.
func (w *writer) schema(schema string) *cfn.Value {
	own := string(w.a.API.APIID)
	v, err := cfn.Parse("schema.json", []byte(schema))
	if err == nil && v.Is(cfn.Map) && json.Valid([]byte(schema)) && !hasFunction(v) {
		return mapTexts(v, func(s string) *cfn.Value {
			if own == "" || !strings.Contains(s, own) {
				return text(s)
			}
			return sub(strings.ReplaceAll(escapeSub(s), own, "${Api}"))
		})
	}
	if own != "" && strings.Contains(schema, own) {
		return sub(strings.ReplaceAll(escapeSub(schema), own, "${Api}"))
	}
	return text(schema)
}

// hasFunction tells whether a template would take a part of a value for a function.
func hasFunction(v *cfn.Value) bool {
	if slices.ContainsFunc(v.Items, hasFunction) {
		return true
	}
	for _, e := range v.Keys {
		if e.Key == "Ref" || e.Key == "Condition" || strings.HasPrefix(e.Key, "Fn::") || e.Value != nil && hasFunction(e.Value) {
			return true
		}
	}
	return false
}

// mapTexts returns a copy of a value with other texts.
func mapTexts(v *cfn.Value, change func(string) *cfn.Value) *cfn.Value {
	if v.Is(cfn.String) {
		return change(v.Text)
	}
	if v == nil {
		return nil
	}
	out := &cfn.Value{Kind: v.Kind, Text: v.Text}
	for _, item := range v.Items {
		out.Items = append(out.Items, mapTexts(item, change))
	}
	for _, e := range v.Keys {
		out.Keys = append(out.Keys, cfn.Entry{Key: e.Key, Value: mapTexts(e.Value, change)})
	}
	return out
}

func (w *writer) addAuthorizers() {
	for i := range w.a.Authorizers {
		au := &w.a.Authorizers[i]
		id := w.names.give(au.Name, "Authorizer")
		w.authorizers[au.AuthorizerID] = id
		w.resource(id, v2Type+"Authorizer", inAPI(properties("Authorizer", au)))
	}
}

func (w *writer) addIntegrations() {
	used := map[string]string{} // the first route of each
	for i := range w.a.Routes {
		r := &w.a.Routes[i]
		if id := integrationOf(r); used[id] == "" {
			used[id] = routeWord(r.RouteKey)
		}
	}
	for i := range w.a.Integrations {
		in := &w.a.Integrations[i]
		word := used[in.IntegrationID]
		if word == "" {
			word = "Unused"
		}
		id := w.names.give(word, "Integration")
		w.integrations[in.IntegrationID] = id
		w.resource(id, v2Type+"Integration", inAPI(properties("Integration", in)))
		for _, r := range w.a.responsesOf(in.IntegrationID) {
			props := &cfn.Value{Kind: cfn.Map}
			put(props, "IntegrationId", ref(id))
			props.Keys = append(props.Keys, properties("IntegrationResponse", r).Keys...)
			w.resource(w.names.give(word+" "+strings.TrimPrefix(r.IntegrationResponseKey, "$"), "IntegrationResponse"), v2Type+"IntegrationResponse", inAPI(props))
		}
	}
}

func (w *writer) addRoutes() {
	for i := range w.a.Routes {
		r := &w.a.Routes[i]
		id := w.names.give(routeWord(r.RouteKey), "Route")
		w.routes = append(w.routes, id)
		props := inAPI(properties("Route", r))
		if auth := w.authorizers[r.AuthorizerID]; auth != "" {
			put(props, "AuthorizerId", ref(auth))
		}
		if to := w.integrations[integrationOf(r)]; to != "" {
			put(props, "Target", sub("integrations/${"+to+"}"))
		}
		var models []string // named by what they are called, so that nothing else says that they must be there
		for _, e := range valueOf(r.RequestModels).Entries() {
			if m := w.models[e.Value.Str()]; m != "" {
				models = append(models, m)
			}
		}
		w.resource(id, v2Type+"Route", props, compactTexts(models)...)
		if rr := w.a.routeResponseOf(r.RouteID); rr != nil {
			props := &cfn.Value{Kind: cfn.Map}
			put(props, "RouteId", ref(id))
			props.Keys = append(props.Keys, properties("RouteResponse", rr).Keys...)
			w.resource(w.names.give(id, "Response"), v2Type+"RouteResponse", inAPI(props))
		}
	}
}

func compactTexts(list []string) []string {
	var out []string
	seen := map[string]bool{}
	for _, s := range list {
		if !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	return out
}

func (w *writer) addStages() {
	if d := w.a.deployment(); d != nil {
		w.deployment = w.names.give("", "Deployment")
		props := &cfn.Value{Kind: cfn.Map}
		if d.Description != "" {
			put(props, "Description", text(d.Description))
		}
		w.resource(w.deployment, v2Type+"Deployment", inAPI(props), w.routes...)
	}
	for i := range w.a.Stages {
		s := &w.a.Stages[i]
		id := w.names.give(s.StageName, "Stage")
		w.stages[s.StageName] = id
		props := inAPI(properties("Stage", s))
		if !s.AutoDeploy && s.DeploymentID != "" && w.deployment != "" {
			put(props, "DeploymentId", ref(w.deployment))
		}
		w.resource(id, v2Type+"Stage", props)
		output := &cfn.Value{Kind: cfn.Map}
		put(output, "Value", sub("wss://${Api}.execute-api.${AWS::Region}.${AWS::URLSuffix}/${"+id+"}"))
		put(w.outputs, id+"Url", output)
	}
}

func (w *writer) addMappings() {
	for _, m := range w.a.Mappings {
		if w.stages[m.Stage] == "" {
			continue
		}
		props := &cfn.Value{Kind: cfn.Map}
		put(props, "DomainName", text(m.DomainName))
		put(props, "ApiId", ref("Api"))
		put(props, "Stage", ref(w.stages[m.Stage]))
		if m.APIMappingKey != "" {
			put(props, "ApiMappingKey", text(m.APIMappingKey))
		}
		w.resource(w.names.give(m.DomainName+" "+m.APIMappingKey, "Mapping"), v2Type+"ApiMapping", props)
	}
}

func (w *writer) addPlans() {
	keys := map[string]string{}
	for i := range w.a.Plans {
		for _, k := range w.a.Plans[i].Keys {
			if keys[k.ID] != "" {
				continue
			}
			id := w.names.give(k.Name, "ApiKey")
			keys[k.ID] = id
			w.resource(id, "AWS::ApiGateway::ApiKey", k.properties())
		}
	}
	for i := range w.a.Plans {
		p := &w.a.Plans[i]
		id := w.names.give(p.Name, "UsagePlan")
		w.resource(id, "AWS::ApiGateway::UsagePlan", w.planProperties(p))
		for _, k := range p.Keys {
			props := &cfn.Value{Kind: cfn.Map}
			put(props, "KeyId", ref(keys[k.ID]))
			put(props, "KeyType", text("API_KEY"))
			put(props, "UsagePlanId", ref(id))
			w.resource(w.names.give(p.Name+" "+k.Name, "UsagePlanKey"), "AWS::ApiGateway::UsagePlanKey", props)
		}
	}
}

func (k *Key) properties() *cfn.Value {
	props := &cfn.Value{Kind: cfn.Map}
	for _, e := range [][2]string{{"Name", k.Name}, {"Description", k.Description}, {"CustomerId", k.CustomerID}, {"Value", k.Value}} {
		if e[1] != "" {
			put(props, e[0], text(e[1]))
		}
	}
	put(props, "Enabled", cfn.BoolOf(cfn.Place{}, k.Enabled))
	return props
}

func (w *writer) planProperties(p *Plan) *cfn.Value {
	props := &cfn.Value{Kind: cfn.Map}
	put(props, "UsagePlanName", text(p.Name))
	if p.Description != "" {
		put(props, "Description", text(p.Description))
	}
	stages := &cfn.Value{Kind: cfn.List}
	for _, s := range p.Stages {
		stage := &cfn.Value{Kind: cfn.Map}
		put(stage, "ApiId", ref("Api"))
		put(stage, "Stage", ref(w.stages[s.Stage]))
		if len(s.Throttle) > 0 {
			put(stage, "Throttle", shaped(valueOf(s.Throttle), mapOfStructures))
		}
		stages.Items = append(stages.Items, stage)
	}
	put(props, "ApiStages", stages)
	if p.Throttle != nil {
		put(props, "Throttle", structure(valueOf(p.Throttle)))
	}
	if p.Quota != nil {
		put(props, "Quota", structure(valueOf(p.Quota)))
	}
	return props
}
