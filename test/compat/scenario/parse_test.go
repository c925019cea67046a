package scenario_test

import (
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"cleat/test/compat/scenario"
)

const head = "title: T\nspec: data-plane 2.1, open question 11, RFC 6455 5.5.1\nstatus: same\n\n"

const whole = head + `-- api --
routes:
  $connect: gate
  $default: <backend>/in
limits: { idleTimeout: 1s }
-- backend --
function gate
  wait 20ms
  return {"statusCode":200}
  hold door
  error {"errorMessage":"x"}
http /in
  answer 201
    header X-A: b: c
    bytes \xff\n
-- script --
# a comment
bob: connect ?a=b
  > Origin: https://x
  > no Sec-WebSocket-Key
  < 101
  < no X-B
event gate
  {"a":1,
  "b":2}
  has a.b 1
  lacks c
frame more rsv 4 length 9 text \x00
close 1000 bye
`

func TestParse(t *testing.T) {
	s, err := scenario.Parse("area/name", "f.txt", []byte(whole))
	if err != nil {
		t.Fatal(err)
	}
	want := []scenario.Step{
		{Line: 22, Client: "bob", Verb: "connect", Arg: "?a=b", End: 27, Lines: []scenario.Line{
			{Line: 23, Mark: ">", Word: "header", Name: "Origin", Text: "https://x"},
			{Line: 24, Mark: ">", Word: "no", Name: "Sec-WebSocket-Key"},
			{Line: 25, Mark: "<", Word: "status", Text: "101"},
			{Line: 26, Mark: "<", Word: "no", Name: "X-B"},
		}},
		{Line: 27, Client: "client", Verb: "event", Arg: "gate", End: 32, Lines: []scenario.Line{
			{Line: 28, Word: "text", Text: `{"a":1,`},
			{Line: 29, Word: "text", Text: `"b":2}`},
			{Line: 30, Word: "has", Name: "a.b", Text: "1"},
			{Line: 31, Word: "lacks", Name: "c"},
		}},
		{Line: 32, Client: "client", Verb: "frame", Arg: `more rsv 4 length 9 text \x00`, End: 33},
		{Line: 33, Client: "client", Verb: "close", Arg: "1000 bye", End: 34},
	}
	if !reflect.DeepEqual(s.Steps, want) {
		t.Errorf("got steps\n%+v\nwant\n%+v", s.Steps, want)
	}
	wantBackends := []scenario.Backend{
		{Line: 11, Function: "gate", Answers: []scenario.Answer{
			{Line: 13, Kind: scenario.AnswerReturn, Wait: 20 * time.Millisecond, Text: `{"statusCode":200}`},
			{Line: 15, Kind: scenario.AnswerError, Hold: "door", Text: `{"errorMessage":"x"}`},
		}},
		{Line: 16, Path: "/in", Answers: []scenario.Answer{
			{Line: 17, Kind: scenario.AnswerStatus, Status: 201, Headers: []scenario.Field{{Name: "X-A", Value: "b: c"}}, Body: "\xff\n", Bytes: true},
		}},
	}
	if !reflect.DeepEqual(s.Backends, wantBackends) {
		t.Errorf("got backends\n%+v\nwant\n%+v", s.Backends, wantBackends)
	}
	if s.Title != "T" || s.Differs != "" || s.Area() != "area" || !reflect.DeepEqual(s.Needs, []scenario.Need{scenario.NeedLimits}) || !reflect.DeepEqual(s.Watched(), []string{"gate"}) {
		t.Errorf("got %+v", s)
	}
}

// What is wrong in a scenario is told with its line.
func TestParseFaults(t *testing.T) {
	api, script := "-- api --\nroutes:\n  $connect: gate\n", "-- script --\nconnect\n"
	tests := map[string]struct {
		text string
		want string
	}{
		"no title":             {"spec: data-plane 2\nstatus: same\n" + api + script, "f.txt:1: there is no title:"},
		"unknown head":         {"name: x\n" + api + script, `f.txt:1: unknown "name:"`},
		"twice":                {"title: a\ntitle: b\n" + api + script, "f.txt:2: title: is there twice"},
		"status":               {"title: a\nspec: data-plane 2\nstatus: maybe\n" + api + script, "f.txt:3: status is"},
		"differs without why":  {"title: a\nspec: data-plane 2\nstatus: differs:\n" + api + script, "f.txt:3: status is"},
		"spec":                 {"title: a\nspec: somewhere\nstatus: same\n" + api + script, "f.txt:2: spec: names files"},
		"needs":                {"title: a\nspec: data-plane 2\nstatus: same\nneeds: limits\n" + api + script, "f.txt:4: needs: limits"},
		"no script":            {head + api, "f.txt:1: there is no section -- script --"},
		"no api":               {head + script, "f.txt:1: there is no section -- api --"},
		"empty api":            {head + "-- api --\n" + script, "f.txt:6: the API has no definition"},
		"runner's setting":     {head + api + "stage: prod\n" + script, "f.txt:8: stage is set by the runner"},
		"unknown section":      {head + api + "-- notes --\n" + script, `f.txt:8: unknown section "notes"`},
		"section twice":        {head + api + api + script, "f.txt:8: there are two sections -- api --"},
		"tabs":                 {head + api + script + "\tx\n", "f.txt:10: indent with blanks"},
		"indented first":       {head + api + "-- script --\n  x\n", "f.txt:9: an indented line belongs"},
		"empty script":         {head + api + "-- script --\n", "f.txt:9: the script has no steps"},
		"carriage return":      {head + api + script + "send a\r\n", "f.txt:1: a scenario is UTF-8 text"},
		"unknown step":         {head + api + script + "shout x\n", `f.txt:10: unknown step "shout"`},
		"argument missing":     {head + api + script + "event\n", "f.txt:10: event needs something"},
		"argument too many":    {head + api + script + "event gate now\n", "f.txt:10: event names one thing"},
		"argument unwanted":    {head + api + script + "hangup now\n", "f.txt:10: hangup stands alone"},
		"time":                 {head + api + script + "quiet soon\n", "f.txt:10: quiet needs a time"},
		"function not there":   {head + api + script + "event gat3\n", "f.txt:10: no API of this scenario mentions gat3"},
		"release":              {head + api + script + "release door\n", `f.txt:10: no backend holds "door"`},
		"deploy":               {head + api + script + "deploy api.next\n", "f.txt:10: there is no section -- api.next --"},
		"frame":                {head + api + script + "frame txt x\n", `f.txt:10: frame: "txt" is not an opcode`},
		"escape":               {head + api + script + "write \\q\n", `f.txt:10: write: unknown escape \q`},
		"line below":           {head + api + script + "send x\n  y\n", "f.txt:11: nothing stands below this step"},
		"mark":                 {head + api + script + "  x\n", "f.txt:10: a line here begins with one of"},
		"header":               {head + api + script + "  > x y\n", `f.txt:10: want "Name: value"`},
		"no name":              {head + api + script + "  < no x y\n", `f.txt:10: want "no Name"`},
		"has":                  {head + api + script + "receive x\n  has a\n", `f.txt:11: want "has PATH VALUE"`},
		"backend":              {head + api + "-- backend --\nlambda gate\n  return x\n" + script, "f.txt:9: a backend begins with"},
		"backend silent":       {head + api + "-- backend --\nfunction gate\n" + script, "f.txt:9: function gate does not say"},
		"backend not in API":   {head + api + "-- backend --\nfunction other\n  return {}\n" + script, "f.txt:9: no API of this scenario mentions other"},
		"backend twice":        {head + api + "-- backend --\nfunction gate\n  hang\nfunction gate\n  hang\n" + script, "f.txt:11: function gate is there twice"},
		"answer of a function": {head + api + "-- backend --\nfunction gate\n  answer 200\n" + script, `f.txt:10: "answer STATUS" is for HTTP`},
		"return of HTTP":       {head + api + "-- backend --\nhttp /gate\n  return {}\n" + script, "f.txt:10: return is for functions"},
		"header alone":         {head + api + "-- backend --\nhttp /gate\n  header A: b\n" + script, "f.txt:10: header belongs below"},
		"unknown answer":       {head + api + "-- backend --\nfunction gate\n  laugh\n" + script, `f.txt:10: unknown "laugh"`},
		"repeat":               {head + api + script + "POST x\n  > repeat often\n", "f.txt:11: repeat needs a number"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := scenario.Parse("area/name", "f.txt", []byte(test.text))
			var fault scenario.Fault
			if !errors.As(err, &fault) || !strings.HasPrefix(err.Error(), test.want) {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}

func TestLoad(t *testing.T) {
	good := &fstest.MapFile{Data: []byte(whole)}
	all, err := scenario.Load(fstest.MapFS{"b/x.txt": good, "a/y-2.txt": good}, "shown")
	if err != nil || len(all) != 2 || all[0].Name != "a/y-2" || all[1].File != "shown/b/x.txt" {
		t.Errorf("got %v, %v", all, err)
	}
	_, err = scenario.Load(fstest.MapFS{"x.txt": good, "a/Y.txt": good, "a/z.md": good, "a/b/c.txt": good, "a/bad.txt": {Data: []byte("x")}}, "shown")
	for _, want := range []string{"shown/x.txt: a scenario is AREA", "shown/a/Y.txt: ", "shown/a/z.md: ", "shown/a/b/c.txt: ", "shown/a/bad.txt:1: "} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(whole))
	if text, err := os.ReadFile("../scenarios/http/path-placeholders.txt"); err == nil {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := scenario.Parse("area/name", "f.txt", text)
		var fault scenario.Fault
		if err != nil && (!errors.As(err, &fault) || fault.Line < 1) {
			t.Errorf("a fault without a line: %v", err)
		}
		if err == nil && len(s.Steps) == 0 {
			t.Error("a scenario without steps")
		}
	})
}
