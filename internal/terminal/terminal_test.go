package terminal_test

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"cleat/internal/terminal"
)

// Nothing from outside steers a terminal or forges a line.
func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"plain, é, ✓":          "plain, é, ✓",
		"a\ttab":               "a\ttab",
		"\x1b[31mred\x07":      "\uFFFD[31mred\uFFFD",
		"two\nlines\r":         "two\uFFFDlines\uFFFD",
		"\u009b2J\x7f":         "\uFFFD2J\uFFFD",
		"not UTF-8: \x9b \xff": "not UTF-8: \uFFFD \uFFFD",
	} {
		if got := terminal.Printable(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

// What leaves as JSON steers no terminal either, and means the same.
func TestJSONWriter(t *testing.T) {
	for in, want := range map[string]string{
		"{\"user_agent\":\"é\u009b2J\x7f\x9b\"}\n": "{\"user_agent\":\"é\\u009b2J\\u007f\\ufffd\"}\n",
		"{\"text\":\"as it is\"}\n":                "{\"text\":\"as it is\"}\n",
		"":                                         "",
	} {
		var out bytes.Buffer
		if n, err := (terminal.JSONWriter{To: &out}).Write([]byte(in)); n != len(in) || err != nil {
			t.Errorf("%q: got %d, %v", in, n, err)
		}
		if out.String() != want {
			t.Errorf("%q: got %q, want %q", in, out.String(), want)
		}
	}
	broken := errors.New("broken pipe")
	for _, in := range []string{"x", "\x7f"} {
		if _, err := (terminal.JSONWriter{To: brokenWriter{broken}}).Write([]byte(in)); !errors.Is(err, broken) {
			t.Errorf("%q: got %v, want %v", in, err, broken)
		}
	}
}

type brokenWriter struct{ err error }

func (b brokenWriter) Write([]byte) (int, error) { return 0, b.err }

// A line of the log begins as those of events do; its texts are made safe and its level has a colour.
func TestHandler(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6e6, time.UTC)
	for name, test := range map[string]struct {
		style terminal.Style
		level slog.Level
		want  string
	}{
		"plain":    {terminal.Style{}, slog.LevelInfo, "03:04:05.006  info  what\uFFFD happened  node=n1  err=bad\uFFFD\n"},
		"coloured": {terminal.Style{On: true}, slog.LevelError, "\x1b[2m03:04:05.006\x1b[0m  \x1b[31merror\x1b[0m  what\uFFFD happened  \x1b[2mnode=\x1b[0mn1  \x1b[2merr=\x1b[0mbad\uFFFD\n"},
		"warning":  {terminal.Style{On: true}, slog.LevelWarn, "\x1b[2m03:04:05.006\x1b[0m  \x1b[33mwarn\x1b[0m  what\uFFFD happened  \x1b[2mnode=\x1b[0mn1  \x1b[2merr=\x1b[0mbad\uFFFD\n"},
	} {
		var out bytes.Buffer
		h := terminal.NewHandler(terminal.NewWriter(&out), test.style, slog.LevelInfo)
		r := slog.NewRecord(at, test.level, "what\x1b happened", 0)
		r.Add("err", "bad\n")
		if err := h.WithAttrs([]slog.Attr{slog.String("node", "n1")}).Handle(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		if out.String() != test.want {
			t.Errorf("%s: got %q, want %q", name, out.String(), test.want)
		}
		if h.Enabled(t.Context(), slog.LevelDebug) || !h.Enabled(t.Context(), slog.LevelInfo) {
			t.Errorf("%s: the level is not kept", name)
		}
	}
}

// A file is no terminal: nothing is coloured in it, and an upload is one line.
func TestNoTerminal(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if terminal.Is(f) || terminal.Is(&bytes.Buffer{}) || terminal.StyleFor(f, false).On {
		t.Error("a file is taken for a terminal")
	}
	var out bytes.Buffer
	p := terminal.NewProgress(&out, "sending", 2_300_000)
	p.Sent(1000)
	p.Sent(2_300_000)
	p.End()
	if want := "sending, 2.3 MB\n"; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}

// Lines of many goroutines stay whole.
func TestWriter(t *testing.T) {
	var out bytes.Buffer
	w := terminal.NewWriter(&out)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 100 {
				_, _ = w.Write([]byte("a line\n"))
			}
		})
	}
	all.Wait()
	if got := strings.Count(out.String(), "a line\n"); got != 800 || out.Len() != 800*len("a line\n") {
		t.Errorf("%d lines in %d bytes", got, out.Len())
	}
}
