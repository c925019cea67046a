package vtl_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/vtl"
)

// bodyB is the body that most cases of spec mapping-templates §10 work on.
const bodyB = `{"action":"say","room":"blue","n":7,"f":2.5,"ok":true,"no":null,"tags":["a","b","c"],"user":{"name":"Ann","age":30},"items":[{"id":1,"t":"cup"},{"id":2,"t":"pot"}],"empty":[],"q":"say \"hi\"","csv":"x,y,z","k y":"sp"}`

// testInput is the environment of spec mapping-templates §10.
func testInput(body string) *vtl.Input {
	return &vtl.Input{Payload: vtl.NewPayload([]byte(body)), Event: &apigw.Event{
		Context: apigw.RequestContext{
			ConnectionID: "AbCdEf=", RouteKey: "r1", Stage: "prod", RequestTime: time.UnixMilli(1700000000000), EventType: apigw.EventConnect,
			ConnectedAt: time.UnixMilli(1700000000000), Identity: apigw.Identity{SourceIP: "192.0.2.7"},
			Authorizer: apigw.Fields{{Name: "principalId", Value: "user1"}, {Name: "flag", Value: "false"}},
		},
		StageVariables: map[string]string{"env": "beta"},
		Query:          apigw.Fields{{Name: "foo", Value: "bar"}},
		Headers:        apigw.Fields{{Name: "Host", Value: "h.example"}},
		Body:           []byte(body),
	}}
}

func render(tb testing.TB, template, body string) (string, error) {
	tb.Helper()
	return renderInput(template, testInput(body))
}

func renderInput(template string, in *vtl.Input) (string, error) {
	parsed, err := vtl.Parse(template)
	if err != nil {
		return "", err
	}
	out, err := parsed.Render(nil, in)
	return string(out), err
}

// namedCase is one case of a file; output is the error's text where it fails.
type namedCase struct {
	name, body, template, output string
	fails                        bool
}

// readCases reads a file of cases.
func readCases(tb testing.TB, file string) []namedCase {
	tb.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		tb.Fatal(err)
	}
	var cases []namedCase
	for line := range strings.Lines(string(data)) {
		line = strings.TrimRight(line, "\r\n")
		if name, ok := strings.CutPrefix(line, "== "); ok {
			cases = append(cases, namedCase{name: name, body: bodyB})
			continue
		}
		_, text, quoted := strings.Cut(line, "‹")
		text = strings.NewReplacer(`\r\n`, "\r\n", `\n`, "\n").Replace(strings.TrimSuffix(text, "›"))
		switch field, _, _ := strings.Cut(line, " "); {
		case !quoted:
		case field == "body":
			cases[len(cases)-1].body = text
		case field == "template":
			cases[len(cases)-1].template = text
		case field == "output", field == "error":
			cases[len(cases)-1].output, cases[len(cases)-1].fails = text, field == "error"
		}
	}
	return cases
}

// Spec mapping-templates §10.
func TestCases(t *testing.T) {
	if n := len(readCases(t, "testdata/cases.txt")); n != 98 {
		t.Errorf("got %d cases, want the spec's 98", n)
	}
	checkCases(t, "testdata/cases.txt")
}
