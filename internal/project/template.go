package project

import (
	"regexp"
	"slices"
	"strings"

	"cleat/internal/cfn"
)

// template is a CloudFormation template being made. Sections and resources keep their order.
type template struct {
	resources *cfn.Value
	outputs   *cfn.Value
	others    []cfn.Entry // further sections
}

func newTemplate() *template {
	return &template{resources: &cfn.Value{Kind: cfn.Map}, outputs: &cfn.Value{Kind: cfn.Map}}
}

// add puts a resource in that the project does not write itself; its Metadata says so. Properties that are nil are left
// out.
func (t *template) add(at cfn.Place, id, typ string, properties *cfn.Value, more ...any) {
	v := cfn.MapOf(at, "Type", cfn.TextOf(at, typ), "Properties", properties)
	v.Keys = append(v.Keys, cfn.MapOf(at, more...).Keys...)
	generated := cfn.MapOf(at, "cleat", cfn.MapOf(at, "Generated", cfn.BoolOf(at, true)))
	set(v, cfn.Entry{Key: "Metadata", Place: at, Value: merged(generated, v.Get("Metadata"))})
	set(t.resources, cfn.Entry{Key: id, Place: at, Value: v})
}

func (t *template) output(at cfn.Place, name, description string, value *cfn.Value) {
	set(t.outputs, cfn.Entry{Key: name, Place: at, Value: cfn.MapOf(at, "Description", cfn.TextOf(at, description), "Value", value)})
}

// value is the whole template.
func (t *template) value() *cfn.Value {
	v := &cfn.Value{Kind: cfn.Map, Keys: slices.Clone(t.others)}
	v.Keys = append(v.Keys, cfn.Entry{Key: "Resources", Value: t.resources})
	if len(t.outputs.Keys) > 0 {
		v.Keys = append(v.Keys, cfn.Entry{Key: "Outputs", Value: t.outputs})
	}
	return v
}

// set sets a key of a map that is still being made.
func set(m *cfn.Value, e cfn.Entry) {
	for i := range m.Keys {
		if m.Keys[i].Key == e.Key {
			m.Keys[i] = e
			return
		}
	}
	m.Keys = append(m.Keys, e)
}

// merged is base with over on top: maps key by key, anything else replaced. Neither is changed.
func merged(base, over *cfn.Value) *cfn.Value {
	if over == nil {
		return base
	}
	if !base.Is(cfn.Map) || !over.Is(cfn.Map) {
		return over
	}
	out := &cfn.Value{Kind: cfn.Map, Place: base.Place, Keys: slices.Clone(base.Keys)}
	for _, e := range over.Keys {
		e.Value = merged(out.Get(e.Key), e.Value)
		set(out, e)
	}
	return out
}

func ref(at cfn.Place, name string) *cfn.Value { return cfn.MapOf(at, "Ref", cfn.TextOf(at, name)) }

func arnOf(at cfn.Place, id string) *cfn.Value {
	return cfn.MapOf(at, "Fn::GetAtt", cfn.ListOf(at, cfn.TextOf(at, id), cfn.TextOf(at, "Arn")))
}

func join(at cfn.Place, separator string, items ...*cfn.Value) *cfn.Value {
	return cfn.MapOf(at, "Fn::Join", cfn.ListOf(at, cfn.TextOf(at, separator), cfn.ListOf(at, items...)))
}

func sub(at cfn.Place, text string) *cfn.Value { return cfn.MapOf(at, "Fn::Sub", cfn.TextOf(at, text)) }

func texts(at cfn.Place, ss ...string) *cfn.Value {
	v := &cfn.Value{Kind: cfn.List, Place: at}
	for _, s := range ss {
		v.Items = append(v.Items, cfn.TextOf(at, s))
	}
	return v
}

// lambdaURI is the integration URI of a function whose ARN is given.
func lambdaURI(at cfn.Place, arn *cfn.Value) *cfn.Value {
	return join(at, "", cfn.TextOf(at, "arn:"), ref(at, "AWS::Partition"), cfn.TextOf(at, ":apigateway:"), ref(at, "AWS::Region"),
		cfn.TextOf(at, ":lambda:path/2015-03-31/functions/"), arn, cfn.TextOf(at, "/invocations"))
}

// isIntrinsic reports whether a value is a call of an intrinsic function.
func isIntrinsic(v *cfn.Value) bool {
	return v.Is(cfn.Map) && len(v.Keys) == 1 && (v.Keys[0].Key == "Ref" || v.Keys[0].Key == "Condition" || strings.HasPrefix(v.Keys[0].Key, "Fn::"))
}

var (
	pseudoOld   = regexp.MustCompile(`#\{([A-Za-z][A-Za-z0-9:.]*)\}`) // of serverless-pseudo-parameters
	dollarBrace = regexp.MustCompile(`\$\{([^}]*)\}`)
)

// subPseudo wraps every text that holds ${AWS::…} into Fn::Sub, as projects expect of environment variables and IAM
// statements. Other ${…} in such a text stay literal. What is inside Fn::Sub already stays as it is.
func subPseudo(v *cfn.Value) *cfn.Value {
	return mapTexts(v, func(s *cfn.Value) *cfn.Value {
		if !strings.Contains(s.Text, "${AWS::") {
			return s
		}
		return sub(s.Place, dollarBrace.ReplaceAllStringFunc(s.Text, func(m string) string {
			if strings.HasPrefix(m, "${AWS::") || strings.HasPrefix(m, "${!") {
				return m
			}
			return "${!" + m[2:]
		}))
	})
}

// subHash gives #{AWS::Region} and #{Resource.Attribute} their effect: serverless-pseudo-parameters.
func subHash(v *cfn.Value) *cfn.Value {
	return mapTexts(v, func(s *cfn.Value) *cfn.Value {
		if !pseudoOld.MatchString(s.Text) {
			return s
		}
		text := dollarBrace.ReplaceAllStringFunc(s.Text, func(m string) string {
			if strings.HasPrefix(m, "${AWS::") {
				return m
			}
			return "${!" + strings.TrimPrefix(m[2:], "!")
		})
		return sub(s.Place, pseudoOld.ReplaceAllString(text, "$${$1}"))
	})
}

// mapTexts is v with f applied to its texts, but for those that are arguments of Fn::Sub.
func mapTexts(v *cfn.Value, f func(*cfn.Value) *cfn.Value) *cfn.Value {
	switch {
	case v == nil:
		return nil
	case v.Kind == cfn.String:
		return f(v)
	case v.Kind == cfn.List:
		out := &cfn.Value{Kind: cfn.List, Place: v.Place}
		for _, item := range v.Items {
			out.Items = append(out.Items, mapTexts(item, f))
		}
		return out
	case v.Kind == cfn.Map:
		out := &cfn.Value{Kind: cfn.Map, Place: v.Place}
		for _, e := range v.Keys {
			if e.Key != "Fn::Sub" {
				e.Value = mapTexts(e.Value, f)
			}
			out.Keys = append(out.Keys, e)
		}
		return out
	}
	return v
}
