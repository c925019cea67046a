package project

import (
	"path/filepath"
	"slices"
	"strings"

	"cleat/internal/cfn"
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
func (s *short) readLogs() {
	v := s.root.Get("logs")
	s.mapEntries(v, "logs")
	s.checkKeys(v, "logs", cleatSettings["logs"])
	access, execution := v.Get("access"), v.Get("execution")
	if access.Is(cfn.Map) {
		s.checkKeys(access, "logs.access", cleatSettings["accessLog"])
	}
	if execution.Is(cfn.Map) {
		s.checkKeys(execution, "logs.execution", cleatSettings["executionLog"])
	}
	out := Logs{Access: s.readTarget(access, "logs.access"), Execution: s.readTarget(execution, "logs.execution")}
	if format := access.Get("format"); format != nil {
		if text, ok := s.text(format, "logs.access.format"); ok {
			out.AccessFormat = text
			s.checkFormat(format.Place, text)
		}
	}
	if level := execution.Get("level"); level != nil {
		if text, ok := s.text(level, "logs.execution.level"); ok {
			out.ExecutionLevel = strings.ToUpper(text)
			if !slices.Contains(executionLevels, out.ExecutionLevel) {
				s.faultf(level.Place, "logs.execution.level: there is no level %q, only OFF, ERROR and INFO", text)
			}
		}
	}
	if trace := execution.Get("dataTrace"); trace != nil {
		on, ok := parseSwitch(trace.Str())
		if !ok {
			s.faultf(trace.Place, "logs.execution.dataTrace must be on or off")
		}
		out.DataTrace = on
	}
	s.p.Logs = out
}

// checkFormat looks at the format of access-log lines.
func (s *short) checkFormat(at cfn.Place, text string) {
	f, err := logformat.Parse(text)
	if err != nil {
		s.faultf(at, "logs.access.format: %v", err)
		return
	}
	for _, name := range f.Unknown() {
		s.warnf(at, "logs.access.format: there is no variable $context.%s: it prints -", name)
	}
}

// readTarget reads where a log goes: a text, or a map with `to`.
func (s *short) readTarget(v *cfn.Value, what string) LogTarget {
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
				s.faultf(size.Place, "%s.maxSize: %s", what, why)
			}
			out.MaxSize = n
		}
		if n, ok := s.number(v.Get("keep"), what+".keep", 1, 1000); ok {
			out.Keep = n
		}
	}
	text, ok := s.text(to, what)
	switch {
	case !ok:
		return out
	case text == "stdout", text == "stderr":
	case strings.Contains(text, "://"):
		if !isHTTPURL(strings.TrimPrefix(text, "otlp+")) {
			s.faultf(to.Place, "%s: %q is none of stdout, stderr, a file, an http(s):// URL and an otlp+http(s):// URL", what, text)
		}
	case !filepath.IsAbs(text):
		text = filepath.Join(s.dir, text)
	}
	out.To = text
	return out
}
