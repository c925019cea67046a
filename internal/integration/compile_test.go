package integration_test

import (
	"errors"
	"strings"
	"testing"

	"cleat/internal/apigw"
	"cleat/internal/backend"
	"cleat/internal/integration"
)

// TestMock holds spec events-and-integrations §8.3.
func TestMock(t *testing.T) {
	request := func(text string) apigw.Integration {
		return apigw.Integration{IntegrationType: apigw.IntegrationMock, RequestTemplates: map[string]string{"$default": text}}
	}
	pong := []apigw.IntegrationResponse{{IntegrationResponseKey: "$default", ResponseTemplates: map[string]string{"$default": `{"pong":true}`}}}
	config := outcome{kind: apigw.KindIntegrationConfig, failed: true}
	tests := map[string]struct {
		in        apigw.Integration
		responses []apigw.IntegrationResponse
		want      outcome
	}{
		"status":              {request(`{"statusCode": 200}`), nil, outcome{status: 200}},
		"lenient":             {request(`{statusCode: 200}`), nil, outcome{status: 200}},
		"lenient, more":       {request("{\n  statusCode : 204,\n  x: [1]\n}"), nil, outcome{status: 204}},
		"lenient, quotes":     {request(`{'statusCode': 201}`), nil, outcome{status: 201}},
		"status as text":      {request(`{"statusCode":"403"}`), nil, outcome{status: 403}},
		"no status":           {request(`{}`), nil, config},
		"no object":           {request(`[200]`), nil, config},
		"no JSON":             {request(`200 OK`), nil, config},
		"not a status":        {request(`{"statusCode": 99}`), nil, config},
		"fraction":            {request(`{"statusCode": 200.5}`), nil, config},
		"no template":         {apigw.Integration{IntegrationType: apigw.IntegrationMock}, nil, config},
		"two-way":             {request(`{"statusCode": 200}`), pong, outcome{status: 200, hasBody: true, body: `{"pong":true}`}},
		"no matching":         {request(`{"statusCode": 200}`), []apigw.IntegrationResponse{{IntegrationResponseKey: "/500/"}}, config},
		"no response body":    {request(`{"statusCode": 200}`), []apigw.IntegrationResponse{{IntegrationResponseKey: "/200/"}}, outcome{status: 200}},
		"never":               {apigw.Integration{IntegrationType: apigw.IntegrationMock, PassthroughBehavior: "NEVER"}, nil, outcome{kind: apigw.KindUnsupportedMediaType, failed: true}},
		"template expression": {apigw.Integration{IntegrationType: apigw.IntegrationMock, TemplateSelectionExpression: "200", RequestTemplates: map[string]string{"200": `{"statusCode":200}`}}, nil, outcome{status: 200}},
		"the only template":   {apigw.Integration{IntegrationType: apigw.IntegrationMock, RequestTemplates: map[string]string{"200": `{"statusCode":202}`}}, nil, outcome{status: 202}},
		"application/json":    {apigw.Integration{IntegrationType: apigw.IntegrationMock, RequestTemplates: map[string]string{"application/json": `{"statusCode":202}`, "x": "y"}}, nil, outcome{status: 202}},
		"no key of the right": {apigw.Integration{IntegrationType: apigw.IntegrationMock, RequestTemplates: map[string]string{"x": `{"statusCode":202}`, "y": "y"}}, nil, config},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p := compile(t, tt.in, tt.responses, integration.Dependencies{})
			for _, kind := range []apigw.EventType{apigw.EventConnect, apigw.EventMessage, apigw.EventDisconnect} {
				res, err := p.Do(t.Context(), testEvent(kind), new(integration.Room))
				if got := outcomeOf(res, err); got != tt.want {
					t.Errorf("%s: got %+v (%v), want %+v", kind, got, err, tt.want)
				}
			}
			if p.Target() != "mock" {
				t.Errorf("target %q", p.Target())
			}
		})
	}
}

func TestTargets(t *testing.T) {
	tests := map[string]apigw.Integration{
		"onEvent":      proxyIntegration,
		"onEvent:live": {IntegrationType: apigw.IntegrationAWS, IntegrationURI: strings.Replace(functionURI, "onEvent", "onEvent:live", 1)},
		"${stageVariables.fn}": {
			IntegrationType: apigw.IntegrationAWSProxy, IntegrationURI: strings.Replace(functionURI, "onEvent", "${stageVariables.fn}", 1),
		},
		"dynamodb PutItem":                      service("POST", "dynamodb:action/PutItem", nil, ""),
		"s3 /${stageVariables.b}/k":             service("PUT", "s3:path/${stageVariables.b}/k", nil, ""),
		"POST http://b.example:8080/ws":         httpIntegration(apigw.IntegrationHTTPProxy, "POST", "http://user:secret@b.example:8080/ws?key=secret", nil),
		"PUT http://${stageVariables.host}/{x}": httpIntegration(apigw.IntegrationHTTP, "PUT", "http://${stageVariables.host}/{x}", map[string]string{"integration.request.path.x": "context.stage"}),
	}
	for want, in := range tests {
		if got := compile(t, in, nil, integration.Dependencies{}).Target(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestCompileFaults(t *testing.T) {
	lambda := func(f func(*apigw.Integration)) apigw.Integration {
		in := apigw.Integration{IntegrationType: apigw.IntegrationAWS, IntegrationURI: functionURI}
		f(&in)
		return in
	}
	parameters := func(key, value string) apigw.Integration {
		return httpIntegration(apigw.IntegrationHTTPProxy, "POST", "http://b.example", map[string]string{key: value})
	}
	const header = "integration.request.header.X-To"
	tests := map[string]struct {
		in        apigw.Integration
		responses []apigw.IntegrationResponse
		want      []string
	}{
		"type":                 {apigw.Integration{IntegrationType: "FTP"}, nil, []string{`integrationType: "FTP"`}},
		"payload format":       {apigw.Integration{IntegrationType: apigw.IntegrationMock, PayloadFormatVersion: "2.0"}, nil, []string{`payloadFormatVersion: "2.0"`}},
		"passthrough":          {apigw.Integration{IntegrationType: apigw.IntegrationMock, PassthroughBehavior: "SOMETIMES"}, nil, []string{`passthroughBehavior: "SOMETIMES"`}},
		"VPC link":             {apigw.Integration{IntegrationType: apigw.IntegrationMock, ConnectionType: "VPC_LINK"}, nil, []string{`connectionType: "VPC_LINK"`}},
		"content handling":     {apigw.Integration{IntegrationType: apigw.IntegrationMock, ContentHandlingStrategy: "X"}, nil, []string{`contentHandlingStrategy: "X"`}},
		"negative time-out":    {apigw.Integration{IntegrationType: apigw.IntegrationMock, TimeoutInMillis: -1}, nil, []string{"timeoutInMillis: -1"}},
		"function ARN alone":   {apigw.Integration{IntegrationType: apigw.IntegrationAWSProxy, IntegrationURI: "arn:aws:lambda:eu-west-1:123456789012:function:f"}, nil, []string{"is not a Lambda integration URI"}},
		"bad function name":    {apigw.Integration{IntegrationType: apigw.IntegrationAWSProxy, IntegrationURI: "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/a b/invocations"}, nil, []string{"is not a Lambda function name"}},
		"method of a function": {apigw.Integration{IntegrationType: apigw.IntegrationAWSProxy, IntegrationURI: functionURI, IntegrationMethod: "GET"}, nil, []string{`integrationMethod: "GET"`}},
		"another variable":     {apigw.Integration{IntegrationType: apigw.IntegrationAWSProxy, IntegrationURI: "arn:${context.x}"}, nil, []string{"${context.x} is not a stage variable"}},
		"unclosed variable":    {apigw.Integration{IntegrationType: apigw.IntegrationAWSProxy, IntegrationURI: "arn:${stageVariables.x"}, nil, []string{"a { without its }"}},
		"service's method":     {service("", "dynamodb:action/PutItem", nil, ""), nil, []string{"integrationMethod: AWS integrations need one"}},
		"service's URI":        {service("POST", "dynamodb:PutItem", nil, ""), nil, []string{`integrationUri: "arn:aws:apigateway:eu-west-1:dynamodb:PutItem"`, "neither action/{Action} nor path/{path}"}},
		"service's variables":  {service("POST", "${stageVariables.s}:act/x", nil, ""), nil, []string{"neither action/{Action} nor path/{path}"}},
		"service's path":       {service("PUT", "s3:path/b/{key}", nil, ""), nil, []string{"nothing fills {key}", "integration.request.path.key"}},
		"service's brace":      {service("PUT", "s3:path/b/{key", nil, ""), nil, []string{"a { without its }"}},
		"private service":      {apigw.Integration{IntegrationType: apigw.IntegrationAWS, IntegrationMethod: "POST", IntegrationURI: "arn:aws:apigateway:r:sqs:path/1/q", ConnectionType: "VPC_LINK", ConnectionID: "l"}, nil, []string{`connectionType: "VPC_LINK" is for HTTP and HTTP_PROXY`}},
		"connection type":      {apigw.Integration{IntegrationType: apigw.IntegrationMock, ConnectionType: "CABLE"}, nil, []string{`connectionType: "CABLE" is not one of INTERNET and VPC_LINK`}},
		"link without a name":  {apigw.Integration{IntegrationType: apigw.IntegrationHTTP, IntegrationMethod: "POST", IntegrationURI: "http://b.example", ConnectionType: "VPC_LINK"}, nil, []string{"connectionId: connectionType VPC_LINK needs"}},
		"function's query": {lambda(func(in *apigw.Integration) {
			in.RequestParameters = map[string]string{"integration.request.querystring.Qualifier": "'1'"}
		}), nil, []string{`"integration.request.querystring.Qualifier"`}},
		"no method":             {httpIntegration(apigw.IntegrationHTTP, "", "http://b.example", nil), nil, []string{"integrationMethod: HTTP integrations need one"}},
		"bad method":            {httpIntegration(apigw.IntegrationHTTP, "get", "http://b.example", nil), nil, []string{`integrationMethod: "get"`}},
		"no URL":                {httpIntegration(apigw.IntegrationHTTPProxy, "POST", "b.example/x", nil), nil, []string{"integrationUri: not an absolute"}},
		"broken URL":            {httpIntegration(apigw.IntegrationHTTPProxy, "POST", "http://b.example:x/", nil), nil, []string{"integrationUri: parse"}},
		"unfilled placeholder":  {httpIntegration(apigw.IntegrationHTTPProxy, "POST", "http://b.example/{id}", nil), nil, []string{"nothing fills {id}", "integration.request.path.id"}},
		"bad placeholder":       {httpIntegration(apigw.IntegrationHTTPProxy, "POST", "http://b.example/{a b}", nil), nil, []string{`"a b" is not a name`}},
		"target of a response":  {parameters("integration.response.header.X", "'x'"), nil, []string{`requestParameters: "integration.response.header.X": want integration.request.header`}},
		"target without a name": {parameters("integration.request.header", "'x'"), nil, []string{"want integration.request.header"}},
		"target's place":        {parameters("integration.request.cookie.X", "'x'"), nil, []string{"want integration.request.header"}},
		"target's name":         {parameters("integration.request.header.a b", "'x'"), nil, []string{`"a b" is not a name`}},
		"protected header":      {parameters("integration.request.header.content-LENGTH", "'x'"), nil, []string{"cannot set the header content-LENGTH"}},
		"API Gateway's header":  {parameters("integration.request.header.X-Amzn-Apigateway-Api-Id", "'x'"), nil, []string{"cannot set the header"}},
		"trace header":          {parameters("integration.request.header.x-amzn-trace-id", "'x'"), nil, []string{"cannot set the header"}},
		"own header":            {parameters("integration.request.header.X-Cleat-Stage", "'x'"), nil, []string{"the gateway's own"}},
		"no source":             {parameters(header, ""), nil, []string{`"" is no source`}},
		"source of REST":        {parameters(header, "method.request.header.X"), nil, []string{`"method.request.header.X" is no source`}},
		"unquoted literal":      {parameters(header, "some text"), nil, []string{"is no source"}},
		"half a literal":        {parameters(header, "'"), nil, []string{"is no source"}},
		"two literals":          {parameters(header, "'a' 'b'"), nil, []string{"is no source"}},
		"unknown variable":      {parameters(header, "context.nope"), nil, []string{"is not a variable of a WebSocket API's context"}},
		"no authorizer key":     {parameters(header, "context.authorizer."), nil, []string{"is not a variable"}},
		"source's name":         {parameters(header, "route.request.header.a b"), nil, []string{`"a b" is not a name`}},
		"broken path":           {parameters(header, "route.request.body.items["), nil, []string{`requestParameters: "integration.request.header.X-To": route.request.body.items[: JSONPath "$.items[", character 9`}},
		"template": {lambda(func(in *apigw.Integration) {
			in.RequestTemplates = map[string]string{"k": "{\n \"id\": \"${context.connectionId\"}"}
		}), nil, []string{`requestTemplates: "k": line 2, column 31: `, "the } of ${context should be"}},
		"dollar at the end":   {lambda(func(in *apigw.Integration) { in.RequestTemplates = map[string]string{"k": "5 $"} }), nil, []string{"line 1, column 3: a $ as the last character"}},
		"template expression": {lambda(func(in *apigw.Integration) { in.TemplateSelectionExpression = "${integration.response.statuscode}" }), nil, []string{"templateSelectionExpression: "}},
		"response expression": {lambda(func(in *apigw.Integration) { in.IntegrationResponseSelectionExpression = "${response.statuscode}" }), nil, []string{"integrationResponseSelectionExpression: "}},
		"response key":        {lambda(func(*apigw.Integration) {}), []apigw.IntegrationResponse{{IntegrationResponseKey: "/a"}}, []string{`integration response "/a"`, "between slashes"}},
		"response pattern":    {lambda(func(*apigw.Integration) {}), []apigw.IntegrationResponse{{IntegrationResponseKey: "/(?=a)/"}}, []string{`integration response "/(?=a)/"`, "RE2"}},
		"response twice":      {lambda(func(*apigw.Integration) {}), []apigw.IntegrationResponse{{IntegrationResponseKey: "/a/"}, {IntegrationResponseKey: "/a/"}}, []string{"there are two of them"}},
		"response template":   {lambda(func(*apigw.Integration) {}), []apigw.IntegrationResponse{{IntegrationResponseKey: "$default", ResponseTemplates: map[string]string{"k": "#set($x = )"}}}, []string{`integration response "$default": responseTemplates: "k": line 1, column 11`}},
		"response handling":   {lambda(func(*apigw.Integration) {}), []apigw.IntegrationResponse{{IntegrationResponseKey: "$default", ContentHandlingStrategy: "X"}}, []string{`integration response "$default": contentHandlingStrategy`}},
		"all at once":         {httpIntegration(apigw.IntegrationHTTPProxy, "", "b.example", map[string]string{header: "x"}), nil, []string{"integrationMethod", "integrationUri", "requestParameters"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := integration.Compile(&tt.in, tt.responses, integration.Dependencies{Functions: answering(""), HTTP: &fakeHTTP{}})
			if err == nil {
				t.Fatal("it compiled")
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want …%s…", err, want)
				}
			}
		})
	}
}

// TestLiteralTemplates: a dollar or a hash that begins nothing in Velocity is text like any other.
func TestLiteralTemplates(t *testing.T) {
	for _, text := range []string{"", "{}", "costs $5 and $ 6", "# 1, #2", `{"a":"b$"}`, "a#"} {
		f := &fakeHTTP{answer: backend.Response{Status: 200}}
		in := httpIntegration(apigw.IntegrationHTTP, "POST", "http://b.example", nil)
		in.RequestTemplates = map[string]string{"$default": text}
		p := compile(t, in, nil, integration.Dependencies{HTTP: f})
		if _, err := p.Do(t.Context(), testEvent(apigw.EventMessage), new(integration.Room)); err != nil || string(f.last.Body) != text {
			t.Errorf("%q: got %q, %v", text, f.last.Body, err)
		}
	}
}

// FuzzMapping finds parameters that compile and then misbehave.
func FuzzMapping(f *testing.F) {
	for key, value := range map[string]string{
		"integration.request.header.X": "context.connectionId", "integration.request.querystring.a": "route.request.body.a[0].b",
		"integration.request.path.p": "'x'", "integration.request.header.$": "route.request.multivalueheader.A",
	} {
		f.Add(key, value, "http://b.example/{p}/${stageVariables.v}?x")
	}
	f.Fuzz(func(t *testing.T, key, value, uri string) {
		in := httpIntegration(apigw.IntegrationHTTPProxy, "POST", uri, map[string]string{key: value})
		caller := &fakeHTTP{answer: backend.Response{Status: 200}}
		p, err := integration.Compile(&in, nil, integration.Dependencies{HTTP: caller})
		if err != nil {
			return
		}
		for _, kind := range []apigw.EventType{apigw.EventConnect, apigw.EventMessage, apigw.EventDisconnect} {
			ev := testEvent(kind)
			ev.StageVariables = map[string]string{"v": "w"}
			if _, err := p.Do(t.Context(), ev, new(integration.Room)); err != nil {
				if _, ok := errors.AsType[*apigw.Error](err); !ok {
					t.Errorf("an error without a kind: %v", err)
				}
				continue
			}
			if u := caller.last.URL; u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
				t.Errorf("called %v", u)
			}
		}
	})
}
