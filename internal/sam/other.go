package sam

import (
	"maps"
	"slices"
	"strings"

	"cleat/internal/cfn"
)

const (
	restAPIType   = "AWS::ApiGateway::RestApi"
	restStageType = "AWS::ApiGateway::Stage"
)

// left are SAM's types that are given no effect, with the types that stand for them.
var left = map[string]string{
	"Api": restAPIType, "HttpApi": apiType, "StateMachine": "AWS::StepFunctions::StateMachine", "LayerVersion": lambdaType + "LayerVersion",
	"GraphQLApi": "AWS::AppSync::GraphQLApi", "Connector": "AWS::IAM::ManagedPolicy", "CapacityProvider": lambdaType + "CapacityProvider",
}

// other leaves a resource alone, but for what others may refer to of it.
func (x *expansion) other(m *made, kind string) {
	typ, ok := left[kind]
	if !ok {
		known := append(slices.Sorted(maps.Keys(left)), "Application", "Function", "SimpleTable", "WebSocketApi")
		x.faults.Addf(m.place, "%s: SAM has no type %s%s: want one of %s, each after %s", m.id, typePrefix, kind, strings.Join(known, ", "), typePrefix)
		return
	}
	x.leaveAlone(typePrefix + kind)
	stage := m.has("StageName")
	at := m.place
	switch kind {
	case "Api":
		x.generate(m, m.id, typ, cfn.MapOf(at, "Name", m.has("Name")))
		x.renamed[m.id+".Stage"], x.renamed[m.id+".Deployment"] = m.id+lettersAndDigits(stage.Str())+"Stage", m.id+"Deployment"
		x.generate(m, x.renamed[m.id+".Stage"], restStageType, cfn.MapOf(at, "StageName", stage))
		x.generate(m, m.id+"Deployment", "AWS::ApiGateway::Deployment", nil)
	case "HttpApi":
		x.generate(m, m.id, typ, cfn.MapOf(at, "ProtocolType", cfn.TextOf(at, "HTTP"), "Name", cfn.TextOf(at, m.id)))
		id := m.id + lettersAndDigits(stage.Str()) + "Stage"
		if stage == nil {
			id, stage = m.id+"ApiGatewayDefaultStage", cfn.TextOf(at, "$default")
		}
		x.renamed[m.id+".Stage"] = id
		x.generate(m, id, stageType, cfn.MapOf(at, "ApiId", cfn.Ref(at, m.id), "StageName", stage))
	case "StateMachine":
		x.generate(m, m.id, typ, cfn.MapOf(at, "StateMachineName", m.has("Name")))
		x.generate(m, m.id+"Role", roleType, nil)
	case "Connector":
		x.generate(m, m.id+"Policy", typ, nil)
	default:
		x.generate(m, m.id, typ, nil)
	}
}

var keyTypes = map[string]string{"String": "S", "Number": "N", "Binary": "B"}

// simpleTable expands an AWS::Serverless::SimpleTable.
func (x *expansion) simpleTable(m *made) {
	x.checkKeys(m.props, m.id, []string{"PrimaryKey", "ProvisionedThroughput", "TableName", "SSESpecification", "PointInTimeRecoverySpecification", "Tags"})
	at := m.place
	name, typ := cfn.TextOf(at, "id"), "String"
	if key := m.has("PrimaryKey"); key != nil {
		name, typ = key.Get("Name"), key.Get("Type").Str()
		if name == nil || keyTypes[typ] == "" {
			x.faults.Addf(key.Place, "%s: PrimaryKey needs a Name and a Type, which is String, Number or Binary", m.id)
			return
		}
	}
	props := cfn.MapOf(at,
		"TableName", m.has("TableName"),
		"AttributeDefinitions", cfn.ListOf(at, cfn.MapOf(at, "AttributeName", name, "AttributeType", cfn.TextOf(at, keyTypes[typ]))),
		"KeySchema", cfn.ListOf(at, cfn.MapOf(at, "AttributeName", name, "KeyType", cfn.TextOf(at, "HASH"))),
		"ProvisionedThroughput", m.has("ProvisionedThroughput"))
	if m.has("ProvisionedThroughput") == nil {
		props.Set(cfn.Entry{Key: "BillingMode", Place: at, Value: cfn.TextOf(at, "PAY_PER_REQUEST")})
	}
	x.put(m, "AWS::DynamoDB::Table", props)
}

// application makes a nested stack of an application whose template is a file. Others are in a repository of AWS's.
func (x *expansion) application(m *made) {
	location := m.has("Location")
	if location.Is(cfn.Map) && location.Get("ApplicationId") != nil {
		x.leaveAlone(typePrefix + "Application")
		x.generate(m, m.id, "AWS::CloudFormation::Stack", nil)
		return
	}
	if location == nil {
		x.faults.Addf(m.place, "%s has no Location: the path of a template", m.id)
		return
	}
	x.put(m, "AWS::CloudFormation::Stack", cfn.MapOf(m.place, "TemplateURL", location, "Parameters", m.has("Parameters")))
}
