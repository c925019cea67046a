package sam

import (
	"slices"
	"strings"
	"unicode"

	"cleat/internal/cfn"
)

const (
	apiGateway = "AWS::ApiGatewayV2::"
	apiType    = apiGateway + "Api"
	stageType  = apiGateway + "Stage"
)

// Properties of AWS::Serverless::WebSocketApi, of its routes and of what is nested in it.
var (
	apiProperties = []string{
		"ApiKeySelectionExpression", "Description", "DisableExecuteApiEndpoint", "DisableSchemaValidation", "IpAddressType", "RouteSelectionExpression",
	}
	stageProperties     = []string{"StageVariables", "AccessLogSettings", "DefaultRouteSettings", "RouteSettings"}
	webSocketProperties = slices.Concat([]string{"Routes", "Auth", "Name", "StageName", "Domain", "Tags", "PropagateTags", "FailOnWarnings"}, apiProperties, stageProperties)
	routeProperties     = []string{"ApiKeyRequired", "ModelSelectionExpression", "OperationName", "RequestModels", "RequestParameters", "RouteResponseSelectionExpression"}
	routeSettings       = slices.Concat([]string{"FunctionArn", "IntegrationTimeout"}, routeProperties)
	authProperties      = []string{"AuthType", "AuthArn", "InvokeRole", "IdentitySource", "Name"}
	domainProperties    = []string{
		"DomainName", "CertificateArn", "BasePath", "EndpointConfiguration", "MutualTlsAuthentication", "OwnershipVerificationCertificateArn", "Route53",
		"SecurityPolicy",
	}
)

const (
	defaultStage = "default"
	connectRoute = "$connect"
)

// webSocketAPI expands an AWS::Serverless::WebSocketApi (spec control-plane §17).
func (x *expansion) webSocketAPI(m *made) {
	x.checkKeys(m.props, m.id, webSocketProperties)
	at := m.place
	api := cfn.MapOf(at, "Name", m.has("Name"), "ProtocolType", cfn.TextOf(at, "WEBSOCKET"))
	if api.Get("Name") == nil {
		api.Set(cfn.Entry{Key: "Name", Place: at, Value: cfn.TextOf(at, m.id)})
	}
	x.copyProperties(m, apiProperties, api)
	createdBy := cfn.MapOf(at, "websocketapi:createdBy", cfn.TextOf(at, "SAM"))
	api.Set(cfn.Entry{Key: "Tags", Place: at, Value: cfn.Merge(m.has("Tags"), createdBy)})
	if m.has("RouteSelectionExpression") == nil {
		x.faults.Addf(at, "%s has no RouteSelectionExpression, such as $request.body.action", m.id)
	}
	x.put(m, apiType, api)
	stage := x.stage(m, createdBy)
	x.renamed[m.id+".Stage"] = stage
	routes := m.has("Routes")
	if len(routes.Entries()) == 0 {
		x.faults.Addf(at, "%s has no Routes: a WebSocket API needs one at least", m.id)
	}
	auth := x.auth(m, routes)
	var ids []string
	for _, e := range routes.Entries() {
		if id := x.route(m, e, auth); id != "" {
			ids = append(ids, id)
		}
	}
	if m.has("RouteSettings") != nil {
		x.resources.Get(stage).Set(cfn.Entry{Key: "DependsOn", Place: at, Value: cfn.Texts(at, ids...)})
	}
	if domain := m.has("Domain"); domain != nil {
		x.domain(m, domain)
	}
}

func (x *expansion) copyProperties(m *made, names []string, into *cfn.Value) {
	for _, e := range m.props.Keys {
		if slices.Contains(names, e.Key) && e.Value != nil && e.Value.Kind != cfn.Null {
			into.Keys = append(into.Keys, e)
		}
	}
}

// stage makes the API's one stage and returns its logical ID.
func (x *expansion) stage(m *made, tags *cfn.Value) string {
	at := m.place
	name := m.has("StageName")
	if name == nil {
		name = cfn.TextOf(at, defaultStage)
	}
	if name.Str() == "$default" {
		x.faults.Addf(name.Place, "%s: a stage of a WebSocket API cannot be named $default", m.id)
	}
	id := m.id + lettersAndDigits(name.Str()) + "Stage"
	if name.Str() == defaultStage {
		id = m.id + "DefaultStage"
	}
	props := cfn.MapOf(at, "ApiId", cfn.Ref(at, m.id), "StageName", name, "AutoDeploy", cfn.BoolOf(at, true), "Tags", tags)
	x.copyProperties(m, stageProperties, props)
	x.generate(m, id, stageType, props)
	return id
}

// auth makes the authorizer of $connect and returns the properties that its route gets of it.
func (x *expansion) auth(m *made, routes *cfn.Value) *cfn.Value {
	auth := m.has("Auth")
	if auth == nil {
		return nil
	}
	x.checkKeys(auth, m.id+": Auth", authProperties)
	if routes.Get(connectRoute) == nil {
		x.faults.Addf(auth.Place, "%s: Auth needs a route $connect, where it is decided", m.id)
	}
	at := auth.Place
	typ := strings.ToUpper(auth.Get("AuthType").Str())
	route := cfn.MapOf(at, "AuthorizationType", cfn.TextOf(at, typ))
	switch {
	case typ != "CUSTOM" && typ != "AWS_IAM" && typ != "NONE":
		x.faults.Addf(at, "%s: AuthType must be CUSTOM, AWS_IAM or NONE", m.id)
		return nil
	case typ != "CUSTOM":
		if len(auth.Entries()) > 1 {
			x.faults.Addf(at, "%s: AuthType %s takes no further settings", m.id, typ)
		}
		return route
	case auth.Get("AuthArn") == nil:
		x.faults.Addf(at, "%s: AuthType CUSTOM needs AuthArn, the ARN of the authorizer's function", m.id)
		return nil
	}
	id := m.id + "ConnectAuthorizer"
	name := auth.Get("Name")
	if name == nil {
		name = cfn.TextOf(at, id)
	}
	x.generate(m, id, apiGateway+"Authorizer", cfn.MapOf(at,
		"ApiId", cfn.Ref(at, m.id), "AuthorizerType", cfn.TextOf(at, "REQUEST"), "Name", name, "AuthorizerUri", lambdaURI(at, "AuthArn", auth.Get("AuthArn")),
		"AuthorizerCredentialsArn", auth.Get("InvokeRole"), "IdentitySource", auth.Get("IdentitySource")))
	if auth.Get("InvokeRole") == nil {
		x.generate(m, m.id+"AuthorizerPermission", permissionType, nil)
	}
	return route.With(cfn.Entry{Key: "AuthorizerId", Place: at, Value: cfn.Ref(at, id)})
}

// lambdaURI is the integration URI of a function whose ARN is given.
func lambdaURI(at cfn.Place, name string, arn *cfn.Value) *cfn.Value {
	return cfn.Sub(at, "arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${"+name+"}/invocations", cfn.MapOf(at, name, arn))
}

// route makes a route with its integration and returns the route's logical ID, "" after a fault.
func (x *expansion) route(m *made, e cfn.Entry, auth *cfn.Value) string {
	base, ok := routeName(e.Key)
	if !ok {
		x.faults.Addf(e.Place, "%s: SAM takes route keys of letters and digits, $connect, $disconnect and $default, not %q; others are AWS::ApiGatewayV2::Route resources", m.id, e.Key)
		return ""
	}
	what := m.id + ": route " + e.Key
	x.checkKeys(e.Value, what, routeSettings)
	arn := e.Value.Get("FunctionArn")
	if arn == nil {
		x.faults.Addf(e.Place, "%s has no FunctionArn, as in FunctionArn: !GetAtt Function.Arn", what)
		return ""
	}
	if p := e.Value.Get("RequestParameters"); p != nil && e.Key != connectRoute {
		x.faults.Addf(p.Place, "%s: RequestParameters are for $connect alone", what)
	}
	at := e.Place
	id, integration := m.id+base+"Route", m.id+base+"Integration"
	if x.resources.Get(id) != nil {
		x.faults.Addf(at, "%s would be the resource %s, which is taken: rename one", what, id)
		return ""
	}
	props := cfn.MapOf(at, "ApiId", cfn.Ref(at, m.id), "RouteKey", cfn.TextOf(at, e.Key))
	for _, p := range e.Value.Entries() {
		if slices.Contains(routeProperties, p.Key) {
			props.Keys = append(props.Keys, p)
		}
	}
	if e.Key == connectRoute {
		props.Keys = append(props.Keys, auth.Entries()...)
	}
	props.Set(cfn.Entry{Key: "Target", Place: at, Value: cfn.Join(at, "/", cfn.TextOf(at, "integrations"), cfn.Ref(at, integration))})
	x.generate(m, id, apiGateway+"Route", props)
	x.generate(m, integration, apiGateway+"Integration", cfn.MapOf(at,
		"ApiId", cfn.Ref(at, m.id), "IntegrationType", cfn.TextOf(at, "AWS_PROXY"), "IntegrationUri", lambdaURI(at, "FunctionArn", arn),
		"TimeoutInMillis", e.Value.Get("IntegrationTimeout")))
	x.generate(m, m.id+base+"Permission", permissionType, nil)
	if v := props.Get("RouteResponseSelectionExpression"); v != nil {
		x.twoWay = append(x.twoWay, twoWay{id, what, v.Place})
	}
	return id
}

// twoWay is a route that is meant to answer.
type twoWay struct {
	id, what string
	place    cfn.Place
}

// warnOfSilence tells of routes that are meant to answer and will not: SAM makes no route response, without which nothing is sent
// back (open question 24).
func (x *expansion) warnOfSilence() {
	answered := map[string]bool{}
	for _, e := range x.resources.Keys {
		if e.Value.Get("Type").Str() == apiGateway+"RouteResponse" {
			answered[e.Value.Path("Properties", "RouteId", "Ref").Str()] = true
		}
	}
	for _, r := range x.twoWay {
		if !answered[r.id] {
			x.result.Warnings.Addf(r.place, "%s: SAM makes no route response, so what the function returns is not sent to the client: add an AWS::ApiGatewayV2::RouteResponse with RouteId: !Ref %s and RouteResponseKey: $default",
				r.what, r.id)
		}
	}
}

// routeName is a route key within a logical ID.
func routeName(key string) (string, bool) {
	name := strings.TrimPrefix(key, "$")
	if name != key && !slices.Contains([]string{connectRoute, "$disconnect", "$default"}, key) || name == "" {
		return "", false
	}
	if lettersAndDigits(name) != name {
		return "", false
	}
	return string(unicode.ToUpper(rune(name[0]))) + strings.ToLower(name[1:]), true
}

// domain makes the custom domain name with its mappings.
func (x *expansion) domain(m *made, domain *cfn.Value) {
	at := domain.Place
	x.checkKeys(domain, m.id+": Domain", domainProperties)
	name, certificate := domain.Get("DomainName"), domain.Get("CertificateArn")
	if name == nil || certificate == nil {
		x.faults.Addf(at, "%s: Domain needs both DomainName and CertificateArn", m.id)
		return
	}
	if mutual := domain.Get("MutualTlsAuthentication"); mutual != nil {
		x.faults.Addf(mutual.Place, "%s: a WebSocket API takes no MutualTlsAuthentication", m.id)
	}
	endpoint := domain.Get("EndpointConfiguration")
	if endpoint == nil {
		endpoint = cfn.TextOf(at, "REGIONAL")
	}
	id := "ApiGatewayDomainNameV2" + shortHash(name)
	x.generate(m, id, apiGateway+"DomainName", cfn.MapOf(at, "DomainName", name, "DomainNameConfigurations", cfn.ListOf(at, cfn.MapOf(at,
		"CertificateArn", certificate, "EndpointType", endpoint, "SecurityPolicy", domain.Get("SecurityPolicy"),
		"OwnershipVerificationCertificateArn", domain.Get("OwnershipVerificationCertificateArn")))))
	paths := domain.Get("BasePath")
	items := []*cfn.Value{paths}
	if paths.Is(cfn.List) {
		items = paths.Items
	}
	for _, path := range items {
		props := cfn.MapOf(at, "DomainName", cfn.Ref(at, id), "ApiId", cfn.Ref(at, m.id), "Stage", cfn.Ref(at, m.id+".Stage"))
		if key := strings.Trim(path.Str(), "/"); key != "" {
			props.Set(cfn.Entry{Key: "ApiMappingKey", Place: path.Place, Value: cfn.TextOf(path.Place, key)})
		}
		x.generate(m, m.id+lettersAndDigits(path.Str())+"ApiMapping", apiGateway+"ApiMapping", props)
	}
	if domain.Get("Route53") != nil {
		x.leaveAlone("Route53 records")
	}
}
