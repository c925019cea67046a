package stacks

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"cleat/internal/apigw"
	"cleat/internal/awsapi"
	"cleat/internal/cfn"
	"cleat/internal/draft"
	"cleat/internal/store"
)

// Outcome says what an applied template came to.
type Outcome struct {
	APIs      []APISummary     // in the order of the template
	Functions []apigw.Function // whose code is on this machine
	Tables    []Table
	APIKeys   []APIKeySummary // in the order of the template
	Links     []LinkUse       // which integrations go through VPC links
	// LeftAlone are the types of the resources that were given no effect, with their number where there are several:
	// "AWS::IAM::Role", "AWS::SQS::Queue (2)".
	LeftAlone []string
	// Changes are what the template changed, or would change in a dry run: of its resources in its order, then of those that
	// left it. Empty: everything is as it was.
	Changes []Change
	Outputs []store.StackOutput // in the order of the template
	// Warnings are what will not be as the template's author may expect.
	Warnings []cfn.Fault
}

// APISummary is one API of a stack.
type APISummary struct {
	ID     apigw.APIID
	Name   string
	Stages []string
	Routes []RouteSummary // $connect, $disconnect, then in the order of the template, $default last
	// Domains are the ways to it by custom domain names, ordered by name and key.
	Domains []DomainSummary
	// EndpointDisabled tells that there is no other way to it.
	EndpointDisabled bool
}

// DomainSummary is one way to an API by a custom domain name.
type DomainSummary struct {
	Name  string // "chat.example.com", "*.example.com"
	Key   string // the path, without slashes around it; empty for the root
	Stage string
}

// APIKeySummary is one API key of a stack.
type APIKeySummary struct {
	Name      string
	ID        string
	Value     string // a credential
	Generated bool   // the template gives no value, so that only Cleat can tell it
	Enabled   bool
}

// RouteSummary is one route in a few words.
type RouteSummary struct {
	RouteKey string
	Type     apigw.IntegrationType // empty: the route has no target
	Target   string                // a function's name, "POST https://…", "mock"
	TwoWay   bool
}

// summarize fills the outcome.
func (a *application) summarize(resources []*cfn.Resource) {
	for _, r := range resources {
		if r.Type != apiGateway+"Api" || a.made[r.LogicalID] == "" {
			continue
		}
		d := a.drafts[apigw.APIID(a.idOf(r))]
		api := APISummary{ID: d.ID(), Name: d.Now.API.Name, EndpointDisabled: d.Now.API.DisableExecuteAPIEndpoint}
		for _, m := range a.domains.MappingsOf(d.ID(), "") {
			api.Domains = append(api.Domains, DomainSummary{Name: m.DomainName, Key: m.APIMappingKey, Stage: m.Stage})
		}
		slices.SortStableFunc(api.Domains, func(x, y DomainSummary) int {
			return cmp.Or(strings.Compare(x.Name, y.Name), strings.Compare(x.Key, y.Key))
		})
		for _, s := range d.Now.Stages {
			api.Stages = append(api.Stages, s.StageName)
		}
		api.Routes = summarizeRoutes(d, a.routePositions(resources))
		a.outcome.APIs = append(a.outcome.APIs, api)
	}
	for _, typ := range slices.Sorted(maps.Keys(a.left)) {
		if n := a.left[typ]; n > 1 {
			typ = fmt.Sprintf("%s (%d)", typ, n)
		}
		a.outcome.LeftAlone = append(a.outcome.LeftAlone, typ)
	}
	a.outcome.Warnings, a.outcome.Outputs = a.warnings, a.outputs
}

// routePositions says where in the template each route is.
func (a *application) routePositions(resources []*cfn.Resource) map[string]int {
	positions := map[string]int{}
	for i, r := range resources {
		if r.Type == apiGateway+"Route" {
			positions[a.idOf(r)] = i
		}
	}
	return positions
}

func summarizeRoutes(d *draft.API, positions map[string]int) []RouteSummary {
	rank := func(r *apigw.Route) int {
		switch r.RouteKey {
		case apigw.RouteConnect:
			return -2
		case apigw.RouteDisconnect:
			return -1
		case apigw.RouteDefault:
			return len(positions) + 1<<20
		}
		return positions[r.RouteID]
	}
	routes := slices.Clone(d.Now.Routes)
	slices.SortStableFunc(routes, func(x, y apigw.Route) int { return rank(&x) - rank(&y) })
	var out []RouteSummary
	for i := range routes {
		r := &routes[i]
		s := RouteSummary{RouteKey: r.RouteKey, TwoWay: slices.ContainsFunc(d.Now.RouteResponses, func(rr apigw.RouteResponse) bool { return rr.RouteID == r.RouteID })}
		if in := draft.Integrations.Find(d, strings.TrimPrefix(r.Target, "integrations/")); in != nil {
			s.Type, s.Target = in.IntegrationType, targetOf(in)
		}
		out = append(out, s)
	}
	return out
}

// targetOf names a backend in a few words.
func targetOf(in *apigw.Integration) string {
	switch in.IntegrationType {
	case apigw.IntegrationMock:
		return "mock"
	case apigw.IntegrationHTTP, apigw.IntegrationHTTPProxy:
		return in.IntegrationMethod + " " + in.IntegrationURI
	case apigw.IntegrationAWS, apigw.IntegrationAWSProxy:
		if arn, err := awsapi.ParseLambdaURI(in.IntegrationURI); err == nil {
			if name, err := awsapi.ParseFunctionName(arn); err == nil {
				if name.Qualifier != "" {
					return name.Name + ":" + name.Qualifier
				}
				return name.Name
			}
			return arn
		}
		if uri, err := awsapi.ParseServiceURI(in.IntegrationURI); err == nil {
			return uri.String()
		}
	}
	return in.IntegrationURI
}
