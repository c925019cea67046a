package vtl

import (
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"cleat/internal/jsonpath"
)

// call is one call of a method. Its tables are all that values can do (spec mapping-templates §9): a name that is in
// none of them, or arguments that the method does not take, give null, as in Velocity.
type call struct {
	r    *renderer
	link *link
	args []any
}

type method[T any] struct {
	least, most int // arguments
	do          func(c call, self T) any
}

func (r *renderer) callMethod(v any, l *link, args []any) any {
	r.step(l.at, 1)
	c := call{r, l, args}
	if len(args) == 0 && l.name == "toString" && !undefined(v) {
		return r.string(l.at, v)
	}
	switch v := v.(type) {
	case *Input:
		return r.callInput(v, l, args)
	case string:
		r.step(l.at, len(v)/bytesRead)
		return invoke(c, stringMethods, v)
	case *jsonpath.Array:
		return invoke(c, listMethods, v)
	case *jsonpath.Object:
		return invoke(c, mapMethods, v)
	case utilities:
		return invoke(c, utilMethods, v)
	case *contextObject:
		return r.callContext(c, v)
	case int32, int64, float64, *big.Int, jsonpath.Decimal:
		return invoke(c, numberMethods, v)
	case bool:
		return invoke(c, boolMethods, v)
	case *entry:
		return invoke(c, entryMethods, v)
	case *iterator:
		return invoke(c, iteratorMethods, v)
	case *loop:
		return c.getter(v.property)
	}
	return nil
}

func invoke[T any](c call, table map[string]method[T], self T) any {
	m, ok := table[c.link.name]
	if !ok || len(c.args) < m.least || len(c.args) > m.most {
		return nil
	}
	return m.do(c, self)
}

// fail is a method that throws, which fails the template.
func (c call) fail(format string, args ...any) {
	c.r.fail(c.link.at, c.link.name+"(): "+format, args...)
}

// text is an argument that must be a string.
func (c call) text(i int) (string, bool) {
	switch v := c.args[i].(type) {
	case string:
		return v, true
	case missing:
		return "", true
	}
	return "", false
}

func (c call) int(i int) (int, bool) { return intOf(c.args[i]) }

// getter calls getName() and isName() by their properties.
func (c call) getter(property func(string) any) any {
	name, ok := strings.CutPrefix(c.link.name, "get")
	if !ok {
		name, ok = strings.CutPrefix(c.link.name, "is")
	}
	switch {
	case len(c.args) > 0:
		return nil
	case !ok || name == "":
		return property(c.link.name) // hasNext()
	}
	return property(strings.ToLower(name[:1]) + name[1:])
}

// callContext makes the changes of a map where they are kept, and asks the whole for the rest.
func (r *renderer) callContext(c call, v *contextObject) any {
	switch {
	case c.link.name == "get" && len(c.args) == 1:
		return v.get(r.string(c.link.at, c.args[0]))
	case c.link.name == "put" && len(c.args) == 2:
		name := r.string(c.link.at, c.args[0])
		old := v.get(name)
		v.set(name, c.args[1])
		return old
	}
	r.step(c.link.at, len(wholeMembers))
	return invoke(c, mapMethods, v.whole())
}

var mapMethods = map[string]method[*jsonpath.Object]{
	"size":    {0, 0, func(_ call, o *jsonpath.Object) any { return count(o.Len()) }},
	"isEmpty": {0, 0, func(_ call, o *jsonpath.Object) any { return o.Len() == 0 }},
	"get":     {1, 1, func(c call, o *jsonpath.Object) any { return c.member(o) }},
	"getOrDefault": {2, 2, func(c call, o *jsonpath.Object) any {
		if v, ok := o.Get(c.key()); ok {
			return v
		}
		return c.args[1]
	}},
	"put": {2, 2, func(c call, o *jsonpath.Object) any {
		c.r.step(c.link.at, 4)
		return o.Set(c.key(), c.args[1])
	}},
	"putAll": {1, 1, func(c call, o *jsonpath.Object) any {
		if from, ok := c.args[0].(*jsonpath.Object); ok {
			c.r.step(c.link.at, 4*from.Len())
			for _, m := range slices.Clone(from.Members()) {
				o.Set(m.Name, m.Value)
			}
		}
		return nil
	}},
	"remove": {1, 1, func(c call, o *jsonpath.Object) any {
		c.r.step(c.link.at, 4*o.Len())
		return o.Delete(c.key())
	}},
	"containsKey": {1, 1, func(c call, o *jsonpath.Object) any {
		_, ok := o.Get(c.key())
		return ok
	}},
	"containsValue": {1, 1, func(c call, o *jsonpath.Object) any {
		return indexOf(c, values(o), c.args[0]) >= 0
	}},
	"keySet": {0, 0, func(c call, o *jsonpath.Object) any {
		c.r.step(c.link.at, o.Len())
		keys := make([]any, 0, o.Len())
		for _, m := range o.Members() {
			keys = append(keys, m.Name)
		}
		return newList(keys)
	}},
	"values": {0, 0, func(c call, o *jsonpath.Object) any {
		c.r.step(c.link.at, o.Len())
		return newList(values(o))
	}},
	"entrySet": {0, 0, func(c call, o *jsonpath.Object) any {
		c.r.step(c.link.at, o.Len())
		entries := make([]any, 0, o.Len())
		for _, m := range o.Members() {
			entries = append(entries, &entry{o, m.Name})
		}
		return newList(entries)
	}},
	"equals": {1, 1, func(c call, o *jsonpath.Object) any {
		return sameKind(o, c.args[0]) && c.r.same(c.link.at, o, c.args[0])
	}},
}

// key is the first argument as a key. Maps out of JSON have no others than strings.
func (c call) key() string { return c.r.string(c.link.at, c.args[0]) }

func (c call) member(o *jsonpath.Object) any {
	v, _ := o.Get(c.key())
	return v
}

func count(n int) any { return jsonpath.Integer(int64(n)) }

var listMethods = map[string]method[*jsonpath.Array]{
	"size":    {0, 0, func(_ call, a *jsonpath.Array) any { return count(len(a.Items)) }},
	"isEmpty": {0, 0, func(_ call, a *jsonpath.Array) any { return len(a.Items) == 0 }},
	"get": {1, 1, func(c call, a *jsonpath.Array) any {
		i, ok := c.int(0)
		if !ok {
			return nil
		}
		return a.Items[c.r.index(c.link.at, i, len(a.Items))]
	}},
	"set": {2, 2, func(c call, a *jsonpath.Array) any {
		i, ok := c.int(0)
		if !ok {
			return nil
		}
		i = c.r.index(c.link.at, i, len(a.Items))
		old := a.Items[i]
		a.Items[i] = c.args[1]
		return old
	}},
	"add": {1, 2, func(c call, a *jsonpath.Array) any {
		if len(c.args) == 1 {
			c.r.step(c.link.at, 1)
			a.Items = append(a.Items, c.args[0])
			return true
		}
		if i, ok := c.int(0); ok {
			c.r.step(c.link.at, 1+len(a.Items))
			a.Items = slices.Insert(slices.Clone(a.Items), c.r.index(c.link.at, i, len(a.Items)+1), c.args[1])
		}
		return nil
	}},
	"addAll": {1, 1, func(c call, a *jsonpath.Array) any {
		from := c.r.items(c.link.at, c.args[0])
		c.r.step(c.link.at, len(from))
		a.Items = append(a.Items, from...)
		return len(from) > 0
	}},
	"remove": {1, 1, func(c call, a *jsonpath.Array) any {
		c.r.step(c.link.at, len(a.Items))
		i, byIndex := c.int(0)
		if !byIndex {
			if i = indexOf(c, a.Items, c.args[0]); i < 0 {
				return false
			}
		}
		old := a.Items[c.r.index(c.link.at, i, len(a.Items))]
		a.Items = slices.Delete(slices.Clone(a.Items), i, i+1)
		if byIndex {
			return old
		}
		return true
	}},
	"clear": {0, 0, func(_ call, a *jsonpath.Array) any {
		a.Items = nil
		return nil
	}},
	"contains": {1, 1, func(c call, a *jsonpath.Array) any { return indexOf(c, a.Items, c.args[0]) >= 0 }},
	"containsAll": {1, 1, func(c call, a *jsonpath.Array) any {
		for _, v := range c.r.items(c.link.at, c.args[0]) {
			if indexOf(c, a.Items, v) < 0 {
				return false
			}
		}
		return true
	}},
	"indexOf": {1, 1, func(c call, a *jsonpath.Array) any { return count(indexOf(c, a.Items, c.args[0])) }},
	"subList": {2, 2, func(c call, a *jsonpath.Array) any {
		from, ok := c.int(0)
		to, ok2 := c.int(1)
		if !ok || !ok2 {
			return nil
		}
		if from < 0 || to > len(a.Items) || from > to {
			c.fail("from %d to %d of a list of %d", from, to, len(a.Items))
		}
		c.r.step(c.link.at, to-from)
		return &jsonpath.Array{Items: slices.Clone(a.Items[from:to]), Java: true}
	}},
	"iterator": {0, 0, func(_ call, a *jsonpath.Array) any { return &iterator{items: a.Items} }},
	"equals": {1, 1, func(c call, a *jsonpath.Array) any {
		return sameKind(a, c.args[0]) && c.r.same(c.link.at, a, c.args[0])
	}},
}

func indexOf(c call, items []any, v any) int {
	c.r.step(c.link.at, len(items))
	return slices.IndexFunc(items, func(item any) bool {
		if item == nil || v == nil {
			return item == nil && v == nil
		}
		return sameType(item, v) && c.r.equal(c.link.at, item, v)
	})
}

// sameType keeps Java's equals from what == in a template takes for equal, such as 1 and "1".
func sameType(a, b any) bool {
	_, isText := a.(string)
	_, isText2 := b.(string)
	return isText == isText2
}

var entryMethods = map[string]method[*entry]{
	"getKey":   {0, 0, func(_ call, e *entry) any { return e.name }},
	"getValue": {0, 0, func(_ call, e *entry) any { return e.value() }},
	"setValue": {1, 1, func(c call, e *entry) any { return e.of.Set(e.name, c.args[0]) }},
}

var iteratorMethods = map[string]method[*iterator]{
	"hasNext": {0, 0, func(_ call, i *iterator) any { return i.next < len(i.items) }},
	"next": {0, 0, func(c call, i *iterator) any {
		if i.next >= len(i.items) {
			c.fail("there is no next element; ask hasNext() first")
		}
		i.next++
		return i.items[i.next-1]
	}},
}

var boolMethods = map[string]method[bool]{
	"booleanValue": {0, 0, func(_ call, b bool) any { return b }},
	"equals":       {1, 1, func(c call, b bool) any { return c.args[0] == b }},
}

// numberMethods are those of Integer, Long, Double and their like; parseInt and its kind are static ones that authors
// reach through any number.
var numberMethods = map[string]method[any]{
	"intValue":    {0, 0, func(_ call, n any) any { return int32(whole(n)) }},
	"longValue":   {0, 0, func(_ call, n any) any { return whole(n) }},
	"doubleValue": {0, 0, func(_ call, n any) any { f, _ := jsonpath.Float(n); return f }},
	"hashCode":    {0, 0, func(_ call, n any) any { l := whole(n); return int32(l ^ l>>32) }},
	"equals": {1, 1, func(c call, n any) any {
		order, ok := jsonpath.CompareNumbers(n, c.args[0])
		return ok && order == 0
	}},
	"compareTo": {1, 1, func(c call, n any) any {
		order, ok := jsonpath.CompareNumbers(n, c.args[0])
		if !ok {
			return nil
		}
		return count(order)
	}},
	"parseInt":    {1, 1, func(c call, _ any) any { return c.parse(32) }},
	"parseLong":   {1, 1, func(c call, _ any) any { return c.parse(64) }},
	"parseDouble": {1, 1, func(c call, _ any) any { return c.parseDouble() }},
	"valueOf": {1, 1, func(c call, n any) any {
		switch n.(type) {
		case int32:
			return c.parse(32)
		case float64:
			return c.parseDouble()
		}
		return c.parse(64)
	}},
}

// whole is a number's integer part.
func whole(n any) int64 {
	if l, ok := jsonpath.Int64(n); ok {
		return l
	}
	if b, ok := n.(*big.Int); ok {
		return new(big.Int).And(b, new(big.Int).SetUint64(math.MaxUint64)).Int64()
	}
	f, _ := jsonpath.Float(n)
	switch {
	case math.IsNaN(f):
		return 0
	case f >= math.MaxInt64:
		return math.MaxInt64
	case f <= math.MinInt64:
		return math.MinInt64
	}
	return int64(f)
}

func (c call) parse(bits int) any {
	s, ok := c.text(0)
	if !ok {
		return nil
	}
	n, err := strconv.ParseInt(s, 10, bits)
	if err != nil {
		c.fail("%q is no number of %d bits", excerpt(s), bits)
	}
	return jsonpath.Integer(n)
}

func (c call) parseDouble() any {
	s, ok := c.text(0)
	if !ok {
		return nil
	}
	f, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if err != nil {
		c.fail("%q is no number", excerpt(s))
	}
	return f
}
