package stacks

import (
	"strings"

	"cleat/internal/apigw"
	"cleat/internal/cfn"
	"cleat/internal/draft"
)

// checkSchemas checks the models of the template, whose order in it is of no account.
func (a *application) checkSchemas(resources []*cfn.Resource) {
	for _, r := range resources {
		if r.Type != apiGateway+"Model" || a.made[r.LogicalID] == "" {
			continue
		}
		key := strings.Split(a.made[r.LogicalID], "/")
		d := a.drafts[apigw.APIID(key[1])]
		if m := draft.Models.Find(d, key[3]); m != nil {
			a.report(r, d.CheckSchema(m))
		}
	}
}

// warnOfModels tells of models that no message will be held to.
func (a *application) warnOfModels(r *cfn.Resource, route *apigw.Route) {
	switch {
	case len(route.RequestModels) == 0:
	case route.RouteKey == apigw.RouteConnect || route.RouteKey == apigw.RouteDisconnect:
		a.warnings.Addf(a.placeOf(r, "RequestModels"), "route %s has RequestModels, which have no effect: only messages are validated", route.RouteKey)
	case route.ModelSelectionExpression == "":
		a.warnings.Addf(a.placeOf(r, "RequestModels"), "route %s has RequestModels and no ModelSelectionExpression: its messages are not validated", route.RouteKey)
	}
}
