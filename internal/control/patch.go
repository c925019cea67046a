package control

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"cleat/internal/draft"
)

// PatchOperation is one change of a resource of the v1 API, in the manner of RFC 6902; values are always texts (spec
// control-plane §14).
type PatchOperation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value string `json:"value"`
	From  string `json:"from"`
}

// maxPatches bounds the operations of one request.
const maxPatches = 1000

// patches are the paths of a resource that may be changed. One that ends in "/*" stands for all below it.
type patches map[string]struct {
	ops string // that are allowed on it, with blanks between
	do  func(p *draft.Problems, op PatchOperation)
}

// patch carries out operations up to the first that is refused, whose problem it returns.
func patch(ops []PatchOperation, allowed patches) draft.Problems {
	var p draft.Problems
	if len(ops) > maxPatches {
		p.Bad("patchOperations", "more than %d patch operations", maxPatches)
	}
	for _, op := range ops {
		if len(p) > 0 {
			return p
		}
		if !slices.Contains([]string{"add", "remove", "replace", "move", "copy", "test"}, op.Op) {
			p.Bad("patchOperations", "Invalid patch operation specified. Must be one of [add, remove, replace]")
			return p
		}
		a, ok := allowed[op.Path]
		for path, below := range allowed {
			if prefix, all := strings.CutSuffix(path, "*"); all && strings.HasPrefix(op.Path, prefix) {
				a, ok = below, true
			}
		}
		if !ok || !slices.Contains(strings.Fields(a.ops), op.Op) {
			badPath(&p, op, allowed)
			return p
		}
		a.do(&p, op)
	}
	return p
}

// badPath refuses an operation on a path that does not take it.
func badPath(p *draft.Problems, op PatchOperation, allowed patches) {
	var paths []string
	for _, path := range slices.Sorted(maps.Keys(allowed)) {
		if slices.Contains(strings.Fields(allowed[path].ops), op.Op) {
			paths = append(paths, path)
		}
	}
	p.Bad("patchOperations", "Invalid patch path '%.256s' specified for op '%s'. Must be one of: [%s]", op.Path, op.Op, strings.Join(paths, ", "))
}

func badValue(p *draft.Problems, op PatchOperation, want string) {
	p.Bad("patchOperations", "Invalid value '%.256s' specified for path '%.256s': want %s", op.Value, op.Path, want)
}

// integer reads the value of an operation.
func integer(p *draft.Problems, op PatchOperation, into *int) {
	n, err := strconv.ParseInt(op.Value, 10, 32)
	if err != nil {
		badValue(p, op, "a whole number")
		return
	}
	*into = int(n)
}

// number reads the value of an operation.
func number(p *draft.Problems, op PatchOperation, into *float64) {
	f, err := strconv.ParseFloat(op.Value, 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		badValue(p, op, "a number")
		return
	}
	*into = f
}

// unescape reads one name of a path (RFC 6901 §4).
var unescape = strings.NewReplacer("~1", "/", "~0", "~").Replace
