package jsonpath

import "math/big"

// Equal reports whether two values are the same JSON: numbers by value, objects whatever the order of their members. It
// takes one from left for each value that it visits, and gives up, with false, when that is used up: a value that holds
// others several times over, or itself, is as large as one likes.
func Equal(a, b any, left *int) bool { return equal(a, b, left, MaxDepth) }

func equal(a, b any, left *int, depth int) bool {
	if *left--; *left < 0 || depth == 0 {
		return false
	}
	switch x := a.(type) {
	case *Array:
		y, ok := b.(*Array)
		if !ok || len(x.Items) != len(y.Items) {
			return false
		}
		for i := range x.Items {
			if !equal(x.Items[i], y.Items[i], left, depth-1) {
				return false
			}
		}
		return true
	case *Object:
		y, ok := b.(*Object)
		if !ok || x.Len() != y.Len() {
			return false
		}
		for _, m := range x.members {
			other, has := y.Get(m.Name)
			if !has || !equal(m.Value, other, left, depth-1) {
				return false
			}
		}
		return true
	case *big.Int, int32, int64, float64, Decimal:
		order, ok := CompareNumbers(a, b)
		return ok && order == 0
	case nil, bool, string:
		switch b.(type) {
		case nil, bool, string:
			return a == b
		}
	}
	return false
}
