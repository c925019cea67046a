package control_test

import (
	"testing"

	"cleat/internal/apigw"
	"cleat/internal/control"
	"cleat/internal/store"
	"cleat/internal/store/memory"
)

// On a node with a domain of its own apiEndpoint is where the API is found there, also for APIs of before (spec
// control-plane §3: the endpoint is the service's to say).
func TestEndpoint(t *testing.T) {
	t.Parallel()
	s := store.New(memory.New())
	before, err := control.New(s, control.Options{}).CreateAPI(t.Context(), apigw.API{Name: "a", ProtocolType: "WEBSOCKET", RouteSelectionExpression: "$request.body.action"}, "eu-west-1")
	if err != nil {
		t.Fatal(err)
	}
	c := control.New(s, control.Options{Endpoint: func(id apigw.APIID) string { return "wss://" + string(id) + ".ws.example.com" }})
	made, err := c.CreateAPI(t.Context(), apigw.API{Name: "b", ProtocolType: "WEBSOCKET", RouteSelectionExpression: "$request.body.action"}, "eu-west-1")
	if err != nil {
		t.Fatal(err)
	}
	tree, err := c.API(t.Context(), before.APIID)
	if err != nil {
		t.Fatal(err)
	}
	listed, err := c.APIs(t.Context())
	if err != nil || len(listed) != 2 {
		t.Fatal(listed, err)
	}
	for _, api := range append(listed, tree.API, made) {
		if want := "wss://" + string(api.APIID) + ".ws.example.com"; api.APIEndpoint != want {
			t.Errorf("got %q, want %q", api.APIEndpoint, want)
		}
	}
}
