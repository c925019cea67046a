package control

import (
	"regexp"
	"strings"

	"cleat/internal/apigw"
	"cleat/internal/cfn"
	"cleat/internal/model"
)

// putModel checks a model and puts it in (spec control-plane §9). Its schema is for checkSchema to check, once all models
// are in to which it may refer.
func (d *draft) putModel(m apigw.Model) problems {
	var p problems
	if find(d.now.Models, modelID, m.ModelID) == nil {
		p.mayAdd("Models", len(d.now.Models), maxModels)
	}
	if !modelName.MatchString(m.Name) {
		p.bad("name", "Model name must be alphanumeric: %s", m.Name)
	}
	for i := range d.now.Models {
		if o := &d.now.Models[i]; o.Name == m.Name && o.ModelID != m.ModelID {
			p.add(apigw.KindConflict, "name", "Model with name %s already exists for this API", m.Name)
		}
	}
	if m.ContentType == "" {
		m.ContentType = "application/json"
	}
	p.length("contentType", m.ContentType, 256)
	p.length("description", m.Description, maxDescription)
	switch {
	case m.Schema == "":
		p.bad("schema", "Schema is required")
	case len(m.Schema) > model.MaxSchema:
		p.bad("schema", "schema is longer than %d characters", model.MaxSchema)
	}
	put(&d.now.Models, modelID, m)
	return p
}

var modelName = regexp.MustCompile(`^[a-zA-Z0-9]{1,128}$`)

// checkSchema checks the schema of a model that is in, with what it refers to. An API can do without (spec
// events-and-integrations §9).
func (d *draft) checkSchema(m *apigw.Model) problems {
	var p problems
	if d.now.API.DisableSchemaValidation || m.Schema == "" || len(m.Schema) > model.MaxSchema {
		return nil // there is nothing to say, or it is said
	}
	if _, err := model.NewSet(d.now.Models).Compile(m.Name); err != nil {
		p.bad("schema", "Invalid model schema specified: %v", err)
	}
	return p
}

// checkSchemas checks the models of the template, whose order in it is of no account.
func (a *application) checkSchemas(resources []*cfn.Resource) {
	for _, r := range resources {
		if r.Type != apiGateway+"Model" || a.made[r.LogicalID] == "" {
			continue
		}
		key := strings.Split(a.made[r.LogicalID], "/")
		d := a.drafts[apigw.APIID(key[1])]
		if m := find(d.now.Models, modelID, key[3]); m != nil {
			a.report(r, d.checkSchema(m))
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
