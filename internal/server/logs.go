package server

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"cleat/internal/apigw"
	"cleat/internal/cfn"
	"cleat/internal/config"
	"cleat/internal/eventlog"
	"cleat/internal/project"
	"cleat/internal/store"
)

// LogTargets are where logs go by the command line, in place of what the project says; empty: as the project says.
type LogTargets struct {
	Access, Execution string
	// Stdout and Stderr are what those targets mean.
	Stdout, Stderr io.Writer
	// Own are the files that standard output and error are, where they are some: no changes of the project.
	Own []fs.FileInfo
}

// openLogs opens the outputs of the logs that are wanted; service is whose they are.
func openLogs(logs config.Logs, service string, targets LogTargets, log *slog.Logger) (eventlog.Options, error) {
	o := eventlog.Options{Log: log}
	std := map[string]io.Writer{"stdout": targets.Stdout, "stderr": targets.Stderr}
	open := func(t config.LogTarget) (eventlog.Output, error) {
		if t.To == "" {
			return nil, nil //nolint:nilnil // no log is wanted
		}
		return eventlog.Open(t.To, service, std, eventlog.FileOptions{MaxSize: t.MaxSize, Keep: t.Keep})
	}
	var err error
	if o.Access, err = open(logs.Access); err != nil {
		return o, fmt.Errorf("access log: %w", err)
	}
	if o.Execution, err = open(logs.Execution); err != nil {
		if o.Access != nil {
			err = errors.Join(err, o.Access.Close())
		}
		return o, fmt.Errorf("execution log: %w", err)
	}
	return o, nil
}

// closeLogs closes outputs that nobody came to use.
func closeLogs(o eventlog.Options) error {
	var err error
	for _, out := range []eventlog.Output{o.Access, o.Execution} {
		if out != nil {
			err = errors.Join(err, out.Close())
		}
	}
	return err
}

// logSettings are where logs go, and at which level.
type logSettings struct {
	config.Logs
	defaultLevel string // of routes that have none, in place of none
}

// logs are a project's log settings with the command line's on top.
func (d *dev) logs(p *project.Project) logSettings {
	logs := logSettings{Logs: p.Logs}
	if d.o.Logs.Access != "" {
		logs.Access = config.LogTarget{To: d.o.Logs.Access}
	}
	if d.o.Logs.Execution != "" {
		logs.Execution = config.LogTarget{To: d.o.Logs.Execution}
		logs.defaultLevel = eventlog.LevelInfo // who asks for it on the command line wants to see it
	}
	return logs
}

// ownFiles tells of files that this process writes: logs, those that were put aside, and its own output. Were they taken
// for changes of the project, each line would renew the functions and, by that, make the next line.
func (d *dev) ownFiles() func(path string, info fs.FileInfo) bool {
	var logs []string
	for _, t := range []config.LogTarget{d.logs(d.project).Access, d.logs(d.project).Execution} {
		path, err := filepath.Abs(t.To)
		if t.To == "" || err != nil {
			continue
		}
		if dir, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
			path = filepath.Join(dir, filepath.Base(path))
		}
		logs = append(logs, path)
	}
	return func(path string, info fs.FileInfo) bool {
		isLog := func(log string) bool { return path == log || strings.HasPrefix(path, log+".") }
		isOutput := func(out fs.FileInfo) bool { return os.SameFile(out, info) }
		return slices.ContainsFunc(logs, isLog) || slices.ContainsFunc(d.o.Logs.Own, isOutput)
	}
}

// hintLogs tells of logs that AWS would write and that go nowhere here.
func (d *dev) hintLogs(published []store.Published) {
	logs := d.logs(d.project)
	for i := range published {
		s := published[i].Stage
		if s.AccessLogSettings != nil && s.AccessLogSettings.Format != "" && logs.Access.To == "" {
			d.o.Report.Warn(cfn.Fault{Message: fmt.Sprintf("stage %s writes an access log on AWS; here it goes where --access-log says, such as --access-log stdout", s.StageName)})
		}
		if logs.Execution.To == "" && writesExecutionLog(s) {
			d.o.Report.Warn(cfn.Fault{Message: fmt.Sprintf("stage %s writes an execution log on AWS; here it goes where --execution-log says, such as --execution-log stderr", s.StageName)})
		}
	}
}

// writesExecutionLog tells of a stage with a loggingLevel, its own or that of a route.
func writesExecutionLog(s *apigw.Stage) bool {
	on := func(r apigw.RouteSettings) bool {
		return r.LoggingLevel == eventlog.LevelInfo || r.LoggingLevel == eventlog.LevelError
	}
	return s.DefaultRouteSettings != nil && on(*s.DefaultRouteSettings) || slices.ContainsFunc(slices.Collect(maps.Values(s.RouteSettings)), on)
}

// withMetrics answers GET /metrics ahead of next. A stage may have that name: its handshakes go on to it.
func (n *node) withMetrics(next http.Handler) http.Handler {
	metrics := promhttp.HandlerFor(n.registry, promhttp.HandlerOpts{})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/metrics" && r.Method == http.MethodGet && r.Header.Get("Upgrade") == "" {
			metrics.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}
