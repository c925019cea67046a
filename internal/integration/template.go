package integration

import (
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"cleat/internal/apigw"
	"cleat/internal/expr"
	"cleat/internal/vtl"
)

// What passthroughBehavior and contentHandlingStrategy may say (spec events-and-integrations §8.1).
const (
	whenNoMatch     = "WHEN_NO_MATCH"
	whenNoTemplates = "WHEN_NO_TEMPLATES"
	never           = "NEVER"

	convertToText   = "CONVERT_TO_TEXT"
	convertToBinary = "CONVERT_TO_BINARY"
)

// template is a parsed mapping template with its key, for messages.
type template struct {
	key string
	*vtl.Template
	// constant is the text of a template that is the same for every event, and status what a MOCK integration makes of it,
	// zero for nothing; nil for others.
	constant []byte
	status   int
}

func newTemplate(key string, parsed *vtl.Template) *template {
	t := &template{key: key, Template: parsed}
	if text, ok := parsed.Constant(); ok {
		t.constant = []byte(text)
		if status, ok := mockStatus(t.constant); ok {
			t.status = status
		}
	}
	return t
}

// excerpt is the beginning of a text's first line, for a message.
func excerpt(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	if len(s) > 24 {
		s = strings.ToValidUTF8(s[:24], "") + "…"
	}
	return s
}

// templates are the request or response templates of one owner, and the rule that picks one of them.
type templates struct {
	selection *expr.Expression // nil: see pick
	byKey     map[string]*template
}

// parseTemplates reads templates and the expression that selects among them.
func parseTemplates(kind expr.Kind, field, selection string, texts map[string]string) (templates, []error) {
	out := templates{byKey: make(map[string]*template, len(texts))}
	var faults []error
	if selection != "" {
		var err error
		if out.selection, err = expr.Parse(kind, selection); err != nil {
			faults = append(faults, fmt.Errorf("templateSelectionExpression: %w", err))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(texts)) {
		t, err := vtl.Parse(texts[key])
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %q: %w", field, key, err))
			continue
		}
		out.byKey[key] = newTemplate(key, t)
	}
	return out, faults
}

// pick returns the template for an event, nil when there is none. Without an expression that is $default, or else
// application/json, or else the only one there is (spec events-and-integrations §8.1, open-questions 40).
func (t *templates) pick(vars expr.Vars) *template {
	if len(t.byKey) == 0 {
		return nil
	}
	if t.selection != nil {
		var room [64]byte
		if found, ok := t.byKey[string(t.selection.Append(room[:0], vars))]; ok {
			return found
		}
		return t.byKey[apigw.RouteDefault]
	}
	for _, key := range []string{apigw.RouteDefault, "application/json"} {
		if found, ok := t.byKey[key]; ok {
			return found
		}
	}
	if len(t.byKey) == 1 {
		for _, only := range t.byKey {
			return only
		}
	}
	return nil
}

// requestShape makes the payload of a non-proxy integration.
type requestShape struct {
	templates   templates
	passthrough string
	handling    string
}

func (c *compiler) requestShape() requestShape {
	in := c.in
	c.checkHandling("contentHandlingStrategy", in.ContentHandlingStrategy)
	t, faults := parseTemplates(expr.Template, "requestTemplates", in.TemplateSelectionExpression, in.RequestTemplates)
	c.faults = append(c.faults, faults...)
	return requestShape{templates: t, passthrough: in.PassthroughBehavior, handling: in.ContentHandlingStrategy}
}

func (c *compiler) checkHandling(field, value string) {
	switch value {
	case "", convertToText, convertToBinary:
	default:
		c.fault("%s: %q is not one of CONVERT_TO_TEXT and CONVERT_TO_BINARY", field, value)
	}
}

// payload is what the backend gets of an event: the chosen template's text, or the body as it came. Nobody may change it.
func (s *requestShape) payload(x *exchange) ([]byte, error) {
	payload, _, err := s.appendPayload(nil, x)
	return payload, err
}

// appendPayload is payload that may append to dst, with the template that was chosen; nil for none.
func (s *requestShape) appendPayload(dst []byte, x *exchange) ([]byte, *template, error) {
	body, err := convert(s.handling, x.ev.Body, x.ev.Binary)
	if err != nil {
		return nil, nil, failure("contentHandlingStrategy CONVERT_TO_BINARY: the message is not base64: %w", err)
	}
	t := s.templates.pick(expr.Vars{Body: x.ev.Body})
	switch {
	case t == nil && (s.passthrough == never || s.passthrough == whenNoTemplates && len(s.templates.byKey) > 0):
		return nil, nil, &apigw.Error{Kind: apigw.KindUnsupportedMediaType, Err: fmt.Errorf("no request template is selected and passthroughBehavior is %s", s.passthrough)}
	case t == nil:
		return body, nil, nil
	case t.constant != nil:
		return t.constant, t, nil
	}
	in := x.input()
	if s.handling != "" { // the template works on the converted body
		in.Payload = &x.converted
		in.Payload.Reset(body)
	}
	out, err := t.Render(dst, in)
	if err != nil {
		return nil, nil, templateFault(fmt.Sprintf("request template %q", t.key), err)
	}
	if t.Changes() {
		in.Payload.Forget() // mappings read the message as it came
	}
	x.overrides = in.Overrides
	return out, t, nil
}

// convert applies a contentHandlingStrategy: binary to base64 text, or base64 text to what it stands for.
func convert(handling string, body []byte, binary bool) ([]byte, error) {
	switch {
	case handling == convertToText && binary:
		return base64.StdEncoding.AppendEncode(nil, body), nil
	case handling == convertToBinary && !binary:
		return decodeBase64(body)
	}
	return body, nil
}

// decodeBase64 takes base64 with or without its padding.
func decodeBase64(b []byte) ([]byte, error) {
	encoding := base64.StdEncoding
	if len(b)%4 != 0 {
		encoding = base64.RawStdEncoding
	}
	return encoding.AppendDecode(nil, b)
}

// isText reports whether a backend's answer can be sent as it is.
func isText(body []byte) bool { return utf8.Valid(body) }
