package apigatewayv2_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigatewayv2"
	"github.com/aws/aws-sdk-go-v2/service/apigatewayv2/types"
)

// sdk is the Go SDK's client of a world's service.
type sdk struct {
	t      *testing.T
	client *apigatewayv2.Client
	apiID  string
}

func newSDK(t *testing.T) *sdk {
	t.Helper()
	w := newWorld(t)
	server := httptest.NewServer(w.handler)
	t.Cleanup(server.Close)
	client := apigatewayv2.New(apigatewayv2.Options{
		BaseEndpoint: aws.String(server.URL), Region: "eu-west-1", HTTPClient: server.Client(), RetryMaxAttempts: 1,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "secret"}, nil
		}),
	})
	api, err := client.CreateApi(t.Context(), &apigatewayv2.CreateApiInput{
		Name: aws.String("chat"), ProtocolType: types.ProtocolTypeWebsocket, RouteSelectionExpression: aws.String("$request.body.action"),
	})
	if err != nil {
		t.Fatal(err)
	}
	return &sdk{t, client, *api.ApiId}
}

// fields are members of the SDK's structs, by name.
type fields map[string]any

// call calls an operation by its name. What an input has no field for is left out: so one set of fields does for all of a
// resource's operations.
func (s *sdk) call(name string, in ...fields) (reflect.Value, error) {
	s.t.Helper()
	method := reflect.ValueOf(s.client).MethodByName(name)
	if !method.IsValid() {
		s.t.Fatalf("the SDK has no %s", name)
	}
	input := reflect.New(method.Type().In(1).Elem())
	for _, fs := range in {
		for field, value := range fs {
			if f := input.Elem().FieldByName(field); f.IsValid() && value != nil {
				f.Set(reflect.ValueOf(value))
			}
		}
	}
	out := method.Call([]reflect.Value{reflect.ValueOf(s.t.Context()), input})
	err, _ := reflect.TypeAssert[error](out[1])
	return out[0], err
}

// must is call of what must succeed; it returns the value of a field of the output.
func (s *sdk) must(name, field string, in ...fields) any {
	s.t.Helper()
	out, err := s.call(name, append(in, fields{"ApiId": aws.String(s.apiID)})...)
	if err != nil {
		s.t.Fatalf("%s: %v", name, err)
	}
	if field == "" {
		return nil
	}
	return out.Elem().FieldByName(field).Interface()
}

// attribute is one argument of a Terraform resource. The sequences of calls, and what each call holds, are those of
// Terraform's AWS provider (internal/service/apigatewayv2).
type attribute struct {
	field  string
	values []any // that it is given in turn, of the type of the SDK's field
	stays  bool  // that the provider has no way to take it away again
	// byDefault is what a read gives where it is not configured, so that the plan is empty.
	byDefault any
	// send is how an update gets the attribute from one value to another, either of them nil: it may make calls of its own,
	// and returns what Update is given. Nil: the provider sends the new value, or an empty one of its type.
	send func(s *sdk, id fields, from, to any) any
	// with are arguments that are configured, and sent, together with the attribute.
	with fields
	// view is what Terraform sees of what is read. Nil: all of it.
	view func(any) any
}

// resource is a Terraform resource.
type resource struct {
	name       string // of the operations
	id         string // the field of its identifier
	needs      fields // arguments that never change, and its place
	required   fields // arguments that it cannot be without, which may change
	attributes []attribute
	ready      func(out reflect.Value) bool
}

// check compares what a read gives with a configuration: a plan would show each difference.
func (s *sdk) check(r *resource, what string, id, config fields) {
	s.t.Helper()
	out, err := s.call("Get"+r.name, id)
	if err != nil {
		s.t.Fatalf("%s: read: %v", what, err)
	}
	if r.ready != nil && !r.ready(out.Elem()) {
		s.t.Errorf("%s: not ready: %s", what, asJSON(s.t, out.Interface()))
	}
	want, views := maps.Clone(config), map[string]func(any) any{}
	for _, a := range r.attributes {
		if want[a.field] == nil {
			want[a.field] = a.byDefault
		}
		views[a.field] = a.view
	}
	for field, value := range want {
		got := out.Elem().FieldByName(field).Interface()
		if view := views[field]; view != nil {
			got = view(got)
		}
		if got, want := prune(s.t, got), prune(s.t, value); !reflect.DeepEqual(got, want) {
			s.t.Errorf("%s: %s is %v, want %v", what, field, got, want)
		}
	}
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// prune is a value as Terraform's state has it, where nothing, false, zero and empty are the same.
func prune(t *testing.T, v any) any {
	t.Helper()
	var plain any
	if err := json.Unmarshal([]byte(asJSON(t, v)), &plain); err != nil {
		t.Fatal(err)
	}
	return pruned(plain)
}

func pruned(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			if v[key] = pruned(value); v[key] == nil && !keepsKeys(value) {
				delete(v, key)
			}
		}
		if len(v) == 0 {
			return nil
		}
	case []any:
		for i := range v {
			v[i] = pruned(v[i])
		}
		if len(v) == 0 {
			return nil
		}
	case string, bool, float64:
		if reflect.ValueOf(v).IsZero() {
			return nil
		}
	}
	return v
}

// keepsKeys tells of a value whose key says something even if the value does not: the settings of a route.
func keepsKeys(v any) bool {
	m, ok := v.(map[string]any)
	return ok && m != nil
}

// life runs a resource through create, read, each change of each attribute with a read after it, and delete.
func (s *sdk) life(r *resource) {
	s.t.Helper()
	t := s.t
	config := maps.Clone(r.required)
	id := s.make(r, config)
	s.check(r, "created", id, config)
	for _, a := range r.attributes {
		values := a.values
		if !a.stays {
			values = append(slices.Clone(values), nil, a.values[0])
		}
		for _, to := range values {
			next := maps.Clone(config)
			if to != nil {
				next[a.field] = to
				maps.Copy(next, a.with)
			} else {
				delete(next, a.field)
				for field := range a.with {
					next[field] = r.required[field]
				}
			}
			s.update(r, &a, id, config, next)
			config = next
			s.check(r, fmt.Sprintf("%s = %s", a.field, asJSON(t, to)), id, config)
		}
	}
	for _, name := range []string{"Delete", "Get", "Delete"} {
		_, err := s.call(name+r.name, id)
		if gone := name == "Delete" && err == nil; !gone {
			if _, ok := errors.AsType[*types.NotFoundException](err); !ok {
				t.Errorf("%s of what is gone: %v", name, err)
			}
		}
	}
	// All that is configured now, at once.
	id = s.make(r, config)
	s.check(r, "created with everything", id, config)
	if _, err := s.call("Delete"+r.name, id); err != nil {
		t.Error(err)
	}
}

// make creates the resource and returns what identifies it.
func (s *sdk) make(r *resource, config fields) fields {
	s.t.Helper()
	out, err := s.call("Create"+r.name, r.needs, config)
	if err != nil {
		s.t.Fatalf("create: %v", err)
	}
	id := maps.Clone(r.needs)
	id[r.id] = out.Elem().FieldByName(r.id).Interface()
	return id
}

func (s *sdk) update(r *resource, a *attribute, id, from, to fields) {
	s.t.Helper()
	value := to[a.field]
	if a.send != nil {
		if value = a.send(s, id, from[a.field], to[a.field]); value == nil {
			return
		}
	} else if value == nil {
		value = emptyOf(a.values[0])
	}
	in := fields{a.field: value}
	for field := range a.with {
		in[field] = to[field]
	}
	if _, err := s.call("Update"+r.name, id, in); err != nil {
		s.t.Fatalf("update of %s from %v to %v: %v", a.field, from[a.field], to[a.field], err)
	}
}

// emptyOf is what the provider sends to take an attribute away.
func emptyOf(v any) any {
	t := reflect.TypeOf(v)
	switch t.Kind() {
	case reflect.Pointer:
		return reflect.New(t.Elem()).Interface()
	case reflect.Map:
		return reflect.MakeMap(t).Interface()
	default:
		return reflect.MakeSlice(t, 0, 0).Interface()
	}
}

// texts, flags and the like are the values that an attribute is given in turn.
func texts(all ...string) []any {
	var out []any
	for _, v := range all {
		out = append(out, aws.String(v))
	}
	return out
}

func textMaps(all ...map[string]string) []any {
	var out []any
	for _, v := range all {
		out = append(out, v)
	}
	return out
}

var flags = []any{aws.Bool(true)}

// sendMerged sends a map of texts whose keys are removed by empty texts; with unchanged keys or without.
func sendMerged(unchanged bool) func(*sdk, fields, any, any) any {
	return func(_ *sdk, _ fields, from, to any) any {
		before, _ := from.(map[string]string)
		after, _ := to.(map[string]string)
		send := map[string]string{}
		for key := range before {
			if _, ok := after[key]; !ok {
				send[key] = ""
			}
		}
		for key, value := range after {
			if old, ok := before[key]; !ok || old != value || unchanged {
				send[key] = value
			}
		}
		return send
	}
}

// sendTags changes tags by the operations on them; path leads to the resource in its ARN.
func sendTags(path func(id fields) string) func(*sdk, fields, any, any) any {
	return func(s *sdk, id fields, from, to any) any {
		before, _ := from.(map[string]string)
		after, _ := to.(map[string]string)
		arn := fields{"ResourceArn": aws.String("arn:aws:apigateway:eu-west-1::/" + path(id))}
		var gone []string
		for key := range before {
			if _, ok := after[key]; !ok {
				gone = append(gone, key)
			}
		}
		if len(gone) > 0 {
			s.must("UntagResource", "", arn, fields{"TagKeys": gone})
		}
		if len(after) > 0 {
			s.must("TagResource", "", arn, fields{"Tags": after})
		}
		if got := s.must("GetTags", "Tags", arn); len(after) > 0 && !reflect.DeepEqual(got, after) {
			s.t.Errorf("tags %v, want %v", got, after)
		}
		return nil
	}
}

var tagValues = textMaps(map[string]string{"a": "1", "b": "2"}, map[string]string{"b": "3", "c": "4 + 5/6"})

func text(v any) string { return *v.(*string) }

const lambdaURI = "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-west-1:123456789012:function:%s/invocations"

// TestTerraform: for each of the provider's resources a read after each write gives exactly what was written and AWS's
// defaults, so that no plan ever shows a difference.
func TestTerraform(t *testing.T) {
	for name, build := range map[string]func(s *sdk) *resource{
		"api": tfAPI, "route of connect": tfConnect, "route": tfRoute, "route_response": tfRouteResponse, "integration": tfIntegration,
		"integration_response": tfIntegrationResponse, "authorizer": tfAuthorizer, "model": tfModel, "deployment": tfDeployment, "stage": tfStage,
		"domain_name": tfDomainName, "api_mapping": tfAPIMapping,
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			s := newSDK(t)
			s.life(build(s))
		})
	}
}

func tfAPI(*sdk) *resource {
	return &resource{
		name: "Api", id: "ApiId", needs: fields{"ProtocolType": types.ProtocolTypeWebsocket},
		required: fields{"Name": aws.String("a"), "RouteSelectionExpression": aws.String("$request.body.action"), "ApiKeySelectionExpression": aws.String("$request.header.x-api-key")},
		attributes: []attribute{
			{field: "Name", values: texts("b"), stays: true},
			{field: "RouteSelectionExpression", values: texts("$request.body.op"), stays: true},
			{field: "ApiKeySelectionExpression", values: texts("$context.authorizer.usageIdentifierKey"), stays: true},
			{field: "Description", values: texts("one", "two")},
			{field: "DisableExecuteApiEndpoint", values: flags},
			{field: "IpAddressType", values: []any{types.IpAddressTypeDualstack, types.IpAddressTypeIpv4}, stays: true, byDefault: types.IpAddressTypeIpv4},
			{field: "Version", values: texts("1", "2")},
			{field: "Tags", values: tagValues, send: sendTags(func(id fields) string { return "apis/" + text(id["ApiId"]) })},
		},
	}
}

// route is what the two routes have in common.
func (s *sdk) route(key string, more ...attribute) *resource {
	in := fields{"IntegrationType": types.IntegrationTypeMock}
	one, two := s.must("CreateIntegration", "IntegrationId", in), s.must("CreateIntegration", "IntegrationId", in)
	return &resource{
		name: "Route", id: "RouteId", needs: fields{"ApiId": aws.String(s.apiID)},
		required: fields{"RouteKey": aws.String(key), "ApiKeyRequired": aws.Bool(false), "AuthorizationType": types.AuthorizationTypeNone},
		attributes: append([]attribute{
			{field: "ApiKeyRequired", values: flags},
			{field: "OperationName", values: texts("one", "two")},
			{field: "Target", values: texts("integrations/"+text(one), "integrations/"+text(two)), stays: true}, // AWS has no way back
		}, more...),
	}
}

func tfRoute(s *sdk) *resource {
	s.must("CreateModel", "", fields{"Name": aws.String("Say"), "ContentType": aws.String("application/json"), "Schema": aws.String("{}")})
	return s.route("say",
		attribute{field: "ModelSelectionExpression", values: texts("$request.body.action")},
		attribute{field: "RequestModels", values: textMaps(map[string]string{"say": "Say"}, map[string]string{"$default": "Say"})},
		attribute{field: "RouteKey", values: texts("tell", "$default"), stays: true},
		attribute{field: "RouteResponseSelectionExpression", values: texts("$default")},
	)
}

func tfConnect(s *sdk) *resource {
	authorizer := s.must("CreateAuthorizer", "AuthorizerId", fields{
		"Name": aws.String("a"), "AuthorizerType": types.AuthorizerTypeRequest, "IdentitySource": []string{}, "AuthorizerUri": aws.String(fmt.Sprintf(lambdaURI, "auth")),
	})
	constraint := func(required bool) types.ParameterConstraints {
		return types.ParameterConstraints{Required: aws.Bool(required)}
	}
	return s.route("$connect",
		attribute{field: "AuthorizationType", values: []any{types.AuthorizationTypeAwsIam, types.AuthorizationTypeNone}, stays: true},
		attribute{field: "AuthorizerId", values: []any{authorizer}, with: fields{"AuthorizationType": types.AuthorizationTypeCustom}},
		attribute{
			field: "RequestParameters",
			values: []any{
				map[string]types.ParameterConstraints{"route.request.header.A": constraint(true), "route.request.querystring.b": constraint(false)},
				map[string]types.ParameterConstraints{"route.request.querystring.b": constraint(true), "route.request.header.C": constraint(true)},
			},
			send: func(s *sdk, id fields, from, to any) any {
				before, _ := from.(map[string]types.ParameterConstraints)
				after, _ := to.(map[string]types.ParameterConstraints)
				for key, value := range before {
					if !reflect.DeepEqual(after[key], value) {
						s.must("DeleteRouteRequestParameter", "", id, fields{"RequestParameterKey": aws.String(key)})
					}
				}
				if len(after) == 0 {
					return nil
				}
				return after
			},
		},
	)
}

func tfRouteResponse(s *sdk) *resource {
	route := s.must("CreateRoute", "RouteId", fields{"RouteKey": aws.String("say")})
	return &resource{
		name: "RouteResponse", id: "RouteResponseId", needs: fields{"ApiId": aws.String(s.apiID), "RouteId": route}, required: fields{"RouteResponseKey": aws.String("$default")},
		attributes: []attribute{
			{field: "ModelSelectionExpression", values: texts("$request.body.action")},
			{field: "ResponseModels", values: textMaps(map[string]string{"a": "A"}, map[string]string{"b": "B"})},
		},
	}
}

func tfIntegration(s *sdk) *resource {
	return &resource{
		name: "Integration", id: "IntegrationId", needs: fields{"ApiId": aws.String(s.apiID), "IntegrationType": types.IntegrationTypeHttp},
		required: fields{
			"ConnectionType": types.ConnectionTypeInternet, "IntegrationMethod": aws.String("POST"), "IntegrationUri": aws.String("https://example.com/a"),
			"PassthroughBehavior": types.PassthroughBehaviorWhenNoMatch, "PayloadFormatVersion": aws.String("1.0"),
		},
		attributes: []attribute{
			{field: "ContentHandlingStrategy", values: []any{types.ContentHandlingStrategyConvertToText, types.ContentHandlingStrategyConvertToBinary}, stays: true},
			{field: "CredentialsArn", values: texts("arn:aws:iam::123456789012:role/a", "arn:aws:iam::123456789012:role/b")},
			{field: "Description", values: texts("one", "two")},
			{field: "IntegrationMethod", values: texts("PUT"), stays: true},
			{field: "IntegrationUri", values: texts("https://example.com/b"), stays: true},
			{field: "PassthroughBehavior", values: []any{types.PassthroughBehaviorNever, types.PassthroughBehaviorWhenNoTemplates}, stays: true},
			{
				field: "RequestParameters", send: sendMerged(true),
				values: textMaps(map[string]string{"integration.request.header.A": "'a'", "integration.request.header.B": "'b'"}, map[string]string{"integration.request.header.B": "'c'", "integration.request.querystring.d": "'d'"}),
			},
			{field: "RequestTemplates", values: textMaps(map[string]string{"a": "x", "b": "y"}, map[string]string{"$default": "z"})},
			{field: "TemplateSelectionExpression", values: texts("$request.body.action")},
			{field: "TimeoutInMillis", values: []any{aws.Int32(50), aws.Int32(28999)}, stays: true, byDefault: aws.Int32(29000)},
			{field: "ConnectionId", values: texts("link1", "link2")},
			{field: "ConnectionType", values: []any{types.ConnectionTypeVpcLink}, stays: true},
		},
	}
}

func tfIntegrationResponse(s *sdk) *resource {
	in := s.must("CreateIntegration", "IntegrationId", fields{"IntegrationType": types.IntegrationTypeMock})
	return &resource{
		name: "IntegrationResponse", id: "IntegrationResponseId", needs: fields{"ApiId": aws.String(s.apiID), "IntegrationId": in},
		required: fields{"IntegrationResponseKey": aws.String("/200/")},
		attributes: []attribute{
			{field: "ContentHandlingStrategy", values: []any{types.ContentHandlingStrategyConvertToText, types.ContentHandlingStrategyConvertToBinary}, stays: true},
			{field: "IntegrationResponseKey", values: texts("$default", "/4../"), stays: true},
			{field: "ResponseTemplates", values: textMaps(map[string]string{"a": "x", "b": "y"}, map[string]string{"$default": "z"})},
			{field: "TemplateSelectionExpression", values: texts("${integration.response.statuscode}")},
		},
	}
}

func tfAuthorizer(s *sdk) *resource {
	return &resource{
		name: "Authorizer", id: "AuthorizerId", needs: fields{"ApiId": aws.String(s.apiID), "AuthorizerType": types.AuthorizerTypeRequest},
		required: fields{"Name": aws.String("a"), "IdentitySource": []string{"route.request.header.A"}, "AuthorizerUri": aws.String(fmt.Sprintf(lambdaURI, "a"))},
		attributes: []attribute{
			{field: "Name", values: texts("b"), stays: true},
			{field: "AuthorizerCredentialsArn", values: texts("arn:aws:iam::123456789012:role/a", "arn:aws:iam::123456789012:role/b")},
			{field: "AuthorizerResultTtlInSeconds", values: []any{aws.Int32(300), aws.Int32(0), aws.Int32(3600)}, stays: true},
			{field: "AuthorizerUri", values: texts(fmt.Sprintf(lambdaURI, "b")), stays: true},
			{field: "IdentitySource", values: []any{[]string{"route.request.header.B", "route.request.querystring.c"}, []string{"route.request.querystring.c"}}},
		},
	}
}

func tfModel(s *sdk) *resource {
	return &resource{
		name: "Model", id: "ModelId", needs: fields{"ApiId": aws.String(s.apiID)},
		required: fields{"Name": aws.String("A"), "ContentType": aws.String("application/json"), "Schema": aws.String(`{"type":"object"}`)},
		attributes: []attribute{
			{field: "Name", values: texts("B"), stays: true},
			{field: "ContentType", values: texts("text/json"), stays: true},
			{field: "Description", values: texts("one", "two")},
			{field: "Schema", values: texts("{\n  \"type\": \"string\"\n}\n"), stays: true},
		},
	}
}

func tfDeployment(s *sdk) *resource {
	s.must("CreateRoute", "", fields{"RouteKey": aws.String("say")})
	return &resource{
		name: "Deployment", id: "DeploymentId", needs: fields{"ApiId": aws.String(s.apiID)}, required: fields{},
		attributes: []attribute{{field: "Description", values: texts("one", "two")}},
		ready: func(out reflect.Value) bool {
			return out.FieldByName("DeploymentStatus").String() == string(types.DeploymentStatusDeployed) && !out.FieldByName("AutoDeployed").Elem().Bool()
		},
	}
}

func tfStage(s *sdk) *resource {
	s.must("CreateRoute", "", fields{"RouteKey": aws.String("say")})
	s.must("CreateRoute", "", fields{"RouteKey": aws.String("a/b")})
	one, two := s.must("CreateDeployment", "DeploymentId"), s.must("CreateDeployment", "DeploymentId")
	settings := func(level types.LoggingLevel, rate float64, burst int32) types.RouteSettings {
		return types.RouteSettings{
			DataTraceEnabled: aws.Bool(level != types.LoggingLevelOff), DetailedMetricsEnabled: aws.Bool(burst > 0), LoggingLevel: level,
			ThrottlingBurstLimit: aws.Int32(burst), ThrottlingRateLimit: aws.Float64(rate),
		}
	}
	first, second := settings(types.LoggingLevelInfo, 10.5, 5), settings(types.LoggingLevelOff, 0, 0)
	logs := func(format string) *types.AccessLogSettings {
		return &types.AccessLogSettings{DestinationArn: aws.String("arn:aws:logs:eu-west-1:123456789012:log-group:g"), Format: aws.String(format)}
	}
	return &resource{
		name: "Stage", id: "StageName", needs: fields{"ApiId": aws.String(s.apiID), "StageName": aws.String("dev")}, required: fields{"AutoDeploy": aws.Bool(false)},
		attributes: []attribute{
			{field: "AccessLogSettings", values: []any{logs("$context.requestId"), logs("$context.requestId $context.status")}},
			{field: "ClientCertificateId", values: texts("c1", "c2")},
			{field: "DefaultRouteSettings", values: []any{&first, &second}, stays: true},
			{field: "DeploymentId", values: []any{one, two}, stays: true},
			{field: "Description", values: texts("one", "two")},
			{
				field: "RouteSettings", send: sendRouteSettings,
				values: []any{map[string]types.RouteSettings{"say": first, "a/b": second}, map[string]types.RouteSettings{"a/b": first}},
			},
			{field: "StageVariables", values: textMaps(map[string]string{"a": "1", "b": "2"}, map[string]string{"b": "3", "c": "4"}), send: sendMerged(false)},
			{field: "Tags", values: tagValues, send: sendTags(func(id fields) string { return "apis/" + text(id["ApiId"]) + "/stages/dev" })},
		},
	}
}

func sendRouteSettings(s *sdk, id fields, from, to any) any {
	before, _ := from.(map[string]types.RouteSettings)
	after, _ := to.(map[string]types.RouteSettings)
	for key, value := range before {
		if !reflect.DeepEqual(after[key], value) {
			s.must("DeleteRouteSettings", "", id, fields{"RouteKey": aws.String(key)})
		}
	}
	if after == nil {
		after = map[string]types.RouteSettings{}
	}
	return after
}

func tfDomainName(*sdk) *resource {
	configuration := func(certificate string, ip types.IpAddressType) []types.DomainNameConfiguration {
		return []types.DomainNameConfiguration{{
			CertificateArn: aws.String("arn:aws:acm:eu-west-1:123456789012:certificate/" + certificate), EndpointType: types.EndpointTypeRegional,
			IpAddressType: ip, SecurityPolicy: types.SecurityPolicyTls12,
		}}
	}
	// Of a configuration the provider compares what can be set; the rest has to be there.
	settable := func(v any) any {
		all, _ := v.([]types.DomainNameConfiguration)
		all = slices.Clone(all)
		for i := range all {
			all[i].ApiGatewayDomainName, all[i].HostedZoneId, all[i].DomainNameStatus = nil, nil, ""
		}
		return all
	}
	return &resource{
		name: "DomainName", id: "DomainName", needs: fields{"DomainName": aws.String("ws.example.com")},
		required: fields{"DomainNameConfigurations": configuration("a", types.IpAddressTypeIpv4)},
		attributes: []attribute{
			{field: "RoutingMode", values: []any{types.RoutingModeApiMappingOnly}, stays: true, byDefault: types.RoutingModeApiMappingOnly},
			{field: "Tags", values: tagValues, send: sendTags(func(fields) string { return "domainnames/ws.example.com" })},
			{field: "DomainNameConfigurations", values: []any{configuration("b", types.IpAddressTypeDualstack), configuration("c", types.IpAddressTypeIpv4)}, stays: true, view: settable},
		},
		ready: func(out reflect.Value) bool {
			all, _ := reflect.TypeAssert[[]types.DomainNameConfiguration](out.FieldByName("DomainNameConfigurations"))
			return len(all) == 1 && all[0].DomainNameStatus == types.DomainNameStatusAvailable && all[0].HostedZoneId != nil && all[0].ApiGatewayDomainName != nil &&
				out.FieldByName("ApiMappingSelectionExpression").Elem().String() == "$request.basepath"
		},
	}
}

func tfAPIMapping(s *sdk) *resource {
	for _, name := range []string{"dev", "prod"} {
		s.must("CreateStage", "", fields{"StageName": aws.String(name)})
	}
	s.must("CreateDomainName", "", fields{"DomainName": aws.String("ws.example.com"), "DomainNameConfigurations": []types.DomainNameConfiguration{{EndpointType: types.EndpointTypeRegional}}})
	return &resource{
		name: "ApiMapping", id: "ApiMappingId", needs: fields{"ApiId": aws.String(s.apiID), "DomainName": aws.String("ws.example.com")},
		required: fields{"Stage": aws.String("dev")},
		attributes: []attribute{
			{field: "ApiMappingKey", values: texts("v1", "v1/chat")},
			{field: "Stage", values: texts("prod"), stays: true},
		},
	}
}
