// Package iamapi is the IAM service (2010-05-08) and the STS service (2011-06-15) as far as a node for WebSocket APIs has
// them: users with keys and inline policies, the roles and managed policies that Terraform and CDK make around functions, and the
// question who one is. Both speak AWS's query protocol: forms in, XML out. What may be changed, and how, is identity's.
package iamapi

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"cleat/internal/apigw"
	"cleat/internal/controlapi"
	"cleat/internal/identity"
)

// service is the operations over one node's identities.
type service struct{ ids *identity.Identities }

// operation is one row of the tables: what it is called, what it is about, and how it is carried out. Its answer is the
// content of the Result element; nil is no such element.
type operation struct {
	name     string
	changes  bool
	resource func(*controlapi.Call) string
	do       func(*controlapi.Call) (any, error)
}

// IAM returns the IAM API of the identities.
func IAM(ids *identity.Identities) controlapi.Service {
	s := &service{ids}
	return table("iam", "https://iam.amazonaws.com/doc/2010-05-08/", slices.Concat(s.userOperations(), s.roleOperations(), s.policyOperations()))
}

func table(name, namespace string, operations []operation) controlapi.Service {
	out := controlapi.Service{Name: name, WriteError: writeError(namespace)}
	for _, op := range operations {
		action := name + ":" + op.name
		if op.name == opGetCallerIdentity {
			action = "" // whoever can sign may know who they are
		}
		out.Operations = append(out.Operations, controlapi.Operation{
			Name: op.name, Action: action, Resource: op.resource, Changes: op.changes,
			Do: func(c *controlapi.Call) (controlapi.Answer, error) {
				result, err := op.do(c)
				if err != nil {
					return controlapi.Answer{}, err
				}
				return answer(namespace, op.name, result, c.RequestID)
			},
		})
	}
	return out
}

// done is the answer of an operation that has nothing to say.
func done(err error) (any, error) { return nil, err }

// any resource of a kind, such as "user/".
func every(kind string) func(*controlapi.Call) string {
	return func(c *controlapi.Call) string {
		return "arn:" + c.Partition + ":iam::" + c.Account + ":" + kind + strings.TrimPrefix(c.Form.Get("PathPrefix"), "/")
	}
}

// number reads an integer of a form, nil where it is absent.
func number(f url.Values, name string) (*int, error) {
	text := f.Get(name)
	if text == "" {
		return nil, nil //nolint:nilnil // absent and faultless
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return nil, identity.ValidationError.Errorf("%s must be an integer, not %.32q", name, text)
	}
	return &n, nil
}

// maxMembers bounds the lists of a form.
const maxMembers = 100

// tags reads Tags.member.1.Key, Tags.member.1.Value and so on; nil where there are none.
func tags(f url.Values) (map[string]string, error) {
	var out map[string]string
	for n := 1; ; n++ {
		base := "Tags.member." + strconv.Itoa(n)
		if !f.Has(base + ".Key") {
			return out, nil
		}
		if n > maxMembers {
			return nil, identity.ValidationError.Errorf("There are more than %d tags", maxMembers)
		}
		if out == nil {
			out = map[string]string{}
		}
		key := f.Get(base + ".Key")
		if _, twice := out[key]; twice {
			return nil, identity.InvalidInput.Errorf("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
		}
		out[key] = f.Get(base + ".Value")
	}
}

// tagKeys reads TagKeys.member.1 and so on.
func tagKeys(f url.Values) []string {
	var out []string
	for n := 1; n <= maxMembers; n++ {
		name := "TagKeys.member." + strconv.Itoa(n)
		if !f.Has(name) {
			break
		}
		out = append(out, f.Get(name))
	}
	return out
}

// The bounds of a page.
const (
	defaultItems = 100
	maxItems     = 1000
)

// page is the part of a list that a request asks for, and the end of a list's answer. name is what orders the items; they
// come ordered by it, and the marker is the last of the page before.
func page[T any](f url.Values, items []T, name func(*T) string) ([]T, paging, error) {
	most := defaultItems
	if n, err := number(f, "MaxItems"); err != nil {
		return nil, paging{}, err
	} else if n != nil {
		most = *n
	}
	if most < 1 || most > maxItems {
		return nil, paging{}, identity.ValidationError.Errorf("1 validation error detected: Value '%d' at 'maxItems' failed to satisfy constraint: Member must have value between 1 and %d", most, maxItems)
	}
	marker, err := readMarker(f.Get("Marker"))
	if err != nil {
		return nil, paging{}, err
	}
	out := items[:0:0]
	for i := range items {
		if marker != "" && name(&items[i]) <= marker {
			continue
		}
		if len(out) == most {
			return out, paging{IsTruncated: true, Marker: makeMarker(name(&out[most-1]))}, nil
		}
		out = append(out, items[i])
	}
	return out, paging{}, nil
}

// notHere refuses what IAM or STS has and Cleat has not.
func notHere(text string) func(*controlapi.Call) (any, error) {
	return func(*controlapi.Call) (any, error) {
		return nil, &apigw.Error{Kind: apigw.KindInvalidAction, Message: text}
	}
}
