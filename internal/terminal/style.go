package terminal

import (
	"io"
	"os"
)

// Is tells a terminal from a file or a pipe.
func Is(w any) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// Style colours text for a terminal; the zero Style leaves it as it is.
type Style struct{ On bool }

// StyleFor is the style for w, coloured if that is a terminal and plain is not asked for.
func StyleFor(w io.Writer, plain bool) Style { return Style{Is(w) && !plain} }

func (s Style) paint(code, text string) string {
	if !s.On || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// Dim is for what stands beside the matter.
func (s Style) Dim(t string) string { return s.paint("2", t) }

// Bold is for what matters.
func (s Style) Bold(t string) string { return s.paint("1", t) }

// Bad is for what went wrong, or goes.
func (s Style) Bad(t string) string { return s.paint("31", t) }

// Good is for what went well, or comes.
func (s Style) Good(t string) string { return s.paint("32", t) }

// Warn is for what may be wrong, or changes.
func (s Style) Warn(t string) string { return s.paint("33", t) }
