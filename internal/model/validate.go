package model

import (
	"bytes"
	"slices"
	"unicode/utf8"

	"github.com/tidwall/gjson"

	"cleat/internal/jsonpath"
)

// Bounds of one validation.
const (
	maxSteps    = 1 << 20 // schemas applied to values, and what is like that; some 50 ns each
	maxNesting  = 10_000  // of schemas in schemas
	maxProblems = 10      // told of
	// spareNodes is the most nodes that are kept for the next message.
	spareNodes = 4096
)

// validation is one message being judged.
type validation struct {
	doc      document
	steps    int
	nesting  int
	quiet    int // above zero nobody asks why: the first objection decides
	problems []string
	scratch  []byte
}

// Validate judges a message. It returns nil, or an *InvalidError that says what is wrong with it. It keeps nothing of body.
func (m *Model) Validate(body []byte) error {
	switch {
	case jsonpath.TooDeep(body):
		return &InvalidError{[]string{errTooDeep.Error()}}
	case !gjson.ValidBytes(body):
		return &InvalidError{[]string{problemNotJSON}}
	}
	v, ok := m.spare.Get().(*validation)
	if !ok {
		v = new(validation)
	}
	defer m.release(v)
	v.steps = maxSteps
	if err := v.doc.parse(body); err != nil {
		return &InvalidError{[]string{err.Error()}}
	}
	if v.apply(m.root, 0) {
		return nil
	}
	if v.steps <= 0 {
		return &InvalidError{[]string{problemTooCostly}}
	}
	return &InvalidError{slices.Clone(v.problems)}
}

// release keeps the buffers for the next message, unless they are large.
func (m *Model) release(v *validation) {
	if cap(v.doc.nodes) > spareNodes {
		return
	}
	*v = validation{doc: document{nodes: v.doc.nodes[:0], open: v.doc.open[:0]}, scratch: v.scratch[:0]}
	m.spare.Put(v)
}

// spend counts work; false means that there has been too much of it.
func (v *validation) spend(steps int) bool {
	v.steps -= steps
	return v.steps > 0
}

// silently applies a schema without noting why it fails.
func (v *validation) silently(s *schema, i uint32) bool {
	v.quiet++
	ok := v.apply(s, i)
	v.quiet--
	return ok
}

// apply judges a value by a schema.
func (v *validation) apply(s *schema, i uint32) bool {
	for s.ref != nil {
		if !v.spend(1) {
			return false
		}
		s = s.ref
	}
	if v.nesting == maxNesting {
		v.steps = 0
	}
	if !v.spend(1) {
		return false
	}
	v.nesting++
	ok := v.general(s, i)
	if ok || v.quiet == 0 {
		switch v.doc.nodes[i].kind {
		case object:
			ok = v.object(s, i) && ok
		case array:
			ok = v.array(s, i) && ok
		case text:
			ok = v.text(s, i) && ok
		case number:
			ok = v.number(s, i) && ok
		case null, boolean, integer, key, shadowed: // nothing else can be said of null, true and false
		}
	}
	v.nesting--
	return ok
}

// general applies what applies to values of all kinds.
func (v *validation) general(s *schema, i uint32) bool {
	ok := true
	if s.typed {
		k := v.doc.kindOf(i)
		switch {
		case s.types[k]:
		case v.quiet > 0:
			return false // the usual way for a branch of anyOf to fail: no words are made
		default:
			ok = v.fail(problemType, kindNames[k], s.typeNames)
		}
	}
	if s.enum != nil {
		n := &v.doc.nodes[i]
		if !v.spend(int(n.end-n.start) / 8) {
			return false
		}
		v.scratch = v.doc.appendCanonical(v.scratch[:0], i)
		if !s.enum[string(v.scratch)] {
			ok = v.fail(problemEnum, excerpt(v.doc.raw(i)), excerpt([]byte(s.enumText)))
		}
	}
	if !ok && v.quiet > 0 {
		return false
	}
	return v.combined(s, i) && ok
}

// combined applies allOf, anyOf, oneOf and not.
func (v *validation) combined(s *schema, i uint32) bool {
	ok := true
	if matched := v.count(s.all, i); matched < len(s.all) {
		ok = v.fail(problemAllOf, matched, len(s.all))
	}
	if len(s.anyOf) > 0 && !slices.ContainsFunc(s.anyOf, func(one *schema) bool { return v.silently(one, i) }) {
		ok = v.fail(problemAnyOf, len(s.anyOf))
	}
	if len(s.oneOf) > 0 {
		if matched := v.count(s.oneOf, i); matched != 1 {
			ok = v.fail(problemOneOf, matched, len(s.oneOf))
		}
	}
	if s.not != nil && v.silently(s.not, i) {
		ok = v.fail(problemNot)
	}
	return ok && v.steps > 0
}

// count is how many of the schemas the value matches.
func (v *validation) count(schemas []*schema, i uint32) int {
	n := 0
	for _, one := range schemas {
		if v.silently(one, i) {
			n++
		}
	}
	return n
}

// kindOf is the kind of a value as types tell them apart.
func (d *document) kindOf(i uint32) kind {
	k := d.nodes[i].kind
	if k == number && !bytes.ContainsAny(d.raw(i), ".eE") {
		return integer
	}
	return k
}

func (v *validation) object(s *schema, i uint32) bool {
	count := int(v.doc.nodes[i].count)
	ok := true
	if s.minProperties != nil && count < *s.minProperties {
		ok = v.fail(problemMinProperties, count, *s.minProperties)
	}
	if s.maxProperties != nil && count > *s.maxProperties {
		ok = v.fail(problemMaxProperties, count, *s.maxProperties)
	}
	if missing := v.missing(i, s.required); len(missing) > 0 {
		ok = v.fail(problemRequired, quoteAll(missing))
	}
	for _, d := range s.dependencies {
		ok = v.dependency(&d, i) && ok
	}
	if ok || v.quiet == 0 {
		ok = v.members(s, i) && ok
	}
	return ok && v.steps > 0
}

// missing are the names that an object lacks, in their order.
func (v *validation) missing(i uint32, names []string) []string {
	var out []string
	for _, name := range names {
		if !v.spend(int(v.doc.nodes[i].count)/8 + 1) {
			return nil
		}
		if !v.doc.has(i, name) {
			out = append(out, name)
		}
	}
	return out
}

func (v *validation) dependency(d *dependency, i uint32) bool {
	if there := v.doc.has(i, d.property); !v.spend(int(v.doc.nodes[i].count)/8+1) || !there {
		return v.steps > 0
	}
	if d.schema != nil {
		return v.apply(d.schema, i)
	}
	if missing := v.missing(i, d.needs); len(missing) > 0 {
		return v.fail(problemDependency, d.property, quoteAll(d.needs), quoteAll(missing))
	}
	return true
}

// members applies properties, patternProperties and additionalProperties.
func (v *validation) members(s *schema, i uint32) bool {
	if s.properties == nil && s.patterns == nil && s.additional == nil && !s.closed {
		return true
	}
	ok := true
	var unknown []string
	for k := i + 1; k < v.doc.nodes[i].next; k = v.doc.nodes[k+1].next {
		if v.doc.nodes[k].kind == shadowed {
			continue
		}
		if !v.spend(1) {
			return false
		}
		name := v.doc.string(k)
		known := false
		if one := s.properties[string(name)]; one != nil {
			known = true
			ok = v.apply(one, k+1) && ok
		}
		for _, p := range s.patterns {
			if v.spend(len(name)/8) && p.name.re.Match(name) {
				known = true
				ok = v.apply(p.schema, k+1) && ok
			}
		}
		switch {
		case known:
		case s.closed:
			ok = false
			if v.quiet == 0 && len(unknown) < maxProblems {
				unknown = append(unknown, excerpt(name))
			}
		case s.additional != nil:
			ok = v.apply(s.additional, k+1) && ok
		}
		if !ok && v.quiet > 0 {
			return false
		}
	}
	if len(unknown) > 0 {
		slices.Sort(unknown)
		v.fail(problemAdditionalProperties, quoteAll(unknown))
	}
	return ok
}

func (v *validation) array(s *schema, i uint32) bool {
	count := int(v.doc.nodes[i].count)
	ok := true
	if s.minItems != nil && count < *s.minItems {
		ok = v.fail(problemMinItems, *s.minItems, count)
	}
	if s.maxItems != nil && count > *s.maxItems {
		ok = v.fail(problemMaxItems, *s.maxItems, count)
	}
	if s.closedTuple && count > len(s.tuple) {
		ok = v.fail(problemAdditionalItems, count, len(s.tuple))
	}
	if s.uniqueItems && count > 1 && !v.unique(i) {
		ok = v.fail(problemUniqueItems)
	}
	at := 0
	for e := i + 1; e < v.doc.nodes[i].next && (ok || v.quiet == 0); e = v.doc.nodes[e].next {
		one := s.items
		if at < len(s.tuple) {
			one = s.tuple[at]
		} else if s.tuple != nil {
			one = s.further
		}
		if one == nil && s.tuple == nil {
			break
		}
		if one != nil {
			ok = v.apply(one, e) && ok
		}
		at++
	}
	return ok && v.steps > 0
}

// unique reports whether no two elements are equal.
func (v *validation) unique(i uint32) bool {
	n := &v.doc.nodes[i]
	if !v.spend(int(n.end-n.start) / 8) {
		return false
	}
	seen := make(map[string]bool, n.count)
	for e := i + 1; e < n.next; e = v.doc.nodes[e].next {
		v.scratch = v.doc.appendCanonical(v.scratch[:0], e)
		if seen[string(v.scratch)] {
			return false
		}
		seen[string(v.scratch)] = true
	}
	return true
}

func (v *validation) text(s *schema, i uint32) bool {
	if s.minLength == nil && s.maxLength == nil && s.pattern == nil && s.format == nil {
		return true
	}
	content := v.doc.string(i)
	if !v.spend(len(content) / 8) {
		return false
	}
	ok := true
	if s.minLength != nil || s.maxLength != nil {
		length := utf8.RuneCount(content)
		if s.minLength != nil && length < *s.minLength {
			ok = v.fail(problemMinLength, excerpt(content), length, *s.minLength)
		}
		if s.maxLength != nil && length > *s.maxLength {
			ok = v.fail(problemMaxLength, excerpt(content), length, *s.maxLength)
		}
	}
	if s.pattern != nil && !s.pattern.re.Match(content) {
		ok = v.fail(problemPattern, s.pattern.text, excerpt(content))
	}
	if s.format != nil && s.format.Validate(string(content)) != nil {
		ok = v.fail(problemFormat, excerpt(content), formatName(s.format.Name))
	}
	return ok
}

func (v *validation) number(s *schema, i uint32) bool {
	if !s.checksNumbers {
		return true
	}
	raw := v.doc.raw(i)
	if !v.spend(len(raw)/8 + 1) {
		return false
	}
	v.scratch = v.scratch[:0]
	d := parseDecimal(v.scratch, raw)
	ok := true
	if b := s.minimum; b != nil {
		switch n := d.compare(b.decimal); {
		case n < 0:
			ok = v.fail(problemMinimum, b.text, excerpt(raw))
		case n == 0 && b.exclusive:
			ok = v.fail(problemExclusiveMinimum, b.text)
		}
	}
	if b := s.maximum; b != nil {
		switch n := d.compare(b.decimal); {
		case n > 0:
			ok = v.fail(problemMaximum, b.text, excerpt(raw))
		case n == 0 && b.exclusive:
			ok = v.fail(problemExclusiveMaximum, b.text)
		}
	}
	if s.multipleOf != nil && (!v.spend(50) || !d.multipleOf(s.multipleOf, raw)) {
		ok = v.fail(problemMultipleOf, excerpt(raw), s.multipleText)
	}
	return ok
}
