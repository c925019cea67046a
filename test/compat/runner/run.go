package runner

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"cleat/test/compat/scenario"
)

// Options adjust a Run.
type Options struct {
	// Update goes on behind a difference and proposes what the scenario would say if what came were right: Result.Edits.
	Update bool
	// TLS is what clients of wss:// endpoints use. Nil: the system's authorities.
	TLS *tls.Config
	// Patience bounds the wait for anything that must come. Zero: 5 s.
	Patience time.Duration
}

// Result is how a scenario went on a target.
type Result struct {
	Scenario *scenario.Scenario
	Target   string
	// Skipped says why the target could not run it; empty: it did.
	Skipped string
	// Differences are where the target did otherwise than the scenario says. Only with Update are there more than one.
	Differences []scenario.Fault
	Edits       []Edit
}

// OK tells that the target did as the scenario says.
func (r *Result) OK() bool { return r.Skipped == "" && len(r.Differences) == 0 }

// Run runs one scenario on a target, with b as its backends. It returns when all that it opened is closed.
func Run(ctx context.Context, t Target, b *Backends, s *scenario.Scenario, o Options) *Result {
	if o.Patience == 0 {
		o.Patience = 5 * time.Second
	}
	res := &Result{Scenario: s, Target: t.Name()}
	if res.Skipped = t.Lacks(s); res.Skipped != "" {
		return res
	}
	r := &run{ctx: ctx, s: s, o: o, res: res, clients: map[string]*client{}}
	// A target may call its backends as soon as it serves, before it is known where.
	r.vars = scenario.NewVars(map[string]string{})
	r.stage = b.open(s, func(text string) (string, error) { return r.expand(text) })
	d, err := t.Deploy(ctx, s, b.URL(s))
	if err != nil {
		b.close(r.stage)
		res.Differences = []scenario.Fault{{File: s.File, Line: s.APIs[scenario.APIMain].Line, Message: err.Error()}}
		return res
	}
	r.d = d
	r.know(b)
	r.steps()
	for _, c := range r.clients {
		c.close()
	}
	b.close(r.stage)
	if err := d.Close(); err != nil {
		r.fail(1, fmt.Sprintf("the target did not end in order: %v", err))
	}
	return res
}

// run is a scenario that is running.
type run struct {
	ctx     context.Context //nolint:containedctx // it lives for one Run
	s       *scenario.Scenario
	o       Options
	d       *Deployment
	stage   *stage
	res     *Result
	clients map[string]*client

	vars *scenario.Vars
}

// know tells the placeholders what the deployment is.
func (r *run) know(b *Backends) {
	known := map[string]string{
		"host": r.d.Endpoint.Host, "backend": b.URL(r.s), "port": r.d.Endpoint.Port(), "scheme": "http",
		"stage": r.d.Endpoint.Path[strings.LastIndex(r.d.Endpoint.Path, "/")+1:],
	}
	_, rest, _ := strings.Cut(b.URL(r.s), "://")
	known["backendHost"], _, _ = strings.Cut(rest, "/")
	if secure(r.d.Endpoint) {
		known["scheme"] = "https"
	}
	if known["port"] == "" {
		known["port"] = map[string]string{"http": "80", "https": "443"}[known["scheme"]]
	}
	maps.Copy(known, r.d.Known)
	r.vars.KnowAll(known)
}

// expand fills the placeholders of a backend's answer, which other goroutines write.
func (r *run) expand(text string) (string, error) { return r.vars.ExpandKnown(text) }

// failure is a step that did not go as the scenario says, and perhaps how the scenario would say it.
type failure struct {
	line int
	text string
	edit *Edit
}

func (f *failure) Error() string { return f.text }

func (r *run) fail(line int, text string) {
	r.res.Differences = append(r.res.Differences, scenario.Fault{File: r.s.File, Line: line, Message: text})
}

// steps runs the script up to its first difference, or all of it for an update.
func (r *run) steps() {
	for i := range r.s.Steps {
		st := &r.s.Steps[i]
		r.vars.Begin(st.Client)
		err := r.step(st)
		if err == nil {
			continue
		}
		var failures []*failure
		for _, e := range unjoin(err) {
			var f *failure
			if !errors.As(e, &f) {
				f = &failure{line: st.Line, text: e.Error()}
			}
			failures = append(failures, f)
		}
		for _, f := range failures {
			r.fail(f.line, f.text)
			if f.edit != nil {
				r.res.Edits = append(r.res.Edits, *f.edit)
			}
		}
		fixable := !slices.ContainsFunc(failures, func(f *failure) bool { return f.edit == nil })
		if !r.o.Update || !fixable {
			return
		}
	}
	for _, name := range r.s.Watched() {
		if path, err := r.vars.Expand(name); err == nil {
			name = path
		}
		if calls := r.stage.unread(name); len(calls) > 0 {
			last := r.s.Steps[len(r.s.Steps)-1].Line
			r.fail(last, fmt.Sprintf("%s was called %d times more than the script reads, first with %s", name, len(calls), scenario.Escape(calls[0].text())))
		}
	}
}

// unjoin takes apart what errors.Join has put together.
func unjoin(err error) []error {
	j, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var out []error
	for _, e := range j.Unwrap() {
		out = append(out, unjoin(e)...)
	}
	return out
}

func (r *run) step(st *scenario.Step) error {
	switch st.Verb {
	case "connect", "tcp":
		return r.connect(st)
	case "finish", "answer":
		c, err := r.client(st)
		if err != nil {
			return err
		}
		return r.finish(st, c)
	case http.MethodGet, http.MethodPost, http.MethodDelete, http.MethodPut, http.MethodPatch, http.MethodHead, http.MethodOptions:
		return r.request(st)
	case "event":
		return r.event(st)
	case "request":
		return r.backendRequest(st)
	case "uncalled":
		if calls := r.stage.unread(st.Arg); len(calls) > 0 {
			return fmt.Errorf("%s was called with %s", st.Arg, scenario.Escape(calls[0].text()))
		}
		return nil
	case "release":
		r.stage.release(st.Arg)
		return nil
	case "sleep":
		return r.sleep(st.Arg)
	case "deploy":
		if r.d.Redeploy == nil {
			return errors.New("this target cannot deploy again")
		}
		return r.d.Redeploy(r.ctx, r.s.APIs[st.Arg].Text)
	}
	c, err := r.client(st)
	if err != nil {
		return err
	}
	return r.frames(st, c)
}

func (r *run) sleep(text string) error {
	d, err := time.ParseDuration(text)
	if err != nil {
		return err
	}
	select {
	case <-time.After(d):
		return nil
	case <-r.ctx.Done():
		return r.ctx.Err()
	}
}

func (r *run) client(st *scenario.Step) (*client, error) {
	c := r.clients[st.Client]
	if c == nil || c.socket == nil {
		return nil, fmt.Errorf("%s has no connection", st.Client)
	}
	return c, nil
}

// match compares got with what a line of the scenario wants. prefix is what stands on that line before the text, for an
// update.
func (r *run) match(line int, what, prefix, want, got string) error {
	err := r.vars.Match(want, got)
	if err == nil {
		return nil
	}
	return &failure{line, what + ":\n" + err.Error(), &Edit{line, line, []string{strings.TrimRight(prefix+r.vars.Template(got), " ")}}}
}
