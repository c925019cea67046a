package apigatewayv2_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"cleat/internal/store"
)

// FuzzBodies sends anything as the body of every operation that takes one. Whatever it is, the answer is one of AWS's, with
// JSON in it; what is refused changes nothing; and what is not can be read again.
func FuzzBodies(f *testing.F) {
	for i, body := range []string{
		`{"name":"chat","protocolType":"WEBSOCKET","routeSelectionExpression":"$request.body.action","tags":{"a":"b"}}`,
		`{"name":"talk","description":"","disableSchemaValidation":true,"version":null}`,
		`{"routeKey":"say","requestModels":{"say":"M"},"modelSelectionExpression":"$request.body.action"}`,
		`{"authorizationType":"NONE","target":"","requestParameters":{"route.request.header.A":{"required":true}}}`,
		`{"routeResponseKey":"$default","responseModels":{"a":"b"}}`,
		`{"responseParameters":{"a":{"required":1}}}`,
		`{"integrationType":"MOCK","requestTemplates":{"$default":"#set($a = 1)"},"timeoutInMillis":0}`,
		`{"requestParameters":{"integration.request.header.A":"","integration.request.header.B":"'b'"}}`,
		`{"integrationResponseKey":"/(/"}`,
		`{"integrationResponseKey":"$default","responseTemplates":{"":"x"}}`,
		`{"name":"a","authorizerType":"REQUEST","identitySource":["context.connectionId"],"authorizerUri":"x"}`,
		`{"identitySource":[],"authorizerResultTtlInSeconds":-1}`,
		`{"name":"M2","schema":"{\"type\":\"object\"}"}`,
		`{"schema":"{\"$ref\":\"#/definitions/x\"}"}`,
		`{"stageName":"dev","description":"x"}`,
		`{"description":7}`,
		`{"stageName":"x","autoDeploy":true,"routeSettings":{"say":{"throttlingRateLimit":1e309}}}`,
		`{"stageVariables":{"a":""},"routeSettings":{"say":null},"defaultRouteSettings":{"loggingLevel":"OFF"},"accessLogSettings":{}}`,
		`{"domainName":"*.example.com","domainNameConfigurations":[{"endpointType":"REGIONAL"}]}`,
		`{"domainNameConfigurations":[{"ipAddressType":"dualstack"},null]}`,
		`{"apiId":"x","stage":"dev","apiMappingKey":"a//b"}`,
		`{"apiId":null,"apiMappingKey":""}`,
		`{"tags":{"aws:x":"y"}}`,
	} {
		f.Add(i, body)
	}
	base := newWorld(f)
	targets := base.targets()
	entries, _, err := base.driver.List(f.Context(), "")
	if err != nil {
		f.Fatal(err)
	}
	changes := make([]store.Change, len(entries))
	for i, e := range entries {
		changes[i] = store.Change{Key: e.Key, Value: e.Value}
	}
	f.Fuzz(func(t *testing.T, which int, body string) {
		w := newWorld(t)
		if _, err := w.driver.Commit(t.Context(), changes); err != nil {
			t.Fatal(err)
		}
		method, path, _ := strings.Cut(targets[max(which, -(which+1))%len(targets)], " ")
		before := w.revision()
		rec := w.send(method, path, body)
		if rec.Code >= http.StatusInternalServerError || !json.Valid(rec.Body.Bytes()) {
			t.Fatalf("%s %s %q: %d %s", method, path, body, rec.Code, rec.Body)
		}
		if rec.Code >= http.StatusBadRequest && w.revision() != before {
			t.Errorf("%s %s %q: %d %s, and the store changed", method, path, body, rec.Code, rec.Body)
		}
		if rec.Code < http.StatusBadRequest && method == http.MethodPatch && !strings.Contains(path, "/apimappings/") { // whose updates always say something
			again := w.must("GET", path, "")
			if same := w.must("PATCH", path, "{}"); asText(t, same) != asText(t, again) {
				t.Errorf("%s %s %q: an update of nothing made %v of %v", method, path, body, same, again)
			}
		}
	})
}

func asText(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// targets makes one of everything and returns the operations that take a body.
func (w *world) targets() []string {
	w.tb.Helper()
	api := w.api()
	made := func(path, body, id string) string {
		return path + "/" + w.must("POST", path, body)[id].(string)
	}
	model := made(api+"/models", `{"name":"M","schema":"{}"}`, "modelId")
	integration := made(api+"/integrations", `{"integrationType":"MOCK"}`, "integrationId")
	integrationResponse := made(integration+"/integrationresponses", `{"integrationResponseKey":"/a/"}`, "integrationResponseId")
	route := made(api+"/routes", `{"routeKey":"$connect"}`, "routeId")
	routeResponse := made(route+"/routeresponses", `{"routeResponseKey":"$default"}`, "routeResponseId")
	authorizer := made(api+"/authorizers", `{"name":"b","authorizerType":"REQUEST","identitySource":[],"authorizerUri":"arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-west-1:123456789012:function:f/invocations"}`, "authorizerId")
	deployment := made(api+"/deployments", `{}`, "deploymentId")
	stage := made(api+"/stages", `{"stageName":"dev"}`, "stageName")
	domain := made("/v2/domainnames", `{"domainName":"ws.example.com","domainNameConfigurations":[{}]}`, "domainName")
	mapping := made(domain+"/apimappings", `{"apiId":"`+strings.TrimPrefix(api, "/v2/apis/")+`","stage":"dev"}`, "apiMappingId")
	var all []string
	for _, one := range []string{api, route, routeResponse, integration, integrationResponse, authorizer, model, deployment, stage, domain, mapping} {
		all = append(all, "POST "+one[:strings.LastIndexByte(one, '/')], "PATCH "+one)
	}
	return append(all, "POST /v2/tags/arn%3Aaws%3Aapigateway%3Aeu-west-1%3A%3A%2Fapis%2F"+strings.TrimPrefix(api, "/v2/apis/"))
}
