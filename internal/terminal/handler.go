package terminal

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
)

// Clock is the layout of the times that lines begin with.
const Clock = "15:04:05.000"

// Handler is Cleat's own log in the look of the event lines.
type Handler struct {
	out   *Writer
	style Style
	level slog.Level
	attrs []slog.Attr
}

var _ slog.Handler = (*Handler)(nil)

// NewHandler returns a handler of what is of a level or above.
func NewHandler(out *Writer, style Style, level slog.Level) *Handler {
	return &Handler{out: out, style: style, level: level}
}

// Enabled implements slog.Handler.
func (h *Handler) Enabled(_ context.Context, l slog.Level) bool { return l >= h.level }

// Handle implements slog.Handler.
func (h *Handler) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	level := strings.ToLower(r.Level.String())
	switch {
	case r.Level >= slog.LevelError:
		level = h.style.Bad(level)
	case r.Level >= slog.LevelWarn:
		level = h.style.Warn(level)
	}
	fmt.Fprintf(&b, "%s  %s  %s", h.style.Dim(r.Time.Format(Clock)), level, Printable(r.Message))
	attrs := slices.Clone(h.attrs)
	r.Attrs(func(a slog.Attr) bool { attrs = append(attrs, a); return true })
	for _, a := range attrs {
		fmt.Fprintf(&b, "  %s%s", h.style.Dim(a.Key+"="), Printable(a.Value.String()))
	}
	b.WriteByte('\n')
	_, err := io.WriteString(h.out, b.String())
	return err
}

// WithAttrs implements slog.Handler.
func (h *Handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	c := *h
	c.attrs = append(slices.Clone(h.attrs), attrs...)
	return &c
}

// WithGroup implements slog.Handler. Groups are not shown: no part of Cleat uses them.
func (h *Handler) WithGroup(string) slog.Handler { return h }
