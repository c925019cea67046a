package cfn_test

import (
	"strings"
	"testing"

	"cleat/internal/cfn"
)

// TestLoops writes out Fn::ForEach of AWS::LanguageExtensions.
func TestLoops(t *testing.T) {
	const text = `
Parameters:
  Names: {Type: CommaDelimitedList, Default: "a.b,c"}
Mappings:
  M: {x: {list: [one]}}
Resources:
  Fn::ForEach::Topics:
    - Name
    - !Ref Names
    - Topic&{Name}:
        Type: AWS::SNS::Topic
        Properties:
          TopicName: !Ref Name
          Full: !Sub "${Name}-${AWS::Region}"
          Other: !GetAtt [!Sub "Topic&{Name}", TopicName]
  Fn::ForEach::Outer:
    - X
    - [1, 2]
    - Fn::ForEach::Inner:
        - Y
        - !FindInMap [M, x, list]
        - R${X}${Y}: {Type: T}
  Plain:
    Type: T
    Properties:
      Fn::ForEach::P: [K, [k1], {"${K}": !Ref K}]
`
	got, err := cfn.ExpandLoops(parse(t, text), nil)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"Topicab":{"Type":"AWS::SNS::Topic","Properties":{"TopicName":"a.b","Full":{"Fn::Sub":"a.b-${AWS::Region}"},"Other":{"Fn::GetAtt":["Topicab","TopicName"]}}},` +
		`"Topicc":{"Type":"AWS::SNS::Topic","Properties":{"TopicName":"c","Full":{"Fn::Sub":"c-${AWS::Region}"},"Other":{"Fn::GetAtt":["Topicc","TopicName"]}}},` +
		`"R1one":{"Type":"T"},"R2one":{"Type":"T"},"Plain":{"Type":"T","Properties":{"k1":"k1"}}}`
	if s := string(got.Get("Resources").AppendJSON(nil)); s != want {
		t.Errorf("got\n%s\nwant\n%s", s, want)
	}
	given, err := cfn.ExpandLoops(parse(t, text), map[string]string{"Names": "z"})
	if err != nil || given.Path("Resources", "Topicz") == nil || given.Path("Resources", "Topicc") != nil {
		t.Errorf("with a parameter given: %s, %v", given.Get("Resources").AppendJSON(nil), err)
	}
	plain := parse(t, "Resources: {A: {Type: T}}")
	if same, err := cfn.ExpandLoops(plain, nil); same != plain || err != nil {
		t.Errorf("a template without loops is changed: %v, %v", same, err)
	}
}

func TestLoopFaults(t *testing.T) {
	tests := map[string]struct{ loop, want string }{
		"shape":         {`[X, [a]]`, "t.yaml:2: Fn::ForEach::L wants [Identifier, [items…], {Key${Identifier}: value}]"},
		"no collection": {`[X, a, {"R${X}": {Type: T}}]`, "t.yaml:2: Fn::ForEach::L wants a list here"},
		"of resources":  {`[X, !GetAtt A.List, {"R${X}": {Type: T}}]`, "A is not a resource"},
		"of maps":       {`[X, [{a: b}], {"R${X}": {Type: T}}]`, "the items must be texts"},
		"same key":      {`[X, [a, b], {R: {Type: T}}]`, `t.yaml:2: "R" is given twice`},
		"too many":      {`[X, !Split [",", "` + strings.Repeat("a,", 100) + `"], {Fn::ForEach::M: [Y, !Split [",", "` + strings.Repeat("b,", 100) + `"], {"R${X}${Y}": {Type: T, Properties: {A: [1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6,7,8,9,0]}}}]}]`, "too large"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := cfn.ExpandLoops(parse(t, "Resources:\n  Fn::ForEach::L: "+tt.loop+"\n"), nil)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %.300v, want %q", err, tt.want)
			}
		})
	}
}
