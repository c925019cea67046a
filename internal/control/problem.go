package control

import (
	"fmt"
	"slices"
	"strings"

	"cleat/internal/apigw"
)

// problem is one reason why a definition is refused.
type problem struct {
	// field is the member at fault as in JSON, such as "routeKey", or a member of it: "requestTemplates.$default".
	// Empty: the whole.
	field string
	err   *apigw.Error
}

// problems are all of them, in the order of the members.
type problems []problem

func (p *problems) add(kind apigw.Kind, field, format string, args ...any) {
	*p = append(*p, problem{field, &apigw.Error{Kind: kind, Message: fmt.Sprintf(format, args...)}})
}

func (p *problems) bad(field, format string, args ...any) {
	p.add(apigw.KindBadRequest, field, format, args...)
}

// err is what an operation returns: AWS tells the first problem only.
func (p problems) err() error {
	if len(p) == 0 {
		return nil
	}
	return p[0].err
}

// length refuses a text that is too long; AWS counts characters, and no text of legal characters is near the bounds.
func (p *problems) length(field, s string, atMost int) {
	if len(s) > atMost {
		p.bad(field, "%s is longer than %d characters", field, atMost)
	}
}

// oneOf refuses a text that is none of the values; empty passes.
func (p *problems) oneOf(field, s string, values ...string) {
	if s != "" && !slices.Contains(values, s) {
		p.bad(field, "Invalid %s specified. Must be one of [%s]", field, strings.Join(values, ", "))
	}
}
