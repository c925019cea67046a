package cfn_test

import (
	"encoding/json"
	"testing"
	"unicode/utf8"

	"cleat/internal/cfn"
)

// FuzzParse reads any text and evaluates it as a template: nothing may panic, and what is read must print as JSON.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"a: !Ref b\n", "{\"a\": [1, \"\\ud83d\\ude00\"]}", "a: &x [1]\nb: *x\n<<: {c: 1}\n", "!Sub [a, {b: c}]",
		"Resources:\n  A: {Type: T, DependsOn: B, Properties: {x: !GetAtt B.c}}\n  B: {Type: T, Condition: C}\nConditions:\n  C: !Not [!Equals [a, b]]\n",
		"Parameters:\n  P: {Type: Number, Default: 0x1F}\nResources:\n  A: {Type: T, Properties: !Split [',', !Sub '${P}${AWS::Region}${!x}']}\n",
		"Resources:\n  Fn::ForEach::L: [X, [a, b], {\"R${X}\": {Type: T, Properties: {c: !Cidr [10.0.0.0/8, 2, 4]}}}]\n",
	} {
		f.Add("t.yaml", []byte(s))
	}
	f.Fuzz(func(t *testing.T, file string, text []byte) {
		v, err := cfn.Parse(file, text)
		if err != nil || v == nil {
			return
		}
		if utf8.Valid(text) {
			if out := v.AppendJSON(nil); !json.Valid(out) {
				t.Errorf("%q prints as %q, which is not JSON", text, out)
			}
		}
		if v, err = cfn.ExpandLoops(v, nil); err != nil {
			return
		}
		template, err := cfn.ReadTemplate(v)
		if err != nil {
			return
		}
		e, err := cfn.NewEvaluator(template, cfn.Env{Attribute: func(r *cfn.Resource, attribute string) (*cfn.Value, error) {
			return cfn.TextOf(r.Place, r.LogicalID+"."+attribute), nil
		}})
		if err != nil {
			return
		}
		order, err := e.Order()
		if err != nil {
			return
		}
		for _, r := range order {
			if result, err := e.Evaluate(r.Properties); err == nil && utf8.Valid(text) && !json.Valid(result.AppendJSON(nil)) {
				t.Errorf("%q evaluates to what is not JSON", text)
			}
		}
	})
}
