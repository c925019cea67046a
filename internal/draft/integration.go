package draft

import (
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"cleat/internal/apigw"
	"cleat/internal/awsapi"
	"cleat/internal/expr"
	"cleat/internal/jsonpath"
	"cleat/internal/vtl"
)

// putIntegration checks an integration, fills in its defaults and puts it in (spec control-plane §6,
// events-and-integrations §5).
func (d *API) putIntegration(in apigw.Integration) Problems {
	var p Problems
	if find(d.Now.Integrations, integrationID, in.IntegrationID) == nil {
		p.mayAdd("Integrations", len(d.Now.Integrations), apigw.QuotaIntegrations)
	}
	p.integrationTarget(&in)
	p.oneOf("connectionType", in.ConnectionType, "INTERNET", "VPC_LINK")
	p.private(&in)
	p.oneOf("contentHandlingStrategy", in.ContentHandlingStrategy, "CONVERT_TO_BINARY", "CONVERT_TO_TEXT")
	p.oneOf("passthroughBehavior", in.PassthroughBehavior, "WHEN_NO_MATCH", "NEVER", "WHEN_NO_TEMPLATES")
	if v := in.PayloadFormatVersion; v != "" && v != "1.0" {
		p.Bad("payloadFormatVersion", "Invalid payload format version %s: WebSocket APIs have 1.0 only", v)
	}
	p.length("description", in.Description, maxDescription)
	p.requestParameters(in.RequestParameters)
	p.signedParameters(&in)
	p.templates("requestTemplates", in.RequestTemplates, in.IntegrationType == apigw.IntegrationAWSProxy || in.IntegrationType == apigw.IntegrationHTTPProxy)
	p.expression(expr.Template, "templateSelectionExpression", in.TemplateSelectionExpression)
	if in.TimeoutInMillis != 0 && (in.TimeoutInMillis < apigw.QuotaMinTimeoutMillis || in.TimeoutInMillis > apigw.QuotaMaxTimeoutMillis) {
		p.Bad("timeoutInMillis", "Timeout should be between %d ms and %d ms", apigw.QuotaMinTimeoutMillis, apigw.QuotaMaxTimeoutMillis)
	}
	setIntegrationDefaults(&in)
	put(&d.Now.Integrations, integrationID, in)
	return p
}

func setIntegrationDefaults(in *apigw.Integration) {
	setDefault := func(s *string, to string) {
		if *s == "" {
			*s = to
		}
	}
	setDefault(&in.ConnectionType, "INTERNET")
	setDefault(&in.PassthroughBehavior, "WHEN_NO_MATCH")
	setDefault(&in.PayloadFormatVersion, "1.0")
	if in.TimeoutInMillis == 0 {
		in.TimeoutInMillis = apigw.QuotaMaxTimeoutMillis
	}
	in.IntegrationResponseSelectionExpression = ""
	switch in.IntegrationType {
	case apigw.IntegrationMock, apigw.IntegrationHTTP:
		in.IntegrationResponseSelectionExpression = "${integration.response.statuscode}"
	case apigw.IntegrationAWS:
		in.IntegrationResponseSelectionExpression = "${integration.response.statuscode}"
		if isLambdaURI(in.IntegrationURI) {
			in.IntegrationResponseSelectionExpression = "${integration.response.body.errorMessage}"
		}
	case apigw.IntegrationAWSProxy, apigw.IntegrationHTTPProxy:
	}
}

func isLambdaURI(uri string) bool {
	_, err := awsapi.ParseLambdaURI(uri)
	return err == nil
}

func (p *Problems) lambdaURI(field, uri string) {
	p.length(field, uri, maxURI)
	if _, err := awsapi.ParseFunctionURI(uri); err != nil {
		p.Bad(field, "%v", err)
	}
}

// integrationTarget checks type, URI and method, which go together.
func (p *Problems) integrationTarget(in *apigw.Integration) {
	needsMethod := true
	switch in.IntegrationType {
	case apigw.IntegrationAWSProxy:
		p.lambdaURI("integrationUri", in.IntegrationURI)
		needsMethod = false
	case apigw.IntegrationAWS:
		p.serviceURI(in.IntegrationURI)
	case apigw.IntegrationHTTP, apigw.IntegrationHTTPProxy:
		p.httpURI(in.IntegrationURI)
	case apigw.IntegrationMock:
		needsMethod = false
	default:
		p.Bad("integrationType", "Invalid integration type %q. Must be one of [AWS, AWS_PROXY, HTTP, HTTP_PROXY, MOCK]", in.IntegrationType)
		needsMethod = false
	}
	p.length("integrationUri", in.IntegrationURI, maxURI)
	switch {
	case in.IntegrationMethod == "" && needsMethod:
		p.Bad("integrationMethod", "Integration method is required for integrations of type %s", in.IntegrationType)
	case in.IntegrationMethod != "" && !methodPattern.MatchString(in.IntegrationMethod):
		p.Bad("integrationMethod", "Invalid integration method %q: want an HTTP method, such as POST", in.IntegrationMethod)
	}
}

var (
	methodPattern = regexp.MustCompile(`^[A-Z]{1,64}$`)
	stageVariable = regexp.MustCompile(`\$\{stageVariables\.[A-Za-z0-9_]+\}`)
	placeholder   = regexp.MustCompile(`\{[^{}]+\}`)
)

// httpURI wants a URL; stage variables and {name} may stand anywhere in it, even for the host.
func (p *Problems) httpURI(uri string) {
	plain := placeholder.ReplaceAllString(stageVariable.ReplaceAllString(uri, "v"), "p")
	if stageVariable.MatchString(uri) && !strings.Contains(plain, "://") {
		return // the variable brings the scheme
	}
	u, err := url.Parse(plain)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		p.Bad("integrationUri", "Invalid HTTP endpoint specified for URI: %s", uri)
	}
}

// templates checks mapping templates; those of proxies, which nobody ever renders, for their size only.
func (p *Problems) templates(field string, templates map[string]string, proxy bool) {
	for _, key := range slices.Sorted(maps.Keys(templates)) {
		if len(templates[key]) > maxTemplate {
			p.Bad(field+"."+key, "%s %q: the template is longer than %d KB", field, key, maxTemplate>>10)
			continue
		}
		if _, err := vtl.Parse(templates[key]); err != nil && !proxy {
			p.Bad(field+"."+key, "%s %q: %v", field, key, err)
		}
	}
}

var (
	mappingTarget = regexp.MustCompile(`^integration\.request\.(header|querystring|path)\.([a-zA-Z0-9._$-]+)$`)
	mappingSource = regexp.MustCompile(`^(?:'[^']*'|route\.request\.(?:(?:multivalue)?header|(?:multivalue)?querystring)\.[a-zA-Z0-9._$-]+|route\.request\.body|(?:context|stageVariables)\.[a-zA-Z0-9._$-]+)$`)
	// unmappable are headers that the gateway sets itself (spec events-and-integrations §6).
	unmappable = []string{"content-length", "transfer-encoding", "x-amzn-trace-id", "x-amzn-apigateway-api-id"}
)

// requestParameters checks an integration's mappings (spec events-and-integrations §6.1).
func (p *Problems) requestParameters(parameters map[string]string) {
	for _, target := range slices.Sorted(maps.Keys(parameters)) {
		source := parameters[target]
		m := mappingTarget.FindStringSubmatch(target)
		path, inBody := strings.CutPrefix(source, "route.request.body.")
		switch {
		case m == nil:
			p.Bad("requestParameters", "Invalid mapping expression specified: %s: want integration.request.header.{name}, integration.request.querystring.{name} or integration.request.path.{name}", target)
		case m[1] == "header" && slices.Contains(unmappable, strings.ToLower(m[2])):
			p.Bad("requestParameters", "Invalid mapping expression specified: %s: this header cannot be set", target)
		case len(source) > maxParameter:
			p.Bad("requestParameters", "Invalid mapping expression specified: the source of %s is longer than %d characters", target, maxParameter)
		case inBody:
			p.bodyPath("requestParameters", source, path)
		case !mappingSource.MatchString(source), strangeContext(source):
			p.Bad("requestParameters", "Invalid mapping expression specified: %s, for %s", source, target)
		}
	}
}

// strangeContext tells of a source context.{name} that no event can have.
func strangeContext(source string) bool {
	name, ok := strings.CutPrefix(source, "context.")
	return ok && !apigw.IsContextVariable(name)
}

// bodyPath wants a JSONPath, with or without its $.
func (p *Problems) bodyPath(field, source, path string) {
	if !strings.HasPrefix(path, "$") {
		path = "$." + path
	}
	if _, err := jsonpath.Compile(path); err != nil {
		p.Bad(field, "Invalid mapping expression specified: %s: %v", source, err)
	}
}

var (
	responseTarget = regexp.MustCompile(`^(?:integration|route|method)\.response\.header\.[a-zA-Z0-9._$-]+$`)
	responseSource = regexp.MustCompile(`^(?:'[^']*'|integration\.response\.(?:multivalue)?header\.[a-zA-Z0-9._$-]+|integration\.response\.(?:body|statuscode)|(?:context|stageVariables)\.[a-zA-Z0-9._$-]+)$`)
)

// responseParameters checks an integration response's mappings. They have no effect: a client of a WebSocket API sees
// no headers (spec events-and-integrations §8.2).
func (p *Problems) responseParameters(parameters map[string]string) {
	for _, target := range slices.Sorted(maps.Keys(parameters)) {
		source := parameters[target]
		path, inBody := strings.CutPrefix(source, "integration.response.body.")
		switch {
		case !responseTarget.MatchString(target):
			p.Bad("responseParameters", "Invalid mapping expression specified: %s: want integration.response.header.{name}", target)
		case len(source) > maxParameter:
			p.Bad("responseParameters", "Invalid mapping expression specified: the source of %s is longer than %d characters", target, maxParameter)
		case inBody:
			p.bodyPath("responseParameters", source, path)
		case !responseSource.MatchString(source), strangeContext(source):
			p.Bad("responseParameters", "Invalid mapping expression specified: %s, for %s", source, target)
		}
	}
}

// putIntegrationResponse checks an integration response and puts it in (spec control-plane §7).
func (d *API) putIntegrationResponse(r apigw.IntegrationResponse) Problems {
	var p Problems
	if find(d.Now.Integrations, integrationID, r.IntegrationID) == nil {
		p.Add(apigw.KindNotFound, "integrationId", "Invalid Integration identifier specified %s", r.IntegrationID)
	}
	p.responseKey(r.IntegrationResponseKey)
	for i := range d.Now.IntegrationResponses {
		if o := &d.Now.IntegrationResponses[i]; o.IntegrationID == r.IntegrationID && o.IntegrationResponseKey == r.IntegrationResponseKey && o.IntegrationResponseID != r.IntegrationResponseID {
			p.Add(apigw.KindConflict, "integrationResponseKey", "IntegrationResponse with key %s already exists for this Integration", r.IntegrationResponseKey)
		}
	}
	p.oneOf("contentHandlingStrategy", r.ContentHandlingStrategy, "CONVERT_TO_BINARY", "CONVERT_TO_TEXT")
	p.templates("responseTemplates", r.ResponseTemplates, false)
	p.responseParameters(r.ResponseParameters)
	p.expression(expr.ResponseTemplate, "templateSelectionExpression", r.TemplateSelectionExpression)
	put(&d.Now.IntegrationResponses, integrationResponseID, r)
	return p
}

// responseKey wants $default, a regular expression between slashes, or a plain text.
func (p *Problems) responseKey(key string) {
	const field = "integrationResponseKey"
	inner, slash := strings.CutPrefix(key, "/")
	switch {
	case key == "":
		p.Bad(field, "integrationResponseKey is required: $default or a regular expression between slashes")
	case strings.HasPrefix(key, "$") && key != apigw.RouteDefault:
		p.Bad(field, "Invalid integration response key %q: want $default or a regular expression between slashes", key)
	case slash:
		inner, ok := strings.CutSuffix(inner, "/")
		if _, err := regexp.Compile(inner); err != nil || !ok {
			p.Bad(field, "Invalid integration response key %q: no regular expression between slashes", key)
		}
	}
}
