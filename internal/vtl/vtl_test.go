package vtl_test

import (
	"testing"

	"cleat/internal/vtl"
)

// Spec mapping-templates §3: what is literal, and what is not.
func TestFirstDirective(t *testing.T) {
	for template, want := range map[string]vtl.Directive{
		`{"statusCode": 200}`:              {},
		`costs $5, #1, 100 #`:              {},
		"":                                 {},
		`{"id": "$context.requestId"}`:     {1, `$context.requestId"}`},
		"{\n  \"a\": ${x}\n}":              {2, "${x}"},
		"#set($x = 1)":                     {1, "#set($x = 1)"},
		"a\nb ## comment":                  {2, "## comment"},
		"#* block *#":                      {1, "#* block *#"},
		"#[[ literal ]]#":                  {1, "#[[ literal ]]#"},
		"$!quiet":                          {1, "$!quiet"},
		"ends in $":                        {1, "$"},
		"$" + "abcdefghijklmnopqrstuvwxyz": {1, "$abcdefghijklmnopqrstuvw…"},
	} {
		got, found := vtl.FirstDirective(template)
		if got != want || found != (want != vtl.Directive{}) {
			t.Errorf("%q: got %+v %v, want %+v", template, got, found, want)
		}
	}
}

func FuzzFirstDirective(f *testing.F) {
	f.Add("a\n$b")
	f.Fuzz(func(t *testing.T, template string) {
		if d, found := vtl.FirstDirective(template); found && (d.Line < 1 || d.Text == "") {
			t.Errorf("%q: got %+v", template, d)
		}
	})
}
