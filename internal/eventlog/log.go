package eventlog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"sync/atomic"

	"cleat/internal/apigw"
	"cleat/internal/logformat"
)

// Options set a Log up.
type Options struct {
	// Access and Execution take the lines; nil: that log is not written. The Log closes them.
	Access, Execution Output
	Log               *slog.Logger // told of lines that were lost; required
}

// Overrides take the place of what every stage says for itself.
type Overrides struct {
	AccessFormat   string // empty: the stage's own, or logformat.Default where it has none
	ExecutionLevel string // LevelOff, LevelError or LevelInfo; empty: the route's own loggingLevel
	DefaultLevel   string // of routes whose loggingLevel is OFF or not set; empty: LevelOff
	DataTrace      bool   // payloads of all routes; false: the route's own dataTraceEnabled
}

// The levels of an execution log (spec control-plane §11).
const (
	LevelOff   = "OFF"
	LevelError = "ERROR"
	LevelInfo  = "INFO"
)

// Log writes the access and the execution log of a node. Observe and Swap are safe for concurrent use.
type Log struct {
	access, execution *queue
	stages            atomic.Pointer[stages] // never nil
	log               *slog.Logger
}

// stages are the settings of all stages, as they are under the overrides.
type stages struct {
	settings  map[apigw.StageKey]*settings
	overrides Overrides
}

// settings are what one stage's records are written by. They are immutable.
type settings struct {
	revision uint64 // of the stage
	format   *logformat.Format
	group    string // where AWS would put the execution log
	routes   map[string]routeSettings
	others   routeSettings
}

type routeSettings struct {
	level string
	trace bool
}

// New returns a Log that knows no stage yet: see Swap. Run must be called for lines to be written, and to close the
// outputs.
func New(o Options) *Log {
	l := &Log{log: o.Log}
	if o.Access != nil {
		l.access = newQueue("access log", o.Access, o.Log)
	}
	if o.Execution != nil {
		l.execution = newQueue("execution log", o.Execution, o.Log)
	}
	l.stages.Store(&stages{})
	return l
}

// Swap replaces the stages and their settings. It fails on a format that cannot be used and then changes nothing.
func (l *Log) Swap(served []apigw.ServedStage, o Overrides) error {
	before := l.stages.Load()
	next := make(map[apigw.StageKey]*settings, len(served))
	formats := map[string]*logformat.Format{} // most stages have the same
	var faults []error
	for i := range served {
		s := &served[i]
		if have := before.settings[s.Key()]; have != nil && s.Revision != 0 && have.revision == s.Revision && before.overrides == o {
			next[s.Key()] = have
			continue
		}
		format := logformat.Default
		if a := s.Stage.AccessLogSettings; a != nil && a.Format != "" {
			format = a.Format
		}
		if o.AccessFormat != "" {
			format = o.AccessFormat
		}
		f := formats[format]
		if f == nil {
			var err error
			if f, err = logformat.Parse(format); err != nil {
				faults = append(faults, fmt.Errorf("API %s, stage %s: %w", s.APIID, s.Stage.StageName, err))
				continue
			}
			formats[format] = f
		}
		var def apigw.RouteSettings
		if s.Stage.DefaultRouteSettings != nil {
			def = *s.Stage.DefaultRouteSettings
		}
		out := &settings{
			revision: s.Revision, format: f, group: "/aws/apigateway/" + string(s.APIID) + "/" + s.Stage.StageName, // open-questions 53
			routes: map[string]routeSettings{}, others: settingsOf(def, o),
		}
		for key, rs := range maps.All(s.Stage.RouteSettings) {
			out.routes[key] = settingsOf(rs, o)
		}
		next[s.Key()] = out
	}
	if len(faults) > 0 {
		return errors.Join(faults...)
	}
	l.stages.Store(&stages{next, o})
	return nil
}

func settingsOf(rs apigw.RouteSettings, o Overrides) routeSettings {
	out := routeSettings{level: strings.ToUpper(rs.LoggingLevel), trace: rs.DataTraceEnabled || o.DataTrace}
	switch {
	case o.ExecutionLevel != "":
		out.level = o.ExecutionLevel
	case o.DefaultLevel != "" && (out.level == "" || out.level == LevelOff):
		out.level = o.DefaultLevel
	}
	return out
}

// buffers are for lines in the making.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

// Observe writes a record's lines. It does not block and does not keep the record. Management requests and refusals have
// no event and no line (spec data-plane §9.1: one record per connect, message and disconnect).
func (l *Log) Observe(rec *apigw.Record) {
	if rec.Event == nil || l.access == nil && l.execution == nil {
		return
	}
	s := l.stages.Load().settings[rec.StageKey()]
	if s == nil {
		return // the stage is gone, and with it who wanted to know
	}
	b := buffers.Get().(*[]byte) //nolint:errcheck,forcetypeassert // New puts nothing else in
	if l.access != nil {
		*b = s.format.Append((*b)[:0], rec)
		l.access.add(*b, rec.Time)
	}
	if l.execution != nil {
		*b = s.appendExecution((*b)[:0], rec)
		l.execution.add(*b, rec.Time)
	}
	buffers.Put(b)
}

// Run writes lines until ctx ends, then what is left, for a few seconds at most, and closes the outputs.
func (l *Log) Run(ctx context.Context) error {
	var group sync.WaitGroup
	errs := make([]error, 2)
	for i, q := range []*queue{l.access, l.execution} {
		if q != nil {
			group.Go(func() { errs[i] = q.run(ctx) })
		}
	}
	group.Wait()
	return errors.Join(errs...)
}

// Dropped is how many lines could not be written.
func (l *Log) Dropped() (access, execution uint64) {
	if l.access != nil {
		access = l.access.dropped.Load()
	}
	if l.execution != nil {
		execution = l.execution.dropped.Load()
	}
	return access, execution
}
