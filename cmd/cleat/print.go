package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/awsapi"
	"cleat/internal/cfn"
	"cleat/internal/control/stacks"
	"cleat/internal/eventstream"
	"cleat/internal/lambda"
	"cleat/internal/meter/report"
	"cleat/internal/server"
	"cleat/internal/terminal"
)

// textReporter shows a run to a person: a start text, then a line for each event.
type textReporter struct {
	out      *terminal.Writer
	style    terminal.Style
	platform bool // show Lambda's own START, END and REPORT lines
}

var _ server.Reporter = (*textReporter)(nil)

func (t *textReporter) printf(format string, args ...any) {
	_, _ = fmt.Fprintf(t.out, format, args...) // a terminal that is gone has no reader to miss it
}

// Started implements server.Reporter.
func (t *textReporter) Started(s server.Started) {
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s  %s  %s\n", t.style.Bold("Cleat"), s.Project.Name, t.style.Dim(fmt.Sprintf("stage %s, region %s, ready in %d ms", s.Project.Stage, s.Project.Region, s.Took.Milliseconds())))
	t.addresses(&b, s.Outcome, s.Addr, s.Project.Region)
	if s.Open {
		need := "Other machines can reach this address, and need no credentials to connect, push and list."
		if s.Project.Users.Management {
			need = "Other machines can reach this address, and need no credentials to connect but where a route asks for them."
		}
		fmt.Fprintf(&b, "\n  %s\n", t.style.Warn(need))
	}
	if len(s.Outcome.APIs) > 1 {
		b.WriteString(t.style.Dim("\n  Several APIs: address each as ws://" + s.Addr + "/{apiId}/{stage}.\n"))
	}
	for _, table := range s.Tables {
		fmt.Fprintf(&b, "  %-14s %s %s\n", "table", t.style.Dim("→"), table)
	}
	if left := slices.Concat(s.Project.LeftAlone, s.Outcome.LeftAlone); len(left) > 0 {
		fmt.Fprintf(&b, "\n  %s\n", t.style.Dim("left alone: "+strings.Join(left, ", ")))
	}
	fmt.Fprintf(&b, "\n  %s\n\n", t.style.Dim("Files are watched; Ctrl-C stops."))
	t.printf("%s", b.String())
}

// addresses says where each API is and what its routes lead to.
func (t *textReporter) addresses(b *strings.Builder, o stacks.Outcome, addr, region string) {
	for _, api := range o.APIs {
		for _, stage := range api.Stages {
			if api.EndpointDisabled {
				fmt.Fprintf(b, "\n  %s  %s  %s\n", t.style.Dim("API        "), api.ID, t.style.Dim("stage "+stage+", its default endpoint is disabled"))
			} else {
				fmt.Fprintf(b, "\n  %s  %s\n", t.style.Dim("WebSocket  "), t.style.Bold("ws://"+addr+"/"+stage))
				fmt.Fprintf(b, "  %s  http://%s/%s/@connections/{connectionId}\n", t.style.Dim("Management "), addr, stage)
				fmt.Fprintf(b, "  %s  %s  %s\n", t.style.Dim("API        "), api.ID, t.style.Dim("https://"+string(api.ID)+".execute-api."+region+".amazonaws.com/"+stage+" leads here from functions"))
			}
			t.domains(b, api, stage, addr)
		}
		if len(api.Routes) > 0 {
			b.WriteString("\n")
		}
		for _, r := range api.Routes {
			way := ""
			if r.TwoWay {
				way = t.style.Dim("  two-way")
			}
			fmt.Fprintf(b, "  %-14s %s %s%s\n", r.RouteKey, t.style.Dim("→"), r.Target, way)
		}
	}
	for i, key := range o.APIKeys {
		if i == 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(b, "  %s  %s  %s\n", t.style.Dim("API key    "), key.Name, t.style.Dim(keyStatus(key)))
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
	t.printf("%s  %s  %s\n", t.now(), t.style.Good("reloaded   "), t.style.Dim(fmt.Sprintf("%s after %s (%d ms)", what, short(r.Files), r.Took.Milliseconds())))
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
	t.printf("%s  %s  the definitions from before stay\n%s\n", t.now(), t.style.Bad("not loaded "), indent(err.Error()))
}

func indent(s string) string { return "    " + strings.ReplaceAll(s, "\n", "\n    ") }

// Warn implements server.Reporter.
func (t *textReporter) Warn(f cfn.Fault) { t.printf("%s %s\n", t.style.Warn("warning:"), f.Error()) }

// Line implements server.Reporter.
func (t *textReporter) Line(l lambda.Line) {
	if l.Stream == lambda.StreamPlatform && !t.platform {
		return
	}
	request, _, _ := strings.Cut(l.RequestID, "-") // enough to tell invocations apart
	t.printf("%s  %-11s  %s %s\n", t.style.Dim(l.Time.Format(terminal.Clock)), "  "+request, t.style.Dim(l.Function+" │"), terminal.Printable(message(l)))
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

func (t *textReporter) now() string { return t.style.Dim(time.Now().Format(terminal.Clock)) }

// Event implements server.Reporter: time, what, connection, route, target, status, milliseconds, bytes, reason.
func (t *textReporter) Event(r *apigw.Record) {
	var b strings.Builder
	end := r.Time.Add(r.Duration) // lines stand in the order of their times
	fmt.Fprintf(&b, "%s  %-11s  %-16s  %s", t.style.Dim(end.Format(terminal.Clock)), r.Operation, shown(r.ConnectionID), t.style.Bold(routeText(r)))
	if r.Target != "" {
		fmt.Fprintf(&b, " %s %s", t.style.Dim("→"), r.Target)
	}
	if r.Status != 0 {
		status := fmt.Sprint(r.Status)
		if r.Status >= http.StatusBadRequest {
			status = t.style.Bad(status)
		}
		b.WriteString("  " + status)
	}
	fmt.Fprintf(&b, "  %s", t.style.Dim(millis(r.Duration)))
	if r.BytesIn > 0 {
		fmt.Fprintf(&b, "  %s", t.style.Dim(fmt.Sprintf("%d B in", r.BytesIn)))
	}
	if r.BytesOut > 0 {
		fmt.Fprintf(&b, "  %s", t.style.Dim(fmt.Sprintf("%d B out", r.BytesOut)))
	}
	switch {
	case r.Err != nil:
		b.WriteString("  " + t.style.Bad(terminal.Printable(awsapi.Reason(r.Err))))
		if r.Event != nil { // the client has been told the ID of its request
			b.WriteString("  " + t.style.Dim("request "+string(r.RequestID)))
		}
	case r.Integration.Error != "": // nobody is told, and yet the backend said something was wrong
		b.WriteString("  " + t.style.Warn(terminal.Printable(r.Integration.Error)))
	}
	b.WriteByte('\n')
	t.printf("%s", b.String())
}

// shown is a connection ID fit to be shown: in a push it is whatever somebody wrote into a URL.
func shown(id apigw.ConnectionID) string {
	const most = 40
	s := terminal.Printable(string(id))
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}

func routeText(r *apigw.Record) string {
	switch {
	case r.Operation == "disconnect":
		return strings.TrimSpace(fmt.Sprintf("$disconnect %d %s", r.CloseCode, terminal.Printable(r.CloseReason)))
	case r.RouteKey != "" && r.Selected != "" && r.Selected != r.RouteKey:
		return terminal.Printable(fmt.Sprintf("%s (for %q)", r.RouteKey, r.Selected))
	case r.RouteKey != "":
		return r.RouteKey
	case r.Operation == "message":
		return fmt.Sprintf("(no route %q)", r.Selected)
	}
	return terminal.Printable(r.Path)
}

func millis(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
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
