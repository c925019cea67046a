// Package vtl is the language of mapping templates (spec mapping-templates). So far it tells templates that are literal
// text, which Cleat renders, from those that need the template engine, which it refuses: package control when a
// definition is made, package integration when it is compiled.
package vtl

import "strings"

// Directive is a place in a template that is more than literal text.
type Directive struct {
	Line int    // from 1
	Text string // the place's beginning, cut short, for a message
}

// FirstDirective returns the first directive, comment, reference or escape of a template, and whether there is one
// (spec mapping-templates §3).
func FirstDirective(template string) (Directive, bool) {
	at := first(template)
	if at < 0 {
		return Directive{}, false
	}
	return Directive{1 + strings.Count(template[:at], "\n"), excerpt(template[at:])}, true
}

func first(s string) int {
	for i := range len(s) {
		if s[i] != '$' && s[i] != '#' {
			continue
		}
		if i+1 == len(s) {
			if s[i] == '$' {
				return i // a parse error in Velocity
			}
			continue
		}
		next := s[i+1]
		letter := 'a' <= next && next <= 'z' || 'A' <= next && next <= 'Z'
		if letter || strings.IndexByte("!{_", next) >= 0 || s[i] == '#' && strings.IndexByte("#*[@", next) >= 0 {
			return i
		}
	}
	return -1
}

func excerpt(s string) string {
	const most = 24
	s, _, _ = strings.Cut(s, "\n")
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}
