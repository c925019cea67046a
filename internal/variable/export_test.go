package variable

import (
	"time"

	"cleat/internal/cfn"
	"cleat/internal/input"
)

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

// Resolve resolves one text against a YAML document of a folder.
func Resolve(dir, document, text string, o Options, limit time.Duration) (*cfn.Value, error) {
	root, err := cfn.Parse("serverless.yml", []byte(document))
	if err != nil {
		return nil, err
	}
	r := input.New()
	r.Dir = dir
	s := NewScope(r, o)
	s.programTime = limit
	v := s.Resolver(root, o.Env).Deep(cfn.TextOf(cfn.Place{File: "serverless.yml", Line: 1}, text))
	return v, r.Faults.Err()
}
