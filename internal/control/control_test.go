package control_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"cleat/internal/apigw"
	"cleat/internal/control"
	"cleat/internal/store"
	"cleat/internal/store/memory"
	"cleat/internal/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const lambdaURI = "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-west-1:123456789012:function:chat/invocations"

// step fails the test on an error.
func step[T any](tb testing.TB) func(v T, err error) T {
	tb.Helper()
	return func(v T, err error) T {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}
		return v
	}
}

func newAPI(t *testing.T, c *control.Control) apigw.API {
	t.Helper()
	return step[apigw.API](t)(c.CreateAPI(t.Context(), apigw.API{Name: "chat", ProtocolType: "WEBSOCKET", RouteSelectionExpression: "$request.body.action"}, "eu-west-1"))
}

// world is a store with its control.
type world struct {
	tb      testing.TB
	driver  *memory.Driver
	store   *store.Store
	control *control.Control
}

func newWorld(tb testing.TB) *world {
	tb.Helper()
	d := memory.New()
	s := store.New(d)
	return &world{tb, d, s, control.New(s, control.Options{})}
}

func (w *world) revision() store.Revision {
	w.tb.Helper()
	_, r, err := w.driver.List(w.tb.Context(), "")
	if err != nil {
		w.tb.Fatal(err)
	}
	return r
}

// published is the one stage that is served.
func (w *world) published() *storetest.Published {
	w.tb.Helper()
	p := storetest.OnlyPublished(w.tb, w.store)
	return &p
}

// TestMinimalSequence is the sequence of calls that spec control-plane §3 gives.
func TestMinimalSequence(t *testing.T) {
	w := newWorld(t)
	ctx, c := t.Context(), w.control
	api := newAPI(t, c)
	if len(api.APIID) != 10 || api.APIEndpoint != "wss://"+string(api.APIID)+".execute-api.eu-west-1.amazonaws.com" || api.APIKeySelectionExpression != "$request.header.x-api-key" {
		t.Errorf("API %+v", api)
	}
	in := step[apigw.Integration](t)(c.CreateIntegration(ctx, api.APIID, apigw.Integration{IntegrationType: "AWS_PROXY", IntegrationMethod: "POST", IntegrationURI: lambdaURI}))
	if len(in.IntegrationID) != 7 || in.TimeoutInMillis != 29000 || in.IntegrationResponseSelectionExpression != "" {
		t.Errorf("integration %+v", in)
	}
	route := step[apigw.Route](t)(c.CreateRoute(ctx, api.APIID, apigw.Route{RouteKey: "$default", Target: "integrations/" + in.IntegrationID, RouteResponseSelectionExpression: "$default"}))
	if route.AuthorizationType != "NONE" || len(route.RouteID) != 7 {
		t.Errorf("route %+v", route)
	}
	step[apigw.RouteResponse](t)(c.CreateRouteResponse(ctx, api.APIID, apigw.RouteResponse{RouteID: route.RouteID, RouteResponseKey: "$default"}))
	stage := step[apigw.Stage](t)(c.CreateStage(ctx, api.APIID, apigw.Stage{StageName: "dev", AutoDeploy: true}))
	p := w.published()
	if stage.DeploymentID == "" || p.Deployment.DeploymentID != stage.DeploymentID || !p.Deployment.AutoDeployed || p.Deployment.Status != "DEPLOYED" || len(p.Definition.RouteResponses) != 1 {
		t.Errorf("stage %+v, published %+v", stage, p)
	}

	// Every later change is published.
	step[apigw.Route](t)(c.CreateRoute(ctx, api.APIID, apigw.Route{RouteKey: "more", Target: route.Target}))
	if got := w.published().RouteKeys(); got != "$default more" {
		t.Errorf("routes %s", got)
	}
	if err := c.DeleteRoute(ctx, api.APIID, route.RouteID); err != nil {
		t.Fatal(err)
	}
	if p := w.published(); p.RouteKeys() != "more" || len(p.Definition.RouteResponses) != 0 {
		t.Errorf("after deletion: %+v", p.Definition)
	}
	if all := step[[]apigw.API](t)(c.APIs(ctx)); len(all) != 1 {
		t.Errorf("APIs %+v", all)
	}
	if err := c.DeleteAPI(ctx, api.APIID); err != nil {
		t.Fatal(err)
	}
	if entries, _, err := w.driver.List(ctx, ""); err != nil || len(entries) != 0 {
		t.Errorf("a deleted API leaves %+v, %v", entries, err)
	}
}

// TestDeploymentsAreImmutable: without autoDeploy a change has no effect until it is deployed (spec control-plane §10).
func TestDeploymentsAreImmutable(t *testing.T) {
	w := newWorld(t)
	ctx, c := t.Context(), w.control
	api := newAPI(t, c)
	if _, err := c.CreateDeployment(ctx, api.APIID, "", ""); message(err) != "At least one route is required before deploying the Api" || apigw.KindOf(err) != apigw.KindBadRequest {
		t.Errorf("deployment without routes: %v", err)
	}
	step[apigw.Route](t)(c.CreateRoute(ctx, api.APIID, apigw.Route{RouteKey: "one"}))
	first := step[apigw.Deployment](t)(c.CreateDeployment(ctx, api.APIID, "first", ""))
	step[apigw.Stage](t)(c.CreateStage(ctx, api.APIID, apigw.Stage{StageName: "dev", DeploymentID: first.DeploymentID}))
	step[apigw.Route](t)(c.CreateRoute(ctx, api.APIID, apigw.Route{RouteKey: "two"}))
	if got := w.published().RouteKeys(); got != "one" {
		t.Errorf("before the second deployment: %s", got)
	}
	second := step[apigw.Deployment](t)(c.CreateDeployment(ctx, api.APIID, "second", "dev"))
	if got := w.published().RouteKeys(); got != "one two" || first.DeploymentID == second.DeploymentID {
		t.Errorf("after the second deployment: %s", got)
	}
	if err := c.DeleteDeployment(ctx, api.APIID, second.DeploymentID); message(err) != "Active stages pointing to this deployment must be moved or deleted" {
		t.Errorf("deletion of a deployment in use: %v", err)
	}
	if err := c.DeleteDeployment(ctx, api.APIID, first.DeploymentID); err != nil {
		t.Error(err)
	}
	if _, err := c.CreateDeployment(ctx, api.APIID, "", "none"); apigw.KindOf(err) != apigw.KindNotFound {
		t.Errorf("deployment to no stage: %v", err)
	}
	if err := c.DeleteStage(ctx, api.APIID, "dev"); err != nil {
		t.Error(err)
	}
	if all, err := w.store.Serving(ctx); err != nil || len(all.Stages) != 0 {
		t.Errorf("after the stage's deletion %+v, %v", all, err)
	}
}

// A deployment's definition comes and goes with it, also where the whole API goes.
func TestDefinitionsGoWithTheirDeployments(t *testing.T) {
	w := newWorld(t)
	ctx, c := t.Context(), w.control
	api := newAPI(t, c)
	in := step[apigw.Integration](t)(c.CreateIntegration(ctx, api.APIID, apigw.Integration{IntegrationType: "MOCK"}))
	step[apigw.Route](t)(c.CreateRoute(ctx, api.APIID, apigw.Route{RouteKey: "one", Target: "integrations/" + in.IntegrationID}))
	first := step[apigw.Deployment](t)(c.CreateDeployment(ctx, api.APIID, "first", ""))
	step[apigw.Deployment](t)(c.CreateDeployment(ctx, api.APIID, "second", ""))
	step[apigw.Stage](t)(c.CreateStage(ctx, api.APIID, apigw.Stage{StageName: "live", AutoDeploy: true}))
	kept := func() int {
		t.Helper()
		all, err := store.List(ctx, w.store, store.Definitions(api.APIID))
		if err != nil {
			t.Fatal(err)
		}
		return len(all)
	}
	if got := kept(); got != 3 {
		t.Errorf("%d definitions of three deployments", got)
	}
	step[apigw.Route](t)(c.CreateRoute(ctx, api.APIID, apigw.Route{RouteKey: "two", Target: "integrations/" + in.IntegrationID}))
	if got := kept(); got != 3 {
		t.Errorf("%d definitions after another automatic deployment, want 3: the former one is gone", got)
	}
	if err := c.DeleteDeployment(ctx, api.APIID, first.DeploymentID); err != nil {
		t.Fatal(err)
	}
	if got := kept(); got != 2 {
		t.Errorf("%d definitions after a deletion, want 2", got)
	}
	if err := c.DeleteAPI(ctx, api.APIID); err != nil {
		t.Fatal(err)
	}
	if got := kept(); got != 0 {
		t.Errorf("%d definitions of an API that is gone", got)
	}
}

func message(err error) string {
	if e, ok := errors.AsType[*apigw.Error](err); ok {
		return e.Message
	}
	return fmt.Sprint(err)
}

// TestRefusals holds the kinds and texts of spec control-plane §1.1.
func TestRefusals(t *testing.T) {
	w := newWorld(t)
	ctx, c := t.Context(), w.control
	api := newAPI(t, c)
	id := api.APIID
	in := step[apigw.Integration](t)(c.CreateIntegration(ctx, id, apigw.Integration{IntegrationType: "MOCK"}))
	ir := step[apigw.IntegrationResponse](t)(c.CreateIntegrationResponse(ctx, id, apigw.IntegrationResponse{IntegrationID: in.IntegrationID, IntegrationResponseKey: "$default"}))
	rt := step[apigw.Route](t)(c.CreateRoute(ctx, id, apigw.Route{RouteKey: "k", Target: "integrations/" + in.IntegrationID}))
	rr := step[apigw.RouteResponse](t)(c.CreateRouteResponse(ctx, id, apigw.RouteResponse{RouteID: rt.RouteID, RouteResponseKey: "$default"}))
	m := step[apigw.Model](t)(c.CreateModel(ctx, id, apigw.Model{Name: "M", Schema: "{}"}))
	au := step[apigw.Authorizer](t)(c.CreateAuthorizer(ctx, id, apigw.Authorizer{Name: "a", AuthorizerType: "REQUEST", AuthorizerURI: lambdaURI, IdentitySource: []string{"route.request.header.X"}}))
	step[apigw.Stage](t)(c.CreateStage(ctx, id, apigw.Stage{StageName: "dev"}))
	tests := map[string]struct {
		do   func() error
		kind apigw.Kind
		want string
	}{
		"protocol": {func() error {
			_, err := c.CreateAPI(ctx, apigw.API{Name: "x", RouteSelectionExpression: "x"}, "r")
			return err
		}, apigw.KindBadRequest, "Invalid protocol specified. Must be one of [HTTP, WEBSOCKET]"},
		"unknown API":          {func() error { _, err := c.CreateRoute(ctx, "none", apigw.Route{RouteKey: "x"}); return err }, apigw.KindNotFound, "Invalid API identifier specified 123456789012:none"},
		"unknown API, read":    {func() error { _, err := c.API(ctx, "none"); return err }, apigw.KindNotFound, "Invalid API identifier specified 123456789012:none"},
		"unknown API, delete":  {func() error { return c.DeleteAPI(ctx, "none") }, apigw.KindNotFound, "Invalid API identifier specified 123456789012:none"},
		"route key":            {func() error { _, err := c.CreateRoute(ctx, id, apigw.Route{RouteKey: "k"}); return err }, apigw.KindConflict, "Route with key k already exists for this API"},
		"stage name":           {func() error { _, err := c.CreateStage(ctx, id, apigw.Stage{StageName: "dev"}); return err }, apigw.KindConflict, "Stage already exists"},
		"integration in use":   {func() error { return c.DeleteIntegration(ctx, id, in.IntegrationID) }, apigw.KindConflict, "Cannot delete Integration because it is referenced by the following Routes with Ids: [" + rt.RouteID + "]"},
		"unknown route":        {func() error { return c.DeleteRoute(ctx, id, "none") }, apigw.KindNotFound, "Invalid Route identifier specified none"},
		"unknown integration":  {func() error { return c.DeleteIntegration(ctx, id, "none") }, apigw.KindNotFound, "Invalid Integration identifier specified none"},
		"unknown authorizer":   {func() error { return c.DeleteAuthorizer(ctx, id, "none") }, apigw.KindNotFound, "Invalid Authorizer identifier specified none"},
		"unknown model":        {func() error { return c.DeleteModel(ctx, id, "none") }, apigw.KindNotFound, "Invalid Model identifier specified none"},
		"unknown deployment":   {func() error { return c.DeleteDeployment(ctx, id, "none") }, apigw.KindNotFound, "Invalid Deployment identifier specified none"},
		"unknown response":     {func() error { return c.DeleteRouteResponse(ctx, id, "none") }, apigw.KindNotFound, "Invalid RouteResponse identifier specified none"},
		"unknown int response": {func() error { return c.DeleteIntegrationResponse(ctx, id, "none") }, apigw.KindNotFound, "Invalid IntegrationResponse identifier specified none"},
		"unknown stage":        {func() error { return c.DeleteStage(ctx, id, "none") }, apigw.KindNotFound, "Invalid stage identifier specified"},
	}
	before := w.revision()
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if err := tt.do(); apigw.KindOf(err) != tt.kind || message(err) != tt.want {
				t.Errorf("got kind %d, %q, want kind %d, %q", apigw.KindOf(err), message(err), tt.kind, tt.want)
			}
		})
	}
	if after := w.revision(); after != before {
		t.Errorf("refusals moved the store from %d to %d", before, after)
	}
	for _, err := range []error{
		c.DeleteRouteResponse(ctx, id, rr.RouteResponseID), c.DeleteIntegrationResponse(ctx, id, ir.IntegrationResponseID), c.DeleteRoute(ctx, id, rt.RouteID),
		c.DeleteIntegration(ctx, id, in.IntegrationID), c.DeleteModel(ctx, id, m.ModelID), c.DeleteAuthorizer(ctx, id, au.AuthorizerID),
	} {
		if err != nil {
			t.Error(err)
		}
	}
	tree := step[*store.Tree](t)(c.API(ctx, id))
	if n := len(tree.Keys); n != 2 { // the API and its stage
		t.Errorf("left: %v", tree.Keys)
	}
}

// TestQuotas: what AWS allows of each (spec data-plane §8).
func TestQuotas(t *testing.T) {
	c := newWorld(t).control
	id := newAPI(t, c).APIID
	for i := range apigw.QuotaStages {
		step[apigw.Stage](t)(c.CreateStage(t.Context(), id, apigw.Stage{StageName: fmt.Sprint("s", i)}))
	}
	_, err := c.CreateStage(t.Context(), id, apigw.Stage{StageName: "more"})
	if apigw.KindOf(err) != apigw.KindQuotaExceeded || message(err) != "Maximum number of Stages for this API has been reached.  Please contact AWS if you need additional Stages." {
		t.Errorf("got %v", err)
	}
}

func TestConflicts(t *testing.T) {
	for name, tt := range map[string]struct {
		refusals int
		ok       bool
	}{"now and then": {2, true}, "always": {1000, false}} {
		t.Run(name, func(t *testing.T) {
			b := &storetest.Busy{Driver: memory.New()}
			c := control.New(store.New(b), control.Options{})
			id := newAPI(t, c).APIID
			b.Refusals = tt.refusals
			_, err := c.CreateRoute(t.Context(), id, apigw.Route{RouteKey: "k"})
			if tt.ok != (err == nil) || !tt.ok && (apigw.KindOf(err) != apigw.KindConflict || !strings.HasPrefix(message(err), "Unable to complete operation due to concurrent modification.")) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestConcurrentCreates: of several writers of one route key exactly one wins.
func TestConcurrentCreates(t *testing.T) {
	w := newWorld(t)
	id := newAPI(t, w.control).APIID
	var wg sync.WaitGroup
	results := make(chan error, 8)
	for range 8 {
		wg.Go(func() {
			_, err := w.control.CreateRoute(t.Context(), id, apigw.Route{RouteKey: "k"})
			results <- err
		})
	}
	wg.Wait()
	close(results)
	won := 0
	for err := range results {
		switch {
		case err == nil:
			won++
		case apigw.KindOf(err) != apigw.KindConflict:
			t.Error(err)
		}
	}
	if won != 1 {
		t.Errorf("%d writers won", won)
	}
}

func TestEndedContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c := newWorld(t).control
	if _, err := c.CreateRoute(ctx, "x", apigw.Route{}); !errors.Is(err, context.Canceled) {
		t.Errorf("CreateRoute: %v", err)
	}
}
