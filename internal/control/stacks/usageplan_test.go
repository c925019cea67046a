package stacks_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/cfn"
	"cleat/internal/control/stacks"
	"cleat/internal/store"
)

// shop is an API whose clients need a key, without the keys.
const shop = `
Resources:
  Api: {Type: "AWS::ApiGatewayV2::Api", Properties: {Name: shop, ProtocolType: WEBSOCKET, RouteSelectionExpression: $request.body.action}}
  Mock: {Type: "AWS::ApiGatewayV2::Integration", Properties: {ApiId: !Ref Api, IntegrationType: MOCK, RequestTemplates: {"200": '{"statusCode": 200}'}, TemplateSelectionExpression: "200"}}
  Connect: {Type: "AWS::ApiGatewayV2::Route", Properties: {ApiId: !Ref Api, RouteKey: $connect, ApiKeyRequired: true, Target: !Sub "integrations/${Mock}"}}
  Say: {Type: "AWS::ApiGatewayV2::Route", Properties: {ApiId: !Ref Api, RouteKey: say, Target: !Sub "integrations/${Mock}"}}
  Stage: {Type: "AWS::ApiGatewayV2::Stage", Properties: {ApiId: !Ref Api, StageName: prod, AutoDeploy: true}}
`

// keys are its keys and plans.
const keys = `
  Given: {Type: "AWS::ApiGateway::ApiKey", Properties: {Name: partner, Value: a-secret-of-the-partner, Enabled: true, CustomerId: c1, Tags: [{Key: a, Value: b}]}}
  Made: {Type: "AWS::ApiGateway::ApiKey", Properties: {Enabled: true, GenerateDistinctId: true}}
  Plan:
    Type: AWS::ApiGateway::UsagePlan
    Properties:
      UsagePlanName: gold
      ApiStages: [{ApiId: !Ref Api, Stage: !Ref Stage, Throttle: {say: {RateLimit: 0.5, BurstLimit: "2"}}}]
      Throttle: {RateLimit: 10, BurstLimit: 20}
      Quota: {Limit: 1000, Period: WEEK, Offset: 1}
  GivenInPlan: {Type: "AWS::ApiGateway::UsagePlanKey", Properties: {KeyId: !Ref Given, KeyType: API_KEY, UsagePlanId: !Ref Plan}}
  MadeInPlan: {Type: "AWS::ApiGateway::UsagePlanKey", Properties: {KeyId: !GetAtt Made.APIKeyId, KeyType: API_KEY, UsagePlanId: !GetAtt Plan.Id}}
`

func (w *world) serving() store.Serving {
	w.tb.Helper()
	s, err := w.store.Serving(w.tb.Context())
	if err != nil {
		w.tb.Fatal(err)
	}
	return s
}

// API keys and usage plans of a template (spec control-plane §14 and §15).
func TestUsagePlans(t *testing.T) {
	w := newWorld(t)
	out := w.apply(shop + keys)
	if len(out.Warnings) != 0 || len(out.LeftAlone) != 0 {
		t.Errorf("warnings %v, left alone %v", out.Warnings, out.LeftAlone)
	}
	s := w.serving()
	if len(s.APIKeys) != 2 || len(s.UsagePlans) != 1 || len(s.UsagePlanKeys) != 2 {
		t.Fatalf("got %+v", s)
	}
	if len(out.APIKeys) != 2 || out.APIKeys[0].Name != "partner" || out.APIKeys[0].Generated || !out.APIKeys[1].Generated || out.APIKeys[1].Name != "chat-dev-Made" {
		t.Errorf("outcome %+v", out.APIKeys)
	}
	for _, k := range s.APIKeys {
		switch {
		case len(k.ID) != 10 || !k.Enabled || k.CreatedDate.IsZero() || k.LastUpdatedDate.IsZero():
			t.Errorf("key %+v", k)
		case k.Name == "partner" && (k.Value != "a-secret-of-the-partner" || k.CustomerID != "c1"):
			t.Errorf("key %+v", k)
		case k.Name != "partner" && !regexp.MustCompile(`^[a-z0-9]{40}$`).MatchString(k.Value):
			t.Errorf("generated value %q", k.Value)
		}
	}
	p := s.UsagePlans[0]
	say := apigw.ThrottleSettings{RateLimit: 0.5, BurstLimit: 2}
	if p.Name != "gold" || *p.Throttle != (apigw.ThrottleSettings{RateLimit: 10, BurstLimit: 20}) || *p.Quota != (apigw.QuotaSettings{Limit: 1000, Period: apigw.QuotaWeek, Offset: 1}) ||
		len(p.APIStages) != 1 || p.APIStages[0].APIID != s.Stages[0].API.APIID || p.APIStages[0].Stage != "prod" || p.APIStages[0].Throttle["say"] != say {
		t.Errorf("plan %+v", p)
	}
	for _, k := range s.UsagePlanKeys {
		if k.UsagePlanID != p.ID || k.Type != "API_KEY" {
			t.Errorf("key in plan %+v", k)
		}
	}

	// The same again changes nothing; the generated value stays as long as the store.
	before, value := w.revision(), out.APIKeys[1].Value
	if again := w.apply(shop + keys); w.revision() != before || again.APIKeys[1].Value != value {
		t.Errorf("revision %d became %d, value %q became %q", before, w.revision(), value, again.APIKeys[1].Value)
	}
	// What the template no longer has goes.
	w.apply(shop + strings.ReplaceAll(strings.Split(keys, "  MadeInPlan:")[0], "gold", "silver"))
	if s := w.serving(); len(s.APIKeys) != 2 || len(s.UsagePlanKeys) != 1 || s.UsagePlans[0].Name != "silver" {
		t.Errorf("after a change: %+v", s)
	}
	w.apply(shop)
	if s := w.serving(); len(s.APIKeys)+len(s.UsagePlans)+len(s.UsagePlanKeys) != 0 {
		t.Errorf("after the deletion: %+v", s)
	}
}

// A seed makes the same values in another store, and another seed others.
func TestKeySeed(t *testing.T) {
	value := func(seed string) string {
		s := stack(t, shop+keys)
		s.KeySeed = seed
		out, err := newWorld(t).stacks.Apply(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		return out.APIKeys[1].Value
	}
	one := value("one")
	if len(one) != 40 || value("one") != one {
		t.Errorf("%q and then %q", one, value("one"))
	}
	for _, other := range []string{"two", ""} {
		if v := value(other); v == one || len(v) != 40 {
			t.Errorf("seed %q: %q", other, v)
		}
	}
	if first, second := value(""), value(""); first == second {
		t.Error("two values without a seed are the same")
	}
}

func TestUsagePlanFaults(t *testing.T) {
	for name, tc := range map[string]struct{ old, with, want string }{
		"short value":          {"a-secret-of-the-partner", "short", "Given: API Key value should be at least 20 characters"},
		"long value":           {"a-secret-of-the-partner", strings.Repeat("x", 129), "Given: API Key value exceeds maximum size of 128 characters"},
		"value with a blank":   {"a-secret-of-the-partner", `"a secret of the partner"`, "characters that no header carries"},
		"value taken":          {"{Enabled: true, GenerateDistinctId", "{Value: a-secret-of-the-partner, Enabled: true, GenerateDistinctId", "Made: API Key already exists"},
		"unknown property":     {"CustomerId", "Customer", "Given: extraneous key [Customer] is not permitted"},
		"no such stage":        {"Stage: !Ref Stage", "Stage: beta", "Plan: API Stage not found: "},
		"no such API":          {"ApiId: !Ref Api, Stage: !Ref", "ApiId: nowhere, Stage: !Ref", "Plan: API Stage not found: nowhere:prod"},
		"negative rate":        {"RateLimit: 10", "RateLimit: -10", "Plan: a throttling limit must not be negative"},
		"negative route rate":  {"RateLimit: 0.5", "RateLimit: -0.5", "Plan: a throttling limit must not be negative"},
		"no period":            {"Period: WEEK, ", "", "Plan: Quota.Period must be one of [DAY, WEEK, MONTH]"},
		"no limit":             {"Limit: 1000, ", "", "Plan: Quota.Limit must be a whole number from 1"},
		"offset of a week":     {"Offset: 1", "Offset: 7", "Plan: Quota.Offset, the day on which a week begins, must be from 0 to 6"},
		"offset of a day":      {"Period: WEEK", "Period: DAY", "Plan: Quota.Offset, the day on which a day begins, must be from 0 to 0"},
		"not a number":         {"Limit: 1000", "Limit: many", "Plan: Quota.Limit must be a whole number"},
		"stage twice":          {"ApiStages: [", "ApiStages: [{ApiId: !Ref Api, Stage: prod}, ", "is in the plan twice"},
		"key type":             {"KeyId: !Ref Given, KeyType: API_KEY", "KeyId: !Ref Given, KeyType: KEY", "GivenInPlan: Invalid key type"},
		"unknown key":          {"KeyId: !Ref Given", "KeyId: none", "GivenInPlan: Invalid API Key identifier specified none"},
		"unknown plan":         {"UsagePlanId: !Ref Plan", "UsagePlanId: none", "GivenInPlan: Invalid Usage Plan ID specified none"},
		"twice in the plan":    {"KeyId: !GetAtt Made.APIKeyId", "KeyId: !Ref Given", "is in the usage plan already"},
		"unknown attribute":    {"!GetAtt Made.APIKeyId", "!GetAtt Made.Value", "has no attribute Value"},
		"two plans of a stage": {"  Plan:", "  Two: {Type: AWS::ApiGateway::UsagePlan, Properties: {ApiStages: [{ApiId: !Ref Api, Stage: prod}]}}\n  InTwo: {Type: AWS::ApiGateway::UsagePlanKey, Properties: {KeyId: !Ref Given, KeyType: API_KEY, UsagePlanId: !Ref Two}}\n  Plan:", "has a stage in common"},
	} {
		t.Run(name, func(t *testing.T) {
			if !strings.Contains(keys, tc.old) {
				t.Fatalf("%q is not in the template", tc.old)
			}
			faults := newWorld(t).refused(shop + strings.Replace(keys, tc.old, tc.with, 1))
			if !slices.ContainsFunc(faults, func(f cfn.Fault) bool { return strings.Contains(f.Message, tc.want) && f.Place.Line > 8 }) {
				t.Errorf("got %v, want %q", faults, tc.want)
			}
		})
	}
}

// A key of another stack may be put into a plan; its value may not be had again.
func TestKeysOfAnotherStack(t *testing.T) {
	w := newWorld(t)
	first := w.apply(shop + keys)
	other := stacks.Stack{Name: "other", Template: template(t, "Resources: {K: {Type: AWS::ApiGateway::ApiKey, Properties: {Value: a-secret-of-the-partner}}}")}
	if _, err := w.stacks.Apply(t.Context(), other); err == nil || !strings.Contains(err.Error(), "API Key already exists") {
		t.Errorf("the same value in another stack: %v", err)
	}
	other.Template = template(t, "Resources:\n  P: {Type: AWS::ApiGateway::UsagePlan}\n  K: {Type: AWS::ApiGateway::UsagePlanKey, Properties: {KeyType: API_KEY, UsagePlanId: !Ref P, KeyId: "+first.APIKeys[0].ID+"}}\n")
	if _, err := w.stacks.Apply(t.Context(), other); err != nil {
		t.Errorf("a key of another stack: %v", err)
	}
	if s := w.serving(); len(s.UsagePlans) != 2 || len(s.UsagePlanKeys) != 3 {
		t.Errorf("got %+v", s)
	}
	w.apply(shop + keys) // leaves the other's alone
	if s := w.serving(); len(s.UsagePlans) != 2 || len(s.UsagePlanKeys) != 3 {
		t.Errorf("after the first again: %+v", s)
	}
}

// What REST APIs in the same template have is left alone.
func TestRESTUsagePlansAreLeftAlone(t *testing.T) {
	w := newWorld(t)
	out := w.apply(shop + keys + `
  Rest: {Type: "AWS::ApiGateway::RestApi", Properties: {Name: rest}}
  RestPlan: {Type: "AWS::ApiGateway::UsagePlan", Properties: {ApiStages: [{ApiId: !Ref Rest, Stage: v1}]}}
  RestKey: {Type: "AWS::ApiGateway::UsagePlanKey", Properties: {KeyId: !Ref Given, KeyType: API_KEY, UsagePlanId: !Ref RestPlan}}
`)
	want := []string{"AWS::ApiGateway::RestApi", "AWS::ApiGateway::UsagePlan", "AWS::ApiGateway::UsagePlanKey"}
	if !slices.Equal(out.LeftAlone, want) || len(w.serving().UsagePlans) != 1 {
		t.Errorf("left alone %v, want %v; %d plans", out.LeftAlone, want, len(w.serving().UsagePlans))
	}
}

func TestUsagePlanWarnings(t *testing.T) {
	for name, tc := range map[string]struct {
		template string
		want     []string
	}{
		"nobody has a key":  {shop, []string{"t.yaml:7: stage prod lets in only who has an API key, and there is no usage plan for it with a key: nobody gets in"}},
		"a key that is off": {shop + strings.Replace(keys, "Enabled: true, Cust", "Cust", 1), []string{"t.yaml:9: API key Given is off"}},
		"in no plan":        {shop + strings.Split(keys, "  MadeInPlan:")[0], []string{"t.yaml:10: API key Made is in no usage plan: it opens nothing"}},
		"stage keys":        {shop + strings.Replace(keys, "CustomerId", "StageKeys: [], CustomerId", 1), []string{"t.yaml:9: Given: StageKeys is obsolete"}},
		"no such route":     {shop + strings.Replace(keys, "{say:", "{tell:", 1), []string{"t.yaml:15: Plan: there is no route tell: its throttle has no effect"}},
		"not on $connect":   {strings.Replace(shop, "RouteKey: say,", "RouteKey: say, ApiKeyRequired: true,", 1) + keys, []string{"t.yaml:6: Say: an API key is asked for on $connect only"}},
	} {
		t.Run(name, func(t *testing.T) { checkWarnings(t, newWorld(t).apply(tc.template), tc.want) })
	}
}

// Dates say when a key was made and last changed.
func TestKeyDates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.apply(shop + keys)
		made := w.serving().APIKeys
		time.Sleep(time.Minute)
		w.apply(shop + strings.Replace(keys, "CustomerId: c1", "CustomerId: c2", 1))
		for i, k := range w.serving().APIKeys {
			if !k.CreatedDate.Equal(made[i].CreatedDate) || k.LastUpdatedDate.After(made[i].LastUpdatedDate) != (k.Name == "partner") {
				t.Errorf("%s: %v, %v became %v, %v", k.Name, made[i].CreatedDate, made[i].LastUpdatedDate, k.CreatedDate, k.LastUpdatedDate)
			}
		}
	})
}
