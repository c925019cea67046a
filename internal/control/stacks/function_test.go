package stacks_test

import (
	"strings"
	"testing"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/control/functions"
)

const oneFunction = `
Resources:
  F:
    Type: AWS::Lambda::Function
    Properties: {FunctionName: f, Code: {LocalPath: /srv}, Handler: h.h, Runtime: nodejs22.x, Timeout: 5}
`

// What Lambda's API has added to a template's function stays when the template is applied again, and goes with it.
func TestFunctionsOfTemplates(t *testing.T) {
	w := newWorld(t)
	w.apply(oneFunction)
	api := functions.New(w.store, nil)
	if _, err := api.Publish(t.Context(), "f", "", functions.Publication{}); err != nil {
		t.Fatal(err)
	}
	if err := api.CreateAlias(t.Context(), "", apigw.FunctionAlias{Function: "f", Name: "live", Version: "1"}); err != nil {
		t.Fatal(err)
	}
	if err := api.Tag(t.Context(), "f", "", map[string]string{"a": "b"}, nil); err != nil {
		t.Fatal(err)
	}
	before := w.revision()
	w.apply(oneFunction)
	if after := w.revision(); after != before {
		t.Errorf("the same template changed the store: %d became %d", before, after)
	}
	w.apply(strings.Replace(oneFunction, "Timeout: 5", "Timeout: 6", 1))
	tree, err := w.store.FunctionTree(t.Context(), "f")
	if err != nil {
		t.Fatal(err)
	}
	if f := tree.Function; f.Timeout != 6*time.Second || f.LastVersion != 1 || f.Tags["a"] != "b" || len(tree.Versions) != 1 || len(tree.Aliases) != 1 {
		t.Errorf("got %+v", tree)
	}
	w.apply("Resources: {}")
	if trees, _, err := w.store.FunctionTrees(t.Context()); err != nil || len(trees) > 0 {
		t.Errorf("left: %+v, %v", trees, err)
	}
}

// Functions made by Lambda's API are nobody's: no template replaces or deletes one.
func TestFunctionsOfNobody(t *testing.T) {
	w := newWorld(t)
	made := apigw.Function{Name: "f", ARN: "arn", Runtime: "nodejs22.x", Handler: "h.h"}
	if _, err := functions.New(w.store, nil).Create(t.Context(), made, false); err != nil {
		t.Fatal(err)
	}
	if faults := w.refused(oneFunction); !strings.Contains(faults.Error(), "function f exists already and does not belong to stack chat-dev") {
		t.Errorf("got %v", faults)
	}
	w.apply("Resources: {}")
	if _, err := w.store.FunctionTree(t.Context(), "f"); err != nil {
		t.Error(err)
	}
}
