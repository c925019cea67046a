package stacks_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"cleat/internal/cfn"
)

func TestAllFaultsAreTold(t *testing.T) {
	text := edit(t, chat, "RouteKey: ping", "RouteKey: $ping")
	text = edit(t, text, "StageName: dev", "StageName: $default")
	text = edit(t, text, "$request.body.action", "$request.header.action")
	text = edit(t, text, "LEVEL: !Ref Level", "LEVEL: !Ref Missing")
	w := newWorld(t)
	faults := w.refused(text)
	var got []string
	for _, f := range faults {
		got = append(got, f.Error())
	}
	all := strings.Join(got, "\n")
	for _, want := range []string{
		`t.yaml:7: Api: routeSelectionExpression "$request.header.action", column 2`,
		`t.yaml:19: Missing is neither a parameter nor a resource`,
		`t.yaml:39: PingRoute: route key "$ping"`,
		`t.yaml:45: Stage: Invalid stage name "$default"`,
	} {
		if !strings.Contains(all, want) {
			t.Errorf("no fault %q in\n%s", want, all)
		}
	}
	if len(faults) != 4 { // nothing follows from the route that is at fault
		t.Errorf("%d faults:\n%s", len(faults), all)
	}
	w.apply(chat)
	w.refused(text) // nor is a stack that exists changed
	if got := w.published().RouteKeys(); got != "$connect $default ping" {
		t.Errorf("after a refused template: %s", got)
	}
}

// One wrong resource is put between these two; line 4 holds it.
const (
	beforeWrong = `Resources:
  Api: {Type: "AWS::ApiGatewayV2::Api", Properties: {Name: a, ProtocolType: WEBSOCKET, RouteSelectionExpression: $request.body.action}}
  Mock: {Type: "AWS::ApiGatewayV2::Integration", Properties: {ApiId: !Ref Api, IntegrationType: MOCK}}
  X: {Type: "AWS::`
	afterWrong = `
  Route: {Type: "AWS::ApiGatewayV2::Route", Properties: {ApiId: !Ref Api, RouteKey: taken, Target: !Sub "integrations/${Mock}"}}
  Stage: {Type: "AWS::ApiGatewayV2::Stage", Properties: {ApiId: !Ref Api, StageName: taken}}
  Model: {Type: "AWS::ApiGatewayV2::Model", Properties: {ApiId: !Ref Api, Name: M, Schema: {type: object}}}
`
)

// checkWrong applies a template with one wrong resource and wants that fault.
func checkWrong(t *testing.T, resource, want string, lines ...int) {
	t.Helper()
	faults := newWorld(t).refused(beforeWrong + resource + afterWrong)
	if !slices.ContainsFunc(faults, func(f cfn.Fault) bool {
		return strings.Contains(f.Message, want) && slices.Contains(lines, f.Place.Line)
	}) {
		t.Errorf("got\n%v\nwant …%s… at line %v", faults, want, lines)
	}
}

// TestResourceFaults holds the rules of spec control-plane §3 to §11.
func TestResourceFaults(t *testing.T) {
	tests := map[string]struct{ resource, want string }{
		"API without a name":        {`ApiGatewayV2::Api", Properties: {ProtocolType: WEBSOCKET, RouteSelectionExpression: x}}`, "Name is required"},
		"API without a protocol":    {`ApiGatewayV2::Api", Properties: {Name: b, RouteSelectionExpression: x}}`, "Invalid protocol specified. Must be one of [HTTP, WEBSOCKET]"},
		"API without an expression": {`ApiGatewayV2::Api", Properties: {Name: b, ProtocolType: WEBSOCKET}}`, "routeSelectionExpression is required"},
		"API key expression":        {`ApiGatewayV2::Api", Properties: {Name: b, ProtocolType: WEBSOCKET, RouteSelectionExpression: x, ApiKeySelectionExpression: y}}`, "allowed: $request.header.x-api-key or"},
		"API with CORS":             {`ApiGatewayV2::Api", Properties: {Name: b, ProtocolType: WEBSOCKET, RouteSelectionExpression: x, CorsConfiguration: {}}}`, "CorsConfiguration is for HTTP APIs"},
		"unknown property":          {`ApiGatewayV2::Api", Properties: {Name: b, ProtocolType: WEBSOCKET, RouteSelectionExpression: x, Nme: y}}`, "extraneous key [Nme] is not permitted"},
		"wrong type":                {`ApiGatewayV2::Api", Properties: {Name: [b], ProtocolType: WEBSOCKET, RouteSelectionExpression: x}}`, "X: Name must be text, not a list"},
		"null":                      {`ApiGatewayV2::Api", Properties: {Name: null, ProtocolType: WEBSOCKET, RouteSelectionExpression: x}}`, "X: Name must be text, not null"},
		"long name":                 {`ApiGatewayV2::Api", Properties: {Name: ` + strings.Repeat("n", 129) + `, ProtocolType: WEBSOCKET, RouteSelectionExpression: x}}`, "longer than 128"},

		"no API":                      {`ApiGatewayV2::Route", Properties: {RouteKey: k}}`, "ApiId is required"},
		"unknown API":                 {`ApiGatewayV2::Route", Properties: {ApiId: abcdefghij, RouteKey: k}}`, "Invalid API identifier specified abcdefghij"},
		"route key taken":             {`ApiGatewayV2::Route", Properties: {ApiId: !Ref Api, RouteKey: taken}}`, "Route with key taken already exists for this API"},
		"route key missing":           {`ApiGatewayV2::Route", Properties: {ApiId: !Ref Api}}`, "must not be empty"},
		"route key too long":          {`ApiGatewayV2::Route", Properties: {ApiId: !Ref Api, RouteKey: ` + strings.Repeat("k", 129) + `}}`, "longer than 128"},
		"route target shape":          {`ApiGatewayV2::Route", Properties: {ApiId: !Ref Api, RouteKey: k, Target: !Ref Mock}}`, "want integrations/{integrationId}"},
		"route target unknown":        {`ApiGatewayV2::Route", Properties: {ApiId: !Ref Api, RouteKey: k, Target: integrations/none}}`, "Invalid Integration identifier specified none"},
		"authorization elsewhere":     {`ApiGatewayV2::Route", Properties: {ApiId: !Ref Api, RouteKey: k, AuthorizationType: AWS_IAM}}`, "Currently, authorization is restricted to the $connect route only"},
		"authorization by JWT":        {`ApiGatewayV2::Route", Properties: {ApiId: !Ref Api, RouteKey: $connect, AuthorizationType: JWT}}`, "Invalid authorization type"},
		"authorizer missing":          {`ApiGatewayV2::Route", Properties: {ApiId: !Ref Api, RouteKey: $connect, AuthorizationType: CUSTOM}}`, "CUSTOM needs an authorizer"},
		"authorizer unknown":          {`ApiGatewayV2::Route", Properties: {ApiId: !Ref Api, RouteKey: $connect, AuthorizationType: CUSTOM, AuthorizerId: none}}`, "Invalid Authorizer identifier specified none"},
		"authorizer without CUSTOM":   {`ApiGatewayV2::Route", Properties: {ApiId: !Ref Api, RouteKey: $connect, AuthorizerId: none}}`, "needs the authorization type CUSTOM"},
		"route response expression":   {`ApiGatewayV2::Route", Properties: {ApiId: !Ref Api, RouteKey: k, RouteResponseSelectionExpression: $x}}`, "allowed: $default"},
		"model expression":            {`ApiGatewayV2::Route", Properties: {ApiId: !Ref Api, RouteKey: k, ModelSelectionExpression: $request.x}}`, "not a variable"},
		"unknown model":               {`ApiGatewayV2::Route", Properties: {ApiId: !Ref Api, RouteKey: k, RequestModels: {$default: none}}}`, "Invalid Model identifier specified: none"},
		"request parameter elsewhere": {`ApiGatewayV2::Route", Properties: {ApiId: !Ref Api, RouteKey: k, RequestParameters: {route.request.header.X: {Required: true}}}}`, "only $connect has headers"},
		"request parameter shape":     {`ApiGatewayV2::Route", Properties: {ApiId: !Ref Api, RouteKey: $connect, RequestParameters: {header.X: {Required: true}}}}`, "want route.request.header.{name}"},
		"scopes":                      {`ApiGatewayV2::Route", Properties: {ApiId: !Ref Api, RouteKey: k, AuthorizationScopes: [a]}}`, "AuthorizationScopes is for HTTP APIs"},

		"route response key":   {`ApiGatewayV2::RouteResponse", Properties: {ApiId: !Ref Api, RouteId: !Ref Route, RouteResponseKey: x}}`, "only $default is possible"},
		"route response route": {`ApiGatewayV2::RouteResponse", Properties: {ApiId: !Ref Api, RouteId: none, RouteResponseKey: $default}}`, "Invalid Route identifier specified none"},

		"integration type":        {`ApiGatewayV2::Integration", Properties: {ApiId: !Ref Api, IntegrationType: LAMBDA}}`, "Invalid integration type"},
		"Lambda URI":              {`ApiGatewayV2::Integration", Properties: {ApiId: !Ref Api, IntegrationType: AWS_PROXY, IntegrationUri: "arn:aws:lambda:eu-west-1:123456789012:function:f"}}`, "is not a Lambda integration URI"},
		"HTTP URI":                {`ApiGatewayV2::Integration", Properties: {ApiId: !Ref Api, IntegrationType: HTTP_PROXY, IntegrationMethod: POST, IntegrationUri: "ftp://x"}}`, "Invalid HTTP endpoint specified for URI"},
		"HTTP without a method":   {`ApiGatewayV2::Integration", Properties: {ApiId: !Ref Api, IntegrationType: HTTP_PROXY, IntegrationUri: "http://x"}}`, "Integration method is required"},
		"method":                  {`ApiGatewayV2::Integration", Properties: {ApiId: !Ref Api, IntegrationType: MOCK, IntegrationMethod: "po st"}}`, "Invalid integration method"},
		"timeout too short":       {`ApiGatewayV2::Integration", Properties: {ApiId: !Ref Api, IntegrationType: MOCK, TimeoutInMillis: 49}}`, "between 50 ms and 29000 ms"},
		"timeout too long":        {`ApiGatewayV2::Integration", Properties: {ApiId: !Ref Api, IntegrationType: MOCK, TimeoutInMillis: "29001"}}`, "between 50 ms and 29000 ms"},
		"timeout no number":       {`ApiGatewayV2::Integration", Properties: {ApiId: !Ref Api, IntegrationType: MOCK, TimeoutInMillis: long}}`, "must be a whole number"},
		"payload format":          {`ApiGatewayV2::Integration", Properties: {ApiId: !Ref Api, IntegrationType: MOCK, PayloadFormatVersion: "2.0"}}`, "Invalid payload format version 2.0"},
		"passthrough":             {`ApiGatewayV2::Integration", Properties: {ApiId: !Ref Api, IntegrationType: MOCK, PassthroughBehavior: ALWAYS}}`, "Must be one of [WHEN_NO_MATCH, NEVER, WHEN_NO_TEMPLATES]"},
		"template expression":     {`ApiGatewayV2::Integration", Properties: {ApiId: !Ref Api, IntegrationType: MOCK, TemplateSelectionExpression: "${integration.response.statuscode}"}}`, "not a variable"},
		"parameter target":        {`ApiGatewayV2::Integration", Properties: {ApiId: !Ref Api, IntegrationType: MOCK, RequestParameters: {header.X: "'y'"}}}`, "Invalid mapping expression specified: header.X"},
		"parameter source":        {`ApiGatewayV2::Integration", Properties: {ApiId: !Ref Api, IntegrationType: MOCK, RequestParameters: {integration.request.header.X: y}}}`, "Invalid mapping expression specified: y"},
		"parameter of no context": {`ApiGatewayV2::Integration", Properties: {ApiId: !Ref Api, IntegrationType: MOCK, RequestParameters: {integration.request.header.X: context.conectionId}}}`, "Invalid mapping expression specified: context.conectionId, for"},
		"parameter in the body":   {`ApiGatewayV2::Integration", Properties: {ApiId: !Ref Api, IntegrationType: MOCK, RequestParameters: {integration.request.header.X: "route.request.body.a["}}}`, `JSONPath "$.a["`},
		"parameter that is ours":  {`ApiGatewayV2::Integration", Properties: {ApiId: !Ref Api, IntegrationType: MOCK, RequestParameters: {integration.request.header.Content-Length: "'1'"}}}`, "this header cannot be set"},
		"service":                 {`ApiGatewayV2::Integration", Properties: {ApiId: !Ref Api, IntegrationType: AWS, IntegrationMethod: POST, IntegrationUri: !Sub "arn:aws:apigateway:${AWS::Region}:dynamodb:PutItem"}}`, `"PutItem" is neither action/{Action} nor path/{path}`},
		"service by its own ARN":  {`ApiGatewayV2::Integration", Properties: {ApiId: !Ref Api, IntegrationType: AWS, IntegrationMethod: POST, IntegrationUri: "arn:aws:sqs:eu-west-1:123456789012:jobs"}}`, "an ARN of sqs, not of apigateway"},
		"service, no method":      {`ApiGatewayV2::Integration", Properties: {ApiId: !Ref Api, IntegrationType: AWS, IntegrationUri: "arn:aws:apigateway:eu-west-1:dynamodb:action/PutItem"}}`, "Integration method is required"},
		"service, signed header":  {`ApiGatewayV2::Integration", Properties: {ApiId: !Ref Api, IntegrationType: AWS, IntegrationMethod: POST, IntegrationUri: "arn:aws:apigateway:eu-west-1:sqs:path/1/q", RequestParameters: {integration.request.header.Authorization: "'x'"}}}`, "integration.request.header.Authorization: this header cannot be set on a signed request"},
		"link without an ID":      {`ApiGatewayV2::Integration", Properties: {ApiId: !Ref Api, IntegrationType: HTTP_PROXY, IntegrationMethod: POST, IntegrationUri: "http://x", ConnectionType: VPC_LINK}}`, "needs a connectionId"},
		"link of a mock":          {`ApiGatewayV2::Integration", Properties: {ApiId: !Ref Api, IntegrationType: MOCK, ConnectionType: VPC_LINK, ConnectionId: l}}`, "VPC_LINK is for integrations of type HTTP and HTTP_PROXY, not MOCK"},
		"link without a name":     {`ApiGateway::VpcLink", Properties: {TargetArns: [arn]}}`, "Name is required: cleat.yaml says under it"},
		"link without a target":   {`ApiGateway::VpcLink", Properties: {Name: l, TargetArns: []}}`, "TargetArns must be a list of one load balancer's ARN"},
		"link, other property":    {`ApiGateway::VpcLink", Properties: {Name: l, TargetArns: [a], SubnetIds: [s]}}`, "extraneous key [SubnetIds] is not permitted"},
		"TLS configuration":       {`ApiGatewayV2::Integration", Properties: {ApiId: !Ref Api, IntegrationType: MOCK, TlsConfig: {}}}`, "TlsConfig is for HTTP APIs"},

		"response key missing": {`ApiGatewayV2::IntegrationResponse", Properties: {ApiId: !Ref Api, IntegrationId: !Ref Mock}}`, "integrationResponseKey is required"},
		"response key":         {`ApiGatewayV2::IntegrationResponse", Properties: {ApiId: !Ref Api, IntegrationId: !Ref Mock, IntegrationResponseKey: "/2(/"}}`, "no regular expression"},
		"response reserved":    {`ApiGatewayV2::IntegrationResponse", Properties: {ApiId: !Ref Api, IntegrationId: !Ref Mock, IntegrationResponseKey: $other}}`, "Invalid integration response key"},
		"response of nothing":  {`ApiGatewayV2::IntegrationResponse", Properties: {ApiId: !Ref Api, IntegrationId: none, IntegrationResponseKey: $default}}`, "Invalid Integration identifier specified none"},

		"authorizer type":    {`ApiGatewayV2::Authorizer", Properties: {ApiId: !Ref Api, Name: a, AuthorizerType: JWT, AuthorizerUri: x}}`, "Must be REQUEST"},
		"authorizer context": {`ApiGatewayV2::Authorizer", Properties: {ApiId: !Ref Api, Name: a, AuthorizerType: REQUEST, AuthorizerUri: "arn:aws:apigateway:r:lambda:path/2015-03-31/functions/f/invocations", IdentitySource: [context.nope]}}`, `"context.nope": no such variable is in a WebSocket API's context`},
		"authorizer source":  {`ApiGatewayV2::Authorizer", Properties: {ApiId: !Ref Api, Name: a, AuthorizerType: REQUEST, AuthorizerUri: "arn:aws:apigateway:r:lambda:path/2015-03-31/functions/f/invocations", IdentitySource: [$request.header.X]}}`, "Invalid identity source"},
		"authorizer URI":     {`ApiGatewayV2::Authorizer", Properties: {ApiId: !Ref Api, Name: a, AuthorizerType: REQUEST}}`, "Authorizer URI is required"},
		"model name":         {`ApiGatewayV2::Model", Properties: {ApiId: !Ref Api, Name: a-b, Schema: {}}}`, "Model name must be alphanumeric"},
		"model schema":       {`ApiGatewayV2::Model", Properties: {ApiId: !Ref Api, Name: ab, Schema: "{"}}`, "not valid JSON"},
		"schema keyword":     {`ApiGatewayV2::Model", Properties: {ApiId: !Ref Api, Name: ab, Schema: {type: text}}}`, "Invalid model schema specified: not a schema of draft-04: /type:"},
		"schema reference":   {`ApiGatewayV2::Model", Properties: {ApiId: !Ref Api, Name: ab, Schema: {$ref: https://apigateway.amazonaws.com/restapis/x/models/N}}}`, `there is no model "N"`},
		"schema elsewhere":   {`ApiGatewayV2::Model", Properties: {ApiId: !Ref Api, Name: ab, Schema: {$ref: "https://example.com/x"}}}`, "it is no model of this API"},
		"model taken":        {`ApiGatewayV2::Model", Properties: {ApiId: !Ref Api, Name: M, Schema: {}}}`, "Model with name M already exists"},

		"stage name":         {`ApiGatewayV2::Stage", Properties: {ApiId: !Ref Api, StageName: a/b}}`, "Invalid stage name"},
		"stage taken":        {`ApiGatewayV2::Stage", Properties: {ApiId: !Ref Api, StageName: taken}}`, "Stage already exists"},
		"stage deployment":   {`ApiGatewayV2::Stage", Properties: {ApiId: !Ref Api, StageName: s, DeploymentId: none}}`, "Invalid Deployment identifier specified none"},
		"stage both":         {`ApiGatewayV2::Stage", Properties: {ApiId: !Ref Api, StageName: s, DeploymentId: none, AutoDeploy: true}}`, "cannot be set on a stage with autoDeploy"},
		"stage variable":     {`ApiGatewayV2::Stage", Properties: {ApiId: !Ref Api, StageName: s, StageVariables: {a-b: x}}}`, "Invalid stage variable name"},
		"stage value":        {`ApiGatewayV2::Stage", Properties: {ApiId: !Ref Api, StageName: s, StageVariables: {a: "x y"}}}`, "Invalid stage variable value of a"},
		"stage logging":      {`ApiGatewayV2::Stage", Properties: {ApiId: !Ref Api, StageName: s, DefaultRouteSettings: {LoggingLevel: LOUD}}}`, "Must be one of [ERROR, INFO, OFF]"},
		"stage settings":     {`ApiGatewayV2::Stage", Properties: {ApiId: !Ref Api, StageName: s, RouteSettings: {k: {Throttle: 1}}}}`, "extraneous key [Throttle] is not permitted in RouteSettings.k"},
		"stage throttle":     {`ApiGatewayV2::Stage", Properties: {ApiId: !Ref Api, StageName: s, DefaultRouteSettings: {ThrottlingRateLimit: -1}}}`, "a throttling limit must not be negative"},
		"stage route":        {`ApiGatewayV2::Stage", Properties: {ApiId: !Ref Api, StageName: s, RouteSettings: {k: {ThrottlingRateLimit: 1}}}}`, "Unable to find Route by key k within the provided RouteSettings"},
		"deployment's stage": {`ApiGatewayV2::Deployment", Properties: {ApiId: !Ref Api, StageName: none}}`, "Invalid stage identifier specified"},
		"SAM":                {`Serverless::Function", Properties: {}}`, "must be expanded"},
		"function runtime":   {`Lambda::Function", Properties: {Code: {LocalPath: /x}, Handler: h}}`, "Runtime is required"},
		"function handler":   {`Lambda::Function", Properties: {Code: {LocalPath: /x}, Runtime: r}}`, "Handler is required"},
		"function path":      {`Lambda::Function", Properties: {Code: {LocalPath: x}, Runtime: r, Handler: h}}`, "must be an absolute path"},
		"function name":      {`Lambda::Function", Properties: {Code: {LocalPath: /x}, Runtime: r, Handler: h, FunctionName: a.b}}`, "want 1 to 64 letters"},
		"function time":      {`Lambda::Function", Properties: {Code: {LocalPath: /x}, Runtime: r, Handler: h, Timeout: 901}}`, "Timeout must be from 1 to 900"},
		"function memory":    {`Lambda::Function", Properties: {Code: {LocalPath: /x}, Runtime: r, Handler: h, MemorySize: 64}}`, "MemorySize must be from 128"},
		"function variable":  {`Lambda::Function", Properties: {Code: {LocalPath: /x}, Runtime: r, Handler: h, Environment: {Variables: {A: [1]}}}}`, "Environment.Variables.A must be text"},
		"table without keys": {`DynamoDB::Table", Properties: {TableName: t}}`, "KeySchema must be a list"},
		"response template":  {`ApiGatewayV2::IntegrationResponse", Properties: {ApiId: !Ref Api, IntegrationId: !Ref Mock, IntegrationResponseKey: $default, ResponseTemplates: {$default: "#set($x)"}}}`, `responseTemplates "$default": line 1, column 8`},
		"response parameter": {`ApiGatewayV2::IntegrationResponse", Properties: {ApiId: !Ref Api, IntegrationId: !Ref Mock, IntegrationResponseKey: $default, ResponseParameters: {integration.response.header.X: nope}}}`, "Invalid mapping expression specified: nope"},
		"response context":   {`ApiGatewayV2::IntegrationResponse", Properties: {ApiId: !Ref Api, IntegrationId: !Ref Mock, IntegrationResponseKey: $default, ResponseParameters: {integration.response.header.X: context.nope}}}`, "Invalid mapping expression specified: context.nope"},
		"response target":    {`ApiGatewayV2::IntegrationResponse", Properties: {ApiId: !Ref Api, IntegrationId: !Ref Mock, IntegrationResponseKey: $default, ResponseParameters: {header.X: "'a'"}}}`, "Invalid mapping expression specified: header.X"},
		"unknown attribute":  {`Lambda::Function", Properties: {Code: {LocalPath: /x}, Runtime: r, Handler: h, Environment: {Variables: {A: !GetAtt Api.Nope}}}}`, "Api of type AWS::ApiGatewayV2::Api has no attribute Nope"},
		"circle":             {`Lambda::Function", Properties: {Code: {LocalPath: /x}, Runtime: r, Handler: h, Environment: {Variables: {A: !GetAtt X.Arn}}}}`, "circular dependency between resources: X → X"},
		"deployment of none": {`ApiGatewayV2::Deployment", Properties: {ApiId: !Ref Empty}}` + "\n  Empty: " + `{Type: "AWS::ApiGatewayV2::Api", Properties: {Name: e, ProtocolType: WEBSOCKET, RouteSelectionExpression: x}}`, "At least one route is required before deploying the Api"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			lines := []int{4}
			if strings.HasSuffix(name, "taken") {
				lines = []int{4, 5, 6, 7} // whichever of the two comes later
			}
			checkWrong(t, tt.resource, tt.want, lines...)
		})
	}
}

// TestLeftAlone: what has no effect here is named.
func TestLeftAlone(t *testing.T) {
	out := newWorld(t).apply(`Resources:
  D: {Type: "AWS::ApiGatewayV2::DomainName", Properties: {DomainName: api.example.com, MutualTlsAuthentication: {}}}
  M: {Type: "AWS::ApiGatewayV2::ApiMapping", Properties: {DomainName: !Ref D, ApiId: !Ref H, Stage: $default}}
  N: {Type: "AWS::ApiGatewayV2::ApiMapping", Properties: {DomainName: !Ref D, ApiId: !Ref S, Stage: dev}}
  S: {Type: "AWS::ApiGateway::RestApi"}
  Q: {Type: "AWS::SQS::Queue", Properties: {QueueName: !GetAtt Nothing.IsEvaluated}}
  P: {Type: "AWS::SQS::Queue"}
  G: {Type: "AWS::IAM::Role", Metadata: {cleat: {Generated: true}}}
  H: {Type: "AWS::ApiGatewayV2::Api", Properties: {Name: h, ProtocolType: HTTP, CorsConfiguration: {}}}
  R: {Type: "AWS::ApiGatewayV2::Route", Properties: {ApiId: !Ref H, RouteKey: GET /, AuthorizationScopes: [a]}}
  B: {Type: "AWS::ApiGatewayV2::Api", Properties: {Body: {openapi: 3.0.1}}}
`)
	want := []string{"AWS::ApiGateway::RestApi", "AWS::ApiGatewayV2::Api (HTTP) (2)", "AWS::ApiGatewayV2::ApiMapping (HTTP) (2)", "AWS::ApiGatewayV2::DomainName (HTTP)", "AWS::ApiGatewayV2::Route (HTTP)", "AWS::SQS::Queue (2)"}
	if !slices.Equal(out.LeftAlone, want) || len(out.APIs) != 0 || len(out.Warnings) != 0 {
		t.Errorf("got %q, want %q; %+v", out.LeftAlone, want, out)
	}
}

// TestTemplates: a template is checked when it is defined, and its fault has two places: that of the property in the
// file, and the line and column inside (spec mapping-templates §1).
func TestTemplates(t *testing.T) {
	for template, want := range map[string]string{
		`{"statusCode": 200}`: "", `costs $5 # 1`: "", "a ## b": "", "$input.body": "", "#foreach($x in [1..3])$x#end": "",
		"$input.path('$..a[?(@.b)]')": "",
		"5$":                          `requestTemplates "$default": line 1, column 2: a $ as the last character`,
		"a\\n  #if($x)":               `requestTemplates "$default": line 2, column 3: #if without its #end`,
		"$input.path('$.a[')":         `requestTemplates "$default": line 1, column 7: JSONPath "$.a["`,
		strings.Repeat("x", 33<<10):   `requestTemplates "$default": the template is longer than 32 KB`,
	} {
		_, err := newWorld(t).stacks.Apply(t.Context(), stack(t, fmt.Sprintf(`Resources:
  Api: {Type: "AWS::ApiGatewayV2::Api", Properties: {Name: a, ProtocolType: WEBSOCKET, RouteSelectionExpression: $request.body.action}}
  Mock:
    Type: AWS::ApiGatewayV2::Integration
    Properties:
      ApiId: !Ref Api
      IntegrationType: MOCK
      RequestTemplates:
        $default: "%s"
`, strings.ReplaceAll(template, `"`, `\"`))))
		switch {
		case want == "":
			if err != nil {
				t.Errorf("%q: %v", template, err)
			}
		case err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), ":9:"):
			t.Errorf("%.40q: got %v, want line 9 and %s", template, err, want)
		}
	}
}
