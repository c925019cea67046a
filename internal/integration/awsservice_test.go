package integration_test

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/awsapi"
	"cleat/internal/backend"
	"cleat/internal/integration"
	"cleat/internal/testkit"
)

// recorder is a stand-in for all AWS services: it verifies signatures and remembers the last request.
type recorder struct {
	url    string
	answer func(w http.ResponseWriter)

	method, uri, body string
	header            http.Header
	scope             string // "service/region"
	fault             error
}

func newRecorder(t *testing.T) *recorder {
	t.Helper()
	rec := &recorder{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		rec.method, rec.uri, rec.body, rec.header = r.Method, r.RequestURI, string(body), r.Header
		rec.scope, rec.fault = verified(r, body)
		if rec.answer != nil {
			rec.answer(w)
		}
	}))
	t.Cleanup(s.Close)
	rec.url = s.URL
	return rec
}

// verified returns what a request's signature is for, once it has been found good.
func verified(r *http.Request, body []byte) (scope string, err error) {
	req := testkit.SignedRequest(r, body)
	claim, err := awsapi.ReadSignature(req)
	if err != nil {
		return "", err
	}
	parts := strings.Split(r.Header.Get("Authorization"), "/")
	if len(parts) < 5 {
		return "", errors.New("no scope")
	}
	region, service := parts[2], parts[3]
	if err := claim.Check(region, service, time.Now()); err != nil {
		return "", err
	}
	var verifier awsapi.SigV4
	return service + "/" + region, verifier.Verify(req, claim, "local")
}

// services are those that reach the recorder.
func (rec *recorder) services(t *testing.T) *backend.Services {
	t.Helper()
	s := backend.NewServices(backend.HTTPOptions{})
	t.Cleanup(s.Close)
	if err := s.Swap(backend.ServiceSettings{Endpoints: map[string]string{backend.EveryService: rec.url}}); err != nil {
		t.Fatal(err)
	}
	return s
}

func service(method, tail string, parameters map[string]string, template string) apigw.Integration {
	in := apigw.Integration{
		IntegrationType: apigw.IntegrationAWS, IntegrationMethod: method, IntegrationURI: "arn:aws:apigateway:eu-west-1:" + tail, RequestParameters: parameters,
	}
	if template != "" {
		in.RequestTemplates = map[string]string{"$default": template}
	}
	return in
}

// TestServiceRequests holds the table of spec events-and-integrations §7, a row each, and the rules above it.
func TestServiceRequests(t *testing.T) {
	form := map[string]string{"integration.request.header.Content-Type": "'application/x-www-form-urlencoded'"}
	with := func(more ...string) map[string]string {
		out := map[string]string{}
		for i := 0; i < len(more); i += 2 {
			out["integration.request."+more[i]] = more[i+1]
		}
		return out
	}
	type want struct {
		method, uri, body   string
		contentType, target string
		scope               string
	}
	const jsonType0, jsonType1 = "application/x-amz-json-1.0", "application/x-amz-json-1.1"
	tests := map[string]struct {
		in   apigw.Integration
		kind apigw.EventType
		want want
	}{
		"DynamoDB put": {
			service("POST", "dynamodb:action/PutItem", nil, `#set($ttl = $context.requestTimeEpoch / 1000 + 86400){"TableName":"conns","Item":{"id":{"S":"$context.connectionId"},"at":{"N":"$context.connectedAt"},"ttl":{"N":"$ttl"}}}`), apigw.EventConnect,
			want{"POST", "/", `{"TableName":"conns","Item":{"id":{"S":"Qyi07eCbtjMCJKw="},"at":{"N":"1710277042123"},"ttl":{"N":"1710363442"}}}`, jsonType0, "DynamoDB_20120810.PutItem", "dynamodb/eu-west-1"},
		},
		"DynamoDB delete": {
			service("POST", "dynamodb:action/DeleteItem", nil, `{"TableName":"conns","Key":{"id":{"S":"$context.connectionId"}}}`), apigw.EventDisconnect,
			want{"POST", "/", `{"TableName":"conns","Key":{"id":{"S":"Qyi07eCbtjMCJKw="}}}`, jsonType0, "DynamoDB_20120810.DeleteItem", "dynamodb/eu-west-1"},
		},
		"SQS": {
			service("POST", "sqs:path/123456789012/jobs", form, "Action=SendMessage&MessageBody=$util.urlEncode($input.body)"), apigw.EventMessage,
			want{"POST", "/123456789012/jobs", "Action=SendMessage&MessageBody=%7B%22action%22%3A%22say%22%2C%22text%22%3A%22hi%22%7D", "application/x-www-form-urlencoded", "", "sqs/eu-west-1"},
		},
		"SNS": {
			service("POST", "sns:action/Publish", form, `TopicArn=$util.urlEncode("arn:aws:sns:eu-west-1:123456789012:t")&Message=$util.urlEncode($input.path('$.text'))`), apigw.EventMessage,
			want{"POST", "/?Action=Publish", "TopicArn=arn%3Aaws%3Asns%3Aeu-west-1%3A123456789012%3At&Message=hi", "application/x-www-form-urlencoded", "", "sns/eu-west-1"},
		},
		"SNS by query": {
			service("POST", "sns:action/Publish&Version=2010-03-31", with("querystring.Message", "route.request.body", "querystring.TopicArn", "'arn:x'"), ""), apigw.EventMessage,
			want{"POST", "/?Version=2010-03-31&Action=Publish&Message=%7B%22action%22%3A%22say%22%2C%22text%22%3A%22hi%22%7D&TopicArn=arn%3Ax", `{"action":"say","text":"hi"}`, "application/json", "", "sns/eu-west-1"},
		},
		"Kinesis": {
			service("POST", "kinesis:action/PutRecord", nil, `{"StreamName":"s","Data":"$util.base64Encode($input.body)","PartitionKey":"$context.connectionId"}`), apigw.EventMessage,
			want{"POST", "/", `{"StreamName":"s","Data":"eyJhY3Rpb24iOiJzYXkiLCJ0ZXh0IjoiaGkifQ==","PartitionKey":"Qyi07eCbtjMCJKw="}`, jsonType1, "Kinesis_20131202.PutRecord", "kinesis/eu-west-1"},
		},
		"Firehose": {
			service("POST", "firehose:action/PutRecord", nil, `{"DeliveryStreamName":"s"}`), apigw.EventMessage,
			want{"POST", "/", `{"DeliveryStreamName":"s"}`, jsonType1, "Firehose_20150804.PutRecord", "firehose/eu-west-1"},
		},
		"Step Functions": {
			service("POST", "states:action/StartExecution", nil, `{"stateMachineArn":"arn","input":"$util.escapeJavaScript($input.body).replaceAll("\\'","'")"}`), apigw.EventMessage,
			want{"POST", "/", `{"stateMachineArn":"arn","input":"{\"action\":\"say\",\"text\":\"hi\"}"}`, jsonType0, "AWSStepFunctions.StartExecution", "states/eu-west-1"},
		},
		"Step Functions, synchronous": {
			service("POST", "states:action/StartSyncExecution", nil, `{"stateMachineArn":"arn"}`), apigw.EventMessage,
			want{"POST", "/", `{"stateMachineArn":"arn"}`, jsonType0, "AWSStepFunctions.StartSyncExecution", "states/eu-west-1"},
		},
		"SSM": {
			service("POST", "ssm:action/GetParameter", nil, `{"Name":"/a"}`), apigw.EventMessage,
			want{"POST", "/", `{"Name":"/a"}`, jsonType1, "AmazonSSM.GetParameter", "ssm/eu-west-1"},
		},
		"EventBridge": {
			service("POST", "events:action/PutEvents", with("header.X-Amz-Target", "'AWSEvents.PutEvents'", "header.Content-Type", "'"+jsonType1+"'"), `{"Entries":[{"Source":"ws","DetailType":"$context.routeKey","Detail":"$util.escapeJavaScript($input.body)"}]}`), apigw.EventMessage,
			want{"POST", "/", `{"Entries":[{"Source":"ws","DetailType":"say","Detail":"{\"action\":\"say\",\"text\":\"hi\"}"}]}`, jsonType1, "AWSEvents.PutEvents", "events/eu-west-1"},
		},
		"S3 put": {
			service("PUT", "s3:path/{bucket}/{key}", with("path.bucket", "stageVariables.bucket", "path.key", "context.connectionId", "header.Content-Type", "'text/plain'"), ""), apigw.EventMessage,
			want{"PUT", "/my-bucket/Qyi07eCbtjMCJKw%3D", `{"action":"say","text":"hi"}`, "text/plain", "", "s3/eu-west-1"},
		},
		"S3 get": {
			service("GET", "my-bucket.s3:path/a", nil, "not sent"), apigw.EventMessage, want{"GET", "/my-bucket/a", "", "", "", "s3/eu-west-1"},
		},
		"management API": {
			service("POST", "execute-api:path/a1b2c3d4e5/${stageVariables.stage}/@connections/{id}", with("path.id", "route.request.body.text"), "hello"), apigw.EventMessage,
			want{"POST", "/a1b2c3d4e5/dev/@connections/hi", "hello", "application/json", "", "execute-api/eu-west-1"},
		},
		"Lambda, another call of it": {
			service("POST", "lambda:path/2014-11-13/functions/f/invoke-async/", nil, "{}"), apigw.EventMessage,
			want{"POST", "/2014-11-13/functions/f/invoke-async/", "{}", "application/json", "", "lambda/eu-west-1"},
		},
		"any other": {
			service("ANY", "runtime.sagemaker:path/endpoints/e/invocations", nil, "{}"), apigw.EventMessage,
			want{"POST", "/endpoints/e/invocations", "{}", "application/json", "", "sagemaker/eu-west-1"},
		},
		"variables of the stage": {
			service("POST", "${stageVariables.service}:action/${stageVariables.action}", nil, "{}"), apigw.EventMessage,
			want{"POST", "/", "{}", jsonType0, "DynamoDB_20120810.Query", "dynamodb/eu-west-1"},
		},
		"a target of one's own": {
			service("POST", "dynamodb:action/PutItem", with("header.x-amz-target", "'DynamoDB_20120810.Other'"), "{}"), apigw.EventMessage,
			want{"POST", "/", "{}", jsonType0, "DynamoDB_20120810.Other", "dynamodb/eu-west-1"},
		},
		"overrides": {
			service("POST", "${stageVariables.service}:path/{a}", with("path.a", "'mapped'", "querystring.q", "'mapped'", "header.X-Amz-Target", "'mapped'"),
				`#set($context.requestOverride.path.a = "x y")#set($context.requestOverride.querystring.q = "a&b")#set($context.requestOverride.header["X-Amz-Target"] = "T")ok`), apigw.EventMessage,
			want{"POST", "/x%20y?q=a%26b", "ok", "application/json", "T", "dynamodb/eu-west-1"},
		},
		"no body, no type": {
			service("POST", "sqs:action/ListQueues", nil, ""), apigw.EventConnect, want{"POST", "/?Action=ListQueues", "", "", "", "sqs/eu-west-1"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			rec := newRecorder(t)
			p := compile(t, tt.in, []apigw.IntegrationResponse{{IntegrationResponseKey: "$default"}}, integration.Dependencies{Services: rec.services(t)})
			ev := testEvent(tt.kind)
			ev.StageVariables = map[string]string{"bucket": "my-bucket", "stage": "dev", "service": "dynamodb", "action": "Query"}
			if _, err := p.Do(t.Context(), ev, new(integration.Room)); err != nil {
				t.Fatal(err)
			}
			got := want{rec.method, rec.uri, rec.body, rec.header.Get("Content-Type"), rec.header.Get("X-Amz-Target"), rec.scope}
			if got != tt.want {
				t.Errorf("got\n%+v\nwant\n%+v", got, tt.want)
			}
			if rec.fault != nil {
				t.Errorf("signature: %v", rec.fault)
			}
			for name, want := range map[string]string{
				"User-Agent": "AmazonAPIGateway_a1b2c3d4e5", "X-Amzn-Apigateway-Api-Id": "a1b2c3d4e5", "X-Amzn-Trace-Id": ev.TraceID, "Accept": "application/json",
			} {
				if got := rec.header.Get(name); got != want {
					t.Errorf("%s: got %q, want %q", name, got, want)
				}
			}
		})
	}
}

func answering200(body string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		w.Header().Set("X-Amzn-Requestid", "rid")
		_, _ = io.WriteString(w, body)
	}
}

// TestServiceResponses: a service's errors are statuses; what comes of them the integration responses say (spec
// events-and-integrations §7 end, §8.2).
func TestServiceResponses(t *testing.T) {
	refused := func(w http.ResponseWriter) {
		w.Header().Set("X-Amzn-Requestid", "rid")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"__type":"x#ValidationException","message":"no key"}`)
	}
	const cause = "ValidationException: no key"
	pass := []apigw.IntegrationResponse{{IntegrationResponseKey: "$default"}}
	mapped := []apigw.IntegrationResponse{
		{IntegrationResponseKey: "/200/", ResponseTemplates: map[string]string{"$default": `{"n":$input.path('$.Items').size()}`}},
		{IntegrationResponseKey: `/4\d\d/`, ResponseTemplates: map[string]string{"$default": `#set($context.responseOverride.status = 409){"why":$input.json('$.message')}`}},
	}
	config := outcome{kind: apigw.KindIntegrationConfig, failed: true}
	type eventWants map[apigw.EventType]outcome
	tests := map[string]struct {
		answer    func(http.ResponseWriter)
		responses []apigw.IntegrationResponse
		want      eventWants
		cause     string
	}{
		"raw JSON": {answering200(`{"Items":[]}`), pass, eventWants{
			apigw.EventConnect: {status: 200, hasBody: true, body: `{"Items":[]}`}, apigw.EventMessage: {status: 200, hasBody: true, body: `{"Items":[]}`},
		}, ""},
		"no responses": {answering200(`{"Items":[]}`), nil, eventWants{
			apigw.EventConnect: config, apigw.EventMessage: {status: 200, hasBody: true, body: `{"Items":[]}`}, apigw.EventDisconnect: {status: 200},
		}, ""},
		"mapped": {answering200(`{"Items":[]}`), mapped, eventWants{apigw.EventMessage: {status: 200, hasBody: true, body: `{"n":0}`}}, ""},
		"refused": {refused, pass, eventWants{
			apigw.EventConnect: {status: 400, hasBody: true, body: `{"__type":"x#ValidationException","message":"no key"}`},
		}, cause},
		"refused, mapped":        {refused, mapped, eventWants{apigw.EventMessage: {status: 409, hasBody: true, body: `{"why":"no key"}`}}, cause},
		"refused, let in":        {refused, []apigw.IntegrationResponse{{IntegrationResponseKey: "200"}, {IntegrationResponseKey: "$default"}}, eventWants{apigw.EventConnect: {status: 400, hasBody: true, body: `{"__type":"x#ValidationException","message":"no key"}`}}, cause},
		"refused, none for that": {refused, mapped[:1], eventWants{apigw.EventConnect: config, apigw.EventMessage: config}, cause},
		"refused, no responses":  {refused, nil, eventWants{apigw.EventDisconnect: {status: 400}}, cause},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			rec := newRecorder(t)
			rec.answer = tt.answer
			p := compile(t, service("POST", "dynamodb:action/Query", nil, "{}"), tt.responses, integration.Dependencies{Services: rec.services(t)})
			for kind, want := range tt.want {
				res, err := p.Do(t.Context(), testEvent(kind), new(integration.Room))
				if got := outcomeOf(res, err); got != want {
					t.Errorf("%s: got %+v, %v, want %+v", kind, got, err, want)
				}
				if res.Cause != tt.cause || res.FunctionRequestID != "rid" {
					t.Errorf("%s: for the log: %q, %q", kind, res.Cause, res.FunctionRequestID)
				}
			}
		})
	}
}

// slowServices answer when the call's time is over.
type slowServices struct{ err error }

func (s slowServices) Call(ctx context.Context, _ *backend.ServiceCall) (*backend.Response, error) {
	if s.err != nil {
		return nil, s.err
	}
	<-ctx.Done()
	return nil, &apigw.Error{Kind: apigw.KindIntegrationTimeout, Err: ctx.Err()}
}

func TestServiceFailures(t *testing.T) {
	quick := service("POST", "dynamodb:action/Query", nil, "{}")
	quick.TimeoutInMillis = 50
	binary := quick
	binary.ContentHandlingStrategy, binary.RequestTemplates = "CONVERT_TO_BINARY", nil
	never := quick
	never.PassthroughBehavior, never.RequestTemplates = "NEVER", nil
	client := service("POST", "execute-api:path/{api}/dev/@connections/x", map[string]string{"integration.request.path.api": "route.request.body.text"}, "{}")
	override := service("POST", "dynamodb:action/Query", nil, `#set($context.requestOverride.header["X-Amz-Date"] = "x"){}`)
	for name, tt := range map[string]struct {
		in       apigw.Integration
		services integration.Services
		kind     apigw.Kind
		want     string
	}{
		"slow":                       {quick, slowServices{}, apigw.KindIntegrationTimeout, "dynamodb Query after 50ms"},
		"unreachable":                {quick, slowServices{&apigw.Error{Kind: apigw.KindIntegrationFailure, Err: errors.New("refused")}}, apigw.KindIntegrationFailure, "refused"},
		"none here":                  {quick, nil, apigw.KindIntegrationConfig, "this node calls no AWS services"},
		"not base64":                 {binary, slowServices{}, apigw.KindIntegrationFailure, "CONVERT_TO_BINARY"},
		"no template":                {never, slowServices{}, apigw.KindUnsupportedMediaType, "NEVER"},
		"no stage variable":          {service("POST", "dynamodb:action/${stageVariables.nope}", nil, "{}"), slowServices{}, apigw.KindIntegrationConfig, `no variable "nope"`},
		"a bad stage variable":       {service("POST", "${stageVariables.bad}:action/Query", nil, "{}"), slowServices{}, apigw.KindIntegrationConfig, `"a/b" is not a service`},
		"an override of a signature": {override, slowServices{}, apigw.KindIntegrationConfig, "the header X-Amz-Date of a signed request cannot be set"},
		"a host of the client's own": {client, slowServices{}, apigw.KindIntegrationConfig, `"evil.example%2F" is not an API's ID`},
	} {
		t.Run(name, func(t *testing.T) {
			p := compile(t, tt.in, nil, integration.Dependencies{Services: tt.services})
			ev := testEvent(apigw.EventMessage)
			ev.Body = []byte(`{"text":"evil.example/"}`)
			ev.StageVariables = map[string]string{"bad": "a/b"}
			_, err := p.Do(t.Context(), ev, new(integration.Room))
			if apigw.KindOf(err) != tt.kind || err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got kind %d, %v, want kind %d, …%s…", apigw.KindOf(err), err, tt.kind, tt.want)
			}
		})
	}
}

// TestServiceHeaders: what no mapping may set on a signed request (spec events-and-integrations §6), and what it may.
func TestServiceHeaders(t *testing.T) {
	mapping := func(name string) map[string]string {
		return map[string]string{"integration.request.header." + name: "'x'"}
	}
	for _, name := range []string{
		"authorization", "Connection", "Expect", "Proxy-Authenticate", "TE", "Content-Length", "Transfer-Encoding", "X-Amzn-Trace-Id",
		"X-Amzn-Apigateway-Api-Id", "X-Amz-Date", "x-amz-security-token", "X-Amz-Content-Sha256",
	} {
		in := service("POST", "sqs:path/1/q", mapping(name), "")
		if _, err := integration.Compile(&in, nil, integration.Dependencies{}); err == nil || !strings.Contains(err.Error(), "cannot set the header "+name) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	rec := newRecorder(t)
	parameters := map[string]string{}
	for _, name := range []string{"X-Amz-Meta-A", "Content-MD5", "Cache-Control", "x_odd.name"} {
		maps.Copy(parameters, mapping(name))
	}
	p := compile(t, service("PUT", "s3:path/b/k", parameters, ""), nil, integration.Dependencies{Services: rec.services(t)})
	if _, err := p.Do(t.Context(), testEvent(apigw.EventMessage), new(integration.Room)); err != nil || rec.fault != nil {
		t.Fatal(err, rec.fault)
	}
	for name := range parameters {
		if name = strings.TrimPrefix(name, "integration.request.header."); rec.header.Get(name) != "x" {
			t.Errorf("%s did not arrive: %v", name, rec.header)
		}
	}
}

// TestServiceConvertsToBinary: bytes go out as they are (spec events-and-integrations §8.1).
func TestServiceConvertsToBinary(t *testing.T) {
	rec := newRecorder(t)
	in := service("PUT", "s3:path/b/k", map[string]string{"integration.request.header.Content-Type": "'image/png'"}, "")
	in.ContentHandlingStrategy = "CONVERT_TO_BINARY"
	ev := testEvent(apigw.EventMessage)
	ev.Body = []byte("iVBORw0=")
	if _, err := compile(t, in, nil, integration.Dependencies{Services: rec.services(t)}).Do(t.Context(), ev, new(integration.Room)); err != nil || rec.fault != nil {
		t.Fatal(err, rec.fault)
	}
	if rec.body != "\x89PNG\r" {
		t.Errorf("got %q", rec.body)
	}
}
