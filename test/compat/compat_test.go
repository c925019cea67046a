package compat_test

import (
	"bytes"
	"context"
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"cleat/test/compat/page"
	"cleat/test/compat/runner"
	"cleat/test/compat/scenario"
	"cleat/test/compat/stack"
)

var update = flag.Bool("update", false, "rewrite the expectations of scenarios by what came")

func TestMain(m *testing.M) {
	flag.Parse()
	// Scenarios wait more than they compute.
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

func load(t *testing.T) []*scenario.Scenario {
	t.Helper()
	scenarios, err := scenario.Load(os.DirFS("scenarios"), "scenarios")
	if err != nil {
		t.Fatal(err)
	}
	return scenarios
}

func parse(t *testing.T, text string) *scenario.Scenario {
	t.Helper()
	s, err := scenario.Parse("test/one", "one.txt", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func newTestBackends(t *testing.T) *runner.Backends {
	t.Helper()
	b, err := runner.NewBackends(t.Context(), "127.0.0.1:0", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// TestScenarios runs every scenario on Cleat.
func TestScenarios(t *testing.T) { //nolint:tparallel // the other tests would share its processor time
	scenarios := load(t)
	if len(scenarios) < 240 {
		t.Errorf("there are only %d scenarios", len(scenarios))
	}
	backends, target := newTestBackends(t), runner.NewCleat(t.TempDir())
	for _, s := range scenarios {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			res := runner.Run(t.Context(), target, backends, s, runner.Options{Update: *update})
			if *update && len(res.Edits) > 0 {
				rewrite(t, s.File, res.Edits)
			}
			for _, d := range res.Differences {
				t.Error(d)
			}
		})
	}
}

func rewrite(t *testing.T, file string, edits []runner.Edit) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(runner.Apply(string(text), edits)), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Logf("%s: rewrote %d places", file, len(edits))
}

// wrong is a scenario whose every kind of expectation is not what Cleat does; right is what it should say.
const wrong = `title: Wrong
spec: data-plane 2
status: same

-- api --
routes:
  $connect: gate
  $default: { function: ask, twoWay: true }
  in: <backend>/in
-- backend --
function ask
  return {"body":"hello"}
-- script --
two: connect /nostage
  < 200
  < x-amzn-ErrorType: None
  < body nobody
connect
event gate
  has requestContext.routeKey "x"
  has requestContext.stage "x"
send x
event ask
  {"body":"y"}
receive goodbye
send {"action":"in"}
request /in
  method PUT
  header Content-Type: text/plain
  body y
DELETE @connections/<connectionId>
  < 204
closed 1001 Nothing
`

const right = `title: Wrong
spec: data-plane 2
status: same

-- api --
routes:
  $connect: gate
  $default: { function: ask, twoWay: true }
  in: <backend>/in
-- backend --
function ask
  return {"body":"hello"}
-- script --
two: connect /nostage
  < 403
  < x-amzn-ErrorType: ForbiddenException
  < body {"message":"Forbidden"}
connect
event gate
  has requestContext.routeKey "$connect"
  has requestContext.stage "dev"
send x
event ask
  {"requestContext":{"routeKey":"$default","messageId":"<messageId>","eventType":"MESSAGE",
  "extendedRequestId":"<requestId>","requestTime":"<time>","messageDirection":"IN","stage":"<stage>",
  "connectedAt":<epoch>,"requestTimeEpoch":<epoch>,"identity":{"sourceIp":"<sourceIp>"},
  "requestId":"<requestId>","domainName":"<host>","connectionId":"<connectionId>","apiId":"<apiId>"},"body":"x",
  "isBase64Encoded":false}
receive hello
send {"action":"in"}
request /in
  method POST
  header Content-Type: application/json; charset=UTF-8
  body {"action":"in"}
DELETE @connections/<connectionId>
  < 204
closed 1000 Connection Closed Normally
`

// An update turns wrong expectations into right ones, with placeholders where runs differ, and those hold.
func TestUpdate(t *testing.T) {
	backends, target := newTestBackends(t), runner.NewCleat(t.TempDir())
	res := runner.Run(t.Context(), target, backends, parse(t, wrong), runner.Options{Update: true})
	got := runner.Apply(wrong, res.Edits)
	if got != right {
		t.Fatalf("got\n%s\nwith differences %v", got, res.Differences)
	}
	if res = runner.Run(t.Context(), target, backends, parse(t, got), runner.Options{}); !res.OK() {
		t.Errorf("what an update wrote does not hold: %v", res.Differences)
	}
	// Without it, the first difference ends the run and names its place.
	res = runner.Run(t.Context(), target, backends, parse(t, wrong), runner.Options{})
	if len(res.Differences) != 3 || res.Differences[0].Line != 15 || res.Differences[2].Line != 17 {
		t.Errorf("got %v", res.Differences)
	}
}

// lax is a target that lets Cleat serve an API other than the scenario's: its $connect and $default go elsewhere.
type lax struct{ *runner.Cleat }

func (lax) Name() string { return "lax" }

func (l lax) Deploy(ctx context.Context, s *scenario.Scenario, backends string) (*runner.Deployment, error) {
	other := *s
	other.APIs = map[string]scenario.Text{scenario.APIMain: {Line: 1, Text: "routes:\n  $default: { mock: { response: 'Forbidden!' } }\n"}}
	return l.Cleat.Deploy(ctx, &other, backends)
}

// The table shows targets side by side: one that does as the scenario says, one that does not, one that refuses
// everybody, and one that is not there.
func TestTable(t *testing.T) {
	refuses := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusTeapot) }))
	defer refuses.Close()
	list, err := runner.ReadRemote("aws", strings.NewReader("# scenario, endpoint\nhandshake/other wss://x.example/dev\n"))
	if err != nil {
		t.Fatal(err)
	}
	cleat := runner.NewCleat(t.TempDir())
	targets := []runner.Target{cleat, lax{cleat}, runner.NewRemote("teapot", "ws"+strings.TrimPrefix(refuses.URL, "http")+"/{name}", ""), list}
	var scenarios []*scenario.Scenario
	for _, s := range load(t) {
		if slices.Contains([]string{"routing/no-route", "disconnect/idle", "addresses/path-form"}, s.Name) {
			scenarios = append(scenarios, s)
		}
	}
	results := runner.RunAll(t.Context(), targets, newTestBackends(t), scenarios, 2, runner.Options{Patience: time.Second})
	var out bytes.Buffer
	if err := runner.WriteTable(&out, targets, results); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`(?m)^SCENARIO +SAYS +CLEAT +LAX +TEAPOT +AWS$`,
		`(?m)^addresses/path-form +not as AWS +ok +ok +skipped: it shows what only Cleat has +skipped: .*$`,
		`(?m)^disconnect/idle +as AWS +ok +differs \(line 11\) +skipped: its limits cannot be set +skipped: .*$`,
		`(?m)^routing/no-route +as AWS +ok +differs \(line 11\) +differs \(line 10\) +skipped: it is not deployed there$`,
		`(?m)^3 scenarios +3 of 3 ok +1 of 3 ok +0 of 1 ok +0 of 0 ok$`,
		`(?m)^lax: scenarios/routing/no-route.txt:11: function gate was not called$`,
		`(?m)^teapot: scenarios/routing/no-route.txt:10: got status 418 no\\n, want 101$`,
	} {
		if !regexp.MustCompile(want).MatchString(out.String()) {
			t.Errorf("nothing matches %s in\n%s", want, out.String())
		}
	}
}

// TestPage fails when docs/compatibility.md is not what its sources make: run `make generate`.
func TestPage(t *testing.T) {
	root := filepath.Join("..", "..")
	source, err := os.ReadFile(filepath.Join(root, page.Source))
	if err != nil {
		t.Fatal(err)
	}
	want, err := page.Generate(source, load(t))
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(root, page.Result))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is stale: run `make generate`", page.Result)
	}
}

// Every scenario that another target could run has a template, and its functions forward to the runner.
func TestStacks(t *testing.T) {
	made := 0
	for _, s := range load(t) {
		text, err := stack.Template(s)
		portable := !slices.ContainsFunc(s.Needs, func(n scenario.Need) bool { return n != scenario.NeedHost })
		switch {
		case err == nil && portable:
			made++
		case portable && s.Name != "lambda/stage-variable-in-arn":
			t.Errorf("%s has no template: %v", s.Name, err)
		case err == nil:
			t.Errorf("%s has a template, though it needs %v", s.Name, s.Needs)
		}
		if bytes.Contains(text, []byte("backend.compat.invalid")) {
			t.Errorf("%s: the template names what only stands for the backends:\n%s", s.Name, text)
		}
		if s.Name == "events/message" {
			for _, want := range []string{
				`"BACKEND": {`, `"Fn::Sub": "${BackendURL}/events/message/2015-03-31/functions/say/invocations"`,
				`"Fn::Sub": "arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:function:compat-events-message-say"`,
			} {
				if !bytes.Contains(text, []byte(want)) {
					t.Errorf("%s is not in\n%s", want, text)
				}
			}
		}
	}
	if made < 150 {
		t.Errorf("only %d scenarios have templates", made)
	}
}

// The README's example is a scenario that runs.
func TestReadme(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "```text\n")
	example, _, ok := strings.Cut(rest, "```\n")
	if !ok {
		t.Fatal("README.md has no example")
	}
	res := runner.Run(t.Context(), runner.NewCleat(t.TempDir()), newTestBackends(t), parse(t, example), runner.Options{})
	for _, d := range res.Differences {
		t.Error(d)
	}
}
