package backend

import (
	"context"
	"sync/atomic"

	"cleat/internal/awsapi"
	"cleat/internal/glob"
)

// Rule sends the functions whose name matches Pattern to Invoker. A pattern (package glob) is compared with the function's
// plain name and with the name as it was given, which may be an ARN.
type Rule struct {
	Pattern string
	Invoker awsapi.Invoker
}

// Functions is the Invoker of a node: it hands each call to the first rule that matches, or else to a default, which is
// the pool of local functions. All methods are safe for concurrent use.
type Functions struct {
	fallback awsapi.Invoker
	rules    atomic.Pointer[[]Rule] // never nil
}

var _ awsapi.Invoker = (*Functions)(nil)

// NewFunctions returns Functions without rules.
func NewFunctions(fallback awsapi.Invoker) *Functions {
	f := &Functions{fallback: fallback}
	f.rules.Store(&[]Rule{})
	return f
}

// Swap replaces the rules. Calls under way end where they began; Invokers that are no longer named and have a Close
// method are closed.
func (f *Functions) Swap(rules []Rule) {
	next := append([]Rule{}, rules...)
	old := *f.rules.Swap(&next)
	kept := make(map[awsapi.Invoker]bool, len(next))
	for _, r := range next {
		kept[r.Invoker] = true
	}
	for _, r := range old {
		if c, ok := r.Invoker.(interface{ Close() }); ok && !kept[r.Invoker] {
			c.Close()
		}
	}
}

// Invoke implements awsapi.Invoker.
func (f *Functions) Invoke(ctx context.Context, call awsapi.Invocation) (awsapi.InvocationResult, error) {
	rules := *f.rules.Load()
	if len(rules) > 0 {
		name := call.Function
		if parsed, err := awsapi.ParseFunctionName(name); err == nil {
			name = parsed.Name // what is no function's name the chosen Invoker refuses, in its words
		}
		for _, r := range rules {
			if glob.Match(r.Pattern, name) || glob.Match(r.Pattern, call.Function) {
				return r.Invoker.Invoke(ctx, call)
			}
		}
	}
	return f.fallback.Invoke(ctx, call)
}
