package sam

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"cleat/internal/cfn"
)

// Properties of AWS::Serverless::Function: those that Lambda has under the same name, and SAM's own.
var (
	lambdaProperties = []string{
		"FunctionName", "Handler", "Runtime", "Description", "MemorySize", "Timeout", "VpcConfig", "Environment", "Layers", "PackageType", "ImageConfig",
		"ReservedConcurrentExecutions", "Architectures", "EphemeralStorage", "FileSystemConfigs", "CodeSigningConfigArn", "SnapStart",
		"RuntimeManagementConfig", "LoggingConfig", "RecursiveLoop", "KmsKeyArn", "TenancyConfig", "DurableConfig",
	}
	functionProperties = append([]string{
		"CodeUri", "InlineCode", "ImageUri", "Role", "Policies", "Events", "Tags", "Tracing", "DeadLetterQueue", "DeploymentPreference", "AutoPublishAlias",
		"AutoPublishAliasAllProperties", "AutoPublishCodeSha256", "VersionDescription", "ProvisionedConcurrencyConfig", "RolePath", "PermissionsBoundary",
		"AssumeRolePolicyDocument", "EventInvokeConfig", "FunctionUrlConfig", "PropagateTags", "SourceKMSKeyArn", "CapacityProviderConfig",
		"FunctionScalingConfig", "PublishToLatestPublished", "VersionDeletionPolicy",
	}, lambdaProperties...)
)

const (
	lambdaType     = "AWS::Lambda::"
	permissionType = lambdaType + "Permission"
	roleType       = "AWS::IAM::Role"
)

func (x *expansion) function(m *made) {
	x.checkKeys(m.props, m.id, functionProperties)
	props := cfn.MapOf(m.place, "Code", x.code(m))
	for _, e := range m.props.Keys {
		if slices.Contains(lambdaProperties, e.Key) && e.Value != nil && e.Value.Kind != cfn.Null {
			props.Keys = append(props.Keys, e)
		}
	}
	if role := m.has("Role"); role != nil {
		props.Set(cfn.Entry{Key: "Role", Place: role.Place, Value: role})
	} else {
		x.generate(m, m.id+"Role", roleType, nil)
		props.Set(cfn.Entry{Key: "Role", Place: m.place, Value: cfn.GetAtt(m.place, m.id+"Role", "Arn")})
	}
	x.put(m, lambdaType+"Function", props)
	x.alias(m)
	if url := m.has("FunctionUrlConfig"); url != nil {
		x.generate(m, m.id+"Url", lambdaType+"Url", cfn.MapOf(url.Place, "TargetFunctionArn", cfn.Ref(m.place, m.id)))
		x.leaveAlone("FunctionUrlConfig")
	}
	for _, e := range m.props.Get("Events").Entries() {
		x.event(m, e)
	}
}

// code is where a function's code is, as `aws cloudformation package` takes it: a path, a place in S3, or the code itself.
func (x *expansion) code(m *made) *cfn.Value {
	if inline := m.has("InlineCode"); inline != nil {
		return cfn.MapOf(inline.Place, "ZipFile", inline)
	}
	if image := m.has("ImageUri"); image != nil {
		return cfn.MapOf(image.Place, "ImageUri", image)
	}
	uri := m.has("CodeUri")
	if uri == nil {
		if m.props.Get("PackageType").Str() == "Image" {
			return cfn.MapOf(m.place, "ImageUri", cfn.TextOf(m.place, m.id))
		}
		return cfn.TextOf(m.place, ".") // as `sam build` takes it
	}
	if uri.Is(cfn.Map) && uri.Get("Bucket") != nil {
		return cfn.MapOf(uri.Place, "S3Bucket", uri.Get("Bucket"), "S3Key", uri.Get("Key"), "S3ObjectVersion", uri.Get("Version"))
	}
	s, ok := x.text(uri)
	if !ok {
		x.faults.Addf(uri.Place, "CodeUri of %s must be a path, an s3:// URL, or a map of Bucket and Key", m.id)
		return nil
	}
	if rest, ok := strings.CutPrefix(s, "s3://"); ok {
		bucket, key, _ := strings.Cut(rest, "/")
		return cfn.MapOf(uri.Place, "S3Bucket", cfn.TextOf(uri.Place, bucket), "S3Key", cfn.TextOf(uri.Place, key))
	}
	return cfn.TextOf(uri.Place, s)
}

// alias makes the version and the alias that AutoPublishAlias asks for.
func (x *expansion) alias(m *made) {
	v := m.has("AutoPublishAlias")
	if v == nil {
		return
	}
	name, ok := x.text(v)
	if !ok {
		x.faults.Addf(v.Place, "AutoPublishAlias of %s must be a text, or a reference to a parameter", m.id)
		return
	}
	if name == "" {
		return
	}
	version, alias := m.id+"Version"+shortHash(m.props.Get("CodeUri")), m.id+"Alias"+lettersAndDigits(name)
	x.renamed[m.id+".Version"], x.renamed[m.id+".Alias"] = version, alias
	x.generate(m, version, lambdaType+"Version", cfn.MapOf(m.place, "FunctionName", cfn.Ref(m.place, m.id)))
	x.generate(m, alias, lambdaType+"Alias", cfn.MapOf(v.Place, "Name", cfn.TextOf(v.Place, name),
		"FunctionName", cfn.Ref(m.place, m.id), "FunctionVersion", cfn.GetAtt(m.place, version, "Version")))
}

// shortHash is ten hexadecimal digits, which SAM puts behind names of what must be new when the thing hashed is.
func shortHash(v *cfn.Value) string {
	sum := sha256.Sum256(v.AppendJSON(nil))
	return hex.EncodeToString(sum[:5])
}

func lettersAndDigits(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, s)
}

// eventResources are the types of what SAM makes of a function's events, under the function's name and the event's. Types
// without one bring nothing that a template could refer to.
var eventResources = map[string]string{
	"Schedule": "AWS::Events::Rule", "ScheduleV2": "AWS::Scheduler::Schedule", "CloudWatchEvent": "AWS::Events::Rule", "EventBridgeRule": "AWS::Events::Rule",
	"SQS": eventSource, "Kinesis": eventSource, "DynamoDB": eventSource, "MSK": eventSource, "MQ": eventSource, "SelfManagedKafka": eventSource, "DocumentDB": eventSource,
	"SNS": "AWS::SNS::Subscription", "CloudWatchLogs": "AWS::Logs::SubscriptionFilter", "IoTRule": "AWS::IoT::TopicRule",
	"S3": "", "Api": "", "HttpApi": "", "AlexaSkill": "", "Cognito": "",
}

const eventSource = lambdaType + "EventSourceMapping"

// event leaves an event of a function alone, but for the names that come of it.
func (x *expansion) event(m *made, e cfn.Entry) {
	typ := e.Value.Get("Type").Str()
	resource, known := eventResources[typ]
	if !known {
		x.faults.Addf(e.Place, "event %s of %s has the type %q, which SAM does not know; routes of a WebSocket API are in an AWS::Serverless::WebSocketApi, or AWS::ApiGatewayV2 resources",
			e.Key, m.id, typ)
		return
	}
	x.leaveAlone("event " + typ)
	id := m.id + e.Key
	if resource != "" {
		x.generate(m, id, resource, nil)
	}
	switch {
	case typ == "Api" && e.Value.Path("Properties", "RestApiId") == nil:
		x.generate(m, "ServerlessRestApi", restAPIType, nil)
		x.generate(m, "ServerlessRestApiProdStage", restStageType, cfn.MapOf(m.place, "StageName", cfn.TextOf(m.place, "Prod")))
	case typ == "HttpApi" && e.Value.Path("Properties", "ApiId") == nil:
		x.generate(m, "ServerlessHttpApi", apiType, cfn.MapOf(m.place, "ProtocolType", cfn.TextOf(m.place, "HTTP"), "Name", cfn.TextOf(m.place, "ServerlessHttpApi")))
		x.generate(m, "ServerlessHttpApiApiGatewayDefaultStage", stageType, cfn.MapOf(m.place,
			"ApiId", cfn.Ref(m.place, "ServerlessHttpApi"), "StageName", cfn.TextOf(m.place, "$default")))
	}
	x.generate(m, id+"Permission", permissionType, nil)
}
