package iampolicy

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// pattern is a text with wildcards: "*" is any text, slashes and colons included, "?" any one character. Policy variables
// are looked up when it is matched.
type pattern struct {
	parts     []part
	variables bool // some part is a variable
}

type partKind uint8

const (
	literal partKind = iota
	anyText
	anyChar
	variable
)

// part is a piece of a pattern.
type part struct {
	kind     partKind
	text     string // of a literal; the key of a variable, in lower case
	fallback string // of a variable
	hasElse  bool   // a variable has a fallback
}

// compilePattern compiles a text without policy variables.
func compilePattern(text string) pattern {
	var p pattern
	p.addWildcards(text)
	return p
}

func (p *pattern) addWildcards(text string) {
	for text != "" {
		i := strings.IndexAny(text, "*?")
		switch {
		case i < 0:
			p.addLiteral(text)
			return
		case i > 0:
			p.addLiteral(text[:i])
		}
		kind := anyChar
		if text[i] == '*' {
			kind = anyText
		}
		if n := len(p.parts); kind != anyText || n == 0 || p.parts[n-1].kind != anyText { // ** is *
			p.parts = append(p.parts, part{kind: kind})
		}
		text = text[i+1:]
	}
}

func (p *pattern) addLiteral(text string) {
	if n := len(p.parts); n > 0 && p.parts[n-1].kind == literal {
		p.parts[n-1].text += text
		return
	}
	p.parts = append(p.parts, part{kind: literal, text: text})
}

// compileTemplate compiles a text with policy variables: ${aws:username}, ${aws:PrincipalTag/team, 'none'}, and ${*}, ${?},
// ${$} for the characters themselves.
func compileTemplate(text string) (pattern, error) {
	var p pattern
	for {
		before, rest, found := strings.Cut(text, "${")
		p.addWildcards(before)
		if !found {
			return p, nil
		}
		inside, after, closed := strings.Cut(rest, "}")
		if !closed {
			return p, fmt.Errorf("%q has a policy variable without its end }", text)
		}
		switch inside {
		case "*", "?", "$":
			p.addLiteral(inside)
		default:
			v, err := parseVariable(inside)
			if err != nil {
				return p, err
			}
			p.parts = append(p.parts, v)
			p.variables = true
		}
		text = after
	}
}

func parseVariable(inside string) (part, error) {
	key, fallback, hasElse := strings.Cut(inside, ",")
	key = strings.TrimSpace(key)
	if prefix, name, ok := strings.Cut(key, ":"); !ok || prefix == "" || name == "" || strings.ContainsAny(key, " ${'") {
		return part{}, fmt.Errorf("${%s} is no policy variable, such as ${aws:username} or ${aws:username, 'nobody'}", inside)
	}
	if hasElse {
		fallback = strings.TrimSpace(fallback)
		if len(fallback) < 2 || fallback[0] != '\'' || fallback[len(fallback)-1] != '\'' {
			return part{}, fmt.Errorf("${%s}: the default value of a policy variable stands between single quotes", inside)
		}
		fallback = fallback[1 : len(fallback)-1]
	}
	return part{kind: variable, text: strings.ToLower(key), fallback: fallback, hasElse: hasElse}, nil
}

// resolve replaces variables by their values, in which wildcards stand for themselves. ok is false when a variable has
// neither a value nor a default, or several values: the pattern then matches nothing.
func (p *pattern) resolve(c Context) (parts []part, ok bool) {
	if !p.variables {
		return p.parts, true
	}
	parts = make([]part, len(p.parts))
	for i, x := range p.parts {
		if x.kind == variable {
			values := c[x.text]
			switch {
			case len(values) == 1:
				x = part{kind: literal, text: values[0]}
			case len(values) == 0 && x.hasElse:
				x = part{kind: literal, text: x.fallback}
			default:
				return nil, false
			}
		}
		parts[i] = x
	}
	return parts, true
}

// match tells whether the pattern is the whole of s.
func (p *pattern) match(s string, c Context) bool {
	parts, ok := p.resolve(c)
	return ok && matchParts(parts, s, strings.HasPrefix)
}

// matchFold is match without regard to case, for patterns without variables.
func (p *pattern) matchFold(s string) bool { return matchParts(p.parts, s, hasPrefixFold) }

// equals tells whether s is the pattern's text, wildcards standing for themselves.
func (p *pattern) equals(s string, c Context, same func(a, b string) bool) bool {
	parts, ok := p.resolve(c)
	if !ok {
		return false
	}
	if len(parts) == 1 && parts[0].kind == literal {
		return same(parts[0].text, s)
	}
	return same(joined(parts), s)
}

func joined(parts []part) string {
	var b strings.Builder
	for _, x := range parts {
		switch x.kind {
		case anyText:
			b.WriteByte('*')
		case anyChar:
			b.WriteByte('?')
		case literal, variable:
			b.WriteString(x.text)
		}
	}
	return b.String()
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

// matchParts goes through s once for each "*" that it has to lengthen; only the last one is ever lengthened, since what
// came before it matched the shortest text that it could.
func matchParts(parts []part, s string, hasPrefix func(s, prefix string) bool) bool {
	i := 0
	star, rest := -1, "" // the last "*" seen, and the text from where it ends now
	for {
		switch {
		case i == len(parts) && s == "":
			return true
		case i == len(parts):
		case parts[i].kind == anyText:
			star, rest = i, s
			i++
			continue
		case parts[i].kind == anyChar && s != "":
			_, n := utf8.DecodeRuneInString(s)
			s = s[n:]
			i++
			continue
		case parts[i].kind == literal && hasPrefix(s, parts[i].text):
			s = s[len(parts[i].text):]
			i++
			continue
		}
		if star < 0 || rest == "" {
			return false
		}
		if star == len(parts)-1 {
			return true
		}
		_, n := utf8.DecodeRuneInString(rest)
		rest = rest[n:]
		s, i = rest, star+1
	}
}
