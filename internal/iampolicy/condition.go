package iampolicy

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// condition is one operator with one key: all the keys of all the operators of a statement must hold.
type condition struct {
	key      string // in lower case
	op       operator
	set      setKind
	ifExists bool
	values   []value
}

// setKind says how the several values of a key count.
type setKind uint8

const (
	oneValue     setKind = iota
	forAllValues         // every value of the request must match some value of the policy
	forAnyValue          // one value of the request must match some value of the policy
)

// value is one value of a policy's condition, compiled as its operator wants it.
type value struct {
	text    pattern // StringEquals and its kind
	arn     []pattern
	number  float64
	network netip.Prefix
	flag    bool
	bytes   []byte
}

func (c *compiler) conditions(place string, n *node) []condition {
	if n.kind != isMap {
		c.faults.addf(place, "must be an object of operators, not %s", n.kind)
		return nil
	}
	var out []condition
	for _, m := range n.members {
		at := place + "." + m.name
		op, set, ifExists, err := parseOperator(m.name)
		if err != nil {
			c.faults.addf(at, "%v", err)
			continue
		}
		if m.value.kind != isMap {
			c.faults.addf(at, "must be an object of condition keys, not %s", m.value.kind)
			continue
		}
		for _, k := range m.value.members {
			if prefix, name, ok := strings.Cut(k.name, ":"); !ok || prefix == "" || name == "" {
				c.faults.addf(at, "%q is no condition key, such as \"aws:SourceIp\"", k.name)
				continue
			}
			x := condition{key: strings.ToLower(k.name), op: op, set: set, ifExists: ifExists}
			for _, v := range k.value.list() {
				if compiled, ok := c.value(at+"."+k.name, op, &v); ok {
					x.values = append(x.values, compiled)
				}
			}
			out = append(out, x)
		}
	}
	return out
}

func (c *compiler) value(place string, op operator, n *node) (value, bool) {
	switch n.kind {
	case isText, isNumber, isBool:
	case isNull, isList, isMap:
		c.faults.addf(place, "must be a text or a list of texts, not %s", n.kind)
		return value{}, false
	}
	v, err := op.compile(c, n.text)
	if err != nil {
		c.faults.addf(place, "%v", err)
		return value{}, false
	}
	return v, true
}

func parseOperator(name string) (op operator, set setKind, ifExists bool, err error) {
	base := name
	if rest, ok := strings.CutPrefix(base, "ForAllValues:"); ok {
		base, set = rest, forAllValues
	} else if rest, ok := strings.CutPrefix(base, "ForAnyValue:"); ok {
		base, set = rest, forAnyValue
	}
	if rest, ok := strings.CutSuffix(base, "IfExists"); ok && rest != "Null" {
		base, ifExists = rest, true
	}
	op, ok := operators[base]
	if ok {
		return op, set, ifExists, nil
	}
	hint := ""
	for known := range operators {
		if strings.EqualFold(known, base) {
			hint = fmt.Sprintf(" (did you mean %s?)", known)
		}
	}
	return op, set, ifExists, fmt.Errorf("is no condition operator%s", hint)
}

// holds tells whether the condition is true of a request. A key without a value makes it false, but true for negated
// operators, ...IfExists and ForAllValues.
func (x *condition) holds(c Context) bool {
	given := c[x.key]
	if x.op.null {
		return slices.ContainsFunc(x.values, func(v value) bool { return v.flag == (len(given) == 0) })
	}
	if len(given) == 0 {
		return x.set == forAllValues || x.ifExists || x.op.negated && x.set != forAnyValue
	}
	// One value of the request matches when it equals one of the policy's; negated, when it equals none of them.
	matches := func(g string) bool {
		equal := slices.ContainsFunc(x.values, func(v value) bool { return x.op.compare(&v, g, c) })
		return equal != x.op.negated
	}
	if x.set == forAllValues || x.set == oneValue && x.op.negated {
		return !slices.ContainsFunc(given, func(g string) bool { return !matches(g) })
	}
	return slices.ContainsFunc(given, matches)
}
