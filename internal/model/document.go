package model

import (
	"bytes"
	"fmt"

	"github.com/tidwall/gjson"

	"cleat/internal/jsonpath"
)

// maxDepth is how deep a message may be nested to be judged. Nobody's are, and a walk that deep costs stack.
const maxDepth = jsonpath.MaxNesting

var errTooDeep = fmt.Errorf("nested deeper than %d levels", maxDepth)

// kind is what a JSON value is.
type kind uint8

const (
	null kind = iota
	boolean
	integer // of a schema's types only: a number without fraction and exponent
	number
	text
	array
	object
	key      // the name of the member whose value comes next
	shadowed // a key that comes again later in its object: the later one counts
)

// node is one value of a document.
type node struct {
	kind       kind
	start, end uint32 // of its JSON
	next       uint32 // the index of the node behind this one and all that is in it
	count      uint32 // elements of an array, members of an object
}

// document is a JSON text with its values in the order of their beginning: one slice, no tree. The children of a container
// follow it, an object's as key and value in turn.
type document struct {
	text    []byte
	nodes   []node
	deepest int
	open    []uint32 // containers that parse is in
}

// maxDocument is far beyond what any message may have; offsets are kept in 32 bits.
const maxDocument = 1 << 30

var errTooLong = fmt.Errorf("longer than %d bytes", maxDocument)

// offset is a place in a document.
func offset(i int) uint32 {
	return uint32(i) //nolint:gosec // G115: parse refuses texts in which it would not fit
}

// parse reads a JSON text that must be valid.
func (d *document) parse(b []byte) error {
	if len(b) > maxDocument {
		return errTooLong
	}
	d.text, d.nodes, d.open, d.deepest = b, d.nodes[:0], d.open[:0], 0
	isKey := false // whether a string is a member's name
	for i := 0; i < len(b); {
		start := offset(i)
		switch c := b[i]; c {
		case ' ', '\n', '\t', '\r', ':':
			i++
		case ',':
			isKey = d.nodes[d.open[len(d.open)-1]].kind == object
			i++
		case '{', '[':
			if len(d.open) == maxDepth {
				return errTooDeep
			}
			d.value()
			d.open = append(d.open, offset(len(d.nodes)))
			d.deepest = max(d.deepest, len(d.open))
			n := node{kind: array, start: start}
			if isKey = c == '{'; isKey {
				n.kind = object
			}
			d.nodes = append(d.nodes, n)
			i++
		case '}', ']':
			i++
			d.close(i)
			isKey = false
		case '"':
			i = endOfString(b, i)
			n := node{kind: text, start: start, end: offset(i), next: offset(len(d.nodes) + 1)}
			if isKey {
				n.kind, isKey = key, false
			} else {
				d.value()
			}
			d.nodes = append(d.nodes, n)
		default:
			n := node{kind: number, start: start, next: offset(len(d.nodes) + 1)}
			switch c {
			case 't', 'f':
				n.kind = boolean
			case 'n':
				n.kind = null
			}
			for i < len(b) && !endsScalar(b[i]) {
				i++
			}
			n.end = offset(i)
			d.value()
			d.nodes = append(d.nodes, n)
		}
	}
	return nil
}

// value counts one more value in the container that parse is in.
func (d *document) value() {
	if len(d.open) > 0 {
		d.nodes[d.open[len(d.open)-1]].count++
	}
}

func (d *document) close(end int) {
	last := len(d.open) - 1
	i := d.open[last]
	d.open = d.open[:last]
	d.nodes[i].end, d.nodes[i].next = offset(end), offset(len(d.nodes))
	if d.nodes[i].kind == object && d.nodes[i].count > 1 {
		d.shadow(i)
	}
}

// shadow marks the members of an object that come again later.
func (d *document) shadow(i uint32) {
	const few = 16
	if d.nodes[i].count > few {
		d.shadowMany(i)
		return
	}
	var room [few]uint32
	keys := room[:0]
	for k := i + 1; k < d.nodes[i].next; k = d.nodes[k+1].next {
		for j, earlier := range keys {
			if earlier != 0 && d.sameKey(earlier, k) {
				d.drop(i, earlier)
				keys[j] = 0
			}
		}
		keys = append(keys, k)
	}
}

func (d *document) shadowMany(i uint32) {
	seen := make(map[string]uint32, d.nodes[i].count)
	for k := i + 1; k < d.nodes[i].next; k = d.nodes[k+1].next {
		name := string(d.string(k))
		if earlier, ok := seen[name]; ok {
			d.drop(i, earlier)
		}
		seen[name] = k
	}
}

func (d *document) drop(object, member uint32) {
	d.nodes[member].kind = shadowed
	d.nodes[object].count--
}

func (d *document) sameKey(i, j uint32) bool {
	a, b := d.raw(i), d.raw(j)
	if bytes.IndexByte(a, '\\') < 0 && bytes.IndexByte(b, '\\') < 0 {
		return bytes.Equal(a, b)
	}
	return bytes.Equal(d.string(i), d.string(j))
}

// raw is the JSON of a value.
func (d *document) raw(i uint32) []byte { return d.text[d.nodes[i].start:d.nodes[i].end] }

// string is the content of a string or a key. It is part of the text unless something in it is escaped.
func (d *document) string(i uint32) []byte {
	raw := d.raw(i)
	if bytes.IndexByte(raw, '\\') >= 0 {
		return []byte(gjson.ParseBytes(raw).String())
	}
	return raw[1 : len(raw)-1]
}

// has tells whether an object has a member.
func (d *document) has(i uint32, name string) bool {
	for k := i + 1; k < d.nodes[i].next; k = d.nodes[k+1].next {
		if d.nodes[k].kind == key && string(d.string(k)) == name {
			return true
		}
	}
	return false
}

func endsScalar(c byte) bool {
	switch c {
	case ',', ']', '}', ' ', '\n', '\t', '\r':
		return true
	}
	return false
}

// endOfString returns the offset behind the string that begins at i.
func endOfString(b []byte, i int) int {
	for i++; i < len(b); i++ {
		switch b[i] {
		case '"':
			return i + 1
		case '\\':
			i++
		}
	}
	return len(b)
}
