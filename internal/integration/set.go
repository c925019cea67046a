package integration

import (
	"bytes"
	"encoding/json"

	"cleat/internal/apigw"
	"cleat/internal/expr"
	"cleat/internal/vtl"
)

// Set compiles the integrations of one definition. An API with hundreds of them says the same again and again: what is
// equal, whole integrations as well as the templates and expressions of different ones, is compiled once, and plans share
// it. A Set is not safe for concurrent use, its plans are; it is of no use once all are made.
type Set struct {
	deps        Dependencies
	plans       map[string]*Plan // by what the integration says
	templates   map[string]*vtl.Template
	expressions map[expression]*expr.Expression
}

type expression struct {
	kind expr.Kind
	text string
}

// NewSet returns a set without plans.
func NewSet(d Dependencies) *Set {
	if d.GatewayAddress == "" {
		d.GatewayAddress = "127.0.0.1"
	}
	return &Set{deps: d, plans: map[string]*Plan{}, templates: map[string]*vtl.Template{}, expressions: map[expression]*expr.Expression{}}
}

// Compile returns the plan of an integration and its integration responses. The error names every field at fault.
func (s *Set) Compile(in *apigw.Integration, responses []apigw.IntegrationResponse) (*Plan, error) {
	key := content(in, responses)
	if p := s.plans[key]; p != nil {
		return p, nil
	}
	p, err := s.compile(in, responses)
	if err == nil && key != "" {
		s.plans[key] = p
	}
	return p, err
}

// content is all that an integration's plan is made of; it is empty when that cannot be told.
func content(in *apigw.Integration, responses []apigw.IntegrationResponse) string {
	of := struct {
		Integration apigw.Integration
		Responses   []apigw.IntegrationResponse
	}{*in, make([]apigw.IntegrationResponse, len(responses))}
	of.Integration.IntegrationID, of.Integration.Description = "", ""
	for i := range responses {
		of.Responses[i] = responses[i]
		of.Responses[i].IntegrationResponseID, of.Responses[i].IntegrationID = "", ""
	}
	text, err := json.Marshal(of)
	if err != nil || bytes.Contains(text, []byte(`\ufffd`)) { // which stands for any bytes that are no UTF-8
		return ""
	}
	return string(text)
}

// template parses a mapping template.
func (s *Set) template(text string) (*vtl.Template, error) {
	return once(s.templates, text, func() (*vtl.Template, error) { return vtl.Parse(text) })
}

// expression parses a selection expression.
func (s *Set) expression(kind expr.Kind, text string) (*expr.Expression, error) {
	return once(s.expressions, expression{kind, text}, func() (*expr.Expression, error) { return expr.Parse(kind, text) })
}

// once returns what was made for a key, and makes it if that is yet to be done.
func once[K comparable, V any](made map[K]*V, key K, make func() (*V, error)) (*V, error) {
	if v := made[key]; v != nil {
		return v, nil
	}
	v, err := make()
	if err == nil {
		made[key] = v
	}
	return v, err
}
