package model

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// pattern is a regular expression of a schema. AWS reads them as JavaScript does (ECMA 262); here they run on RE2, whose
// time is in proportion to the text. What both write differently is translated, what RE2 cannot do is refused by name.
type pattern struct {
	text string // as it is written
	re   *regexp.Regexp
}

var _ jsonschema.Regexp = (*pattern)(nil)

// MatchString implements jsonschema.Regexp.
func (p *pattern) MatchString(s string) bool { return p.re.MatchString(s) }

// String implements jsonschema.Regexp.
func (p *pattern) String() string { return p.text }

func compilePattern(text string) (jsonschema.Regexp, error) {
	re2, err := fromECMA(text)
	if err != nil {
		return nil, err
	}
	re, err := regexp.Compile(re2)
	if err != nil {
		return nil, fmt.Errorf("RE2, the engine in use here, does not take it: %w", err)
	}
	return &pattern{text, re}, nil
}

// ecmaSpace is what \s means in JavaScript, as part of a character class.
const ecmaSpace = `\t\n\v\f\r \x{00a0}\x{feff}\x{2028}\x{2029}\p{Zs}`

// fromECMA translates a regular expression of JavaScript's into RE2's language.
func fromECMA(text string) (string, error) {
	var out strings.Builder
	class := false // inside of [ ]
	for i := 0; i < len(text); {
		rest := text[i:]
		switch {
		case rest[0] == '\\' && len(rest) > 1:
			translated, size, err := fromEscape(rest, class)
			if err != nil {
				return "", err
			}
			out.WriteString(translated)
			i += size
			continue
		case class && rest[0] == ']':
			class = false
		case class && rest[0] == '[':
			out.WriteByte('\\') // a class of POSIX's, such as [:alpha:], is none in JavaScript
		case class:
		case strings.HasPrefix(rest, "[^]"):
			out.WriteString(`(?s:.)`)
			i += len("[^]")
			continue
		case strings.HasPrefix(rest, "[]"):
			out.WriteString(`[^\x00-\x{10FFFF}]`)
			i += len("[]")
			continue
		case rest[0] == '[':
			class = true
		case rest[0] == '.':
			out.WriteString(`[^\n\r\x{2028}\x{2029}]`)
			i++
			continue
		case strings.HasPrefix(rest, "(?=") || strings.HasPrefix(rest, "(?!"):
			return "", errors.New("it looks ahead with " + rest[:3] + "…), which RE2, the engine in use here, cannot do")
		case strings.HasPrefix(rest, "(?<=") || strings.HasPrefix(rest, "(?<!"):
			return "", errors.New("it looks behind with " + rest[:4] + "…), which RE2, the engine in use here, cannot do")
		}
		out.WriteByte(rest[0])
		i++
	}
	return out.String(), nil
}

// fromEscape translates the escape at the start of s; size is how much of s it is.
func fromEscape(s string, class bool) (translated string, size int, err error) {
	switch c := s[1]; {
	case c == 'u' && len(s) >= 6 && isHex(s[2:6]):
		return `\x{` + s[2:6] + `}`, 6, nil
	case c == 'c' && len(s) >= 3 && isLetter(s[2]):
		return fmt.Sprintf(`\x{%02x}`, s[2]&0x1f), 3, nil
	case c == 's' && class:
		return ecmaSpace, 2, nil
	case c == 's':
		return `[` + ecmaSpace + `]`, 2, nil
	case c == 'S' && !class:
		return `[^` + ecmaSpace + `]`, 2, nil
	case c == 'b' && class:
		return `\x08`, 2, nil
	case c == '0' && (len(s) == 2 || s[2] < '0' || s[2] > '9'):
		return `\x00`, 2, nil
	case c >= '1' && c <= '9' && !class, c == 'k' && strings.HasPrefix(s[2:], "<"):
		return "", 0, errors.New("it refers back to a group with " + s[:2] + ", which RE2, the engine in use here, cannot do")
	case strings.IndexByte("dDwWsSbBfnrtvxpP", c) >= 0, !isLetter(c):
		return s[:2], 2, nil
	default:
		return s[1:2], 2, nil // a letter that means itself, though escaped
	}
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

func isHex(s string) bool {
	for i := range len(s) {
		if c := s[i] | 0x20; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
