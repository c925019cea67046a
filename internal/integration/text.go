package integration

import (
	"fmt"
	"regexp"
	"strings"

	"cleat/internal/apigw"
)

// parameterName is what mappings, placeholders and stage variables may be called (spec events-and-integrations §6.1).
var parameterName = regexp.MustCompile(`^[a-zA-Z0-9._$-]+$`)

// text is an integration's URI: static text with ${stageVariables.name} and, in the URLs of HTTP backends, {name}
// pieces, which path mappings fill.
type text struct {
	raw   string
	parts []textPart
}

type textPart struct {
	kind  textKind
	value string // the static text, or a name
}

type textKind uint8

const (
	textStatic textKind = iota
	textStageVariable
	textPath
)

const stageVariables = "stageVariables."

// parseText reads a URI. Without placeholders a brace is a character like any other.
func parseText(raw string, placeholders bool) (text, error) {
	t := text{raw: raw}
	for rest := raw; rest != ""; {
		start := strings.Index(rest, "${")
		if placeholders {
			start = strings.IndexByte(rest, '{')
			if start > 0 && rest[start-1] == '$' {
				start--
			}
		}
		if start < 0 {
			start = len(rest)
		}
		if start > 0 {
			t.parts = append(t.parts, textPart{textStatic, rest[:start]})
		}
		if rest = rest[start:]; rest == "" {
			break
		}
		end := strings.IndexByte(rest, '}')
		if end < 0 {
			return t, fmt.Errorf("%q: a { without its }", raw)
		}
		part := textPart{textPath, strings.TrimPrefix(rest[:end], "{")}
		if inner, ok := strings.CutPrefix(rest[:end], "${"); ok {
			name, known := strings.CutPrefix(inner, stageVariables)
			if !known {
				return t, fmt.Errorf("%q: ${%s} is not a stage variable, such as ${stageVariables.name}", raw, inner)
			}
			part = textPart{textStageVariable, name}
		}
		if !parameterName.MatchString(part.value) {
			return t, fmt.Errorf("%q: %q is not a name of letters, digits and . _ $ -", raw, part.value)
		}
		t.parts = append(t.parts, part)
		rest = rest[end+1:]
	}
	return t, nil
}

// static reports whether the text depends on no event.
func (t *text) static() bool {
	for _, p := range t.parts {
		if p.kind != textStatic {
			return false
		}
	}
	return true
}

// example is the text with a word for each part that depends on an event.
func (t *text) example() string {
	var out strings.Builder
	for _, p := range t.parts {
		if p.kind == textStatic {
			out.WriteString(p.value)
		} else {
			out.WriteString("x")
		}
	}
	return out.String()
}

// placeholders are the names that path mappings must fill.
func (t *text) placeholders() []string {
	var names []string
	for _, p := range t.parts {
		if p.kind == textPath {
			names = append(names, p.value)
		}
	}
	return names
}

// expand fills the text for one event. path looks up what fills a placeholder; it may be nil when there is none.
func (t *text) expand(ev *apigw.Event, path func(name string) (string, bool)) (string, error) {
	var out strings.Builder
	for _, p := range t.parts {
		switch p.kind {
		case textStatic:
			out.WriteString(p.value)
		case textStageVariable:
			value, ok := ev.StageVariables[p.value]
			if !ok {
				return "", misconfigured("integrationUri %q: stage %s has no variable %q", t.raw, ev.Context.Stage, p.value)
			}
			out.WriteString(value)
		case textPath:
			value, ok := path(p.value)
			if !ok {
				return "", misconfigured("integrationUri %q: integration.request.path.%s has no value for this event", t.raw, p.value)
			}
			if value == "." || value == ".." { // a way to elsewhere, for servers that decode it even when it is percent-encoded
				return "", misconfigured("integrationUri %q: integration.request.path.%s is %q for this event, which is no segment of a path", t.raw, p.value, value)
			}
			out.WriteString(escapeSegment(value))
		}
	}
	return out.String(), nil
}

const hexDigits = "0123456789ABCDEF"

// escapeSegment percent-encodes all but RFC 3986's unreserved characters, so that what a client sends stays within its
// path segment.
func escapeSegment(s string) string {
	var out strings.Builder
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_', c == '~', c == '.':
			out.WriteByte(c)
		default:
			out.Write([]byte{'%', hexDigits[c>>4], hexDigits[c&0xf]})
		}
	}
	return out.String()
}
