package cfn_test

import (
	"strings"
	"testing"

	"cleat/internal/cfn"
)

// TestParameterRules holds values to what a template allows (CloudFormation's parameters).
func TestParameterRules(t *testing.T) {
	tests := map[string]struct{ declared, given, want string }{
		"allowed":             {"{Type: String, AllowedValues: [a, b]}", "b", ""},
		"not allowed":         {"{Type: String, AllowedValues: [a, b]}", "c", `parameter P is "c": want one of a, b`},
		"number as text":      {"{Type: String, AllowedValues: [1, 2]}", "2", ""},
		"pattern":             {"{Type: String, AllowedPattern: '[a-z]+'}", "A", `parameter P is "A": want it to match [a-z]+`},
		"Java's pattern":      {"{Type: String, AllowedPattern: '(?!x).*'}", "x", ""},
		"short":               {"{Type: String, MinLength: 3}", "ab", `parameter P is "ab": want a number of characters of at least 3`},
		"long":                {"{Type: String, MaxLength: '3'}", "ábcd", `parameter P is "ábcd": want a number of characters of at most 3`},
		"in characters":       {"{Type: String, MaxLength: 3}", "ábc", ""},
		"no number":           {"{Type: Number}", "x", `parameter P is "x": want a number`},
		"small":               {"{Type: Number, MinValue: 1.5}", "1", `parameter P is "1": want a number at least 1.5`},
		"large":               {"{Type: Number, MaxValue: 5}", "6", `parameter P is "6": want a number at most 5`},
		"list":                {"{Type: CommaDelimitedList, AllowedValues: [a, b]}", "a, b", ""},
		"item of a list":      {"{Type: CommaDelimitedList, AllowedValues: [a, b]}", "a, c", `parameter P is "c": want one of a, b`},
		"numbers":             {"{Type: List<Number>, MaxValue: 5}", "1,7", `parameter P is "7": want a number at most 5`},
		"in the author's own": {"{Type: String, MinLength: 3, ConstraintDescription: make it longer}", "x", `parameter P is "x": make it longer`},
		"secret":              {"{Type: String, MinLength: 9, NoEcho: true}", "hunter2", `parameter P, which is not to be shown, has a wrong value: want a number of characters of at least 9`},
		"default":             {"{Type: Number, Default: 9, MaxValue: 5}", "", `parameter P is "9": want a number at most 5`},
		"SSM by its name":     {"{Type: AWS::SSM::Parameter::Value<Number>, Default: /app/port}", "", ""},
		"SSM given":           {"{Type: AWS::SSM::Parameter::Value<Number>, Default: /app/port}", "x", `parameter P is "x": want a number`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			template, err := cfn.ReadTemplate(parse(t, "Parameters:\n  P: "+tt.declared+"\nResources: {}\n"))
			if err != nil {
				t.Fatal(err)
			}
			env := cfn.Env{Parameters: map[string]string{"P": tt.given}}
			if tt.given == "" {
				env.Parameters = nil
			}
			_, err = cfn.NewEvaluator(template, env)
			switch {
			case tt.want == "" && err != nil, tt.want != "" && (err == nil || err.Error() != "t.yaml:2: "+tt.want):
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

// TestStoredParameter: what only AWS can look up is a fault where it is used, and nowhere else.
func TestStoredParameter(t *testing.T) {
	const text = "Parameters:\n  Port: {Type: AWS::SSM::Parameter::Value<String>, Default: /app/port}\nResources:\n  R: {Type: T, Properties: {A: !Ref Port}}\n"
	e := evaluator(t, text, env())
	_, err := e.Evaluate(parse(t, text).Path("Resources", "R", "Properties"))
	if err == nil || !strings.Contains(err.Error(), "t.yaml:4: parameter Port is kept in SSM under the name /app/port") {
		t.Errorf("got %v", err)
	}
	given := env()
	given.Parameters = map[string]string{"Port": "80"}
	v, err := evaluator(t, text, given).Evaluate(parse(t, text).Path("Resources", "R", "Properties"))
	if err != nil || v.Get("A").Str() != "80" {
		t.Errorf("given: %v, %v", v.Get("A"), err)
	}
}
