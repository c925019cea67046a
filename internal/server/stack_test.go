package server_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/gorilla/websocket"

	"cleat/internal/cfn"
	"cleat/internal/control/stacks"
	"cleat/internal/controlapi/stackapi"
	"cleat/internal/server"
	"cleat/internal/testkit"
)

// kept is a running RunServe.
type kept struct {
	t    *testing.T
	node *served
}

func serveNode(t *testing.T) *kept {
	t.Helper()
	return &kept{t, serve(t, func(o *server.ServeOptions) { o.Env = os.Environ() })} // in which Node is found
}

// apply sends a template as "cleat apply" does.
func (k *kept) apply(text string) (stackapi.Result, cfn.Faults) {
	k.t.Helper()
	v, err := cfn.Parse("chat.yaml", []byte(text))
	if err != nil {
		k.t.Fatal(err)
	}
	places := cfn.PlacesOf(v)
	body, err := json.Marshal(stackapi.Request{Template: v.AppendJSON(nil), Places: &places})
	if err != nil {
		k.t.Fatal(err)
	}
	res := signedCall(k.t, k.node.admin, "cleat", k.node.key, http.MethodPut, "/_cleat/stacks/chat", string(body))
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if err != nil {
		k.t.Fatal(err)
	}
	if res.StatusCode != http.StatusOK {
		faults := stackapi.Faults(got)
		if len(faults) == 0 {
			k.t.Fatalf("%d %s", res.StatusCode, got)
		}
		return stackapi.Result{}, faults
	}
	var r stackapi.Result
	if err := json.Unmarshal(got, &r); err != nil {
		k.t.Fatal(err)
	}
	return r, nil
}

const stackTemplate = `
Resources:
  Api: {Type: "AWS::ApiGatewayV2::Api", Properties: {Name: chat, ProtocolType: WEBSOCKET, RouteSelectionExpression: $request.body.action}}
  Mock: {Type: "AWS::ApiGatewayV2::Integration", Properties: {ApiId: !Ref Api, IntegrationType: MOCK, TemplateSelectionExpression: "200", RequestTemplates: {"200": '{"statusCode": 200}'}}}
  Answer: {Type: "AWS::ApiGatewayV2::IntegrationResponse", Properties: {ApiId: !Ref Api, IntegrationId: !Ref Mock, IntegrationResponseKey: $default, TemplateSelectionExpression: "200", ResponseTemplates: {"200": one}}}
  Default: {Type: "AWS::ApiGatewayV2::Route", Properties: {ApiId: !Ref Api, RouteKey: $default, RouteResponseSelectionExpression: $default, Target: !Sub "integrations/${Mock}"}}
  Back: {Type: "AWS::ApiGatewayV2::RouteResponse", Properties: {ApiId: !Ref Api, RouteId: !Ref Default, RouteResponseKey: $default}}
  Deployment: {Type: "AWS::ApiGatewayV2::Deployment", DependsOn: [Default], Properties: {ApiId: !Ref Api}}
  Stage: {Type: "AWS::ApiGatewayV2::Stage", Properties: {ApiId: !Ref Api, StageName: dev, DeploymentId: !Ref Deployment}}
`

// A template is applied to a node that has clients: what it changes holds from their next message on, the same again changes
// nothing, and one that cannot be served leaves everything as it was.
func TestApplyToClients(t *testing.T) {
	node := serveNode(t)
	first, _ := node.apply(stackTemplate)
	if len(first.Changes) != 7 || len(first.Stages) != 1 || len(first.Stages[0].Addresses) != 1 {
		t.Fatalf("got %+v", first)
	}
	ws, res, err := websocket.DefaultDialer.DialContext(t.Context(), first.Stages[0].Addresses[0], nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	defer ws.Close()
	if got := ask(t, ws, "{}"); got != "one" {
		t.Errorf("got %q, want one", got)
	}
	if again, _ := node.apply(stackTemplate); len(again.Changes) != 0 {
		t.Errorf("the same again changes %+v", again.Changes)
	}

	changed := strings.Replace(stackTemplate, `{"200": one}`, `{"200": two}`, 1)
	r, _ := node.apply(changed)
	if len(r.Changes) != 3 || r.Changes[0].LogicalID != "Answer" || r.Changes[0].Action != stacks.ActionUpdate {
		t.Errorf("changed %+v", r.Changes)
	}
	if got := ask(t, ws, "{}"); got != "two" {
		t.Errorf("got %q, want two: the node answers once it serves what was applied", got)
	}

	_, faults := node.apply(strings.Replace(changed, `{"200": two}`, `{"200": "#if("}`, 1))
	if len(faults) == 0 {
		t.Fatal("a template that does not compile is taken")
	}
	if got := ask(t, ws, "{}"); got != "two" {
		t.Errorf("after a fault: %q", got)
	}
	if again, _ := node.apply(changed); len(again.Changes) != 0 {
		t.Errorf("after a fault there is something to change: %+v", again.Changes)
	}
}

// The code of a template's function goes up first and runs on the node; without it nothing changes.
func TestApplyFunction(t *testing.T) {
	node := serveNode(t)
	code := testkit.Zip(t, testkit.ZipFile{Name: "app.js", Text: "exports.handler = async () => ({ statusCode: 200, body: process.env.WORD });"})
	sum := sha256.Sum256(code)
	sha := hex.EncodeToString(sum[:])
	text := strings.Replace(stackTemplate, "  Default:", `  Say: {Type: "AWS::Lambda::Function", Properties: {Runtime: nodejs20.x, Handler: app.handler, Code: {CleatSHA256: `+sha+`}, Environment: {Variables: {WORD: hello}}}}
  Call: {Type: "AWS::ApiGatewayV2::Integration", Properties: {ApiId: !Ref Api, IntegrationType: AWS_PROXY, IntegrationUri: !Sub "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/${Say.Arn}/invocations"}}
  Default:`, 1)
	text = strings.Replace(text, "integrations/${Mock}", "integrations/${Call}", 1)
	if _, faults := node.apply(text); len(faults) != 1 || !strings.Contains(faults[0].Error(), "has not been uploaded") || faults[0].Place.File != "chat.yaml" {
		t.Fatalf("without its code: %v", faults)
	}
	res := signedCall(t, node.node.admin, "cleat", node.node.key, http.MethodPut, "/_cleat/code/"+sha, string(code))
	defer res.Body.Close()
	if res.StatusCode >= http.StatusMultipleChoices {
		t.Fatalf("upload: %d", res.StatusCode)
	}
	r, faults := node.apply(text)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	ws, handshake, err := websocket.DefaultDialer.DialContext(t.Context(), r.Stages[0].Addresses[0], nil)
	if err != nil {
		t.Fatal(err)
	}
	defer handshake.Body.Close()
	defer ws.Close()
	if got := ask(t, ws, "{}"); got != "hello" {
		t.Errorf("got %q, want hello", got)
	}
}
