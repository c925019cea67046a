package project

import (
	"regexp"
	"strings"

	"cleat/internal/apigw"
	"cleat/internal/blueprint"
	"cleat/internal/cfn"
	"cleat/internal/input"
)

var modelName = regexp.MustCompile(`^[a-zA-Z0-9]{1,128}$`)

// addShortModel makes one entry of `models`: a schema, or the name of the file that it is in.
func (s *short) addShortModel(e cfn.Entry) {
	what := "model " + e.Key
	if !modelName.MatchString(e.Key) {
		s.Faultf(e.Place, "%q is not the name of a model: letters and digits", e.Key)
		return
	}
	schema := e.Value
	if schema.Is(cfn.String) {
		if schema = s.ParseNamed(schema); schema == nil {
			return // that has been told
		}
	}
	if !schema.Is(cfn.Map) {
		if !s.r.IsBroken(schema) {
			s.Faultf(e.Place, "%s must be a JSON schema of draft-04, or the name of a file with one, not %s", what, input.KindOf(schema))
		}
		return
	}
	var text strings.Builder
	writeJSON(&text, schema) // as text, for to CloudFormation a map may be a function
	s.api.Add(e.Place, blueprint.ModelID(e.Key), "AWS::ApiGatewayV2::Model", cfn.MapOf(e.Place,
		"ApiId", cfn.Ref(e.Place, blueprint.APIID),
		"Name", cfn.TextOf(e.Place, e.Key),
		"Schema", cfn.TextOf(e.Place, text.String())))
	s.deps = append(s.deps, blueprint.ModelID(e.Key))
}

// validation reads `models` and `modelSelection` of a route: the model of all its messages, or models by what the
// expression gives.
func (s *short) validation(v *cfn.Value, what string, route *cfn.Value) {
	models, selection := v.Get("models"), v.Get("modelSelection")
	if models.Is(cfn.String) {
		if selection != nil {
			s.Faultf(selection.Place, "%s: modelSelection chooses from several models, but models names one", what)
			return
		}
		at := models.Place
		models = cfn.MapOf(at, apigw.RouteDefault, models)
		selection = cfn.TextOf(at, defaultTemplate)
	}
	entries := s.Entries(models, what+": models")
	if len(entries) == 0 {
		if selection != nil {
			s.Faultf(selection.Place, "%s: modelSelection needs models to choose from", what)
		}
		return
	}
	if _, ok := s.Text(selection, what+": modelSelection"); !ok {
		if !s.r.IsBroken(selection) && !selection.Is(cfn.Map) && !selection.Is(cfn.List) {
			s.Faultf(models.Place, "%s: models by name need a modelSelection, such as $request.body.type", what)
		}
		return
	}
	known := s.Entries(s.root.Get("models"), "models")
	for _, e := range entries {
		name, ok := s.Text(e.Value, what+": models."+e.Key)
		if ok && s.root.Get("models").Get(name) == nil {
			var names []string
			for _, k := range known {
				names = append(names, k.Key)
			}
			s.Faultf(e.Value.Place, "%s: there is no model %q under models%s", what, name, input.DidYouMean(name, names))
		}
	}
	route.Set(cfn.Entry{Key: "ModelSelectionExpression", Place: selection.Place, Value: selection})
	route.Set(cfn.Entry{Key: "RequestModels", Place: models.Place, Value: models})
}
