package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/gorilla/websocket"

	"cleat/internal/cfn"
	"cleat/internal/control"
	"cleat/internal/controlapi/stackapi"
	"cleat/internal/server"
)

// kept is a running RunServe.
type kept struct {
	t     *testing.T
	admin string
}

func serveNode(t *testing.T) *kept {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	ready, done := make(chan net.Addr, 1), make(chan error, 1)
	go func() {
		done <- server.RunServe(ctx, server.ServeOptions{
			DataDir: t.TempDir(), Public: "127.0.0.1:0", Admin: "127.0.0.1:0", Log: slog.New(slog.DiscardHandler),
			Ready: func(_, admin net.Addr) { ready <- admin },
		})
	}()
	var admin net.Addr
	select {
	case admin = <-ready:
	case err := <-done:
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return &kept{t, "http://" + admin.String()}
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
	q, err := http.NewRequestWithContext(k.t.Context(), http.MethodPut, k.admin+"/_cleat/stacks/chat", bytes.NewReader(body))
	if err != nil {
		k.t.Fatal(err)
	}
	q.Close = true
	res, err := http.DefaultClient.Do(q)
	if err != nil {
		k.t.Fatal(err)
	}
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
	if len(r.Changes) != 3 || r.Changes[0].LogicalID != "Answer" || r.Changes[0].Action != control.ActionUpdate {
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
