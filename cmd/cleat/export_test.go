package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cleat/internal/cfn"
	"cleat/internal/control/stacks"
	"cleat/internal/export"
	"cleat/internal/project"
	"cleat/internal/store"
	"cleat/internal/store/memory"
)

// apiOf is the API of a template.
func apiOf(t *testing.T, template *cfn.Value, region string) *export.API {
	t.Helper()
	s := store.New(memory.New())
	out, err := stacks.New(s, stacks.Options{}).Apply(t.Context(), stacks.Stack{Name: "x", Template: template, Region: region})
	if err != nil {
		t.Fatal(err)
	}
	tree, err := s.Tree(t.Context(), out.APIs[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	return export.Of(tree, nil)
}

// Whatever cleat.yaml can say comes out as a cleat.yaml that says the same.
func TestExportShortForm(t *testing.T) {
	dir := t.TempDir()
	file := `name: shop
region: eu-west-1
stage: live
description: All of it
routeSelectionExpression: $request.body.op
routes:
  $connect: { http: "https://shop.example/connect", timeout: 5s, authorizer: gate, route: { RequestParameters: { route.request.querystring.room: { Required: true } } } }
  $disconnect: https://shop.example/${stageVariables.version}/disconnect
  $default: arn:aws:lambda:eu-west-1:123456789012:function:chat
  order: { http: "https://shop.example/orders/{id}", method: PUT, twoWay: true, headers: { X-Kind: socket }, path: { id: route.request.body.id }, models: { $default: Order }, modelSelection: $request.body.kind, throttle: { rate: 0.5 } }
  ping: { mock: { response: { pong: true } } }
  soap: { http: "https://shop.example/soap", template: '<order>$input.path("$.id")</order>', twoWay: true, responses: { $default: '{"ok": true}', '/5\d\d/': { template: '{"ok": false}', parameters: { route.response.header.x: "'y'" } } } }
authorizers:
  gate: { function: arn:aws:lambda:eu-west-1:123456789012:function:gate, identitySource: [route.request.querystring.token] }
models: { Order: { type: object, required: [id] } }
stageVariables: { version: v2 }
throttle: { rate: 100, burst: 200 }
`
	if err := os.WriteFile(filepath.Join(dir, "cleat.yaml"), []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := project.Load(dir, project.Options{})
	if err != nil {
		t.Fatal(err)
	}
	x := &exporting{exportFlags: &exportFlags{Format: "cleat"}, p: &process{ctx: t.Context()}}
	api := apiOf(t, p.Template, p.Region)
	text, _, err := x.write(api, p.Region, false)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"name: shop\ndescription: All of it\nregion: eu-west-1\nrouteSelectionExpression: $request.body.op\nstage: live\n",
		"  $disconnect: https://shop.example/${stageVariables.version}/disconnect\n", "  $default: arn:aws:lambda:eu-west-1:123456789012:function:chat\n",
		"    timeout: '5000ms'\n", "      IntegrationType: MOCK\n", "throttle:\n  rate: 100\n  burst: 200\n",
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}

	// Read back and written again it is the same text.
	if err := os.WriteFile(filepath.Join(dir, "cleat.yaml"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	if p, err = project.Load(dir, project.Options{}); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	again, _, err := x.write(apiOf(t, p.Template, p.Region), p.Region, false)
	if err != nil || string(again) != string(text) {
		t.Errorf("%v: first\n%s\nsecond\n%s", err, text, again)
	}
}

// What does not fit is named, and nothing is written.
func TestExportMisfits(t *testing.T) {
	const head = `
Resources:
  Api: {Type: "AWS::ApiGatewayV2::Api", Properties: {Name: x, ProtocolType: WEBSOCKET, RouteSelectionExpression: $request.body.action%s}}
  Mock: {Type: "AWS::ApiGatewayV2::Integration", Properties: {ApiId: !Ref Api, IntegrationType: MOCK}}
  Default: {Type: "AWS::ApiGatewayV2::Route", Properties: {ApiId: !Ref Api, RouteKey: $default, Target: !Sub "integrations/${Mock}"}}
  Stage: {Type: "AWS::ApiGatewayV2::Stage", Properties: {ApiId: !Ref Api, StageName: dev, AutoDeploy: true}}
`
	for name, c := range map[string]struct{ api, more, want string }{
		"fits":       {"", "", ""},
		"tags":       {", Tags: {a: b}", "", "it has tags"},
		"endpoint":   {", DisableExecuteApiEndpoint: true", "", "its default endpoint is disabled"},
		"stages":     {"", "  More: {Type: 'AWS::ApiGatewayV2::Stage', Properties: {ApiId: !Ref Api, StageName: more, AutoDeploy: true}}\n", "it has 2 stages"},
		"unused":     {"", "  More: {Type: 'AWS::ApiGatewayV2::Integration', Properties: {ApiId: !Ref Api, IntegrationType: MOCK, Description: x}}\n", "an integration is used by no route"},
		"no target":  {"", "  More: {Type: 'AWS::ApiGatewayV2::Route', Properties: {ApiId: !Ref Api, RouteKey: more}}\n", "route more has no integration"},
		"templates":  {"", "  R: {Type: 'AWS::ApiGatewayV2::IntegrationResponse', Properties: {ApiId: !Ref Api, IntegrationId: !Ref Mock, IntegrationResponseKey: $default, ResponseTemplates: {a: x, b: y}, TemplateSelectionExpression: $request.body.kind}}\n", "chooses from several templates"},
		"a variable": {"", "  H: {Type: 'AWS::ApiGatewayV2::Integration', Properties: {ApiId: !Ref Api, IntegrationType: AWS_PROXY, IntegrationUri: 'arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/${stageVariables.fn}/invocations'}}\n  M: {Type: 'AWS::ApiGatewayV2::Route', Properties: {ApiId: !Ref Api, RouteKey: more, Target: !Sub 'integrations/${H}'}}\n", ""},
	} {
		v, err := cfn.Parse("t.yaml", []byte(strings.Replace(head, "%s", c.api, 1)+c.more))
		if err != nil {
			t.Fatal(err)
		}
		x := &exporting{exportFlags: &exportFlags{Format: "cleat"}, p: &process{ctx: t.Context()}}
		text, _, err := x.write(apiOf(t, v, ""), "", false)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: got %v, want %q\n%s", name, err, c.want, text)
		}
	}
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
