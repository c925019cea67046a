//go:build e2e

package e2e_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// recorderForm is a form in which the recorder is written, or built.
type recorderForm struct {
	name string
	// make turns a copy of testdata/recorder into the form, and returns what every command is given to read it: its functions write to
	// events.jsonl in dir.
	make func(t *testing.T, dir string) options
}

// recorderForms are all of them; the first is how it stands in testdata.
func recorderForms() []recorderForm {
	ownEvents := func(dir string) string { return filepath.Join(dir, "events.jsonl") }
	return []recorderForm{
		{"serverless.yml", func(_ *testing.T, dir string) options {
			return options{env: []string{"E2E_EVENTS=" + ownEvents(dir)}}
		}},
		{".serverless", func(t *testing.T, dir string) options {
			t.Helper()
			modules, err := filepath.Abs("node_modules")
			if err != nil {
				t.Fatal(err)
			}
			runIn(t, dir, filepath.Join(modules, ".bin", "osls"), "package")
			for _, name := range []string{"serverless.yml", "index.js"} { // the package is all that is left
				if err := os.Remove(filepath.Join(dir, name)); err != nil {
					t.Fatal(err)
				}
			}
			return options{}
		}},
		{"SAM", func(t *testing.T, dir string) options {
			t.Helper()
			replaceProject(t, dir, "testdata/sam/template.yaml")
			return options{args: []string{"--param", "Events=" + ownEvents(dir)}}
		}},
		{"CDK", func(t *testing.T, dir string) options {
			t.Helper()
			replaceProject(t, dir, "testdata/cdk/app.js")
			linked, err := filepath.Abs(cdkModules)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(linked, filepath.Join(dir, "node_modules")); err != nil {
				t.Fatal(err)
			}
			synthesize(t, dir, "node app.js")
			return options{args: []string{"--param", "Events=" + ownEvents(dir)}}
		}},
	}
}

// TestForms runs one app from serverless.yml, the package that osls makes of it, a SAM template, what CDK makes, and calls of the AWS CLI,
// by `cleat dev` and on a node: a client's whole life gives the same events (spec control-plane §15-§18).
func TestForms(t *testing.T) { //nolint:tparallel // the forms take turns: one at a time has the names of the functions
	t.Parallel()
	node := startServe(t)
	var want string
	same := func(t *testing.T, url, events string) {
		t.Helper()
		got := recordLife(t, url, events)
		if want == "" {
			want = got
		}
		if got != want {
			t.Errorf("the events are\n%s\nwant\n%s", got, want)
		}
	}
	for _, form := range recorderForms() {
		dir := copyProject(t, "testdata/recorder", "")
		o := form.make(t, dir)
		events := filepath.Join(dir, "events.jsonl")
		t.Run(form.name+" by dev", func(t *testing.T) {
			same(t, startDevIn(t, dir, o).ws(), events)
		})
		t.Run(form.name+" on a node", func(t *testing.T) {
			if err := os.Remove(events); err != nil {
				t.Fatal(err)
			}
			const name = "recorder" // forms of one app share the names of its functions: one stack at a time has them
			same(t, node.in(t).apply(dir, o, "--name", name), events)
			mustCommand(t, node.key, "", built.cleat, "stacks", "rm", "--yes", "--endpoint", node.endpoint(), name)
		})
	}
	t.Run("calls on a node", func(t *testing.T) {
		events := filepath.Join(t.TempDir(), "events.jsonl")
		same(t, node.in(t).makeRecorder(awsCLIs(t)[0], events), events)
	})
}

// recordLife has a client come, say something and go, and returns the events that the functions recorded of it.
func recordLife(t *testing.T, url, events string) string {
	t.Helper()
	c := dialSoon(t, url)
	id := c.ask(`{"action":"whoami"}`)
	if got, want := c.ask("plain text"), "plain text"; got != want {
		t.Errorf("received %q, want %q", got, want)
	}
	c.conn.Close(1000, "bye")
	var life string
	err := poll(func() error {
		if life = lifeOf(t, events, id); !strings.Contains(life, "DISCONNECT") {
			return errors.New("no DISCONNECT is recorded")
		}
		return nil
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return life
}

// apply sends a project to the node, and returns where its one stage is for clients.
func (s *serve) apply(dir string, o options, args ...string) string {
	s.t.Helper()
	args = append(append([]string{"apply", "--yes", "--output", "json", "--endpoint", s.endpoint()}, args...), o.args...)
	applied := reply[struct {
		Stages []struct {
			APIID string
			Stage string
		}
	}](s.t, mustCommand(s.t, append(slices.Clone(s.key), o.env...), "", built.cleat, append(args, dir)...))
	if len(applied.Stages) != 1 {
		s.t.Fatalf("apply made the stages %+v, want one", applied.Stages)
	}
	return s.ws(applied.Stages[0].APIID, applied.Stages[0].Stage)
}

// makeRecorder makes the recorder by calls of the AWS CLI, and returns where its stage is for clients.
func (s *serve) makeRecorder(program, events string) string {
	t := s.t
	t.Helper()
	code := zipFile(t, "testdata/recorder/index.js", "")
	api := s.aws(program, "apigatewayv2 create-api --name recorder --protocol-type WEBSOCKET --route-selection-expression $request.body.action --query ApiId")
	integrations := map[string]string{}
	for _, name := range []string{"lifecycle", "whoami", "echo"} {
		function := s.aws(program, "lambda create-function --runtime nodejs20.x --timeout 60 --role arn:aws:iam::123456789012:role/any --query FunctionArn",
			"--function-name", "called-"+name, "--handler", "index."+name, "--zip-file", "fileb://"+code,
			"--environment", "Variables={E2E_EVENTS="+events+",E2E_HOLD_DISCONNECT=no}")
		integrations[name] = s.aws(program, "apigatewayv2 create-integration --integration-type AWS_PROXY --integration-method POST --query IntegrationId --api-id", api,
			"--integration-uri", "arn:aws:apigateway:"+region+":lambda:path/2015-03-31/functions/"+function+"/invocations")
	}
	for key, name := range map[string]string{"$connect": "lifecycle", "$disconnect": "lifecycle"} {
		s.aws(program, "apigatewayv2 create-route --api-id", api, "--route-key", key, "--target", "integrations/"+integrations[name])
	}
	for key, name := range map[string]string{"whoami": "whoami", "$default": "echo"} {
		route := s.aws(program, "apigatewayv2 create-route --query RouteId --route-response-selection-expression $default --api-id", api,
			"--route-key", key, "--target", "integrations/"+integrations[name])
		s.aws(program, "apigatewayv2 create-route-response --route-response-key $default --api-id", api, "--route-id", route)
	}
	s.aws(program, "apigatewayv2 create-stage --stage-name dev --auto-deploy --api-id", api)
	return s.ws(api, "dev")
}

// lifeOf are the events of a connection as they were recorded, without what is new each time.
func lifeOf(t *testing.T, events, id string) string {
	t.Helper()
	text, err := os.ReadFile(events)
	if err != nil {
		t.Fatal(err)
	}
	var life strings.Builder
	for line := range bytes.Lines(text) {
		var e struct {
			Headers map[string]string
			Multi   map[string]any `json:"multiValueHeaders"`
			Context map[string]any `json:"requestContext"`
			Rest    map[string]any `json:"-"`
		}
		if err := json.Unmarshal(line, &e.Rest); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatal(err)
		}
		if e.Context["connectionId"] != id {
			continue
		}
		for _, name := range []string{"connectionId", "requestId", "extendedRequestId", "messageId", "apiId", "domainName", "requestTime", "requestTimeEpoch", "connectedAt"} {
			if _, ok := e.Context[name]; ok {
				e.Context[name] = "…"
			}
		}
		for _, name := range []string{"Host", "Sec-Websocket-Key", "X-Amzn-Trace-Id", "X-Forwarded-Port"} {
			if _, ok := e.Headers[name]; ok {
				e.Headers[name], e.Multi[name] = "…", "…"
			}
		}
		e.Rest["headers"], e.Rest["multiValueHeaders"], e.Rest["requestContext"] = e.Headers, e.Multi, e.Context
		shown, err := json.MarshalIndent(e.Rest, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		life.Write(append(shown, '\n'))
	}
	return life.String()
}
