package variable

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// The variable syntax of serverless.yml:
//
//	text      = { any | "\${" | variable }
//	variable  = "${" source { "," source } "}"
//	source    = type [ "." region ] [ "(" text { "," text } ")" ] [ ":" text ]   e.g. file(./a.yml):b.c, ssm(us-east-1):/x
//	          | variable | 'text' | "text" | number | true | false | null
//
// Only "${" that is followed by a lower-case type and one of ":", "(" opens a variable, so that CloudFormation's own
// ${AWS::Region} and ${Resource.Attribute} stay as they are.

// part is a piece of a text: literal text, or a variable.
type part struct {
	text     string
	variable *variable // nil: text
}

// variable is "${…}": the first source that has a value counts.
type variable struct {
	raw     string
	sources []source
}

type sourceKind uint8

const (
	sourceCall    sourceKind = iota // type(params):address
	sourceNested                    // ${…}
	sourceText                      // 'text'
	sourceLiteral                   // number, true, false, null, in name
)

// source is one way to a value.
type source struct {
	kind       sourceKind
	name       string // of a call: the type; of text and literals: what it says
	region     string // of the old form ${cf.us-east-1:…}
	params     [][]part
	hasAddress bool
	address    []part
	nested     *variable
}

const (
	maxVariableDepth = 30
	maxTextSize      = 1 << 20 // bytes of one text, variables put in
)

var (
	opensVariable = regexp.MustCompile(`^\s*[a-z][A-Za-z0-9]*(\.[a-z0-9-]+)?\s*[(:]`)
	sourceHead    = regexp.MustCompile(`^([a-z][A-Za-z0-9]*)(?:\.([a-z0-9-]+))?`)
	sourceWord    = regexp.MustCompile(`^(?:true|false|null|[-+]?[0-9]+(?:\.[0-9]+)?)\b`)
)

// parseText splits a text into its parts. The error says what is wrong with a variable in it, and shows it.
func parseText(s string) ([]part, error) {
	if !strings.Contains(s, "${") {
		return []part{{text: s}}, nil
	}
	p := &varParser{s: s}
	return p.text("", 0)
}

// HasVariables reports whether a text has variables in it, right or wrong.
func HasVariables(s string) bool {
	for {
		_, rest, ok := strings.Cut(s, "${")
		if !ok {
			return false
		}
		if opensVariable.MatchString(rest) {
			return true
		}
		s = rest
	}
}

type varParser struct {
	s string
	i int
}

func (p *varParser) rest() string { return p.s[p.i:] }

func (p *varParser) space() { p.i += len(p.rest()) - len(strings.TrimLeft(p.rest(), " \t\r\n")) }

func (p *varParser) errorf(from int, format string, args ...any) error {
	shown := p.s[from:]
	if len(shown) > 80 {
		shown = shown[:80] + "…"
	}
	return fmt.Errorf("%s in %q", fmt.Sprintf(format, args...), shown)
}

// text reads up to one of the stop characters or the end of the text.
func (p *varParser) text(stop string, depth int) ([]part, error) {
	if depth > maxVariableDepth {
		return nil, fmt.Errorf("variables are nested more than %d deep", maxVariableDepth)
	}
	var parts []part
	var lit strings.Builder
	flush := func() {
		if lit.Len() > 0 {
			parts = append(parts, part{text: lit.String()})
			lit.Reset()
		}
	}
	for p.i < len(p.s) {
		switch rest := p.rest(); {
		case strings.HasPrefix(rest, `\${`) && opensVariable.MatchString(rest[3:]):
			lit.WriteString("${")
			p.i += 3
		case strings.HasPrefix(rest, "${") && opensVariable.MatchString(rest[2:]):
			flush()
			v, err := p.variable(depth)
			if err != nil {
				return nil, err
			}
			parts = append(parts, part{variable: v})
		case strings.IndexByte(stop, rest[0]) >= 0:
			flush()
			return parts, nil
		default:
			lit.WriteByte(rest[0])
			p.i++
		}
	}
	flush()
	return parts, nil
}

// variable reads "${…}", which the text stands at.
func (p *varParser) variable(depth int) (*variable, error) {
	from := p.i
	p.i += len("${")
	v := &variable{}
	for {
		src, err := p.source(from, depth)
		if err != nil {
			return nil, err
		}
		v.sources = append(v.sources, src)
		p.space()
		switch {
		case p.i >= len(p.s):
			return nil, p.errorf(from, `"}" is missing`)
		case p.s[p.i] == '}':
			p.i++
			v.raw = p.s[from:p.i]
			return v, nil
		case p.s[p.i] != ',':
			return nil, p.errorf(from, `expected "," or "}" before %q`, firstRune(p.rest()))
		}
		p.i++
	}
}

func (p *varParser) source(from, depth int) (source, error) {
	p.space()
	rest := p.rest()
	switch {
	case rest == "" || rest[0] == '}' || rest[0] == ',':
		return source{}, p.errorf(from, "a source or a default is missing")
	case rest[0] == '\'' || rest[0] == '"':
		s, err := p.quoted(from)
		return source{kind: sourceText, name: s}, err
	case strings.HasPrefix(rest, "${"):
		if !opensVariable.MatchString(rest[2:]) {
			return source{}, p.errorf(from, "a CloudFormation reference cannot be a variable's source or default")
		}
		if depth >= maxVariableDepth {
			return source{}, fmt.Errorf("variables are nested more than %d deep", maxVariableDepth)
		}
		v, err := p.variable(depth + 1)
		return source{kind: sourceNested, nested: v}, err
	}
	if word := sourceWord.FindString(rest); word != "" {
		p.i += len(word)
		return source{kind: sourceLiteral, name: word}, nil
	}
	return p.call(from, depth)
}

func (p *varParser) call(from, depth int) (source, error) {
	m := sourceHead.FindStringSubmatch(p.rest())
	if m == nil {
		return source{}, p.errorf(from, "%q is neither a source such as self: nor a quoted text", wordOf(p.rest()))
	}
	src := source{name: m[1], region: m[2]}
	p.i += len(m[0])
	p.space()
	if strings.HasPrefix(p.rest(), "(") {
		if err := p.params(from, depth, &src); err != nil {
			return src, err
		}
		p.space()
	} else if !strings.HasPrefix(p.rest(), ":") {
		return src, p.errorf(from, "%q is neither a source such as self: nor a quoted text: write '%s'", m[0], m[0])
	}
	if !strings.HasPrefix(p.rest(), ":") {
		return src, nil
	}
	p.i++
	src.hasAddress = true
	p.space()
	if rest := p.rest(); rest != "" && (rest[0] == '\'' || rest[0] == '"') {
		s, err := p.quoted(from)
		src.address = []part{{text: s}}
		return src, err
	}
	var err error
	src.address, err = p.text(",}", depth+1)
	src.address = trimRight(src.address)
	return src, err
}

func (p *varParser) params(from, depth int, src *source) error {
	for {
		p.i++ // "(" or ","
		p.space()
		if rest := p.rest(); rest != "" && (rest[0] == '\'' || rest[0] == '"') {
			s, err := p.quoted(from)
			if err != nil {
				return err
			}
			src.params = append(src.params, []part{{text: s}})
			p.space()
		} else {
			arg, err := p.text(",)", depth+1)
			if err != nil {
				return err
			}
			src.params = append(src.params, trimRight(arg))
		}
		switch {
		case p.i >= len(p.s):
			return p.errorf(from, `")" is missing`)
		case p.s[p.i] == ')':
			p.i++
			return nil
		case p.s[p.i] != ',':
			return p.errorf(from, `expected "," or ")" before %q`, firstRune(p.rest()))
		}
	}
}

// quoted reads a text in single or double quotes; a backslash makes the next character literal.
func (p *varParser) quoted(from int) (string, error) {
	quote := p.s[p.i]
	var b strings.Builder
	for p.i++; p.i < len(p.s); p.i++ {
		switch c := p.s[p.i]; {
		case c == quote:
			p.i++
			return b.String(), nil
		case c == '\\' && p.i+1 < len(p.s) && (p.s[p.i+1] == quote || p.s[p.i+1] == '\\'):
			p.i++
			b.WriteByte(p.s[p.i])
		default:
			b.WriteByte(c)
		}
	}
	return "", p.errorf(from, "the closing %c is missing", quote)
}

func trimRight(parts []part) []part {
	if n := len(parts); n > 0 && parts[n-1].variable == nil {
		parts[n-1].text = strings.TrimRight(parts[n-1].text, " \t\r\n")
		if parts[n-1].text == "" {
			return parts[:n-1]
		}
	}
	return parts
}

func firstRune(s string) string {
	for _, r := range s {
		return string(r)
	}
	return ""
}

func wordOf(s string) string {
	if i := strings.IndexAny(s, " \t\r\n,}"); i > 0 {
		s = s[:i]
	}
	return s[:min(len(s), 40)]
}

// splitAddress splits "a.b[0].c" into its keys.
func splitAddress(s string) ([]string, error) {
	if s == "" {
		return nil, nil
	}
	s = strings.NewReplacer("[", ".", "]", "").Replace(s)
	keys := strings.Split(s, ".")
	if len(keys) > 100 {
		return nil, errors.New("the address has more than 100 parts")
	}
	for i, k := range keys {
		keys[i] = strings.Trim(strings.TrimSpace(k), `'"`)
		if keys[i] == "" {
			return nil, fmt.Errorf("the address %q has an empty part", s)
		}
	}
	return keys, nil
}
