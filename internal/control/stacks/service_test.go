package stacks_test

import (
	"testing"

	"cleat/internal/apigw"
)

// TestServicesAndLinks: integrations with AWS services and through VPC links are taken as they are, links are known by
// their names, and what goes through them is told with its place (spec events-and-integrations §5, §7).
func TestServicesAndLinks(t *testing.T) {
	w := newWorld(t)
	out := w.apply(`Resources:
  Api: {Type: "AWS::ApiGatewayV2::Api", Properties: {Name: a, ProtocolType: WEBSOCKET, RouteSelectionExpression: $request.body.action}}
  Link: {Type: "AWS::ApiGateway::VpcLink", Properties: {Name: main, Description: d, TargetArns: ["arn:aws:elasticloadbalancing:x"]}}
  Put: {Type: "AWS::ApiGatewayV2::Integration", Properties: {ApiId: !Ref Api, IntegrationType: AWS, IntegrationMethod: POST, CredentialsArn: "arn:aws:iam::123456789012:role/r", IntegrationUri: !Sub "arn:aws:apigateway:${AWS::Region}:dynamodb:action/PutItem"}}
  Any: {Type: "AWS::ApiGatewayV2::Integration", Properties: {ApiId: !Ref Api, IntegrationType: AWS, IntegrationMethod: PUT, IntegrationUri: "arn:aws:apigateway:eu-west-1:s3:path/${stageVariables.bucket}/{key}", RequestParameters: {integration.request.path.key: context.connectionId}}}
  Web:
    Type: AWS::ApiGatewayV2::Integration
    Properties:
      ApiId: !Ref Api
      IntegrationType: HTTP_PROXY
      IntegrationMethod: POST
      IntegrationUri: http://app.internal/ws
      ConnectionType: VPC_LINK
      ConnectionId: !Ref Link
  R1: {Type: "AWS::ApiGatewayV2::Route", Properties: {ApiId: !Ref Api, RouteKey: put, Target: !Sub "integrations/${Put}"}}
  R2: {Type: "AWS::ApiGatewayV2::Route", Properties: {ApiId: !Ref Api, RouteKey: any, Target: !Sub "integrations/${Any}"}}
  R3: {Type: "AWS::ApiGatewayV2::Route", Properties: {ApiId: !Ref Api, RouteKey: web, Target: !Sub "integrations/${Web}"}}
  Stage: {Type: "AWS::ApiGatewayV2::Stage", Properties: {ApiId: !Ref Api, StageName: dev, AutoDeploy: true}}
`)
	if len(out.LeftAlone) > 0 || len(out.Warnings) > 0 {
		t.Errorf("left alone %q, warnings %v", out.LeftAlone, out.Warnings)
	}
	if len(out.Links) != 1 || out.Links[0].ConnectionID != "main" || out.Links[0].Place.Line != 14 {
		t.Errorf("links: %+v", out.Links)
	}
	targets := map[string]string{}
	for _, r := range out.APIs[0].Routes {
		targets[r.RouteKey] = r.Target
	}
	for key, want := range map[string]string{"put": "dynamodb PutItem", "any": "s3 /${stageVariables.bucket}/{key}", "web": "POST http://app.internal/ws"} {
		if targets[key] != want {
			t.Errorf("route %s leads to %q, want %q", key, targets[key], want)
		}
	}
	for _, in := range w.published().Definition.Integrations {
		switch {
		case in.IntegrationType == apigw.IntegrationHTTPProxy:
			if in.ConnectionID != "main" {
				t.Errorf("connectionId %q", in.ConnectionID)
			}
		case in.IntegrationResponseSelectionExpression != "${integration.response.statuscode}":
			t.Errorf("selected by %q", in.IntegrationResponseSelectionExpression)
		}
	}
}
