package vtl

import (
	"math/big"
	"strconv"
	"strings"

	"cleat/internal/jsonpath"
)

// textReference reads a reference in text. Where none begins it goes past the $ and returns nil.
func (p *parser) textReference(escapes int) node {
	at := p.at
	if ref := p.reference(escapes); ref != nil {
		return ref
	}
	if p.at = at + 1; p.at == p.end && !p.quoted {
		p.fail(at, "a $ as the last character does not parse in Velocity; write #set($D = '$') and then ${D}")
	}
	return nil
}

// reference reads $name, $!name, ${name} or $!{name} with what follows, or returns nil where none of them begins.
func (p *parser) reference(escapes int) *reference {
	at := p.at
	p.at++
	p.take("!")
	brace := p.take("{")
	name := p.name()
	if name == "" {
		p.at = at
		return nil
	}
	p.enter(at)
	ref := &reference{at: p.place(at), slot: p.slot(name), escapes: escapes}
	for {
		start := p.at
		l := link{at: p.place(start)}
		switch {
		case p.peek(0) == '.' && letter(p.peek(1)):
			p.at++
			l.name = p.name()
			if p.peek(0) == '(' {
				l.kind = linkCall
				p.at++
				l.args = p.list(')', "the call of "+l.name+"()")
				p.prepareCall(ref, &l)
			}
		case p.peek(0) == '[':
			p.at++
			l.kind = linkIndex
			l.args = []expression{p.expression()}
			if p.space(); !p.take("]") {
				p.fail(start, "a [ behind a reference begins an index, and its ] is missing; for a bracket of text write ${%s}[", name)
			}
		default:
			if brace && !p.take("}") {
				p.fail(p.at, "%s where the } of ${%s should be", p.found(), name)
			}
			p.leave()
			ref.source = p.text[at:p.at]
			ref.text = ref.contextText()
			return ref
		}
		ref.links = append(ref.links, l)
	}
}

// changing are the methods that change what they are called on.
var changing = map[string]bool{"put": true, "putAll": true, "remove": true, "set": true, "add": true, "addAll": true, "clear": true}

// prepareCall compiles once what a call would otherwise compile for every event.
func (p *parser) prepareCall(ref *reference, l *link) {
	p.changes = p.changes || changing[l.name]
	if len(l.args) == 0 {
		return
	}
	constant, ok := l.args[0].(*literal)
	if !ok {
		return
	}
	text, ok := constant.value.(string)
	switch {
	case !ok:
	case ref.slot == slotInput && len(ref.links) == 0 && (l.name == "path" || l.name == "json"):
		path, err := jsonpath.Compile(text)
		if err != nil {
			p.fail(l.at, "%v", err)
		}
		l.path = path
	case patternMethods[l.name]:
		pattern, err := compilePattern(l.name, text)
		if err != nil {
			p.fail(l.at, "%s: %v", l.name, err)
		}
		l.regex = pattern
	}
}

// list reads expressions between commas up to an end that it goes past.
func (p *parser) list(end byte, of string) []expression {
	start := p.at
	var out []expression
	for p.space(); p.peek(0) != end; p.space() {
		if len(out) > 0 && !p.take(",") {
			p.fail(p.at, "%s where a comma or the %c of %s should be", p.found(), end, of)
		}
		if p.at >= p.end {
			p.fail(start, "%s has no %c", of, end)
		}
		out = append(out, p.expression())
	}
	p.at++
	return out
}

// levels are the binary operators, those that bind least first; longer ones before their beginnings.
var levels = [][]struct {
	text string
	op   operator
}{
	{{"||", opOr}, {"or", opOr}},
	{{"&&", opAnd}, {"and", opAnd}},
	{{"==", opEqual}, {"!=", opNotEqual}, {"eq", opEqual}, {"ne", opNotEqual}},
	{{"<=", opLessEqual}, {">=", opGreaterEqual}, {"<", opLess}, {">", opGreater}, {"le", opLessEqual}, {"ge", opGreaterEqual}, {"lt", opLess}, {"gt", opGreater}},
	{{"+", opAdd}, {"-", opSubtract}},
	{{"*", opMultiply}, {"/", opDivide}, {"%", opModulo}},
}

func (p *parser) expression() expression { return p.binary(0) }

func (p *parser) binary(level int) expression {
	if level == len(levels) {
		return p.unary()
	}
	left := p.binary(level + 1)
	for n := 0; ; n++ {
		p.space()
		at := p.at
		op := p.operator(level)
		if op == opNone {
			return left
		}
		if n > maxNesting*10 {
			p.fail(at, "an expression of more than %d operators", maxNesting*10)
		}
		left = &binary{p.place(at), op, left, p.binary(level + 1)}
	}
}

func (p *parser) operator(level int) operator {
	for _, o := range levels[level] {
		start := p.at
		if !p.take(o.text) {
			continue
		}
		if letter(o.text[0]) && nameByte(p.peek(0)) {
			p.at = start
			continue
		}
		return o.op
	}
	return opNone
}

func (p *parser) unary() expression {
	p.space()
	at := p.at
	if p.take("!") || p.word("not") {
		p.enter(at)
		defer p.leave()
		return &notExpression{p.unary()}
	}
	return p.primary()
}

// word goes past a name, if it is the one that is next.
func (p *parser) word(w string) bool {
	if p.nameAt(p.at) == w {
		p.at += len(w)
		return true
	}
	return false
}

func (p *parser) primary() expression {
	p.space()
	at := p.at
	p.enter(at)
	defer p.leave()
	switch c := p.peek(0); {
	case c == '$':
		if ref := p.reference(0); ref != nil {
			return ref
		}
		p.fail(at, "%s is no reference: a name begins with a letter", p.found())
	case c == '"' || c == '\'':
		return p.stringLiteral()
	case c == '(':
		p.at++
		e := p.expression()
		if p.space(); !p.take(")") {
			p.fail(p.at, "%s where a ) should be", p.found())
		}
		return e
	case c == '[':
		return p.listOrRange()
	case c == '{':
		return p.mapLiteral()
	case c >= '0' && c <= '9' || c == '-' || c == '.':
		return p.number()
	case p.word("true"):
		return &literal{value: true}
	case p.word("false"):
		return &literal{value: false}
	case p.word("null"):
		p.fail(at, "there is no null in a template; a name that is set nowhere, such as $null, is one")
	}
	p.fail(at, "%s where a value should be: a reference, a text in quotes, a number, true, false, [list] or {map}", p.found())
	return nil
}

func (p *parser) number() expression {
	start := p.at
	p.take("-")
	digits := func() bool {
		from := p.at
		for c := p.peek(0); c >= '0' && c <= '9'; c = p.peek(0) {
			p.at++
		}
		return p.at > from
	}
	whole := digits()
	integer := true
	if p.peek(0) == '.' && p.peek(1) != '.' && !letter(p.peek(1)) {
		p.at++
		integer = false
		whole = digits() || whole
	}
	if c := p.peek(0); whole && (c == 'e' || c == 'E') {
		mark := p.at
		p.at++
		if c := p.peek(0); c == '+' || c == '-' {
			p.at++
		}
		if digits() {
			integer = false
		} else {
			p.at = mark
		}
	}
	text := p.text[start:p.at]
	if !whole || len(text) > 300 {
		p.fail(start, "“%s” is no number; to negate a value write 0 - $x", excerpt(text))
	}
	if !integer {
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			p.fail(start, "%s is too large for a number with a fraction", text)
		}
		return &literal{value: f, never: f == 0}
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return &literal{value: jsonpath.Integer(n), never: n == 0}
	}
	n, _ := new(big.Int).SetString(text, 10) // nothing but digits
	return &literal{value: n}
}

// stringLiteral reads 'text', or "text" in which references and directives have their meaning. A doubled quote stands
// for one.
func (p *parser) stringLiteral() expression {
	start := p.at
	quote := p.text[start]
	p.at++
	doubled := false
	for {
		i := strings.IndexByte(p.text[p.at:p.end], quote)
		if i < 0 {
			p.fail(start, "a text without its closing %c", quote)
		}
		if p.at += i + 1; p.peek(0) != quote {
			break
		}
		doubled = true
		p.at++
	}
	from, to := start+1, p.at-1
	text := p.text[from:to]
	if quote == '\'' || !strings.ContainsAny(text, "$#") {
		if doubled {
			text = strings.ReplaceAll(text, string([]byte{quote, quote}), string(quote))
		}
		return &literal{value: text, never: text == ""}
	}
	inner := *p
	inner.at, inner.end, inner.quoted = from, to, true
	if doubled { // places in the text are then not those of the template
		if p.fixed == 0 {
			inner.fixed = start + 1
		}
		inner.text = strings.ReplaceAll(text, `""`, `"`)
		inner.at, inner.end = 0, len(inner.text)
	}
	body, _ := inner.block("", 0)
	p.changes = inner.changes
	if len(body) == 1 {
		if only, ok := body[0].(textNode); ok { // no reference after all
			return &literal{value: only.text, never: only.text == ""}
		}
	}
	return &interpolated{p.place(start), body}
}

func (p *parser) listOrRange() expression {
	start := p.at
	p.at++
	if p.space(); p.take("]") {
		return new(listLiteral)
	}
	first := p.expression()
	if p.space(); p.take("..") {
		last := p.expression()
		if p.space(); !p.take("]") {
			p.fail(p.at, "%s where the ] of a range should be", p.found())
		}
		return &rangeLiteral{p.place(start), first, last}
	}
	if p.take("]") {
		return &listLiteral{[]expression{first}}
	}
	if !p.take(",") {
		p.fail(p.at, "%s where a comma, .. or the ] of a list should be", p.found())
	}
	return &listLiteral{append([]expression{first}, p.list(']', "a list")...)}
}

func (p *parser) mapLiteral() expression {
	start := p.at
	p.at++
	m := &mapLiteral{at: p.place(start)}
	for p.space(); !p.take("}"); p.space() {
		if p.at >= p.end {
			p.fail(start, "a map has no }")
		}
		if len(m.keys) > 0 && !p.take(",") {
			p.fail(p.at, "%s where a comma or the } of a map should be", p.found())
		}
		m.keys = append(m.keys, p.expression())
		if p.space(); !p.take(":") {
			p.fail(p.at, "%s where the : of a map should be", p.found())
		}
		m.values = append(m.values, p.expression())
	}
	return m
}
