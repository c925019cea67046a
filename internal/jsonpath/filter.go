package jsonpath

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// test is a condition on a value.
type test interface {
	holds(e *evaluation, current any) bool
}

type (
	allOf  []test
	anyOf  []test
	negate struct{ of test }
	exists struct{ path *Path }
	// comparison is operand, operator, operand.
	comparison struct {
		left, right operand
		op          operator
	}
	// matches is operand =~ /pattern/.
	matches struct {
		left    operand
		pattern *regexp.Regexp
	}
)

// operand is a path or a literal.
type operand struct {
	path    *Path // nil: the literal
	literal any
}

type operator uint8

const (
	opEqual operator = iota
	opNotEqual
	opSameTypeEqual
	opSameTypeNotEqual
	opLess
	opLessEqual
	opGreater
	opGreaterEqual
	opIn
	opNotIn
	opSubset
	opAnyOf
	opNoneOf
	opContains
	opSize
	opEmpty
	opMatches
)

// operators in the order in which they are tried: longer ones before their beginnings.
var operators = []struct {
	text string
	op   operator
}{
	{"===", opSameTypeEqual},
	{"!==", opSameTypeNotEqual},
	{"==", opEqual},
	{"!=", opNotEqual},
	{"=~", opMatches},
	{"<=", opLessEqual},
	{">=", opGreaterEqual},
	{"<", opLess},
	{">", opGreater},
	{"in", opIn},
	{"nin", opNotIn},
	{"subsetof", opSubset},
	{"anyof", opAnyOf},
	{"noneof", opNoneOf},
	{"contains", opContains},
	{"size", opSize},
	{"empty", opEmpty},
}

// filter reads what follows [?, up to the ].
func (c *compiler) filter() (test, *PathError) {
	if c.depth++; c.depth > maxFilterDepth {
		return nil, c.fail("filters are nested more than %d deep", maxFilterDepth)
	}
	c.space()
	t, err := c.either()
	c.depth--
	return t, err
}

func (c *compiler) either() (test, *PathError) {
	return c.chain("||", c.both, func(tests []test) test { return anyOf(tests) })
}

func (c *compiler) both() (test, *PathError) {
	return c.chain("&&", c.single, func(tests []test) test { return allOf(tests) })
}

// chain reads one test or several with an operator between them.
func (c *compiler) chain(operator string, next func() (test, *PathError), join func([]test) test) (test, *PathError) {
	var tests []test
	for {
		t, err := next()
		if err != nil {
			return nil, err
		}
		tests = append(tests, t)
		if c.space(); c.take(operator) {
			continue
		}
		if len(tests) == 1 {
			return t, nil
		}
		return join(tests), nil
	}
}

func (c *compiler) single() (test, *PathError) {
	if c.depth++; c.depth > maxFilterDepth {
		return nil, c.fail("filters are nested more than %d deep", maxFilterDepth)
	}
	defer func() { c.depth-- }()
	c.space()
	if c.next() == '!' {
		c.at++
		t, err := c.single()
		return negate{t}, err
	}
	if c.take("(") {
		t, err := c.either()
		if err != nil {
			return nil, err
		}
		if c.space(); !c.take(")") {
			return nil, c.fail("a ) should be here")
		}
		return t, nil
	}
	return c.comparison()
}

func (c *compiler) comparison() (test, *PathError) {
	start := c.at
	left, err := c.operand()
	if err != nil {
		return nil, err
	}
	c.space()
	op, found := c.operator()
	switch {
	case !found && left.path != nil:
		return exists{left.path}, nil
	case !found:
		c.at = start
		return nil, c.fail("a literal alone is no condition")
	}
	c.space()
	if op == opMatches {
		pattern, err := c.regexp()
		return matches{left, pattern}, err
	}
	right, err := c.operand()
	return comparison{left, right, op}, err
}

func (c *compiler) operator() (operator, bool) {
	for _, o := range operators {
		start := c.at
		if !c.take(o.text) {
			continue
		}
		if n := c.next(); o.op >= opIn && o.op <= opEmpty && (n >= 'a' && n <= 'z') { // another word
			c.at = start
			continue
		}
		return o.op, true
	}
	return 0, false
}

func (c *compiler) operand() (operand, *PathError) {
	switch c.next() {
	case '@', '$':
		p, err := c.path(true)
		return operand{path: p}, err
	case '\'', '"', '\\':
		s, err := c.quoted()
		return operand{literal: s}, err
	case '[', '{':
		return c.jsonLiteral()
	}
	p := parser{text: c.text, at: c.at}
	v, err := p.value()
	if err != nil || p.at == c.at {
		return operand{}, c.fail("a path such as @.name, a text in quotes, a number, true, false, null or a list should be here")
	}
	c.at = p.at
	return operand{literal: v}, nil
}

// jsonLiteral reads a list or an object. Texts in it may stand in single quotes.
func (c *compiler) jsonLiteral() (operand, *PathError) {
	if c.next() == '{' {
		p := parser{text: c.text, at: c.at}
		v, err := p.value()
		if err != nil {
			c.at = p.at
			return operand{}, c.fail("%s", err.What)
		}
		c.at = p.at
		return operand{literal: v}, nil
	}
	c.at++
	list := &Array{}
	for c.space(); !c.take("]"); c.space() {
		if len(list.Items) > 0 {
			if !c.take(",") {
				return operand{}, c.fail("a comma or a ] should be here")
			}
			c.space()
		}
		if c.next() == '[' || c.next() == '@' || c.next() == '$' {
			return operand{}, c.fail("a list in a filter holds plain values")
		}
		item, err := c.operand()
		if err != nil {
			return operand{}, err
		}
		list.Items = append(list.Items, item.literal)
	}
	return operand{literal: list}, nil
}

// regexp reads /pattern/ with its flags. It must match the whole text, as Java's Matcher.matches has it.
func (c *compiler) regexp() (*regexp.Regexp, *PathError) {
	start := c.at
	if !c.take("/") {
		return nil, c.fail("a regular expression such as /a.*/i should be here")
	}
	from := c.at
	for c.at < len(c.text) && c.text[c.at] != '/' {
		if c.text[c.at] == '\\' {
			c.at++
		}
		c.at++
	}
	if c.at >= len(c.text) {
		c.at = start
		return nil, c.fail("a regular expression without its closing /")
	}
	pattern := strings.ReplaceAll(c.text[from:c.at], `\/`, "/")
	c.at++
	flags := ""
	for strings.IndexByte("ims", c.next()) >= 0 && c.next() != 0 {
		flags += c.text[c.at : c.at+1]
		c.at++
	}
	if flags != "" {
		flags = "(?" + flags + ")"
	}
	re, err := regexp.Compile(`\A(?:` + flags + pattern + `)\z`)
	if err != nil {
		c.at = start
		return nil, c.fail("the regular expression does not parse (RE2 syntax): %v", err)
	}
	return re, nil
}

func (t allOf) holds(e *evaluation, v any) bool {
	for _, one := range t {
		if !one.holds(e, v) {
			return false
		}
	}
	return true
}

func (t anyOf) holds(e *evaluation, v any) bool {
	for _, one := range t {
		if one.holds(e, v) {
			return true
		}
	}
	return false
}

func (t negate) holds(e *evaluation, v any) bool { return !t.of.holds(e, v) }

func (t exists) holds(e *evaluation, v any) bool {
	_, found := e.operand(operand{path: t.path}, v)
	return found
}

func (t matches) holds(e *evaluation, v any) bool {
	left, found := e.operand(t.left, v)
	text, ok := left.(string)
	if !found || !ok {
		return false
	}
	e.step(1 + len(text)/8)
	return !e.spent() && t.pattern.MatchString(text)
}

func (t comparison) holds(e *evaluation, v any) bool {
	left, found := e.operand(t.left, v)
	right, found2 := e.operand(t.right, v)
	if !found || !found2 { // what is missing equals nothing
		return t.op == opNotEqual || t.op == opSameTypeNotEqual || t.op == opNotIn
	}
	switch t.op {
	case opEqual:
		return e.looseEqual(left, right)
	case opNotEqual:
		return !e.looseEqual(left, right)
	case opSameTypeEqual:
		return Equal(left, right, &e.left)
	case opSameTypeNotEqual:
		return !Equal(left, right, &e.left)
	case opLess, opLessEqual, opGreater, opGreaterEqual:
		return ordered(left, right, t.op)
	case opIn:
		return among(e, right, left)
	case opNotIn:
		return !among(e, right, left)
	case opContains:
		if s, ok := left.(string); ok {
			part, ok := right.(string)
			return ok && e.reads(s) && strings.Contains(s, part)
		}
		return among(e, left, right)
	case opSize:
		n, ok := e.size(left)
		order, isNumber := CompareNumbers(right, Integer(int64(n)))
		return ok && isNumber && order == 0
	case opEmpty:
		n, ok := e.size(left)
		want, isBool := right.(bool)
		return ok && isBool && (n == 0) == want
	default:
		return t.sets(e, left, right)
	}
}

// sets compares two lists as sets.
func (t comparison) sets(e *evaluation, left, right any) bool {
	a, ok := left.(*Array)
	if _, isList := right.(*Array); !ok || !isList {
		return false
	}
	some, all := false, true
	for _, item := range a.Items {
		if among(e, right, item) {
			some = true
		} else {
			all = false
		}
	}
	switch t.op {
	case opSubset:
		return all
	case opAnyOf:
		return some
	default: // noneof
		return !some
	}
}

// looseEqual is Jayway's ==: a text and a number are equal when the text is that number's.
func (e *evaluation) looseEqual(a, b any) bool {
	if s, ok := a.(string); ok {
		if _, isNumber := Float(b); isNumber {
			text, err := Append(nil, b, maxNumber)
			return err == nil && string(text) == s
		}
	}
	if s, ok := b.(string); ok {
		if _, isNumber := Float(a); isNumber && len(s) <= maxNumber {
			p := parser{text: s}
			v, err := p.number()
			return err == nil && p.at == len(s) && Equal(a, v, &e.left)
		}
	}
	return Equal(a, b, &e.left)
}

// ordered compares two numbers or two texts.
func ordered(a, b any, op operator) bool {
	order, ok := CompareNumbers(a, b)
	if !ok {
		s, isText := a.(string)
		t, isText2 := b.(string)
		if !isText || !isText2 {
			return false
		}
		order = strings.Compare(s, t)
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

func among(e *evaluation, list, item any) bool {
	a, ok := list.(*Array)
	if !ok {
		return false
	}
	e.step(len(a.Items))
	if e.spent() {
		return false
	}
	for _, one := range a.Items {
		if e.looseEqual(one, item) {
			return true
		}
	}
	return false
}

// reads counts the work of going through a text, and reports whether it may be done.
func (e *evaluation) reads(s string) bool {
	e.step(len(s) / 64)
	return !e.spent()
}

func (e *evaluation) size(v any) (int, bool) {
	switch v := v.(type) {
	case string:
		return utf8.RuneCountInString(v), e.reads(v)
	case *Array:
		return len(v.Items), true
	}
	return 0, false
}
