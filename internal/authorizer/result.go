package authorizer

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"cleat/internal/apigw"
)

// Names that the gateway gives a meaning in an authorizer's context, whatever the function calls so.
const (
	principalID        = "principalId"
	integrationLatency = "integrationLatency"
)

// result is what an authorizer's function answered.
type result struct {
	principal string
	policy    []byte       // a JSON object; what is in it is package iampolicy's to say
	context   apigw.Fields // as texts, in the function's order; a name is there once
	usageKey  string
}

// parseResult reads a function's answer (spec events-and-integrations §3). A member that is there twice counts as it
// stands last; members that nobody knows are passed over. It keeps nothing of payload but the policy.
func parseResult(payload []byte) (result, error) {
	var r result
	if len(payload) > apigw.QuotaAuthorizerResult {
		return r, fmt.Errorf("the result has %d bytes, more than %d", len(payload), apigw.QuotaAuthorizerResult)
	}
	if !gjson.ValidBytes(payload) {
		return r, errors.New("the result is not JSON")
	}
	object := gjson.ParseBytes(payload)
	if !object.IsObject() {
		return r, errors.New("the result is not an object with principalId and policyDocument")
	}
	members := map[string]gjson.Result{}
	object.ForEach(func(key, value gjson.Result) bool {
		members[key.String()] = value
		return true
	})
	var err error
	if r.principal, err = scalar(members[principalID]); err != nil || members[principalID].Type == gjson.Null {
		return r, errors.New("the answer needs a principalId, which is a string")
	}
	if !members["policyDocument"].IsObject() {
		return r, errors.New("the answer needs a policyDocument, which is an object with Version and Statement")
	}
	r.policy = []byte(members["policyDocument"].Raw)
	if r.usageKey, err = scalar(members["usageIdentifierKey"]); err != nil {
		return r, errors.New("usageIdentifierKey must be a string")
	}
	r.context, err = parseContext(members["context"])
	return r, err
}

// parseContext makes texts of the context's values: so they are shown everywhere (spec open-questions 46). What is null
// is left out.
func parseContext(object gjson.Result) (apigw.Fields, error) {
	if object.Type == gjson.Null {
		return nil, nil
	}
	if !object.IsObject() {
		return nil, errors.New("context must be an object")
	}
	var out apigw.Fields
	var fault error
	object.ForEach(func(key, value gjson.Result) bool {
		name := strings.Clone(key.String())
		text, err := scalar(value)
		if err != nil {
			fault = fmt.Errorf("context: %q must be a string, a number or a boolean, not an object or an array", name)
			return false
		}
		out = slices.DeleteFunc(out, func(f apigw.Field) bool { return f.Name == name })
		if value.Type != gjson.Null && name != principalID && name != integrationLatency {
			out = append(out, apigw.Field{Name: name, Value: text})
		}
		return true
	})
	return out, fault
}

var errNotScalar = errors.New("neither text nor a number nor a boolean")

// scalar is the text of a string, a number as it was written, true or false; empty for null and what is not there.
func scalar(v gjson.Result) (string, error) {
	switch v.Type {
	case gjson.String:
		return strings.Clone(v.String()), nil
	case gjson.Number, gjson.True, gjson.False:
		return strings.Clone(v.Raw), nil
	case gjson.Null:
		return "", nil
	case gjson.JSON:
	}
	return "", errNotScalar
}
