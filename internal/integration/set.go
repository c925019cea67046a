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

	said    content      // used again for each integration
	text    bytes.Buffer // what it is as JSON
	encoder *json.Encoder
}

// content is all that an integration's plan is made of.
type content struct {
	Integration apigw.Integration
	Responses   []apigw.IntegrationResponse `json:",omitempty"`
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
	s := &Set{deps: d, plans: map[string]*Plan{}, templates: map[string]*vtl.Template{}, expressions: map[expression]*expr.Expression{}}
	s.encoder = json.NewEncoder(&s.text)
	return s
}

// Compile returns the plan of an integration and its integration responses. The error names every field at fault.
func (s *Set) Compile(in *apigw.Integration, responses []apigw.IntegrationResponse) (*Plan, error) {
	text, told := s.tell(in, responses)
	if p := s.plans[string(text)]; told && p != nil {
		return p, nil
	}
	p, err := s.compile(in, responses)
	if err == nil && told {
		s.plans[string(text)] = p
	}
	return p, err
}

// tell returns the content of an integration as text, which is good until the next call; told is false when that cannot be
// said.
func (s *Set) tell(in *apigw.Integration, responses []apigw.IntegrationResponse) (text []byte, told bool) {
	s.said.Integration = *in
	s.said.Integration.IntegrationID, s.said.Integration.Description = "", ""
	s.said.Responses = append(s.said.Responses[:0], responses...)
	for i := range s.said.Responses {
		s.said.Responses[i].IntegrationResponseID, s.said.Responses[i].IntegrationID = "", ""
	}
	s.text.Reset()
	err := s.encoder.Encode(&s.said)
	text = s.text.Bytes()
	return text, err == nil && !bytes.Contains(text, []byte(`\ufffd`)) // which stands for any bytes that are no UTF-8
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
