package authorizer

import (
	"fmt"
	"regexp"
	"strings"

	"cleat/internal/apigw"
)

// identitySource is where an authorizer looks for what identifies the client.
type identitySource struct {
	text string // as it is written
	name string
	find func(ev *apigw.Event, name string) (string, bool)
}

// identityForms are the forms of an identity source (spec events-and-integrations §3). A header is found in any spelling,
// as HTTP has it; reports on AWS disagree (spec open-questions 45).
var identityForms = []struct {
	prefix string
	find   func(ev *apigw.Event, name string) (string, bool)
}{
	{"route.request.header.", func(ev *apigw.Event, name string) (string, bool) { return ev.Headers.LastFold(name) }},
	{"route.request.querystring.", func(ev *apigw.Event, name string) (string, bool) { return ev.Query.Last(name) }},
	{"stageVariables.", func(ev *apigw.Event, name string) (string, bool) {
		value, ok := ev.StageVariables[name]
		return value, ok
	}},
	{"context.", func(ev *apigw.Event, name string) (string, bool) { return ev.Context.Lookup(name) }},
}

var identityName = regexp.MustCompile(`^[a-zA-Z0-9._$-]+$`)

func parseIdentitySource(text string) (identitySource, error) {
	for _, form := range identityForms {
		name, ok := strings.CutPrefix(text, form.prefix)
		if ok && form.prefix == "context." && !apigw.IsContextVariable(name) {
			return identitySource{}, fmt.Errorf("identitySource: %q is not a variable of a WebSocket API's context", text)
		}
		if ok && identityName.MatchString(name) {
			return identitySource{text, name, form.find}, nil
		}
	}
	return identitySource{}, fmt.Errorf("identitySource: %q is none of route.request.header.{name}, route.request.querystring.{name}, stageVariables.{name} and context.{name}", text)
}

// present tells whether the client brought it. What is there and empty identifies nobody.
func (s *identitySource) present(ev *apigw.Event) bool {
	value, ok := s.find(ev, s.name)
	return ok && value != ""
}
