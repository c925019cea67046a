package project

import (
	"time"

	"cleat/internal/cfn"
)

// What tests of the inside need.
var (
	CleatSettings = cleatSettings
	NearestWord   = nearest
	ParseSize     = parseSize
	ParseDuration = parseDuration
	RouteID       = routeID
	FunctionID    = functionID
)

// LoadWithin is Load with another limit of the time that a JavaScript file may take.
func LoadWithin(path string, o Options, limit time.Duration) (*Project, error) {
	l := newLoader(o)
	l.programTime = limit
	return l.run(path)
}

// EnvVar is a variable of a .env file.
type EnvVar struct{ Name, Value string }

// ParseEnv reads a .env file; bad counts the lines left out.
func ParseEnv(text string) (vars []EnvVar, bad int) {
	read, faults := parseEnv(text)
	for _, v := range read {
		vars = append(vars, EnvVar{v.name, v.value})
	}
	return vars, len(faults)
}

// ExpandEnv reads a .env file and puts in its references.
func ExpandEnv(text string, known map[string]string) map[string]string {
	vars, _ := parseEnv(text)
	return expandEnv(vars, known)
}

// Variables are the variables of a text as they are written, or what is wrong with them.
func Variables(text string) (raw []string, err error) {
	parts, err := parseText(text)
	for _, p := range parts {
		if p.variable != nil {
			raw = append(raw, p.variable.raw)
		}
	}
	return raw, err
}

// Resolve resolves one text against a YAML document.
func Resolve(document, text string, o Options) (*cfn.Value, error) {
	root, err := cfn.Parse("serverless.yml", []byte(document))
	if err != nil {
		return nil, err
	}
	l := newLoader(o)
	l.dir = "/nonexistent"
	r := newResolver(l, root, l.env)
	v := r.deep(cfn.TextOf(cfn.Place{File: "serverless.yml", Line: 1}, text))
	return v, l.faults.Err()
}
