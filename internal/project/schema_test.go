package project_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"cleat/internal/config"
	"cleat/internal/project"
	"cleat/internal/testkit/golden"
)

const schemaFile = "../../docs/cleat.schema.json"

func readJSON(t *testing.T, text []byte) any {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func schema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	text, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	if err := c.AddResource("cleat.schema.json", readJSON(t, text)); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("cleat.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func fromYAML(t *testing.T, text []byte) any {
	t.Helper()
	var v any
	if err := yaml.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(textKeys(v))
	if err != nil {
		t.Fatal(err)
	}
	return readJSON(t, b)
}

// textKeys makes texts of all keys, as JSON has them.
func textKeys(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k := range v {
			v[k] = textKeys(v[k])
		}
	case map[any]any:
		out := map[string]any{}
		for k := range v {
			out[fmt.Sprint(k)] = textKeys(v[k])
		}
		return out
	case []any:
		for i := range v {
			v[i] = textKeys(v[i])
		}
	}
	return v
}

// settings are all settings of cleat.yaml, by the object they belong to.
func settings() map[string][]string {
	all := maps.Clone(project.CleatSettings)
	for object, names := range config.Settings {
		all[object] = slices.Concat(all[object], names)
	}
	return all
}

// The schema and the loader know the same settings.
func TestSchemaKnowsEverySetting(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	type object struct {
		Properties map[string]any `json:"properties"`
	}
	var s struct {
		object
		Defs map[string]object `json:"$defs"`
	}
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	s.Defs[""] = s.object
	for name, want := range settings() {
		got := slices.Sorted(maps.Keys(s.Defs[name].Properties))
		if want := slices.Sorted(slices.Values(want)); !slices.Equal(got, want) {
			t.Errorf("object %q: the schema has %q, the loader %q", name, got, want)
		}
	}
	for name, def := range s.Defs {
		if _, ok := settings()[name]; !ok && def.Properties != nil {
			t.Errorf("the loader does not know the schema's object %q", name)
		}
	}
}

// What the loader takes, the schema takes, and the faults of testdata fail both.
func TestSchemaAgreesWithLoader(t *testing.T) {
	t.Parallel()
	s := schema(t)
	names, err := filepath.Glob("testdata/load/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	tried := 0
	for _, name := range names {
		ar, err := txtar.ParseFile(name)
		if err != nil {
			t.Fatal(err)
		}
		o, path := readOptions(t, ar.Comment)
		for _, f := range ar.Files {
			if f.Name != "cleat.yaml" || len(f.Data) == 0 {
				continue
			}
			tried++
			_, loadErr := project.Load(filepath.Join(golden.Write(t, ar.Files), path), o)
			if err := s.Validate(fromYAML(t, f.Data)); (err == nil) != (loadErr == nil) {
				t.Errorf("%s: the schema says %v, the loader %v", name, err, loadErr)
			}
		}
	}
	if tried < 5 {
		t.Errorf("only %d files tried", tried)
	}
}

var fence = regexp.MustCompile("(?s)```yaml\n(.*?)```")

// The examples of the manual work.
func TestManual(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/cleat-yaml.md")
	if err != nil {
		t.Fatal(err)
	}
	s := schema(t)
	examples := fence.FindAllSubmatch(text, -1)
	if len(examples) < 4 {
		t.Fatalf("the manual has %d examples", len(examples))
	}
	for _, m := range examples {
		if err := s.Validate(fromYAML(t, m[1])); err != nil {
			t.Errorf("%s\nis not what the schema wants: %v", m[1], err)
		}
		files := txtar.Parse([]byte(small + "-- src/chat.js --\n-- auth/check.py --\n-- policies/backend.json --\n{\"Statement\": []}\n-- schemas/text.json --\n{}\n" +
			"-- prices.yaml --\neu-west-1: { messages: 1, connectionMinutes: 1 }\n")).Files
		if _, err := project.Load(golden.Write(t, append(files, txtar.File{Name: "cleat.yaml", Data: m[1]})), project.Options{}); err != nil {
			t.Errorf("%s\ncannot be loaded: %v", m[1], err)
		}
	}
	for _, names := range settings() {
		for _, name := range names {
			if !strings.Contains(string(text), "`"+name+"`") && !strings.Contains(string(text), name+":") {
				t.Errorf("the manual does not mention %s", name)
			}
		}
	}
}
