package export

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/awsapi"
	"cleat/internal/store"
)

// API is a WebSocket API with all that belongs to it, as an endpoint shows it: what would be deployed next, for what a deployment
// has frozen nobody shows.
type API struct {
	API                  apigw.API
	Routes               []apigw.Route
	RouteResponses       []apigw.RouteResponse // with their RouteID
	Integrations         []apigw.Integration
	IntegrationResponses []apigw.IntegrationResponse // with their IntegrationID
	Authorizers          []apigw.Authorizer
	Models               []apigw.Model
	Deployments          []apigw.Deployment
	Stages               []apigw.Stage
	Mappings             []apigw.APIMapping // that lead to the API, with their DomainName
	Plans                []Plan             // that open stages of the API
}

// Plan is a usage plan with its keys.
type Plan struct {
	Name, Description string
	Stages            []apigw.UsagePlanStage // of the API
	Throttle          *apigw.ThrottleSettings
	Quota             *apigw.QuotaSettings
	Keys              []Key // ordered by name
	Others            int   // stages of other APIs, which are left out
}

// Key is an API key.
type Key struct {
	ID, Name, Description, CustomerID string
	Enabled                           bool
	Value                             string // empty: it was not asked for
}

// Of returns an API that a store holds, without usage plans.
func Of(t *store.Tree, mappings []apigw.APIMapping) *API {
	a := &API{
		API: t.API, Routes: t.Routes, RouteResponses: t.RouteResponses, Integrations: t.Integrations, IntegrationResponses: t.IntegrationResponses,
		Authorizers: t.Authorizers, Models: t.Models, Deployments: t.Deployments, Stages: t.Stages,
	}
	for _, m := range mappings {
		if m.APIID == t.API.APIID {
			a.Mappings = append(a.Mappings, m)
		}
	}
	a.sort()
	return a
}

// sort puts everything into an order that identifiers have no part in.
func (a *API) sort() {
	a.Routes = slices.Clone(a.Routes)
	slices.SortFunc(a.Routes, func(x, y apigw.Route) int {
		return cmp.Or(routeRank(x.RouteKey)-routeRank(y.RouteKey), strings.Compare(x.RouteKey, y.RouteKey))
	})
	a.Authorizers = slices.Clone(a.Authorizers)
	slices.SortFunc(a.Authorizers, func(x, y apigw.Authorizer) int { return strings.Compare(x.Name, y.Name) })
	a.Models = slices.Clone(a.Models)
	slices.SortFunc(a.Models, func(x, y apigw.Model) int { return strings.Compare(x.Name, y.Name) })
	a.Stages = slices.Clone(a.Stages)
	slices.SortFunc(a.Stages, func(x, y apigw.Stage) int { return strings.Compare(x.StageName, y.StageName) })
	a.IntegrationResponses = slices.Clone(a.IntegrationResponses)
	slices.SortStableFunc(a.IntegrationResponses, func(x, y apigw.IntegrationResponse) int {
		return strings.Compare(x.IntegrationResponseKey, y.IntegrationResponseKey)
	})
	slices.SortFunc(a.Mappings, func(x, y apigw.APIMapping) int {
		return cmp.Or(strings.Compare(x.DomainName, y.DomainName), strings.Compare(x.APIMappingKey, y.APIMappingKey))
	})
	slices.SortFunc(a.Plans, func(x, y Plan) int { return strings.Compare(x.Name, y.Name) })
	a.sortIntegrations()
}

func routeRank(key string) int {
	switch key {
	case apigw.RouteConnect:
		return 0
	case apigw.RouteDisconnect:
		return 1
	case apigw.RouteDefault:
		return 3
	}
	return 2
}

// sortIntegrations orders integrations by the first route that uses them, those without any by what they are.
func (a *API) sortIntegrations() {
	first := map[string]int{}
	for i := range a.Routes {
		id := integrationOf(&a.Routes[i])
		if _, known := first[id]; !known {
			first[id] = i
		}
	}
	text := map[string]string{}
	for i := range a.Integrations {
		in := a.Integrations[i]
		text[in.IntegrationID] = string(mustJSON(a.integrationBehaviour(&in)))
	}
	a.Integrations = slices.Clone(a.Integrations)
	slices.SortStableFunc(a.Integrations, func(x, y apigw.Integration) int {
		i, used := first[x.IntegrationID]
		j, usedToo := first[y.IntegrationID]
		switch {
		case used && usedToo:
			return i - j
		case used != usedToo:
			return map[bool]int{true: -1, false: 1}[used]
		}
		return strings.Compare(text[x.IntegrationID], text[y.IntegrationID])
	})
}

// integrationOf is the ID of a route's integration, empty when it has none.
func integrationOf(r *apigw.Route) string {
	id, _ := strings.CutPrefix(r.Target, "integrations/")
	return id
}

func (a *API) integration(id string) *apigw.Integration {
	for i := range a.Integrations {
		if a.Integrations[i].IntegrationID == id {
			return &a.Integrations[i]
		}
	}
	return nil
}

func (a *API) responsesOf(integration string) []apigw.IntegrationResponse {
	var out []apigw.IntegrationResponse
	for _, r := range a.IntegrationResponses {
		if r.IntegrationID == integration {
			out = append(out, r)
		}
	}
	return out
}

func (a *API) routeResponseOf(route string) *apigw.RouteResponse {
	for i := range a.RouteResponses {
		if a.RouteResponses[i].RouteID == route {
			return &a.RouteResponses[i]
		}
	}
	return nil
}

func (a *API) authorizer(id string) *apigw.Authorizer {
	for i := range a.Authorizers {
		if a.Authorizers[i].AuthorizerID == id {
			return &a.Authorizers[i]
		}
	}
	return nil
}

// WantsKeys tells whether clients need an API key.
func (a *API) WantsKeys() bool {
	return slices.ContainsFunc(a.Routes, func(r apigw.Route) bool { return r.APIKeyRequired && r.RouteKey == apigw.RouteConnect })
}

// Functions are the Lambda functions that integrations and authorizers call, each ARN once, in order.
func (a *API) Functions() []string {
	var out []string
	add := func(uri string) {
		if arn, err := awsapi.ParseLambdaURI(uri); err == nil && !slices.Contains(out, arn) {
			out = append(out, arn)
		}
	}
	for i := range a.Integrations {
		add(a.Integrations[i].IntegrationURI)
	}
	for i := range a.Authorizers {
		add(a.Authorizers[i].AuthorizerURI)
	}
	slices.Sort(out)
	return out
}

// deployment is the newest deployment that a stage without autoDeploy serves; nil when there is none.
func (a *API) deployment() *apigw.Deployment {
	var newest *apigw.Deployment
	for i := range a.Deployments {
		d := &a.Deployments[i]
		served := slices.ContainsFunc(a.Stages, func(s apigw.Stage) bool { return !s.AutoDeploy && s.DeploymentID == d.DeploymentID })
		if served && (newest == nil || d.CreatedDate.After(newest.CreatedDate)) {
			newest = d
		}
	}
	return newest
}

// Notes are what whoever moves the API should know: what the template cannot say, and what was left out.
func (a *API) Notes() []string {
	var out []string
	if functions := a.Functions(); len(functions) > 0 {
		out = append(out, "Functions are called by ARN: "+strings.Join(functions, ", ")+
			". Say in remoteFunctions of the node's cleat.yaml where they run (endpoint aws is AWS itself), or add them to the project.")
	}
	if d := a.deployment(); d != nil {
		out = append(out, "A stage serves deployment "+d.DeploymentID+" of "+d.CreatedDate.UTC().Format(time.DateTime)+
			", which nobody can read back: this is the API as it is now, changes that were not deployed yet included.")
	}
	for i := range a.Integrations {
		if in := &a.Integrations[i]; in.ConnectionType == "VPC_LINK" {
			out = append(out, "An integration goes through VPC link "+in.ConnectionID+": say in vpcLinks of the node's cleat.yaml where it leads.")
		}
	}
	for _, m := range a.Mappings {
		out = append(out, "The custom domain name "+m.DomainName+" leads here: its DNS record and certificate are to be moved.")
	}
	for i := range a.Plans {
		p := &a.Plans[i]
		if p.Others > 0 {
			out = append(out, "Usage plan "+p.Name+" opens stages of other APIs too, which are left out.")
		}
		for _, k := range p.Keys {
			if k.Value == "" {
				out = append(out, "API key "+k.Name+" is written without its value, so that it gets another.")
			}
		}
	}
	return slices.Compact(out)
}
