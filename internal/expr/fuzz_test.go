package expr_test

import (
	"bytes"
	"encoding/json"
	"testing"
	"unicode/utf8"

	"cleat/internal/expr"
)

// FuzzEval compares one member of a message with what encoding/json reads there: a string's content, nothing for null,
// and the text as sent for the rest.
func FuzzEval(f *testing.F) {
	for _, s := range []string{
		`{"action":"join"}`, `{"action":1}`, `{"a":1,"action":"\u00e9\ud83d\ude00"}`, `{"action":{"action":[1,"]"]}}`,
		`{"action":"a","action":null}`, ` {"act\u0069on" : [ ] , "x":{}}`, `[]`, `{`, `{"action":"\ud800"}`, `{"a":{"b":"}"},"action":"\\"}`,
	} {
		f.Add([]byte(s))
	}
	e, err := expr.Parse(expr.Route, "$request.body.action")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if !utf8.Valid(body) {
			e.Eval(expr.Vars{Body: body}) // must not panic; the connection refuses such messages
			return
		}
		want := ""
		var members map[string]json.RawMessage
		if err := json.Unmarshal(body, &members); err == nil {
			raw := bytes.TrimSpace(members["action"])
			want = string(raw)
			var s string
			switch {
			case bytes.Equal(raw, []byte("null")):
				want = ""
			case len(raw) > 0 && raw[0] == '"':
				if err := json.Unmarshal(raw, &s); err != nil {
					t.Fatal(err)
				}
				want = s
			}
		}
		if got := e.Eval(expr.Vars{Body: body}); got != want {
			t.Errorf("%q: got %q, want %q", body, got, want)
		}
	})
}

// FuzzParse finds texts that make Parse or an expression it returns misbehave.
func FuzzParse(f *testing.F) {
	for _, s := range []string{`$request.body.a`, `${request.body.a[0].b}/\${x}`, `$default`, `${integration.response.header.X}`, `$`, `${`, `\`, `a$b`} {
		f.Add(uint8(expr.Route), s)
		f.Add(uint8(expr.ResponseTemplate), s)
	}
	f.Fuzz(func(t *testing.T, kind uint8, text string) {
		e, err := expr.Parse(expr.Kind(kind), text)
		if err != nil {
			return
		}
		if e.String() != text {
			t.Errorf("String() = %q, want %q", e, text)
		}
		vars := expr.Vars{Body: []byte(`{"a":"b"}`), Response: &expr.Response{StatusCode: 200}}
		got := e.Eval(vars)
		if s, ok := e.Static(); ok && s != got {
			t.Errorf("Static() = %q, Eval = %q", s, got)
		}
	})
}
