package apigw

import (
	"encoding/json"
	"time"
)

// The reserved route keys (spec data-plane §4.1). A route response has one legal key, which is RouteDefault's text.
const (
	RouteConnect    = "$connect"
	RouteDisconnect = "$disconnect"
	RouteDefault    = "$default"
)

// API is the root of everything that belongs to one WebSocket API (spec control-plane §3).
type API struct {
	APIID                     APIID             `json:"apiId"`
	Name                      string            `json:"name"`
	Description               string            `json:"description,omitempty"`
	ProtocolType              string            `json:"protocolType"`
	RouteSelectionExpression  string            `json:"routeSelectionExpression"`
	APIKeySelectionExpression string            `json:"apiKeySelectionExpression,omitempty"`
	APIEndpoint               string            `json:"apiEndpoint,omitempty"`
	DisableExecuteAPIEndpoint bool              `json:"disableExecuteApiEndpoint"`
	DisableSchemaValidation   bool              `json:"disableSchemaValidation,omitempty"`
	IPAddressType             string            `json:"ipAddressType,omitempty"`
	Version                   string            `json:"version,omitempty"`
	CreatedDate               time.Time         `json:"createdDate"`
	Tags                      map[string]string `json:"tags,omitempty"`
}

// Authorization types of a route (spec control-plane §4).
const (
	AuthorizationNone   = "NONE"
	AuthorizationIAM    = "AWS_IAM"
	AuthorizationCustom = "CUSTOM"
)

// Route sends the events of one route key to an integration (spec control-plane §4).
type Route struct {
	RouteID                          string                         `json:"routeId"`
	RouteKey                         string                         `json:"routeKey"`
	Target                           string                         `json:"target,omitempty"` // "integrations/{integrationId}"
	AuthorizationType                string                         `json:"authorizationType,omitempty"`
	AuthorizerID                     string                         `json:"authorizerId,omitempty"`
	APIKeyRequired                   bool                           `json:"apiKeyRequired"`
	ModelSelectionExpression         string                         `json:"modelSelectionExpression,omitempty"`
	OperationName                    string                         `json:"operationName,omitempty"`
	RequestModels                    map[string]string              `json:"requestModels,omitempty"`
	RequestParameters                map[string]ParameterConstraint `json:"requestParameters,omitempty"`
	RouteResponseSelectionExpression string                         `json:"routeResponseSelectionExpression,omitempty"`
}

// ParameterConstraint says whether a request parameter must be present.
type ParameterConstraint struct {
	Required bool `json:"required"`
}

// RouteResponse makes its route two-way (spec data-plane §5, control-plane §5).
type RouteResponse struct {
	RouteResponseID          string                         `json:"routeResponseId"`
	RouteID                  string                         `json:"routeId,omitempty"`
	RouteResponseKey         string                         `json:"routeResponseKey"`
	ModelSelectionExpression string                         `json:"modelSelectionExpression,omitempty"`
	ResponseModels           map[string]string              `json:"responseModels,omitempty"`
	ResponseParameters       map[string]ParameterConstraint `json:"responseParameters,omitempty"`
}

// IntegrationType says how an integration reaches its backend (spec events-and-integrations §5).
type IntegrationType string

// The integration types of WebSocket APIs.
const (
	IntegrationAWSProxy  IntegrationType = "AWS_PROXY"
	IntegrationAWS       IntegrationType = "AWS"
	IntegrationHTTPProxy IntegrationType = "HTTP_PROXY"
	IntegrationHTTP      IntegrationType = "HTTP"
	IntegrationMock      IntegrationType = "MOCK"
)

// Integration is how a route reaches its backend (spec control-plane §6).
type Integration struct {
	IntegrationID                          string            `json:"integrationId"`
	IntegrationType                        IntegrationType   `json:"integrationType"`
	IntegrationURI                         string            `json:"integrationUri,omitempty"`
	IntegrationMethod                      string            `json:"integrationMethod,omitempty"`
	ConnectionType                         string            `json:"connectionType,omitempty"`
	ConnectionID                           string            `json:"connectionId,omitempty"` // of a VPC link
	ContentHandlingStrategy                string            `json:"contentHandlingStrategy,omitempty"`
	CredentialsARN                         string            `json:"credentialsArn,omitempty"`
	Description                            string            `json:"description,omitempty"`
	PassthroughBehavior                    string            `json:"passthroughBehavior,omitempty"`
	PayloadFormatVersion                   string            `json:"payloadFormatVersion,omitempty"`
	RequestParameters                      map[string]string `json:"requestParameters,omitempty"`
	RequestTemplates                       map[string]string `json:"requestTemplates,omitempty"`
	TemplateSelectionExpression            string            `json:"templateSelectionExpression,omitempty"`
	IntegrationResponseSelectionExpression string            `json:"integrationResponseSelectionExpression,omitempty"`
	TimeoutInMillis                        int               `json:"timeoutInMillis,omitempty"` // zero means QuotaIntegrationTimeout
}

// Timeout is the integration's time-out, with the default where it has none.
func (i *Integration) Timeout() time.Duration {
	if i.TimeoutInMillis == 0 {
		return QuotaIntegrationTimeout
	}
	return time.Duration(i.TimeoutInMillis) * time.Millisecond
}

// IntegrationResponse shapes what a non-proxy integration answers (spec control-plane §7).
type IntegrationResponse struct {
	IntegrationResponseID       string            `json:"integrationResponseId"`
	IntegrationID               string            `json:"integrationId,omitempty"`
	IntegrationResponseKey      string            `json:"integrationResponseKey"`
	ContentHandlingStrategy     string            `json:"contentHandlingStrategy,omitempty"`
	ResponseParameters          map[string]string `json:"responseParameters,omitempty"`
	ResponseTemplates           map[string]string `json:"responseTemplates,omitempty"`
	TemplateSelectionExpression string            `json:"templateSelectionExpression,omitempty"`
}

// Authorizer decides at $connect who may connect (spec control-plane §8).
type Authorizer struct {
	AuthorizerID             string   `json:"authorizerId"`
	Name                     string   `json:"name"`
	AuthorizerType           string   `json:"authorizerType"`
	AuthorizerURI            string   `json:"authorizerUri,omitempty"`
	AuthorizerCredentialsARN string   `json:"authorizerCredentialsArn,omitempty"`
	IdentitySource           []string `json:"identitySource,omitempty"`
	// A WebSocket API makes no use of the two below: it caches nothing and validates no identity.
	AuthorizerResultTTLInSeconds int    `json:"authorizerResultTtlInSeconds,omitempty"`
	IdentityValidationExpression string `json:"identityValidationExpression,omitempty"`
}

// Model is a payload schema: JSON Schema draft-04 as text (spec control-plane §9).
type Model struct {
	ModelID     string `json:"modelId"`
	Name        string `json:"name"`
	ContentType string `json:"contentType,omitempty"`
	Description string `json:"description,omitempty"`
	Schema      string `json:"schema"`
}

// Definition is what a deployment freezes (spec control-plane §10): all that decides how events are routed, and
// nothing that belongs to a stage. A Definition is never changed once it is in a Deployment.
type Definition struct {
	RouteSelectionExpression  string                `json:"routeSelectionExpression"`
	APIKeySelectionExpression string                `json:"apiKeySelectionExpression,omitempty"`
	DisableExecuteAPIEndpoint bool                  `json:"disableExecuteApiEndpoint,omitempty"`
	DisableSchemaValidation   bool                  `json:"disableSchemaValidation,omitempty"`
	Routes                    []Route               `json:"routes"`
	RouteResponses            []RouteResponse       `json:"routeResponses,omitempty"`
	Integrations              []Integration         `json:"integrations,omitempty"`
	IntegrationResponses      []IntegrationResponse `json:"integrationResponses,omitempty"`
	Authorizers               []Authorizer          `json:"authorizers,omitempty"`
	Models                    []Model               `json:"models,omitempty"`
}

// Deployment is an immutable copy of an API's definition; a Stage points at one. The Definition itself is kept beside it,
// for it is large and few want it.
type Deployment struct {
	DeploymentID string    `json:"deploymentId"`
	CreatedDate  time.Time `json:"createdDate"`
	Description  string    `json:"description,omitempty"`
	AutoDeployed bool      `json:"autoDeployed"`
	Status       string    `json:"deploymentStatus"`
}

// Stage publishes one deployment of its API under a name (spec control-plane §11).
type Stage struct {
	StageName            string                   `json:"stageName"`
	DeploymentID         string                   `json:"deploymentId,omitempty"`
	AutoDeploy           bool                     `json:"autoDeploy,omitempty"`
	Description          string                   `json:"description,omitempty"`
	StageVariables       map[string]string        `json:"stageVariables,omitempty"`
	DefaultRouteSettings *RouteSettings           `json:"defaultRouteSettings,omitempty"`
	RouteSettings        map[string]RouteSettings `json:"routeSettings,omitempty"`
	AccessLogSettings    *AccessLogSettings       `json:"accessLogSettings,omitempty"`
	ClientCertificateID  string                   `json:"clientCertificateId,omitempty"` // kept; HTTP backends see no certificate
	// LastDeploymentStatusMessage tells what became of the last automatic deployment.
	LastDeploymentStatusMessage string            `json:"lastDeploymentStatusMessage,omitempty"`
	CreatedDate                 time.Time         `json:"createdDate"`
	LastUpdatedDate             time.Time         `json:"lastUpdatedDate"`
	Tags                        map[string]string `json:"tags,omitempty"`
}

// RouteSettings are a stage's settings for one route key, or for all.
type RouteSettings struct {
	DataTraceEnabled       bool    `json:"dataTraceEnabled,omitempty"`
	DetailedMetricsEnabled bool    `json:"detailedMetricsEnabled"`
	LoggingLevel           string  `json:"loggingLevel,omitempty"`
	ThrottlingBurstLimit   int     `json:"throttlingBurstLimit,omitempty"`
	ThrottlingRateLimit    float64 `json:"throttlingRateLimit,omitempty"`
}

// Throttle is the throttling part of the settings.
func (s RouteSettings) Throttle() ThrottleSettings {
	return ThrottleSettings{BurstLimit: s.ThrottlingBurstLimit, RateLimit: s.ThrottlingRateLimit}
}

// AccessLogSettings say where access-log lines go and how they look.
type AccessLogSettings struct {
	DestinationARN string `json:"destinationArn,omitempty"`
	Format         string `json:"format,omitempty"`
}

// Function is a Lambda function whose code is on this machine: in a folder, or in a zip file that was uploaded.
type Function struct {
	Name    string `json:"functionName"`
	ARN     string `json:"functionArn"`
	Runtime string `json:"runtime"`           // such as "nodejs20.x", "python3.12", "provided.al2023"
	Handler string `json:"handler"`           // such as "src/app.handler"
	CodeDir string `json:"codeDir,omitempty"` // absolute path of the task root; empty: CodeSHA256 says where it is
	// CodeSHA256 names a zip file of code that this node keeps, by the SHA-256 of its bytes in hexadecimal.
	CodeSHA256  string            `json:"codeSha256,omitempty"`
	CodeSize    int64             `json:"codeSize,omitempty"`    // of that zip file, in bytes
	Environment map[string]string `json:"environment,omitempty"` // the user's own variables
	Timeout     time.Duration     `json:"timeout"`               // zero means QuotaFunctionTimeout
	MemorySize  int               `json:"memorySize"`            // MB; zero means QuotaFunctionMemory
	Description string            `json:"description,omitempty"`
	// Concurrency is the most workers of this function at a time (ReservedConcurrentExecutions); zero means the pool's own
	// bound, NoConcurrency none at all.
	Concurrency int `json:"reservedConcurrentExecutions,omitempty"`
	// Bundle tells that the project deploys the handler through a bundler (serverless-esbuild, webpack, CDK's and SAM's
	// esbuild), so that even plain JavaScript must not be run as it is.
	Bundle bool `json:"bundle,omitempty"`
	// Place is where the function is defined, "serverless.yml:12", for messages. Empty: it was made by Lambda's own API.
	Place string `json:"place,omitempty"`

	// Version is the number of a published version, such as "3"; empty means the function itself, which Lambda calls $LATEST.
	Version      string            `json:"version,omitempty"`
	LastVersion  int               `json:"lastVersion,omitempty"` // the highest number that was ever given; of $LATEST only
	LastModified time.Time         `json:"lastModified,omitzero"`
	Role         string            `json:"role,omitempty"` // kept and shown: nothing is asked of it
	Tags         map[string]string `json:"tags,omitempty"` // of $LATEST only
	// Settings are the other members of Lambda's configuration, by AWS's name and as they were written: kept and shown.
	Settings map[string]json.RawMessage `json:"settings,omitempty"`
}
