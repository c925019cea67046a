package jsonpath

import (
	"errors"
	"math"
)

// ErrTooMuch says that an evaluation would visit more than MaxVisits values.
var ErrTooMuch = errors.New("the JSONPath visits too many values; use fewer .. and filters")

// MaxVisits is how many values one evaluation visits at most: it bounds paths such as $..*..*, whose work grows with
// a power of the document's size.
const MaxVisits = 500_000

// Eval follows the path from root. found is false when a definite path leads nowhere; an indefinite path always finds
// an *Array, whose items are those of the document. It takes one from left for each value that it visits, but not more
// than MaxVisits. The error is ErrTooMuch.
func (p *Path) Eval(root any, left *int) (v any, found bool, err error) {
	most := min(*left, MaxVisits)
	rest := most
	if p.definiteSteps() { // as most paths do, it needs no evaluation, which would be an allocation
		v, found = p.follow(root, &rest)
	} else {
		e := evaluation{root: root, left: most}
		v, found = e.path(p, root)
		rest = e.left
	}
	*left -= most - max(rest, 0)
	if rest < 0 {
		return nil, false, ErrTooMuch
	}
	return v, found, nil
}

// follow follows a path of definite steps. It takes one from left for each.
func (p *Path) follow(v any, left *int) (any, bool) {
	for i := range p.steps {
		*left--
		var found bool
		if v, found = below(&p.steps[i], v); !found {
			return nil, false
		}
	}
	return p.function.apply(v)
}

// evaluation is one Eval.
type evaluation struct {
	root any
	left int // visits
}

func (e *evaluation) step(n int) { e.left -= n }

// spent reports whether the work is over for want of visits; what is found from then on counts for nothing.
func (e *evaluation) spent() bool { return e.left < 0 }

func (e *evaluation) path(p *Path, from any) (any, bool) {
	if p.definiteSteps() {
		return p.follow(from, &e.left)
	}
	c := collector{e: e}
	c.walk(from, p.steps)
	return p.function.apply(&Array{Items: c.items})
}

// operand evaluates one side of a comparison.
func (e *evaluation) operand(o operand, current any) (any, bool) {
	switch {
	case o.path == nil:
		return o.literal, true
	case e.spent():
		return nil, false
	case o.path.relative:
		return e.path(o.path, current)
	}
	return e.path(o.path, e.root)
}

// below takes one definite step.
func below(s *step, v any) (any, bool) {
	switch v := v.(type) {
	case *Object:
		switch s.kind {
		case stepName:
			return v.Get(s.name)
		case stepNames:
			return only(v, s.names), true
		default: // lists alone have what the others ask for
		}
	case *Array:
		if s.kind == stepIndex {
			i := s.index
			if i < 0 {
				i += len(v.Items)
			}
			if i >= 0 && i < len(v.Items) {
				return v.Items[i], true
			}
		}
	}
	return nil, false
}

// only is an object of those members that are named.
func only(o *Object, names []string) *Object {
	out := new(Object)
	for _, name := range names {
		if v, ok := o.Get(name); ok {
			out.Set(name, v)
		}
	}
	return out
}

// collector gathers what an indefinite path leads to.
type collector struct {
	e     *evaluation
	items []any
	depth int
}

func (c *collector) walk(v any, steps []step) {
	if c.e.step(1); c.e.spent() {
		return
	}
	if c.depth++; c.depth > MaxDepth+maxSteps { // an object that holds itself
		c.e.left = -1
	}
	defer func() { c.depth-- }()
	if len(steps) == 0 {
		c.items = append(c.items, v)
		return
	}
	s, rest := &steps[0], steps[1:]
	c.take(s, v, rest)
	if !s.deep {
		return
	}
	switch v := v.(type) { // what is below comes after the value itself
	case *Object:
		for _, m := range v.members {
			c.deeper(m.Value, steps)
		}
	case *Array:
		for _, item := range v.Items {
			c.deeper(item, steps)
		}
	}
}

// deeper walks into what can hold something.
func (c *collector) deeper(v any, steps []step) {
	switch v.(type) {
	case *Object, *Array:
		c.walk(v, steps)
	}
}

// take takes one step from v, and the rest from where it leads.
func (c *collector) take(s *step, v any, rest []step) {
	switch v := v.(type) {
	case *Object:
		switch s.kind {
		case stepWildcard:
			for _, m := range v.members {
				c.walk(m.Value, rest)
			}
		case stepNames:
			c.takeNames(s, v, rest)
		case stepFilter:
			if s.filter.holds(c.e, v) {
				c.walk(v, rest)
			}
		case stepName:
			if next, ok := v.Get(s.name); ok {
				c.walk(next, rest)
			}
		default: // lists alone have indexes
		}
	case *Array:
		switch s.kind {
		case stepWildcard:
			for _, item := range v.Items {
				c.walk(item, rest)
			}
		case stepFilter:
			if s.deep {
				return // Jayway asks each object that the scan comes to, not the items of lists
			}
			for _, item := range v.Items {
				if c.e.step(1); c.e.spent() {
					return
				}
				if s.filter.holds(c.e, item) {
					c.walk(item, rest)
				}
			}
		case stepSlice:
			from, to := s.bounds(len(v.Items))
			for i := from; i < to; i++ {
				c.walk(v.Items[i], rest)
			}
		case stepIndices:
			for _, i := range s.indices {
				if next, ok := below(&step{kind: stepIndex, index: i}, v); ok {
					c.walk(next, rest)
				}
			}
		case stepIndex:
			if next, ok := below(s, v); ok {
				c.walk(next, rest)
			}
		case stepName, stepNames: // lists have no members
		}
	}
}

// takeNames goes to several members: at the end of a path they make one object, else each is followed.
func (c *collector) takeNames(s *step, o *Object, rest []step) {
	if len(rest) > 0 {
		for _, name := range s.names {
			if next, ok := o.Get(name); ok {
				c.walk(next, rest)
			}
		}
		return
	}
	found := only(o, s.names)
	if !s.deep || found.Len() == len(s.names) {
		c.walk(found, nil)
	}
}

// bounds of a slice in a list of n items.
func (s *step) bounds(n int) (from, to int) {
	place := func(i *int, missing int) int {
		if i == nil {
			return missing
		}
		if *i < 0 {
			return max(n+*i, 0)
		}
		return min(*i, n)
	}
	return place(s.from, 0), place(s.to, n)
}

// function is what may stand at the end of a path. On an indefinite path it works on the list of what was found.
type function uint8

const (
	noFunction function = iota
	functionLength
	functionMin
	functionMax
	functionAvg
	functionSum
)

var functions = map[string]function{
	"length": functionLength, "min": functionMin, "max": functionMax, "avg": functionAvg, "sum": functionSum,
}

// apply gives length an integer and the rest a float64. What has no length, and a list without numbers, gives nothing.
// No function gives the value as it is.
func (f function) apply(v any) (any, bool) {
	if f == noFunction {
		return v, true
	}
	if o, ok := v.(*Object); ok && f == functionLength {
		return Integer(int64(o.Len())), true
	}
	a, ok := v.(*Array)
	if !ok {
		return nil, false
	}
	if f == functionLength {
		return Integer(int64(len(a.Items))), true
	}
	count, sum, least, most := 0, 0.0, math.Inf(1), math.Inf(-1)
	for _, item := range a.Items {
		if n, ok := Float(item); ok {
			count++
			sum += n
			least, most = min(least, n), max(most, n)
		}
	}
	switch {
	case count == 0:
		return nil, false
	case f == functionMin:
		return least, true
	case f == functionMax:
		return most, true
	case f == functionAvg:
		return sum / float64(count), true
	}
	return sum, true
}
