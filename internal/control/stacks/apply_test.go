package stacks_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"cleat/internal/apigw"
	"cleat/internal/cfn"
	"cleat/internal/control"
	"cleat/internal/control/stacks"
	"cleat/internal/store"
	"cleat/internal/store/memory"
	"cleat/internal/store/storetest"
)

// chat is a template as Serverless makes it, cut to what matters.
const chat = `
Parameters:
  Level: {Type: String, Default: info}
Resources:
  Api:
    Type: AWS::ApiGatewayV2::Api
    Properties: {Name: chat, ProtocolType: WEBSOCKET, RouteSelectionExpression: $request.body.action, Description: A chat}
  HelloLambdaFunction:
    Type: AWS::Lambda::Function
    Metadata: {cleat: {Place: "serverless.yml:12", Bundle: true}}
    Properties:
      Code: {LocalPath: /srv/chat}
      Handler: src/app.handler
      Runtime: nodejs20.x
      Timeout: "6"
      MemorySize: 1024
      Role: !GetAtt Role.Arn
      Environment:
        Variables: {TABLE: !Ref Table, LEVEL: !Ref Level, PORT: 8000, MANAGEMENT: !Sub "https://${Api}.execute-api.${AWS::Region}.${AWS::URLSuffix}/dev"}
  Role: {Type: "AWS::IAM::Role", Properties: {Anything: !GetAtt Nothing.Here}}
  Permission: {Type: "AWS::Lambda::Permission", Properties: {FunctionName: !Ref HelloLambdaFunction}}
  Logs: {Type: "AWS::Logs::LogGroup"}
  MoreLogs: {Type: "AWS::Logs::LogGroup"}
  Table:
    Type: AWS::DynamoDB::Table
    Properties:
      KeySchema: [{AttributeName: id, KeyType: HASH}]
      AttributeDefinitions: [{AttributeName: id, AttributeType: S}]
      BillingMode: PAY_PER_REQUEST
  Integration:
    Type: AWS::ApiGatewayV2::Integration
    Properties:
      ApiId: !Ref Api
      IntegrationType: AWS_PROXY
      IntegrationUri: !Sub "arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${HelloLambdaFunction.Arn}/invocations"
  Ping: {Type: "AWS::ApiGatewayV2::Integration", Properties: {ApiId: !Ref Api, IntegrationType: MOCK, RequestTemplates: {"200": '{"statusCode": 200}'}, TemplateSelectionExpression: "200"}}
  DefaultRoute: {Type: "AWS::ApiGatewayV2::Route", Properties: {ApiId: !Ref Api, RouteKey: $default, Target: !Sub "integrations/${Integration}"}}
  ConnectRoute: {Type: "AWS::ApiGatewayV2::Route", Properties: {ApiId: !Ref Api, RouteKey: $connect, AuthorizationType: NONE, Target: !Join [/, [integrations, !Ref Integration]]}}
  PingRoute: {Type: "AWS::ApiGatewayV2::Route", Properties: {ApiId: !Ref Api, RouteKey: ping, RouteResponseSelectionExpression: $default, Target: !Sub "integrations/${Ping}"}}
  PingRouteResponse: {Type: "AWS::ApiGatewayV2::RouteResponse", Properties: {ApiId: !Ref Api, RouteId: !Ref PingRoute, RouteResponseKey: $default}}
  PingResponse: {Type: "AWS::ApiGatewayV2::IntegrationResponse", Properties: {ApiId: !Ref Api, IntegrationId: !Ref Ping, IntegrationResponseKey: $default, ResponseTemplates: {"200": pong}}}
  Deployment: {Type: "AWS::ApiGatewayV2::Deployment", DependsOn: [DefaultRoute, ConnectRoute, PingRoute], Properties: {ApiId: !Ref Api}}
  Stage:
    Type: AWS::ApiGatewayV2::Stage
    Properties: {ApiId: !Ref Api, StageName: dev, DeploymentId: !Ref Deployment, StageVariables: {colour: red}}
`

func template(tb testing.TB, text string) *cfn.Value {
	tb.Helper()
	v, err := cfn.Parse("t.yaml", []byte(text))
	if err != nil {
		tb.Fatal(err)
	}
	return v
}

func stack(tb testing.TB, text string) stacks.Stack {
	tb.Helper()
	return stacks.Stack{Name: "chat-dev", Template: template(tb, text), Region: "eu-west-1"}
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a store with its stacks, and with the operations by which others change what is in them.
type world struct {
	tb      testing.TB
	driver  *memory.Driver
	store   *store.Store
	stacks  *stacks.Stacks
	control *control.Control
}

func newWorld(tb testing.TB) *world {
	tb.Helper()
	d := memory.New()
	s := store.New(d)
	return &world{tb, d, s, stacks.New(s, stacks.Options{}), control.New(s, control.Options{})}
}

func (w *world) apply(text string) stacks.Outcome {
	w.tb.Helper()
	out, err := w.stacks.Apply(w.tb.Context(), stack(w.tb, text))
	if err != nil {
		w.tb.Fatalf("apply: %v", err)
	}
	return out
}

func (w *world) refused(text string) cfn.Faults {
	w.tb.Helper()
	before := w.revision()
	_, err := w.stacks.Apply(w.tb.Context(), stack(w.tb, text))
	faults, ok := errors.AsType[cfn.Faults](err)
	if !ok {
		w.tb.Fatalf("apply: %v, want cfn.Faults", err)
	}
	if after := w.revision(); after != before {
		w.tb.Errorf("a refused template changed the store: %d became %d", before, after)
	}
	return faults
}

func (w *world) revision() store.Revision {
	w.tb.Helper()
	_, r, err := w.driver.List(w.tb.Context(), "")
	if err != nil {
		w.tb.Fatal(err)
	}
	return r
}

// published is the one stage that is served.
func (w *world) published() *storetest.Published {
	w.tb.Helper()
	p := storetest.OnlyPublished(w.tb, w.store)
	return &p
}

// edit replaces a part of a template that must be there.
func edit(tb testing.TB, text, old, replacement string) string {
	tb.Helper()
	if !strings.Contains(text, old) {
		tb.Fatalf("the template has no %q", old)
	}
	return strings.Replace(text, old, replacement, 1)
}

// without drops the lines of the resources named.
func without(text string, ids ...string) string {
	var out []string
	skipping := false
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "  ") && line[2] != ' ' {
			id, _, _ := strings.Cut(line[2:], ":")
			skipping = slices.Contains(ids, id)
		}
		if !skipping {
			out = append(out, line)
		}
	}
	return strings.Join(out, "")
}

func TestApply(t *testing.T) {
	w := newWorld(t)
	out := w.apply(chat)
	p := w.published()

	if p.API.Name != "chat" || p.API.APIKeySelectionExpression != "$request.header.x-api-key" || p.API.IPAddressType != "ipv4" ||
		p.API.APIEndpoint != "wss://"+string(p.API.APIID)+".execute-api.eu-west-1.amazonaws.com" || p.API.CreatedDate.IsZero() {
		t.Errorf("the API is %+v", p.API)
	}
	if len(p.API.APIID) != 10 || strings.Trim(string(p.API.APIID), "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
		t.Errorf("API ID %q, want ten small letters and digits", p.API.APIID)
	}
	if p.Stage.StageName != "dev" || p.Stage.StageVariables["colour"] != "red" || p.Stage.DeploymentID != p.Deployment.DeploymentID {
		t.Errorf("the stage is %+v", p.Stage)
	}
	def := p.Definition
	if got := p.RouteKeys(); got != "$connect $default ping" || def.RouteSelectionExpression != "$request.body.action" {
		t.Errorf("routes %s by %s", got, def.RouteSelectionExpression)
	}
	if len(def.Integrations) != 2 || len(def.RouteResponses) != 1 || len(def.IntegrationResponses) != 1 {
		t.Fatalf("the definition is %+v", def)
	}
	for _, in := range def.Integrations {
		if in.TimeoutInMillis != 29000 || in.ConnectionType != "INTERNET" || in.PassthroughBehavior != "WHEN_NO_MATCH" || in.PayloadFormatVersion != "1.0" {
			t.Errorf("defaults of an integration: %+v", in)
		}
		if in.IntegrationType == apigw.IntegrationAWSProxy && in.IntegrationURI != "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-west-1:123456789012:function:chat-dev-HelloLambdaFunction/invocations" {
			t.Errorf("URI %s", in.IntegrationURI)
		}
	}

	want := apigw.Function{
		Name: "chat-dev-HelloLambdaFunction", ARN: "arn:aws:lambda:eu-west-1:123456789012:function:chat-dev-HelloLambdaFunction", Runtime: "nodejs20.x", Handler: "src/app.handler",
		CodeDir: "/srv/chat", Timeout: 6 * time.Second, MemorySize: 1024, Place: "serverless.yml:12", Bundle: true,
		Environment: map[string]string{
			"TABLE": "chat-dev-Table", "LEVEL": "info", "PORT": "8000",
			"MANAGEMENT": "https://" + string(p.API.APIID) + ".execute-api.eu-west-1.amazonaws.com/dev",
		},
	}
	functions, err := w.store.Functions(t.Context())
	if err != nil || len(functions) != 1 {
		t.Fatalf("functions %+v, %v", functions, err)
	}
	if at := functions[0].LastModified; time.Since(at) > time.Minute {
		t.Errorf("last modified %s", at)
	}
	functions[0].LastModified = time.Time{}
	for _, f := range []apigw.Function{functions[0], out.Functions[0]} {
		if got, _ := json.Marshal(f); string(got) != string(must(json.Marshal(want))) {
			t.Errorf("function\n%s\nwant\n%s", got, must(json.Marshal(want)))
		}
	}
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}

func TestOutcome(t *testing.T) {
	out := newWorld(t).apply(chat)
	if len(out.APIs) != 1 || out.APIs[0].Name != "chat" || !slices.Equal(out.APIs[0].Stages, []string{"dev"}) {
		t.Fatalf("APIs %+v", out.APIs)
	}
	want := []stacks.RouteSummary{
		{RouteKey: "$connect", Type: "AWS_PROXY", Target: "chat-dev-HelloLambdaFunction"},
		{RouteKey: "ping", Type: "MOCK", Target: "mock", TwoWay: true},
		{RouteKey: "$default", Type: "AWS_PROXY", Target: "chat-dev-HelloLambdaFunction"},
	}
	if !slices.Equal(out.APIs[0].Routes, want) {
		t.Errorf("routes %+v, want %+v", out.APIs[0].Routes, want)
	}
	if want := []string{"AWS::IAM::Role", "AWS::Logs::LogGroup (2)"}; !slices.Equal(out.LeftAlone, want) {
		t.Errorf("left alone: %q, want %q", out.LeftAlone, want)
	}
	if len(out.Warnings) != 0 {
		t.Errorf("warnings %v", out.Warnings)
	}
}

// TestIDsSurviveARestart: another process gives the same identifiers, another stack others.
func TestIDsSurviveARestart(t *testing.T) {
	a, b, c := newWorld(t), newWorld(t), newWorld(t)
	a.apply(chat)
	b.apply(chat)
	s := stack(t, chat)
	s.Name = "other"
	if _, err := c.stacks.Apply(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	pa, pb, pc := a.published(), b.published(), c.published()
	if pa.API.APIID != pb.API.APIID || pa.Deployment.DeploymentID != pb.Deployment.DeploymentID || pa.Definition.Routes[0].RouteID != pb.Definition.Routes[0].RouteID {
		t.Error("the same stack has other identifiers in another process")
	}
	if pa.API.APIID == pc.API.APIID {
		t.Error("another stack has the same API ID")
	}
}

func TestApplyAgainChangesNothing(t *testing.T) {
	for name, text := range map[string]string{
		"deployment":  chat,
		"auto deploy": edit(t, chat, "DeploymentId: !Ref Deployment", "AutoDeploy: true"),
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.apply(text)
			before := w.revision()
			w.apply(text)
			if after := w.revision(); after != before {
				t.Errorf("revision %d became %d", before, after)
			}
		})
	}
}

func TestChangedDefinitionIsPublished(t *testing.T) {
	for name, text := range map[string]string{
		"deployment":  chat,
		"auto deploy": edit(t, chat, "DeploymentId: !Ref Deployment", "AutoDeploy: true"),
		"by stage name": edit(t, edit(t, chat, "DeploymentId: !Ref Deployment, ", ""),
			"PingRoute], Properties: {ApiId: !Ref Api}", "PingRoute], Properties: {ApiId: !Ref Api, StageName: dev}"),
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.apply(text)
			before := w.published()
			w.apply(edit(t, text, "RouteKey: ping", "RouteKey: pong"))
			after := w.published()
			if got := after.RouteKeys(); got != "$connect $default pong" {
				t.Errorf("routes %s", got)
			}
			if after.Deployment.DeploymentID == before.Deployment.DeploymentID || after.Revision <= before.Revision {
				t.Error("the change was not deployed")
			}
			if after.API.APIID != before.API.APIID || !after.API.CreatedDate.Equal(before.API.CreatedDate) || !after.Stage.CreatedDate.Equal(before.Stage.CreatedDate) {
				t.Error("API and stage were not changed in place")
			}
			tree, err := w.store.Tree(t.Context(), after.API.APIID)
			want := 1
			if name == "auto deploy" {
				want = 2 // the template's own, which no stage uses
			}
			if err != nil || len(tree.Deployments) != want {
				t.Errorf("%d deployments are kept, %v, want %d", len(tree.Deployments), err, want)
			}
		})
	}
}

// TestFunctionChangeLeavesTheAPI: open connections keep their snapshot when only a function's settings change.
func TestFunctionChangeLeavesTheAPI(t *testing.T) {
	w := newWorld(t)
	w.apply(chat)
	before := w.published()
	w.apply(edit(t, chat, "MemorySize: 1024", "MemorySize: 2048"))
	if after := w.published(); after.Revision != before.Revision {
		t.Errorf("the API's revision went from %d to %d", before.Revision, after.Revision)
	}
	if f, err := w.store.Functions(t.Context()); err != nil || f[0].MemorySize != 2048 {
		t.Errorf("functions %+v, %v", f, err)
	}
}

func TestWhatLeavesTheTemplateGoes(t *testing.T) {
	w := newWorld(t)
	w.apply(chat)
	w.apply(without(edit(t, chat, "ConnectRoute, PingRoute]", "ConnectRoute]"), "Ping", "PingRoute", "PingRouteResponse", "PingResponse"))
	p := w.published()
	if got := p.RouteKeys(); got != "$connect $default" || len(p.Definition.Integrations) != 1 {
		t.Errorf("routes %s, integrations %+v", got, p.Definition.Integrations)
	}

	w.apply("Resources: {}")
	entries, _, err := w.driver.List(t.Context(), "")
	if err != nil || len(entries) != 1 || entries[0].Key != "stacks/chat-dev" {
		t.Errorf("an empty template leaves %+v, %v", entries, err)
	}
}

func TestStacksKeepApart(t *testing.T) {
	w := newWorld(t)
	w.apply(chat)
	api := w.published().API.APIID
	other := stacks.Stack{Name: "other", Region: "eu-west-1", Template: template(t, fmt.Sprintf(`
Resources:
  I: {Type: "AWS::ApiGatewayV2::Integration", Properties: {ApiId: %s, IntegrationType: HTTP_PROXY, IntegrationMethod: POST, IntegrationUri: "http://127.0.0.1:8080/ws"}}
  R: {Type: "AWS::ApiGatewayV2::Route", Properties: {ApiId: %[1]s, RouteKey: more, Target: !Sub "integrations/${I}"}}
  D: {Type: "AWS::ApiGatewayV2::Deployment", Properties: {ApiId: %[1]s, StageName: dev}}
`, api))}
	if _, err := w.stacks.Apply(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	if got := w.published().RouteKeys(); got != "$connect $default more ping" {
		t.Errorf("with a route of another stack: %s", got)
	}
	w.apply(chat) // the other's route stays
	if got := w.published().RouteKeys(); got != "$connect $default more ping" {
		t.Errorf("applied again: %s", got)
	}
	other.Template = template(t, "Resources: {}")
	if _, err := w.stacks.Apply(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	w.apply(chat)
	if got := w.published().RouteKeys(); got != "$connect $default ping" {
		t.Errorf("without the other stack: %s", got)
	}

	other.Template = template(t, "Resources:\n  F: {Type: 'AWS::Lambda::Function', Properties: {FunctionName: chat-dev-HelloLambdaFunction, Runtime: r, Handler: h, Code: {LocalPath: /x}}}\n")
	if _, err := w.stacks.Apply(t.Context(), other); err == nil || !strings.Contains(err.Error(), "t.yaml:2: function chat-dev-HelloLambdaFunction exists already") {
		t.Errorf("a function of another stack was taken: %v", err)
	}
}

// TestHandMadeRouteKeepsItsIntegration: what operations added to a stack's API is neither lost nor broken by the stack.
func TestHandMadeRouteKeepsItsIntegration(t *testing.T) {
	w := newWorld(t)
	w.apply(chat)
	api, ping := w.published().API.APIID, ""
	for _, r := range w.published().Definition.Routes {
		if r.RouteKey == "ping" {
			ping = r.Target
		}
	}
	if _, err := w.control.CreateRoute(t.Context(), api, apigw.Route{RouteKey: "by-hand", Target: ping}); err != nil {
		t.Fatal(err)
	}
	w.apply(chat)
	if got := w.published().RouteKeys(); got != "$connect $default by-hand ping" {
		t.Errorf("routes %s", got)
	}
	faults := w.refused(without(edit(t, chat, "ConnectRoute, PingRoute]", "ConnectRoute]"), "Ping", "PingRoute", "PingRouteResponse", "PingResponse"))
	if !strings.Contains(faults[0].Message, "Cannot delete Integration because it is referenced by the following Routes with Ids") {
		t.Errorf("got %v", faults)
	}
}

func TestStackNames(t *testing.T) {
	for name, want := range map[string]string{"my app!": "my-app", "9lives": "stack-9lives", "": "stack", "a_b.c": "a-b-c"} {
		w := newWorld(t)
		if _, err := w.stacks.Apply(t.Context(), stacks.Stack{Name: name, Template: template(t, "Resources: {}")}); err != nil {
			t.Fatal(err)
		}
		if _, _, err := store.Get(t.Context(), w.store, store.Stacks().Key(want)); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// TestTheWayDoesNotMatter: whatever templates a stack had before, it ends as the last one says.
func TestTheWayDoesNotMatter(t *testing.T) {
	parts := []string{"Ping,PingRoute,PingRouteResponse,PingResponse", "ConnectRoute", "PingResponse", "Table", "PingRouteResponse"}
	variant := func(t *rapid.T) string {
		text := strings.NewReplacer("DependsOn: [DefaultRoute, ConnectRoute, PingRoute], ", "", "TABLE: !Ref Table, ", "").Replace(chat)
		for _, part := range parts {
			if rapid.Bool().Draw(t, "without "+part) {
				text = without(text, strings.Split(part, ",")...)
			}
		}
		if rapid.Bool().Draw(t, "auto deploy") {
			text = strings.Replace(text, "DeploymentId: !Ref Deployment", "AutoDeploy: true", 1)
		}
		return strings.Replace(text, "Name: chat", "Name: "+rapid.SampledFrom([]string{"chat", "talk"}).Draw(t, "name"), 1)
	}
	rapid.Check(t, func(rt *rapid.T) {
		w, fresh := newWorld(t), newWorld(t)
		var last string
		for range rapid.IntRange(1, 4).Draw(rt, "templates") {
			last = variant(rt)
			w.apply(last)
		}
		fresh.apply(last)
		if got, want := contents(t, w), contents(t, fresh); got != want {
			rt.Fatalf("got\n%s\nwant\n%s", got, want)
		}
	})
}

// contents is all that a store holds, dates aside.
func contents(tb testing.TB, w *world) string {
	tb.Helper()
	entries, _, err := w.driver.List(tb.Context(), "")
	if err != nil {
		tb.Fatal(err)
	}
	var b strings.Builder
	for _, e := range entries {
		var v map[string]any
		if err := json.Unmarshal(e.Value, &v); err != nil {
			tb.Fatal(err)
		}
		delete(v, "createdDate")
		delete(v, "lastUpdatedDate")
		delete(v, "lastModified")
		fmt.Fprintf(&b, "%s %s\n", e.Key, must(json.Marshal(v)))
	}
	return b.String()
}
