package functions

import (
	"context"
	"regexp"
	"slices"

	"cleat/internal/apigw"
	"cleat/internal/store"
)

var (
	statementID = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,100}$`)
	policyAct   = regexp.MustCompile(`^lambda:(\*|[a-zA-Z]+)$`)
)

// Policy returns the policy of a function, or of what a qualifier of it stands for.
func Policy(t *store.FunctionTree, qualifier string) (apigw.FunctionPolicy, error) {
	for _, p := range t.Policies {
		if p.Qualifier == qualifier && len(p.Statements) > 0 {
			return p, nil
		}
	}
	return apigw.FunctionPolicy{}, notFound("The resource you requested does not exist.")
}

// changePolicy makes one change of a policy that is at the given revision, or at any where that is empty.
func (s *Functions) changePolicy(ctx context.Context, name, arn, qualifier, revision string, edit func(*apigw.FunctionPolicy) error) error {
	return s.change(ctx, name, arn, func(t *store.FunctionTree, b *store.Batch) error {
		if _, err := Resolve(t, qualifier); err != nil {
			return err
		}
		p := apigw.FunctionPolicy{Qualifier: qualifier}
		if have, err := Policy(t, qualifier); err == nil {
			p = have
		}
		if err := checkRevision(p, revision); err != nil {
			return err
		}
		if err := edit(&p); err != nil {
			return err
		}
		key := store.FunctionPolicies(name).Key(store.PolicyKey(qualifier))
		if len(p.Statements) == 0 {
			store.Delete(b, key, store.Expect{})
		} else {
			store.Put(b, key, p, store.Expect{})
		}
		return nil
	})
}

// AddPermission adds a statement to the policy of a function, or of what a qualifier of it stands for. It is kept and
// shown, and decides nothing.
func (s *Functions) AddPermission(ctx context.Context, name, arn, qualifier, revision string, st apigw.FunctionStatement) error {
	switch {
	case !statementID.MatchString(st.Sid):
		return invalid("StatementId %q: want 1 to 100 letters, digits, _ and -", st.Sid)
	case !policyAct.MatchString(st.Action):
		return invalid("Action %q: want an action of Lambda, such as lambda:InvokeFunction", st.Action)
	}
	return s.changePolicy(ctx, name, arn, qualifier, revision, func(p *apigw.FunctionPolicy) error {
		if slices.ContainsFunc(p.Statements, func(have apigw.FunctionStatement) bool { return have.Sid == st.Sid }) {
			return conflict("The statement id (%s) provided already exists. Please provide a new statement id, or remove the existing statement.", st.Sid)
		}
		p.Statements = append(slices.Clone(p.Statements), st)
		return nil
	})
}

// RemovePermission removes a statement.
func (s *Functions) RemovePermission(ctx context.Context, name, arn, qualifier, revision, sid string) error {
	return s.changePolicy(ctx, name, arn, qualifier, revision, func(p *apigw.FunctionPolicy) error {
		left := slices.DeleteFunc(slices.Clone(p.Statements), func(have apigw.FunctionStatement) bool { return have.Sid == sid })
		if len(left) == len(p.Statements) {
			return notFound("Statement %s is not found in resource policy.", sid)
		}
		p.Statements = left
		return nil
	})
}
