// Package terminal is how the command line shows things to a person: text from outside made safe, colours where there is a
// terminal, log lines, how far something has come. It refuses to know what is shown; cmd/cleat says that.
package terminal

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"unicode/utf8"
)

// Writer lets many goroutines write whole lines.
type Writer struct {
	mu sync.Mutex
	w  io.Writer // guarded by mu
}

// NewWriter returns a Writer to w.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w} }

// Write implements io.Writer.
func (s *Writer) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.w.Write(b)
}

// Printable makes text from outside safe to show: no control characters reach the terminal.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return r
		case r < ' ' || r == 0x7f || (r >= 0x80 && r < 0xa0):
			return '�'
		}
		return r
	}, s)
}

// JSONWriter passes JSON on without the control characters that JSON allows in texts and terminals act upon, DEL and those
// of Latin-1: they are escaped, so that it means the same. Each Write must hold whole characters.
type JSONWriter struct{ To io.Writer }

// Write implements io.Writer.
func (j JSONWriter) Write(b []byte) (int, error) {
	var out []byte // nil as long as b can go on as it is
	for i := 0; i < len(b); {
		r, size := utf8.DecodeRune(b[i:])
		if r >= 0x7f && r < 0xa0 || r == utf8.RuneError && size == 1 {
			if out == nil {
				out = append(make([]byte, 0, len(b)+16), b[:i]...)
			}
			out = fmt.Appendf(out, `\u%04x`, r)
		} else if out != nil {
			out = append(out, b[i:i+size]...)
		}
		i += size
	}
	if out == nil {
		return j.To.Write(b)
	}
	if _, err := j.To.Write(out); err != nil {
		return 0, err
	}
	return len(b), nil
}
