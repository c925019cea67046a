package stacks

import (
	"slices"
	"strings"

	"cleat/internal/cfn"
)

// resourceType says which properties a CloudFormation resource may have (spec control-plane §15).
type resourceType struct {
	properties []string // that become members of the definition, by the same name with a small first letter
	handled    []string // that apply reads itself
	httpOnly   []string // that only HTTP APIs have
}

const apiGateway = "AWS::ApiGatewayV2::"

var resourceTypes = map[string]resourceType{
	"Api": {
		properties: []string{"ApiKeySelectionExpression", "Description", "DisableExecuteApiEndpoint", "DisableSchemaValidation", "IpAddressType", "Name", "ProtocolType", "RouteSelectionExpression", "Tags", "Version"},
		httpOnly:   []string{"BasePath", "Body", "BodyS3Location", "CorsConfiguration", "CredentialsArn", "FailOnWarnings", "RouteKey", "Target"},
	},
	"Route": {
		properties: []string{"ApiKeyRequired", "AuthorizationType", "AuthorizerId", "ModelSelectionExpression", "OperationName", "RequestModels", "RequestParameters", "RouteKey", "RouteResponseSelectionExpression", "Target"},
		handled:    []string{"ApiId"}, httpOnly: []string{"AuthorizationScopes"},
	},
	"RouteResponse": {
		properties: []string{"ModelSelectionExpression", "ResponseModels", "ResponseParameters", "RouteId", "RouteResponseKey"},
		handled:    []string{"ApiId"},
	},
	"Integration": {
		properties: []string{"ConnectionId", "ConnectionType", "ContentHandlingStrategy", "CredentialsArn", "Description", "IntegrationMethod", "IntegrationType", "IntegrationUri", "PassthroughBehavior", "PayloadFormatVersion", "RequestParameters", "RequestTemplates", "TemplateSelectionExpression", "TimeoutInMillis"},
		handled:    []string{"ApiId"}, httpOnly: []string{"IntegrationSubtype", "ResponseParameters", "TlsConfig"},
	},
	"IntegrationResponse": {
		properties: []string{"ContentHandlingStrategy", "IntegrationId", "IntegrationResponseKey", "ResponseParameters", "ResponseTemplates", "TemplateSelectionExpression"},
		handled:    []string{"ApiId"},
	},
	"Authorizer": {
		properties: []string{"AuthorizerCredentialsArn", "AuthorizerResultTtlInSeconds", "AuthorizerType", "AuthorizerUri", "IdentitySource", "IdentityValidationExpression", "Name"},
		handled:    []string{"ApiId"},
		httpOnly:   []string{"AuthorizerPayloadFormatVersion", "EnableSimpleResponses", "JwtConfiguration"},
	},
	"Model": {
		properties: []string{"ContentType", "Description", "Name"}, handled: []string{"ApiId", "Schema"},
	},
	"Deployment": {handled: []string{"ApiId", "Description", "StageName"}},
	"Stage": {
		properties: []string{"AccessLogSettings", "AutoDeploy", "ClientCertificateId", "DefaultRouteSettings", "DeploymentId", "Description", "RouteSettings", "StageName", "StageVariables", "Tags"},
		handled:    []string{"ApiId", "AccessPolicyId"},
	},
	"DomainName": {
		properties: []string{"DomainName", "DomainNameConfigurations", "RoutingMode", "Tags"}, handled: []string{"MutualTlsAuthentication"},
	},
	"ApiMapping": {properties: []string{"ApiId", "ApiMappingKey", "DomainName", "Stage"}},
}

// checkProperties refuses properties that a resource does not have.
func checkProperties(r *cfn.Resource, t resourceType, faults *cfn.Faults) {
	for _, e := range r.Properties.Entries() {
		switch {
		case slices.Contains(t.properties, e.Key), slices.Contains(t.handled, e.Key):
		case slices.Contains(t.httpOnly, e.Key):
			faults.Addf(e.Place, "%s: %s is for HTTP APIs; a WebSocket API has no such property", r.LogicalID, e.Key)
		default:
			faults.Addf(e.Place, "%s: extraneous key [%s] is not permitted; %s has %s", r.LogicalID, e.Key, r.Type, strings.Join(slices.Concat(t.handled, t.properties), ", "))
		}
	}
}
