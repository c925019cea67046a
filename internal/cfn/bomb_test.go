package cfn_test

import (
	"strings"
	"testing"

	"cleat/internal/cfn"
)

// A template comes from whoever may apply one, and the overflow of a goroutine's stack ends the process: what never ends and
// what multiplies must be faults.
func TestBombs(t *testing.T) {
	const resource = `"Resources":{"R":{"Type":"A::B::C","Properties":{"P":`
	for name, test := range map[string]struct{ text, want string }{
		"a mapping that looks itself up":     {`{"Mappings":{"M":{"a":{"b":{"Fn::FindInMap":["M","a","b"]}}}},` + resource + `{"Fn::FindInMap":["M","a","b"]}}}}}`, "no place in Mappings"},
		"a mapping that refers to resources": {`{"Mappings":{"M":{"a":{"b":["x",{"Ref":"R"}]}}},` + resource + `{"Fn::FindInMap":["M","a","b"]}}}}}`, "no place in Mappings"},
		"a reference that Order misses":      {`{` + resource + `{"Fn::Sub":["${ R}",{" R":"x"}]}}}}}`, "circle"},
		"a condition about a circle":         {`{"Conditions":{"C":{"Fn::Equals":[{"Ref":"R"},"x"]}},` + resource + `{"Ref":"R"}}}}}`, "circle"},
		"splitting again and again": {
			`{"Parameters":{"T":{"Type":"String","Default":"` + strings.Repeat(",", 150_000) + `"}},` + resource +
				"[" + strings.Repeat(`{"Fn::Split":[",",{"Ref":"T"}]},`, 500) + `0]}}}}`, "takes too much",
		},
	} {
		v, err := cfn.Parse("t.json", []byte(test.text))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		err = func() error {
			template, err := cfn.ReadTemplate(v)
			if err != nil {
				return err
			}
			var e *cfn.Evaluator
			// As control does: what a resource is called is evaluated when somebody refers to it.
			attribute := func(r *cfn.Resource, _ string) (*cfn.Value, error) {
				if e == nil {
					return cfn.TextOf(r.Place, "early"), nil
				}
				return e.Evaluate(r.Properties.Get("P"))
			}
			if e, err = cfn.NewEvaluator(template, cfn.Env{Attribute: attribute}); err != nil {
				return err
			}
			if name != "a reference that Order misses" {
				if _, err := e.Order(); err != nil {
					return err
				}
			}
			_, err = e.Evaluate(template.Resource("R").Properties)
			return err
		}()
		if err == nil || !strings.Contains(err.Error(), test.want) && !strings.Contains(err.Error(), "circular") {
			t.Errorf("%s: got %.300v, want %s", name, err, test.want)
		}
	}
}

// Faults are bounded too, and reading ends where a text is over its bounds.
func TestManyFaults(t *testing.T) {
	for name, test := range map[string]struct {
		text string
		most int
	}{
		"keys given twice": {"{" + strings.Repeat(`"a":1,`, 3000) + `"b":1}`, 1001},
		"too many values":  {"{" + strings.Repeat(`"a":1,`, 300_000) + `"b":1}`, 1001},
		"nested":           {strings.Repeat("[", 200) + strings.Repeat("]", 200), 1},
		"a long list":      {"[" + strings.Repeat("1,", 300_000) + "1]", 1},
	} {
		_, err := cfn.Parse("t.json", []byte(test.text))
		if faults := faultsOf(t, err); len(faults) == 0 || len(faults) > test.most {
			t.Errorf("%s: got %d faults, want %d at most", name, len(faults), test.most)
		}
	}
}
