package stacks_test

import (
	"strings"
	"testing"
)

const modelAPI = `Resources:
  Api: {Type: "AWS::ApiGatewayV2::Api", Properties: {Name: a, ProtocolType: WEBSOCKET, RouteSelectionExpression: $request.body.action}}
  Mock: {Type: "AWS::ApiGatewayV2::Integration", Properties: {ApiId: !Ref Api, IntegrationType: MOCK}}
`

// Models may refer to models that the template has later, and a route may name either; spec control-plane §9.
func TestModels(t *testing.T) {
	out := newWorld(t).apply(modelAPI + `
  List: {Type: "AWS::ApiGatewayV2::Model", Properties: {ApiId: !Ref Api, Name: List, Schema: {items: {$ref: !Sub "https://apigateway.amazonaws.com/restapis/${Api}/models/Item"}}}}
  Item: {Type: "AWS::ApiGatewayV2::Model", Properties: {ApiId: !Ref Api, Name: Item, Schema: '{"type": "object"}'}}
  Route: {Type: "AWS::ApiGatewayV2::Route", Properties: {ApiId: !Ref Api, RouteKey: k, Target: !Sub "integrations/${Mock}", ModelSelectionExpression: $request.body.x, RequestModels: {list: List, $default: Item}}}
  Stage: {Type: "AWS::ApiGatewayV2::Stage", Properties: {ApiId: !Ref Api, StageName: dev, AutoDeploy: true}}
`)
	if len(out.Warnings) != 0 {
		t.Errorf("got %v", out.Warnings)
	}
}

// An API that does without validation takes any text for a schema: spec events-and-integrations §9.
func TestDisableSchemaValidation(t *testing.T) {
	newWorld(t).apply(strings.Replace(modelAPI, "Name: a,", "Name: a, DisableSchemaValidation: true,", 1) + `
  M: {Type: "AWS::ApiGatewayV2::Model", Properties: {ApiId: !Ref Api, Name: M, Schema: "{"}}
`)
}

// Models that no message is held to are worth a word.
func TestModelWarnings(t *testing.T) {
	for name, tt := range map[string]struct{ route, want string }{
		"no expression": {`RouteKey: k`, "route k has RequestModels and no ModelSelectionExpression: its messages are not validated"},
		"no messages":   {`RouteKey: $connect, ModelSelectionExpression: "$default"`, "route $connect has RequestModels, which have no effect"},
	} {
		t.Run(name, func(t *testing.T) {
			out := newWorld(t).apply(modelAPI + `
  M: {Type: "AWS::ApiGatewayV2::Model", Properties: {ApiId: !Ref Api, Name: M, Schema: {}}}
  Route: {Type: "AWS::ApiGatewayV2::Route", Properties: {ApiId: !Ref Api, ` + tt.route + `, Target: !Sub "integrations/${Mock}", RequestModels: {$default: M}}}
  Stage: {Type: "AWS::ApiGatewayV2::Stage", Properties: {ApiId: !Ref Api, StageName: dev, AutoDeploy: true}}
`)
			if len(out.Warnings) != 1 || !strings.Contains(out.Warnings[0].Message, tt.want) || out.Warnings[0].Place.Line == 0 {
				t.Errorf("got %v, want …%s…", out.Warnings, tt.want)
			}
		})
	}
}
