package jsonpath

import (
	"fmt"
	"strconv"
	"strings"
)

// MaxPath is how long a path may be, in bytes.
const MaxPath = 4096

// Path is a compiled path.
type Path struct {
	text     string
	steps    []step
	function function // zero: none
	relative bool     // begins with @
}

// step goes from a value to what is below it.
type step struct {
	kind     stepKind
	deep     bool // written after "..": from the value itself and all below it
	name     string
	names    []string
	index    int
	indices  []int
	from, to *int
	filter   test
}

type stepKind uint8

const (
	stepName stepKind = iota
	stepNames
	stepIndex
	stepIndices
	stepSlice
	stepWildcard
	stepFilter
)

// definite reports whether a step leads to one value at most. Several names do at a path's end only, where they make
// one object.
func (s *step) definite(last bool) bool {
	return !s.deep && (s.kind == stepName || s.kind == stepNames && last || s.kind == stepIndex)
}

// PathError is what is wrong with a path.
type PathError struct {
	Path   string
	Offset int // of the byte where it is wrong
	What   string
}

func (e *PathError) Error() string {
	return fmt.Sprintf("JSONPath %q, character %d: %s", e.Path, e.Offset+1, e.What)
}

// Compile reads a path: $ is the document; after it come .name, ['name'], ['a','b'], [0], [-1], [0,2], [1:3], [*], .*,
// ..name and [?(@.price < 10 && @.name =~ /c.*/i)], and at the end perhaps .length(), .min(), .max(), .avg() or .sum().
// A path that begins with neither $ nor @ begins with a name, as Jayway has it. The error is a *PathError.
func Compile(text string) (*Path, error) {
	if len(text) > MaxPath {
		return nil, &PathError{text[:16] + "…", MaxPath, fmt.Sprintf("it is longer than %d characters", MaxPath)}
	}
	c := &compiler{text: text}
	p, err := c.whole()
	if err != nil {
		return nil, err
	}
	return p, nil
}

// String is the path as it was written.
func (p *Path) String() string { return p.text }

// Definite reports whether the path leads to one value at most. Any other gives a list, of no values perhaps.
func (p *Path) Definite() bool {
	if p.function != noFunction {
		return true
	}
	return p.definiteSteps()
}

func (p *Path) definiteSteps() bool {
	for i := range p.steps {
		if !p.steps[i].definite(i == len(p.steps)-1) {
			return false
		}
	}
	return true
}

// compiler reads one path.
type compiler struct {
	text  string
	at    int
	depth int // of filters
}

func (c *compiler) fail(format string, args ...any) *PathError {
	return &PathError{c.text, min(c.at, len(c.text)), fmt.Sprintf(format, args...)}
}

func (c *compiler) next() byte {
	if c.at < len(c.text) {
		return c.text[c.at]
	}
	return 0
}

func (c *compiler) take(s string) bool {
	if strings.HasPrefix(c.text[c.at:], s) {
		c.at += len(s)
		return true
	}
	return false
}

func (c *compiler) space() {
	for c.next() == ' ' || c.next() == '\t' || c.next() == '\n' || c.next() == '\r' {
		c.at++
	}
}

func (c *compiler) whole() (*Path, *PathError) {
	if c.space(); c.at == len(c.text) {
		return nil, c.fail("the path is empty; $ is the whole document")
	}
	var p *Path
	var err *PathError
	if first := c.next(); first == '$' || first == '@' || first == '[' {
		p, err = c.path(false)
	} else {
		p = &Path{text: c.text}
		if err = c.name(p, false); err == nil {
			err = c.steps(p, false)
		}
	}
	if err != nil {
		return nil, err
	}
	if c.space(); c.at < len(c.text) {
		return nil, c.fail("%q is no part of a path; names with blanks or signs in them are written ['so']", c.text[c.at:c.at+1])
	}
	return p, nil
}

// path reads a path from its $ or @ on. Within a filter it ends where something else begins.
func (c *compiler) path(inFilter bool) (*Path, *PathError) {
	start := c.at
	p := &Path{relative: c.next() == '@'}
	if c.next() != '[' {
		c.at++
	}
	if err := c.steps(p, inFilter); err != nil {
		return nil, err
	}
	p.text = c.text[start:c.at]
	return p, nil
}

func (c *compiler) steps(p *Path, inFilter bool) *PathError {
	for p.function == noFunction {
		var err *PathError
		switch {
		case c.take(".."):
			err = c.afterDots(p, true)
		case c.take("."):
			err = c.afterDots(p, false)
		case c.next() == '[':
			err = c.bracket(p, false)
		default:
			return nil
		}
		if err != nil {
			return err
		}
		if len(p.steps) > maxSteps {
			return c.fail("a path has at most %d steps", maxSteps)
		}
	}
	return c.afterFunction(inFilter)
}

// maxSteps and maxFilterDepth bound what evaluating a path may recurse into.
const (
	maxSteps       = 100
	maxFilterDepth = 16
)

func (c *compiler) afterFunction(inFilter bool) *PathError {
	if n := c.next(); n == '.' || n == '[' || !inFilter && n != 0 && n != ' ' {
		return c.fail("nothing may follow a function")
	}
	return nil
}

// afterDots reads what may stand after one dot or two. Jayway takes a bracket after either.
func (c *compiler) afterDots(p *Path, deep bool) *PathError {
	if c.next() == '[' {
		return c.bracket(p, deep)
	}
	return c.name(p, deep)
}

// name reads a name after a dot, a *, or a function.
func (c *compiler) name(p *Path, deep bool) *PathError {
	if c.take("*") {
		p.steps = append(p.steps, step{kind: stepWildcard, deep: deep})
		return nil
	}
	start := c.at
	for c.at < len(c.text) && strings.IndexByte(nameEnds, c.text[c.at]) < 0 {
		c.at++
	}
	name := c.text[start:c.at]
	if name == "" {
		return c.fail("a name, * or [ should follow the dot")
	}
	if c.next() != '(' {
		p.steps = append(p.steps, step{kind: stepName, deep: deep, name: name})
		return nil
	}
	f, known := functions[name]
	if !known || deep {
		c.at = start
		return c.fail("%s() is no function here; there are length(), min(), max(), avg() and sum()", name)
	}
	c.at++
	if c.space(); !c.take(")") {
		return c.fail("%s() takes no arguments", name)
	}
	p.function = f
	return nil
}

// nameEnds are the bytes that end a name after a dot.
const nameEnds = ".[]() \t\r\n=!<>&|,*\"'"

// bracket reads [...].
func (c *compiler) bracket(p *Path, deep bool) *PathError {
	c.at++
	c.space()
	s := step{deep: deep}
	var err *PathError
	switch n := c.next(); {
	case n == '*':
		c.at++
		s.kind = stepWildcard
	case n == '?':
		c.at++
		s.kind = stepFilter
		s.filter, err = c.filter()
	case n == '\'' || n == '"' || n == '\\':
		s.kind = stepNames
		err = c.bracketNames(&s)
	case n == '-' || n == ':' || n >= '0' && n <= '9':
		err = c.bracketNumbers(&s)
	default:
		return c.fail("brackets hold a number, a slice, a name in quotes, * or ?(…)")
	}
	if err != nil {
		return err
	}
	if c.space(); !c.take("]") {
		return c.fail("a ] should be here")
	}
	p.steps = append(p.steps, s)
	return nil
}

func (c *compiler) bracketNames(s *step) *PathError {
	for {
		name, err := c.quoted()
		if err != nil {
			return err
		}
		s.names = append(s.names, name)
		if c.space(); !c.take(",") {
			break
		}
		c.space()
	}
	if len(s.names) == 1 {
		s.kind, s.name, s.names = stepName, s.names[0], nil
	}
	return nil
}

// quoted reads a text in single or double quotes. The quotes may be written \" where a path stands within JSON.
func (c *compiler) quoted() (string, *PathError) {
	start := c.at
	escaped := c.take(`\`)
	quote := c.next()
	if quote != '\'' && quote != '"' {
		return "", c.fail("a text in quotes should be here")
	}
	c.at++
	var out strings.Builder
	for c.at < len(c.text) {
		switch n := c.text[c.at]; {
		case n == quote && !escaped:
			c.at++
			return out.String(), nil
		case n == '\\' && c.at+1 < len(c.text):
			c.at++
			if c.text[c.at] == quote && escaped {
				c.at++
				return out.String(), nil
			}
			out.WriteByte(c.text[c.at])
		default:
			out.WriteByte(n)
		}
		c.at++
	}
	c.at = start
	return "", c.fail("a text without its closing quote")
}

// bracketNumbers reads an index, several of them, or a slice.
func (c *compiler) bracketNumbers(s *step) *PathError {
	first, err := c.integer()
	if err != nil {
		return err
	}
	if c.space(); c.take(":") {
		s.kind, s.from = stepSlice, first
		c.space()
		if s.to, err = c.integer(); err != nil {
			return err
		}
		if c.space(); c.next() == ':' {
			return c.fail("slices have no step")
		}
		return nil
	}
	if first == nil {
		return c.fail("a number should be here")
	}
	s.kind, s.index = stepIndex, *first
	for c.take(",") {
		c.space()
		n, err := c.integer()
		if err != nil {
			return err
		}
		if n == nil {
			return c.fail("a number should be here")
		}
		if s.kind == stepIndex {
			s.kind, s.indices = stepIndices, []int{s.index}
		}
		s.indices = append(s.indices, *n)
		c.space()
	}
	return nil
}

// integer reads a number if there is one.
func (c *compiler) integer() (*int, *PathError) {
	start := c.at
	if c.next() == '-' {
		c.at++
	}
	for n := c.next(); n >= '0' && n <= '9'; n = c.next() {
		c.at++
	}
	text := c.text[start:c.at]
	if text == "" {
		return nil, nil
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		c.at = start
		return nil, c.fail("%q is no index", text)
	}
	i := int(n)
	return &i, nil
}
