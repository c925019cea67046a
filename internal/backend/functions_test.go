package backend_test

import (
	"context"
	"testing"

	"cleat/internal/awsapi"
	"cleat/internal/backend"
)

// named is an Invoker that answers with its own name.
type named struct {
	name   string
	closed int
}

func (n *named) Invoke(context.Context, awsapi.Invocation) (awsapi.InvocationResult, error) {
	return awsapi.InvocationResult{Payload: []byte(n.name)}, nil
}

func (n *named) Close() { n.closed++ }

func TestFunctions(t *testing.T) {
	local, one, two := &named{name: "local"}, &named{name: "one"}, &named{name: "two"}
	f := backend.NewFunctions(local)
	call := func(function string) string {
		t.Helper()
		out, err := f.Invoke(t.Context(), awsapi.Invocation{Function: function})
		if err != nil {
			t.Fatal(err)
		}
		return string(out.Payload)
	}
	if got := call("a"); got != "local" {
		t.Errorf("without rules: %s", got)
	}
	f.Swap([]backend.Rule{{"app-*-send", one}, {"app-*", two}, {"exact", one}, {"q?", one}, {"arn:*:999999999999:*", one}})
	tests := map[string]string{
		"app-dev-send": "one", "app-dev-sends": "two", "app-": "two", "ap": "local", "exact": "one", "exactly": "local", "": "local",
		"q": "local", "q1": "one", "q12": "local",
		"arn:aws:lambda:eu-west-1:123456789012:function:app-x-send:live": "one",
		"arn:aws:lambda:eu-west-1:999999999999:function:other":           "one",
		"123456789012:function:app-y":                                    "two",
		"not a function":                                                 "local",
	}
	for function, want := range tests {
		if got := call(function); got != want {
			t.Errorf("%q went to %s, want %s", function, got, want)
		}
	}
	f.Swap([]backend.Rule{{"*", two}})
	if got := call("exact"); got != "two" {
		t.Errorf("after the swap: %s", got)
	}
	if one.closed == 0 || two.closed != 0 || local.closed != 0 {
		t.Errorf("closed: %d, %d, %d; want the one that is gone only", one.closed, two.closed, local.closed)
	}
}
