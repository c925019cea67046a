package server

import (
	"context"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/store"
)

// loadedFunctions are functions and their published versions, ready to be run, and the aliases of versions.
type loadedFunctions struct {
	revision  store.Revision // store.Serving's FunctionsRevision
	settings  settings       // that went into them
	functions []apigw.Function
	aliases   []apigw.FunctionAlias
}

// functionsOf returns the functions to what is served: those of the last load, unless any of them has changed since.
func (n *node) functionsOf(ctx context.Context, serving *store.Serving, p settings) ([]apigw.Function, []apigw.FunctionAlias, error) {
	l := n.loaded
	if l == nil || l.revision != serving.FunctionsRevision || !reflect.DeepEqual(l.settings, p) {
		l = &loadedFunctions{revision: serving.FunctionsRevision, settings: p}
		var whole bool
		var err error
		if l.functions, l.aliases, whole, err = n.loadFunctions(ctx, p); err != nil {
			return nil, nil, err
		}
		n.loaded = nil
		if whole {
			n.loaded = l
		}
	}
	return l.functions, l.aliases, nil
}

// loadFunctions returns the functions that the store holds, and whether the code of all of them is there.
func (n *node) loadFunctions(ctx context.Context, p settings) (functions []apigw.Function, aliases []apigw.FunctionAlias, whole bool, err error) {
	trees, _, err := n.store.FunctionTrees(ctx)
	if err != nil {
		return nil, nil, false, err
	}
	whole = true
	add := func(f apigw.Function) {
		f, ok := n.runnable(ctx, f, p)
		functions, whole = append(functions, f), whole && ok
	}
	for _, t := range trees {
		add(t.Function)
		for _, v := range t.Versions {
			v.Concurrency = t.Function.Concurrency // which is all of a function's; here each version gets it
			add(v)
		}
		aliases = append(aliases, t.Aliases...)
	}
	return functions, aliases, whole, nil
}

// runnable is a function as workers run it: with its code unpacked, the variables of the node beneath its own, and without
// what workers do not see, so that they stay when that changes. It reports whether its code is there.
func (n *node) runnable(ctx context.Context, f apigw.Function, p settings) (_ apigw.Function, ok bool) {
	ok = true
	if f.CodeSHA256 != "" {
		dir, err := n.code.Dir(ctx, f.CodeSHA256)
		if err != nil {
			// The others are served on. Calls of this one fail, and name the folder that is not there.
			n.log.Error("the code of a function is not there", "function", f.QualifiedName(), "err", err)
			dir, ok = n.code.Path(f.CodeSHA256), false
		}
		f.CodeDir = dir
	}
	f.Environment = withDefaults(withDefaults(f.Environment, p.Environment), endpointVariables(p))
	if to := n.lambdaURL; to != "" && !names(f.Environment, n.functionEnv, "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_LAMBDA") {
		f.Environment = withDefaults(f.Environment, map[string]string{"AWS_ENDPOINT_URL_LAMBDA": to})
	}
	f.Tags, f.LastVersion = nil, 0
	return f, ok
}

// names tells whether a function's variables, or those that all of them inherit, have one of the names.
func names(own map[string]string, inherited []string, names ...string) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		return own[name] != "" || slices.ContainsFunc(inherited, func(kv string) bool {
			return strings.HasPrefix(kv, name+"=") && kv != name+"="
		})
	})
}

// retired is a function that left the definitions. It can still be called for a while: connections that leave with it
// are owed their $disconnect.
type retired struct {
	function apigw.Function
	at       time.Time
}

const retirement = 30 * time.Second // a little more than an integration's time-out

// withRetired adds to the functions of now those that left not long ago.
func (n *node) withRetired(now []apigw.Function, at time.Time) []apigw.Function {
	if n.retired == nil {
		n.retired = map[string]retired{}
	}
	for _, f := range n.current {
		n.retired[f.QualifiedName()] = retired{f, at}
	}
	for i := range now {
		delete(n.retired, now[i].QualifiedName())
	}
	maps.DeleteFunc(n.retired, func(_ string, r retired) bool { return at.Sub(r.at) > retirement })
	n.current = now
	all := slices.Clone(now)
	for _, r := range n.retired {
		all = append(all, r.function)
	}
	return all
}

// sweepEvery is how often code is looked for that no function uses any more.
const sweepEvery = 10 * time.Minute

// sweepCode removes uploaded code that no function uses any more, now and then until ctx ends.
func (n *node) sweepCode(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		trees, _, err := n.store.FunctionTrees(ctx)
		if err == nil {
			used := map[string]bool{}
			for _, t := range trees {
				used[t.Function.CodeSHA256] = true
				for i := range t.Versions {
					used[t.Versions[i].CodeSHA256] = true
				}
			}
			err = n.code.Sweep(used)
		}
		if err != nil && ctx.Err() == nil {
			n.log.Error("code that no function uses could not be removed", "err", err)
		}
	}
}
