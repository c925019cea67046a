package draft

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"cleat/internal/apigw"
)

// Problem is one reason why a definition is refused.
type Problem struct {
	// Field is the member at fault as in JSON, such as "routeKey", or a member of it: "requestTemplates.$default".
	// Empty: the whole.
	Field string
	Err   *apigw.Error
}

// Problems are all of them, in the order of the members. Those of a definition that is right are empty.
type Problems []Problem

// Failed is what an error of something else comes to among problems. One that is no *apigw.Error is of KindInternal.
func Failed(err error) Problems {
	e, ok := errors.AsType[*apigw.Error](err)
	if !ok {
		e = &apigw.Error{Kind: apigw.KindInternal, Err: err}
	}
	return Problems{{Err: e}}
}

// Add notes a problem with a field.
func (p *Problems) Add(kind apigw.Kind, field, format string, args ...any) {
	*p = append(*p, Problem{field, &apigw.Error{Kind: kind, Message: fmt.Sprintf(format, args...)}})
}

// Bad notes a problem of KindBadRequest.
func (p *Problems) Bad(field, format string, args ...any) {
	p.Add(apigw.KindBadRequest, field, format, args...)
}

// Err is what an operation returns: AWS tells the first problem only. Nil: there is none.
func (p Problems) Err() error {
	if len(p) == 0 {
		return nil
	}
	return p[0].Err
}

// Held are the problems that a node minds: one that is unlimited lifts the quotas which AWS raises on request. p is used
// up.
func (p Problems) Held(unlimited bool) Problems {
	if !unlimited {
		return p
	}
	return slices.DeleteFunc(p, func(one Problem) bool { return one.Err.Kind == apigw.KindQuotaExceeded })
}

// length refuses a text that is too long; AWS counts characters, and no text of legal characters is near the bounds.
func (p *Problems) length(field, s string, atMost int) {
	if len(s) > atMost {
		p.Bad(field, "%s is longer than %d characters", field, atMost)
	}
}

// oneOf refuses a text that is none of the values; empty passes.
func (p *Problems) oneOf(field, s string, values ...string) {
	if s != "" && !slices.Contains(values, s) {
		p.Bad(field, "Invalid %s specified. Must be one of [%s]", field, strings.Join(values, ", "))
	}
}
