package cfn_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"cleat/internal/cfn"
)

const head = `
Parameters:
  Name: {Type: String, Default: chat}
  Port: {Type: Number, Default: 3001}
  Names: {Type: CommaDelimitedList, Default: "a, b,c"}
  None: {Type: "List<String>", Default: ""}
Mappings:
  M: {dev: {size: 1, list: [x, y]}}
Conditions:
  Yes: !Equals [a, a]
  No: !Not [!Condition Yes]
  Same: !Equals [!Ref Port, "3001"]
  Both: !And [!Condition Yes, !Condition Same]
  Either: !Or [!Condition No, !Condition Yes]
Resources:
  Table: {Type: "T::Table"}
  Off: {Type: "T::Off", Condition: No}
  R:
    Type: T::T
    Properties:
      P: `

func attribute(r *cfn.Resource, attribute string) (*cfn.Value, error) {
	switch attribute {
	case "":
		return cfn.TextOf(r.Place, "ref-"+r.LogicalID), nil
	case "List":
		return cfn.ListOf(r.Place, cfn.TextOf(r.Place, "one"), cfn.TextOf(r.Place, "two")), nil
	case "Bad":
		return nil, errors.New("no attribute Bad")
	}
	return cfn.TextOf(r.Place, r.LogicalID+"/"+attribute), nil
}

func env() cfn.Env {
	return cfn.Env{
		Region: "eu-west-1", Account: "111122223333", StackName: "s", Attribute: attribute, NotificationARNs: []string{"arn:n"},
		Import: func(name string) (*cfn.Value, error) {
			if name != "known" {
				return nil, fmt.Errorf("nobody exports %s", name)
			}
			return cfn.TextOf(cfn.Place{}, "imported"), nil
		},
	}
}

func evaluator(tb testing.TB, text string, env cfn.Env) *cfn.Evaluator {
	tb.Helper()
	template, err := cfn.ReadTemplate(parse(tb, text))
	if err != nil {
		tb.Fatalf("read: %v", err)
	}
	e, err := cfn.NewEvaluator(template, env)
	if err != nil {
		tb.Fatalf("evaluator: %v", err)
	}
	return e
}

func evaluate(tb testing.TB, property string) (string, error) {
	tb.Helper()
	text := head + property + "\n"
	e := evaluator(tb, text, env())
	v, err := e.Evaluate(parse(tb, text).Path("Resources", "R", "Properties"))
	return string(v.Get("P").AppendJSON(nil)), err
}

func TestFunctions(t *testing.T) {
	tests := map[string]struct{ property, want string }{
		"plain":                     {`{a: [1, x, {b: null}]}`, `{"a":[1,"x",{"b":null}]}`},
		"Ref of a parameter":        {`!Ref Name`, `"chat"`},
		"Ref of a number":           {`!Ref Port`, `3001`},
		"Ref of a list":             {`!Ref Names`, `["a","b","c"]`},
		"Ref of an empty list":      {`!Ref None`, `[]`},
		"Ref of a resource":         {`!Ref Table`, `"ref-Table"`},
		"region":                    {`!Ref AWS::Region`, `"eu-west-1"`},
		"account":                   {`!Ref AWS::AccountId`, `"111122223333"`},
		"partition":                 {`!Ref AWS::Partition`, `"aws"`},
		"stack name":                {`!Ref AWS::StackName`, `"s"`},
		"stack ID":                  {`!Ref AWS::StackId`, `"arn:aws:cloudformation:eu-west-1:111122223333:stack/s/00000000-0000-4000-8000-000000000000"`},
		"suffix":                    {`!Ref AWS::URLSuffix`, `"amazonaws.com"`},
		"notifications":             {`!Ref AWS::NotificationARNs`, `["arn:n"]`},
		"no value":                  {`[1, !Ref AWS::NoValue, {a: !Ref AWS::NoValue, b: 2}]`, `[1,{"b":2}]`},
		"no value at the top":       {`!Ref AWS::NoValue`, `null`},
		"GetAtt":                    {`!GetAtt Table.Arn`, `"Table/Arn"`},
		"GetAtt, deep":              {`!GetAtt Table.A.B`, `"Table/A.B"`},
		"GetAtt, list":              {`{"Fn::GetAtt": [Table, Arn]}`, `"Table/Arn"`},
		"GetAtt, text":              {`{"Fn::GetAtt": Table.Arn}`, `"Table/Arn"`},
		"GetAtt, attribute by Ref":  {`{"Fn::GetAtt": [Table, !Ref Name]}`, `"Table/chat"`},
		"Sub":                       {`!Sub "${Name}-${Port}-${AWS::Region}-${Table}-${Table.Arn}"`, `"chat-3001-eu-west-1-ref-Table-Table/Arn"`},
		"Sub, literal":              {`!Sub "${!Name} $ {x} $x $${Name}"`, `"${Name} $ {x} $x $chat"`},
		"Sub, variables":            {`!Sub ["${a}${Name}${x.y}", {a: !Ref Table, Name: own, x.y: dotted}]`, `"ref-Tableowndotted"`},
		"Sub, once":                 {`!Sub ["${a}", {a: "$${!b}{Name}"}]`, `"$${!b}{Name}"`},
		"Join":                      {`!Join [",", [a, 1, true, !Ref Name]]`, `"a,1,true,chat"`},
		"Join, list by Ref":         {`!Join ["", !Ref Names]`, `"abc"`},
		"Join, list by GetAtt":      {`!Join ["-", !GetAtt Table.List]`, `"one-two"`},
		"Join, no value":            {`!Join [",", [a, !Ref AWS::NoValue, b]]`, `"a,b"`},
		"Select":                    {`!Select [1, [a, b]]`, `"b"`},
		"Select, text index":        {`!Select ["0", !Ref Names]`, `"a"`},
		"Split":                     {`!Split [":", "a:b::c"]`, `["a","b","","c"]`},
		"Select of Split":           {`!Select [5, !Split [":", !Sub "arn:${AWS::Partition}:sns:r:a:topic"]]`, `"topic"`},
		"If":                        {`!If [Yes, !Ref Name, !Ref Missing]`, `"chat"`},
		"If not":                    {`!If [No, !Ref Missing, 2]`, `2`},
		"If to nothing":             {`{a: !If [No, 1, !Ref AWS::NoValue]}`, `{}`},
		"If, number equals text":    {`!If [Same, 1, 2]`, `1`},
		"Cidr":                      {`!Cidr ["10.1.0.0/16", 3, 8]`, `["10.1.0.0/24","10.1.1.0/24","10.1.2.0/24"]`},
		"Cidr, IPv6":                {`!Cidr ["fd00::/48", 2, 64]`, `["fd00::/64","fd00:0:0:1::/64"]`},
		"Cidr, 8 bits":              {`!Cidr ["10.0.0.0/24", "1"]`, `["10.0.0.0/24"]`},
		"And":                       {`!If [Both, 1, 2]`, `1`},
		"Or":                        {`!If [Either, 1, 2]`, `1`},
		"Equals as a value":         {`!Equals [a, b]`, `false`},
		"FindInMap":                 {`!FindInMap [M, dev, size]`, `1`},
		"FindInMap, list":           {`!FindInMap [M, dev, list]`, `["x","y"]`},
		"FindInMap, default":        {`!FindInMap [M, prod, size, {DefaultValue: 7}]`, `7`},
		"ImportValue":               {`!ImportValue known`, `"imported"`},
		"Base64":                    {`!Base64 hello`, `"aGVsbG8="`},
		"GetAZs":                    {`!GetAZs ""`, `["eu-west-1a","eu-west-1b","eu-west-1c"]`},
		"GetAZs of a region":        {`!GetAZs us-east-2`, `["us-east-2a","us-east-2b","us-east-2c"]`},
		"Length":                    {`!Length [1, !Ref AWS::NoValue, 2]`, `2`},
		"Length of Ref":             {`!Length {Ref: Names}`, `3`},
		"ToJsonString":              {`!ToJsonString {a: [1, "<x>", !Ref Port], b: !Ref AWS::NoValue}`, `"{\"a\":[1,\"<x>\",3001]}"`},
		"policy condition is plain": {`{Condition: {StringEquals: {a: !Ref Name}}}`, `{"Condition":{"StringEquals":{"a":"chat"}}}`},
		"Ref beside others":         {`{Ref: x, y: 1}`, `{"Ref":"x","y":1}`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := evaluate(t, tt.property)
			if err != nil {
				t.Fatal(err)
			}
			if got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestFunctionFaults(t *testing.T) {
	tests := map[string]struct{ property, want string }{
		"Ref of nothing":               {`!Ref Missing`, "Missing is neither a parameter nor a resource"},
		"Ref of a list":                {`{Ref: [a]}`, "Ref wants the name"},
		"Ref of what is off":           {`!Ref Off`, "refers to Off, which is left out because its condition No is false"},
		"unknown pseudo parameter":     {`!Ref AWS::Regio`, "AWS::Regio is not a pseudo parameter"},
		"GetAtt of nothing":            {`!GetAtt Missing.Arn`, "Missing is not a resource"},
		"GetAtt of a bad attribute":    {`!GetAtt Table.Bad`, "no attribute Bad"},
		"GetAtt without an attribute":  {`!GetAtt Table`, "Fn::GetAtt wants"},
		"Sub of nothing":               {`!Sub "${Missing}"`, "Missing is neither"},
		"Sub that looks like a path":   {`!Sub "${request.body.action}"`, "request is not a resource"},
		"Sub, unclosed":                {`!Sub "a${Name"`, "${Name lacks its }"},
		"Sub of a list":                {`!Sub "${Names}"`, "${Names} is not a text"},
		"Sub of three":                 {`!Sub [a, {}, c]`, "Fn::Sub wants a text"},
		"Join of a text":               {`!Join [a, b]`, "Fn::Join wants a list here"},
		"Join of lists":                {`!Join ["", [[a]]]`, "item 1 is not a text"},
		"Join of one":                  {`!Join [a]`, "Fn::Join wants [delimiter, list]"},
		"Select past the end":          {`!Select [3, !Ref Names]`, "there is no item 3 in a list of 3"},
		"Select of a word":             {`!Select [a, [b]]`, `the index "a" is not a number`},
		"Split at nothing":             {`!Split ["", abc]`, "the delimiter is empty"},
		"If without a condition":       {`!If [Missing, 1, 2]`, "condition Missing is not in the template"},
		"If of two":                    {`!If [Yes, 1]`, "Fn::If wants"},
		"FindInMap without a key":      {`!FindInMap [M, prod, size]`, "the mapping M has no prod, size"},
		"ImportValue of nothing":       {`!ImportValue other`, "nobody exports other"},
		"unknown function":             {`!Frobnicate {Name: x}`, "Fn::Frobnicate is not an intrinsic function that is evaluated here"},
		"macro":                        {`!Transform {Name: Mine}`, "the macro Mine is not run here"},
		"Cidr without room":            {`!Cidr ["10.0.0.0/30", 5, 1]`, "Fn::Cidr: 10.0.0.0/30 has no room for 5 blocks of 1 bits"},
		"Cidr of no block":             {`!Cidr [x, 2, 8]`, `Fn::Cidr: "x" is not a block of addresses`},
		"Cidr, count":                  {`!Cidr ["10.0.0.0/16", many, 8]`, `Fn::Cidr: "many" is not a whole number`},
		"function beside another key":  {`{"Fn::Sub": a, x: 1}`, "Fn::Sub must be the only key"},
		"Length of a text":             {`!Length a`, "Fn::Length wants a list"},
		"ToJsonString of a text":       {`!ToJsonString a`, "Fn::ToJsonString wants"},
		"Base64 of a list":             {`!Base64 [a]`, "Fn::Base64 wants a text"},
		"text that doubles and again":  {doubling(30), "the text made here is too long"},
		"escapes that double the same": {strings.Repeat(`{"Fn::ToJsonString": [`, 40) + `'"'` + strings.Repeat(`]}`, 40), "the text made here is too long"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := evaluate(t, tt.property)
			faults := faultsOf(t, err)
			if len(faults) == 0 || !strings.Contains(faults[0].Message, tt.want) {
				t.Fatalf("got %v, want …%s…", err, tt.want)
			}
			if at := faults[0].Place; at.File != "t.yaml" || at.Line != 21 {
				t.Errorf("the fault is placed at %v, want t.yaml:21", at)
			}
		})
	}
}

func doubling(levels int) string {
	s := "xx"
	for range levels {
		s = `{"Fn::Sub": ["${a}${a}", {a: ` + s + `}]}`
	}
	return s
}

func TestAllFaultsAreReported(t *testing.T) {
	_, err := evaluate(t, `[!Ref A, !Ref B, {x: !Ref C}]`)
	if n := len(faultsOf(t, err)); n != 3 {
		t.Errorf("%d faults, want 3: %v", n, err)
	}
}

func TestParameters(t *testing.T) {
	const text = `
Parameters:
  P: {Type: String}
  Q: {Type: String, AllowedValues: [a, 1], Default: a}
  R: {Type: String, AllowedPattern: "[a-z]+", Default: abc}
  L: {Type: "AWS::SSM::Parameter::Value<List<String>>", Default: /x}
Resources: {}
`
	tests := map[string]struct {
		given map[string]string
		want  string // of the faults; empty: none
	}{
		"given":            {map[string]string{"P": "x"}, ""},
		"missing":          {nil, "t.yaml:3: parameter P has no value"},
		"undeclared":       {map[string]string{"P": "x", "Z": "1"}, "parameter Z is given but the template does not declare it"},
		"not allowed":      {map[string]string{"P": "x", "Q": "b"}, `parameter Q is "b": want one of a, 1`},
		"allowed number":   {map[string]string{"P": "x", "Q": "1"}, ""},
		"against pattern":  {map[string]string{"P": "x", "R": "a1"}, "want it to match [a-z]+"},
		"empty is a value": {map[string]string{"P": ""}, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			template, err := cfn.ReadTemplate(parse(t, text))
			if err != nil {
				t.Fatal(err)
			}
			_, err = cfn.NewEvaluator(template, cfn.Env{Parameters: tt.given})
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("got %v", err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("got %v, want …%s…", err, tt.want)
			}
		})
	}
}

func TestConditionFaults(t *testing.T) {
	for name, tt := range map[string]struct{ conditions, want string }{
		"circle":       {"A: !Condition B\n  B: !Not [!Condition A]", "condition A depends on itself"},
		"missing":      {"A: !Condition B", "condition B is not in the template"},
		"no condition": {"A: yes", "a condition must be one of"},
		"other":        {"A: !Ref x", "Ref is not a condition"},
		"one of And":   {"A: !And [!Equals [1, 1]]", "Fn::And wants a list of 2 to 10"},
		"two of Not":   {"A: !Not [!Equals [1, 1], !Equals [1, 1]]", "Fn::Not wants a list of one"},
		"one of Equal": {"A: !Equals [1]", "Fn::Equals wants two"},
		"list in Cond": {"A: {Condition: [x]}", "Condition wants the name"},
	} {
		t.Run(name, func(t *testing.T) {
			template, err := cfn.ReadTemplate(parse(t, "Conditions:\n  "+tt.conditions+"\nResources: {}\n"))
			if err != nil {
				t.Fatal(err)
			}
			if _, err = cfn.NewEvaluator(template, cfn.Env{}); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want …%s…", err, tt.want)
			}
		})
	}
}

func TestReadTemplateFaults(t *testing.T) {
	for name, tt := range map[string]struct{ text, want string }{
		"not a map":           {"[]", "a template must be a map"},
		"no resources":        {"Outputs: {}", "the template has no Resources section"},
		"unknown section":     {"Resource: {}\nResources: {}", `t.yaml:1: invalid template section "Resource"`},
		"no type":             {"Resources:\n  A: {}\n", "t.yaml:2: resource A has no Type"},
		"no map":              {"Resources:\n  A: x\n", "t.yaml:2: resource A must be a map"},
		"bad logical ID":      {"Resources:\n  A-b: {Type: T}\n", `logical ID "A-b"`},
		"unknown attribute":   {"Resources:\n  A: {Type: T, Property: {}}\n", `invalid attribute "Property"`},
		"properties":          {"Resources:\n  A: {Type: T, Properties: []}\n", "Properties of A must be a map"},
		"depends on nothing":  {"Resources:\n  A: {Type: T, DependsOn: B}\n", "resource A depends on B, which is not"},
		"depends on a map":    {"Resources:\n  A: {Type: T, DependsOn: {}}\n", "DependsOn of A must be"},
		"depends on a number": {"Resources:\n  A: {Type: T, DependsOn: [1]}\n", "DependsOn of A must hold"},
		"unknown condition":   {"Resources:\n  A: {Type: T, Condition: C}\n", "has the condition C, which is not"},
		"parameter":           {"Parameters:\n  P: {}\nResources: {}\n", "parameter P has no Type"},
		"parameters":          {"Parameters: []\nResources: {}\n", "Parameters must be a map"},
		"loop":                {"Resources:\n  'Fn::ForEach::X': []\n", "Fn::ForEach::X among the resources is not supported"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := cfn.ReadTemplate(parse(t, tt.text)); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want …%s…", err, tt.want)
			}
		})
	}
	if _, err := cfn.ReadTemplate(nil); err == nil {
		t.Error("an absent template was accepted")
	}
}

func TestTemplateView(t *testing.T) {
	template, err := cfn.ReadTemplate(parse(t, `
Transform: AWS::Serverless-2016-10-31
Parameters: {P: {Type: String}}
Resources:
  B: {Type: "X::B", DependsOn: [A], Metadata: {k: v}, Condition: C}
  A: {Type: "X::A", Properties: {p: 1}, DeletionPolicy: Retain}
Conditions: {C: !Equals [1, 1]}
`))
	if err != nil {
		t.Fatal(err)
	}
	b, a := template.Resources[0], template.Resource("A")
	if b.LogicalID != "B" || b.Type != "X::B" || b.DependsOn[0] != "A" || b.Metadata.Get("k").Str() != "v" || b.Condition != "C" || b.Place.Line != 5 {
		t.Errorf("B is %+v", b)
	}
	if a == nil || a.Properties.Get("p").Str() != "1" || template.Parameter("P") == nil || template.Transform.Str() == "" {
		t.Errorf("A is %+v, the template %+v", a, template)
	}
}

func TestOrder(t *testing.T) {
	tests := map[string]struct{ resources, want string }{
		"as written":      {"A: {Type: T}\n  B: {Type: T}", "A B"},
		"depends on":      {"A: {Type: T, DependsOn: [C, B]}\n  B: {Type: T}\n  C: {Type: T}", "C B A"},
		"Ref":             {"A: {Type: T, Properties: {x: [{y: !Ref B}]}}\n  B: {Type: T}", "B A"},
		"GetAtt":          {"A: {Type: T, Properties: {x: !GetAtt B.c}}\n  B: {Type: T}", "B A"},
		"GetAtt, text":    {"A: {Type: T, Properties: {x: {'Fn::GetAtt': B.c}}}\n  B: {Type: T}", "B A"},
		"Sub":             {"A: {Type: T, Properties: {x: !Sub 'a${!C}${B.c}'}}\n  B: {Type: T}\n  C: {Type: T}", "B A C"},
		"Sub, variables":  {"A: {Type: T, Properties: {x: !Sub ['${C}', {C: !Ref B}]}}\n  B: {Type: T}\n  C: {Type: T}", "B A C"},
		"If":              {"A: {Type: T, Properties: {x: !If [Yes, !Ref B, !Ref C]}}\n  B: {Type: T}\n  C: {Type: T, Properties: {x: !Ref A}}", "B A C"},
		"left out":        {"A: {Type: T, DependsOn: B}\n  B: {Type: T, Condition: No}", "A"},
		"circle":          {"A: {Type: T, DependsOn: B}\n  B: {Type: T, Properties: {x: !Ref C}}\n  C: {Type: T, Properties: {x: !GetAtt A.y}}", "!A → B → C → A"},
		"circle of one":   {"A: {Type: T, Properties: {x: !Ref A}}", "!A → A"},
		"circle off path": {"A: {Type: T, DependsOn: B}\n  B: {Type: T, DependsOn: C}\n  C: {Type: T, DependsOn: B}", "!B → C → B"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			e := evaluator(t, "Conditions: {Yes: !Equals [1, 1], No: !Equals [1, 2]}\nResources:\n  "+tt.resources+"\n", env())
			order, err := e.Order()
			if want, circle := strings.CutPrefix(tt.want, "!"); circle {
				if err == nil || !strings.HasSuffix(err.Error(), "circular dependency between resources: "+want) {
					t.Errorf("got %v, want a circle %s", err, want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var ids []string
			for _, r := range order {
				ids = append(ids, r.LogicalID)
			}
			if got := strings.Join(ids, " "); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// TestEvaluateInsideAttribute: a resource's attribute may be made of its own properties.
func TestEvaluateInsideAttribute(t *testing.T) {
	var e *cfn.Evaluator
	en := env()
	en.Attribute = func(r *cfn.Resource, _ string) (*cfn.Value, error) {
		v, err := e.Evaluate(r.Properties.Get("Name"))
		return v, err
	}
	e = evaluator(t, "Resources:\n  A: {Type: T, Properties: {Name: !Sub 'n-${AWS::StackName}'}}\n  B: {Type: T, Properties: {Name: !Ref Missing}}\n", en)
	v, err := e.Evaluate(parse(t, "[!Ref Nothing, !Ref A, !Ref B]"))
	if got := string(v.AppendJSON(nil)); got != `["n-s"]` {
		t.Errorf("got %s", got)
	}
	faults := faultsOf(t, err)
	if len(faults) != 2 || !strings.Contains(faults[0].Message, "Nothing is neither") || !strings.Contains(faults[1].Message, "Missing is neither") {
		t.Errorf("got %v, want one fault of Nothing and one of Missing", err)
	}
}

// TestPlainValuesStayAsTheyAre: without functions evaluation is the identity.
func TestPlainValuesStayAsTheyAre(t *testing.T) {
	e := evaluator(t, "Resources: {}", cfn.Env{})
	rapid.Check(t, func(t *rapid.T) {
		v := values().Filter(func(v *cfn.Value) bool {
			text := string(v.AppendJSON(nil))
			return !strings.Contains(text, `"Ref":`) && !strings.Contains(text, `"Fn::`)
		}).Draw(t, "value")
		got, err := e.Evaluate(v)
		if err != nil {
			t.Fatal(err)
		}
		if a, b := string(v.AppendJSON(nil)), string(got.AppendJSON(nil)); a != b {
			t.Errorf("%s became %s", a, b)
		}
	})
}

// TestJoinUndoesSplit ties two functions together.
func TestJoinUndoesSplit(t *testing.T) {
	e := evaluator(t, "Resources: {}", cfn.Env{})
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.StringMatching(`[ab,]{0,20}`).Draw(t, "text")
		delimiter := rapid.SampledFrom([]string{",", "a", "ab"}).Draw(t, "delimiter")
		at := cfn.Place{}
		split := cfn.MapOf(at, "Fn::Split", cfn.ListOf(at, cfn.TextOf(at, delimiter), cfn.TextOf(at, s)))
		got, err := e.Evaluate(cfn.MapOf(at, "Fn::Join", cfn.ListOf(at, cfn.TextOf(at, delimiter), split)))
		if err != nil || got.Str() != s {
			t.Errorf("%q at %q: got %q, %v", s, delimiter, got.Str(), err)
		}
	})
}
