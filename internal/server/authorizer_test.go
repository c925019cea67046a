package server_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
)

// guardedYML is a project with an authorizer as the Serverless Framework has it, and a model among its resources.
const guardedYML = `service: demo
provider: {name: aws, runtime: nodejs20.x}
functions:
  gate: {handler: h.gate}
  hello:
    handler: h.hello
    events:
      - websocket:
          route: $connect
          authorizer: {name: gate, identitySource: [route.request.querystring.token]}
  who:
    handler: h.who
    events:
      - websocket: {route: who, routeResponseSelectionExpression: $default}
resources:
  Resources:
    Named:
      Type: AWS::ApiGatewayV2::Model
      Properties:
        ApiId: !Ref WebsocketsApi
        Name: Named
        Schema: {type: object, required: [name], properties: {name: {type: string}}}
  extensions:
    whoWebsocketsRoute: {Properties: {ModelSelectionExpression: $default, RequestModels: {$default: Named}}}
`

const guardedJS = `exports.gate = (event, context, callback) => {
  const token = event.queryStringParameters.token;
  if (token === 'none') return callback('Unauthorized');
  if (token === 'throw') throw new Error('no such database');
  if (token === 'odd') return callback(null, { isAuthorized: true });
  callback(null, {
    principalId: token,
    policyDocument: { Version: '2012-10-17', Statement: [{ Action: 'execute-api:Invoke', Effect: token === 'deny' ? 'Deny' : 'Allow', Resource: event.methodArn }] },
    context: { level: 3, beta: true },
  });
};
exports.hello = async () => ({ statusCode: 200 });
exports.who = async (event) => ({ statusCode: 200, body: JSON.stringify(event.requestContext.authorizer) });
`

// A serverless.yml with an authorizer in Node runs as it is (spec control-plane §16, events-and-integrations §3, §9).
func TestServerlessAuthorizerAndModel(t *testing.T) {
	r := start(t, map[string]string{"serverless.yml": guardedYML, "h.js": guardedJS})
	for token, want := range map[string]struct {
		status int
		body   string
	}{
		"":      {401, `"message": "Unauthorized"`},
		"none":  {401, `"message": "Unauthorized"`},
		"deny":  {403, `{"Message":"User is not authorized to access this resource with an explicit deny"}`},
		"throw": {500, `"message": "Internal server error"`},
		"odd":   {500, `{"message":null}`},
	} {
		ws, res, err := dialWith(t, r, token)
		if ws != nil || res == nil {
			t.Fatalf("token %q: %v, %v", token, res, err)
		}
		if body, _ := io.ReadAll(res.Body); res.StatusCode != want.status || !strings.Contains(string(body), want.body) {
			t.Errorf("token %q: got %d %s, want %d %s", token, res.StatusCode, body, want.status, want.body)
		}
	}
	ws, _, err := dialWith(t, r, "alice")
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal([]byte(ask(t, ws, `{"action":"who","name":"x"}`)), &got); err != nil {
		t.Fatal(err)
	}
	if want := map[string]any{"principalId": "alice", "level": "3", "beta": "true"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := ask(t, ws, `{"action":"who"}`); !strings.HasPrefix(got, `{"message": "Invalid request body", `) {
		t.Errorf("got %s", got)
	}
}

func dialWith(t *testing.T, r *run, token string) (*websocket.Conn, *http.Response, error) {
	t.Helper()
	ws, res, err := websocket.DefaultDialer.DialContext(t.Context(), "ws://"+r.info.Addr+"/dev?token="+token, nil)
	if ws != nil {
		t.Cleanup(func() { _ = ws.Close() })
	}
	return ws, res, err
}

// The same in cleat.yaml's short form.
func TestCleatAuthorizerAndModel(t *testing.T) {
	r := start(t, map[string]string{"h.js": guardedJS, "schemas/named.yml": "type: object\nrequired: [name]\n", "cleat.yaml": `name: demo
routes:
  $connect: {function: hello, authorizer: gate}
  who: {function: who, twoWay: true, models: Named}
authorizers:
  gate: {function: gate, identitySource: [route.request.querystring.token, context.identity.sourceIp]}
functions: {gate: h.gate, hello: h.hello, who: h.who}
models: {Named: schemas/named.yml}
`})
	if _, res, err := dialWith(t, r, "deny"); res == nil || res.StatusCode != 403 {
		t.Fatalf("got %v, %v", res, err)
	}
	ws, _, err := dialWith(t, r, "bob")
	if err != nil {
		t.Fatal(err)
	}
	if got := ask(t, ws, `{"action":"who","name":"x"}`); !strings.Contains(got, `"principalId":"bob"`) {
		t.Errorf("got %s", got)
	}
	if got := ask(t, ws, `{"action":"who"}`); !strings.HasPrefix(got, `{"message": "Invalid request body", `) {
		t.Errorf("got %s", got)
	}
}

// An authorizer may be a function elsewhere, named by its ARN: spec control-plane §16.
func TestAuthorizerElsewhere(t *testing.T) {
	called := make(chan string, 10)
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		called <- r.URL.Path
		_, _ = io.WriteString(w, `{"principalId":"carol","policyDocument":{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"execute-api:*","Resource":"arn:aws:execute-api:*:*:*/dev/$connect"}}}`)
	}))
	defer elsewhere.Close()
	r := start(t, map[string]string{
		"h.js":           guardedJS,
		"serverless.yml": strings.Replace(guardedYML, "{name: gate, identitySource: [route.request.querystring.token]}", "arn:aws:lambda:us-east-1:111122223333:function:gate-elsewhere", 1),
		"cleat.yaml":     "remoteFunctions: {'*-elsewhere': '" + elsewhere.URL + "'}\n",
	})
	if _, res, err := dialWith(t, r, "x"); res == nil || res.StatusCode != 401 || len(called) != 0 {
		t.Errorf("without the default identity source: got %v, %v", res, err)
	}
	ws, _, err := websocket.DefaultDialer.DialContext(t.Context(), "ws://"+r.info.Addr+"/dev", http.Header{"auth": {"x"}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ws.Close() }()
	if got := ask(t, ws, `{"action":"who","name":"x"}`); got != `{"principalId":"carol"}` {
		t.Errorf("got %s", got)
	}
	if path := <-called; !strings.Contains(path, "gate-elsewhere") {
		t.Errorf("called %s", path)
	}
}
