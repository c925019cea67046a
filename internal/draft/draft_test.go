package draft_test

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"testing"

	"cleat/internal/apigw"
	"cleat/internal/draft"
	"cleat/internal/store"
	"cleat/internal/store/memory"
)

const api = apigw.APIID("a1b2c3d4e5")

// fine fails the test where a change of a draft has problems.
func fine(tb testing.TB, p draft.Problems) {
	tb.Helper()
	if err := p.Err(); err != nil {
		tb.Fatal(err)
	}
}

// commit writes drafts and returns the keys that changed, those that were deleted with a minus before them.
func commit(tb testing.TB, s *store.Store, drafts ...interface{ Write(*store.Batch) }) []string {
	tb.Helper()
	var b store.Batch
	for _, d := range drafts {
		d.Write(&b)
	}
	var keys []string
	for _, c := range b.Changes() {
		if c.Delete {
			c.Key = "-" + c.Key
		}
		keys = append(keys, c.Key)
	}
	if len(keys) == 0 {
		return nil
	}
	if _, err := s.Commit(tb.Context(), &b); err != nil {
		tb.Fatal(err)
	}
	slices.Sort(keys)
	return keys
}

func load(tb testing.TB, s *store.Store) *draft.API {
	tb.Helper()
	t, err := s.Tree(tb.Context(), api)
	if err != nil {
		tb.Fatal(err)
	}
	return draft.Of(t)
}

// newStore returns a store with an API of one route and a stage.
func newStore(tb testing.TB) *store.Store {
	tb.Helper()
	s := store.New(memory.New())
	d := draft.New(api, "eu-west-1")
	a := d.Now.API
	a.Name, a.ProtocolType, a.RouteSelectionExpression = "chat", "WEBSOCKET", "$request.body.action"
	fine(tb, d.Set(a))
	fine(tb, draft.Routes.Put(d, apigw.Route{RouteID: "r1", RouteKey: "$default"}))
	fine(tb, draft.Stages.Put(d, apigw.Stage{StageName: "live"}))
	want := []string{"apis/a1b2c3d4e5", "apis/a1b2c3d4e5/routes/r1", "apis/a1b2c3d4e5/stages/live"}
	if got := commit(tb, s, d); !slices.Equal(got, want) {
		tb.Fatalf("a new API is %v, want %v", got, want)
	}
	return s
}

// TestWrite: a draft writes what changed and the API beside it, so that who else changes the API conflicts.
func TestWrite(t *testing.T) {
	const key, route = "apis/a1b2c3d4e5", "apis/a1b2c3d4e5/routes/r1"
	for name, tt := range map[string]struct {
		change func(d *draft.API) draft.Problems
		want   []string
	}{
		"nothing": {func(*draft.API) draft.Problems { return nil }, nil},
		"the same again": {func(d *draft.API) draft.Problems {
			return append(d.Set(d.Now.API), draft.Routes.Put(d, *draft.Routes.Find(d, "r1"))...)
		}, nil},
		"touched": {func(d *draft.API) draft.Problems { d.Touch(); return nil }, []string{key}},
		"a member": {func(d *draft.API) draft.Problems {
			return draft.Routes.Put(d, apigw.Route{RouteID: "r1", RouteKey: "say"})
		}, []string{key, route}},
		"a member more": {func(d *draft.API) draft.Problems {
			return draft.Integrations.Put(d, apigw.Integration{IntegrationID: "i1", IntegrationType: "MOCK"})
		}, []string{key, "apis/a1b2c3d4e5/integrations/i1"}},
		"dropped": {func(d *draft.API) draft.Problems {
			draft.Routes.Drop(d, func(*apigw.Route) bool { return true })
			return nil
		}, []string{"-" + route, key}},
		"forgotten": {func(d *draft.API) draft.Problems { d.Forget(map[string]bool{route: true}); return nil }, []string{"-" + route, key}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStore(t)
			d, late := load(t, s), load(t, s)
			fine(t, tt.change(d))
			if got := commit(t, s, d); !slices.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
			if len(tt.want) == 0 {
				return
			}
			late.Touch()
			var b store.Batch
			late.Write(&b)
			if _, err := s.Commit(t.Context(), &b); !errors.Is(err, store.ErrConflict) {
				t.Errorf("a draft of before: %v, want a conflict", err)
			}
		})
	}
}

// TestDeploy: the same definition under the same seed is the same deployment, for ever (spec control-plane §10).
func TestDeploy(t *testing.T) {
	s := newStore(t)
	d := load(t, s)
	first, p := d.Deploy("x", "first")
	fine(t, p)
	frozen, err := d.Frozen(first.DeploymentID).Definition()
	if err != nil || len(frozen.Routes) != 1 || first.Status != "DEPLOYED" || first.CreatedDate.IsZero() {
		t.Errorf("deployment %+v, frozen %+v, %v", first, frozen, err)
	}
	fine(t, draft.Routes.Put(d, apigw.Route{RouteID: "r2", RouteKey: "say"}))
	if frozen, _ := d.Frozen(first.DeploymentID).Definition(); len(frozen.Routes) != 1 {
		t.Errorf("a deployment changes with its API: %+v", frozen)
	}
	draft.Routes.Drop(d, func(r *apigw.Route) bool { return r.RouteID == "r2" })
	commit(t, s, d)

	d = load(t, s)
	if again, p := d.Deploy("x", "first"); len(p) > 0 || again != first {
		t.Errorf("again: %+v, %v, want %+v", again, p.Err(), first)
	}
	if got := commit(t, s, d); got != nil {
		t.Errorf("the same deployment again writes %v", got)
	}
	for _, other := range [][2]string{{"y", "first"}, {"x", "second"}} {
		if dep, _ := d.Deploy(other[0], other[1]); dep.DeploymentID == first.DeploymentID {
			t.Errorf("seed and description %v give the same deployment", other)
		}
	}
	d = draft.New(api, "eu-west-1")
	if _, p := d.Deploy("x", ""); p.Err() == nil {
		t.Error("an API without routes is deployed")
	}
	if err := d.PointStage("none", first.DeploymentID).Err(); apigw.KindOf(err) != apigw.KindNotFound {
		t.Errorf("an unknown stage: %v", err)
	}
}

// TestSharedLists: what a draft does changes neither the tree that it began with nor what it has frozen, whose lists it
// shares.
func TestSharedLists(t *testing.T) {
	for name, change := range map[string]func(d *draft.API) draft.Problems{
		"one more": func(d *draft.API) draft.Problems {
			return draft.Routes.Put(d, apigw.Route{RouteID: "r0", RouteKey: "say"})
		},
		"the last one": func(d *draft.API) draft.Problems {
			return draft.Routes.Put(d, apigw.Route{RouteID: "r9", RouteKey: "say"})
		},
		"another in its place": func(d *draft.API) draft.Problems {
			return draft.Routes.Put(d, apigw.Route{RouteID: "r1", RouteKey: "$default", OperationName: "other"})
		},
		"one less": func(d *draft.API) draft.Problems {
			draft.Routes.Drop(d, func(r *apigw.Route) bool { return r.RouteID == "r1" })
			return nil
		},
		"forgotten": func(d *draft.API) draft.Problems {
			d.Forget(map[string]bool{store.Routes(api).Key("r1").String(): true})
			return nil
		},
		"a stage that points elsewhere": func(d *draft.API) draft.Problems {
			dep, p := d.Deploy("x", "")
			return append(p, d.PointStage("live", dep.DeploymentID)...)
		},
		"a stage that follows": func(d *draft.API) draft.Problems {
			draft.Stages.Drop(d, func(*apigw.Stage) bool { return true })
			return draft.Stages.Put(d, apigw.Stage{StageName: "live", AutoDeploy: true})
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStore(t)
			d := load(t, s)
			fine(t, draft.Routes.Put(d, apigw.Route{RouteID: "r2", RouteKey: "shout"}))
			fine(t, draft.Routes.Put(d, apigw.Route{RouteID: "r3", RouteKey: "whisper"}))
			commit(t, s, d)
			tree, err := s.Tree(t.Context(), api)
			if err != nil {
				t.Fatal(err)
			}
			d = draft.Of(tree)
			for range 2 { // with lists of before, and with lists of its own
				dep, p := d.Deploy("frozen", "")
				fine(t, p)
				frozen, err := d.Frozen(dep.DeploymentID).Definition()
				if err != nil {
					t.Fatal(err)
				}
				before, frozenBefore := fmt.Sprintf("%+v", *tree), fmt.Sprintf("%+v", *frozen)
				fine(t, change(d))
				d.AutoDeploy()
				if got := fmt.Sprintf("%+v", *tree); got != before {
					t.Errorf("the tree is now %s, was %s", got, before)
				}
				if got := fmt.Sprintf("%+v", *frozen); got != frozenBefore {
					t.Errorf("what was frozen is now %s, was %s", got, frozenBefore)
				}
				draft.Routes.Drop(d, func(r *apigw.Route) bool { return r.RouteKey == "say" })
				fine(t, draft.Routes.Put(d, apigw.Route{RouteID: "r5", RouteKey: "$connect"}))
			}
		})
	}
}

// TestAutoDeploy: a stage with autoDeploy serves the API as it is, and automatic deployments go when no stage serves them.
func TestAutoDeploy(t *testing.T) {
	s := newStore(t)
	d := load(t, s)
	fine(t, d.AddStage(apigw.Stage{StageName: "auto", AutoDeploy: true}))
	if got := draft.Stages.Find(d, "auto").DeploymentID; got != "" {
		t.Errorf("AddStage deploys %s", got)
	}
	id := d.AutoDeploy()
	if st := draft.Stages.Find(d, "auto"); id == "" || st.DeploymentID != id || !draft.Deployments.Find(d, id).AutoDeployed {
		t.Errorf("deployment %q, stage %+v", id, st)
	}
	if err := d.PointStage("auto", id).Err(); err == nil {
		t.Error("a stage with autoDeploy is pointed at a deployment")
	}
	commit(t, s, d)

	d = load(t, s)
	fine(t, draft.Routes.Put(d, apigw.Route{RouteID: "r2", RouteKey: "say"}))
	next := d.AutoDeploy()
	if next == id || draft.Deployments.Find(d, id) != nil || draft.Deployments.Find(d, next) == nil {
		t.Errorf("deployments %+v after %s", d.Now.Deployments, id)
	}
	want := []string{"-apis/a1b2c3d4e5/deployments/" + id, "apis/a1b2c3d4e5/deployments/" + next}
	if got := commit(t, s, d); !slices.Contains(got, want[0]) || !slices.Contains(got, want[1]) {
		t.Errorf("written %v, want %v among it", got, want)
	}

	d = load(t, s)
	draft.Routes.Drop(d, func(*apigw.Route) bool { return true })
	if id := d.AutoDeploy(); id != "" || len(d.Now.Deployments) != 0 || draft.Stages.Find(d, "auto").DeploymentID != "" {
		t.Errorf("without routes: %q, %+v", id, d.Now.Deployments)
	}
}

// TestKinds: each kind names what is unknown as AWS does, and knows where the store has it.
func TestKinds(t *testing.T) {
	d := load(t, newStore(t))
	for name, tt := range map[string]struct{ err, want any }{
		"route":                {draft.Routes.Unknown("x"), "Invalid Route identifier specified x"},
		"route response":       {draft.RouteResponses.Unknown("x"), "Invalid RouteResponse identifier specified x"},
		"integration":          {draft.Integrations.Unknown("x"), "Invalid Integration identifier specified x"},
		"integration response": {draft.IntegrationResponses.Unknown("x"), "Invalid IntegrationResponse identifier specified x"},
		"authorizer":           {draft.Authorizers.Unknown("x"), "Invalid Authorizer identifier specified x"},
		"model":                {draft.Models.Unknown("x"), "Invalid Model identifier specified x"},
		"deployment":           {draft.Deployments.Unknown("x"), "Invalid Deployment identifier specified x"},
		"stage":                {draft.Stages.Unknown("x"), "Invalid stage identifier specified"},
		"key of a route":       {draft.Routes.Key(d.ID(), draft.Routes.ID(&d.Now.Routes[0])), "apis/a1b2c3d4e5/routes/r1"},
		"key of a stage":       {draft.Stages.Key(d.ID(), draft.Stages.ID(&d.Now.Stages[0])), "apis/a1b2c3d4e5/stages/live"},
	} {
		if e, ok := tt.err.(*apigw.Error); ok {
			tt.err = e.Message
		}
		if got := fmt.Sprint(tt.err); got != tt.want {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
	}
}

// TestDomains: with a name its mappings go, whoever made them, and an API that is mapped stays.
func TestDomains(t *testing.T) {
	s := newStore(t)
	domains := func() *draft.Domains {
		t.Helper()
		ds, err := draft.LoadDomains(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		return ds
	}
	tree := &load(t, s).Now
	m := apigw.APIMapping{APIMappingID: "m1", DomainName: "chat.example.com", APIID: api, Stage: "live"}
	ds := domains()
	if err := ds.PutMapping(m, tree).Err(); apigw.KindOf(err) != apigw.KindNotFound || err.Error() != draft.UnknownDomain().Err().Error() {
		t.Errorf("a mapping of no name: %v", err)
	}
	fine(t, ds.PutName(apigw.DomainName{DomainName: "Chat.Example.com", DomainNameConfigurations: []apigw.DomainNameConfiguration{{}}}))
	fine(t, ds.PutMapping(m, tree))
	if !ds.Changed(&m) || ds.Get("CHAT.example.com").Mapping("m1") == nil {
		t.Errorf("domains %+v", ds.All())
	}
	commit(t, s, ds)

	ds = domains()
	if ds.Changed(&m) || ds.Removable(api, "").Err() == nil || ds.Removable(api, "live").Err() == nil || ds.Removable(api, "other").Err() != nil {
		t.Error("the mapping is not known again")
	}
	if got := commit(t, s, ds); got != nil {
		t.Errorf("no change writes %v", got)
	}
	ds.Drop("Chat.example.com")
	ds.Drop("none.example.com")
	if len(ds.All()) != 0 || len(ds.MappingsOf(api, "")) != 0 {
		t.Errorf("dropped: %+v", ds.All())
	}
	if got := commit(t, s, ds); len(got) != 2 || got[0][0] != '-' || got[1][0] != '-' {
		t.Errorf("written %v", got)
	}
}

// TestUsage: what is put in is written with the account, what is taken back is not.
func TestUsage(t *testing.T) {
	s := store.New(memory.New())
	usage := func() *draft.Usage {
		t.Helper()
		u, err := draft.LoadUsage(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	u := usage()
	fine(t, u.PutPlan(apigw.UsagePlan{ID: "p1", Name: "p", APIStages: []apigw.UsagePlanStage{{APIID: api, Stage: "live"}}}))
	for _, id := range []string{"k1", "k2"} {
		fine(t, u.PutKey(apigw.APIKey{ID: id, Value: draft.DeriveKeyValue(id)}))
		fine(t, u.PutPlanKey(apigw.UsagePlanKey{ID: id, Type: "API_KEY", UsagePlanID: "p1"}))
	}
	u.UndoKey("k2")
	if u.Key("k2") != nil || u.InPlan("p1", "k2") || !u.InPlan("p1", "k1") || !u.Opens(api, "live") || u.Opens(api, "other") {
		t.Errorf("draft %+v", u)
	}
	want := []string{"account/settings", "apikeys/k1", "usageplans/p1", "usageplans/p1/keys/k1"}
	if got := commit(t, s, u); !slices.Equal(got, want) {
		t.Errorf("written %v, want %v", got, want)
	}
	u = usage()
	if u.Stored("k1") == nil || u.Plan("p1") == nil || commit(t, s, u) != nil {
		t.Errorf("read again: %+v", u)
	}
	u.DropPlanKey("p1", "k1")
	if got, want := commit(t, s, u), []string{"-usageplans/p1/keys/k1", "account/settings"}; !slices.Equal(got, want) {
		t.Errorf("written %v, want %v", got, want)
	}
}

// TestHeld: a node without limits minds everything but the quotas that AWS raises on request.
func TestHeld(t *testing.T) {
	problems := func() draft.Problems {
		var p draft.Problems
		p.Add(apigw.KindQuotaExceeded, "", "too many")
		p.Bad("name", "no name")
		return p
	}
	if got := problems().Held(false).Err(); apigw.KindOf(got) != apigw.KindQuotaExceeded {
		t.Errorf("limited: got %v", got)
	}
	if got := problems().Held(true); len(got) != 1 || got[0].Field != "name" {
		t.Errorf("unlimited: got %+v", got)
	}
	if err := draft.Problems(nil).Err(); err != nil {
		t.Errorf("no problem: %v", err)
	}
	own := &apigw.Error{Kind: apigw.KindNotFound}
	for _, err := range []error{own, fmt.Errorf("read: %w", own)} {
		if got := draft.Failed(err).Err(); !errors.Is(got, own) {
			t.Errorf("%v: got %v", err, got)
		}
	}
	other := errors.New("disk full")
	if got := draft.Failed(other).Err(); apigw.KindOf(got) != apigw.KindInternal || !errors.Is(got, other) {
		t.Errorf("got %v", got)
	}
}

// TestIDs: identifiers are digits and small letters (spec control-plane §1.3); what they are made of makes the same again.
func TestIDs(t *testing.T) {
	legal := regexp.MustCompile(`^[0-9a-z]+$`)
	for _, length := range []int{draft.APIIDLength, draft.IDLength} {
		a, b, c := draft.NewID(length), draft.DeriveID(length, "chat", "Api"), draft.DeriveID(length, "chatA", "pi")
		if len(a) != length || len(b) != length || !legal.MatchString(a+b) || a == b || b == c || b != draft.DeriveID(length, "chat", "Api") {
			t.Errorf("got %s, %s, %s", a, b, c)
		}
	}
	// Those of deployments stay from one version of Cleat to the next.
	if got, want := draft.DeriveID(draft.IDLength, "auto", "a1b2c3d4e5", "", "{}"), "69lfx7g"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if v := draft.NewKeyValue(); len(v) != 40 || len(draft.DeriveKeyValue("x")) != 40 || v == draft.NewKeyValue() {
		t.Errorf("a key's value is %q", v)
	}
}

// TestRetry: a conflict is tried again, a few times at most; anything else is told at once.
func TestRetry(t *testing.T) {
	other := errors.New("disk full")
	for name, tt := range map[string]struct {
		conflicts int
		then      error
		tries     int
		kind      apigw.Kind
	}{
		"at once":     {tries: 1},
		"later":       {conflicts: 3, tries: 4},
		"never":       {conflicts: 100, tries: 5, kind: apigw.KindConflict},
		"other error": {conflicts: 1, then: other, tries: 2},
	} {
		tries := 0
		err := draft.Retry(func() error {
			tries++
			if tries <= tt.conflicts {
				return fmt.Errorf("commit: %w", store.ErrConflict)
			}
			return tt.then
		})
		if tries != tt.tries || tt.kind != 0 && apigw.KindOf(err) != tt.kind || tt.kind == 0 && !errors.Is(err, tt.then) {
			t.Errorf("%s: %d tries, %v", name, tries, err)
		}
	}
}
