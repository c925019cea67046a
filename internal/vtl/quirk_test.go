package vtl_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/vtl"
)

// Spec mapping-templates §3 to §9 and §10.1, open-questions 1 to 7.
func TestQuirks(t *testing.T) { checkCases(t, "testdata/quirks.txt") }

// Spec mapping-templates §1: every error has a place, and says what to do.
func TestErrors(t *testing.T) { checkCases(t, "testdata/errors.txt") }

func checkCases(t *testing.T, file string) {
	t.Helper()
	for _, c := range readCases(t, file) {
		t.Run(c.name, func(t *testing.T) {
			got, err := render(t, c.template, c.body)
			var fault *vtl.Error
			switch {
			case c.fails && (!errors.As(err, &fault) || err.Error() != c.output):
				t.Errorf("%s\ngot  %v (%.60q)\nwant %s", c.template, err, got, c.output)
			case !c.fails && (err != nil || got != c.output):
				t.Errorf("%s\ngot  %q %v\nwant %q", c.template, got, err, c.output)
			}
		})
	}
}

// Open-questions 6: escapeJavaScript does as commons-lang 2 does.
func TestEscapeJavaScript(t *testing.T) {
	got, err := render(t, "$util.escapeJavaScript($input.path('$.s'))", `{"s":"\"'\\/\b\n\t\f\r\u0001é😀~\u007f"}`)
	if want := `\"\'\\\/\b\n\t\f\r\u0001\u00E9\uD83D\uDE00~` + "\x7f"; err != nil || got != want {
		t.Errorf("got %s %v, want %s", got, err, want)
	}
}

// What a template assigns under $context is there for the caller (spec mapping-templates §5).
func TestOverrides(t *testing.T) {
	in := testInput("{}")
	in.Overrides.Header = apigw.Fields{{Name: "x-a", Value: "before"}, {Name: "Kept", Value: "k"}}
	_, err := renderInput(`#set($context.requestOverride.header["X-A"] = "after")#set($context.requestOverride.querystring.n = 5)
#set($context.requestOverride.path.p = true)#set($context.requestOverride.path.none = $nope)
#set($context.responseOverride.status = 201)#set($context.responseOverride.header.h = "v")`, in)
	if err != nil {
		t.Fatal(err)
	}
	o := in.Overrides
	want := apigw.Fields{{Name: "Kept", Value: "k"}, {Name: "X-A", Value: "after"}}
	if len(o.Header) != 2 || o.Header[0] != want[0] || o.Header[1] != want[1] {
		t.Errorf("got headers %v, want %v", o.Header, want)
	}
	if len(o.Query) != 1 || o.Query[0].Value != "5" || len(o.Path) != 1 || o.Path[0].Value != "true" || o.Status != 201 || len(o.ResponseHeader) != 1 {
		t.Errorf("got %+v", o)
	}
	for _, status := range []string{"99", "600", `"abc"`, "2.5", "$nope", "[200]"} {
		in := testInput("{}")
		if _, err := renderInput("#set($context.responseOverride.status = "+status+")", in); err != nil || in.Overrides.Status != 0 {
			t.Errorf("%s: got status %d %v, want none", status, in.Overrides.Status, err)
		}
	}
}

// $context.status, $context.error, which no template of an integration has, and what belongs to other events than CONNECT (spec mapping-templates §5).
func TestContext(t *testing.T) {
	in := testInput("{}")
	in.Status = 404
	in.Event.Context.EventType = apigw.EventDisconnect
	in.Event.Context.DisconnectStatusCode, in.Event.Context.DisconnectReason = 1001, "Going away"
	got, err := renderInput("$context.status [$context.error.message] $context.disconnectStatusCode $context.disconnectReason [$context.isBase64Encoded]", in)
	if want := `404 [] 1001 Going away []`; err != nil || got != want {
		t.Errorf("got %s %v, want %s", got, err, want)
	}
	in.Event.Context.EventType, in.Event.Context.MessageID = apigw.EventMessage, "mid"
	in.Event.Context.ConnectedAt = time.UnixMilli(1)
	if got, err = renderInput("$context.messageId $context.isBase64Encoded $context.connectedAt [$context.disconnectStatusCode]", in); err != nil || got != "mid false 1 []" {
		t.Errorf("got %s %v", got, err)
	}
}

// A payload is parsed when it is asked for, once for all who ask, and anew once it was changed.
func TestPayload(t *testing.T) {
	p := vtl.NewPayload([]byte(`{"a":1}`))
	first, err := p.Document()
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := p.Document(); again != first {
		t.Error("parsed twice")
	}
	if p.Forget(); p.Text() != `{"a":1}` {
		t.Errorf("got %s", p.Text())
	}
	if again, _ := p.Document(); again == first {
		t.Error("not parsed anew")
	}
	for template, want := range map[string]bool{
		"$input.path('$.a')": false, "#set($x = 1)": false, "#set($context.responseOverride.status = 200)": false,
		"#set($x.a = 1)": true, "$x.put('a', 1)": true, `#set($y = "$x.add(1)")`: true, "#evaluate('x')": true,
	} {
		parsed, err := vtl.Parse(template)
		if err != nil || parsed.Changes() != want {
			t.Errorf("%s: got %v %v", template, parsed.Changes(), err)
		}
	}
	var empty *vtl.Payload
	if _, err := empty.Document(); err != nil || empty.Text() != "{}" {
		t.Errorf("got %s %v for no payload", empty.Text(), err)
	}
}

// Sizes and depths that are refused when a template is parsed.
func TestParseBounds(t *testing.T) {
	for name, template := range map[string]string{
		"the template is longer than 300 KB":                strings.Repeat("x", 300<<10+1),
		"nested more than 100 deep":                         strings.Repeat("#if(true)", 200),
		"expressions are nested more than 100":              "#set($x = " + strings.Repeat("(", 200),
		"are nested more than 100 deep":                     "#set($x = " + strings.Repeat("[", 200),
		"blocks and expressions are nested more than":       "#set($x = " + strings.Repeat("!", 200) + "true)",
		"an expression of more than 1000 operators":         "#set($x = 1" + strings.Repeat("+1", 2000) + ")",
		"a regular expression of more than 1000 characters": `$a.matches("` + strings.Repeat("x", 2000) + `")`,
		"line 1, column 11: “1111111":                       "#set($x = " + strings.Repeat("1", 400) + ")",
	} {
		if _, err := vtl.Parse(template); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("got %.200v, want %s", err, name)
		}
	}
	if _, err := vtl.Parse(strings.Repeat("x", 300<<10)); err != nil {
		t.Error(err)
	}
}

// However long the body, the output ends at what any backend takes.
func TestOutputBound(t *testing.T) {
	body := `{"s":"` + strings.Repeat("x", 100<<10) + `"}`
	_, err := render(t, `#set($s = $input.path('$.s'))#foreach($i in [1..100])$s#end`, body)
	if err == nil || !strings.Contains(err.Error(), "line 1, column 54: the template's output is longer than 6291456 bytes") {
		t.Errorf("got %v", err)
	}
}
