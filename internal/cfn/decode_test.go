package cfn_test

import (
	"reflect"
	"strings"
	"testing"

	"cleat/internal/cfn"
)

type decoded struct {
	Name  string         `json:"name"`
	Count int            `json:"count,omitempty"`
	On    bool           `json:"on"`
	Rate  float64        `json:"rate"`
	List  []string       `json:"list"`
	Map   map[string]int `json:"map"`
	Other string         `json:"other"`
}

func TestDecode(t *testing.T) {
	t.Parallel()
	names := []string{"Name", "Count", "On", "Rate", "List", "Map"}
	for name, tt := range map[string]struct {
		text  string
		want  decoded
		fault string
	}{
		"as they are":       {text: "{Name: a, Count: 5, On: true, Rate: 0.5, List: [x, y], Map: {k: 1}}", want: decoded{Name: "a", Count: 5, On: true, Rate: 0.5, List: []string{"x", "y"}, Map: map[string]int{"k": 1}}},
		"texts and numbers": {text: `{Name: 5, Count: "5", On: "true", Rate: "2"}`, want: decoded{Name: "5", Count: 5, On: true, Rate: 2}},
		"one alone":         {text: "{List: x}", want: decoded{List: []string{"x"}}},
		"not asked for":     {text: "{Other: x}"},
		"not a number":      {text: "{Count: many}", fault: "f.yaml:1: Thing: Count must be a whole number, not"},
		"not text":          {text: "{Name: [a]}", fault: "f.yaml:1: Thing: Name must be text, not"},
		"not a map":         {text: "{Map: 5}", fault: "f.yaml:1: Thing: Map must be a map, not"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v, err := cfn.Parse("f.yaml", []byte(tt.text))
			if err != nil {
				t.Fatal(err)
			}
			var got decoded
			var faults cfn.Faults
			cfn.Decode(v, names, &got, "Thing", &faults)
			if tt.fault != "" {
				if len(faults) != 1 || !strings.HasPrefix(faults[0].Error(), tt.fault) {
					t.Errorf("got %v, want %s", faults, tt.fault)
				}
				return
			}
			if len(faults) > 0 || !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %+v, %v, want %+v", got, faults, tt.want)
			}
		})
	}
}
