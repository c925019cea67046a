package gateway_test

import (
	"strings"
	"testing"

	"cleat/internal/apigw"
	"cleat/internal/gateway"
	"cleat/internal/store"
)

// modelled is an API whose routes "order" and $default validate messages.
func modelled(change func(*apigw.Definition)) store.Serving {
	p := api{routes: map[string]string{"order": "orders", "free": "free", "$default": "any"}, twoWay: []string{"order", "free", "$default"}}.serving(2)
	def := definition(p)
	def.Models = []apigw.Model{
		{ModelID: "m1", Name: "Order", Schema: `{"type":"object","required":["price"],"properties":{"price":{"$ref":"https://apigateway.amazonaws.com/restapis/` + apiID + `/models/Price"}}}`},
		{ModelID: "m2", Name: "Price", Schema: `{"type":"number"}`},
		{ModelID: "m3", Name: "Text", Schema: `{"properties":{"kind":{"enum":["text"]},"text":{"maxLength":3}},"required":["text"]}`},
	}
	for i := range def.Routes {
		switch r := &def.Routes[i]; r.RouteKey {
		case "order":
			r.ModelSelectionExpression, r.RequestModels = "$default", map[string]string{"$default": "Order"}
		case "$default":
			r.ModelSelectionExpression, r.RequestModels = "$request.body.kind", map[string]string{"text": "Text"}
		}
	}
	if change != nil {
		change(def)
	}
	return p
}

// Spec events-and-integrations §9: which model a message is held to, and what becomes of one that it objects to.
func TestModelValidation(t *testing.T) {
	n := newTestNode(t, api{}, apigw.LimitsAWS())
	if err := n.Swap(modelled(nil)); err != nil {
		t.Fatal(err)
	}
	for _, f := range []string{"orders", "free", "any"} {
		n.functions.returns(f, `{"body":"`+f+`"}`)
	}
	ws := n.open(t)
	<-n.records
	for _, tt := range []struct{ say, want, why string }{
		{`{"action":"order","price":1.5}`, "orders", ""},
		{`{"action":"order"}`, "", `[object has missing required properties (["price"])]`},
		{`{"action":"order","price":"1"}`, "", `[instance type (string) does not match any allowed primitive type (allowed: ["integer","number"])]`},
		{`{"action":"free","anything":[]}`, "free", ""},
		{`{"kind":"text","text":"abc"}`, "any", ""},
		{`{"kind":"text","text":"abcd"}`, "", `[string "abcd" is too long (length: 4, maximum allowed: 3)]`},
		{`{"kind":"other","text":"abc"}`, "", `[no model is selected by $request.body.kind = "other"]`},
		{`no JSON`, "", `[no model is selected by $request.body.kind = ""]`},
	} {
		say(t, ws, tt.say)
		got, rec := hear(t, ws), <-n.records
		if tt.want != "" {
			if got != tt.want || rec.ValidationError != "" {
				t.Errorf("%s: got %s (%s), want %s", tt.say, got, rec.ValidationError, tt.want)
			}
			continue
		}
		if !strings.HasPrefix(got, `{"message": "Invalid request body", "connectionId":"`) || rec.ValidationError != tt.why || rec.Status != 400 || rec.Integration.Taken || !strings.HasSuffix(rec.Err.Error(), tt.why) || strings.Contains(tt.want, "model ") {
			t.Errorf("%s: got %s, recorded %d %s, want %s", tt.say, got, rec.Status, rec.ValidationError, tt.why)
		}
	}
	if got := n.functions.count("orders") + n.functions.count("any"); got != 2 {
		t.Errorf("integrations were called %d times, want 2", got)
	}
}

// The $default key takes messages that select no other model; and what switches validation off.
func TestModelSelection(t *testing.T) {
	route := func(def *apigw.Definition) *apigw.Route {
		for i := range def.Routes {
			if def.Routes[i].RouteKey == apigw.RouteDefault {
				return &def.Routes[i]
			}
		}
		return nil
	}
	for name, tt := range map[string]struct {
		change func(*apigw.Definition)
		say    string
		valid  bool
	}{
		"$default key":            {func(def *apigw.Definition) { route(def).RequestModels["$default"] = "Order" }, `{"kind":"x","price":1}`, true},
		"$default key, objecting": {func(def *apigw.Definition) { route(def).RequestModels["$default"] = "Order" }, `{"kind":"x"}`, false},
		"no JSON":                 {func(def *apigw.Definition) { route(def).RequestModels["$default"] = "Order" }, `x`, false},
		"no expression":           {func(def *apigw.Definition) { route(def).ModelSelectionExpression = "" }, `{"kind":"x"}`, true},
		"no models":               {func(def *apigw.Definition) { route(def).RequestModels = nil }, `{"kind":"x"}`, true},
		"switched off":            {func(def *apigw.Definition) { def.DisableSchemaValidation = true; def.Models[0].Schema = "{" }, `{"kind":"x"}`, true},
	} {
		t.Run(name, func(t *testing.T) {
			n := newTestNode(t, api{}, apigw.LimitsAWS())
			if err := n.Swap(modelled(tt.change)); err != nil {
				t.Fatal(err)
			}
			n.functions.returns("any", `{"body":"any"}`)
			ws := n.open(t)
			say(t, ws, tt.say)
			if got := hear(t, ws); (got == "any") != tt.valid {
				t.Errorf("got %s", got)
			}
		})
	}
}

func TestModelFaults(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*apigw.Definition)
		want   string
	}{
		"no such model": {func(def *apigw.Definition) { def.Models = def.Models[1:] }, `route order: model Order: there is no model "Order"`},
		"broken schema": {func(def *apigw.Definition) { def.Models[1].Schema = `{"type":"text"}` }, "route order: model Order: "},
		"expression": {func(def *apigw.Definition) {
			for i := range def.Routes {
				if def.Routes[i].RouteKey == "order" {
					def.Routes[i].ModelSelectionExpression = "$context.x"
				}
			}
		}, "route order: modelSelectionExpression"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := gateway.Compile(modelled(tt.change)); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want …%s…", err, tt.want)
			}
		})
	}
}
