package vtl

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Error is a template that does not parse, or one that cannot be rendered for an event.
type Error struct {
	Line, Column int // from 1; columns count characters
	What         string
}

func (e *Error) Error() string {
	return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.What)
}

// errorAt makes the error of a place in a text, a byte offset.
func errorAt(text string, at int, format string, args ...any) *Error {
	before := text[:min(at, len(text))]
	return &Error{
		Line:   1 + strings.Count(before, "\n"),
		Column: 1 + utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]),
		What:   fmt.Sprintf(format, args...),
	}
}

// catch turns the panic of a *Error, which is how parser and renderer leave their recursion, into a returned error.
func catch(err *error) {
	switch r := recover().(type) {
	case nil:
	case *Error:
		*err = r
	default:
		panic(r)
	}
}

// excerpt is the beginning of a text, for a message.
func excerpt(s string) string {
	const most = 32
	s, _, _ = strings.Cut(s, "\n")
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}
