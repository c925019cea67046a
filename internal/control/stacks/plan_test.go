package stacks_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"cleat/internal/apigw"
	"cleat/internal/cfn"
	"cleat/internal/control/stacks"
	"cleat/internal/store"
	"cleat/internal/store/storetest"
)

// dryRun plans a template and sees to it that nothing is changed.
func (w *world) dryRun(text string) []stacks.Change {
	w.tb.Helper()
	before, s := w.revision(), stack(w.tb, text)
	s.DryRun = true
	out, err := w.stacks.Apply(w.tb.Context(), s)
	if err != nil {
		w.tb.Fatal(err)
	}
	if after := w.revision(); after != before {
		w.tb.Errorf("a dry run changed the store: %d became %d", before, after)
	}
	return out.Changes
}

// shown is a plan in lines.
func shown(changes []stacks.Change) []string {
	var out []string
	for _, c := range changes {
		line := fmt.Sprintf("%s %s", c.Action, c.LogicalID)
		for _, p := range c.Properties {
			switch {
			case p.Secret:
				line += " " + p.Name
			case p.Name == "DeploymentId":
				line += " DeploymentId"
			default:
				line += fmt.Sprintf(" %s=%s>%s", p.Name, p.Old, p.New)
			}
		}
		out = append(out, line)
	}
	return out
}

// A plan names what a template changes, in its order, deletions last (spec control-plane §15, "Replacement on change").
func TestPlan(t *testing.T) {
	for name, c := range map[string]struct {
		before, after string
		want          []string
	}{
		"new": {"", shop, []string{"Create Api", "Create Mock", "Create Connect", "Create Say", "Create Stage"}},
		"the same": {
			chat, chat, nil,
		},
		"API": {shop, edit(t, shop, "Name: shop,", "Name: store, Description: All, Tags: {team: x},"), []string{"Update Api Description=>All Name=shop>store Tags.team=>x"}},
		"a route": {
			chat, edit(t, chat, "RouteKey: ping", "RouteKey: pong"),
			[]string{"Update PingRoute RouteKey=ping>pong", "Replace Deployment", "Update Stage DeploymentId"},
		},
		"a map": {
			chat, edit(t, chat, "ResponseTemplates: {\"200\": pong}", "ResponseTemplates: {\"200\": ping, \"201\": x}"),
			[]string{"Update PingResponse ResponseTemplates.200=pong>ping ResponseTemplates.201=>x", "Replace Deployment", "Update Stage DeploymentId"},
		},
		"a stage": {
			shop, edit(t, shop, "AutoDeploy: true", "AutoDeploy: true, StageVariables: {v: two}, DefaultRouteSettings: {ThrottlingRateLimit: 5}"),
			[]string{"Update Stage DefaultRouteSettings.ThrottlingRateLimit=>5 StageVariables.v=>two"},
		},
		"a stage of another name": {shop, edit(t, shop, "StageName: prod", "StageName: live"), []string{"Replace Stage StageName=prod>live"}},
		"a route response of another route": {
			chat, edit(t, edit(t, chat, "RouteId: !Ref PingRoute", "RouteId: !Ref DefaultRoute"), "RouteKey: $default,", "RouteKey: $default, RouteResponseSelectionExpression: $default,"),
			[]string{
				"Update DefaultRoute RouteResponseSelectionExpression=>$default", "Replace PingRouteResponse RouteId=" + idOf(t, chat, "PingRoute") + ">" + idOf(t, chat, "DefaultRoute"),
				"Replace Deployment", "Update Stage DeploymentId",
			},
		},
		"a function": {
			chat, edit(t, edit(t, edit(t, chat, `Timeout: "6"`, "Timeout: 7"), "PORT: 8000", "PORT: 9000, MORE: x"), "/srv/chat", "/srv/other"),
			[]string{"Update HelloLambdaFunction Code=/srv/chat>/srv/other Environment.MORE Environment.PORT Timeout=6>7"},
		},
		"where a function is written": {chat, edit(t, chat, "serverless.yml:12", "serverless.yml:13"), nil},
		"a function of another name": {
			chat, edit(t, chat, "Handler: src", "FunctionName: hello\n      Handler: src"),
			[]string{"Replace HelloLambdaFunction FunctionName=chat-dev-HelloLambdaFunction>hello", "Update Integration IntegrationUri=arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-west-1:123456789012:function:chat-dev-HelloLambdaFunction/invocations>arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-west-1:123456789012:function:hello/invocations", "Replace Deployment", "Update Stage DeploymentId"},
		},
		"keys": {
			shop + keys, edit(t, edit(t, shop+keys, "a-secret-of-the-partner", "another-secret-of-the-partner"), "BurstLimit: 20", "BurstLimit: 30"),
			[]string{"Replace Given Value", "Update Plan Throttle.BurstLimit=20>30"},
		},
		"domains": {
			withDomain, without(edit(t, withDomain, "ApiMappingKey: v1/chat", "ApiMappingKey: v2"), "RootMapping"),
			[]string{"Update KeyMapping ApiMappingKey=v1/chat>v2", "Delete RootMapping"},
		},
		"what leaves": {
			chat, without(edit(t, chat, "ConnectRoute, PingRoute]", "ConnectRoute]"), "Ping", "PingRoute", "PingRouteResponse", "PingResponse"),
			[]string{"Replace Deployment", "Update Stage DeploymentId", "Delete Ping", "Delete PingResponse", "Delete PingRoute", "Delete PingRouteResponse"},
		},
		"everything": {withDomain, "Resources: {}", []string{
			"Delete Api", "Delete ConnectRoute", "Delete DefaultRoute", "Delete Deployment", "Delete Domain", "Delete HelloLambdaFunction", "Delete Integration",
			"Delete KeyMapping", "Delete Ping", "Delete PingResponse", "Delete PingRoute", "Delete PingRouteResponse", "Delete RootMapping", "Delete Stage",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if c.before != "" {
				w.apply(c.before)
			}
			planned := w.dryRun(c.after)
			if got := shown(planned); !slices.Equal(got, c.want) {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
			if done := w.apply(c.after).Changes; !reflect.DeepEqual(done, planned) {
				t.Errorf("done %q, planned %q", shown(done), shown(planned))
			}
			before := w.revision()
			if again := w.apply(c.after).Changes; len(again) != 0 || w.revision() != before {
				t.Errorf("applied again it changes %q, at %d rather than %d", shown(again), w.revision(), before)
			}
		})
	}
}

// idOf is the physical ID of a resource of a template that is applied as chat-dev.
func idOf(t *testing.T, text, logicalID string) string {
	t.Helper()
	for _, c := range newWorld(t).apply(text).Changes {
		if c.LogicalID == logicalID {
			return c.PhysicalID
		}
	}
	t.Fatalf("no %s", logicalID)
	return ""
}

func TestPlanNamesTypesAndIDs(t *testing.T) {
	w := newWorld(t)
	w.apply(withDomain)
	api := string(w.published().API.APIID)
	got := map[string][2]string{}
	for _, c := range w.dryRun("Resources: {}") {
		got[c.LogicalID] = [2]string{c.Type, c.PhysicalID}
	}
	for id, want := range map[string][2]string{
		"Api": {"AWS::ApiGatewayV2::Api", api}, "Stage": {"AWS::ApiGatewayV2::Stage", "dev"}, "Domain": {"AWS::ApiGatewayV2::DomainName", "chat.example.com"},
		"HelloLambdaFunction": {"AWS::Lambda::Function", "chat-dev-HelloLambdaFunction"},
	} {
		if got[id] != want {
			t.Errorf("%s: got %v, want %v", id, got[id], want)
		}
	}
	if got["KeyMapping"][0] != "AWS::ApiGatewayV2::ApiMapping" || len(got["KeyMapping"][1]) != 7 {
		t.Errorf("mapping %v", got["KeyMapping"])
	}
}

// What somebody changed by hand is in the plan, and put back.
func TestDrift(t *testing.T) {
	w := newWorld(t)
	w.apply(chat)
	api := w.published().API.APIID
	tree, err := w.control.API(t.Context(), api)
	if err != nil {
		t.Fatal(err)
	}
	var batch store.Batch
	for _, r := range tree.Routes {
		if r.RouteKey == "$default" {
			r.OperationName = "by hand"
			store.Put(&batch, store.Routes(api).Key(r.RouteID), r, store.Expect{})
		}
	}
	stage := tree.Stages[0]
	stage.StageVariables = map[string]string{"colour": "blue", "more": "x"}
	store.Put(&batch, store.Stages(api).Key("dev"), stage, store.Expect{})
	for _, r := range tree.RouteResponses {
		store.Delete(&batch, store.RouteResponses(api).Key(r.RouteResponseID), store.Expect{})
	}
	if _, err := w.store.Commit(t.Context(), &batch); err != nil {
		t.Fatal(err)
	}
	want := []string{"Update DefaultRoute OperationName=by hand>", "Create PingRouteResponse", "Update Stage StageVariables.colour=blue>red StageVariables.more=x>"}
	if got := shown(w.dryRun(chat)); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	w.apply(chat)
	if got := w.published(); !reflect.DeepEqual(got.Stage.StageVariables, map[string]string{"colour": "red"}) {
		t.Errorf("the stage is %+v", got.Stage)
	}
	if got := w.dryRun(chat); len(got) != 0 {
		t.Errorf("still to do: %q", shown(got))
	}

	if err := w.control.DeleteAPI(t.Context(), api); err != nil {
		t.Fatal(err)
	}
	if got := w.apply(chat).Changes; len(got) < 9 || got[0].Action != stacks.ActionCreate || got[0].PhysicalID != string(api) {
		t.Errorf("after the API was deleted by hand: %q", shown(got))
	}
}

// What the data plane cannot serve is refused before anything is committed.
func TestCheck(t *testing.T) {
	w := newWorld(t)
	w.apply(chat)
	before := w.revision()
	s := stack(t, edit(t, chat, "RouteKey: ping", "RouteKey: pong"))
	var asked []string
	s.Check = func(serving store.Serving) error {
		for _, p := range serving.Stages {
			decoded := storetest.Decode(t, p)
			asked = append(asked, p.Stage.StageName+": "+decoded.RouteKeys())
		}
		return errors.New("one\ntwo")
	}
	_, err := w.stacks.Apply(t.Context(), s)
	var faults cfn.Faults
	if !errors.As(err, &faults) || len(faults) != 2 || faults[0].Message != "the node cannot serve this: one" {
		t.Errorf("got %v", err)
	}
	if want := []string{"dev: $connect $default pong"}; !slices.Equal(asked, want) {
		t.Errorf("asked for %q, want %q", asked, want)
	}
	if w.revision() != before {
		t.Error("it was committed all the same")
	}
	s.DryRun = true
	if _, err := w.stacks.Apply(t.Context(), s); err == nil {
		t.Error("a dry run passes")
	}
}

// A change that the node fails to serve after the commit is taken back, all of it.
func TestUndo(t *testing.T) {
	w := newWorld(t)
	w.apply(withDomain)
	entries, _, err := w.driver.List(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	broken, settled := errors.New("no function code"), 0
	s := stack(t, without(edit(t, edit(t, withDomain, "RouteKey: ping", "RouteKey: pong"), "Timeout: \"6\"", "Timeout: 9"), "RootMapping"))
	s.Settle = func(context.Context) error {
		settled++
		if settled == 1 {
			if got := w.published().RouteKeys(); got != "$connect $default pong" { //nolint:contextcheck // the test's context will do
				t.Errorf("while it settles: %s", got)
			}
			return broken
		}
		return nil
	}
	_, err = w.stacks.Apply(t.Context(), s)
	var undone *stacks.UndoneError
	if !errors.As(err, &undone) || !errors.Is(err, broken) || undone.Undo != nil || !strings.Contains(err.Error(), "taken back") {
		t.Errorf("got %v", err)
	}
	if settled != 2 {
		t.Errorf("settled %d times, want once for the change and once for its end", settled)
	}
	after, _, err := w.driver.List(t.Context(), "")
	if err != nil || len(after) != len(entries) {
		t.Fatalf("%d entries, %v, want the former %d", len(after), err, len(entries))
	}
	for i := range after {
		if after[i].Key != entries[i].Key || string(after[i].Value) != string(entries[i].Value) {
			t.Errorf("%s is %s, was %s: %s", after[i].Key, after[i].Value, entries[i].Key, entries[i].Value)
		}
	}
	if got := w.dryRun(withDomain); len(got) != 0 {
		t.Errorf("to do after it: %q", shown(got))
	}
}

// Two stacks that were to become one are two again, each with the record that it had.
func TestUndoOfTwo(t *testing.T) {
	w := newWorld(t)
	w.apply(chat)
	s := stack(t, "Resources: {Table: {Type: 'AWS::DynamoDB::Table', Properties: {KeySchema: [], AttributeDefinitions: []}}, Plan: {Type: 'AWS::ApiGateway::UsagePlan'}}")
	s.Name = "talk-dev"
	if _, err := w.stacks.Apply(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	before := contents(t, w)
	s.Former, s.Template = "chat-dev", template(t, chat)
	first := true
	s.Settle = func(context.Context) error {
		defer func() { first = false }()
		if first {
			return errors.New("no")
		}
		return nil
	}
	_, err := w.stacks.Apply(t.Context(), s)
	if undone, ok := errors.AsType[*stacks.UndoneError](err); !ok || undone.Undo != nil {
		t.Errorf("got %v", err)
	}
	if got := contents(t, w); got != before {
		t.Errorf("got\n%s\nwant\n%s", got, before)
	}
}

// Of a new stack nothing is left, not even its record.
func TestUndoOfTheFirst(t *testing.T) {
	w := newWorld(t)
	s := stack(t, chat)
	s.Settle = func(context.Context) error { return errors.New("no") }
	_, err := w.stacks.Apply(t.Context(), s)
	var undone *stacks.UndoneError
	if !errors.As(err, &undone) || undone.Undo == nil { // Settle fails for the former state too
		t.Errorf("got %v", err)
	}
	if all, _, err := w.driver.List(t.Context(), ""); err != nil || len(all) != 0 {
		t.Errorf("left: %v, %v", all, err)
	}
}

// What somebody else has changed since the commit is not overwritten.
func TestUndoGivesWay(t *testing.T) {
	w := newWorld(t)
	w.apply(chat)
	s := stack(t, edit(t, chat, "colour: red", "colour: blue"))
	s.Settle = func(ctx context.Context) error {
		p := w.published() //nolint:contextcheck // the test's context will do
		p.Stage.Description = "by somebody else"
		var b store.Batch
		store.Put(&b, store.Stages(p.API.APIID).Key("dev"), *p.Stage, store.Expect{})
		if _, err := w.store.Commit(ctx, &b); err != nil {
			t.Error(err)
		}
		return errors.New("no")
	}
	_, err := w.stacks.Apply(t.Context(), s)
	var undone *stacks.UndoneError
	if !errors.As(err, &undone) || !errors.Is(undone.Undo, store.ErrConflict) {
		t.Errorf("got %v", err)
	}
	if got := w.published().Stage; got.Description != "by somebody else" || got.StageVariables["colour"] != "blue" {
		t.Errorf("the stage is %+v", got)
	}
}

// Settle is called only where something was committed.
func TestSettleOfNothing(t *testing.T) {
	w := newWorld(t)
	w.apply(chat)
	s := stack(t, chat)
	s.Settle = func(context.Context) error { return errors.New("called") }
	if _, err := w.stacks.Apply(t.Context(), s); err != nil {
		t.Error(err)
	}
	s = stack(t, edit(t, chat, "colour: red", "colour: blue"))
	s.DryRun = true
	s.Settle = func(context.Context) error { return errors.New("called") }
	if _, err := w.stacks.Apply(t.Context(), s); err != nil {
		t.Error(err)
	}
}

func TestStacks(t *testing.T) {
	w := newWorld(t)
	w.apply(withDomain + "\nConditions: {No: !Equals [a, b]}\nOutputs:\n  Url: {Value: !Sub '${Api.ApiEndpoint}/${Stage}', Description: where}\n  Not: {Condition: No, Value: x}\n  Bad: {Value: !GetAtt Table.Nothing}\n")
	api := w.published().API
	names, err := w.stacks.Names(t.Context())
	if err != nil || !slices.Equal(names, []string{"chat-dev"}) {
		t.Errorf("stacks %v, %v", names, err)
	}
	d, err := w.stacks.Describe(t.Context(), "chat-dev")
	if err != nil {
		t.Fatal(err)
	}
	want := stacks.Resource{LogicalID: "Api", Type: "AWS::ApiGatewayV2::Api", PhysicalID: string(api.APIID)}
	if len(d.Resources) != 14 || d.Resources[0] != want {
		t.Errorf("%d resources, the first %+v, want %+v", len(d.Resources), d.Resources[0], want)
	}
	if want := []store.StackOutput{{Key: "Url", Value: api.APIEndpoint + "/dev", Description: "where"}}; !reflect.DeepEqual(d.Outputs, want) {
		t.Errorf("outputs %+v, want %+v", d.Outputs, want)
	}
	if want := []stacks.Stage{{APIID: api.APIID, Stage: "dev"}}; !slices.Equal(d.Stages, want) {
		t.Errorf("stages %+v", d.Stages)
	}
	if _, err := w.stacks.Describe(t.Context(), "other"); apigw.KindOf(err) != apigw.KindNotFound {
		t.Errorf("an unknown stack: %v", err)
	}
}

func TestDeleteStack(t *testing.T) {
	w := newWorld(t)
	w.apply(withDomain)
	out, err := w.stacks.Delete(t.Context(), stacks.Stack{Name: "chat-dev", DryRun: true})
	if err != nil || len(out.Changes) != 14 {
		t.Errorf("planned %q, %v", shown(out.Changes), err)
	}
	if _, err := w.stacks.Describe(t.Context(), "chat-dev"); err != nil {
		t.Error("a dry run deletes")
	}
	if _, err := w.stacks.Delete(t.Context(), stacks.Stack{Name: "chat-dev"}); err != nil {
		t.Fatal(err)
	}
	if all, _, err := w.driver.List(t.Context(), ""); err != nil || len(all) != 0 {
		t.Errorf("left: %v, %v", all, err)
	}
	if _, err := w.stacks.Delete(t.Context(), stacks.Stack{Name: "chat-dev"}); apigw.KindOf(err) != apigw.KindNotFound {
		t.Errorf("twice: %v", err)
	}
}

// A stack that others depend on stays, and the answer says who.
func TestDeleteStackOfOthers(t *testing.T) {
	api := idOf(t, chat, "Api")
	for name, c := range map[string]struct{ stack, other, want string }{
		"a route in its API": {
			chat, fmt.Sprintf("Resources:\n  More: {Type: 'AWS::ApiGatewayV2::Route', Properties: {ApiId: %s, RouteKey: more}}\n", api),
			"Api (" + api + ") cannot be deleted: More of stack other is in it",
		},
		"a usage plan": {
			chat, fmt.Sprintf("Resources:\n  Plan: {Type: 'AWS::ApiGateway::UsagePlan', Properties: {UsagePlanName: gold, ApiStages: [{ApiId: %s, Stage: dev}]}}\n", api),
			"cannot be deleted: usage plan gold (",
		},
		"an API mapping": {
			chat, fmt.Sprintf("Resources:\n  M: {Type: 'AWS::ApiGatewayV2::ApiMapping', Properties: {ApiId: %s, Stage: dev, DomainName: x.example.com}}\n", api),
			"Please remove all API mappings for the API",
		},
		"a key of its plan": {
			shop + keys, fmt.Sprintf("Resources:\n  K: {Type: 'AWS::ApiGateway::ApiKey', Properties: {Enabled: true}}\n  P: {Type: 'AWS::ApiGateway::UsagePlanKey', Properties: {KeyId: !Ref K, KeyType: API_KEY, UsagePlanId: %s}}\n", idOf(t, shop+keys, "Plan")),
			"Plan cannot be deleted: API key ",
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.apply(c.stack)
			if _, err := w.stacks.Apply(t.Context(), stacks.Stack{Name: "other", Template: template(t, c.other), Region: "eu-west-1"}); err != nil {
				t.Fatal(err)
			}
			before := w.revision()
			_, err := w.stacks.Delete(t.Context(), stacks.Stack{Name: "chat-dev"})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
			if w.revision() != before {
				t.Error("something was deleted")
			}
			if _, err := w.stacks.Delete(t.Context(), stacks.Stack{Name: "other"}); err != nil {
				t.Errorf("the other: %v", err)
			}
			if _, err := w.stacks.Delete(t.Context(), stacks.Stack{Name: "chat-dev"}); err != nil {
				t.Errorf("without the other: %v", err)
			}
		})
	}
}

// Two stacks cannot own one resource.
func TestOneOwner(t *testing.T) {
	w := newWorld(t)
	w.apply(withDomain)
	api := string(w.published().API.APIID)
	for name, text := range map[string]string{
		"domain name": "Resources:\n  D: {Type: 'AWS::ApiGatewayV2::DomainName', Properties: {DomainName: chat.example.com, DomainNameConfigurations: [{EndpointType: REGIONAL}]}}\n",
		"stage":       "Resources:\n  S: {Type: 'AWS::ApiGatewayV2::Stage', Properties: {ApiId: " + api + ", StageName: dev}}\n",
	} {
		_, err := w.stacks.Apply(t.Context(), stacks.Stack{Name: "other", Template: template(t, text), Region: "eu-west-1"})
		if err == nil || !strings.Contains(err.Error(), "t.yaml:2: ") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// Functions of a template from elsewhere name uploaded code (spec lambda §4).
func TestUploadedCode(t *testing.T) {
	sha := strings.Repeat("0a", 32)
	function := func(code string) string {
		return "Resources:\n  F:\n    Type: AWS::Lambda::Function\n    Properties: {FunctionName: f, Runtime: nodejs20.x, Handler: a.b, Code: " + code + ", Environment: {Variables: {A: own}}}\n"
	}
	for name, c := range map[string]struct{ code, want string }{
		"uploaded":    {"{CleatSHA256: " + sha + "}", ""},
		"not there":   {"{CleatSHA256: " + strings.Repeat("1", 64) + "}", "has not been uploaded"},
		"no hash":     {"{CleatSHA256: ABC}", "must be the SHA-256 of a zip file"},
		"a folder":    {"{LocalPath: /etc}", "must be uploaded"},
		"both":        {"{LocalPath: /etc, CleatSHA256: " + sha + "}", "only one of them"},
		"left in AWS": {"{S3Bucket: b, S3Key: k}", ""},
	} {
		w := newWorld(t)
		s := stack(t, function(c.code))
		s.HasCode = func(asked string) bool { return asked == sha }
		s.Environment = map[string]string{"A": "of all", "B": "of all"}
		out, err := w.stacks.Apply(t.Context(), s)
		switch {
		case c.want == "" && err != nil, c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "t.yaml:4: ")):
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		case name == "uploaded":
			f := out.Functions[0]
			if f.CodeSHA256 != sha || f.CodeDir != "" || !reflect.DeepEqual(f.Environment, map[string]string{"A": "own", "B": "of all"}) {
				t.Errorf("function %+v", f)
			}
		}
	}
}
