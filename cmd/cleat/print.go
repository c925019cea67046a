package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"cleat/internal/apigw"
	"cleat/internal/awsapi"
	"cleat/internal/cfn"
	"cleat/internal/control/stacks"
	"cleat/internal/eventstream"
	"cleat/internal/lambda"
	"cleat/internal/meter/report"
	"cleat/internal/server"
)

// syncWriter lets many goroutines write whole lines.
type syncWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (s *syncWriter) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.w.Write(b)
}

// style colours text for a terminal; the zero style leaves it as it is.
type style struct{ on bool }

func styleFor(w io.Writer, env []string) style {
	return style{isTerminal(w) && lookup(env, "NO_COLOR") == "" && lookup(env, "TERM") != "dumb"}
}

func (s style) paint(code, text string) string {
	if !s.on || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (s style) dim(t string) string  { return s.paint("2", t) }
func (s style) bold(t string) string { return s.paint("1", t) }
func (s style) bad(t string) string  { return s.paint("31", t) }
func (s style) good(t string) string { return s.paint("32", t) }
func (s style) warn(t string) string { return s.paint("33", t) }

const clock = "15:04:05.000"

// textReporter shows a run to a person: a start text, then a line for each event.
type textReporter struct {
	out      *syncWriter
	style    style
	platform bool // show Lambda's own START, END and REPORT lines
}

var _ server.Reporter = (*textReporter)(nil)

func (t *textReporter) printf(format string, args ...any) {
	_, _ = fmt.Fprintf(t.out, format, args...) // a terminal that is gone has no reader to miss it
}

// Started implements server.Reporter.
func (t *textReporter) Started(s server.Started) {
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s  %s  %s\n", t.style.bold("Cleat"), s.Project.Name, t.style.dim(fmt.Sprintf("stage %s, region %s, ready in %d ms", s.Project.Stage, s.Project.Region, s.Took.Milliseconds())))
	t.addresses(&b, s.Outcome, s.Addr, s.Project.Region)
	if s.Open {
		need := "Other machines can reach this address, and need no credentials to connect, push and list."
		if s.Project.Users.Management {
			need = "Other machines can reach this address, and need no credentials to connect but where a route asks for them."
		}
		fmt.Fprintf(&b, "\n  %s\n", t.style.warn(need))
	}
	if len(s.Outcome.APIs) > 1 {
		b.WriteString(t.style.dim("\n  Several APIs: address each as ws://" + s.Addr + "/{apiId}/{stage}.\n"))
	}
	for _, table := range s.Tables {
		fmt.Fprintf(&b, "  %-14s %s %s\n", "table", t.style.dim("→"), table)
	}
	if left := slices.Concat(s.Project.LeftAlone, s.Outcome.LeftAlone); len(left) > 0 {
		fmt.Fprintf(&b, "\n  %s\n", t.style.dim("left alone: "+strings.Join(left, ", ")))
	}
	fmt.Fprintf(&b, "\n  %s\n\n", t.style.dim("Files are watched; Ctrl-C stops."))
	t.printf("%s", b.String())
}

// addresses says where each API is and what its routes lead to.
func (t *textReporter) addresses(b *strings.Builder, o stacks.Outcome, addr, region string) {
	for _, api := range o.APIs {
		for _, stage := range api.Stages {
			if api.EndpointDisabled {
				fmt.Fprintf(b, "\n  %s  %s  %s\n", t.style.dim("API        "), api.ID, t.style.dim("stage "+stage+", its default endpoint is disabled"))
			} else {
				fmt.Fprintf(b, "\n  %s  %s\n", t.style.dim("WebSocket  "), t.style.bold("ws://"+addr+"/"+stage))
				fmt.Fprintf(b, "  %s  http://%s/%s/@connections/{connectionId}\n", t.style.dim("Management "), addr, stage)
				fmt.Fprintf(b, "  %s  %s  %s\n", t.style.dim("API        "), api.ID, t.style.dim("https://"+string(api.ID)+".execute-api."+region+".amazonaws.com/"+stage+" leads here from functions"))
			}
			t.domains(b, api, stage, addr)
		}
		if len(api.Routes) > 0 {
			b.WriteString("\n")
		}
		for _, r := range api.Routes {
			way := ""
			if r.TwoWay {
				way = t.style.dim("  two-way")
			}
			fmt.Fprintf(b, "  %-14s %s %s%s\n", r.RouteKey, t.style.dim("→"), r.Target, way)
		}
	}
	for i, key := range o.APIKeys {
		if i == 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(b, "  %s  %s  %s\n", t.style.dim("API key    "), key.Name, t.style.dim(keyStatus(key)))
	}
}

// keyStatus says what a user needs to know of an API key: the value only where nobody else could.
func keyStatus(k stacks.APIKeySummary) string {
	switch {
	case !k.Enabled:
		return "not enabled"
	case k.Generated:
		return "x-api-key: " + k.Value
	}
	return "value as given"
}

// Reloaded implements server.Reporter.
func (t *textReporter) Reloaded(r server.Reloaded) {
	what := "code"
	if r.Definitions {
		what = "definitions"
	}
	t.printf("%s  %s  %s\n", t.now(), t.style.good("reloaded   "), t.style.dim(fmt.Sprintf("%s after %s (%d ms)", what, short(r.Files), r.Took.Milliseconds())))
	if r.Moved {
		var b strings.Builder
		t.addresses(&b, r.Outcome, r.Addr, r.Region)
		t.printf("%s\n", b.String())
	}
}

// short names the first of the changed files.
func short(files []string) string {
	if len(files) == 0 {
		return ""
	}
	name := files[0]
	if len(files) > 1 {
		name += fmt.Sprintf(" and %d more", len(files)-1)
	}
	return name
}

// Faults implements server.Reporter.
func (t *textReporter) Faults(err error) {
	t.printf("%s  %s  the definitions from before stay\n%s\n", t.now(), t.style.bad("not loaded "), indent(err.Error()))
}

func indent(s string) string { return "    " + strings.ReplaceAll(s, "\n", "\n    ") }

// Warn implements server.Reporter.
func (t *textReporter) Warn(f cfn.Fault) { t.printf("%s %s\n", t.style.warn("warning:"), f.Error()) }

// Line implements server.Reporter.
func (t *textReporter) Line(l lambda.Line) {
	if l.Stream == lambda.StreamPlatform && !t.platform {
		return
	}
	request, _, _ := strings.Cut(l.RequestID, "-") // enough to tell invocations apart
	t.printf("%s  %-11s  %s %s\n", t.style.dim(l.Time.Format(clock)), "  "+request, t.style.dim(l.Function+" │"), printable(message(l)))
}

// message is a function's line without the time and the request ID that its runtime put in front: both are shown
// already. Node separates them with tabs, "{time}\t{requestId}\tINFO\ttext", Python begins with the level.
func message(l lambda.Line) string {
	parts := strings.SplitN(l.Text, "\t", 4)
	if l.RequestID == "" || len(parts) != 4 {
		return l.Text
	}
	switch l.RequestID {
	case parts[1]:
		return parts[2] + " " + parts[3]
	case parts[2]:
		return parts[0] + " " + parts[3]
	}
	return l.Text
}

// Stopping implements server.Reporter.
func (t *textReporter) Stopping(connections int) {
	text := "stopping"
	if connections > 0 {
		text += fmt.Sprintf(": closing %s and waiting for $disconnect; Ctrl-C again ends at once", count(connections, "connection"))
	}
	t.printf("%s  %s\n", t.now(), text)
}

// Used implements server.Reporter.
func (t *textReporter) Used(u report.Usage) {
	t.printf("%s  on AWS: %s\n", t.now(), u)
}

func (t *textReporter) now() string { return t.style.dim(time.Now().Format(clock)) }

// Event implements server.Reporter: time, what, connection, route, target, status, milliseconds, bytes, reason.
func (t *textReporter) Event(r *apigw.Record) {
	var b strings.Builder
	end := r.Time.Add(r.Duration) // lines stand in the order of their times
	fmt.Fprintf(&b, "%s  %-11s  %-16s  %s", t.style.dim(end.Format(clock)), r.Operation, shown(r.ConnectionID), t.style.bold(routeText(r)))
	if r.Target != "" {
		fmt.Fprintf(&b, " %s %s", t.style.dim("→"), r.Target)
	}
	if r.Status != 0 {
		status := fmt.Sprint(r.Status)
		if r.Status >= http.StatusBadRequest {
			status = t.style.bad(status)
		}
		b.WriteString("  " + status)
	}
	fmt.Fprintf(&b, "  %s", t.style.dim(millis(r.Duration)))
	if r.BytesIn > 0 {
		fmt.Fprintf(&b, "  %s", t.style.dim(fmt.Sprintf("%d B in", r.BytesIn)))
	}
	if r.BytesOut > 0 {
		fmt.Fprintf(&b, "  %s", t.style.dim(fmt.Sprintf("%d B out", r.BytesOut)))
	}
	switch {
	case r.Err != nil:
		b.WriteString("  " + t.style.bad(printable(awsapi.Reason(r.Err))))
		if r.Event != nil { // the client has been told the ID of its request
			b.WriteString("  " + t.style.dim("request "+string(r.RequestID)))
		}
	case r.Integration.Error != "": // nobody is told, and yet the backend said something was wrong
		b.WriteString("  " + t.style.warn(printable(r.Integration.Error)))
	}
	b.WriteByte('\n')
	t.printf("%s", b.String())
}

// shown is a connection ID fit to be shown: in a push it is whatever somebody wrote into a URL.
func shown(id apigw.ConnectionID) string {
	const most = 40
	s := printable(string(id))
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}

func routeText(r *apigw.Record) string {
	switch {
	case r.Operation == "disconnect":
		return strings.TrimSpace(fmt.Sprintf("$disconnect %d %s", r.CloseCode, printable(r.CloseReason)))
	case r.RouteKey != "" && r.Selected != "" && r.Selected != r.RouteKey:
		return printable(fmt.Sprintf("%s (for %q)", r.RouteKey, r.Selected))
	case r.RouteKey != "":
		return r.RouteKey
	case r.Operation == "message":
		return fmt.Sprintf("(no route %q)", r.Selected)
	}
	return printable(r.Path)
}

func millis(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
}

// printable makes text from outside safe to show: no control characters reach the terminal.
func printable(s string) string {
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

// jsonWriter passes JSON on without the control characters that JSON allows in texts and terminals act upon, DEL and those
// of Latin-1: they are escaped, so that it means the same. Each Write must hold whole characters.
type jsonWriter struct{ w io.Writer }

func (j jsonWriter) Write(b []byte) (int, error) {
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
		return j.w.Write(b)
	}
	if _, err := j.w.Write(out); err != nil {
		return 0, err
	}
	return len(b), nil
}

// jsonReporter writes one JSON object a line.
type jsonReporter struct{ log *slog.Logger }

var _ server.Reporter = (*jsonReporter)(nil)

// Started implements server.Reporter.
func (j *jsonReporter) Started(s server.Started) {
	for _, api := range s.Outcome.APIs {
		var routes []string
		for _, r := range api.Routes {
			routes = append(routes, r.RouteKey+" "+r.Target)
		}
		for _, stage := range api.Stages {
			attrs := []any{"project", s.Project.Name, "api_id", string(api.ID), "stage", stage, "region", s.Project.Region}
			if !api.EndpointDisabled {
				attrs = append(attrs, "url", "ws://"+s.Addr+"/"+stage, "management", "http://"+s.Addr+"/"+stage)
			}
			if urls := domainURLs(api, stage, s.Addr); len(urls) > 0 {
				attrs = append(attrs, "domain_urls", urls)
			}
			j.log.Info("started", append(attrs, "routes", routes, "ms", s.Took.Milliseconds())...)
		}
	}
	for _, key := range s.Outcome.APIKeys {
		j.log.Info("api key", "name", key.Name, "id", key.ID, "status", keyStatus(key))
	}
	for _, table := range s.Tables {
		j.log.Info("table", "status", table.String())
	}
}

// Reloaded implements server.Reporter.
func (j *jsonReporter) Reloaded(r server.Reloaded) {
	j.log.Info("reloaded", "files", r.Files, "definitions", r.Definitions, "ms", r.Took.Milliseconds())
}

// Faults implements server.Reporter.
func (j *jsonReporter) Faults(err error) { j.log.Error("not loaded", "err", err) }

// Warn implements server.Reporter.
func (j *jsonReporter) Warn(f cfn.Fault) {
	j.log.Warn("project", "place", f.Place.String(), "text", f.Message)
}

// Line implements server.Reporter.
func (j *jsonReporter) Line(l lambda.Line) {
	level := slog.LevelInfo
	if l.Stream == lambda.StreamPlatform {
		level = slog.LevelDebug
	}
	j.log.Log(context.Background(), level, "function", "function", l.Function, "request_id", l.RequestID, "stream", string(l.Stream), "text", l.Text)
}

// Stopping implements server.Reporter.
func (j *jsonReporter) Stopping(connections int) { j.log.Info("stopping", "connections", connections) }

// Used implements server.Reporter.
func (j *jsonReporter) Used(u report.Usage) { j.log.Info("usage", "usage", u) }

// Event implements server.Reporter.
func (j *jsonReporter) Event(r *apigw.Record) {
	level := slog.LevelInfo
	if r.Err != nil {
		level = slog.LevelWarn
	}
	j.log.Log(context.Background(), level, "event", "event", eventstream.Of(r))
}

// textHandler is Cleat's own log in the look of the event lines.
type textHandler struct {
	out   *syncWriter
	style style
	level slog.Level
	attrs []slog.Attr
}

// Enabled implements slog.Handler.
func (h *textHandler) Enabled(_ context.Context, l slog.Level) bool { return l >= h.level }

// Handle implements slog.Handler.
func (h *textHandler) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	level := strings.ToLower(r.Level.String())
	switch {
	case r.Level >= slog.LevelError:
		level = h.style.bad(level)
	case r.Level >= slog.LevelWarn:
		level = h.style.warn(level)
	}
	fmt.Fprintf(&b, "%s  %s  %s", h.style.dim(r.Time.Format(clock)), level, printable(r.Message))
	attrs := slices.Clone(h.attrs)
	r.Attrs(func(a slog.Attr) bool { attrs = append(attrs, a); return true })
	for _, a := range attrs {
		fmt.Fprintf(&b, "  %s%s", h.style.dim(a.Key+"="), printable(a.Value.String()))
	}
	b.WriteByte('\n')
	_, err := io.WriteString(h.out, b.String())
	return err
}

// WithAttrs implements slog.Handler.
func (h *textHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	c := *h
	c.attrs = append(slices.Clone(h.attrs), attrs...)
	return &c
}

// WithGroup implements slog.Handler. Groups are not shown: no part of Cleat uses them.
func (h *textHandler) WithGroup(string) slog.Handler { return h }
