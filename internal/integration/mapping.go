package integration

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"cleat/internal/apigw"
	"cleat/internal/jsonpath"
)

// mapping is one entry of requestParameters: a place in the backend's request and what goes there (spec
// events-and-integrations §6.1).
type mapping struct {
	in   place
	name string
	from source
}

type place uint8

const (
	inHeader place = iota
	inQuery
	inPath
)

const targetPrefix = "integration.request."

var places = map[string]place{"header": inHeader, "querystring": inQuery, "path": inPath}

// key is the mapping's target as it is written.
func (m *mapping) key() string {
	for name, in := range places {
		if in == m.in {
			return targetPrefix + name + "." + m.name
		}
	}
	return m.name
}

// source is where a mapped value comes from.
type source struct {
	kind sourceKind
	name string         // of a header, parameter or variable; or the literal
	path *jsonpath.Path // to a part of the body
}

type sourceKind uint8

const (
	fromHeader sourceKind = iota
	fromQuery
	fromHeaders
	fromQueries
	fromBody
	fromBodyPart
	fromContext
	fromStageVariable
	fromLiteral
)

// sourceNames are the sources that end in a name.
var sourceNames = []struct {
	prefix string
	kind   sourceKind
}{
	{"route.request.header.", fromHeader},
	{"route.request.querystring.", fromQuery},
	{"route.request.multivalueheader.", fromHeaders},
	{"route.request.multivaluequerystring.", fromQueries},
	{"stageVariables.", fromStageVariable},
	{"context.", fromContext},
}

// parseMappings reads an integration's requestParameters, in alphabetical order.
func parseMappings(parameters map[string]string) ([]mapping, []error) {
	var out []mapping
	var faults []error
	for _, key := range slices.Sorted(maps.Keys(parameters)) {
		m, err := parseMapping(key, parameters[key])
		if err != nil {
			faults = append(faults, fmt.Errorf("requestParameters: %q: %w", key, err))
			continue
		}
		out = append(out, m)
	}
	return out, faults
}

func parseMapping(key, value string) (mapping, error) {
	rest, ok := strings.CutPrefix(key, targetPrefix)
	where, name, dot := strings.Cut(rest, ".")
	in, known := places[where]
	if !ok || !dot || !known {
		return mapping{}, fmt.Errorf("want integration.request.header.{name}, integration.request.querystring.{name} or integration.request.path.{name}")
	}
	if !parameterName.MatchString(name) {
		return mapping{}, fmt.Errorf("%q is not a name of letters, digits and . _ $ -", name)
	}
	if in == inHeader {
		if err := checkMappedHeader(name); err != nil {
			return mapping{}, err
		}
	}
	from, err := parseSource(value)
	return mapping{in: in, name: name, from: from}, err
}

func parseSource(value string) (source, error) {
	if len(value) >= 2 && value[0] == '\'' && strings.IndexByte(value[1:], '\'') == len(value)-2 {
		return source{kind: fromLiteral, name: value[1 : len(value)-1]}, nil
	}
	if value == "route.request.body" {
		return source{kind: fromBody}, nil
	}
	if path, ok := strings.CutPrefix(value, "route.request.body."); ok {
		return bodySource(path)
	}
	for _, s := range sourceNames {
		name, ok := strings.CutPrefix(value, s.prefix)
		switch {
		case !ok:
			continue
		case !parameterName.MatchString(name):
			return source{}, fmt.Errorf("%q: %q is not a name of letters, digits and . _ $ -", value, name)
		case s.kind == fromContext && !apigw.IsContextVariable(name):
			return source{}, fmt.Errorf("%q is not a variable of a WebSocket API's context", value)
		}
		return source{kind: s.kind, name: name}, nil
	}
	return source{}, fmt.Errorf("%q is no source: want route.request.header.{name}, route.request.querystring.{name}, route.request.multivalueheader.{name}, route.request.multivaluequerystring.{name}, route.request.body, route.request.body.{path}, context.{name}, stageVariables.{name} or 'text' in single quotes", value)
}

// bodySource reads a JSONPath, with or without the $ that it begins with.
func bodySource(path string) (source, error) {
	p, err := jsonpath.Compile(bodyPath(path))
	if err != nil {
		return source{}, fmt.Errorf("route.request.body.%s: %w", path, err)
	}
	return source{kind: fromBodyPart, path: p}, nil
}

// bodyPath is the whole JSONPath of what follows route.request.body.
func bodyPath(path string) string {
	if strings.HasPrefix(path, "$") {
		return path
	}
	return "$." + path
}

// append appends the values that a source has for an event: none when it is missing, for then the parameter is left
// out. Names are looked up in the spelling given (spec events-and-integrations §6.1).
func (s *source) append(dst []string, x *exchange) []string {
	ev := x.ev
	var value string
	ok := true
	switch s.kind {
	case fromLiteral:
		value = s.name
	case fromHeader:
		value, ok = ev.Headers.Last(s.name)
	case fromQuery:
		value, ok = ev.Query.Last(s.name)
	case fromHeaders:
		return appendNamed(dst, ev.Headers, s.name)
	case fromQueries:
		return appendNamed(dst, ev.Query, s.name)
	case fromBody:
		value, ok = string(ev.Body), len(ev.Body) > 0
	case fromBodyPart:
		value, ok = x.bodyPart(s.path)
	case fromContext:
		value, ok = ev.Context.Lookup(s.name)
	case fromStageVariable:
		value, ok = ev.StageVariables[s.name]
	}
	if ok {
		dst = append(dst, value)
	}
	return dst
}

func appendNamed(dst []string, fields apigw.Fields, name string) []string {
	for _, f := range fields {
		if f.Name == name {
			dst = append(dst, f.Value)
		}
	}
	return dst
}

// bodyPart is the text of what a path leads to: a string as it is, a list or an object as JSON. Null, what is not there,
// and a body that is not JSON are missing.
func (x *exchange) bodyPart(path *jsonpath.Path) (string, bool) {
	document, err := x.document()
	if err != nil {
		return "", false
	}
	left := jsonpath.MaxVisits
	v, found, err := path.Eval(document, &left)
	if err != nil || !found || v == nil {
		return "", false
	}
	if text, ok := v.(string); ok {
		return text, true
	}
	text, err := jsonpath.Append(nil, v, apigw.QuotaMessageSize)
	return string(text), err == nil
}
