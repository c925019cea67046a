package apigatewayv2_test

import (
	"fmt"
	"testing"

	"cleat/internal/apigw"
	"cleat/internal/store"
)

// BenchmarkCalls is what a call costs on a node with 600 APIs of 50 routes each and one of 300, whose stage deploys each
// change by itself.
func BenchmarkCalls(b *testing.B) {
	w := newWorld(b)
	integration := func(api string) string {
		return w.must("POST", api+"/integrations", `{"integrationType":"MOCK"}`)["integrationId"].(string)
	}
	api := w.api()
	target := `"target":"integrations/` + integration(api) + `"`
	route := ""
	for i := range 300 {
		route = api + "/routes/" + w.must("POST", api+"/routes", fmt.Sprintf(`{"routeKey":"k%d",%s}`, i, target))["routeId"].(string)
	}
	w.must("POST", api+"/stages", `{"stageName":"dev","autoDeploy":true}`)
	for i := range 600 {
		var batch store.Batch
		id := apigw.APIID(fmt.Sprintf("other%05d", i))
		store.Put(&batch, store.APIs().Key(string(id)), apigw.API{APIID: id, Name: "other", ProtocolType: "WEBSOCKET", RouteSelectionExpression: "$request.body.action"}, store.Absent())
		for j := range 50 {
			r := apigw.Route{RouteID: fmt.Sprintf("r%06d", j), RouteKey: fmt.Sprintf("k%d", j)}
			store.Put(&batch, store.Routes(id).Key(r.RouteID), r, store.Absent())
		}
		if _, err := store.New(w.driver).Commit(b.Context(), &batch); err != nil {
			b.Fatal(err)
		}
	}
	for _, call := range []struct{ name, method, path, body string }{
		{"GetApi", "GET", api, ""},
		{"GetRoute", "GET", route, ""},
		{"GetRoutes", "GET", api + "/routes", ""},
		{"GetApis", "GET", "/v2/apis", ""},
		{"UpdateRoute", "PATCH", route, `{"operationName":"op%d"}`},
		{"UpdateStage", "PATCH", api + "/stages/dev", `{"description":"%d"}`},
		{"CreateApi", "POST", "/v2/apis", `{"name":"n%d","protocolType":"WEBSOCKET","routeSelectionExpression":"$request.body.action"}`},
	} {
		b.Run(call.name, func(b *testing.B) {
			n := 0
			for b.Loop() {
				body := call.body
				if body != "" {
					body = fmt.Sprintf(body, n)
				}
				n++
				w.must(call.method, call.path, body)
			}
		})
	}
}
