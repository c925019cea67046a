package stackapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"cleat/internal/apigw"
	"cleat/internal/cfn"
	"cleat/internal/control/stacks"
	"cleat/internal/controlapi"
	"cleat/internal/controlapi/stackapi"
	"cleat/internal/store"
	"cleat/internal/store/memory"
)

const chat = `
Resources:
  Api: {Type: "AWS::ApiGatewayV2::Api", Properties: {Name: chat, ProtocolType: WEBSOCKET, RouteSelectionExpression: $request.body.action}}
  Mock: {Type: "AWS::ApiGatewayV2::Integration", Properties: {ApiId: !Ref Api, IntegrationType: MOCK}}
  Default: {Type: "AWS::ApiGatewayV2::Route", Properties: {ApiId: !Ref Api, RouteKey: $default, Target: !Sub "integrations/${Mock}"}}
  Key: {Type: "AWS::ApiGateway::ApiKey", Properties: {Enabled: true}}
  Stage: {Type: "AWS::ApiGatewayV2::Stage", Properties: {ApiId: !Ref Api, StageName: dev, AutoDeploy: true}}
Outputs: {Url: {Value: !GetAtt Api.ApiEndpoint}}
`

// node is the service over a store in memory, with what was asked and audited.
type node struct {
	t       *testing.T
	handler http.Handler
	access  []controlapi.Access
	audited []controlapi.Entry
}

func newNode(t *testing.T, o stackapi.Options) *node {
	t.Helper()
	n := &node{t: t}
	n.handler = controlapi.New(controlapi.Options{
		Log: slog.New(slog.DiscardHandler), Region: "eu-west-1", Account: "123456789012",
		Services: []controlapi.Service{stackapi.Service(stacks.New(store.New(memory.New()), stacks.Options{}), o)},
		Authorize: func(_ *http.Request, _ func() ([]byte, error), a controlapi.Access) (controlapi.Caller, error) {
			n.access = append(n.access, a)
			return controlapi.Caller{}, nil
		},
		Audit: func(e controlapi.Entry) { n.audited = append(n.audited, e) },
	})
	return n
}

// do makes a request and reads its answer into v, unless that is nil.
func (n *node) do(method, path string, body []byte, status int, v any) []byte {
	n.t.Helper()
	w := httptest.NewRecorder()
	n.handler.ServeHTTP(w, httptest.NewRequest(method, path, bytes.NewReader(body)))
	got, err := io.ReadAll(w.Result().Body)
	if err != nil || w.Code != status {
		n.t.Fatalf("%s %s: %d %s, want %d", method, path, w.Code, got, status)
	}
	if v != nil {
		if err := json.Unmarshal(got, v); err != nil {
			n.t.Fatalf("%s %s: %s: %v", method, path, got, err)
		}
	}
	return got
}

func request(t *testing.T, text string) []byte {
	t.Helper()
	v, err := cfn.Parse("app/chat.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	places := cfn.PlacesOf(v)
	body, err := json.Marshal(stackapi.Request{Template: v.AppendJSON(nil), Places: &places})
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// The life of a stack: planned, applied, applied again, read, deleted.
func TestLife(t *testing.T) {
	n := newNode(t, stackapi.Options{Addresses: func(api apigw.APIID, stage string) []string {
		return []string{"ws://here/" + string(api) + "/" + stage}
	}})
	var r stackapi.Result
	n.do(http.MethodPut, "/_cleat/stacks/chat?dryRun=true", request(t, chat), http.StatusOK, &r)
	if !r.DryRun || len(r.Changes) != 5 || r.APIKeys[0].Value != "" {
		t.Errorf("planned %+v", r)
	}
	r = stackapi.Result{}
	n.do(http.MethodPut, "/_cleat/stacks/chat", request(t, chat), http.StatusOK, &r)
	if r.DryRun || len(r.Changes) != 5 || r.Changes[0].Action != stacks.ActionCreate || len(r.APIKeys) != 1 || len(r.APIKeys[0].Value) != 40 {
		t.Errorf("applied %+v", r)
	}
	if len(r.Stages) != 1 || r.Stages[0].Addresses[0] != "ws://here/"+r.Stages[0].APIID+"/dev" || len(r.Outputs) != 1 || len(r.Warnings) == 0 {
		t.Errorf("applied %+v", r)
	}
	r = stackapi.Result{}
	if raw := n.do(http.MethodPut, "/_cleat/stacks/chat", request(t, chat), http.StatusOK, &r); !bytes.Contains(raw, []byte(`"changes":[]`)) {
		t.Errorf("again %s", raw)
	}

	var list stackapi.List
	n.do(http.MethodGet, "/_cleat/stacks", nil, http.StatusOK, &list)
	var d stackapi.Description
	n.do(http.MethodGet, "/_cleat/stacks/chat", nil, http.StatusOK, &d)
	if len(list.Stacks) != 1 || list.Stacks[0].Name != "chat" || len(d.Resources) != 5 || len(d.Stages[0].Addresses) != 1 || d.Outputs[0].Key != "Url" {
		t.Errorf("list %+v, description %+v", list, d)
	}
	if raw := n.do(http.MethodGet, "/_cleat/stacks/chat", nil, http.StatusOK, nil); bytes.Contains(raw, []byte(`"value"`)) {
		t.Errorf("the description shows a key: %s", raw)
	}

	n.do(http.MethodDelete, "/_cleat/stacks/chat?dryRun=true", nil, http.StatusOK, &r)
	n.do(http.MethodDelete, "/_cleat/stacks/chat", nil, http.StatusOK, &r)
	n.do(http.MethodDelete, "/_cleat/stacks/chat", nil, http.StatusNotFound, nil)
	n.do(http.MethodGet, "/_cleat/stacks/chat", nil, http.StatusNotFound, nil)

	const arn = "arn:aws:cleat:eu-west-1:123456789012:stack/"
	for i, want := range []controlapi.Access{0: {Service: "cleat", Action: "cleat:ApplyStack", Resource: arn + "chat"}, 3: {Service: "cleat", Action: "cleat:ReadStack", Resource: arn + "*"}, 4: {Service: "cleat", Action: "cleat:ReadStack", Resource: arn + "chat"}, 6: {Service: "cleat", Action: "cleat:DeleteStack", Resource: arn + "chat"}} {
		if want.Service != "" && n.access[i] != want {
			t.Errorf("call %d asked for %+v, want %+v", i, n.access[i], want)
		}
	}
	if len(n.audited) != 6 { // of three applies and three deletions
		t.Errorf("audited %+v", n.audited)
	}
}

// Faults come back with the places of the user's own file.
func TestFaults(t *testing.T) {
	n := newNode(t, stackapi.Options{})
	bad := strings.Replace(strings.Replace(chat, "IntegrationType: MOCK", "IntegrationType: MUCK", 1), "RouteKey: $default", "RouteKey: $nothing", 1)
	raw := n.do(http.MethodPut, "/_cleat/stacks/chat", request(t, bad), http.StatusBadRequest, nil)
	faults := stackapi.Faults(raw)
	if len(faults) != 2 || faults[0].Place.String() != "app/chat.yaml:4" || faults[1].Place.String() != "app/chat.yaml:5" {
		t.Errorf("got %s", raw)
	}
	if e := n.audited[0]; e.Status != http.StatusBadRequest || e.Error == "" {
		t.Errorf("audited %+v", e)
	}

	var q stackapi.Request
	if err := json.Unmarshal(request(t, bad), &q); err != nil {
		t.Fatal(err)
	}
	q.Places = nil
	body, err := json.Marshal(q)
	if err != nil {
		t.Fatal(err)
	}
	if faults := stackapi.Faults(n.do(http.MethodPut, "/_cleat/stacks/chat", body, http.StatusBadRequest, nil)); len(faults) != 2 || faults[0].Place.String() != "template.json:1" {
		t.Errorf("without places: %v", faults)
	}
}

func TestRefusals(t *testing.T) {
	n := newNode(t, stackapi.Options{Check: func(store.Serving) error { return errors.New("no") }})
	folder := "Resources:\n  F: {Type: 'AWS::Lambda::Function', Properties: {Runtime: nodejs20.x, Handler: a.b, Code: {LocalPath: /etc}}}\n"
	for name, c := range map[string]struct {
		path string
		body []byte
		want string
	}{
		"a name that would become another": {"chat_dev", request(t, chat), "Invalid stack name"},
		"a name that ends so":              {"chat-", request(t, chat), "Invalid stack name"},
		"dryRun":                           {"chat?dryRun=yes", request(t, chat), "dryRun must be"},
		"no JSON":                          {"chat", []byte("Resources: {}"), "Invalid request body"},
		"no template":                      {"chat", []byte("{}"), "template must be a JSON object"},
		"no template but a text":           {"chat", []byte(`{"template":"x"}`), "template must be a JSON object"},
		"other places":                     {"chat", []byte(`{"template":{"Resources":{}},"places":{"files":["a"],"at":[0,1,1]}}`), "not those of the template"},
		"a region":                         {"chat", []byte(`{"template":{"Resources":{}},"region":"x/y"}`), "Invalid region"},
		"a folder of the sender":           {"chat", request(t, folder), "must be uploaded"},
		"what cannot be served":            {"chat", request(t, chat), "the node cannot serve this: no"},
	} {
		if got := n.do(http.MethodPut, "/_cleat/stacks/"+c.path, c.body, http.StatusBadRequest, nil); !strings.Contains(string(got), c.want) {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
	n.do(http.MethodPut, "/_cleat/stacks/chat", bytes.Repeat([]byte(" "), 16<<20+1), http.StatusRequestEntityTooLarge, nil)
}

// What the node could not serve and took back is told with its reason.
func TestUndone(t *testing.T) {
	calls := 0
	n := newNode(t, stackapi.Options{Settle: func(context.Context) error {
		calls++
		if calls == 1 {
			return errors.New("no room")
		}
		return nil
	}})
	got := n.do(http.MethodPut, "/_cleat/stacks/chat", request(t, chat), http.StatusBadRequest, nil)
	if !strings.Contains(string(got), "the node cannot serve the change, so it was taken back: no room") {
		t.Errorf("got %s", got)
	}
	n.do(http.MethodGet, "/_cleat/stacks/chat", nil, http.StatusNotFound, nil)
}

// FuzzRequest reads any body and applies what passes.
func FuzzRequest(f *testing.F) {
	f.Add([]byte(`{"template":{"Resources":{"A":{"Type":"AWS::ApiGatewayV2::Api","Properties":{"Name":"x","ProtocolType":"WEBSOCKET","RouteSelectionExpression":"$request.body.a"}}}},"region":"eu-west-1","parameters":{"a":"b"}}`))
	f.Add([]byte(`{"template":{"Resources":{}},"places":{"files":["a.yaml"],"at":[0,1,1,0,1,1,0,1,12]}}`))
	f.Add([]byte(`{"template":[],"places":{"files":[],"at":[-1,9,9]}}`))
	f.Add([]byte(`{"template":null}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		h := controlapi.New(controlapi.Options{Log: slog.New(slog.DiscardHandler), Services: []controlapi.Service{stackapi.Service(stacks.New(store.New(memory.New()), stacks.Options{}), stackapi.Options{})}})
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodPut, "/_cleat/stacks/x", bytes.NewReader(body)))
		if w.Code != http.StatusOK && w.Code != http.StatusBadRequest || !json.Valid(w.Body.Bytes()) {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
}
