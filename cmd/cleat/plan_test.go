package main

import (
	"strings"
	"testing"

	"cleat/internal/awsclient"
	"cleat/internal/cfn"
	"cleat/internal/control/stacks"
	"cleat/internal/controlapi/stackapi"
)

// A plan shows what happens to each resource, no secrets, and nothing that steers a terminal.
func TestShowPlan(t *testing.T) {
	client, err := awsclient.New(awsclient.Options{Endpoint: "http://127.0.0.1:3002"})
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	a := &applying{p: &process{stdout: &out}, node: &remote{client: client}}
	a.showPlan(stackapi.Result{Name: "chat-dev", Changes: []stacks.Change{
		{Action: stacks.ActionCreate, LogicalID: "Api", Type: "AWS::ApiGatewayV2::Api", PhysicalID: "a1b2c3d4e5"},
		{Action: stacks.ActionUpdate, LogicalID: "Say", Type: "AWS::Lambda::Function", PhysicalID: "say", Properties: []stacks.PropertyChange{
			{Name: "Code", Old: strings.Repeat("a", 64), New: strings.Repeat("b", 64)}, {Name: "Environment.KEY", Secret: true}, {Name: "Timeout", New: "6"},
		}},
		{Action: stacks.ActionReplace, LogicalID: "Stage", Type: "AWS::ApiGatewayV2::Stage", PhysicalID: "live", Properties: []stacks.PropertyChange{
			{Name: "Description", Old: "two\nlines", New: "\x1b[31m" + strings.Repeat("x", 100)},
		}},
		{Action: stacks.ActionDelete, LogicalID: "Old", Type: "AWS::ApiGatewayV2::Route", PhysicalID: "r1"},
	}})
	want := `Stack chat-dev on http://127.0.0.1:3002

  + Api    AWS::ApiGatewayV2::Api
  ~ Say    AWS::Lambda::Function  say
        Code: aaaaaaaaaaaa → bbbbbbbbbbbb
        Environment.KEY: (not shown)
        Timeout: (none) → 6
-/+ Stage  AWS::ApiGatewayV2::Stage  live
        Description: two↵lines → �[31m` + strings.Repeat("x", 54) + `…
  - Old    AWS::ApiGatewayV2::Route  r1

  1 to create, 1 to update, 1 to replace, 1 to delete
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

// Functions of one folder share their code; the template names it, and is left as it was.
func TestPackFunctions(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, dir+"/app.js", "exports.handler = async () => ({});")
	writeFile(t, dir+"/docs.md", "text")
	text := `
Resources:
  One: {Type: "AWS::Lambda::Function", Properties: {Handler: app.handler, Code: {LocalPath: DIR}}}
  Two: {Type: "AWS::Lambda::Function", Properties: {Handler: app.handler, Code: {LocalPath: DIR}}}
  Less: {Type: "AWS::Lambda::Function", Metadata: {cleat: {Patterns: ["!*.md"]}}, Properties: {Handler: app.handler, Code: {LocalPath: DIR}}}
  Away: {Type: "AWS::Lambda::Function", Properties: {Code: {S3Bucket: b, S3Key: k}}}
  Table: {Type: "AWS::DynamoDB::Table", Properties: {Code: {LocalPath: DIR}}}
`
	v, err := cfn.Parse("t.yaml", []byte(strings.ReplaceAll(text, "DIR", dir)))
	if err != nil {
		t.Fatal(err)
	}
	before := string(v.AppendJSON(nil))
	got, packages, err := packFunctions(v)
	if err != nil || len(packages) != 2 || strings.Join(packages[0].functions, " ") != "One Two" || packages[0].Files != 2 || packages[1].Files != 1 {
		t.Fatalf("packages %+v, %v", packages, err)
	}
	sha := func(id string) string { return got.Path("Resources", id, "Properties", "Code", "CleatSHA256").Str() }
	if sha("One") != packages[0].SHA256 || sha("Two") != sha("One") || sha("Less") != packages[1].SHA256 || sha("Away") != "" || sha("Table") != "" {
		t.Errorf("got %s", got.AppendJSON(nil))
	}
	if got.Path("Resources", "One", "Properties", "Code", "LocalPath") != nil || string(v.AppendJSON(nil)) != before {
		t.Error("the folder is still named, or the template was changed")
	}
	bad, err := cfn.Parse("t.yaml", []byte(strings.ReplaceAll(text, "DIR", dir+"/none")))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := packFunctions(bad); err == nil || !strings.Contains(err.Error(), "t.yaml:3: function One: pack ") {
		t.Errorf("got %v", err)
	}
}
