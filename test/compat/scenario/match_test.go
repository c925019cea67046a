package scenario_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"cleat/test/compat/scenario"
)

func newVars() *scenario.Vars {
	return scenario.NewVars(map[string]string{"host": "h.example:1", "apiId": "a1b2c3d4e5", "backend": "http://b.example/x"})
}

const (
	idA = "Qyi07eCbtjMCJKw="
	idB = "SOqGjdZioAMCEeg="
)

func TestMatch(t *testing.T) {
	now := fmt.Sprint(time.Now().UnixMilli())
	tests := map[string]struct {
		want, got string
		at        int // where they part; -1: they match
	}{
		"literal":                {"abc", "abc", -1},
		"empty":                  {"", "", -1},
		"other":                  {"abc", "abd", 2},
		"too short":              {"abc", "ab", 2},
		"too long":               {"ab", "abc", 2},
		"shape":                  {"<connectionId>!", idA + "!", -1},
		"shape, wrong":           {"<connectionId>!", "short=!", 0},
		"known":                  {"<host>/<apiId>", "h.example:1/a1b2c3d4e5", -1},
		"known, wrong":           {"<host>/<apiId>", "h.example:1/a1b2c3d4e6", 21},
		"twice the same":         {"<requestId> <requestId>", idA + " " + idA, -1},
		"twice, not the same":    {"<requestId> <requestId>", idA + " " + idB, 17},
		"two names":              {"<requestId:a> <requestId:b>", idA + " " + idB, -1},
		"anonymous":              {"<number> <number>", "1 -2", -1},
		"any gives way":          {"a<any>c<any>e", "abcdbcde", -1},
		"text ends at the quote": {`"<text>"`, `"a"b"`, 3},
		"epoch of now":           {"<epoch>", now, -1},
		"epoch of another year":  {"<epoch>", "1500000000000", 0},
		"unknown is literal":     {"<order>1</order>", "<order>1</order>", -1},
		"fill":                   {"<fill 3><fill 4 ab>", "xxxabab", -1},
		"fill, rounded down":     {"<fill 5 ab>", "abab", -1},
		"fill, wrong":            {"<fill 3>", "xxxx", 3},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := newVars().Match(test.want, test.got)
			var m *scenario.Mismatch
			switch {
			case test.at < 0 && err != nil:
				t.Error(err)
			case test.at >= 0 && (!errors.As(err, &m) || m.At != test.at):
				t.Errorf("got %+v, want a mismatch at %d", err, test.at)
			}
		})
	}
}

// A value holds for the scenario with a name, for one step without; the connection's ID is its client's.
func TestScopes(t *testing.T) {
	v := newVars()
	for _, step := range []struct {
		client, want, got string
		ok                bool
	}{
		{"ann", "<connectionId> <requestId> <requestId:it>", idA + " " + idA + " " + idA, true},
		{"ann", "<connectionId> <requestId> <requestId:it>", idA + " " + idB + " " + idA, true},
		{"ann", "<connectionId>", idB, false},
		{"bob", "<connectionId> <connectionId:ann>", idB + " " + idA, true},
		{"bob", "<requestId:it>", idB, false},
	} {
		v.Begin(step.client)
		if err := v.Match(step.want, step.got); (err == nil) != step.ok {
			t.Errorf("%s: %s against %s: %v", step.client, step.want, step.got, err)
		}
	}
	if got, err := v.Expand("<connectionId>,<connectionId:ann>,<host>,<fill 2 z>"); got != idB+","+idA+",h.example:1,zz" || err != nil {
		t.Errorf("got %s, %v", got, err)
	}
	if _, err := v.Expand("<requestId>"); err == nil || !strings.Contains(err.Error(), "<requestId>") {
		t.Errorf("what nobody knows was expanded: %v", err)
	}
}

func TestTemplate(t *testing.T) {
	v := newVars()
	v.Learn("connectionId", "client", idA)
	v.Learn("connectionId", "client", idB) // has one already
	got := v.Template(`{"connectionId":"` + idA + `","requestId":"` + idB + `","messageId":"` + idB + `","at":1795645918708,"t":"25/Nov/2026:22:31:58 +0000","h":"h.example:1"}`)
	want := `{"connectionId":"<connectionId>","requestId":"<requestId>","messageId":"<messageId>","at":<epoch>,"t":"<time>","h":"<host>"}`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestParseFrame(t *testing.T) {
	tests := map[string]struct {
		want  scenario.Frame
		fault string
	}{
		`text hello`:         {want: scenario.Frame{Final: true, Opcode: 1, Masked: true, Length: -1, Payload: "hello"}},
		`close \x03\xe8`:     {want: scenario.Frame{Final: true, Opcode: 8, Masked: true, Length: -1, Payload: "\x03\xe8"}},
		`ping`:               {want: scenario.Frame{Final: true, Opcode: 9, Masked: true, Length: -1}},
		`more unmasked 11 x`: {want: scenario.Frame{Opcode: 11, Length: -1, Payload: "x"}},
		`rsv 5 length 70000 continuation`: {
			want: scenario.Frame{Final: true, Opcode: 0, RSV: 5, Masked: true, Length: 70000},
		},
		`rsv 8 text`:    {fault: "rsv is"},
		`length x text`: {fault: "length needs a number"},
		`16 x`:          {fault: "is not an opcode"},
		`text \x1`:      {fault: `\x needs two`},
		`text \xzz`:     {fault: "is not a byte"},
		`text x\`:       {fault: "a backslash at the end"},
	}
	for text, test := range tests {
		got, err := scenario.ParseFrame(text)
		switch {
		case test.fault != "" && (err == nil || !strings.Contains(err.Error(), test.fault)):
			t.Errorf("%s: got %v, want %s", text, err, test.fault)
		case test.fault == "" && (err != nil || !reflect.DeepEqual(got, test.want)):
			t.Errorf("%s: got %+v, %v", text, got, err)
		}
	}
}

func FuzzMatch(f *testing.F) {
	f.Add(`{"id":"<connectionId>","n":<number>,"t":"<any>"}<fill 3 a>`, `{"id":"Qyi07eCbtjMCJKw=","n":-1,"t":"x"}aaa`)
	f.Fuzz(func(t *testing.T, want, got string) {
		if len(want)+len(got) > 500 || strings.Contains(want, "<fill ") || strings.Count(want, "<any>")+strings.Count(want, "<text>") > 2 {
			return
		}
		v := newVars()
		err := v.Match(want, got)
		var m *scenario.Mismatch
		if err != nil && (!errors.As(err, &m) || m.At < 0 || m.At > len(got)) {
			t.Errorf("got %+v", err)
		}
		if err := newVars().Match(v.Template(got), got); err != nil && !strings.Contains(got, "<") && !strings.Contains(v.Template(got), "<epoch>") {
			t.Errorf("a template does not match its own text: %v", err)
		}
	})
}
