package config

import (
	"path/filepath"
	"slices"
	"strings"

	"cleat/internal/cfn"
	"cleat/internal/input"
	"cleat/internal/logformat"
)

// Logs say where the access and the execution log of a node go. The zero value writes neither.
type Logs struct {
	Access, Execution LogTarget
	AccessFormat      string // in place of every stage's own; empty: theirs
	ExecutionLevel    string // "OFF", "ERROR" or "INFO", in place of every stage's own; empty: theirs
	DataTrace         bool   // show payloads, whatever the stages say
}

// LogTarget is where a log goes.
type LogTarget struct {
	To      string // "stdout", "stderr", an absolute path, an http(s):// or an otlp+http(s):// URL; empty: nowhere
	MaxSize int64  // bytes at which a file is put aside; zero: the default
	Keep    int    // files put aside that are kept; zero: the default
}

var executionLevels = []string{"OFF", "ERROR", "INFO"}

// readLogs reads `logs`.
func (s *reader) readLogs() {
	v := s.root.Get("logs")
	s.Entries(v, "logs")
	s.CheckKeys(v, "logs", Settings["logs"])
	access, execution := v.Get("access"), v.Get("execution")
	if access.Is(cfn.Map) {
		s.CheckKeys(access, "logs.access", Settings["accessLog"])
	}
	if execution.Is(cfn.Map) {
		s.CheckKeys(execution, "logs.execution", Settings["executionLog"])
	}
	out := Logs{Access: s.readTarget(access, "logs.access"), Execution: s.readTarget(execution, "logs.execution")}
	if format := access.Get("format"); format != nil {
		if text, ok := s.Text(format, "logs.access.format"); ok {
			out.AccessFormat = text
			s.checkFormat(format.Place, text)
		}
	}
	if level := execution.Get("level"); level != nil {
		if text, ok := s.Text(level, "logs.execution.level"); ok {
			out.ExecutionLevel = strings.ToUpper(text)
			if !slices.Contains(executionLevels, out.ExecutionLevel) {
				s.Faultf(level.Place, "logs.execution.level: there is no level %q, only OFF, ERROR and INFO", text)
			}
		}
	}
	if trace := execution.Get("dataTrace"); trace != nil {
		on, ok := input.ParseSwitch(trace.Str())
		if !ok {
			s.Faultf(trace.Place, "logs.execution.dataTrace must be on or off")
		}
		out.DataTrace = on
	}
	s.node.Logs = out
}

// checkFormat looks at the format of access-log lines.
func (s *reader) checkFormat(at cfn.Place, text string) {
	f, err := logformat.Parse(text)
	if err != nil {
		s.Faultf(at, "logs.access.format: %v", err)
		return
	}
	for _, name := range f.Unknown() {
		s.Warnf(at, "logs.access.format: there is no variable $context.%s: it prints -", name)
	}
}

// readTarget reads where a log goes: a text, or a map with `to`.
func (s *reader) readTarget(v *cfn.Value, what string) LogTarget {
	var out LogTarget
	to := v
	if v.Is(cfn.Map) {
		to = v.Get("to")
		if size := v.Get("maxSize"); size != nil {
			n, why := limitValue(size, limitBytes)
			if why == "" && n < 1<<10 {
				why = "a log file has at least 1KB"
			}
			if why != "" {
				s.Faultf(size.Place, "%s.maxSize: %s", what, why)
			}
			out.MaxSize = n
		}
		if n, ok := s.Number(v.Get("keep"), what+".keep", 1, 1000); ok {
			out.Keep = n
		}
	}
	text, ok := s.Text(to, what)
	switch {
	case !ok:
		return out
	case text == "stdout", text == "stderr":
	case strings.Contains(text, "://"):
		if !input.IsHTTPURL(strings.TrimPrefix(text, "otlp+")) {
			s.Faultf(to.Place, "%s: %q is none of stdout, stderr, a file, an http(s):// URL and an otlp+http(s):// URL", what, text)
		}
	case !filepath.IsAbs(text):
		text = filepath.Join(s.Dir, text)
	}
	out.To = text
	return out
}
