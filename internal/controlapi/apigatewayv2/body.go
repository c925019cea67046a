package apigatewayv2

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"

	"cleat/internal/apigw"
)

// members are what the bodies of requests may say of a kind of resource. What is not among them, identifiers and dates
// for instance, is ignored (spec control-plane §1).
type members map[string]member

// member says what one member of a body does.
type member struct {
	// initial members are settled by the creation: an update ignores them.
	initial bool
	// required members must be there: at the creation, or, where always is set, in updates too.
	required, always bool
	// httpOnly members belong to HTTP APIs.
	httpOnly bool
	// update joins what is there, which may be nil, with what an update says; a nil result is nothing. Nil: an update
	// replaces.
	update func(have, given json.RawMessage) (json.RawMessage, error)
	// zero is the answer to a number 0 where a definition would take that for nothing said.
	zero string
}

var (
	settable = member{}
	required = member{required: true}
	initial  = member{initial: true}
	httpOnly = member{httpOnly: true}
)

// occasion is what a body is for.
type occasion bool

const (
	creation occasion = false
	change   occasion = true
)

// read returns have, a definition as it is, with what a body says of it. have itself stays as it is. A member that is
// absent or null says nothing (spec control-plane §12). Errors are for the client and name the member.
func read[T any](have T, body []byte, ms members, to occasion) (T, error) {
	var out T
	given, err := object(body)
	if err != nil {
		return out, err
	}
	text, err := json.Marshal(have)
	if err != nil {
		return out, err
	}
	merged, err := object(text)
	if err != nil {
		return out, err
	}
	for _, name := range slices.Sorted(maps.Keys(ms)) {
		m, value := ms[name], given[name]
		if string(value) == "null" {
			value = nil
		}
		switch {
		case value == nil && (m.required && to == creation || m.always):
			return out, badRequest("Invalid request body: " + name + " is required")
		case value == nil || m.initial && to == change:
			continue
		case m.httpOnly:
			return out, badRequest("Invalid request body: " + name + " is not supported for WEBSOCKET APIs, only for HTTP APIs")
		case m.zero != "" && isZero(value):
			return out, badRequest(m.zero)
		case m.update != nil && to == change:
			if value, err = m.update(merged[name], value); err != nil {
				return out, badRequest("Invalid request body: " + name + " must be " + err.Error())
			}
		}
		merged[name] = value
		if value == nil {
			delete(merged, name)
		}
	}
	if text, err = json.Marshal(merged); err != nil {
		return out, err
	}
	err = json.Unmarshal(text, &out)
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return out, &apigw.Error{Kind: apigw.KindBadRequest, Message: "Invalid request body: " + wrong.Field + " must not be a JSON " + wrong.Value, Err: err}
	}
	return out, err
}

// object reads a JSON object; nothing at all is an empty one.
func object(text []byte) (map[string]json.RawMessage, error) {
	all := map[string]json.RawMessage{}
	if len(text) == 0 {
		return all, nil
	}
	if err := json.Unmarshal(text, &all); err != nil || all == nil {
		return nil, &apigw.Error{Kind: apigw.KindBadRequest, Message: "Invalid request body: it is not a JSON object", Err: err}
	}
	return all, nil
}

func isZero(value json.RawMessage) bool {
	var n float64
	return json.Unmarshal(value, &n) == nil && n == 0
}

var (
	errTexts    = errors.New("a JSON object of strings")
	errSettings = errors.New("a JSON object")
	errObjects  = errors.New("a JSON object of objects")
	errList     = errors.New("a JSON list of objects")
)

// join is have with the members of given on top; those for which gone holds are removed.
func join(have, given json.RawMessage, gone func(json.RawMessage) bool) (json.RawMessage, error) {
	all, more := map[string]json.RawMessage{}, map[string]json.RawMessage{}
	if have != nil {
		if err := json.Unmarshal(have, &all); err != nil {
			return nil, err
		}
	}
	if err := json.Unmarshal(given, &more); err != nil {
		return nil, err
	}
	maps.Copy(all, more)
	if gone != nil {
		maps.DeleteFunc(all, func(_ string, v json.RawMessage) bool { return gone(v) })
	}
	return json.Marshal(all)
}

// joinTexts joins maps of texts; an empty text removes its key.
func joinTexts(have, given json.RawMessage) (json.RawMessage, error) {
	var texts map[string]string
	if json.Unmarshal(given, &texts) != nil {
		return nil, errTexts
	}
	return join(have, given, func(v json.RawMessage) bool { return string(v) == `""` || string(v) == "null" })
}

// joinSettings joins objects member by member.
func joinSettings(have, given json.RawMessage) (json.RawMessage, error) {
	if given[0] != '{' {
		return nil, errSettings
	}
	return join(have, given, func(v json.RawMessage) bool { return string(v) == "null" })
}

// joinOrClear is joinSettings, save that an empty object removes what is there.
func joinOrClear(have, given json.RawMessage) (json.RawMessage, error) {
	if all, err := object(given); err == nil && len(all) == 0 {
		return nil, nil
	}
	return joinSettings(have, given)
}

// joinEach joins maps of objects, key by key and there member by member.
func joinEach(have, given json.RawMessage) (json.RawMessage, error) {
	all, more := map[string]json.RawMessage{}, map[string]json.RawMessage{}
	if have != nil {
		if err := json.Unmarshal(have, &all); err != nil {
			return nil, err
		}
	}
	if json.Unmarshal(given, &more) != nil {
		return nil, errObjects
	}
	for key, value := range more {
		joined, err := joinSettings(all[key], value)
		if err != nil {
			return nil, errObjects
		}
		all[key] = joined
	}
	return json.Marshal(all)
}

// joinOnly joins lists of one object; others are replaced.
func joinOnly(have, given json.RawMessage) (json.RawMessage, error) {
	var all, more []json.RawMessage
	if have != nil {
		if err := json.Unmarshal(have, &all); err != nil {
			return nil, err
		}
	}
	if json.Unmarshal(given, &more) != nil {
		return nil, errList
	}
	if len(all) != 1 || len(more) != 1 {
		return given, nil
	}
	joined, err := joinSettings(all[0], more[0])
	if err != nil {
		return nil, errList
	}
	return json.Marshal([]json.RawMessage{joined})
}
