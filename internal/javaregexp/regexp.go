// Package javaregexp is java.util.regex by RE2: it compiles the regular expressions and replacements of Java's String, as far as
// RE2 has the same, and refuses by name what RE2 lacks or means otherwise (look-around, references back, possessive
// quantifiers, classes within classes). Matching takes time in proportion to the text, whatever the expression. The caller is
// package vtl, whose templates may call these methods.
package javaregexp

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	maxPattern = 1000 // bytes of a regular expression
	maxProgram = 5000 // instructions that one compiles to
)

// Regexp is a regular expression of Java's. It may be used concurrently.
type Regexp struct {
	re   *regexp.Regexp
	cost int
}

// Compile reads a Java regular expression. Its errors say what of it is not possible here.
func Compile(java string) (*Regexp, error) { return compile(java, `%s`) }

// CompileWhole reads a Java regular expression that the whole of a text is to match, as for String.matches.
func CompileWhole(java string) (*Regexp, error) { return compile(java, `\A(?:%s)\z`) }

func compile(java, form string) (*Regexp, error) {
	if len(java) > maxPattern {
		return nil, fmt.Errorf("a regular expression of more than %d characters", maxPattern)
	}
	t := translation{in: java}
	if err := t.run(); err != nil {
		return nil, fmt.Errorf("the regular expression %q: %w", java, err)
	}
	if _, err := syntax.Parse(t.out.String(), syntax.Perl); err != nil { // before what is put around it could mend it
		return nil, fmt.Errorf("the regular expression %q does not parse: %w", java, err)
	}
	text := fmt.Sprintf(form, t.out.String())
	tree, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return nil, fmt.Errorf("the regular expression %q does not parse: %w", java, err)
	}
	program, err := syntax.Compile(tree.Simplify())
	if err != nil {
		return nil, fmt.Errorf("the regular expression %q: %w", java, err)
	}
	if len(program.Inst) > maxProgram {
		return nil, fmt.Errorf("the regular expression %q is too complex; make its repetitions smaller", excerpt(java))
	}
	re, err := regexp.Compile(text)
	if err != nil {
		return nil, fmt.Errorf("the regular expression %q: %w", java, err)
	}
	return &Regexp{re, 1 + len(program.Inst)/4}, nil
}

// excerpt is the beginning of a text, for an error.
func excerpt(s string) string {
	const most = 32
	s, _, _ = strings.Cut(s, "\n")
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}

// Cost is the work of matching 16 bytes, in units of looking at as many; it is positive.
func (r *Regexp) Cost() int { return r.cost }

// MatchString reports whether a text has a match.
func (r *Regexp) MatchString(s string) bool { return r.re.MatchString(s) }

// Replacement is what a match is replaced by.
type Replacement []replacementPart

type replacementPart struct {
	text  string
	group int // negative: text
}

// Replacement reads a replacement as Java's Matcher does: $1 and ${name} are groups, a backslash makes the next character
// plain.
func (r *Regexp) Replacement(s string) (Replacement, error) {
	var out Replacement
	for i := 0; i < len(s); {
		switch s[i] {
		case '\\':
			if i++; i == len(s) {
				return nil, fmt.Errorf("the replacement %q ends in a \\", s)
			}
			_, size := utf8.DecodeRuneInString(s[i:])
			out = append(out, replacementPart{s[i : i+size], -1})
			i += size
		case '$':
			group, length := r.group(s[i+1:])
			if group < 0 {
				return nil, fmt.Errorf("the replacement %q: $ must be followed by the number or {name} of a group; a plain one is \\$", s)
			}
			out = append(out, replacementPart{"", group})
			i += 1 + length
		default:
			end := i + strings.IndexAny(s[i:]+`\`, `\$`)
			out = append(out, replacementPart{s[i:end], -1})
			i = end
		}
	}
	return out, nil
}

// group reads a group's number, as many digits as still make one, or its {name}. The group is negative where there is none.
func (r *Regexp) group(s string) (group, length int) {
	if inner, ok := strings.CutPrefix(s, "{"); ok {
		name, _, ok := strings.Cut(inner, "}")
		if !ok || name == "" {
			return -1, 0
		}
		return r.re.SubexpIndex(name), len(name) + 2
	}
	group = -1
	for length < len(s) && s[length] >= '0' && s[length] <= '9' {
		n, err := strconv.Atoi(s[:length+1])
		if err != nil || n > r.re.NumSubexp() {
			break
		}
		group = n
		length++
	}
	return group, length
}

// Replace is String.replaceAll for a negative number of matches, and String.replaceFirst for one. Once the result has grown over
// enough bytes no further match is replaced.
func (r *Regexp) Replace(s string, by Replacement, matches, enough int) string {
	var out []byte
	from := 0
	for _, m := range r.re.FindAllStringSubmatchIndex(s, matches) {
		out = append(out, s[from:m[0]]...)
		for _, part := range by {
			if part.group < 0 {
				out = append(out, part.text...)
			} else if m[2*part.group] >= 0 {
				out = append(out, s[m[2*part.group]:m[2*part.group+1]]...)
			}
		}
		from = m[1]
		if len(out) > enough {
			break
		}
	}
	return string(append(out, s[from:]...))
}

// Split is String.split: no empty texts at the end, unless a limit says so, and none before a match of nothing at the start. A
// positive limit is the most parts there are, a negative one keeps the empty texts at the end.
func (r *Regexp) Split(s string, limit int) []string {
	var out []string
	from := 0
	for _, m := range r.re.FindAllStringIndex(s, -1) {
		if limit > 0 && len(out) == limit-1 {
			break
		}
		if m[1] == 0 || m[0] == m[1] && m[0] == len(s) {
			continue
		}
		out = append(out, s[from:m[0]])
		from = m[1]
	}
	out = append(out, s[from:])
	if limit == 0 {
		for len(out) > 1 && out[len(out)-1] == "" {
			out = out[:len(out)-1]
		}
	}
	return out
}
