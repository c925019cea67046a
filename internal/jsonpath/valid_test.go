package jsonpath_test

import (
	"bytes"
	"encoding/json"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"cleat/internal/jsonpath"
)

func nested(depth int) string {
	return strings.Repeat(`[{"a":`, depth/2) + "1" + strings.Repeat(`}]`, depth/2)
}

// A text is JSON up to a depth that nobody needs, and no further, however long it is.
func TestValid(t *testing.T) {
	for name, tc := range map[string]struct {
		text           string
		valid, tooDeep bool
	}{
		"nothing":                       {"", false, false},
		"plain":                         {`{"a":[1,"[",{}]}`, true, false},
		"as deep as may be":             {nested(jsonpath.MaxNesting), true, false},
		"deeper":                        {"[" + nested(jsonpath.MaxNesting) + "]", false, true},
		"deeper, and not closed":        {strings.Repeat("[", jsonpath.MaxNesting+1), false, true},
		"brackets in texts":             {`["` + strings.Repeat(`[{\"`, jsonpath.MaxNesting) + `"]`, true, false},
		"a backslash before the end":    {`["` + strings.Repeat(`[{`, jsonpath.MaxNesting) + `\`, false, false},
		"many brackets, side by side":   {"[" + strings.Repeat("[],", jsonpath.MaxNesting) + "{}]", true, false},
		"closed before it was opened":   {strings.Repeat("]", 5000) + strings.Repeat("[", 5000), false, false},
		"deep behind what is not JSON":  {`"a"` + strings.Repeat("[", 5000), false, true},
		"long, of hardly any brackets":  {`"` + strings.Repeat("a", 5000) + `"`, true, false},
		"a text that does not end":      {`["` + strings.Repeat("[", 5000), false, false},
		"deep in the second of members": {`{"a":"]]]]","b":` + strings.Repeat("[", jsonpath.MaxNesting) + "}", false, true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := jsonpath.Valid([]byte(tc.text)); got != tc.valid {
				t.Errorf("valid: got %v", got)
			}
			if got := jsonpath.TooDeep([]byte(tc.text)); got != tc.tooDeep {
				t.Errorf("too deep: got %v", got)
			}
		})
	}
}

// What is refused for its depth costs no stack: the process would end by what is set here.
func TestValidStack(t *testing.T) {
	defer debug.SetMaxStack(debug.SetMaxStack(1 << 20))
	b := []byte(strings.Repeat(`{"a":[`, 1<<20))
	done := make(chan bool)
	go func() { done <- jsonpath.Valid(b) }()
	if <-done {
		t.Error("a text of a million brackets is valid")
	}
}

// FuzzValid holds Valid to gjson, which goes on to read what is valid, and to encoding/json (RFC 8259), and the depth that it sees
// to what encoding/json comes to.
func FuzzValid(f *testing.F) {
	long := strings.Repeat("long text ", 9)
	for _, s := range []string{
		nested(2 * jsonpath.MaxNesting), `{"a":[1,2,{"b":"\"]"}]}`, "[[[[", `["[`,
		``, ` `, `{}`, `[]`, ` { } `, `{"a":1}`, `{"a":1,}`, `{"a" : [1 , 2]}`, `[1,]`, `[,]`, `{,}`, `{"a"}`, `{"a":}`, `{1:2}`, `[1}`, `{"a":1]`,
		`"` + long + `"`, `"` + long, `"` + long + `\"` + long + `"`, `"` + long + "\x1f" + `"`, `"` + long + "\x7f\x80\xff" + `"`, `"` + long + `\`,
		`"\u00e9"`, `"\u00eg"`, `"\u00e"`, `"\x"`, `"\/\b\f\n\r\t\\\""`, "\"\t\"", `"é ü"`,
		`0`, `-0`, `-`, `01`, `1.`, `.5`, `1.5e+3`, `1e`, `1E-`, `+1`, `1 2`, `true`, `tru`, `truex`, `false`, `null`, `nul`, `NaN`, "\ufeff1", `{}x`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 1<<16 {
			return
		}
		valid, tooDeep := gjson.ValidBytes(b), jsonpath.TooDeep(b)
		if got := jsonpath.Valid(b); got != (valid && !tooDeep) {
			t.Errorf("got %v; valid %v, too deep %v", got, valid, tooDeep)
		}
		if std := json.Valid(b); !tooDeep && std != valid {
			t.Errorf("gjson says %v, encoding/json %v", valid, std)
		}
		if !valid {
			return
		}
		if depth := depthOf(b); tooDeep != (depth > jsonpath.MaxNesting) {
			t.Errorf("too deep: %v, at a depth of %d", tooDeep, depth)
		}
	})
}

// depthOf is the depth of a text that is JSON.
func depthOf(b []byte) (deepest int) {
	d := json.NewDecoder(bytes.NewReader(b))
	for depth := 0; ; deepest = max(deepest, depth) {
		token, err := d.Token()
		if err != nil {
			return deepest
		}
		switch token {
		case json.Delim('['), json.Delim('{'):
			depth++
		case json.Delim(']'), json.Delim('}'):
			depth--
		}
	}
}

// BenchmarkValid4KB is what each message costs whose route is looked for.
func BenchmarkValid4KB(b *testing.B) {
	text := []byte(`{"action":"say","data":"` + strings.Repeat("x", 4<<10) + `"}`)
	for name, valid := range map[string]func([]byte) bool{"valid": jsonpath.Valid, "gjson": gjson.ValidBytes} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				valid(text)
			}
		})
	}
}
