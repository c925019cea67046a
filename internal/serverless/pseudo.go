package serverless

import (
	"regexp"
	"strings"

	"cleat/internal/cfn"
)

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
