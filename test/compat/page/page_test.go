package page_test

import (
	"strings"
	"testing"

	"cleat/test/compat/page"
	"cleat/test/compat/scenario"
)

func TestGenerate(t *testing.T) {
	scenarios := []*scenario.Scenario{
		{Name: "a/one", File: "a/one.txt", Title: "One | *two*", Spec: "data-plane 2"},
		{Name: "b/three", File: "b/three.txt", Title: "<x> $y", Spec: "lambda 1", Differs: "AWS_has none"},
	}
	const head = "# Title\n\n| Behaviour | Status | Proof |\n|---|---|---|\n| by hand | Same | `x.TestY` |\n"
	got, err := page.Generate([]byte(head+"<!-- scenarios: a none b -->\n\nend\n"), scenarios)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Replace(head, "# Title\n", "# Title\n\n<!-- Made by `make generate` from compatibility.in.md and test/compat/scenarios: edit those. -->\n", 1) +
		"| One \\| \\*two\\* (data-plane 2) | Same | `scenarios/a/one` |\n" +
		"| &lt;x> $y (lambda 1) | Differs: AWS\\_has none | `scenarios/b/three` |\n\nend\n"
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	for name, test := range map[string]struct{ source, want string }{
		"no place":     {head + "<!-- scenarios: a -->\n", `names the area "b" of b/three.txt`},
		"two places":   {head + "<!-- scenarios: a b a -->\n", `:6: the area "a" has its place already`},
		"not in table": {head + "\n<!-- scenarios: a b -->\n", ":7: the scenarios' rows must follow a table"},
	} {
		if _, err := page.Generate([]byte(test.source), scenarios); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %s", name, err, test.want)
		}
	}
}
