package project

import (
	"regexp"
	"slices"
	"strings"

	"cleat/internal/cfn"
)

// builder is a CloudFormation template being made. Sections and resources keep their order.
type builder struct {
	resources *cfn.Value
	outputs   *cfn.Value
	others    []cfn.Entry // further sections
}

func newBuilder() *builder {
	return &builder{resources: &cfn.Value{Kind: cfn.Map}, outputs: &cfn.Value{Kind: cfn.Map}}
}

// add puts a resource in that the project does not write itself; its Metadata says so. Properties that are nil are left
// out.
func (t *builder) add(at cfn.Place, id, typ string, properties *cfn.Value, more ...any) {
	v := cfn.MapOf(at, "Type", cfn.TextOf(at, typ), "Properties", properties)
	v.Keys = append(v.Keys, cfn.MapOf(at, more...).Keys...)
	generated := cfn.MapOf(at, "cleat", cfn.MapOf(at, "Generated", cfn.BoolOf(at, true)))
	v.Set(cfn.Entry{Key: "Metadata", Place: at, Value: cfn.Merge(generated, v.Get("Metadata"))})
	t.resources.Set(cfn.Entry{Key: id, Place: at, Value: v})
}

func (t *builder) output(at cfn.Place, name, description string, value *cfn.Value) {
	t.outputs.Set(cfn.Entry{Key: name, Place: at, Value: cfn.MapOf(at, "Description", cfn.TextOf(at, description), "Value", value)})
}

// value is the whole template.
func (t *builder) value() *cfn.Value {
	v := &cfn.Value{Kind: cfn.Map, Keys: slices.Clone(t.others)}
	v.Keys = append(v.Keys, cfn.Entry{Key: "Resources", Value: t.resources})
	if len(t.outputs.Keys) > 0 {
		v.Keys = append(v.Keys, cfn.Entry{Key: "Outputs", Value: t.outputs})
	}
	return v
}

// lambdaURI is the integration URI of a function whose ARN is given.
func lambdaURI(at cfn.Place, arn *cfn.Value) *cfn.Value {
	return cfn.Join(at, "", cfn.TextOf(at, "arn:"), cfn.Ref(at, "AWS::Partition"), cfn.TextOf(at, ":apigateway:"), cfn.Ref(at, "AWS::Region"),
		cfn.TextOf(at, ":lambda:path/2015-03-31/functions/"), arn, cfn.TextOf(at, "/invocations"))
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
		return cfn.Sub(s.Place, dollarBrace.ReplaceAllStringFunc(s.Text, func(m string) string {
			if strings.HasPrefix(m, "${AWS::") || strings.HasPrefix(m, "${!") {
				return m
			}
			return "${!" + m[2:]
		}), nil)
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
		return cfn.Sub(s.Place, pseudoOld.ReplaceAllString(text, "$${$1}"), nil)
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
