package control_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"cleat/internal/apigw"
	"cleat/internal/awsapi"
	"cleat/internal/control"
	"cleat/internal/store"
	"cleat/internal/store/memory"
)

// newControl returns a control with an API that has the stages prod and beta.
func newControl(tb testing.TB) (*control.Control, apigw.APIID) {
	tb.Helper()
	c := control.New(store.New(memory.New()), control.Options{})
	api, err := c.CreateAPI(tb.Context(), apigw.API{Name: "shop", ProtocolType: "WEBSOCKET", RouteSelectionExpression: "$request.body.action"}, awsapi.DefaultRegion)
	if err != nil {
		tb.Fatal(err)
	}
	for _, name := range []string{"prod", "beta"} {
		if _, err := c.CreateStage(tb.Context(), api.APIID, apigw.Stage{StageName: name}); err != nil {
			tb.Fatal(err)
		}
	}
	return c, api.APIID
}

// made returns what an operation that must succeed has made.
func made[T any](tb testing.TB) func(T, error) T {
	tb.Helper()
	return func(v T, err error) T {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}
		return v
	}
}

func patchOps(tb testing.TB, text string) []control.PatchOperation {
	tb.Helper()
	var ops []control.PatchOperation
	for line := range strings.Lines(text) {
		f := strings.SplitN(strings.TrimSpace(line), " ", 3)
		ops = append(ops, control.PatchOperation{Op: f[0], Path: f[1], Value: strings.Join(f[2:], "")})
	}
	return ops
}

func jsonOf(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// Every path of a usage plan, and what is refused (spec control-plane §14). A refused patch changes nothing.
func TestUpdateUsagePlan(t *testing.T) {
	const stages = `{"apiId":"API","stage":"prod"}`
	for name, tc := range map[string]struct {
		patch, want string // what the plan is then, without ID and name, or the error
		kind        apigw.Kind
	}{
		"name":            {"replace /name silver", `"name":"silver","apiStages":[` + stages + `]`, 0},
		"description":     {"replace /description for all", `"name":"gold","description":"for all","apiStages":[` + stages + `]`, 0},
		"product code":    {"add /productCode abc\nreplace /productCode xyz", `"name":"gold","apiStages":[` + stages + `],"productCode":"xyz"`, 0},
		"no product code": {"add /productCode abc\nremove /productCode", `"name":"gold","apiStages":[` + stages + `]`, 0},
		"throttle":        {"replace /throttle/rateLimit 2.5\nadd /throttle/burstLimit 7", `"name":"gold","apiStages":[` + stages + `],"throttle":{"burstLimit":7,"rateLimit":2.5}`, 0},
		"no throttle":     {"replace /throttle/rateLimit 2\nremove /throttle", `"name":"gold","apiStages":[` + stages + `]`, 0},
		"quota":           {"replace /quota/limit 9\nreplace /quota/offset 1\nreplace /quota/period WEEK", `"name":"gold","apiStages":[` + stages + `],"quota":{"limit":9,"offset":1,"period":"WEEK"}`, 0},
		"no quota":        {"replace /quota/limit 9\nremove /quota", `"name":"gold","apiStages":[` + stages + `]`, 0},
		"a stage more":    {"add /apiStages API:beta", `"name":"gold","apiStages":[` + stages + `,{"apiId":"API","stage":"beta"}]`, 0},
		"no stage":        {"remove /apiStages API:prod", `"name":"gold"`, 0},
		"a stage afresh":  {"remove /apiStages API:prod\nadd /apiStages API:prod", `"name":"gold","apiStages":[` + stages + `]`, 0},
		"a route's throttle": {
			"replace /apiStages/API:prod/throttle/say/rateLimit 1.5\nadd /apiStages/API:prod/throttle/say/burstLimit 3",
			`"name":"gold","apiStages":[{"apiId":"API","stage":"prod","throttle":{"say":{"burstLimit":3,"rateLimit":1.5}}}]`, 0,
		},
		"a route with slashes": {
			"replace /apiStages/API:prod/throttle/a~1b/c/rateLimit 1", `"name":"gold","apiStages":[{"apiId":"API","stage":"prod","throttle":{"a/b/c":{"rateLimit":1}}}]`, 0,
		},
		"a route's throttle goes":  {"replace /apiStages/API:prod/throttle/say/rateLimit 1\nremove /apiStages/API:prod/throttle/say", `"name":"gold","apiStages":[` + stages + `]`, 0},
		"all routes' throttles go": {"replace /apiStages/API:prod/throttle/say/rateLimit 1\nremove /apiStages/API:prod/throttle", `"name":"gold","apiStages":[` + stages + `]`, 0},

		"unknown path":     {"replace /foo x", "Invalid patch path '/foo' specified for op 'replace'. Must be one of: [/apiStages/*, /description, /name,", apigw.KindBadRequest},
		"unknown op":       {"put /name x", "Invalid patch operation specified. Must be one of [add, remove, replace]", apigw.KindBadRequest},
		"no such op on it": {"remove /name", "Invalid patch path '/name' specified for op 'remove'. Must be one of: [/apiStages, ", apigw.KindBadRequest},
		"moving":           {"move /name x", "Invalid patch path '/name' specified for op 'move'", apigw.KindBadRequest},
		"no number":        {"replace /throttle/rateLimit many", "Invalid value 'many' specified for path '/throttle/rateLimit': want a number", apigw.KindBadRequest},
		"not a number":     {"replace /throttle/rateLimit NaN", "want a number", apigw.KindBadRequest},
		"no whole number":  {"replace /throttle/burstLimit 1.5", "want a whole number", apigw.KindBadRequest},
		"half a quota":     {"replace /quota/limit 9", "Quota.Period must be one of [DAY, WEEK, MONTH]", apigw.KindBadRequest},
		"below zero":       {"replace /throttle/rateLimit -1", "a throttling limit must not be negative", apigw.KindBadRequest},
		"stage there":      {"add /apiStages API:prod", "API Stage API:prod is in the plan already", apigw.KindConflict},
		"no such stage":    {"add /apiStages API:test", "API Stage not found: API:test", apigw.KindNotFound},
		"no such API":      {"add /apiStages zzzzzzzzzz:prod", "API Stage not found: zzzzzzzzzz:prod", apigw.KindNotFound},
		"no stage at all":  {"add /apiStages prod", "Invalid API Stage {api: prod, stage: } specified for usageplan gold", apigw.KindBadRequest},
		"JSON for a stage": {`add /apiStages {"apiId": "API"}`, "API Stage not found: ", apigw.KindNotFound},
		"not in the plan":  {"remove /apiStages API:beta", "API Stage not found: API:beta", apigw.KindNotFound},
		"throttle of none": {"replace /apiStages/API:beta/throttle/say/rateLimit 1", "API Stage not found: API:beta", apigw.KindNotFound},
		"no such throttle": {"remove /apiStages/API:prod/throttle/say", "There is no throttle for say", apigw.KindNotFound},
		"no such limit":    {"replace /apiStages/API:prod/throttle/say/limit 1", "Invalid patch path '/apiStages/API:prod/throttle/say/limit'", apigw.KindBadRequest},
		"below a stage":    {"replace /apiStages/API:prod 1", "Invalid patch path '/apiStages/API:prod'", apigw.KindBadRequest},
		"the last is bad":  {"replace /name silver\nreplace /throttle/rateLimit x", "want a number", apigw.KindBadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			c, api := newControl(t)
			plan := made[apigw.UsagePlan](t)(c.CreateUsagePlan(t.Context(), apigw.UsagePlan{Name: "gold", APIStages: []apigw.UsagePlanStage{{APIID: api, Stage: "prod"}}}))
			before := jsonOf(plan)
			got, err := c.UpdateUsagePlan(t.Context(), plan.ID, patchOps(t, strings.ReplaceAll(tc.patch, "API", string(api))))
			stored := jsonOf(made[apigw.UsagePlan](t)(c.UsagePlan(t.Context(), plan.ID)))
			want := strings.ReplaceAll(tc.want, "API", string(api))
			if strings.Contains(tc.want, "API Stage") {
				want = strings.ReplaceAll(want, string(api)+" Stage", "API Stage")
			}
			if tc.kind != 0 {
				if err == nil || !strings.Contains(err.Error(), want) || apigw.KindOf(err) != tc.kind {
					t.Errorf("got %v, want %q", err, want)
				}
				if stored != before {
					t.Errorf("the refused patch made of %s\n%s", before, stored)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if want := `{"id":"` + plan.ID + `",` + want + "}"; jsonOf(got) != want || stored != want {
				t.Errorf("got  %s\nkept %s\nwant %s", jsonOf(got), stored, want)
			}
		})
	}
}

// Every path of an API key.
func TestUpdateAPIKey(t *testing.T) {
	c, _ := newControl(t)
	k := made[apigw.APIKey](t)(c.CreateAPIKey(t.Context(), apigw.APIKey{Name: "a"}))
	if len(k.ID) != 10 || len(k.Value) != 40 || k.Enabled || k.CreatedDate.IsZero() || k.LastUpdatedDate != k.CreatedDate {
		t.Errorf("made %+v", k)
	}
	got := made[apigw.APIKey](t)(c.UpdateAPIKey(t.Context(), k.ID, patchOps(t, "replace /name b\nreplace /description c\nreplace /enabled true\nreplace /customerId d")))
	if stored := made[apigw.APIKey](t)(c.APIKey(t.Context(), k.ID)); jsonOf(stored) != jsonOf(got) || got.Name != "b" || got.Description != "c" || !got.Enabled || got.CustomerID != "d" || got.Value != k.Value {
		t.Errorf("got %+v, stored %+v", got, stored)
	}
	for patch, want := range map[string]string{
		"replace /enabled perhaps":                            "Invalid value 'perhaps' specified for path '/enabled': want true or false",
		"replace /value x":                                    "Invalid patch path '/value' specified for op 'replace'. Must be one of: [/customerId, /description, /enabled, /name]",
		"add /stages x/prod":                                  "A key is good for the stages of its usage plans",
		"replace /description " + strings.Repeat("x", 1025):   "description is longer than 1024 characters",
		strings.Repeat("replace /name x\n", 1001):             "more than 1000 patch operations",
		"replace /enabled false\nreplace /customerName peter": "Invalid patch path '/customerName'",
	} {
		if _, err := c.UpdateAPIKey(t.Context(), k.ID, patchOps(t, patch)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40s: got %v, want %q", patch, err, want)
		}
		if stored := made[apigw.APIKey](t)(c.APIKey(t.Context(), k.ID)); jsonOf(stored) != jsonOf(got) {
			t.Errorf("%.40s changed the key to %+v", patch, stored)
		}
	}
}

// What is refused of keys, plans and the belonging of one to the other (spec control-plane §14).
func TestUsageRefusals(t *testing.T) {
	c, api := newControl(t)
	ctx := t.Context()
	stage := func(names ...string) (out []apigw.UsagePlanStage) {
		for _, n := range names {
			out = append(out, apigw.UsagePlanStage{APIID: api, Stage: n})
		}
		return out
	}
	key := made[apigw.APIKey](t)(c.CreateAPIKey(ctx, apigw.APIKey{Value: "a-value-of-a-key-here"}))
	gold := made[apigw.UsagePlan](t)(c.CreateUsagePlan(ctx, apigw.UsagePlan{Name: "gold", APIStages: stage("prod")}))
	iron := made[apigw.UsagePlan](t)(c.CreateUsagePlan(ctx, apigw.UsagePlan{Name: "iron", APIStages: stage("beta")}))
	rust := made[apigw.UsagePlan](t)(c.CreateUsagePlan(ctx, apigw.UsagePlan{Name: "rust", APIStages: stage("prod", "beta")}))
	join := func(plan, key string) error {
		_, err := c.CreateUsagePlanKey(ctx, apigw.UsagePlanKey{ID: key, Type: "API_KEY", UsagePlanID: plan})
		return err
	}
	for _, plan := range []string{gold.ID, iron.ID} {
		if err := join(plan, key.ID); err != nil {
			t.Fatal(err)
		}
	}
	for name, tc := range map[string]struct {
		do   func() error
		kind apigw.Kind
		want string
	}{
		"value taken": {func() error { _, err := c.CreateAPIKey(ctx, apigw.APIKey{Value: key.Value}); return err }, apigw.KindConflict, "API Key already exists"},
		"short value": {func() error { _, err := c.CreateAPIKey(ctx, apigw.APIKey{Value: "short"}); return err }, apigw.KindBadRequest, "at least 20 characters"},
		"bad tag": {func() error {
			_, err := c.CreateAPIKey(ctx, apigw.APIKey{Tags: map[string]string{"aws:x": ""}})
			return err
		}, apigw.KindBadRequest, "do not begin with aws:"},
		"no name": {func() error { _, err := c.CreateUsagePlan(ctx, apigw.UsagePlan{}); return err }, apigw.KindBadRequest, "Usage Plan name is required"},
		"no such stage": {func() error {
			_, err := c.CreateUsagePlan(ctx, apigw.UsagePlan{Name: "x", APIStages: stage("test")})
			return err
		}, apigw.KindNotFound, "API Stage not found: " + string(api) + ":test"},
		"member twice":    {func() error { return join(gold.ID, key.ID) }, apigw.KindConflict, "is in the usage plan already"},
		"stage in common": {func() error { return join(rust.ID, key.ID) }, apigw.KindConflict, "which has a stage in common"},
		"stage comes": {func() error {
			_, err := c.UpdateUsagePlan(ctx, gold.ID, patchOps(t, "add /apiStages "+string(api)+":beta"))
			return err
		}, apigw.KindConflict, "which has a stage in common"},
		"no such key":      {func() error { return join(gold.ID, "nobody") }, apigw.KindNotFound, "Invalid API Key identifier specified nobody"},
		"no such plan":     {func() error { return join("none", key.ID) }, apigw.KindNotFound, "Invalid Usage Plan ID specified none"},
		"plan with stages": {func() error { return c.DeleteUsagePlan(ctx, gold.ID) }, apigw.KindBadRequest, "Cannot delete Usage Plan " + gold.ID + " because there are API Stages associated with it"},
		"key of no plan":   {func() error { return c.DeleteUsagePlanKey(ctx, rust.ID, key.ID) }, apigw.KindNotFound, "Invalid API Key identifier specified"},
		"odd key ID":       {func() error { _, err := c.APIKey(ctx, "a/../b"); return err }, apigw.KindNotFound, "Invalid API Key identifier specified a/../b"},
		"odd plan ID":      {func() error { _, err := c.UsagePlan(ctx, gold.ID+"/keys/"+key.ID); return err }, apigw.KindNotFound, "Invalid Usage Plan ID specified"},
	} {
		if err := tc.do(); err == nil || apigw.KindOf(err) != tc.kind || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want kind %d and %q", name, err, tc.kind, tc.want)
		}
	}

	// A plan without stages goes, and its keys stay; a deleted key is in no plan.
	if _, err := c.UpdateUsagePlan(ctx, iron.ID, patchOps(t, "remove /apiStages "+string(api)+":beta")); err != nil {
		t.Fatal(err)
	}
	if err := c.DeleteUsagePlan(ctx, iron.ID); err != nil {
		t.Fatal(err)
	}
	if plans := made[[]apigw.UsagePlan](t)(c.UsagePlans(ctx, key.ID)); len(plans) != 1 || plans[0].ID != gold.ID {
		t.Errorf("plans of the key: %+v", plans)
	}
	if err := c.DeleteAPIKey(ctx, key.ID); err != nil {
		t.Fatal(err)
	}
	if keys := made[[]control.PlanKey](t)(c.UsagePlanKeys(ctx, gold.ID)); len(keys) != 0 {
		t.Errorf("keys of the plan: %+v", keys)
	}
}

// A file of keys: good rows are taken, the others are told of; or nothing is done (spec control-plane §14).
func TestImportAPIKeys(t *testing.T) {
	c, api := newControl(t)
	ctx := t.Context()
	plan := made[apigw.UsagePlan](t)(c.CreateUsagePlan(ctx, apigw.UsagePlan{Name: "gold", APIStages: []apigw.UsagePlanStage{{APIID: api, Stage: "prod"}}}))
	file := "\ufeffName,key,Description,Enabled,usageplanIds\n" +
		"one,value-of-the-first-key,\"a, b\",TRUE,\"" + plan.ID + "\"\n" +
		"two,short,,,\n" +
		"three,value-of-the-third-key,,false,nowhere\n" +
		"four,value-of-the-first-key,,,\n" +
		"five,value-of-the-fifth-key,,,\n"
	if _, _, err := c.ImportAPIKeys(ctx, []byte(file), true); err == nil || !strings.Contains(err.Error(), "Failed to import API keys: Line 3: API Key value should be at least 20 characters; Line 4: ") {
		t.Errorf("got %v", err)
	}
	if keys := made[[]apigw.APIKey](t)(c.APIKeys(ctx)); len(keys) != 0 {
		t.Errorf("the refused file made %+v", keys)
	}
	ids, warnings, err := c.ImportAPIKeys(ctx, []byte(file), false)
	if err != nil {
		t.Fatal(err)
	}
	if len(ids) != 2 || len(warnings) != 3 || !strings.Contains(warnings[1], "Invalid Usage Plan ID specified nowhere") || !strings.Contains(warnings[2], "API Key already exists") {
		t.Errorf("ids %v, warnings %q", ids, warnings)
	}
	names := []string{}
	for _, k := range made[[]apigw.APIKey](t)(c.APIKeys(ctx)) {
		names = append(names, fmt.Sprintf("%s %q %v", k.Name, k.Description, k.Enabled))
	}
	slices.Sort(names)
	if want := []string{`five "" false`, `one "a, b" true`}; !slices.Equal(names, want) {
		t.Errorf("got %q, want %q", names, want)
	}
	if keys := made[[]control.PlanKey](t)(c.UsagePlanKeys(ctx, plan.ID)); len(keys) != 1 || keys[0].Name != "one" || keys[0].Value != "value-of-the-first-key" {
		t.Errorf("keys of the plan: %+v", keys)
	}
	for text, want := range map[string]string{
		"":                                "want a heading",
		"Name\nx\n":                       "no column key",
		"Name,Key\nx\n":                   "wrong number of fields",
		"Name,Key,Enabled\na,b,perhaps\n": "line 2: Enabled must be true or false",
		"Name,Key\n" + strings.Repeat("a,b\n", 5001): "more than 5000 rows",
	} {
		if _, _, err := c.ImportAPIKeys(ctx, []byte(text), false); apigw.KindOf(err) != apigw.KindBadRequest || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: got %v, want %q", text, err, want)
		}
	}
}

// TestImportAPIKeysUnlimited: on a node without quotas a key gets into all of its plans.
func TestImportAPIKeysUnlimited(t *testing.T) {
	const plans = 12 // AWS has ten for a key
	w := newWorld(t)
	c := control.New(w.store, control.Options{Unlimited: true})
	var ids []string
	for i := range plans {
		ids = append(ids, made[apigw.UsagePlan](t)(c.CreateUsagePlan(t.Context(), apigw.UsagePlan{Name: fmt.Sprint("p", i)})).ID)
	}
	file := []byte("Name,Key,UsagePlanIds\nk,01234567890123456789,\"" + strings.Join(ids, ",") + "\"\n")
	if _, warnings, err := w.control.ImportAPIKeys(t.Context(), file, false); err != nil || len(warnings) != 1 {
		t.Errorf("with quotas: %v, %v, want a warning", warnings, err)
	}
	keys, warnings, err := c.ImportAPIKeys(t.Context(), file, true)
	if err != nil || len(keys) != 1 {
		t.Fatal(keys, warnings, err)
	}
	if in := made[[]apigw.UsagePlan](t)(c.UsagePlans(t.Context(), keys[0])); len(in) != plans {
		t.Errorf("the key is in %d plans, want %d", len(in), plans)
	}
}

// A file of a few bytes a plan must not cost hundreds for each.
func TestImportAPIKeysCosts(t *testing.T) {
	c, _ := newControl(t)
	file := []byte("Name,Key,UsagePlanIds\na,value-of-the-first-key,\"" + strings.Repeat("x,", 20_000) + "\"\n")
	allocs := testing.AllocsPerRun(1, func() {
		if _, warnings, err := c.ImportAPIKeys(t.Context(), file, false); err != nil || len(warnings) != 1 {
			t.Errorf("got %v, %v", warnings, err)
		}
	})
	if allocs > 5000 {
		t.Errorf("%v allocations for one row", allocs)
	}
}

// FuzzImportAPIKeys: whatever file it is, what is said to be made is there, and nothing else.
func FuzzImportAPIKeys(f *testing.F) {
	for _, seed := range []string{"Name,Key\na,value-of-the-first-key\n", "\ufeffkey,name,enabled,usageplanids\n\"value-of-the-first-key\",\"a\"\"b\",TRUE,\"x, y\"\n", "name,key\n\r\na,b\n"} {
		f.Add([]byte(seed), false)
	}
	f.Fuzz(func(t *testing.T, file []byte, strict bool) {
		c, _ := newControl(t)
		ids, warnings, err := c.ImportAPIKeys(t.Context(), file, strict)
		if err != nil && (len(ids) > 0 || apigw.KindOf(err) == apigw.KindInternal) || strict && err == nil && len(warnings) > 0 {
			t.Errorf("ids %v, warnings %q, %v", ids, warnings, err)
		}
		if keys := made[[]apigw.APIKey](t)(c.APIKeys(t.Context())); len(keys) != len(ids) {
			t.Errorf("there are %d keys of %d", len(keys), len(ids))
		}
	})
}

// Many at once: nobody is told of a conflict, and one value is one key's.
func TestConcurrentUsageChanges(t *testing.T) {
	c, _ := newControl(t)
	var all sync.WaitGroup
	var mu sync.Mutex
	kinds := map[apigw.Kind]int{}
	for i := range 20 {
		all.Go(func() {
			value := fmt.Sprintf("the-value-of-key-%05d", i/2)
			_, err := c.CreateAPIKey(context.WithoutCancel(t.Context()), apigw.APIKey{Value: value})
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				kinds[-1]++
			} else {
				kinds[apigw.KindOf(err)]++
			}
		})
	}
	all.Wait()
	if kinds[-1] != 10 || kinds[apigw.KindConflict] != 10 {
		t.Errorf("got %v", kinds)
	}
}

func TestAccount(t *testing.T) {
	c, _ := newControl(t)
	const role = "arn:aws:iam::123456789012:role/logs"
	for _, step := range []struct{ patch, want, err string }{
		{"replace /cloudwatchRoleArn " + role, role, ""},
		{"replace /cloudwatchRoleArn nonsense", role, "The role ARN is not well formed"},
		{"add /features UsagePlans", role, ""},
		{"remove /features UsagePlans", role, "which cannot be removed"},
		{"replace /throttleSettings x", role, "Invalid patch path"},
		{"replace /cloudwatchRoleArn ", "", ""},
	} {
		_, err := c.UpdateAccount(t.Context(), patchOps(t, step.patch))
		if (step.err == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), step.err) {
			t.Errorf("%s: got %v", step.patch, err)
		}
		if got := made[apigw.Account](t)(c.Account(t.Context())); got.CloudWatchRoleARN != step.want {
			t.Errorf("%s: got %q, want %q", step.patch, got.CloudWatchRoleARN, step.want)
		}
	}
}

// VPC links: their members, and that one in use stays (spec control-plane §13).
func TestVPCLinks(t *testing.T) {
	c, api := newControl(t)
	ctx := t.Context()
	const arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/net/main/0123456789abcdef"
	for name, l := range map[string]apigw.VPCLink{
		"no name":     {Version: apigw.LinkV1, TargetARNs: []string{arn}},
		"no target":   {Version: apigw.LinkV1, Name: "x"},
		"two targets": {Version: apigw.LinkV1, Name: "x", TargetARNs: []string{arn, arn}},
		"a queue":     {Version: apigw.LinkV1, Name: "x", TargetARNs: []string{"arn:aws:sqs:us-east-1:123456789012:q"}},
		"no port":     {Version: apigw.LinkV1, Name: "x", TargetARNs: []string{"http://10.0.0.7"}},
		"a path":      {Version: apigw.LinkV1, Name: "x", TargetARNs: []string{"http://10.0.0.7:80/x"}},
		"a secret":    {Version: apigw.LinkV1, Name: "x", TargetARNs: []string{"http://a:b@10.0.0.7:80"}},
		"no subnet":   {Version: apigw.LinkV2, Name: "x"},
		"no group":    {Version: apigw.LinkV2, Name: "x", SubnetIDs: []string{"subnet-1"}, SecurityGroupIDs: []string{""}},
	} {
		if _, err := c.CreateVPCLink(ctx, l); apigw.KindOf(err) != apigw.KindBadRequest {
			t.Errorf("%s: got %v", name, err)
		}
	}
	one := made[apigw.VPCLink](t)(c.CreateVPCLink(ctx, apigw.VPCLink{Version: apigw.LinkV1, Name: "main", TargetARNs: []string{arn}}))
	two := made[apigw.VPCLink](t)(c.CreateVPCLink(ctx, apigw.VPCLink{Version: apigw.LinkV2, Name: "http", SubnetIDs: []string{"subnet-1"}}))
	for _, v := range []apigw.VPCLinkVersion{apigw.LinkV1, apigw.LinkV2} {
		if all := made[[]apigw.VPCLink](t)(c.VPCLinks(ctx, v)); len(all) != 1 || all[0].Version != v {
			t.Errorf("%s: %+v", v, all)
		}
	}
	if _, err := c.VPCLink(ctx, apigw.LinkV1, two.ID); apigw.KindOf(err) != apigw.KindNotFound {
		t.Errorf("a link of the other version: %v", err)
	}
	if l := made[apigw.VPCLink](t)(c.PatchVPCLink(ctx, one.ID, patchOps(t, "replace /name other\nreplace /description text"))); l.Name != "other" || l.Description != "text" {
		t.Errorf("patched: %+v", l)
	}
	if l := made[apigw.VPCLink](t)(c.RenameVPCLink(ctx, two.ID, new("web"))); l.Name != "web" {
		t.Errorf("renamed: %+v", l)
	}
	for name, err := range map[string]error{
		"patch of V2": second(c.PatchVPCLink(ctx, two.ID, nil)), "rename of V1": second(c.RenameVPCLink(ctx, one.ID, nil)), "delete of V2": c.DeleteVPCLink(ctx, apigw.LinkV1, two.ID),
	} {
		if apigw.KindOf(err) != apigw.KindNotFound {
			t.Errorf("%s: got %v", name, err)
		}
	}
	in := made[apigw.Integration](t)(c.CreateIntegration(ctx, api, apigw.Integration{
		IntegrationType: apigw.IntegrationHTTPProxy, IntegrationMethod: "POST", IntegrationURI: "http://backend/", ConnectionType: "VPC_LINK", ConnectionID: one.ID,
	}))
	want := fmt.Sprintf("Cannot delete vpc link. Vpc link '%s', is referenced in [%s:%s]", one.ID, in.IntegrationID, api)
	if err := c.DeleteVPCLink(ctx, apigw.LinkV1, one.ID); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %q", err, want)
	}
	if err := c.DeleteIntegration(ctx, api, in.IntegrationID); err != nil {
		t.Fatal(err)
	}
	for v, id := range map[apigw.VPCLinkVersion]string{apigw.LinkV1: one.ID, apigw.LinkV2: two.ID} {
		if err := c.DeleteVPCLink(ctx, v, id); err != nil {
			t.Error(err)
		}
	}
	for i := range apigw.QuotaVPCLinks + 1 {
		_, err := c.CreateVPCLink(ctx, apigw.VPCLink{Version: apigw.LinkV1, Name: "x", TargetARNs: []string{"http://10.0.0.7:80"}})
		if (i == apigw.QuotaVPCLinks) != (apigw.KindOf(err) == apigw.KindQuotaExceeded) {
			t.Errorf("link %d: %v", i, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestNodeTags(t *testing.T) {
	c, _ := newControl(t)
	ctx := t.Context()
	tags := map[string]string{"a": "1", "b": "2"}
	for _, path := range []string{
		"/apikeys/" + made[apigw.APIKey](t)(c.CreateAPIKey(ctx, apigw.APIKey{Tags: tags})).ID,
		"/usageplans/" + made[apigw.UsagePlan](t)(c.CreateUsagePlan(ctx, apigw.UsagePlan{Name: "x", Tags: tags})).ID,
		"/vpclinks/" + made[apigw.VPCLink](t)(c.CreateVPCLink(ctx, apigw.VPCLink{Version: apigw.LinkV2, Name: "x", SubnetIDs: []string{"subnet-1"}, Tags: tags})).ID,
	} {
		if err := c.TagNode(ctx, path, map[string]string{"b": "3", "c": "4"}); err != nil {
			t.Fatal(err)
		}
		if err := c.UntagNode(ctx, path, []string{"a", "z"}); err != nil {
			t.Fatal(err)
		}
		if got := jsonOf(made[map[string]string](t)(c.NodeTags(ctx, path))); got != `{"b":"3","c":"4"}` {
			t.Errorf("%s: got %s", path, got)
		}
		if err := c.TagNode(ctx, path, map[string]string{"aws:x": "1"}); apigw.KindOf(err) != apigw.KindBadRequest {
			t.Errorf("%s: got %v", path, err)
		}
	}
	for _, path := range []string{"/apikeys/none", "/usageplans/none", "/vpclinks/none", "/restapis/x", "", "/vpclinks/a/b"} {
		_, err := c.NodeTags(ctx, path)
		if apigw.KindOf(err) != apigw.KindNotFound {
			t.Errorf("%s: got %v", path, err)
		}
		if err := c.TagNode(ctx, path, tags); apigw.KindOf(err) != apigw.KindNotFound {
			t.Errorf("%s: got %v", path, err)
		}
	}
}

// FuzzPatch: no patch operations make control panic, refused ones change nothing, and those done can be read again.
func FuzzPatch(f *testing.F) {
	for _, seed := range []string{
		`[{"op":"replace","path":"/quota/limit","value":"5"},{"op":"replace","path":"/quota/period","value":"DAY"}]`,
		`[{"op":"add","path":"/apiStages","value":"API:beta"},{"op":"replace","path":"/apiStages/API:beta/throttle/say/rateLimit","value":"1.5"}]`,
		`[{"op":"remove","path":"/apiStages","value":"API:prod"},{"op":"remove","path":"/throttle"}]`,
		`[{"op":"replace","path":"/apiStages/API:prod/throttle//burstLimit","value":"-1"}]`,
		`[{"op":"replace","path":"/enabled","value":"true"}]`,
		`[{"op":"remove","path":"/apiStages/API:prod/throttle/$connect"}]`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, api := newControl(t)
		var ops []control.PatchOperation
		if json.Unmarshal([]byte(strings.ReplaceAll(text, "API", string(api))), &ops) != nil {
			return
		}
		plan := made[apigw.UsagePlan](t)(c.CreateUsagePlan(t.Context(), apigw.UsagePlan{
			Name: "gold", Throttle: &apigw.ThrottleSettings{RateLimit: 1},
			APIStages: []apigw.UsagePlanStage{{APIID: api, Stage: "prod", Throttle: map[string]apigw.ThrottleSettings{"$connect": {RateLimit: 1}}}},
		}))
		key := made[apigw.APIKey](t)(c.CreateAPIKey(t.Context(), apigw.APIKey{Name: "a"}))
		want := jsonOf(plan)
		if got, err := c.UpdateUsagePlan(t.Context(), plan.ID, ops); err == nil {
			want = jsonOf(got)
		}
		if got := jsonOf(made[apigw.UsagePlan](t)(c.UsagePlan(t.Context(), plan.ID))); got != want {
			t.Errorf("plan: got %s, want %s", got, want)
		}
		want = jsonOf(key)
		if got, err := c.UpdateAPIKey(t.Context(), key.ID, ops); err == nil {
			want = jsonOf(got)
		}
		if got := jsonOf(made[apigw.APIKey](t)(c.APIKey(t.Context(), key.ID))); got != want {
			t.Errorf("key: got %s, want %s", got, want)
		}
	})
}

// BenchmarkUsageOperations is what operations cost with 5,000 API keys.
func BenchmarkUsageOperations(b *testing.B) {
	c, api := newControl(b)
	var file strings.Builder
	file.WriteString("Name,Key\n")
	for i := range 5000 {
		fmt.Fprintf(&file, "key%d,the-value-of-key-%07d\n", i, i)
	}
	ids, _, err := c.ImportAPIKeys(b.Context(), []byte(file.String()), true)
	if err != nil {
		b.Fatal(err)
	}
	plan := made[apigw.UsagePlan](b)(c.CreateUsagePlan(b.Context(), apigw.UsagePlan{Name: "gold", APIStages: []apigw.UsagePlanStage{{APIID: api, Stage: "prod"}}}))
	ops := map[string]func(i int) error{
		"UpdateAPIKey": func(i int) error {
			return second(c.UpdateAPIKey(b.Context(), ids[0], patchOps(b, fmt.Sprintf("replace /name n%d", i))))
		},
		"UpdateUsagePlan": func(i int) error {
			return second(c.UpdateUsagePlan(b.Context(), plan.ID, patchOps(b, fmt.Sprintf("replace /throttle/rateLimit %d", i))))
		},
		"APIKey":  func(int) error { return second(c.APIKey(b.Context(), ids[0])) },
		"APIKeys": func(int) error { return second(c.APIKeys(b.Context())) },
	}
	for _, name := range []string{"UpdateAPIKey", "UpdateUsagePlan", "APIKey", "APIKeys"} {
		b.Run(name, func(b *testing.B) {
			i := 0
			for b.Loop() {
				i++
				if err := ops[name](i); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
