package vtl

import (
	"slices"

	"cleat/internal/apigw"
)

// Template is a parsed mapping template. It is immutable and safe for concurrent use.
type Template struct {
	source  *source
	body    block
	names   map[string]int // slots of variables
	macros  map[string]*macro
	changes bool
}

// Slots of the names that are always there.
const (
	slotInput = iota
	slotContext
	slotUtil
	slotStageVariables
	slotForeach
	slotVelocityCount
	slotVelocityHasNext
	reservedSlots
)

func reservedNames() map[string]int {
	return map[string]int{
		"input": slotInput, "context": slotContext, "util": slotUtil, "stageVariables": slotStageVariables,
		"foreach": slotForeach, "velocityCount": slotVelocityCount, "velocityHasNext": slotVelocityHasNext,
	}
}

// Parse reads a template. The error is an *Error.
func Parse(text string) (*Template, error) {
	if len(text) > apigw.QuotaTemplate {
		return nil, errorAt(text, apigw.QuotaTemplate, "the template is longer than %d KB", apigw.QuotaTemplate>>10)
	}
	t := &Template{source: &source{text: text}, names: reservedNames(), macros: map[string]*macro{}}
	if err := t.parse(); err != nil {
		return nil, err
	}
	return t, nil
}

// parse reads the template's text. It adds to its names and macros.
func (t *Template) parse() (err error) {
	defer catch(&err)
	p := &parser{source: t.source, text: t.source.text, end: len(t.source.text), names: t.names, macros: t.macros}
	p.findMacros()
	t.body, _ = p.block("", 0)
	t.changes = p.changes
	return nil
}

// Changes reports whether the template may change the document that $input.path leads into, as $list.add(1) does.
func (t *Template) Changes() bool { return t.changes }

// likelyOutput is for how much output Render makes room before it has any, in bytes: about what stands in the template.
const likelyOutput = 4 << 10

// Render appends the template's text for one event to dst, and notes in in.Overrides what the template overrode. It
// keeps nothing of in. The error is an *Error; dst is then of no use.
func (t *Template) Render(dst []byte, in *Input) (out []byte, err error) {
	if text, ok := t.Constant(); ok {
		return append(dst, text...), nil
	}
	r, _ := renderers.Get().(*renderer)
	r.in, r.source, r.names, r.macros, r.left = in, t.source, t.names, t.macros, maxSteps
	r.out, r.start = slices.Grow(dst, min(len(t.source.text), likelyOutput)), len(dst)
	if in.Yield != nil {
		r.mark = maxSteps - quickSteps
	}
	r.vars = slices.Grow(r.vars, len(t.names))[:len(t.names)]
	defer catch(&err) // a renderer that failed is not used again
	r.block(t.body)
	in.Overrides.take(r)
	out = r.out
	r.keep()
	return out, nil
}

// Constant returns the text of a template that is the same for every event, such as the {"statusCode": 200} of a MOCK
// integration.
func (t *Template) Constant() (text string, ok bool) {
	if len(t.body) != 1 {
		return "", false
	}
	all, ok := t.body[0].(textNode)
	return all.text, ok
}
