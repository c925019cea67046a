package expr

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// MaxLength is the most bytes of an expression's text. AWS names no bound; nobody comes near this one.
const MaxLength = 1024

// Expression is a parsed selection expression. It is immutable and safe for concurrent use.
type Expression struct {
	kind  Kind
	text  string
	parts []part
	body  bool // some part reads request.body
}

// part yields text: its own, or that of a source.
type part struct {
	from source
	text string // static text, or a header's name
	path []step // of requestBody
}

// step leads from a JSON value to one inside it.
type step struct {
	name  string // a member, when index is negative
	index int
}

// Error tells what is wrong with an expression and where.
type Error struct {
	Kind    Kind
	Text    string
	Column  int // in characters, from 1
	Message string
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s %q, column %d: %s", e.Kind, e.Text, e.Column, e.Message)
}

// Parse reads an expression of a kind. Its error is an *Error that says where the fault is and what the kind allows.
func Parse(kind Kind, text string) (*Expression, error) {
	p := parser{kind: kind, rule: kind.rule(), text: text}
	if p.rule == nil {
		return nil, p.fault(0, "no such kind of expression")
	}
	if err := p.parse(); err != nil {
		return nil, err
	}
	e := &Expression{kind: kind, text: text, parts: p.parts}
	e.body = slices.ContainsFunc(p.parts, func(x part) bool { return x.from == requestBody })
	return e, nil
}

// Kind returns the kind that the expression was parsed as.
func (e *Expression) Kind() Kind { return e.kind }

// String returns the expression's text.
func (e *Expression) String() string { return e.text }

// Static returns the text that the expression always yields, and false when it depends on a variable.
func (e *Expression) Static() (string, bool) {
	switch {
	case len(e.parts) == 1 && e.parts[0].from == static:
		return e.parts[0].text, true
	default:
		return "", false
	}
}

type parser struct {
	kind  Kind
	rule  *rule
	text  string
	parts []part
}

func (p *parser) fault(offset int, format string, args ...any) error {
	return &Error{Kind: p.kind, Text: p.text, Column: 1 + utf8.RuneCountInString(p.text[:offset]), Message: fmt.Sprintf(format, args...)}
}

func (p *parser) parse() error {
	switch {
	case p.text == "":
		return p.fault(0, "empty; allowed: %s", p.rule.allowed)
	case len(p.text) > MaxLength:
		return p.fault(0, "longer than %d bytes", MaxLength)
	case !utf8.ValidString(p.text):
		return p.fault(0, "not valid UTF-8")
	case p.rule.bareDefault && p.text == defaultForm:
		p.parts = []part{{from: static, text: defaultForm}}
		return nil
	case p.rule.fixed != nil && !slices.Contains(p.rule.fixed, p.text):
		return p.fault(0, "allowed: %s", p.rule.allowed)
	case strings.HasPrefix(p.text, "$") && !strings.HasPrefix(p.text, "${"):
		return p.variable(1, len(p.text))
	}
	return p.composite()
}

// composite reads static text, ${path} pieces and \$ escapes.
func (p *parser) composite() error {
	var text strings.Builder
	flush := func() {
		if text.Len() > 0 {
			p.parts = append(p.parts, part{from: static, text: text.String()})
			text.Reset()
		}
	}
	for i := 0; i < len(p.text); {
		switch rest := p.text[i:]; {
		case strings.HasPrefix(rest, `\$`):
			text.WriteByte('$')
			i += 2
		case strings.HasPrefix(rest, "${"):
			end := strings.IndexByte(rest, '}')
			if end < 0 {
				return p.fault(i, "${ without its }")
			}
			flush()
			if err := p.variable(i+2, i+end); err != nil {
				return err
			}
			i += end + 1
		case rest[0] == '$':
			return p.fault(i, `a $ that begins no ${…}: beside other text a variable is written ${…}, and a literal dollar is written \$`)
		default:
			text.WriteByte(rest[0])
			i++
		}
	}
	flush()
	return nil
}

// names maps the variables to their sources. Those that end in a dot take a name or a path.
var names = []struct {
	prefix string
	from   source
}{
	{"request.body.", requestBody},
	{"request.header.", requestHeader},
	{"request.basepath", requestBasePath},
	{"context.authorizer.usageIdentifierKey", usageIdentifierKey},
	{"integration.response.statuscode", responseStatusCode},
	{"integration.response.header.", responseHeader},
	{"integration.response.multivalueheader.", responseMultiValueHeader},
	{"integration.response.body.errorMessage", responseErrorMessage},
}

// variable reads the variable at text[from:to].
func (p *parser) variable(from, to int) error {
	name := p.text[from:to]
	for _, n := range names {
		rest, ok := strings.CutPrefix(name, n.prefix)
		takesRest := strings.HasSuffix(n.prefix, ".")
		if !ok || !takesRest && rest != "" || !slices.Contains(p.rule.sources, n.from) {
			continue
		}
		x := part{from: n.from}
		at := from + len(n.prefix)
		var err error
		switch {
		case n.from == requestBody:
			x.path, err = p.path(at, to)
		case takesRest:
			x.text, err = p.header(at, to)
		}
		p.parts = append(p.parts, x)
		return err
	}
	return p.fault(from, "%q is not a variable of this expression; allowed: %s", name, p.rule.allowed)
}

// header reads a header's name: the letters that HTTP allows in one.
func (p *parser) header(from, to int) (string, error) {
	name := p.text[from:to]
	if name == "" {
		return "", p.fault(from, "the header's name is missing")
	}
	for i := range len(name) {
		c := name[i]
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`"(),/:;<=>?@[\]{}`, c) >= 0 {
			return "", p.fault(from+i, "%q cannot be part of a header's name", name[i:i+1])
		}
	}
	return name, nil
}

// path reads name ( '.' name | '[' digits ']' )*.
func (p *parser) path(from, to int) ([]step, error) {
	var path []step
	for i := from; ; {
		start := i
		for i < to && nameByte(p.text[i]) {
			i++
		}
		if i == start {
			return nil, p.unexpected(i, to, "a member's name")
		}
		path = append(path, step{name: p.text[start:i], index: -1})
		for i < to && p.text[i] == '[' {
			i++
			start, n := i, 0
			for i < to && p.text[i] >= '0' && p.text[i] <= '9' && i-start < 9 {
				n = n*10 + int(p.text[i]-'0')
				i++
			}
			if i == start || i == to || p.text[i] != ']' {
				return nil, p.unexpected(i, to, "an index such as [0], of at most 9 digits")
			}
			path = append(path, step{index: n})
			i++
		}
		if i == to {
			return path, nil
		}
		if p.text[i] != '.' {
			return nil, p.unexpected(i, to, `"." or "["`)
		}
		i++
	}
}

func (p *parser) unexpected(at, end int, want string) error {
	if at == end {
		return p.fault(at, "ends where %s should follow", want)
	}
	r, _ := utf8.DecodeRuneInString(p.text[at:])
	return p.fault(at, "%q where %s should follow", r, want)
}

func nameByte(c byte) bool {
	return c > ' ' && c != 0x7f && strings.IndexByte(`.[]{}$\'"`, c) < 0
}
