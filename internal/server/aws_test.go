package server_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"cleat/internal/apigw"
)

// newStandIn is an HTTP server that answers with what was asked of it.
func newStandIn(t *testing.T, name string, requests chan<- string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if requests != nil {
			requests <- r.Method + " " + r.Host + r.RequestURI + " " + string(body) + " " + r.Header.Get("X-Amz-Target") + " " + r.Header.Get("Authorization")
		}
		_, _ = io.WriteString(w, name)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

const servicesYML = `name: services
region: eu-west-1
awsEndpoints: { '*': "%rest", dynamodb: "%tables" }
awsCredentials: { accessKeyId: AKIAPROJECT, secretAccessKey: s }
routes:
  queue:
    integration:
      IntegrationType: AWS
      IntegrationMethod: POST
      IntegrationUri: arn:aws:apigateway:eu-west-1:sqs:path/123456789012/jobs
    twoWay: true
    responses: { $default: }
  get:
    integration:
      IntegrationType: AWS
      IntegrationMethod: POST
      IntegrationUri: arn:aws:apigateway:eu-west-1:dynamodb:action/GetItem
    twoWay: true
  push:
    integration:
      IntegrationType: AWS
      IntegrationMethod: POST
      IntegrationUri: arn:aws:apigateway:eu-west-1:execute-api:path/{api}/dev/@connections/{id}
      RequestParameters: { integration.request.path.api: context.apiId, integration.request.path.id: context.connectionId }
  env: { function: env, twoWay: true }
functions:
  env: h.env
`

// TestDevServices: integrations reach the stand-ins that cleat.yaml names, with its credentials, and the management API
// of this node; functions learn where the stand-ins are.
func TestDevServices(t *testing.T) {
	requests := make(chan string, 10)
	rest, tables := newStandIn(t, `{"from":"rest"}`, requests), newStandIn(t, `{"from":"tables"}`, requests)
	r := start(t, map[string]string{
		"cleat.yaml": strings.NewReplacer("%rest", rest, "%tables", tables+"/db").Replace(servicesYML),
		"h.js":       `exports.env = async () => ({ body: [process.env.AWS_ENDPOINT_URL, process.env.AWS_ENDPOINT_URL_DYNAMODB, String(process.env.AWS_ENDPOINT_URL_EXECUTE_API)].join(' ') });`,
	})
	ws := r.dial(t)
	for _, tt := range []struct{ message, answer, request, scope string }{
		{`{"action":"queue"}`, `{"from":"rest"}`, "POST " + strings.TrimPrefix(rest, "http://") + `/123456789012/jobs {"action":"queue"} `, "/eu-west-1/sqs/aws4_request"},
		{`{"action":"get"}`, `{"from":"tables"}`, "POST " + strings.TrimPrefix(tables, "http://") + `/db/ {"action":"get"} DynamoDB_20120810.GetItem`, "/eu-west-1/dynamodb/aws4_request"},
	} {
		if got := ask(t, ws, tt.message); got != tt.answer {
			t.Errorf("%s: got %s, want %s", tt.message, got, tt.answer)
		}
		if got := <-requests; !strings.HasPrefix(got, tt.request) || !strings.Contains(got, "Credential=AKIAPROJECT/") || !strings.Contains(got, tt.scope) {
			t.Errorf("%s: the service got %s", tt.message, got)
		}
	}
	if got := ask(t, ws, `{"action":"push","x":1}`); got != `{"action":"push","x":1}` {
		t.Errorf("pushed by an integration: got %s", got)
	}
	if got, want := ask(t, ws, `{"action":"env"}`), rest+" "+tables+"/db undefined"; got != want {
		t.Errorf("the function sees %s, want %s", got, want)
	}
}

// TestDevTables: tables are made at the endpoint that cleat.yaml names, and not at AWS itself.
func TestDevTables(t *testing.T) {
	const yml = `service: tables
provider: {name: aws, runtime: nodejs20.x}
functions: {}
resources:
  Resources:
    Conns: {Type: "AWS::DynamoDB::Table", Properties: {TableName: conns, KeySchema: [], AttributeDefinitions: []}}
`
	requests := make(chan string, 10)
	r := start(t, map[string]string{"serverless.yml": yml, "cleat.yaml": "awsEndpoints: { dynamodb: " + newStandIn(t, "{}", requests) + " }"})
	if s := r.info.Tables; len(s) != 1 || !s[0].Created || s[0].Err != nil {
		t.Errorf("got %+v", s)
	}
	if got := <-requests; !strings.Contains(got, "DynamoDB_20120810.CreateTable") {
		t.Errorf("got %s", got)
	}
	r = start(t, map[string]string{"serverless.yml": yml, "cleat.yaml": "awsEndpoints: { '*': http://dynamodb.eu-west-1.amazonaws.com }"})
	if s := r.info.Tables; len(s) != 1 || !s[0].Missing {
		t.Errorf("at AWS: got %+v", s)
	}
}

// TestDevVPCLink: a private integration goes where cleat.yaml says, and elsewhere once that changes; a link that leads
// nowhere is an error frame.
func TestDevVPCLink(t *testing.T) {
	const yml = `name: private
routes:
  ask:
    integration: { IntegrationType: HTTP_PROXY, IntegrationMethod: POST, IntegrationUri: http://app.internal/ws, ConnectionType: VPC_LINK, ConnectionId: main }
    twoWay: true
`
	requests := make(chan string, 10)
	with := func(name string) string {
		return yml + "vpcLinks: { main: { targets: " + newStandIn(t, name, requests) + ", healthCheck: { interval: 1h } } }\n"
	}
	r := start(t, map[string]string{"cleat.yaml": with("one")})
	ws := r.dial(t)
	for _, name := range []string{"one", "two"} {
		if got := ask(t, ws, `{"action":"ask"}`); got != name {
			t.Errorf("got %s, want %s", got, name)
		}
		if got := <-requests; !strings.HasPrefix(got, `POST app.internal/ws {"action":"ask"}`) {
			t.Errorf("the target got %s", got)
		}
		next := yml
		if name == "one" {
			next = with("two")
		}
		r.write(t, "cleat.yaml", next)
		<-r.reloaded
	}
	if got := ask(t, ws, `{"action":"ask"}`); !strings.HasPrefix(got, `{"message": "Internal server error"`) {
		t.Errorf("without the link: got %s", got)
	}
	eventually(t, "the log does not say why", func() bool {
		return r.has(func(e *apigw.Record) bool {
			return e.Err != nil && strings.Contains(e.Err.Error(), `there is no VPC link "main": name it and its targets under vpcLinks in cleat.yaml`)
		})
	})
}

// TestDevAsynchronous: a function that an AWS integration calls with the invocation type Event runs after the answer, and
// its failure is told (spec events-and-integrations §7 end).
func TestDevAsynchronous(t *testing.T) {
	const yml = `name: later
region: eu-west-1
routes:
  $connect: &event
    integration:
      IntegrationType: AWS
      IntegrationUri: arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-west-1:123456789012:function:later/invocations
      IntegrationMethod: POST
      RequestParameters: { integration.request.header.X-Amz-Invocation-Type: "'Event'" }
    responses: { $default: }
  $default: *event
functions:
  later: { handler: h.later, name: later }
`
	r := start(t, map[string]string{
		"cleat.yaml": yml,
		"h.js":       `exports.later = async (e) => { await new Promise((r) => setTimeout(r, e.wait || 0)); console.log('ran with', JSON.stringify(e)); throw new Error('too late'); };`,
	})
	ws := r.dial(t) // although the function throws
	if err := ws.WriteMessage(1, []byte(`{"wait":100}`)); err != nil {
		t.Fatal(err)
	}
	said := func(what string) bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, l := range r.lines {
			if strings.Contains(l.Text, what) {
				return true
			}
		}
		return false
	}
	eventually(t, "the function did not run, or its error was not told", func() bool {
		return said("ran with {}") && said(`ran with {"wait":100}`) && said("too late")
	})
	for _, operation := range []string{"connect", "message"} {
		eventually(t, "no "+operation+" was answered with 202", func() bool {
			return r.has(func(e *apigw.Record) bool { return e.Operation == operation && e.Err == nil && e.BackendStatus == 202 })
		})
	}
}

// eventually waits for what comes a little after the client has its answer.
func eventually(t *testing.T, otherwise string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal(otherwise)
		}
	}
}
