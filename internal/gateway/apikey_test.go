package gateway_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/awsapi"
	"cleat/internal/store"
)

const goldKey = "gold-key-0123456789ab"

// keyed is an API whose $connect wants an API key, with a key in a plan.
func keyed(plan apigw.UsagePlan) store.Serving {
	s := api{routes: map[string]string{"$connect": "hello", "say": "say", "$disconnect": "bye"}, twoWay: []string{"say"}}.serving(1)
	def := definition(s)
	for i := range def.Routes {
		def.Routes[i].APIKeyRequired = def.Routes[i].RouteKey == apigw.RouteConnect
	}
	plan.ID, plan.APIStages = "plan1", []apigw.UsagePlanStage{{APIID: apiID, Stage: "prod", Throttle: map[string]apigw.ThrottleSettings{"free": {}}}}
	s.APIKeys = []apigw.APIKey{{ID: "key1", Value: goldKey, Enabled: true}, {ID: "key2", Value: "iron-key-0123456789ab"}}
	s.UsagePlans = []apigw.UsagePlan{plan}
	s.UsagePlanKeys = []apigw.UsagePlanKey{{ID: "key1", UsagePlanID: "plan1"}, {ID: "key2", UsagePlanID: "plan1"}}
	return s
}

// A route with apiKeyRequired lets in who shows a key that a plan allows here (spec data-plane §2 step 7 and table,
// control-plane §14).
func TestAPIKey(t *testing.T) {
	for name, tc := range map[string]struct {
		header http.Header
		want   int
	}{
		"the key":           {http.Header{"X-Api-Key": {goldKey}}, 101},
		"in other letters":  {http.Header{"x-API-key": {goldKey}}, 101},
		"no key":            {nil, 403},
		"an unknown key":    {http.Header{"X-Api-Key": {"nobody-has-this-key-0"}}, 403},
		"a key that is off": {http.Header{"X-Api-Key": {"iron-key-0123456789ab"}}, 403},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBubble(t, keyed(apigw.UsagePlan{}), wide())
				b.functions.returns("say", `{"body":"ok"}`)
				ws, res := b.dial(t, tc.header)
				if tc.want != 101 {
					wantRefusal(t, name, res, 403, "ForbiddenException", "Forbidden")
					if n := b.functions.count("hello"); n != 0 {
						t.Errorf("$connect ran %d times", n)
					}
					if r := <-b.records; r.Err == nil || r.ResponseType != "INVALID_API_KEY" || strings.Contains(r.Err.Error(), "key-0") {
						t.Errorf("the log says %v; want a reason without the key", r)
					}
					return
				}
				if ws == nil {
					t.Fatalf("refused with %d", res.StatusCode)
				}
				say(t, ws, `{"action":"say"}`)
				if got := hear(t, ws); got != "ok" {
					t.Errorf("a message: got %s", got)
				}
				_ = ws.Close()
				for _, function := range []string{"hello", "say", "bye"} {
					identity, _ := requestContext(t, b.functions.await(t, function))["identity"].(map[string]any)
					if identity["apiKey"] != goldKey || identity["apiKeyId"] != "key1" {
						t.Errorf("%s: identity %v", function, identity)
					}
				}
				r := <-b.records
				if v, _ := r.Event.Context.Lookup("identity.apiKeyId"); v != "key1" {
					t.Errorf("$context.identity.apiKeyId is %q", v)
				}
			})
		})
	}
}

// The authorizer's answer holds the key where the API's expression says so, and only there; without apiKeyRequired a key
// is of no account (spec data-plane §4.2, events-and-integrations §3).
func TestAPIKeySelection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := keyed(apigw.UsagePlan{Quota: &apigw.QuotaSettings{Limit: 1, Period: apigw.QuotaDay}})
		def := definition(s)
		def.APIKeySelectionExpression = "$context.authorizer.usageIdentifierKey"
		def.Authorizers = []apigw.Authorizer{{
			AuthorizerID: "auth", Name: "gate", AuthorizerType: "REQUEST",
			AuthorizerURI: awsapi.LambdaURI("eu-west-1", awsapi.FunctionARN("eu-west-1", awsapi.DefaultAccount, "gate")),
		}}
		for i := range def.Routes {
			if r := &def.Routes[i]; r.RouteKey == apigw.RouteConnect {
				r.AuthorizationType, r.AuthorizerID = apigw.AuthorizationCustom, "auth"
			}
		}
		b := newBubble(t, s, wide())
		b.functions.returns("gate", allow("*", ""))
		if _, res := b.dial(t, http.Header{"X-Api-Key": {goldKey}}); res.StatusCode != 403 {
			t.Errorf("the header counts though the expression names the authorizer: got %d", res.StatusCode)
		}
		b.functions.returns("gate", allow("*", `,"usageIdentifierKey":"`+goldKey+`"`))
		b.open(t, nil)
		identity, _ := requestContext(t, b.functions.await(t, "hello"))["identity"].(map[string]any)
		if identity["apiKey"] != goldKey || identity["apiKeyId"] != "key1" {
			t.Errorf("the authorizer's key: identity %v", identity)
		}
		if _, res := b.dial(t, nil); res.StatusCode != 429 {
			t.Errorf("once more than the quota: got %d", res.StatusCode)
		}
		open := api{routes: map[string]string{"$connect": "hello"}}.serving(2)
		open.APIKeys, open.UsagePlans, open.UsagePlanKeys = s.APIKeys, s.UsagePlans, s.UsagePlanKeys
		if err := b.Swap(open); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			b.open(t, http.Header{"X-Api-Key": {goldKey}})
		}
	})
}

// Connects and messages count against the key's plan (spec data-plane §4.3 step 4 and §6, open-questions 38).
func TestUsagePlan(t *testing.T) {
	key := http.Header{"X-Api-Key": {goldKey}}
	for name, tc := range map[string]struct {
		plan             apigw.UsagePlan
		errType, message string
		later            time.Duration // when it is allowed again
	}{
		"quota":    {apigw.UsagePlan{Quota: &apigw.QuotaSettings{Limit: 2, Period: apigw.QuotaDay}}, "LimitExceededException", "Limit Exceeded", 24 * time.Hour},
		"throttle": {apigw.UsagePlan{Throttle: &apigw.ThrottleSettings{RateLimit: 0.1, BurstLimit: 2}}, "TooManyRequestsException", "Too Many Requests", 10 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				limits := wide()
				limits.IdleTimeout, limits.MaxDuration = 0, 0
				b := newBubble(t, keyed(tc.plan), limits)
				b.functions.returns("say", `{"body":"ok"}`)
				ws := b.open(t, key)
				say(t, ws, `{"action":"say"}`)
				if got := hear(t, ws); got != "ok" {
					t.Errorf("the second request: got %s", got)
				}
				say(t, ws, `{"action":"say"}`)
				if got := hear(t, ws); !strings.HasPrefix(got, `{"message": "`+tc.message+`", "connectionId":"`) {
					t.Errorf("the third request: got %s", got)
				}
				_, res := b.dial(t, key)
				wantRefusal(t, "a connect", res, 429, tc.errType, tc.message)

				if err := b.Swap(keyed(tc.plan)); err != nil {
					t.Fatal(err)
				}
				say(t, ws, `{"action":"say"}`)
				if got := hear(t, ws); !strings.HasPrefix(got, `{"message": "`+tc.message) {
					t.Errorf("after a reload that changes nothing: got %s", got)
				}
				time.Sleep(tc.later)
				say(t, ws, `{"action":"say"}`)
				if got := hear(t, ws); got != "ok" {
					t.Errorf("%v later: got %s", tc.later, got)
				}
			})
		})
	}
}

// What happens to its key has no effect on an open connection (spec data-plane §3).
func TestOpenConnectionKeepsItsKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := keyed(apigw.UsagePlan{})
		b := newBubble(t, s, wide())
		b.functions.returns("say", `{"body":"ok"}`)
		ws := b.open(t, http.Header{"X-Api-Key": {goldKey}})
		s.APIKeys, s.UsagePlans, s.UsagePlanKeys = nil, nil, nil
		if err := b.Swap(s); err != nil {
			t.Fatal(err)
		}
		say(t, ws, `{"action":"say"}`)
		if got := hear(t, ws); got != "ok" {
			t.Errorf("got %s", got)
		}
		if _, res := b.dial(t, http.Header{"X-Api-Key": {goldKey}}); res.StatusCode != 403 {
			t.Errorf("a new connection with the deleted key: got %d", res.StatusCode)
		}
	})
}
