package control_test

import (
	"errors"
	"fmt"
	"maps"
	"sync"
	"testing"

	"cleat/internal/apigw"
	"cleat/internal/control"
	"cleat/internal/store"
)

// rename is an edit that renames a route.
func rename(key string) func(apigw.Route) (apigw.Route, error) {
	return func(r apigw.Route) (apigw.Route, error) {
		r.RouteKey = key
		return r, nil
	}
}

// TestUpdate: what an edit returns takes the place of what was there, or nothing is changed (spec control-plane §12).
func TestUpdate(t *testing.T) {
	w := newWorld(t)
	ctx, c := t.Context(), w.control
	api := newAPI(t, c).APIID
	one := step[apigw.Route](t)(c.CreateRoute(ctx, api, apigw.Route{RouteKey: "one"}))
	two := step[apigw.Route](t)(c.CreateRoute(ctx, api, apigw.Route{RouteKey: "two"}))
	if r := step[apigw.Route](t)(c.UpdateRoute(ctx, api, one.RouteID, rename("other"))); r.RouteKey != "other" || r.RouteID != one.RouteID {
		t.Errorf("route %+v", r)
	}
	before := w.revision()
	if r, err := c.UpdateRoute(ctx, api, two.RouteID, rename("other")); apigw.KindOf(err) != apigw.KindConflict || r.RouteID != "" {
		t.Errorf("taken key: %+v, %v", r, err)
	}
	own := errors.New("of the edit")
	if _, err := c.UpdateRoute(ctx, api, two.RouteID, func(r apigw.Route) (apigw.Route, error) { return r, own }); !errors.Is(err, own) {
		t.Errorf("the edit's error: %v", err)
	}
	if r, err := c.UpdateRoute(ctx, api, two.RouteID, func(r apigw.Route) (apigw.Route, error) { return r, nil }); err != nil || r.RouteKey != "two" {
		t.Errorf("an edit of nothing: %+v, %v", r, err)
	}
	if after := w.revision(); after != before {
		t.Errorf("the store went from %d to %d", before, after)
	}
}

// TestDeploymentStaysAsItIs: an update of a deployment reaches its description alone (spec control-plane §10).
func TestDeploymentStaysAsItIs(t *testing.T) {
	w := newWorld(t)
	ctx, c := t.Context(), w.control
	api := newAPI(t, c).APIID
	step[apigw.Route](t)(c.CreateRoute(ctx, api, apigw.Route{RouteKey: "one"}))
	dep := step[apigw.Deployment](t)(c.CreateDeployment(ctx, api, "", ""))
	step[apigw.Stage](t)(c.CreateStage(ctx, api, apigw.Stage{StageName: "dev", DeploymentID: dep.DeploymentID}))
	got := step[apigw.Deployment](t)(c.UpdateDeployment(ctx, api, dep.DeploymentID, func(d apigw.Deployment) (apigw.Deployment, error) {
		return apigw.Deployment{DeploymentID: "other", Description: "changed"}, nil
	}))
	if got.Description != "changed" || got.DeploymentID != dep.DeploymentID || got.Status != "DEPLOYED" || !got.CreatedDate.Equal(dep.CreatedDate) {
		t.Errorf("deployment %+v", got)
	}
	if p := w.published(); p.RouteKeys() != "one" {
		t.Errorf("published %+v", p)
	}
}

// TestConcurrentUpdates: no update is lost, whoever else changes the API.
func TestConcurrentUpdates(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	api := newAPI(t, w.control).APIID
	step[apigw.Stage](t)(w.control.CreateStage(ctx, api, apigw.Stage{StageName: "dev"}))
	var wg sync.WaitGroup
	var mu sync.Mutex
	want := 0
	for i := range 8 {
		wg.Go(func() {
			_, err := w.control.UpdateStage(ctx, api, "dev", func(s apigw.Stage) (apigw.Stage, error) {
				variables := map[string]string{fmt.Sprint("v", i): "x"}
				maps.Copy(variables, s.StageVariables)
				s.StageVariables = variables
				return s, nil
			})
			switch {
			case err == nil:
				mu.Lock()
				want++
				mu.Unlock()
			case apigw.KindOf(err) != apigw.KindConflict:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	tree := step[*store.Tree](t)(w.control.API(ctx, api))
	if got := len(tree.Stages[0].StageVariables); got != want || want == 0 {
		t.Errorf("%d variables of %d updates", got, want)
	}
}

// TestUnlimited: a node may lift the quotas that AWS raises on request; others stay.
func TestUnlimited(t *testing.T) {
	w := newWorld(t)
	c := control.New(w.store, control.Options{Unlimited: true})
	ctx := t.Context()
	api := newAPI(t, c).APIID
	for i := range apigw.QuotaStages + 1 {
		step[apigw.Stage](t)(c.CreateStage(ctx, api, apigw.Stage{StageName: fmt.Sprint("s", i)}))
	}
	for i := range apigw.QuotaDomainNames + 1 {
		name := apigw.DomainName{DomainName: fmt.Sprintf("d%d.example.com", i), DomainNameConfigurations: []apigw.DomainNameConfiguration{{}}}
		step[apigw.DomainName](t)(c.CreateDomainName(ctx, name, "eu-west-1"))
	}
	_, err := w.control.CreateDomainName(ctx, apigw.DomainName{DomainName: "more.example.com", DomainNameConfigurations: []apigw.DomainNameConfiguration{{}}}, "eu-west-1")
	if apigw.KindOf(err) != apigw.KindQuotaExceeded {
		t.Errorf("one more domain name: %v", err)
	}
	variables := map[string]string{}
	for i := range apigw.QuotaStageVariables + 1 {
		variables[fmt.Sprint("v", i)] = "x"
	}
	if _, err := c.CreateStage(ctx, api, apigw.Stage{StageName: "v", StageVariables: variables}); apigw.KindOf(err) != apigw.KindBadRequest {
		t.Errorf("many variables: %v", err)
	}
}

// TestIdentifiersOfRequests: no text in the place of an identifier finds anything else.
func TestIdentifiersOfRequests(t *testing.T) {
	c := newWorld(t).control
	api := newAPI(t, c).APIID
	for _, id := range []apigw.APIID{"", "/", api + "/", api + "/stages", api[:5], "..", "a b", "é"} {
		if _, err := c.API(t.Context(), id); apigw.KindOf(err) != apigw.KindNotFound {
			t.Errorf("%q: %v", id, err)
		}
	}
}
