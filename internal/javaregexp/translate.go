package javaregexp

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// translation writes a Java regular expression in RE2's syntax.
type translation struct {
	in      string
	at      int
	out     strings.Builder
	inClass bool
	repeat  bool // what was written last is a quantifier
}

func (t *translation) run() error {
	for t.at < len(t.in) {
		c := t.in[t.at]
		repeat := false
		switch {
		case c == '\\':
			if err := t.escape(); err != nil {
				return err
			}
			t.repeat = false
			continue
		case t.inClass && c == '[':
			return errors.New("a class within a class is not possible here")
		case t.inClass && strings.HasPrefix(t.in[t.at:], "&&"):
			return errors.New("an intersection of classes (&&) is not possible here")
		case t.inClass:
			t.inClass = c != ']'
		case c == '[':
			t.inClass = true
			if strings.HasPrefix(t.in[t.at:], "[^") {
				t.out.WriteByte(c)
				t.at++
				c = '^'
			}
		case strings.HasPrefix(t.in[t.at:], "(?"):
			if err := t.group(); err != nil {
				return err
			}
		case c == '+' && t.repeat:
			return errors.New("a possessive quantifier is not possible here")
		case c == '*' || c == '+' || c == '?' && !t.repeat || c == '}':
			repeat = true
		}
		t.out.WriteByte(c)
		t.at++
		t.repeat = repeat
	}
	return nil
}

// group refuses the groups that RE2 does not have.
func (t *translation) group() error {
	rest := t.in[t.at+2:]
	for _, g := range []struct{ begin, name string }{
		{"=", "a look-ahead (?=…)"},
		{"!", "a negative look-ahead (?!…)"},
		{"<=", "a look-behind (?<=…)"},
		{"<!", "a negative look-behind (?<!…)"},
		{">", "an atomic group (?>…)"},
	} {
		if strings.HasPrefix(rest, g.begin) {
			return fmt.Errorf("%s is not possible here", g.name)
		}
	}
	if rest == "" || rest[0] == ':' || rest[0] == '<' {
		return nil
	}
	flags := rest[:strings.IndexAny(rest+")", ":)")]
	if i := strings.IndexFunc(flags, func(r rune) bool { return !strings.ContainsRune("ims-", r) }); i >= 0 {
		return fmt.Errorf("the flag %q is not possible here, only i, m and s are", flags[i:i+1])
	}
	return nil
}

// classes are escapes that mean more in Java than in RE2, as they stand within brackets.
var classes = map[byte]string{
	's': `\t\n\v\f\r `, 'v': `\n\v\f\r\x{85}\x{2028}\x{2029}`, 'h': ` \t\x{A0}\x{1680}\x{180e}\x{2000}-\x{200a}\x{202f}\x{205f}\x{3000}`,
}

// properties are Java's names for ASCII classes.
var properties = map[string]string{
	"Lower": "a-z", "Upper": "A-Z", "ASCII": `\x00-\x7F`, "Alpha": "a-zA-Z", "Digit": "0-9", "Alnum": "a-zA-Z0-9",
	"Punct": "!-/:-@\\[-`{-~", "Graph": "!-~", "Print": " -~", "Blank": ` \t`, "Cntrl": `\x00-\x1F\x7F`, "XDigit": "0-9A-Fa-f", "Space": classes['s'],
}

func (t *translation) escape() error {
	if t.at+1 >= len(t.in) {
		return errors.New(`it ends in a \`)
	}
	r, size := utf8.DecodeRuneInString(t.in[t.at+1:])
	t.at += 1 + size
	c := byte(0) // not ASCII
	if size == 1 {
		c = t.in[t.at-1]
	}
	if set, ok := classes[c]; ok {
		t.class(set, false)
		return nil
	}
	switch {
	case c == 0 || !isLetter(c) && (c < '0' || c > '9'):
		t.out.WriteString(regexp.QuoteMeta(string(r)))
		if c == '-' { // which means something within brackets
			t.setLast(`\-`)
		}
	case strings.IndexByte("dDwWbBAzntrfa", c) >= 0:
		t.out.WriteByte('\\')
		t.out.WriteByte(c)
	case c == 'S':
		if t.inClass {
			t.out.WriteString(`\S`)
		} else {
			t.class(classes['s'], true)
		}
	case c == 'e':
		t.out.WriteString(`\x1B`)
	case c == 'Q':
		text, rest, _ := strings.Cut(t.in[t.at:], `\E`)
		t.out.WriteString(regexp.QuoteMeta(text))
		t.at = len(t.in) - len(rest)
	case c == 'u' || c == 'x':
		return t.hex(c)
	case c == 'p' || c == 'P':
		return t.property(c == 'P')
	case c >= '1' && c <= '9' || c == 'k':
		return errors.New("a reference back to a group is not possible here")
	default:
		return fmt.Errorf(`\%c is not possible here`, c)
	}
	return nil
}

// setLast replaces the one character that was written last.
func (t *translation) setLast(s string) {
	text := t.out.String()
	t.out.Reset()
	t.out.WriteString(text[:len(text)-1] + s)
}

// class writes a set, with brackets unless it stands within some.
func (t *translation) class(set string, not bool) {
	switch {
	case t.inClass:
		t.out.WriteString(set)
	case not:
		t.out.WriteString("[^" + set + "]")
	default:
		t.out.WriteString("[" + set + "]")
	}
}

func (t *translation) hex(kind byte) error {
	n := 4
	if kind == 'x' {
		n = 2
	}
	rest := t.in[t.at:]
	if kind == 'x' && strings.HasPrefix(rest, "{") {
		if i := strings.IndexByte(rest, '}'); i > 0 {
			t.at += i + 1
			t.out.WriteString(`\x` + rest[:i+1])
			return nil
		}
	}
	if len(rest) < n {
		return fmt.Errorf(`\%c needs %d hexadecimal digits`, kind, n)
	}
	if _, err := strconv.ParseUint(rest[:n], 16, 32); err != nil {
		return fmt.Errorf(`\%c needs %d hexadecimal digits`, kind, n)
	}
	t.out.WriteString(`\x{` + rest[:n] + `}`)
	t.at += n
	return nil
}

func (t *translation) property(not bool) error {
	rest := t.in[t.at:]
	name, length := "", 0
	if inner, ok := strings.CutPrefix(rest, "{"); ok {
		name, _, ok = strings.Cut(inner, "}")
		if length = len(name) + 2; !ok {
			return errors.New(`\p{ has no }`)
		}
	} else if rest != "" {
		name, length = rest[:1], 1
	}
	t.at += length
	if set, ok := properties[name]; ok && (!not || !t.inClass) {
		t.class(set, not)
		return nil
	}
	name = strings.TrimPrefix(name, "Is")
	if name == "Alphabetic" {
		name = "L"
	}
	p := `\p{`
	if not {
		p = `\P{`
	}
	t.out.WriteString(p + name + "}")
	return nil
}

func isLetter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }
