package integration

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"cleat/internal/apigw"
	"cleat/internal/expr"
	"cleat/internal/vtl"
)

// responses are the integration responses of a non-proxy integration (spec events-and-integrations §8.2).
type responses struct {
	selection *expr.Expression
	entries   []responseEntry
	fallback  *responseEntry // of key $default; may be nil
	// headers says that an expression looks at the answer's headers.
	headers bool
}

type responseEntry struct {
	key      string
	exact    string         // matches this text
	pattern  *regexp.Regexp // nil unless the key is /…/
	status   int            // that the key is the text of; zero when it is none
	handling string
	templates
}

// answer is what a backend gave, before it is shaped.
type answer struct {
	expr.Response
	body []byte
}

// parseResponses compiles the integration's responses. Expression is that of integrations which have none of their own.
func (c *compiler) parseResponses(expression string) *responses {
	if c.in.IntegrationResponseSelectionExpression != "" {
		expression = c.in.IntegrationResponseSelectionExpression
	}
	out := &responses{entries: make([]responseEntry, 0, len(c.responses))}
	var err error
	if out.selection, err = expr.Parse(expr.IntegrationResponse, expression); err != nil {
		c.fault("integrationResponseSelectionExpression: %w", err)
		return out
	}
	out.headers = strings.Contains(expression, "header.")
	seen := map[string]bool{}
	for i := range c.responses {
		r := &c.responses[i]
		where := fmt.Sprintf("integration response %q", r.IntegrationResponseKey)
		if seen[r.IntegrationResponseKey] {
			c.fault("%s: there are two of them", where)
		}
		seen[r.IntegrationResponseKey] = true
		e, err := parseResponseKey(r.IntegrationResponseKey)
		if err != nil {
			c.fault("%s: %w", where, err)
			continue
		}
		c.checkHandling(where+": contentHandlingStrategy", r.ContentHandlingStrategy)
		e.handling = r.ContentHandlingStrategy
		var faults []error
		e.templates, faults = parseTemplates(expr.ResponseTemplate, "responseTemplates", r.TemplateSelectionExpression, r.ResponseTemplates)
		for _, f := range faults {
			c.fault("%s: %w", where, f)
		}
		out.headers = out.headers || strings.Contains(r.TemplateSelectionExpression, "header.")
		out.entries = append(out.entries, e)
	}
	for i := range out.entries {
		if out.entries[i].key == apigw.RouteDefault {
			out.fallback = &out.entries[i]
		}
	}
	return out
}

// parseResponseKey reads $default, a regular expression between slashes, or a text to be matched as it is.
func parseResponseKey(key string) (responseEntry, error) {
	e := responseEntry{key: key, exact: key}
	if inner, ok := strings.CutPrefix(key, "/"); ok {
		inner, ok = strings.CutSuffix(inner, "/")
		if !ok {
			return e, fmt.Errorf("want $default, a text, or a regular expression between slashes")
		}
		var err error
		if e.pattern, err = regexp.Compile(`\A(?:` + inner + `)\z`); err != nil {
			return e, fmt.Errorf("the regular expression does not parse (RE2 syntax): %w", err)
		}
		e.exact = inner
	}
	if n, err := strconv.Atoi(e.exact); err == nil && n >= 100 && n <= 599 {
		e.status = n
	}
	return e, nil
}

// pick returns the entry that an answer selects: the exact one, else the first whose pattern matches all of the text,
// else $default, else nil.
func (r *responses) pick(text []byte) *responseEntry {
	for i := range r.entries {
		if e := &r.entries[i]; e.exact == string(text) && e != r.fallback {
			return e
		}
	}
	for i := range r.entries {
		if p := r.entries[i].pattern; p != nil && p.MatchString(string(text)) {
			return &r.entries[i]
		}
	}
	return r.fallback
}

// apply shapes a backend's answer; a template's text is appended to dst. Where an integration has no responses at all, an answer to a message or a
// disconnect counts as success and goes nowhere; a connect cannot do without (spec events-and-integrations §7, §8.2).
func (r *responses) apply(dst []byte, x *exchange, a *answer) (Result, error) {
	ev := x.ev
	res := Result{Status: a.StatusCode, BackendStatus: a.StatusCode, Cause: a.ErrorMessage}
	if len(r.entries) == 0 {
		if ev.Context.EventType == apigw.EventConnect {
			return res, misconfigured("the integration has no integration response, and $connect needs one, such as $default")
		}
		return res, nil
	}
	vars := expr.Vars{Body: ev.Body, Response: &a.Response}
	var room [64]byte
	text := r.selection.Append(room[:0], vars)
	e := r.pick(text)
	if e == nil {
		return res, misconfigured("no integration response matches %s = %q, and there is no $default", r.selection, string(text))
	}
	if e.status != 0 {
		res.Status = e.status
	}
	in := &x.response
	*in = vtl.Input{Event: ev, Payload: &x.answer, Status: res.Status, Overrides: x.overrides, Yield: x.yield}
	var err error
	res.Body, err = e.body(dst, in, vars, a.body)
	res.HasBody = len(res.Body) > 0
	if in.Overrides.Status != 0 {
		res.Status = in.Overrides.Status
	}
	return res, err
}

// body is what the client of a two-way route gets.
func (e *responseEntry) body(dst []byte, in *vtl.Input, vars expr.Vars, body []byte) ([]byte, error) {
	body, err := convert(e.handling, body, !isText(body))
	if err != nil {
		return nil, failure("integration response %q: contentHandlingStrategy CONVERT_TO_BINARY: the answer is not base64: %w", e.key, err)
	}
	t := e.pick(vars)
	if t == nil {
		return body, nil
	}
	in.Payload.Reset(body)
	out, err := t.Render(dst, in)
	if err != nil {
		return nil, templateFault(fmt.Sprintf("integration response %q: response template %q", e.key, t.key), err)
	}
	return out, nil
}
