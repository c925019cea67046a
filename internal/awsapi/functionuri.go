package awsapi

import (
	"fmt"
	"regexp"
	"strings"
)

// FunctionURI is the URI by which an integration or an authorizer names its Lambda function (spec
// events-and-integrations §1.4). Any part of it may be a stage variable, ${stageVariables.name}.
type FunctionURI struct {
	raw      string
	parts    []uriPart
	function string // as the URI names it; empty when that depends on stage variables
	short    string
}

type uriPart struct {
	text     string // static text, or a variable's name
	variable bool
}

var stageVariableName = regexp.MustCompile(`^[a-zA-Z0-9._$-]+$`)

// ParseFunctionURI reads a URI. One without stage variables must name a function; with them, Function tells.
func ParseFunctionURI(raw string) (FunctionURI, error) {
	u := FunctionURI{raw: raw}
	for rest := raw; rest != ""; {
		start := strings.Index(rest, "${")
		if start < 0 {
			start = len(rest)
		}
		if start > 0 {
			u.parts = append(u.parts, uriPart{text: rest[:start]})
		}
		if rest = rest[start:]; rest == "" {
			break
		}
		inner, after, closed := strings.Cut(rest[len("${"):], "}")
		name, known := strings.CutPrefix(inner, "stageVariables.")
		switch {
		case !closed:
			return u, fmt.Errorf("%q: a { without its }", raw)
		case !known:
			return u, fmt.Errorf("%q: ${%s} is not a stage variable, such as ${stageVariables.name}", raw, inner)
		case !stageVariableName.MatchString(name):
			return u, fmt.Errorf("%q: %q is not a name of letters, digits and . _ $ -", raw, name)
		}
		u.parts = append(u.parts, uriPart{name, true})
		rest = after
	}
	if !strings.Contains(raw, "${") {
		var err error
		u.function, u.short, err = namedFunction(raw)
		return u, err
	}
	tail := strings.TrimSuffix(raw, "/invocations")
	u.short = tail[strings.LastIndexAny(tail, "/:")+1:]
	return u, nil
}

// namedFunction reads a URI without variables.
func namedFunction(uri string) (function, short string, err error) {
	if function, err = ParseLambdaURI(uri); err != nil {
		return "", "", err
	}
	name, err := ParseFunctionName(function)
	if err != nil {
		return "", "", err
	}
	if short = name.Name; name.Qualifier != "" {
		short += ":" + name.Qualifier
	}
	return function, short, nil
}

// Function is the function that the URI names under a stage's variables. The error says which variable is missing, or
// that the result names no function.
func (u *FunctionURI) Function(variables map[string]string) (string, error) {
	if u.function != "" {
		return u.function, nil
	}
	var out strings.Builder
	for _, p := range u.parts {
		if !p.variable {
			out.WriteString(p.text)
			continue
		}
		value, ok := variables[p.text]
		if !ok {
			return "", fmt.Errorf("%q: the stage has no variable %q", u.raw, p.text)
		}
		out.WriteString(value)
	}
	function, _, err := namedFunction(out.String())
	return function, err
}

// Short names the function in a few words, for a line of a log: "chat", "chat:live", "${stageVariables.fn}".
func (u *FunctionURI) Short() string { return u.short }
