// Package iampolicy reads IAM policy documents and decides by them: Parse compiles a document and reports every fault in
// it, Evaluate says whether a request is allowed, denied by a statement, or allowed by none (spec
// events-and-integrations §3). It knows no services: actions, resources and condition keys are texts to it. What a user may
// do by which policies is for package credentials to know, and who asks for package authorizer.
//
// Matching takes time in proportion to the lengths of pattern and text multiplied, whatever the pattern.
package iampolicy

import (
	"fmt"
	"strings"
)

// Policy is a compiled policy document. It is immutable.
type Policy struct {
	statements []statement
	context    bool // something in them looks into a Context
}

// UsesContext tells whether a request's Context counts: the policy has conditions or variables. Most have neither, and
// making a Context takes longer than deciding without one.
func (p *Policy) UsesContext() bool { return p.context }

// statement is one compiled statement.
type statement struct {
	label       string // its Sid, or its place in the document
	deny        bool
	actions     []pattern
	notAction   bool
	resources   []pattern
	notResource bool
	conditions  []condition
}

// Request is what is to be decided.
type Request struct {
	Action string // such as "execute-api:Invoke"
	// Resources are the names of the one resource that is acted upon; a pattern that matches any of them matches it. Most
	// resources have one name.
	Resources []string
	Context   Context
}

// Decision is what policies say of a request.
type Decision int

// The decisions. An explicit deny overrides every allow; what no statement allows is denied too.
const (
	ImplicitDeny Decision = iota
	ExplicitDeny
	Allow
)

func (d Decision) String() string {
	return [...]string{"implicit deny", "explicit deny", "allow"}[d]
}

// Result is a decision with its reason.
type Result struct {
	Decision Decision
	// Statement is the Sid, or the place, of the statement that decided: "statement 2". Empty for an implicit deny.
	Statement string
}

// String is the result in words, for logs.
func (r Result) String() string {
	if r.Statement == "" {
		return r.Decision.String() + ": no statement allows it"
	}
	return r.Decision.String() + " by " + r.Statement
}

// Evaluate decides by all the policies together. Without any the answer is ImplicitDeny. It is safe for concurrent use.
func Evaluate(policies []*Policy, r *Request) Result {
	var out Result
	for _, p := range policies {
		for i := range p.statements {
			s := &p.statements[i]
			if !s.deny && out.Decision == Allow || !s.applies(r) {
				continue
			}
			if s.deny {
				return Result{ExplicitDeny, s.label}
			}
			out = Result{Allow, s.label}
		}
	}
	return out
}

// applies tells whether a statement speaks of the request.
func (s *statement) applies(r *Request) bool {
	return s.names(r) && s.hasResource(r) && s.holds(r.Context)
}

func (s *statement) names(r *Request) bool {
	for i := range s.actions {
		if s.actions[i].matchFold(r.Action) {
			return !s.notAction
		}
	}
	return s.notAction
}

func (s *statement) hasResource(r *Request) bool {
	for i := range s.resources {
		for _, name := range r.Resources {
			if s.resources[i].match(name, r.Context) {
				return !s.notResource
			}
		}
	}
	return s.notResource
}

func (s *statement) holds(c Context) bool {
	for i := range s.conditions {
		if !s.conditions[i].holds(c) {
			return false
		}
	}
	return true
}

// Use says whose policy a document is, which decides what may be in it.
type Use int

const (
	// UseIdentity is a policy of a user or role: it has no Principal, and its resources are ARNs.
	UseIdentity Use = iota
	// UseAuthorizer is a policy that a Lambda authorizer returns: Principal and NotPrincipal are passed over, as API Gateway
	// does, and a resource that is no ARN just matches nothing but itself.
	UseAuthorizer
)

// Faults are all that is wrong with a document, each beginning with the place: "Statement[1].Action: …".
type Faults []string //nolint:errname // as cfn.Faults

func (f Faults) Error() string { return strings.Join(f, "; ") }

func (f *Faults) addf(place, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if place != "" {
		text = place + ": " + text
	}
	*f = append(*f, text)
}
