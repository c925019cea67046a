package model

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// schema is one schema as it is applied to a value: the library's, with all made ready that messages would have to wait
// for. What a keyword does not limit is zero or nil.
type schema struct {
	ref *schema // alone: draft-04 passes over what stands beside $ref

	types     [object + 1]bool // by kind; none set: any
	typed     bool
	typeNames string // for the message, `["integer","number"]`
	enum      map[string]bool
	enumText  string
	all       []*schema
	anyOf     []*schema
	oneOf     []*schema
	not       *schema

	properties    map[string]*schema
	patterns      []patternSchema
	additional    *schema // of properties that neither of them has
	closed        bool    // there may be none of those
	required      []string
	dependencies  []dependency
	minProperties *int
	maxProperties *int

	items         *schema   // of all elements
	tuple         []*schema // or of each of the first
	further       *schema   // of those behind the tuple
	closedTuple   bool      // there may be none behind the tuple
	minItems      *int
	maxItems      *int
	uniqueItems   bool
	minLength     *int
	maxLength     *int
	pattern       *pattern
	format        *jsonschema.Format
	minimum       *bound
	maximum       *bound
	multipleOf    *big.Rat
	multipleText  string
	checksNumbers bool // whether any of the three is there
}

type patternSchema struct {
	name *pattern
	*schema
}

type dependency struct {
	property string
	*schema           // nil: it needs other properties
	needs    []string // in alphabetical order
}

type bound struct {
	decimal
	text      string
	exclusive bool
}

// typeKinds are the types of draft-04. An integer is a number without fraction and exponent, so that 1.0 is none.
var typeKinds = map[string][]kind{
	"null": {null}, "boolean": {boolean}, "integer": {integer}, "number": {integer, number}, "string": {text}, "array": {array}, "object": {object},
}

var kindNames = [...]string{null: "null", boolean: "boolean", integer: "integer", number: "number", text: "string", array: "array", object: "object"}

// translator makes schemas of the library's, each once.
type translator struct {
	done  map[*jsonschema.Schema]*schema
	fault error
}

func (t *translator) schema(from *jsonschema.Schema) *schema {
	if from == nil {
		return nil
	}
	if s := t.done[from]; s != nil {
		return s
	}
	s := &schema{}
	t.done[from] = s
	if from.DraftVersion != 4 {
		t.fault = fmt.Errorf("%s: models are JSON Schema draft-04, not draft %d", pointerOf(from.Location), from.DraftVersion)
		return s
	}
	if from.Ref != nil {
		s.ref = t.schema(from.Ref)
		return s
	}
	t.general(s, from)
	t.object(s, from)
	t.array(s, from)
	t.scalar(s, from)
	return s
}

func (t *translator) list(from []*jsonschema.Schema) []*schema {
	var out []*schema
	for _, one := range from {
		out = append(out, t.schema(one))
	}
	return out
}

// general takes over what applies to values of all kinds.
func (t *translator) general(s *schema, from *jsonschema.Schema) {
	if from.Types != nil {
		s.typed = true
		var names []string
		for _, name := range from.Types.ToStrings() {
			for _, k := range typeKinds[name] {
				s.types[k] = true
				names = append(names, kindNames[k])
			}
		}
		slices.Sort(names)
		s.typeNames = quoteAll(slices.Compact(names))
	}
	if from.Enum != nil {
		s.enum = map[string]bool{}
		var texts []string
		for _, v := range from.Enum.Values {
			b, err := json.Marshal(v)
			var d document
			if err == nil {
				err = d.parse(b)
			}
			if err != nil {
				t.fault = fmt.Errorf("%s: enum: %w", pointerOf(from.Location), err)
				return
			}
			s.enum[string(d.appendCanonical(nil, 0))] = true
			texts = append(texts, string(b))
		}
		s.enumText = "[" + strings.Join(texts, ",") + "]"
	}
	s.all, s.anyOf, s.oneOf, s.not = t.list(from.AllOf), t.list(from.AnyOf), t.list(from.OneOf), t.schema(from.Not)
}

func (t *translator) object(s *schema, from *jsonschema.Schema) {
	if len(from.Properties) > 0 {
		s.properties = make(map[string]*schema, len(from.Properties))
	}
	for name, one := range from.Properties {
		s.properties[name] = t.schema(one)
	}
	for re, one := range from.PatternProperties {
		s.patterns = append(s.patterns, patternSchema{t.pattern(re), t.schema(one)})
	}
	slices.SortFunc(s.patterns, func(a, b patternSchema) int { return strings.Compare(a.name.text, b.name.text) })
	s.additional, s.closed = t.rest(from.AdditionalProperties)
	s.required = from.Required
	for property, needs := range from.Dependencies {
		d := dependency{property: property}
		switch needs := needs.(type) {
		case *jsonschema.Schema:
			d.schema = t.schema(needs)
		case []string:
			d.needs = slices.Sorted(slices.Values(needs))
		}
		s.dependencies = append(s.dependencies, d)
	}
	slices.SortFunc(s.dependencies, func(a, b dependency) int { return strings.Compare(a.property, b.property) })
	s.minProperties, s.maxProperties = from.MinProperties, from.MaxProperties
}

func (t *translator) array(s *schema, from *jsonschema.Schema) {
	switch items := from.Items.(type) {
	case *jsonschema.Schema:
		s.items = t.schema(items)
	case []*jsonschema.Schema:
		s.tuple = t.list(items)
		s.further, s.closedTuple = t.rest(from.AdditionalItems)
	}
	s.minItems, s.maxItems, s.uniqueItems = from.MinItems, from.MaxItems, from.UniqueItems
}

// rest reads additionalProperties or additionalItems: a schema, true or false.
func (t *translator) rest(v any) (of *schema, none bool) {
	switch v := v.(type) {
	case *jsonschema.Schema:
		return t.schema(v), false
	case bool:
		return nil, !v
	}
	return nil, false
}

func (t *translator) scalar(s *schema, from *jsonschema.Schema) {
	s.minLength, s.maxLength, s.format = from.MinLength, from.MaxLength, from.Format
	if from.Pattern != nil {
		s.pattern = t.pattern(from.Pattern)
	}
	s.minimum = newBound(from.Minimum, from.ExclusiveMinimum)
	s.maximum = newBound(from.Maximum, from.ExclusiveMaximum)
	if from.MultipleOf != nil {
		s.multipleOf = from.MultipleOf
		_, s.multipleText = decimalOf(from.MultipleOf)
	}
	s.checksNumbers = s.minimum != nil || s.maximum != nil || s.multipleOf != nil
}

func newBound(inclusive, exclusive *big.Rat) *bound {
	r := inclusive
	if exclusive != nil {
		r = exclusive
	}
	if r == nil {
		return nil
	}
	b := &bound{exclusive: exclusive != nil}
	b.decimal, b.text = decimalOf(r)
	return b
}

// pattern is the engine's own again: all patterns are made by compilePattern.
func (t *translator) pattern(re jsonschema.Regexp) *pattern {
	p, ok := re.(*pattern)
	if !ok {
		t.fault = fmt.Errorf("the pattern %q is of another engine", re)
		return &pattern{text: re.String()}
	}
	return p
}

func quoteAll(names []string) string {
	b, err := json.Marshal(names)
	if err != nil { // texts always have a form in JSON
		return fmt.Sprint(names)
	}
	return string(b)
}

// findLoop refuses a schema that comes back to itself without going into the value: to apply it would take forever.
func findLoop(root *schema, all map[*jsonschema.Schema]*schema) error {
	places := make(map[*schema]string, len(all))
	for from, s := range all {
		places[s] = pointerOf(from.Location)
	}
	const under, done = 1, 2
	state := map[*schema]int{}
	var visit func(s *schema) error
	visit = func(s *schema) error {
		switch {
		case s == nil || state[s] == done:
			return nil
		case state[s] == under:
			return fmt.Errorf("%s: the schema refers to itself without end", places[s])
		}
		state[s] = under
		for _, next := range s.inPlace() {
			if err := visit(next); err != nil {
				return err
			}
		}
		state[s] = done
		return nil
	}
	if err := visit(root); err != nil {
		return err
	}
	inOrder := slices.SortedFunc(maps.Keys(places), func(a, b *schema) int { return strings.Compare(places[a], places[b]) })
	for _, s := range inOrder {
		if err := visit(s); err != nil {
			return err
		}
	}
	return nil
}

// inPlace are the schemas that are applied to the same value.
func (s *schema) inPlace() []*schema {
	out := slices.Concat(s.all, s.anyOf, s.oneOf, []*schema{s.ref, s.not})
	for _, d := range s.dependencies {
		out = append(out, d.schema)
	}
	return out
}
