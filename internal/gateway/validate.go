package gateway

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"cleat/internal/apigw"
	"cleat/internal/expr"
	"cleat/internal/model"
)

// validator is the models of one route, compiled (spec events-and-integrations §9).
type validator struct {
	selection *expr.Expression
	models    map[string]namedModel // by what the selection expression gives
}

type namedModel struct {
	name string
	*model.Model
}

// validate refuses a message that its model objects to, before anything is made of it. A message that selects no model is
// refused as well, unless there is a $default one.
func (p *plan) validate(ev *apigw.Event, rec *apigw.Record) error {
	v := p.validator
	if v == nil {
		return nil
	}
	body := ev.Body
	if ev.Binary {
		body = nil // no JSON
	}
	name, err := v.check(body)
	if err == nil {
		return nil
	}
	rec.ValidationError = err.Error()
	if name != "" {
		err = fmt.Errorf("model %s: %w", name, err)
	}
	return &apigw.Error{Kind: apigw.KindInvalidRequestBody, Err: err}
}

// check returns the name of the model that a message is held to, and what it objects to.
func (v *validator) check(body []byte) (name string, err error) {
	var room [apigw.QuotaRouteKey]byte
	key := v.selection.Append(room[:0], expr.Vars{Body: body})
	m, ok := v.models[string(key)]
	if !ok {
		m, ok = v.models[apigw.RouteDefault]
	}
	if !ok {
		return "", fmt.Errorf("[no model is selected by %s = %q]", v.selection, string(key))
	}
	return m.name, m.Validate(body)
}

// models are those of one definition, each compiled once. Nil: nothing is validated.
type models struct {
	set      *model.Set
	compiled map[string]*model.Model
}

func newModels(def *apigw.Definition) *models {
	if def.DisableSchemaValidation {
		return nil
	}
	return &models{model.NewSet(def.Models), map[string]*model.Model{}}
}

func (s *models) compile(name string) (*model.Model, error) {
	if m := s.compiled[name]; m != nil {
		return m, nil
	}
	m, err := s.set.Compile(name)
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", name, err)
	}
	s.compiled[name] = m
	return m, nil
}

// compileValidator makes the validator of a route; it is nil for a route that validates nothing: one without models, one
// without an expression that selects them, and $connect and $disconnect, whose events have no body.
func compileValidator(r *apigw.Route, set *models) (*validator, error) {
	if set == nil || r.ModelSelectionExpression == "" || len(r.RequestModels) == 0 ||
		r.RouteKey == apigw.RouteConnect || r.RouteKey == apigw.RouteDisconnect {
		return nil, nil
	}
	selection, err := expr.Parse(expr.Model, r.ModelSelectionExpression)
	faults := []error{err}
	v := &validator{selection: selection, models: map[string]namedModel{}}
	for _, key := range slices.Sorted(maps.Keys(r.RequestModels)) {
		m, err := set.compile(r.RequestModels[key])
		faults = append(faults, err)
		v.models[key] = namedModel{r.RequestModels[key], m}
	}
	if err := errors.Join(faults...); err != nil {
		return nil, fmt.Errorf("route %s: %w", r.RouteKey, err)
	}
	return v, nil
}
