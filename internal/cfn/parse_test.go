package cfn_test

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"cleat/internal/cfn"
)

func parse(tb testing.TB, text string) *cfn.Value {
	tb.Helper()
	v, err := cfn.Parse("t.yaml", []byte(text))
	if err != nil {
		tb.Fatalf("parse: %v", err)
	}
	return v
}

func faultsOf(tb testing.TB, err error) cfn.Faults {
	tb.Helper()
	if err == nil {
		return nil
	}
	faults, ok := errors.AsType[cfn.Faults](err)
	if !ok {
		tb.Fatalf("%v is not Faults", err)
	}
	return faults
}

func TestParse(t *testing.T) {
	tests := map[string]struct{ text, want string }{
		"empty":              {"", `null`},
		"comment":            {"# nothing\n", `null`},
		"scalars":            {"[a, 1, true, null, ~, '1', 2012-10-17, 1.50, yes]", `["a",1,true,null,null,"1","2012-10-17",1.50,"yes"]`},
		"capital boolean":    {"[True, FALSE]", `[true,false]`},
		"odd numbers":        {"[0x1F, .5, +1, 1e3, .inf]", `[31,0.5,1,1e3,".inf"]`},
		"order of keys":      {"z: 1\na: 2\n", `{"z":1,"a":2}`},
		"ref":                {"!Ref x", `{"Ref":"x"}`},
		"condition":          {"!Condition x", `{"Condition":"x"}`},
		"getatt":             {"!GetAtt a.b.c", `{"Fn::GetAtt":["a","b.c"]}`},
		"getatt, list":       {"!GetAtt [a, b]", `{"Fn::GetAtt":["a","b"]}`},
		"sub":                {"!Sub 'x${y}'", `{"Fn::Sub":"x${y}"}`},
		"nested":             {"!Join ['', [!Ref a, !Sub b]]", `{"Fn::Join":["",[{"Ref":"a"},{"Fn::Sub":"b"}]]}`},
		"over a map":         {"!ToJsonString {a: !Ref b}", `{"Fn::ToJsonString":{"a":{"Ref":"b"}}}`},
		"block":              {"Fn::If:\n  - c\n  - !Ref a\n  - !Ref AWS::NoValue\n", `{"Fn::If":["c",{"Ref":"a"},{"Ref":"AWS::NoValue"}]}`},
		"explicit tags":      {"[!!str 5, !!int 5]", `["5",5]`},
		"alias":              {"a: &x {k: 1}\nb: *x\n", `{"a":{"k":1},"b":{"k":1}}`},
		"alias of a tag":     {"a: &x !Ref r\nb: *x\n", `{"a":{"Ref":"r"},"b":{"Ref":"r"}}`},
		"merge":              {"a: &x {k: 1, l: 2}\nb:\n  l: 3\n  <<: *x\n", `{"a":{"k":1,"l":2},"b":{"l":3,"k":1}}`},
		"merges":             {"a: &x {k: 1}\nb: &y {k: 2, m: 3}\nc:\n  <<: [*x, *y]\n", `{"a":{"k":1},"b":{"k":2,"m":3},"c":{"k":1,"m":3}}`},
		"folded":             {"a: >-\n  x\n  y\n", `{"a":"x y"}`},
		"JSON":               {`{"a": [1, 2.50, "x", true, null, {}]}`, `{"a":[1,2.50,"x",true,null,{}]}`},
		"JSON with tabs":     {"{\n\t\"a\": 1\n}", `{"a":1}`},
		"JSON with a pair":   {`{"a": "\ud83d\ude00\/"}`, `{"a":"😀/"}`},
		"JSON with a mark":   {"\ufeff{\"a\": 1}", `{"a":1}`},
		"JSON is no YAML":    {`{"a": "yes", "b": "!Ref x", "<<": 1}`, `{"a":"yes","b":"!Ref x","<<":1}`},
		"flow with comments": {"{a: 1, # one\n b: 2}", `{"a":1,"b":2}`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := string(parse(t, tt.text).AppendJSON(nil)); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestParseFaults(t *testing.T) {
	deep := strings.Repeat("[", 150) + strings.Repeat("]", 150)
	bomb := "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
	for c := 'b'; c <= 'h'; c++ {
		bomb += string(c) + ": &" + string(c) + " [" + strings.Repeat("*"+string(c-1)+",", 10) + "]\n"
	}
	tests := map[string]struct {
		file, text string
		want       []string
	}{
		"syntax":               {"t.yaml", "a: [1\nb: 2\n", []string{"t.yaml:1: not valid YAML: did not find expected ',' or ']'"}},
		"duplicate key":        {"t.yaml", "a: 1\nb: 2\na: 3\n", []string{`t.yaml:3: "a" is given twice`}},
		"duplicate key, JSON":  {"t.json", "{\"a\": 1,\n \"a\": 3}", []string{`t.json:2: "a" is given twice`}},
		"map as key":           {"t.yaml", "? {a: 1}\n: 2\n", []string{"t.yaml:1: a map's key must be text"}},
		"tabs":                 {"t.yaml", "a:\n\tb: 1\n", []string{"t.yaml:2: not valid YAML"}},
		"unknown alias":        {"t.yaml", "a: *x\n", []string{"unknown anchor"}},
		"JSON":                 {"t.json", "{\n \"a\": 1,\n}", []string{"t.json:3: not valid JSON: invalid character '}'"}},
		"JSON, half":           {"t.json", "{\n \"a\": 1", []string{"t.json:2: not valid JSON: unexpected end"}},
		"deep YAML":            {"t.yaml", "x: " + deep, []string{"too deeply nested"}},
		"deep JSON":            {"t.json", deep, []string{"too deeply nested"}},
		"alias bomb":           {"t.yaml", bomb, []string{"too deeply nested or too large"}},
		"alias within itself":  {"t.yaml", "a: &a [*a]\n", []string{"too deeply nested"}},
		"two faults, in order": {"t.yaml", "a: 1\na: 2\nb: 1\nb: 2\n", []string{`t.yaml:2: "a" is given`, `t.yaml:4: "b" is given`}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := cfn.Parse(tt.file, []byte(tt.text))
			faults := faultsOf(t, err)
			if len(faults) != len(tt.want) {
				t.Fatalf("got %d faults: %v", len(faults), err)
			}
			for i, want := range tt.want {
				if got := faults[i].Error(); !strings.Contains(got, want) {
					t.Errorf("got %q, want …%s…", got, want)
				}
			}
		})
	}
}

func TestPlaces(t *testing.T) {
	for file, text := range map[string]string{
		"t.yaml": "a:\n  - b: x\n    c: !Ref y\n",
		"t.json": "{\"a\":\n [{\"b\": \"x\",\n\t\"c\": {\"Ref\": \"y\"}}]}",
	} {
		v, err := cfn.Parse(file, []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		c := v.Get("a").Items[0].Keys[1]
		if c.Key != "c" || c.Place.Line != 3 || c.Value.Place.String() != file+":3" {
			t.Errorf("%s: c is at %v, its value at %v, want line 3", file, c.Place, c.Value.Place)
		}
		if b := v.Get("a").Items[0].Keys[0]; b.Place.Line != 2 || b.Value.Place.Line != 2 || b.Value.Place.Column <= b.Place.Column {
			t.Errorf("%s: b is at %+v, its value at %+v", file, b.Place, b.Value.Place)
		}
	}
}

func TestValue(t *testing.T) {
	v := cfn.MapOf(cfn.Place{}, "a", cfn.NumberOf(cfn.Place{}, 1), "none", (*cfn.Value)(nil),
		"b", cfn.MapOf(cfn.Place{}, "c", cfn.BoolOf(cfn.Place{}, true)), "l", cfn.ListOf(cfn.Place{}, cfn.TextOf(cfn.Place{}, "<&>")))
	if got, want := string(v.AppendJSON(nil)), `{"a":1,"b":{"c":true},"l":["<&>"]}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := v.Path("b", "c").Str(); got != "true" {
		t.Errorf("Path = %q", got)
	}
	var absent *cfn.Value
	if absent.Get("x") != nil || absent.Path("x", "y") != nil || absent.Str() != "" || absent.Is(cfn.Null) || absent.At() != (cfn.Place{}) {
		t.Error("a nil Value is not absent everywhere")
	}
	if _, ok := v.Scalar(); ok {
		t.Error("a map is a scalar")
	}
	for place, want := range map[cfn.Place]string{{}: "", {File: "f"}: "f", {File: "f", Line: 3, Column: 9}: "f:3"} {
		if got := place.String(); got != want {
			t.Errorf("%#v prints as %q, want %q", place, got, want)
		}
	}
}

func TestMapOfPanicsOnProgrammerError(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	cfn.MapOf(cfn.Place{}, "a", "not a value")
}

// values draws trees without intrinsic functions.
func values() *rapid.Generator[*cfn.Value] {
	scalar := rapid.OneOf(
		rapid.Map(rapid.String(), func(s string) *cfn.Value { return cfn.TextOf(cfn.Place{}, strings.ToValidUTF8(s, "")) }),
		rapid.Map(rapid.Int(), func(n int) *cfn.Value { return cfn.NumberOf(cfn.Place{}, n) }),
		rapid.Map(rapid.Bool(), func(b bool) *cfn.Value { return cfn.BoolOf(cfn.Place{}, b) }),
		rapid.Just(&cfn.Value{}))
	tree := scalar
	for range 3 {
		inner := tree
		tree = rapid.OneOf(scalar,
			rapid.Map(rapid.SliceOfN(inner, 0, 4), func(items []*cfn.Value) *cfn.Value { return cfn.ListOf(cfn.Place{}, items...) }),
			rapid.Map(rapid.MapOfN(rapid.StringMatching(`[A-Za-z0-9:"\\ ]{1,8}`), inner, 0, 4), func(m map[string]*cfn.Value) *cfn.Value {
				v := cfn.MapOf(cfn.Place{})
				for k, item := range m {
					v.Keys = append(v.Keys, cfn.Entry{Key: k, Value: item})
				}
				return v
			}))
	}
	return tree
}

// TestJSONRoundTrip: what AppendJSON writes, Parse reads back.
func TestJSONRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := cfn.ListOf(cfn.Place{}, values().Draw(t, "value"))
		text := v.AppendJSON(nil)
		back, err := cfn.Parse("t.json", text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if again := back.AppendJSON(nil); string(again) != string(text) {
			t.Errorf("%s became %s", text, again)
		}
	})
}
