package vtl

import (
	"maps"
	"sync"

	"cleat/internal/jsonpath"
)

// renderer is one rendering. It leaves its recursion by a panic of *Error; see catch.
type renderer struct {
	in     *Input
	source *source // that the nodes under way stand in
	names  map[string]int
	macros map[string]*macro
	out    []byte
	start  int // of this template's output in out
	vars   []any
	loop   *loop  // the innermost #foreach
	args   []any  // a stack
	left   int    // steps
	mark   int    // of left: below it somebody wants to know
	limit  int    // of the length of what is being printed
	calls  int    // macros, definitions and #evaluate under way
	cloned bool   // names are the renderer's own
	room   []byte // for texts in the making, one after the other

	variables *jsonpath.Object // $stageVariables, made when it is asked for
	context   *contextObject   // $context, likewise: own
	own       contextObject
	text      []byte // room for another text in the making
}

// renderers are used again, for the room that they have made.
var renderers = sync.Pool{New: func() any { return new(renderer) }}

// mostRoom is how much a renderer that is used again keeps of each kind of room, in elements.
const mostRoom = 4 << 10

// keep gives a renderer back that holds nothing of its rendering any more but room.
func (r *renderer) keep() {
	clear(r.vars)
	clear(r.args[:cap(r.args)])
	vars, args, room, text := r.vars, r.args, r.room, r.text
	if cap(vars) > mostRoom || cap(args) > mostRoom || cap(room) > mostRoom || cap(text) > mostRoom {
		return
	}
	*r = renderer{vars: vars[:0], args: args[:0], room: room[:0], text: text[:0]}
	renderers.Put(r)
}

func (r *renderer) fail(at int, format string, args ...any) {
	err := errorAt(r.source.text, at, format, args...)
	err.What = r.source.where + err.What
	panic(err)
}

// step counts work done at a place.
func (r *renderer) step(at, n int) {
	if r.left -= n; r.left < r.mark {
		r.marked(at)
	}
}

// marked is called when left has fallen below mark.
func (r *renderer) marked(at int) {
	if r.mark > 0 {
		r.mark = 0
		r.in.Yield()
	}
	if r.left < 0 {
		r.fail(at, "the template takes more than %d steps for this event; shorten its loops or its texts", maxSteps)
	}
}

// made counts the bytes of a text that was made, and refuses one that is too long.
func (r *renderer) made(at, bytes int) {
	if bytes > maxOutput {
		r.fail(at, "a text of more than %d bytes", maxOutput)
	}
	r.step(at, 1+bytes/bytesPerStep)
}

func (r *renderer) write(at int, text string) {
	if len(r.out)-r.start+len(text) > maxOutput {
		r.fail(at, "the template's output is longer than %d bytes", maxOutput)
	}
	r.step(at, len(text)/bytesPerStep)
	r.out = append(r.out, text...)
}

// enter counts what calls itself.
func (r *renderer) enter(at int, what string) {
	if r.calls++; r.calls > maxCalls {
		r.fail(at, "%s calls itself, or others, more than %d deep", what, maxCalls)
	}
}

func (r *renderer) leave() { r.calls-- }

func (r *renderer) block(b block) flow {
	for _, n := range b {
		if f := n.render(r); f != flowNext {
			return f
		}
	}
	return flowNext
}

// blockOf renders a block that stands in another text, perhaps.
func (r *renderer) blockOf(from *source, b block) flow {
	here := r.source
	r.source = from
	f := r.block(b)
	r.source = here
	return f
}

// capture renders a block into a text of its own. A #break or #stop ends the block and no more.
func (r *renderer) capture(at int, b block) string {
	out, start := r.out, r.start
	r.out, r.start = nil, 0
	r.block(b)
	text := string(r.out)
	r.out, r.start = out, start
	r.made(at, len(text))
	return text
}

func (n textNode) render(r *renderer) flow {
	r.write(n.at, n.text)
	return flowNext
}

// render prints what the reference leads to. Backslashes before it escape it, if it leads anywhere.
func (f *reference) render(r *renderer) flow {
	if text, ok := f.direct(r); ok {
		r.write(f.at, text)
		return flowNext
	}
	v := f.eval(r)
	if f.escapes > 0 {
		switch {
		case undefined(v) && f.escapes%2 == 1:
			r.write(f.at, f.backslashes(f.escapes)+f.source)
			return flowNext
		case undefined(v):
			r.write(f.at, f.backslashes(f.escapes))
		case f.escapes%2 == 1:
			r.write(f.at, f.backslashes(f.escapes/2)+f.source)
			return flowNext
		default:
			r.write(f.at, f.backslashes(f.escapes/2))
		}
	}
	switch v := v.(type) {
	case nil:
		r.write(f.at, undefinedText)
	case string:
		r.write(f.at, v)
	case *definition:
		r.enter(f.at, "a #define")
		flow := r.blockOf(v.from, v.body)
		r.leave()
		if flow == flowStop {
			return flow
		}
	default:
		r.print(f.at, v)
	}
	return flowNext
}

func (f *reference) backslashes(n int) string {
	out := make([]byte, n)
	for i := range out {
		out[i] = '\\'
	}
	return string(out)
}

func (n *setNode) render(r *renderer) flow {
	v := n.value.eval(r)
	if v == nil && !setTakesNull {
		return flowNext
	}
	r.assign(n.target, v)
	return flowNext
}

// assign puts a value where a reference leads. What cannot be assigned to is left alone, as in Velocity.
func (r *renderer) assign(to *reference, v any) {
	if len(to.links) == 0 {
		r.vars[to.slot] = v
		return
	}
	last := len(to.links) - 1
	owner := r.variable(to.slot)
	for i := range last {
		owner = r.follow(owner, &to.links[i])
	}
	l := &to.links[last]
	var key any = l.name
	if l.kind == linkIndex {
		key = l.args[0].eval(r)
	}
	r.put(l.at, owner, key, v)
}

// put is #set($owner.key = v).
func (r *renderer) put(at int, owner, key, v any) {
	switch o := owner.(type) {
	case *jsonpath.Object:
		o.Set(r.string(at, key), v)
	case *contextObject:
		o.set(r.string(at, key), v)
	case *jsonpath.Array:
		if i, ok := key.(int32); ok {
			o.Items[r.index(at, int(i), len(o.Items))] = v
		}
	}
}

func (n *ifNode) render(r *renderer) flow {
	for i := range n.branches {
		b := &n.branches[i]
		if b.condition == nil || r.holds(b.condition) {
			return r.block(b.body)
		}
	}
	return flowNext
}

// loop is a #foreach under way, and $foreach.
type loop struct {
	items  []any
	index  int
	parent *loop
}

func (n *foreachNode) render(r *renderer) flow {
	items := r.items(n.at, n.in.eval(r))
	if len(items) == 0 {
		return flowNext
	}
	if longLoopFails && len(items) > maxIterations {
		r.fail(n.at, "#foreach over %d elements; %d are possible", len(items), maxIterations)
	}
	before := r.vars[n.slot]
	r.loop = &loop{items: items[:min(len(items), maxIterations)], parent: r.loop}
	defer func() { r.loop, r.vars[n.slot] = r.loop.parent, before }()
	for i := range r.loop.items {
		r.step(n.at, 1)
		r.loop.index = i
		r.vars[n.slot] = items[i]
		switch r.block(n.body) {
		case flowBreak:
			return flowNext
		case flowStop:
			return flowStop
		case flowNext:
		}
	}
	return flowNext
}

// items are what #foreach goes through: of a map its values, of what cannot be gone through nothing.
func (r *renderer) items(at int, v any) []any {
	switch v := v.(type) {
	case *jsonpath.Array:
		return v.Items
	case *jsonpath.Object:
		r.step(at, v.Len())
		return values(v)
	case *iterator:
		rest := v.items[v.next:]
		v.next = len(v.items)
		return rest
	case *contextObject:
		return values(v.whole())
	}
	return nil
}

func values(o *jsonpath.Object) []any {
	out := make([]any, 0, o.Len())
	for _, m := range o.Members() {
		out = append(out, m.Value)
	}
	return out
}

func (n flowNode) render(*renderer) flow { return flow(n) }

// render calls the macro: its parameters are variables of their own for as long as it runs, all others the template's.
func (n *callNode) render(r *renderer) flow {
	if !n.macro.defined {
		r.write(n.at, n.source)
		return flowNext
	}
	r.enter(n.at, "a macro")
	before := make([]any, len(n.macro.params))
	args := make([]any, len(n.macro.params))
	for i := range min(len(args), len(n.args)) {
		args[i] = n.args[i].eval(r)
	}
	for i, slot := range n.macro.params {
		before[i], r.vars[slot] = r.vars[slot], args[i]
	}
	f := r.blockOf(n.macro.from, n.macro.body)
	for i, slot := range n.macro.params {
		r.vars[slot] = before[i]
	}
	r.leave()
	if f == flowBreak {
		return flowNext
	}
	return f
}

func (n *defineNode) render(r *renderer) flow {
	r.vars[n.slot] = n.body
	return flowNext
}

// render parses a text as a template and renders it in place. It sees and sets the variables of this one.
func (n *evaluateNode) render(r *renderer) flow {
	text := r.string(n.at, n.text.eval(r))
	r.enter(n.at, "#evaluate")
	r.step(n.at, len(text))
	if !r.cloned {
		r.names, r.cloned = maps.Clone(r.names), true
	}
	place := errorAt(r.source.text, n.at, "")
	where := r.source.where + "(in #evaluate of line " + itoa(place.Line) + ", column " + itoa(place.Column) + ") "
	inner := &Template{source: &source{text, where}, names: r.names, macros: maps.Clone(r.macros)}
	if err := inner.parse(); err != nil {
		r.fail(n.at, "in the text of #evaluate: %v", err)
	}
	for len(r.vars) < len(r.names) {
		r.vars = append(r.vars, nil)
	}
	macros := r.macros
	r.macros = inner.macros
	f := r.blockOf(inner.source, inner.body)
	r.macros = macros
	r.leave()
	return f
}
