package link_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"cleat/internal/cfn"
	"cleat/internal/link"
	"cleat/internal/testkit/golden"
)

// world is a few templates by name.
type world map[string]*cfn.Value

func newWorld(tb testing.TB, archive *txtar.Archive) world {
	tb.Helper()
	w := world{}
	for _, f := range archive.Files {
		if f.Name == "want" {
			continue
		}
		v, err := cfn.Parse(f.Name, f.Data)
		if err != nil {
			tb.Fatal(err)
		}
		w[f.Name] = v
	}
	return w
}

func (w world) nested(stack *cfn.Value, _ cfn.Entry) *cfn.Value {
	return w[stack.Path("Properties", "TemplateURL").Str()]
}

func show(v *cfn.Value, err error) string {
	if err != nil {
		return "faults:\n" + err.Error() + "\n"
	}
	var indented strings.Builder
	enc := json.NewEncoder(&indented)
	enc.SetEscapeHTML(false)
	for _, section := range v.Entries() {
		for _, e := range section.Value.Entries() {
			indented.WriteString(section.Key + "." + e.Key + ": " + string(e.Value.AppendJSON(nil)) + "\n")
		}
		if !section.Value.Is(cfn.Map) {
			indented.WriteString(section.Key + ": " + string(section.Value.AppendJSON(nil)) + "\n")
		}
	}
	return indented.String()
}

// TestLink links nested stacks, and stacks that import from one another, and compares with testdata.
func TestLink(t *testing.T) {
	golden.Archives(t, "testdata/*.txtar", func(t *testing.T, ar *txtar.Archive) string {
		t.Helper()
		w := newWorld(t, ar)
		stacks := []link.Stack{{Template: w["root.yaml"]}}
		if w["root.yaml"] == nil {
			stacks = []link.Stack{{Prefix: "Data", Name: "data-stack", Template: w["data.yaml"]}, {Prefix: "App", Name: "app-stack", Template: w["app.yaml"]}}
		}
		v, err := link.Link(stacks, link.Options{Name: "whole", Nested: w.nested})
		if _, err := cfn.ReadTemplate(v); err != nil {
			t.Errorf("what comes out is no template: %v", err)
		}
		return show(v, err)
	})
}

func TestFaults(t *testing.T) {
	const nest = "  N: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: n.yaml, Parameters: {P: x}}}\n"
	const inner = "-- n.yaml --\nParameters: {P: {Type: String, MinLength: 1}}\nResources:\n  A: {Type: T}\nOutputs:\n  O: {Value: !Ref A}\n"
	tests := map[string]struct{ archive, want string }{
		"circle": {
			"-- root.yaml --\nResources:\n  N: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: n.yaml}}\n-- n.yaml --\nResources:\n  M: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: root.yaml}}\n",
			"n.yaml:2: nested stacks in a circle: root.yaml → n.yaml → root.yaml",
		},
		"itself": {
			"-- root.yaml --\nResources:\n  N: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: root.yaml}}\n",
			"root.yaml:2: nested stacks in a circle: root.yaml → root.yaml",
		},
		"parameter that is not there": {
			"-- root.yaml --\nResources:\n" + strings.Replace(nest, "P: x", "P: x, Q: y", 1) + inner,
			"root.yaml:2: N has no parameter Q: n.yaml does not declare it",
		},
		"parameter without value": {
			"-- root.yaml --\nResources:\n" + strings.Replace(nest, "P: x", "", 1) + inner,
			"root.yaml:2: N gives no value to the parameter P, which n.yaml:1 declares without a default",
		},
		"value not allowed": {
			"-- root.yaml --\nResources:\n" + strings.Replace(nest, "P: x", "P: !Join ['', ['']]", 1) + inner,
			`root.yaml:2: parameter P is "": want a number of characters of at least 1`,
		},
		"output that is not there": {
			"-- root.yaml --\nResources:\n" + nest + "  B: {Type: T, Properties: {X: !GetAtt N.Outputs.Q}}\n" + inner,
			"root.yaml:3: the nested stack N has no output Q: n.yaml does not declare it",
		},
		"no output": {
			"-- root.yaml --\nResources:\n" + nest + "  B: {Type: T, Properties: {X: !GetAtt N.O}}\n" + inner,
			`root.yaml:3: the nested stack N has no attribute "O": want Outputs.NAME`,
		},
		"values in a circle": {
			"-- root.yaml --\nResources:\n  N: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: n.yaml, Parameters: {P: !GetAtt N.Outputs.O}}}\n" +
				"-- n.yaml --\nParameters: {P: {Type: String}}\nResources: {A: {Type: T}}\nOutputs:\n  O: {Value: !Ref P}\n",
			"depends on itself",
		},
		"exports in a circle": {
			"-- root.yaml --\nResources:\n  A: {Type: T, Properties: {X: !ImportValue a}}\nOutputs:\n  A: {Value: !ImportValue b, Export: {Name: a}}\n  B: {Value: !ImportValue a, Export: {Name: b}}\n",
			"depends on itself",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, txtar.Parse([]byte(tt.archive)))
			_, err := link.Link([]link.Stack{{Template: w["root.yaml"]}}, link.Options{Name: "whole", Nested: w.nested})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

// TestBounds: a few lines must not become millions.
func TestBounds(t *testing.T) {
	v, err := cfn.Parse("n.yaml", []byte("Parameters: {P: {Type: String}}\nResources:\n  N: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: next, Parameters: {P: !Join ['', ["+
		strings.Repeat("!Ref P,", 20)+"]]}}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	root, err := cfn.Parse("root.yaml", []byte("Resources:\n  N: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: next, Parameters: {P: x}}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	_, err = link.Link([]link.Stack{{Template: root}}, link.Options{Nested: func(*cfn.Value, cfn.Entry) *cfn.Value {
		n++
		next := *v
		next.Place.File = strings.Repeat("x", n)
		return &next
	}})
	if err == nil || !strings.Contains(err.Error(), "nested more than 10 deep") || !strings.Contains(err.Error(), "too large") {
		t.Errorf("got %.500v", err)
	}
}

// FuzzLink links any template with one nested in it: nothing may panic, and what comes out prints as JSON.
func FuzzLink(f *testing.F) {
	for _, name := range []string{"nested", "stacks"} {
		ar, err := txtar.ParseFile("testdata/" + name + ".txtar")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(ar.Files[0].Data, ar.Files[1].Data)
	}
	f.Fuzz(func(t *testing.T, outer, inner []byte) {
		root, err := cfn.Parse("root.yaml", outer)
		if err != nil || root == nil {
			return
		}
		nested, err := cfn.Parse("n.yaml", inner)
		if err != nil || nested == nil {
			return
		}
		v, _ := link.Link([]link.Stack{{Template: root}, {Prefix: "B", Template: nested}}, link.Options{Nested: func(*cfn.Value, cfn.Entry) *cfn.Value { return nested }})
		if v == nil {
			t.Error("no template")
		}
	})
}
