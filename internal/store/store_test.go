package store_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"

	"cleat/internal/apigw"
	"cleat/internal/store"
	"cleat/internal/store/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const api = apigw.APIID("a1b2c3d4e5")

func commit(t *testing.T, s *store.Store, build func(*store.Batch)) {
	t.Helper()
	var b store.Batch
	build(&b)
	if _, err := s.Commit(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
}

// fill writes one of everything.
func fill(b *store.Batch) {
	free := store.Expect{}
	store.Put(b, store.APIs().Key(string(api)), apigw.API{APIID: api, Name: "chat", RouteSelectionExpression: "$request.body.action"}, free)
	store.Put(b, store.Routes(api).Key("r1"), apigw.Route{RouteID: "r1", RouteKey: "$default"}, free)
	store.Put(b, store.RouteResponses(api).Key("rr1"), apigw.RouteResponse{RouteResponseID: "rr1", RouteID: "r1"}, free)
	store.Put(b, store.Integrations(api).Key("i1"), apigw.Integration{IntegrationID: "i1"}, free)
	store.Put(b, store.IntegrationResponses(api).Key("ir1"), apigw.IntegrationResponse{IntegrationResponseID: "ir1", IntegrationID: "i1"}, free)
	store.Put(b, store.Authorizers(api).Key("a1"), apigw.Authorizer{AuthorizerID: "a1"}, free)
	store.Put(b, store.Models(api).Key("m1"), apigw.Model{ModelID: "m1"}, free)
	store.Put(b, store.Deployments(api).Key("d1"), apigw.Deployment{DeploymentID: "d1"}, free)
	store.Put(b, store.Definitions(api).Key("d1"), apigw.Definition{RouteSelectionExpression: "one"}, free)
	store.Put(b, store.Deployments(api).Key("d2"), apigw.Deployment{DeploymentID: "d2"}, free)
	store.Put(b, store.Definitions(api).Key("d2"), apigw.Definition{RouteSelectionExpression: "two"}, free)
	store.Put(b, store.Stages(api).Key("dev"), apigw.Stage{StageName: "dev", DeploymentID: "d2"}, free)
	store.Put(b, store.Stages(api).Key("old"), apigw.Stage{StageName: "old", DeploymentID: "d1"}, free)
	store.Put(b, store.Stages(api).Key("none"), apigw.Stage{StageName: "none"}, free)
	store.Put(b, store.Stages(api).Key("gone"), apigw.Stage{StageName: "gone", DeploymentID: "d9"}, free)
	store.Put(b, store.APIKeys().Key("k1"), apigw.APIKey{ID: "k1", Value: "a secret of the customer"}, free)
	store.Put(b, store.UsagePlans().Key("p1"), apigw.UsagePlan{ID: "p1", Name: "gold"}, free)
	store.Put(b, store.UsagePlans().Key("p2"), apigw.UsagePlan{ID: "p2", Name: "free"}, free)
	store.Put(b, store.UsagePlanKeys("p1").Key("k1"), apigw.UsagePlanKey{ID: "k1", Type: "API_KEY", UsagePlanID: "p1"}, free)
	store.Put(b, store.UsagePlanKeys("p2").Key("k1"), apigw.UsagePlanKey{ID: "k1", Type: "API_KEY", UsagePlanID: "p2"}, free)
	store.Put(b, store.DomainNames().Key(store.DomainKey("ws.example.com")), apigw.DomainName{DomainName: "ws.example.com"}, free)
	store.Put(b, store.DomainNames().Key(store.DomainKey("*.example.com")), apigw.DomainName{DomainName: "*.example.com"}, free)
	store.Put(b, store.APIMappings("ws.example.com").Key("m1"), apigw.APIMapping{APIMappingID: "m1", DomainName: "ws.example.com", APIID: api, Stage: "dev"}, free)
	store.Put(b, store.APIMappings("ws.example.com").Key("m2"), apigw.APIMapping{APIMappingID: "m2", DomainName: "ws.example.com", APIID: api, Stage: "old", APIMappingKey: "old"}, free)
	store.Put(b, store.Stacks().Key("chat"), store.Stack{Name: "chat"}, free)
	store.Put(b, store.Functions().Key("hello"), apigw.Function{Name: "hello", Handler: "app.handler"}, free)
}

func TestServing(t *testing.T) {
	s := store.New(memory.New())
	if all, err := s.Serving(t.Context()); err != nil || !reflect.DeepEqual(all, store.Serving{}) {
		t.Fatalf("an empty store publishes %v, %v", all, err)
	}
	commit(t, s, fill)
	serving, err := s.Serving(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	all := serving.Stages
	if len(all) != 2 {
		t.Fatalf("got %d stages, want dev and old", len(all))
	}
	for i, want := range []struct{ stage, definition string }{{"dev", "two"}, {"old", "one"}} {
		p := all[i]
		def, err := p.Frozen.Definition()
		if err != nil || p.API.APIID != api || p.Stage.StageName != want.stage || def.RouteSelectionExpression != want.definition {
			t.Errorf("got %+v with %+v, %v, want %+v", p, def, err, want)
		}
	}

	if len(serving.APIKeys) != 1 || serving.APIKeys[0].Value != "a secret of the customer" {
		t.Errorf("API keys %+v", serving.APIKeys)
	}
	if len(serving.UsagePlans) != 2 || serving.UsagePlans[0].Name != "gold" || serving.UsagePlans[1].Name != "free" {
		t.Errorf("usage plans %+v", serving.UsagePlans)
	}
	if len(serving.UsagePlanKeys) != 2 || serving.UsagePlanKeys[0].UsagePlanID != "p1" || serving.UsagePlanKeys[1].UsagePlanID != "p2" {
		t.Errorf("usage plan keys %+v", serving.UsagePlanKeys)
	}

	if len(serving.Domains) != 2 || len(serving.Mappings) != 2 || serving.Mappings[1].APIMappingKey != "old" {
		t.Errorf("domains %+v, mappings %+v", serving.Domains, serving.Mappings)
	}

	// Only what changed gets a new revision.
	commit(t, s, func(b *store.Batch) {
		store.Put(b, store.Stages(api).Key("dev"), apigw.Stage{StageName: "dev", DeploymentID: "d1"}, store.Expect{})
	})
	serving, err = s.Serving(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	now := serving.Stages
	if now[0].Revision <= all[0].Revision || now[1].Revision != all[1].Revision {
		t.Errorf("revisions %d and %d became %d and %d, want the first to grow alone", all[0].Revision, all[1].Revision, now[0].Revision, now[1].Revision)
	}
}

// A stage whose deployment has lost its definition cannot be served, and must not vanish in silence.
func TestServingWithoutDefinition(t *testing.T) {
	s := store.New(memory.New())
	commit(t, s, fill)
	commit(t, s, func(b *store.Batch) { store.Delete(b, store.Definitions(api).Key("d1"), store.Expect{}) })
	if _, err := s.Serving(t.Context()); err == nil || !strings.Contains(err.Error(), "d1") {
		t.Errorf("got %v, want an error that names deployment d1", err)
	}
}

// A large value comes back as it was, takes little room, and is JSON to who looks at the batch.
func TestLargeValue(t *testing.T) {
	d := memory.New()
	s := store.New(d)
	large := apigw.Definition{RouteSelectionExpression: "$request.body.action"}
	for i := range 300 {
		large.Routes = append(large.Routes, apigw.Route{RouteID: fmt.Sprintf("r%d", i), RouteKey: fmt.Sprintf("key%d", i), Target: "integrations/i1"})
	}
	key := store.Definitions(api).Key("d1")
	var b store.Batch
	store.Put(&b, key, large, store.Absent())
	plain := b.Changes()[0].Value
	if !json.Valid(plain) {
		t.Errorf("the batch shows %.20q", plain)
	}
	if _, err := s.Commit(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	got, _, err := store.Get(t.Context(), s, key)
	if err != nil || !reflect.DeepEqual(got, large) {
		t.Errorf("got %d routes, %v", len(got.Routes), err)
	}
	e, err := d.Get(t.Context(), key.String())
	if err != nil || len(e.Value) > len(plain)/5 {
		t.Errorf("%d bytes are kept as %d, %v", len(plain), len(e.Value), err)
	}
	damaged := slices.Clone(e.Value)
	for i := 1; i < len(damaged); i += 7 {
		damaged[i] ^= 0xFF
	}
	if _, err := d.Commit(t.Context(), []store.Change{{Key: key.String(), Value: damaged}}); err != nil {
		t.Fatal(err)
	}
	if got, _, err := store.Get(t.Context(), s, key); err == nil {
		t.Errorf("a damaged value is read as %d routes", len(got.Routes))
	}
}

// What a View says is what a new one would, whatever the changes, and what did not change keeps its revision.
func TestView(t *testing.T) {
	s := store.New(memory.New())
	view, functions, served := s.NewView(), store.Revision(0), store.Revision(0)
	steps := []func(b *store.Batch){
		fill,
		func(b *store.Batch) {
			store.Put(b, store.Stages(api).Key("dev"), apigw.Stage{StageName: "dev", DeploymentID: "d1"}, store.Expect{})
		},
		func(b *store.Batch) {
			store.Put(b, store.APIs().Key("other"), apigw.API{APIID: "other"}, store.Expect{})
			store.Put(b, store.Stages("other").Key("live"), apigw.Stage{StageName: "live", DeploymentID: "d"}, store.Expect{})
			store.Put(b, store.Deployments("other").Key("d"), apigw.Deployment{DeploymentID: "d"}, store.Expect{})
			store.Put(b, store.Definitions("other").Key("d"), apigw.Definition{RouteSelectionExpression: "other"}, store.Expect{})
		},
		func(b *store.Batch) { store.Delete(b, store.APIKeys().Key("k1"), store.Expect{}) },
		func(b *store.Batch) {
			store.Put(b, store.Functions().Key("second"), apigw.Function{Name: "second"}, store.Expect{})
			store.Delete(b, store.UsagePlanKeys("p1").Key("k1"), store.Expect{})
		},
		func(b *store.Batch) { store.Delete(b, store.Stages(api).Key("old"), store.Expect{}) },
		func(b *store.Batch) {
			store.Delete(b, store.APIs().Key(string(api)), store.Expect{})
			store.Delete(b, store.Routes(api).Key("r1"), store.Expect{})
			for _, key := range []string{"dev", "none", "gone"} {
				store.Delete(b, store.Stages(api).Key(key), store.Expect{})
			}
		},
		func(b *store.Batch) { // of what nobody has deployed
			store.Put(b, store.APIs().Key("other"), apigw.API{APIID: "other", Name: "renamed"}, store.Expect{})
			store.Put(b, store.Routes("other").Key("r"), apigw.Route{RouteID: "r"}, store.Expect{})
		},
	}
	for i, step := range steps {
		commit(t, s, step)
		got, err := view.Serving(t.Context())
		if err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
		want, err := s.Serving(t.Context())
		if err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
		if changed := got.FunctionsRevision != functions; changed != (i == 0 || i == 4) {
			t.Errorf("step %d: whether a function changed is said to be %t", i, changed)
		}
		if changed := got.Served != served; changed != (i != 7) {
			t.Errorf("step %d: whether what is served changed is said to be %t", i, changed)
		}
		functions, want.FunctionsRevision = got.FunctionsRevision, got.FunctionsRevision
		served, want.Served = got.Served, got.Served
		if !reflect.DeepEqual(got, want) {
			t.Errorf("step %d: got %+v, want %+v", i, got, want)
		}
	}
	// A fault does not go away by asking again, and nothing is forgotten over it.
	commit(t, s, func(b *store.Batch) { store.Delete(b, store.Definitions("other").Key("d"), store.Expect{}) })
	for range 2 {
		if _, err := view.Serving(t.Context()); err == nil {
			t.Error("a stage without its definition is served")
		}
	}
	commit(t, s, func(b *store.Batch) { store.Delete(b, store.Stages("other").Key("live"), store.Expect{}) })
	if got, err := view.Serving(t.Context()); err != nil || len(got.Domains) != 2 || len(got.Stages) != 0 {
		t.Errorf("after the fault: %+v, %v", got, err)
	}
}

// What a Tree has from an earlier one is what is in the store.
func TestTreeAgain(t *testing.T) {
	s := store.New(memory.New())
	commit(t, s, fill)
	tree := func(s *store.Store) *store.Tree {
		t.Helper()
		tree, err := s.Tree(t.Context(), api)
		if err != nil {
			t.Fatal(err)
		}
		return tree
	}
	first := tree(s)
	first.Routes[0].RouteKey = "changed by the caller"
	commit(t, s, func(b *store.Batch) {
		store.Put(b, store.Integrations(api).Key("i1"), apigw.Integration{IntegrationID: "i1", IntegrationType: "MOCK"}, store.Expect{})
		store.Delete(b, store.Models(api).Key("m1"), store.Expect{})
	})
	again := tree(s)
	if again.Routes[0].RouteKey != "$default" || again.Integrations[0].IntegrationType != "MOCK" || len(again.Models) != 0 {
		t.Errorf("got %+v", again)
	}
}

func TestTree(t *testing.T) {
	s := store.New(memory.New())
	if _, err := s.Tree(t.Context(), api); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a tree of nothing: %v, want ErrNotFound", err)
	}
	commit(t, s, fill)
	commit(t, s, func(b *store.Batch) { // its ID begins with the other's
		store.Put(b, store.APIs().Key(string(api)+"x"), apigw.API{APIID: api + "x"}, store.Expect{})
		store.Put(b, store.Routes(api+"x").Key("r9"), apigw.Route{RouteID: "r9"}, store.Expect{})
	})
	tree, err := s.Tree(t.Context(), api)
	if err != nil {
		t.Fatal(err)
	}
	for what, n := range map[string][2]int{
		"routes": {len(tree.Routes), 1}, "route responses": {len(tree.RouteResponses), 1}, "integrations": {len(tree.Integrations), 1},
		"integration responses": {len(tree.IntegrationResponses), 1}, "authorizers": {len(tree.Authorizers), 1}, "models": {len(tree.Models), 1},
		"deployments": {len(tree.Deployments), 2}, "stages": {len(tree.Stages), 4}, "keys": {len(tree.Keys), 13},
	} {
		if n[0] != n[1] {
			t.Errorf("%d %s, want %d", n[0], what, n[1])
		}
	}
	if d := tree.Definition(); d.RouteSelectionExpression != "$request.body.action" || len(d.Routes) != 1 || len(d.Models) != 1 || len(d.Authorizers) != 1 {
		t.Errorf("definition %+v", d)
	}
	_, r, err := store.Get(t.Context(), s, store.APIs().Key(string(api)))
	if err != nil || r != tree.Revision {
		t.Errorf("the tree is at %d, its API at %d, %v", tree.Revision, r, err)
	}
}

func TestListKeepsToItsCollection(t *testing.T) {
	s := store.New(memory.New())
	commit(t, s, fill)
	apis, err := store.List(t.Context(), s, store.APIs())
	if err != nil || len(apis) != 1 || apis[0].Name != "chat" {
		t.Errorf("got %+v, %v, want the one API and nothing below it", apis, err)
	}
	functions, err := s.Functions(t.Context())
	if err != nil || len(functions) != 1 || functions[0].Handler != "app.handler" {
		t.Errorf("got %+v, %v, want one function", functions, err)
	}
}

func TestDomains(t *testing.T) {
	d := memory.New()
	s := store.New(d)
	if all, err := s.Domains(t.Context()); err != nil || len(all) != 0 {
		t.Fatalf("an empty store has %v, %v", all, err)
	}
	commit(t, s, fill)
	all, err := s.Domains(t.Context())
	if err != nil || len(all) != 2 {
		t.Fatalf("got %+v, %v", all, err)
	}
	if all[0].Name.DomainName != "*.example.com" || len(all[0].Mappings) != 0 || all[1].Name.DomainName != "ws.example.com" || len(all[1].Mappings) != 2 {
		t.Errorf("got %+v", all)
	}
	for _, domain := range all {
		_, r, err := store.Get(t.Context(), s, store.DomainNames().Key(store.DomainKey(domain.Name.DomainName)))
		if err != nil || r != domain.Revision {
			t.Errorf("%s is at %d, its entry at %d, %v", domain.Name.DomainName, domain.Revision, r, err)
		}
	}
	if _, err := d.Commit(t.Context(), []store.Change{{Key: "domainnames/x/gadgets/g1", Value: []byte("{}")}}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Domains(t.Context()); err == nil {
		t.Error("an unknown kind of definition was passed over in silence")
	}
}

func TestBatch(t *testing.T) {
	s := store.New(memory.New())
	commit(t, s, fill)
	key := store.Routes(api).Key("r1")
	_, r, err := store.Get(t.Context(), s, key)
	if err != nil {
		t.Fatal(err)
	}
	var b store.Batch
	store.Put(&b, key, apigw.Route{RouteID: "r1", RouteKey: "changed"}, store.At(r+1))
	b.DeleteKey(store.Routes(api).Key("r2").String())
	if b.Len() != 2 {
		t.Errorf("got %d changes, want 2", b.Len())
	}
	if _, err := s.Commit(t.Context(), &b); !errors.Is(err, store.ErrConflict) {
		t.Errorf("got %v, want ErrConflict", err)
	}
	commit(t, s, func(b *store.Batch) { store.Delete(b, key, store.At(r)) })
	if _, _, err := store.Get(t.Context(), s, key); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
}

func TestUnknownKeyIsAnError(t *testing.T) {
	for _, key := range []string{"apis/" + string(api) + "/gadgets/g1", "gadgets/g1", "usageplans/p1/gadgets/g1", "apikeys/k1/gadgets/g1", "domainnames/x/gadgets/g1"} {
		d := memory.New()
		if _, err := d.Commit(t.Context(), []store.Change{{Key: key, Value: []byte("{}")}}); err != nil {
			t.Fatal(err)
		}
		if _, err := store.New(d).Serving(t.Context()); err == nil {
			t.Errorf("%s was passed over in silence", key)
		}
	}
}

func TestDamagedValueIsAnError(t *testing.T) {
	d := memory.New()
	if _, err := d.Commit(t.Context(), []store.Change{{Key: "apis/" + string(api), Value: []byte("{")}}); err != nil {
		t.Fatal(err)
	}
	s := store.New(d)
	if _, err := s.Serving(t.Context()); err == nil {
		t.Error("Serving reads a damaged value")
	}
	if _, err := store.List(t.Context(), s, store.APIs()); err == nil {
		t.Error("List reads a damaged value")
	}
	if _, _, err := store.Get(t.Context(), s, store.APIs().Key(string(api))); err == nil {
		t.Error("Get reads a damaged value")
	}
}

func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := store.New(memory.New())
		ctx, cancel := context.WithCancel(t.Context())
		calls := 0
		ended := make(chan error, 1)
		go func() { ended <- s.Watch(ctx, func() { calls++ }) }()
		synctest.Wait()
		if calls != 1 {
			t.Errorf("%d calls at the start, want 1", calls)
		}
		commit(t, s, fill)
		synctest.Wait()
		if calls != 2 {
			t.Errorf("%d calls after a batch, want 2", calls)
		}
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Watch ended with %v", err)
		}
	})
}
