package vtl

import (
	"math"
	"math/big"
	"strconv"

	"cleat/internal/jsonpath"
)

// A value of a template is one of package jsonpath's, or one of those below. Nil is null, and what is not there.

// missing is what $input.path gives where it leads nowhere: it prints nothing and equals both null and "" (spec
// mapping-templates §4).
type missing struct{}

// iterator is what $list.iterator() gives.
type iterator struct {
	items []any
	next  int
}

// entry is one of $map.entrySet().
type entry struct {
	of   *jsonpath.Object
	name string
}

func (e *entry) value() any {
	v, _ := e.of.Get(e.name)
	return v
}

func undefined(v any) bool {
	_, none := v.(missing)
	return v == nil || none
}

func itoa(n int) string { return strconv.Itoa(n) }

func (l *literal) eval(*renderer) any { return l.value }

func (s *interpolated) eval(r *renderer) any {
	return r.capture(s.at, s.body)
}

func (l *listLiteral) eval(r *renderer) any {
	items := make([]any, len(l.items))
	for i, e := range l.items {
		items[i] = e.eval(r)
	}
	return newList(items)
}

// newList is a list of the template's own, as against one of a JSON document.
func newList(items []any) *jsonpath.Array { return &jsonpath.Array{Items: items, Java: true} }

// eval gives a list of integers, upwards or downwards; null when an end is no integer.
func (g *rangeLiteral) eval(r *renderer) any {
	from, ok := intOf(g.from.eval(r))
	to, ok2 := intOf(g.to.eval(r))
	if !ok || !ok2 {
		return nil
	}
	n, by := int64(to)-int64(from), int64(1)
	if n < 0 {
		n, by = -n, -1
	}
	if n >= maxSteps {
		r.fail(g.at, "a range of %d numbers; shorten it", n+1)
	}
	r.step(g.at, int(n)+1)
	items := make([]any, n+1)
	for i := range items {
		items[i] = jsonpath.Integer(int64(from) + int64(i)*by)
	}
	return newList(items)
}

func (m *mapLiteral) eval(r *renderer) any {
	o := new(jsonpath.Object)
	for i := range m.keys {
		key := r.string(m.at, m.keys[i].eval(r))
		o.Set(key, m.values[i].eval(r))
	}
	return o
}

func (n *notExpression) eval(r *renderer) any { return !r.holds(n.of) }

// holds reports whether a condition is true: all is but null, false, and where emptyStringIsFalse says so "" (spec
// mapping-templates §3, §8.3).
func (r *renderer) holds(e expression) bool {
	if l, ok := e.(*literal); ok && l.never {
		return false
	}
	switch v := e.eval(r).(type) {
	case nil, missing:
		return false
	case bool:
		return v
	case string:
		return v != "" || !emptyStringIsFalse
	}
	return true
}

func (b *binary) eval(r *renderer) any {
	r.step(b.at, 1)
	switch b.op {
	case opOr:
		return r.holds(b.left) || r.holds(b.right)
	case opAnd:
		return r.holds(b.left) && r.holds(b.right)
	default:
	}
	left, right := b.left.eval(r), b.right.eval(r)
	switch b.op {
	case opEqual:
		return r.equal(b.at, left, right)
	case opNotEqual:
		return !r.equal(b.at, left, right)
	case opLess, opLessEqual, opGreater, opGreaterEqual:
		return ordered(b.op, left, right)
	case opAdd:
		_, isText := left.(string)
		_, isText2 := right.(string)
		if isText || isText2 {
			text := r.string(b.at, left) + r.string(b.at, right)
			r.made(b.at, len(text))
			return text
		}
	default:
	}
	return r.arithmetic(b.at, b.op, left, right)
}

// equal compares numbers by value, values of one type as Java's equals does, and others by their text.
func (r *renderer) equal(at int, a, b any) bool {
	_, noA := a.(missing)
	_, noB := b.(missing)
	switch {
	case noA || noB:
		return (noA || a == nil || a == "") && (noB || b == nil || b == "")
	case a == nil || b == nil:
		return a == nil && b == nil
	}
	if order, ok := jsonpath.CompareNumbers(a, b); ok {
		return order == 0
	}
	if s, ok := a.(string); ok {
		if t, ok := b.(string); ok {
			r.step(at, len(s)/bytesRead)
			return s == t
		}
	}
	if sameKind(a, b) {
		return r.same(at, a, b)
	}
	return r.string(at, a) == r.string(at, b)
}

// same compares values of one kind.
func (r *renderer) same(at int, a, b any) bool {
	same := a == b || jsonpath.Equal(a, b, &r.left)
	r.step(at, 1)
	return same
}

func sameKind(a, b any) bool {
	switch a.(type) {
	case bool:
		_, ok := b.(bool)
		return ok
	case *jsonpath.Array:
		_, ok := b.(*jsonpath.Array)
		return ok
	case *jsonpath.Object:
		_, ok := b.(*jsonpath.Object)
		return ok
	}
	return a == b
}

// ordered compares numbers; of anything else nothing is less or greater.
func ordered(op operator, a, b any) bool {
	order, ok := jsonpath.CompareNumbers(a, b)
	if !ok {
		return false
	}
	switch op {
	case opLess:
		return order < 0
	case opLessEqual:
		return order <= 0
	case opGreater:
		return order > 0
	default:
		return order >= 0
	}
}

// arithmetic is null where an operand is no number, and where something is divided by zero.
func (r *renderer) arithmetic(at int, op operator, a, b any) any {
	x, isLong := jsonpath.Int64(a)
	y, isLong2 := jsonpath.Int64(b)
	if isLong && isLong2 {
		if n, ok := longArithmetic(op, x, y); ok {
			return n
		}
	}
	m, n := jsonpath.BigInt(a), jsonpath.BigInt(b)
	if m != nil && n != nil {
		return r.bigArithmetic(at, op, m, n)
	}
	f, ok := jsonpath.Float(a)
	g, ok2 := jsonpath.Float(b)
	if !ok || !ok2 {
		return nil
	}
	switch op {
	case opAdd:
		return f + g
	case opSubtract:
		return f - g
	case opMultiply:
		return f * g
	default:
	}
	if g == 0 {
		return nil
	}
	if op == opDivide {
		return f / g
	}
	return math.Mod(f, g)
}

// longArithmetic reports not ok where the result is no Long. Java's Integers grow into Longs.
func longArithmetic(op operator, x, y int64) (any, bool) {
	var n int64
	switch op {
	case opAdd:
		if n = x + y; y != 0 && (n > x) != (y > 0) {
			return nil, false
		}
	case opSubtract:
		if n = x - y; y != 0 && (n < x) != (y > 0) {
			return nil, false
		}
	case opMultiply:
		if n = x * y; x != 0 && (n/x != y || x == -1 && y == math.MinInt64) {
			return nil, false
		}
	case opDivide, opModulo:
		if y == 0 {
			return nil, true
		}
		if y == -1 { // the smallest Long has no counterpart
			if op == opModulo {
				return int32(0), true
			}
			return longArithmetic(opSubtract, 0, x)
		}
		if n = x / y; op == opModulo {
			n = x % y
		}
	default: // no other operator comes here
	}
	return jsonpath.Integer(n), true
}

func (r *renderer) bigArithmetic(at int, op operator, m, n *big.Int) any {
	out := new(big.Int)
	switch op {
	case opAdd:
		out.Add(m, n)
	case opSubtract:
		out.Sub(m, n)
	case opMultiply:
		out.Mul(m, n)
	default:
		if n.Sign() == 0 {
			return nil
		}
		if op == opDivide {
			out.Quo(m, n)
		} else {
			out.Rem(m, n)
		}
	}
	if out.BitLen() > maxBigBits {
		r.fail(at, "a number of more than %d bits", maxBigBits)
	}
	r.step(at, 1+out.BitLen()/64)
	return out
}

// intOf is a value as a Java int.
func intOf(v any) (int, bool) {
	n, ok := jsonpath.Int64(v)
	return int(n), ok && n >= math.MinInt32 && n <= math.MaxInt32
}

// index refuses one that is outside of a list of n elements.
func (r *renderer) index(at, i, n int) int {
	if i < 0 || i >= n {
		r.fail(at, "index %d of a list of %d; ask size() first", i, n)
	}
	return i
}

func (r *renderer) variable(slot int) any {
	if slot >= reservedSlots {
		return r.vars[slot]
	}
	if v := r.vars[slot]; v != nil {
		return v // a template may use these names for its own
	}
	switch slot {
	case slotInput:
		return r.in
	case slotContext:
		if r.context == nil {
			r.context = &r.own
			r.own.in = r.in
		}
		return r.context
	case slotUtil:
		return utilities{}
	case slotStageVariables:
		if r.variables == nil {
			r.variables = stageVariables(r.in)
		}
		return r.variables
	}
	if r.loop == nil {
		return nil
	}
	switch slot {
	case slotVelocityCount:
		return int32(r.loop.index + 1) //nolint:gosec // G115: at most maxIterations
	case slotVelocityHasNext:
		return r.loop.index+1 < len(r.loop.items)
	}
	return r.loop
}

func (f *reference) eval(r *renderer) any {
	r.step(f.at, 1)
	v := r.variable(f.slot)
	for i := range f.links {
		if v == nil {
			return nil
		}
		v = r.follow(v, &f.links[i])
	}
	return v
}

// follow takes one step of a reference. What leads nowhere is nil.
func (r *renderer) follow(v any, l *link) any {
	switch l.kind {
	case linkProperty:
		return r.property(l.at, v, l.name)
	case linkIndex:
		return r.element(l.at, v, l.args[0].eval(r))
	case linkCall:
	}
	base := len(r.args)
	for _, a := range l.args {
		arg := a.eval(r)
		r.args = append(r.args, arg)
	}
	out := r.callMethod(v, l, r.args[base:])
	clear(r.args[base:])
	r.args = r.args[:base]
	return out
}

// property is $v.name: a map's member, or what a getter gives.
func (r *renderer) property(at int, v any, name string) any {
	r.step(at, 1)
	switch v := v.(type) {
	case *jsonpath.Object:
		member, _ := v.Get(name)
		return member
	case *contextObject:
		return v.get(name)
	case *Input:
		if name == "body" {
			return v.Payload.Text()
		}
	case *loop:
		return v.property(name)
	case *entry:
		switch name {
		case "key":
			return v.name
		case "value":
			return v.value()
		}
	case string:
		if name == "empty" {
			return v == ""
		}
	case *jsonpath.Array:
		if name == "empty" {
			return len(v.Items) == 0
		}
	}
	return nil
}

// element is $v[key].
func (r *renderer) element(at int, v, key any) any {
	switch v := v.(type) {
	case *jsonpath.Array:
		i, ok := intOf(key)
		if !ok {
			return nil
		}
		if i < 0 {
			i += len(v.Items) // Velocity counts from the end
		}
		return v.Items[r.index(at, i, len(v.Items))]
	case *jsonpath.Object, *contextObject:
		return r.property(at, v, r.string(at, key))
	}
	return nil
}

func (l *loop) property(name string) any {
	switch name {
	case "count":
		return int32(l.index + 1) //nolint:gosec // G115: at most maxIterations
	case "index":
		return int32(l.index) //nolint:gosec // G115: at most maxIterations
	case "hasNext":
		return l.index+1 < len(l.items)
	case "first":
		return l.index == 0
	case "last":
		return l.index+1 == len(l.items)
	case "parent":
		if l.parent != nil {
			return l.parent
		}
	case "topmost":
		top := l
		for top.parent != nil {
			top = top.parent
		}
		return top
	}
	return nil
}
