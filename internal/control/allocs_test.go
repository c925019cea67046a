package control_test

import (
	"fmt"
	"math"
	"runtime"
	"testing"

	"cleat/internal/apigw"
	"cleat/internal/control"
	"cleat/internal/store"
)

// A deployment of an API with hundreds of routes allocates its JSON once and its lists as often as they are the caller's: a
// collector that runs all the time would take the processor from calls.
func TestDeploymentAllocates(t *testing.T) {
	const routes, deployments, most = 300, 20, 700 << 10 // bytes for each deployment
	w := newWorld(t)
	c := control.New(w.store, control.Options{Unlimited: true})
	a := newAPI(t, c)
	var b store.Batch
	for i := range routes {
		in := apigw.Integration{IntegrationID: fmt.Sprintf("i%03d", i), IntegrationType: apigw.IntegrationMock, RequestTemplates: map[string]string{"$default": `{"statusCode":200}`}}
		store.Put(&b, store.Integrations(a.APIID).Key(in.IntegrationID), in, store.Expect{})
		r := apigw.Route{RouteID: fmt.Sprintf("r%03d", i), RouteKey: fmt.Sprintf("action%d", i), Target: "integrations/" + in.IntegrationID, AuthorizationType: "NONE"}
		store.Put(&b, store.Routes(a.APIID).Key(r.RouteID), r, store.Expect{})
	}
	if _, err := w.store.Commit(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	deploy := func() {
		step[apigw.Deployment](t)(c.CreateDeployment(t.Context(), a.APIID, "again", ""))
	}
	deploy()                        // which decodes what the others remember
	least := uint64(math.MaxUint64) // others, such as buffers that a collection took, may come to a single one
	for range deployments {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		deploy()
		runtime.ReadMemStats(&after)
		least = min(least, after.TotalAlloc-before.TotalAlloc)
	}
	if least > most {
		t.Errorf("a deployment allocates %d bytes, at most %d", least, most)
	}
}
