package vtl

import (
	"regexp"
	"slices"
	"strings"
)

// parser reads a template's text from at to end. It leaves its recursion by a panic of *Error; see catch.
type parser struct {
	source  *source
	text    string // the source's, but in a string with doubled quotes
	at, end int
	fixed   int  // when not zero, one more than the place in the source that all of this text has
	quoted  bool // the text is that of a string: a $ may be its last character
	nesting int
	ended   int // where the directive stands that ended the last block
	names   map[string]int
	macros  map[string]*macro
	changes bool
}

func (p *parser) fail(at int, format string, args ...any) {
	if p.fixed > 0 {
		panic(errorAt(p.source.text, p.fixed-1, format, args...))
	}
	panic(errorAt(p.text, at, format, args...))
}

// place is what nodes keep of where they stand.
func (p *parser) place(at int) int {
	if p.fixed > 0 {
		return p.fixed - 1
	}
	return at
}

func (p *parser) enter(at int) {
	if p.nesting++; p.nesting > maxNesting {
		p.fail(at, "blocks and expressions are nested more than %d deep", maxNesting)
	}
}

func (p *parser) leave() { p.nesting-- }

func (p *parser) slot(name string) int {
	slot, ok := p.names[name]
	if !ok {
		slot = len(p.names)
		p.names[name] = slot
	}
	return slot
}

// peek returns the byte that is ahead by so many, zero beyond the end.
func (p *parser) peek(ahead int) byte {
	if p.at+ahead < p.end {
		return p.text[p.at+ahead]
	}
	return 0
}

func (p *parser) take(s string) bool {
	if strings.HasPrefix(p.text[p.at:p.end], s) {
		p.at += len(s)
		return true
	}
	return false
}

func letter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }

func nameByte(c byte) bool {
	return letter(c) || '0' <= c && c <= '9' || c == '_' || hyphenInNames && c == '-'
}

// name reads a name, or nothing.
func (p *parser) name() string {
	start := p.at
	if letter(p.peek(0)) {
		for nameByte(p.peek(0)) {
			p.at++
		}
	}
	return p.text[start:p.at]
}

// nameAt returns the name that begins at a place, without going there.
func (p *parser) nameAt(at int) string {
	end := at
	if at < p.end && letter(p.text[at]) {
		for end < p.end && nameByte(p.text[end]) {
			end++
		}
	}
	return p.text[at:end]
}

var macroHead = regexp.MustCompile(`#(?:macro|\{macro\})\s*\(\s*([a-zA-Z][a-zA-Z0-9_-]*)`)

// findMacros makes macros known to calls that stand before them.
func (p *parser) findMacros() {
	for _, m := range macroHead.FindAllStringSubmatch(p.text[:p.end], -1) {
		if p.macros[m[1]] == nil {
			p.macros[m[1]] = new(macro)
		}
	}
}

// gathering is a block in the making.
type gathering struct {
	*parser
	out      block
	textFrom int // the text that is not in out yet begins here, behind a reference or a directive
}

// flush puts the text up to a place in.
func (g *gathering) flush(to int) {
	if to > g.textFrom {
		g.out = append(g.out, textNode{g.place(g.textFrom), g.text[g.textFrom:to]})
	}
}

// add puts in what was read from a place to where the parser is now. A nil node is nothing but this.
func (g *gathering) add(n node) {
	if n != nil {
		g.out = append(g.out, n)
	}
	g.textFrom = g.at
}

// block reads text and directives until the end, or until one of the directives that end a block of owner: #end, or in
// an #if #else and #elseif. It returns that directive's name, and has gone past it. The owner stands at a place.
func (p *parser) block(owner string, place int) (block, string) {
	p.enter(p.at)
	defer p.leave()
	g := gathering{parser: p, textFrom: p.at}
	for p.at < p.end {
		at := p.at
		switch c := p.text[at]; {
		case c == '$':
			if n := p.textReference(0); n != nil {
				g.flush(at)
				g.add(n)
			}
		case c == '\\':
			if n := p.escaped(); n != nil {
				g.flush(at)
				g.add(n)
			}
		case c != '#':
			p.at++
		case p.comment():
			g.flush(at)
			g.add(nil)
		default:
			if ended := g.directive(owner); ended != "" {
				return g.out, ended
			}
		}
	}
	if owner != "" {
		p.fail(place, "%s without its #end", owner)
	}
	g.flush(p.end)
	return g.out, ""
}

// directive reads what a # begins, if only itself. It returns the directive's name if that ends the block.
func (g *gathering) directive(owner string) (ended string) {
	at := g.at
	kind, length := g.directiveAt(at)
	switch kind {
	case "":
		g.at++
		return ""
	case "end", "else", "elseif":
		if owner == "" || kind != "end" && owner != "#if" {
			g.fail(at, "#%s without a directive that it belongs to", kind)
		}
		ended = kind
		g.ended = at
	}
	// Blanks alone vanish before a #set.
	if kind != "set" || strings.Trim(g.text[g.textFrom:at], " \t") != "" {
		g.flush(at)
	}
	g.at += length
	if ended == "" {
		g.add(g.parser.directive(kind, at))
	}
	return ended
}

// comment goes past a comment or reports that there is none. A line's comment takes the line's end with it.
func (p *parser) comment() bool {
	at := p.at
	switch {
	case p.take("##"):
		rest := p.text[p.at:p.end]
		i := strings.IndexAny(rest, "\r\n")
		if i < 0 {
			p.at = p.end
			return true
		}
		p.at += i
		p.newline()
		return true
	case p.take("#*"):
		i := strings.Index(p.text[p.at:p.end], "*#")
		if i < 0 {
			p.fail(at, "a comment #* without its *#")
		}
		p.at += i + len("*#")
		return true
	}
	return false
}

func (p *parser) newline() bool { return p.take("\r\n") || p.take("\n") || p.take("\r") }

// endOfHead goes past blanks and the line's end behind a directive's head, unless something else follows on the line.
func (p *parser) endOfHead() {
	start := p.at
	for p.peek(0) == ' ' || p.peek(0) == '\t' {
		p.at++
	}
	if !p.newline() {
		p.at = start
	}
}

var directives = []string{"set", "if", "elseif", "else", "end", "foreach", "break", "stop", "macro", "define", "evaluate", "include", "parse"}

// directiveAt returns which directive a # begins, and the length of its name with all before it. Empty: none.
func (p *parser) directiveAt(at int) (kind string, length int) {
	if strings.HasPrefix(p.text[at:p.end], "#[[") {
		return "[[", len("#[[")
	}
	name, length := p.nameAt(at+1), 0
	if name != "" {
		length = 1 + len(name)
	} else if at+1 < p.end && p.text[at+1] == '{' {
		name = p.nameAt(at + 2)
		if end := at + 2 + len(name); name == "" || end >= p.end || p.text[end] != '}' {
			return "", 0
		}
		length = len("#{}") + len(name)
	}
	next := strings.TrimLeft(p.text[at+length:p.end], " \t")
	switch {
	case slices.Contains(directives, name):
		if name == "set" && !strings.HasPrefix(next, "(") {
			return "", 0
		}
		return name, length
	case p.macros[name] != nil && strings.HasPrefix(next, "("):
		return name, length
	}
	return "", 0
}

// directive reads what follows a directive's name. A directive that renders nothing gives no node.
func (p *parser) directive(kind string, at int) node {
	switch kind {
	case "[[":
		i := strings.Index(p.text[p.at:p.end], "]]#")
		if i < 0 {
			p.fail(at, "a literal block #[[ without its ]]#")
		}
		text := p.text[p.at : p.at+i]
		p.at += i + len("]]#")
		return textNode{p.place(at), text}
	case "set":
		return p.set(at)
	case "if":
		return p.ifDirective(at)
	case "foreach":
		return p.foreach(at)
	case "break":
		p.endOfHead()
		return flowNode(flowBreak)
	case "stop":
		p.endOfHead()
		return flowNode(flowStop)
	case "macro":
		p.defineMacro(at)
		return nil
	case "define":
		return p.define(at)
	case "evaluate":
		p.changes = true // nobody knows
		p.open(at, "#evaluate")
		text := p.expression()
		p.close("#evaluate")
		return &evaluateNode{p.place(at), text}
	case "include", "parse":
		p.fail(at, "#%s is not possible in a mapping template: there are no files", kind)
	}
	return p.call(kind, at)
}

// open and close read the parentheses of a directive's head.
func (p *parser) open(at int, directive string) {
	p.space()
	if !p.take("(") {
		p.fail(at, "%s must be followed by (", directive)
	}
	p.space()
}

func (p *parser) close(directive string) {
	p.space()
	if !p.take(")") {
		p.fail(p.at, "%s where the ) of %s should be", p.found(), directive)
	}
	p.endOfHead()
}

// found says what stands at the current place.
func (p *parser) found() string {
	if p.at >= p.end {
		return "the end"
	}
	return "“" + excerpt(p.text[p.at:min(p.end, p.at+12)]) + "”"
}

func (p *parser) space() {
	for c := p.peek(0); c == ' ' || c == '\t' || c == '\n' || c == '\r'; c = p.peek(0) {
		p.at++
	}
}

// variable reads the $name that a directive needs, and nothing behind it.
func (p *parser) variable(directive string) int {
	at := p.at
	if !p.take("$") {
		p.fail(at, "%s where the variable of %s should be, such as $x", p.found(), directive)
	}
	p.take("!")
	brace := p.take("{")
	name := p.name()
	if name == "" || brace && !p.take("}") {
		p.fail(at, "%s needs a plain variable, such as $x", directive)
	}
	return p.slot(name)
}

func (p *parser) set(at int) node {
	p.open(at, "#set")
	target := p.at
	if p.peek(0) != '$' {
		p.fail(target, "%s where the variable of #set should be, such as $x", p.found())
	}
	ref := p.reference(0)
	if ref == nil || len(ref.links) > 0 && ref.links[len(ref.links)-1].kind == linkCall {
		p.fail(target, "#set cannot assign to “%s”: want $x, $x.name or $x[\"name\"]", excerpt(p.text[target:p.at]))
	}
	p.changes = p.changes || len(ref.links) > 0 && ref.slot != slotContext
	p.space()
	if !p.take("=") {
		p.fail(p.at, "%s where the = of #set should be", p.found())
	}
	value := p.expression()
	p.close("#set")
	return &setNode{p.place(at), ref, value}
}

func (p *parser) ifDirective(at int) node {
	n := new(ifNode)
	for owner := "#if"; ; owner, at = "#"+owner, p.ended {
		var b branch
		body := "#if" // which #elseif and #else may end
		if owner == "#else" {
			p.endOfHead()
			body = owner
		} else {
			p.open(at, owner)
			b.condition = p.expression()
			p.close(owner)
		}
		b.body, owner = p.block(body, at)
		n.branches = append(n.branches, b)
		if owner == "end" {
			p.endOfHead()
			return n
		}
	}
}

func (p *parser) foreach(at int) node {
	p.open(at, "#foreach")
	slot := p.variable("#foreach")
	p.space()
	if p.name() != "in" {
		p.fail(p.at, "#foreach must be written #foreach($x in $list)")
	}
	in := p.expression()
	p.close("#foreach")
	body, _ := p.block("#foreach", at)
	p.endOfHead()
	return &foreachNode{p.place(at), slot, in, body}
}

func (p *parser) defineMacro(at int) {
	p.open(at, "#macro")
	name := p.name()
	if name == "" || slices.Contains(directives, name) {
		p.fail(at, "#macro needs a name of its own, as in #macro(quote $x)")
	}
	m := p.macros[name]
	if m == nil {
		m = new(macro)
		p.macros[name] = m
	}
	var params []int
	for p.separator(); p.peek(0) == '$'; p.separator() {
		params = append(params, p.variable("#macro"))
	}
	p.close("#macro")
	body, _ := p.block("#macro", at)
	p.endOfHead()
	*m = macro{true, p.source, params, body}
}

// separator goes past what may stand between a macro's arguments.
func (p *parser) separator() {
	for p.space(); p.take(","); p.space() {
	}
}

func (p *parser) call(name string, at int) node {
	n := &callNode{at: p.place(at), macro: p.macros[name]}
	p.open(at, "#"+name)
	for p.separator(); p.at < p.end && p.peek(0) != ')'; p.separator() {
		n.args = append(n.args, p.primary())
	}
	if !p.take(")") {
		p.fail(at, "#%s( without its )", name)
	}
	n.source = p.text[at:p.at]
	p.endOfHead()
	return n
}

func (p *parser) define(at int) node {
	p.open(at, "#define")
	slot := p.variable("#define")
	p.close("#define")
	body, _ := p.block("#define", at)
	p.endOfHead()
	return &defineNode{slot, &definition{p.source, p.place(at), body}}
}

// escaped reads backslashes before a reference or a directive. Other backslashes are text, and it goes past them.
func (p *parser) escaped() node {
	start := p.at
	for p.peek(0) == '\\' {
		p.at++
	}
	count := p.at - start
	switch p.peek(0) {
	case '$':
		at := p.at
		if n := p.textReference(count); n != nil {
			return n
		}
		p.at = at
	case '#':
		kind, length := p.directiveAt(p.at)
		if kind == "" || kind == "[[" {
			return nil
		}
		halved := strings.Repeat(`\`, count/2)
		if count%2 == 0 { // the directive itself follows
			return textNode{p.place(start), halved}
		}
		name := p.text[p.at : p.at+length]
		p.at += length
		return textNode{p.place(start), halved + name}
	}
	return nil
}
