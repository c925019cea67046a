package stacks_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"cleat/internal/control/stacks"
)

func TestWarnings(t *testing.T) {
	const api = `Resources:
  Api: {Type: "AWS::ApiGatewayV2::Api", Properties: {Name: a, ProtocolType: WEBSOCKET, RouteSelectionExpression: $request.body.action}}
`
	tests := map[string]struct {
		resources string
		want      []string
	}{
		"no stage":        {"", []string{"t.yaml:2: API Api has no stage: nobody can connect to it"}},
		"no deployment":   {`  S: {Type: "AWS::ApiGatewayV2::Stage", Properties: {ApiId: !Ref Api, StageName: dev}}`, []string{"t.yaml:3: stage dev has no deployment: it answers 403 Forbidden"}},
		"nothing to auto": {`  S: {Type: "AWS::ApiGatewayV2::Stage", Properties: {ApiId: !Ref Api, StageName: dev, AutoDeploy: true}}`, []string{"t.yaml:3: stage dev has no deployment: it answers 403 Forbidden"}},
		"no target": {
			"  R: {Type: \"AWS::ApiGatewayV2::Route\", Properties: {ApiId: !Ref Api, RouteKey: k}}\n" + `  S: {Type: "AWS::ApiGatewayV2::Stage", Properties: {ApiId: !Ref Api, StageName: dev, AutoDeploy: true}}`,
			[]string{"t.yaml:3: route k has no Target: it answers Internal server error"},
		},
		"certificate": {
			"  R: {Type: \"AWS::ApiGatewayV2::Route\", Properties: {ApiId: !Ref Api, RouteKey: $default, Target: !Sub \"integrations/${M}\"}}\n  M: {Type: \"AWS::ApiGatewayV2::Integration\", Properties: {ApiId: !Ref Api, IntegrationType: MOCK}}\n" +
				`  S: {Type: "AWS::ApiGatewayV2::Stage", Properties: {ApiId: !Ref Api, StageName: dev, AutoDeploy: true, ClientCertificateId: x}}`,
			[]string{"t.yaml:5: S: not supported yet: client certificates"},
		},
		"own address": {
			`  B: {Type: "AWS::ApiGatewayV2::Api", Properties: {Name: b, ProtocolType: WEBSOCKET, RouteSelectionExpression: x, DisableExecuteApiEndpoint: true}}`,
			[]string{"t.yaml:2: API Api has no stage", "t.yaml:3: API B has no stage"},
		},
		"macro": {"Transform: [AWS::LanguageExtensions, MyMacro]", []string{"t.yaml:2: API Api has no stage", "t.yaml:3: the macro MyMacro is not run here"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			checkWarnings(t, newWorld(t).apply(api+tt.resources+"\n"), tt.want)
		})
	}
	t.Run("functions", func(t *testing.T) {
		checkWarnings(t, newWorld(t).apply(`Resources:
  InS3: {Type: "AWS::Lambda::Function", Properties: {Code: {S3Bucket: b, S3Key: k}, Runtime: r, Handler: h}}
  Told: {Type: "AWS::Lambda::Function", Metadata: {cleat: {Place: x}}, Properties: {Code: {ImageUri: i}}}
  F: {Type: "AWS::Lambda::Function", Properties: {Code: {LocalPath: /x}, Runtime: r, Handler: h, Environment: {Variables: {A: "{{resolve:ssm:/x}}", B: !GetAtt C.Thing, D: !GetAtt C.Thing, E: !ImportValue other-x}}}}
  C: {Type: "Custom::Thing"}
`), []string{
			`t.yaml:1: Fn::ImportValue other-x: other stacks are not known here: it is taken to be "other-x"`,
			"t.yaml:2: function InS3: its code is not a folder of this machine, so it is not run here",
			"t.yaml:4: F: the variable A is a dynamic reference, which only AWS resolves",
			`t.yaml:5: Thing of C (Custom::Thing) is used but not known here: it is taken to be "chat-dev-C-Thing"`,
		})
	})
}

func checkWarnings(t *testing.T, out stacks.Outcome, want []string) {
	t.Helper()
	if len(out.Warnings) != len(want) {
		t.Fatalf("got %v, want %q", out.Warnings, want)
	}
	for i, w := range want {
		if got := out.Warnings[i].Error(); !strings.HasPrefix(got, w) {
			t.Errorf("got %q, want %q…", got, w)
		}
	}
}

// TestReferences resolves what environment variables of functions usually hold.
func TestReferences(t *testing.T) {
	const resources = `
  Api: {Type: "AWS::ApiGatewayV2::Api", Properties: {Name: a, ProtocolType: HTTP}}
  Stage: {Type: "AWS::ApiGatewayV2::Stage", Properties: {ApiId: !Ref Api, StageName: dev}}
  Queue: {Type: "AWS::SQS::Queue"}
  Named: {Type: "AWS::SQS::Queue", Properties: {QueueName: !Sub "jobs-${AWS::Region}"}}
  Topic: {Type: "AWS::SNS::Topic"}
  Bucket: {Type: "AWS::S3::Bucket"}
  Role: {Type: "AWS::IAM::Role"}
  Table: {Type: "AWS::DynamoDB::Table", Properties: {TableName: tt, KeySchema: [], AttributeDefinitions: []}}
  Machine: {Type: "AWS::StepFunctions::StateMachine"}
  Parameter: {Type: "AWS::SSM::Parameter", Properties: {Type: String, Value: hello}}
  Logs: {Type: "AWS::Logs::LogGroup", Properties: {LogGroupName: /x}}
  Other: {Type: "AWS::Lambda::Function", Properties: {FunctionName: other, Code: {S3Bucket: b}}}
  Version: {Type: "AWS::Lambda::Version", Properties: {FunctionName: !Ref Other}}
  Alias: {Type: "AWS::Lambda::Alias", Properties: {FunctionName: !GetAtt Other.Arn, Name: live, FunctionVersion: !GetAtt Version.Version}}
  Vpc: {Type: "AWS::EC2::VPC"}
  Thing: {Type: "AWS::IoT::Thing"}
`
	tests := map[string]string{
		"!Ref Queue": "https://sqs.eu-west-1.amazonaws.com/123456789012/chat-dev-Queue", "!GetAtt Queue.Arn": "arn:aws:sqs:eu-west-1:123456789012:chat-dev-Queue",
		"!GetAtt Named.QueueName": "jobs-eu-west-1", "!Ref Topic": "arn:aws:sns:eu-west-1:123456789012:chat-dev-Topic", "!GetAtt Topic.TopicName": "chat-dev-Topic",
		"!Ref Bucket": "chat-dev-bucket", "!GetAtt Bucket.Arn": "arn:aws:s3:::chat-dev-bucket", "!GetAtt Role.Arn": "arn:aws:iam::123456789012:role/chat-dev-Role",
		"!Ref Table": "tt", "!GetAtt Table.Arn": "arn:aws:dynamodb:eu-west-1:123456789012:table/tt", "!Ref Machine": "arn:aws:states:eu-west-1:123456789012:stateMachine:chat-dev-Machine",
		"!Ref Parameter": "/chat-dev-Parameter", "!GetAtt Parameter.Value": "hello", "!Ref Logs": "/x", "!Ref Other": "other",
		"!Ref Version": "arn:aws:lambda:eu-west-1:123456789012:function:other:1", "!GetAtt Version.Version": "1", "!Ref Alias": "arn:aws:lambda:eu-west-1:123456789012:function:other:live",
		"!Ref Vpc": "chat-dev-Vpc", "!GetAtt Thing.Arn": "arn:aws:iot:eu-west-1:123456789012:thing/chat-dev-Thing", "!Ref Stage": "dev",
		"!Ref AWS::StackName": "chat-dev",
	}
	text := "Resources:\n  F:\n    Type: AWS::Lambda::Function\n    Properties:\n      Code: {LocalPath: /x}\n      Runtime: r\n      Handler: h\n      Environment:\n        Variables:\n"
	names := slices.Sorted(maps.Keys(tests))
	for i, ref := range names {
		text += fmt.Sprintf("          V%d: %s\n", i, ref)
	}
	out := newWorld(t).apply(text + resources)
	for i, ref := range names {
		if got := out.Functions[0].Environment[fmt.Sprintf("V%d", i)]; got != tests[ref] {
			t.Errorf("%s is %q, want %q", ref, got, tests[ref])
		}
	}
	if want := []string{"AWS::ApiGatewayV2::Api (HTTP)", "AWS::ApiGatewayV2::Stage (HTTP)"}; !slices.Equal(out.LeftAlone[:2], want) {
		t.Errorf("left alone %q, want %q first", out.LeftAlone, want)
	}
}

func TestTables(t *testing.T) {
	out := newWorld(t).apply(`Resources:
  A:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: !Sub "${AWS::StackName}-connections"
      KeySchema: [{AttributeName: id, KeyType: HASH}]
      AttributeDefinitions: [{AttributeName: id, AttributeType: S}]
      ProvisionedThroughput: {ReadCapacityUnits: "5", WriteCapacityUnits: 1}
      GlobalSecondaryIndexes:
        - {IndexName: i, KeySchema: [{AttributeName: r, KeyType: HASH}], Projection: {ProjectionType: ALL}, ProvisionedThroughput: {ReadCapacityUnits: "1", WriteCapacityUnits: 1}, ContributorInsightsSpecification: {Enabled: true}}
      StreamSpecification: {StreamViewType: NEW_IMAGE}
      TimeToLiveSpecification: {AttributeName: !GetAtt Missing.Name, Enabled: true}
  B:
    Type: AWS::DynamoDB::Table
    Properties:
      KeySchema: []
      AttributeDefinitions: []
`)
	want := []string{
		`{"TableName":"chat-dev-connections","KeySchema":[{"AttributeName":"id","KeyType":"HASH"}],"AttributeDefinitions":[{"AttributeName":"id","AttributeType":"S"}],` +
			`"ProvisionedThroughput":{"ReadCapacityUnits":5,"WriteCapacityUnits":1},"GlobalSecondaryIndexes":[{"IndexName":"i","KeySchema":[{"AttributeName":"r","KeyType":"HASH"}],` +
			`"Projection":{"ProjectionType":"ALL"},"ProvisionedThroughput":{"ReadCapacityUnits":1,"WriteCapacityUnits":1}}],"StreamSpecification":{"StreamEnabled":true,"StreamViewType":"NEW_IMAGE"}}`,
		`{"TableName":"chat-dev-B","BillingMode":"PAY_PER_REQUEST","KeySchema":[],"AttributeDefinitions":[]}`,
	}
	if len(out.Tables) != 2 || out.Tables[0].Name != "chat-dev-connections" || out.Tables[0].LogicalID != "A" || out.Tables[0].Place.Line != 2 {
		t.Fatalf("tables %+v", out.Tables)
	}
	for i, w := range want {
		if got := string(out.Tables[i].CreateTable); got != w {
			t.Errorf("got\n%s\nwant\n%s", got, w)
		}
	}
}
