package stacks

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"cleat/internal/apigw"
	"cleat/internal/awsapi"
	"cleat/internal/cfn"
	"cleat/internal/draft"
)

// reference says what Ref and Fn::GetAtt of a resource that Cleat does not make give, so that environment variables and
// URIs resolve to what they would look like on AWS. In the texts {name} is the resource's name, {p} the partition, {r}
// the region, {a} the account, {s} the URL suffix, {id} an identifier of 12 letters and digits.
type reference struct {
	name       string // the property that names the resource; empty: none does
	ref        string // empty: {name}
	attributes map[string]string
}

const arnAttribute = "Arn"

// references are the resource types that functions of WebSocket apps refer to most. Others get the fallback.
var references = map[string]reference{
	"AWS::DynamoDB::Table": {"TableName", "", map[string]string{
		arnAttribute: "arn:{p}:dynamodb:{r}:{a}:table/{name}", "StreamArn": "arn:{p}:dynamodb:{r}:{a}:table/{name}/stream/2024-01-01T00:00:00.000",
	}},
	"AWS::DynamoDB::GlobalTable": {"TableName", "", map[string]string{
		arnAttribute: "arn:{p}:dynamodb:{r}:{a}:table/{name}", "TableId": "{id}",
		"StreamArn": "arn:{p}:dynamodb:{r}:{a}:table/{name}/stream/2024-01-01T00:00:00.000",
	}},
	"AWS::Lambda::Function": {"FunctionName", "", map[string]string{
		arnAttribute: "arn:{p}:lambda:{r}:{a}:function:{name}",
	}},
	"AWS::IAM::Role": {"RoleName", "", map[string]string{
		arnAttribute: "arn:{p}:iam::{a}:role/{name}", "RoleId": "AROA{ID}",
	}},
	"AWS::IAM::User":          {"UserName", "", map[string]string{arnAttribute: "arn:{p}:iam::{a}:user/{name}"}},
	"AWS::IAM::ManagedPolicy": {"ManagedPolicyName", "arn:{p}:iam::{a}:policy/{name}", nil},
	"AWS::SQS::Queue": {"QueueName", "https://sqs.{r}.{s}/{a}/{name}", map[string]string{
		arnAttribute: "arn:{p}:sqs:{r}:{a}:{name}", "QueueName": "{name}", "QueueUrl": "https://sqs.{r}.{s}/{a}/{name}",
	}},
	"AWS::SNS::Topic": {"TopicName", "arn:{p}:sns:{r}:{a}:{name}", map[string]string{
		"TopicArn": "arn:{p}:sns:{r}:{a}:{name}", "TopicName": "{name}",
	}},
	"AWS::S3::Bucket": {"BucketName", "", map[string]string{
		arnAttribute: "arn:{p}:s3:::{name}", "DomainName": "{name}.s3.{s}", "RegionalDomainName": "{name}.s3.{r}.{s}",
		"WebsiteURL": "http://{name}.s3-website-{r}.{s}", "DualStackDomainName": "{name}.s3.dualstack.{r}.{s}",
	}},
	"AWS::Kinesis::Stream":                 {"Name", "", map[string]string{arnAttribute: "arn:{p}:kinesis:{r}:{a}:stream/{name}"}},
	"AWS::KinesisFirehose::DeliveryStream": {"DeliveryStreamName", "", map[string]string{arnAttribute: "arn:{p}:firehose:{r}:{a}:deliverystream/{name}"}},
	"AWS::Logs::LogGroup":                  {"LogGroupName", "", map[string]string{arnAttribute: "arn:{p}:logs:{r}:{a}:log-group:{name}:*"}},
	"AWS::Events::EventBus":                {"Name", "", map[string]string{arnAttribute: "arn:{p}:events:{r}:{a}:event-bus/{name}", "Name": "{name}"}},
	"AWS::Events::Rule":                    {"Name", "", map[string]string{arnAttribute: "arn:{p}:events:{r}:{a}:rule/{name}"}},
	"AWS::StepFunctions::StateMachine": {"StateMachineName", "arn:{p}:states:{r}:{a}:stateMachine:{name}", map[string]string{
		arnAttribute: "arn:{p}:states:{r}:{a}:stateMachine:{name}", "Name": "{name}",
	}},
	"AWS::ApiGateway::DomainName": {"DomainName", "", map[string]string{
		"RegionalDomainName": regionalDomainName, "RegionalHostedZoneId": regionalHostedZone, "DomainNameArn": "arn:{p}:apigateway:{r}::/domainnames/{name}",
	}},
	"AWS::SecretsManager::Secret": {"Name", "arn:{p}:secretsmanager:{r}:{a}:secret:{name}-Ab1Cd2", map[string]string{"Id": "arn:{p}:secretsmanager:{r}:{a}:secret:{name}-Ab1Cd2"}},
	"AWS::SSM::Parameter":         {"Name", "", nil},
	vpcLinkType:                   {"Name", "", map[string]string{"VpcLinkId": "{name}"}},
	"AWS::KMS::Key":               {"", "{uuid}", map[string]string{arnAttribute: "arn:{p}:kms:{r}:{a}:key/{uuid}", "KeyId": "{uuid}"}},
	"AWS::Cognito::UserPool": {"", "{r}_{id9}", map[string]string{
		arnAttribute: "arn:{p}:cognito-idp:{r}:{a}:userpool/{r}_{id9}", "UserPoolId": "{r}_{id9}",
		"ProviderName": "cognito-idp.{r}.{s}/{r}_{id9}", "ProviderURL": "https://cognito-idp.{r}.{s}/{r}_{id9}",
	}},
	"AWS::Cognito::UserPoolClient": {"", "{id}{id}", map[string]string{"ClientId": "{id}{id}", "Name": "{name}"}},
	"AWS::Cognito::IdentityPool":   {"", "{r}:{uuid}", map[string]string{"Id": "{r}:{uuid}", "Name": "{name}"}},
	"AWS::ElastiCache::ReplicationGroup": {"ReplicationGroupId", "", map[string]string{
		"PrimaryEndPoint.Address": "{name}.{id9}.cache.{s}", "PrimaryEndPoint.Port": "6379",
	}},
}

// What AWS fills in of a custom domain name.
const (
	regionalDomainName = "d-{id10}.execute-api.{r}.{s}"
	regionalHostedZone = "Z{ID}"
)

// complete are the types of which no attribute is missing above, so that another one is a slip of the pen.
var complete = []string{"AWS::DynamoDB::Table", "AWS::Lambda::Function", "AWS::IAM::Role", "AWS::SQS::Queue", "AWS::SNS::Topic"}

// attribute answers Ref (an empty attribute) and Fn::GetAtt for the evaluator.
func (a *application) attribute(r *cfn.Resource, attribute string) (*cfn.Value, error) {
	if kind, ok := strings.CutPrefix(r.Type, apiGateway); ok {
		return a.apiAttribute(r, kind, attribute)
	}
	if isUsage(r) {
		return a.usageAttribute(r, attribute)
	}
	if r.Type == "AWS::Lambda::Version" || r.Type == "AWS::Lambda::Alias" {
		return a.qualifiedFunction(r, attribute)
	}
	if r.Type == "AWS::SSM::Parameter" && attribute != "" {
		return a.evaluator.Evaluate(r.Properties.Get(attribute))
	}
	known, ok := references[r.Type]
	text := known.ref
	switch {
	case ok && attribute == "":
	case ok && known.attributes[attribute] != "":
		text = known.attributes[attribute]
	case slices.Contains(complete, r.Type):
		return nil, fmt.Errorf("%s of type %s has no attribute %s", r.LogicalID, r.Type, attribute)
	case attribute != "":
		return a.madeUp(r, attribute), nil
	}
	if text == "" {
		text = "{name}"
	}
	name, err := a.physicalName(r, known.name)
	if err != nil {
		return nil, err
	}
	return cfn.TextOf(r.Place, a.fill(r, text, name)), nil
}

// fill puts values into a reference's text.
func (a *application) fill(r *cfn.Resource, text, name string) string {
	id := func(length int) string { return draft.DeriveID(length, a.stack.Name, r.LogicalID) }
	hex := draft.DeriveID(32, a.stack.Name, r.LogicalID, "uuid")
	hex = strings.Map(func(c rune) rune { // base 36 to base 16
		return rune("0123456789abcdef"[c%16])
	}, hex)
	return strings.NewReplacer(
		"{name}", name, "{p}", awsapi.Partition(a.stack.Region), "{r}", a.stack.Region, "{a}", a.stack.Account, "{s}", awsapi.URLSuffix(a.stack.Region),
		"{id}", id(12), "{ID}", strings.ToUpper(id(12)), "{id9}", id(9), "{id10}", id(10),
		"{uuid}", hex[:8]+"-"+hex[8:12]+"-4"+hex[13:16]+"-8"+hex[17:20]+"-"+hex[20:],
	).Replace(text)
}

// physicalName is the name that a property gives a resource, or one made of stack and logical ID.
func (a *application) physicalName(r *cfn.Resource, property string) (string, error) {
	if own := r.Properties.Get(property); property != "" && own != nil {
		v, err := a.evaluator.Evaluate(own)
		if err != nil {
			return "", err
		}
		if s, ok := v.Scalar(); ok && s != "" {
			return s, nil
		}
	}
	name := a.stack.Name + "-" + r.LogicalID
	switch r.Type {
	case "AWS::S3::Bucket":
		return strings.ToLower(name), nil
	case "AWS::SSM::Parameter", "AWS::Logs::LogGroup":
		return "/" + name, nil
	case "AWS::Lambda::Function", "AWS::IAM::Role":
		return name[:min(len(name), 64)], nil
	}
	return name, nil
}

// madeUp is the attribute of a resource type that nobody told us about. The first use of each is worth a warning.
func (a *application) madeUp(r *cfn.Resource, attribute string) *cfn.Value {
	value := a.stack.Name + "-" + r.LogicalID + "-" + strings.ReplaceAll(attribute, ".", "-")
	if parts := strings.Split(r.Type, "::"); attribute == arnAttribute && len(parts) == 3 {
		value = a.fill(r, "arn:{p}:"+strings.ToLower(parts[1])+":{r}:{a}:"+strings.ToLower(parts[2])+"/{name}", a.stack.Name+"-"+r.LogicalID)
	}
	if key := r.LogicalID + "." + attribute; !a.guessed[key] {
		a.guessed[key] = true
		a.warnings.Addf(r.Place, "%s of %s (%s) is used but not known here: it is taken to be %q", attribute, r.LogicalID, r.Type, value)
	}
	return cfn.TextOf(r.Place, value)
}

// imported is what another stack exports: nobody knows it here.
func (a *application) imported(name string) (*cfn.Value, error) {
	if key := "import " + name; !a.guessed[key] {
		a.guessed[key] = true
		a.warnings.Addf(a.template.Value.Place, "Fn::ImportValue %s: other stacks are not known here: it is taken to be %q", name, name)
	}
	return cfn.TextOf(cfn.Place{}, name), nil
}

// apiAttribute answers for AWS::ApiGatewayV2 resources.
func (a *application) apiAttribute(r *cfn.Resource, kind, attribute string) (*cfn.Value, error) {
	id := a.idOf(r)
	switch {
	case kind == "Stage" && attribute == "":
		return a.evaluator.Evaluate(r.Properties.Get("StageName"))
	case kind == "DomainName" && attribute == "":
		return a.evaluator.Evaluate(r.Properties.Get("DomainName"))
	case kind == "Api" && attribute == "ApiEndpoint":
		return cfn.TextOf(r.Place, awsapi.APIEndpoint(a.stack.Region, apigw.APIID(id))), nil
	case attribute == "", attribute == kind+"Id":
		return cfn.TextOf(r.Place, id), nil
	case kind == "DomainName" && attribute == "RegionalDomainName":
		return cfn.TextOf(r.Place, a.fill(r, regionalDomainName, "")), nil
	case kind == "DomainName" && attribute == "RegionalHostedZoneId":
		return cfn.TextOf(r.Place, a.fill(r, regionalHostedZone, "")), nil
	case kind == "DomainName" && attribute == "DomainNameArn":
		name, err := a.evaluator.Evaluate(r.Properties.Get("DomainName"))
		if err != nil {
			return nil, err
		}
		return cfn.TextOf(r.Place, awsapi.DomainNameARN(a.stack.Region, strings.ToLower(name.Str()))), nil
	}
	return nil, fmt.Errorf("%s of type %s has no attribute %s", r.LogicalID, r.Type, attribute)
}

// idOf is the identifier of a resource of this stack, which never changes. A deployment's real identifier follows its
// content; this one stands for it until the content is known.
func (a *application) idOf(r *cfn.Resource) string {
	length := draft.IDLength
	if r.Type == apiGateway+"Api" || r.Type == keyType {
		length = draft.APIIDLength
	}
	return draft.DeriveID(length, a.stack.Name, r.LogicalID)
}

// qualifiedFunction answers for versions and aliases of functions.
func (a *application) qualifiedFunction(r *cfn.Resource, attribute string) (*cfn.Value, error) {
	property, qualifier := "Version", "1"
	if r.Type == "AWS::Lambda::Alias" {
		property = "AliasArn"
		v, err := a.evaluator.Evaluate(r.Properties.Get("Name"))
		if err != nil {
			return nil, err
		}
		qualifier = v.Str()
	}
	if attribute == "Version" && property == "Version" {
		return cfn.TextOf(r.Place, qualifier), nil
	}
	v, err := a.evaluator.Evaluate(r.Properties.Get("FunctionName"))
	if err != nil {
		return nil, err
	}
	function := v.Str()
	if function == "" || qualifier == "" {
		return nil, errors.New(r.LogicalID + " needs a FunctionName, and an alias a Name")
	}
	if !strings.HasPrefix(function, "arn:") {
		function = a.fill(r, "arn:{p}:lambda:{r}:{a}:function:{name}", function)
	}
	if attribute != "" && attribute != property && attribute != "FunctionArn" {
		return nil, fmt.Errorf("%s of type %s has no attribute %s", r.LogicalID, r.Type, attribute)
	}
	return cfn.TextOf(r.Place, function+":"+qualifier), nil
}
