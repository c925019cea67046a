package model

import (
	"slices"
	"strconv"
	"strings"
)

// appendCanonical appends a form of a value that is the same for all values that are equal by the rules of JSON Schema:
// numbers by value, objects without regard to the order of their members.
func (d *document) appendCanonical(dst []byte, i uint32) []byte {
	n := &d.nodes[i]
	switch n.kind {
	case null, boolean:
		return append(dst, d.raw(i)...)
	case number:
		var room [32]byte
		v := parseDecimal(room[:0], d.raw(i))
		dst = append(dst, 'n')
		if v.negative {
			dst = append(dst, '-')
		}
		dst = append(append(dst, v.digits...), 'e')
		return strconv.AppendInt(dst, int64(v.exponent), 10)
	case text:
		return appendSized(dst, d.string(i))
	case array:
		dst = append(dst, '[')
		for e := i + 1; e < n.next; e = d.nodes[e].next {
			dst = append(d.appendCanonical(dst, e), ',')
		}
		return append(dst, ']')
	case integer, object, key, shadowed: // an object: no value is of the others
	}
	return d.appendCanonicalObject(dst, i)
}

func (d *document) appendCanonicalObject(dst []byte, i uint32) []byte {
	type member struct {
		name  string
		value uint32
	}
	var members []member
	for k := i + 1; k < d.nodes[i].next; k = d.nodes[k+1].next {
		if d.nodes[k].kind == key {
			members = append(members, member{string(d.string(k)), k + 1})
		}
	}
	slices.SortFunc(members, func(a, b member) int { return strings.Compare(a.name, b.name) })
	dst = append(dst, '{')
	for _, m := range members {
		dst = d.appendCanonical(appendSized(dst, []byte(m.name)), m.value)
	}
	return append(dst, '}')
}

// appendSized appends a text with its length before it, so that no two sequences of texts look the same.
func appendSized(dst, s []byte) []byte {
	dst = strconv.AppendInt(append(dst, '"'), int64(len(s)), 10)
	return append(append(dst, ':'), s...)
}
