package variable

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strings"

	"cleat/internal/cfn"
	"cleat/internal/input"
)

// envVar is one variable of a .env file.
type envVar struct {
	name, value string
	literal     bool // in single quotes
}

var (
	envName = regexp.MustCompile(`^(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_.-]*)[ \t]*(=|:[ \t])`)
	envRef  = regexp.MustCompile(`\\\$|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::?-([^{}]*))?\}|\$([A-Za-z_][A-Za-z0-9_]*)`)
)

// envFault is a line of a .env file that is no assignment.
type envFault struct {
	line int
	what string
}

// parseEnv reads a .env file as the dotenv library does: NAME=value or "NAME: value" with an optional "export", comments
// behind "#", values in double quotes (with \n, \r, \t), single quotes or backquotes, which may span lines. A line that is
// none of these is noted and passed over.
func parseEnv(text string) (vars []envVar, faults []envFault) {
	text = strings.ReplaceAll(strings.TrimPrefix(text, "\ufeff"), "\r\n", "\n")
	for line := 1; text != ""; {
		start := text
		row, _, _ := strings.Cut(text, "\n")
		indent := len(row) - len(strings.TrimLeft(row, " \t"))
		m := envName.FindStringSubmatch(row[indent:])
		switch trimmed := row[indent:]; {
		case m != nil:
			v, rest := envValue(text[indent+len(m[0]):])
			v.name = m[1]
			vars = append(vars, v)
			text = rest
		default:
			if trimmed != "" && trimmed[0] != '#' {
				faults = append(faults, envFault{line, fmt.Sprintf("%q is not NAME=value", trimmed[:min(len(trimmed), 40)])})
			}
			text = text[len(row):]
		}
		text = strings.TrimPrefix(text, "\n")
		line += strings.Count(start[:len(start)-len(text)], "\n")
	}
	return vars, faults
}

// envValue reads the value at the start of text and returns what follows its line.
func envValue(text string) (v envVar, rest string) {
	text = strings.TrimLeft(text, " \t")
	if text != "" && strings.IndexByte("\"'`", text[0]) >= 0 {
		if end := closingQuote(text); end > 0 {
			body := text[1:end]
			_, after, _ := strings.Cut(text[end+1:], "\n")
			if text[0] == '"' {
				body = strings.NewReplacer(`\n`, "\n", `\r`, "\r", `\t`, "\t", `\"`, `"`).Replace(body)
			}
			return envVar{value: body, literal: text[0] == '\''}, after
		}
	}
	row, after, _ := strings.Cut(text, "\n")
	if i := strings.Index(row, " #"); i >= 0 {
		row = row[:i]
	} else if i := strings.Index(row, "\t#"); i >= 0 {
		row = row[:i]
	} else if strings.HasPrefix(row, "#") {
		row = ""
	}
	return envVar{value: strings.TrimSpace(row)}, after
}

func closingQuote(s string) int {
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\' && s[0] == '"':
			i++
		case s[i] == s[0]:
			return i
		}
	}
	return -1
}

// expandEnv puts values into references such as $NAME, ${NAME} and ${NAME:-default}. What known has counts before what
// the file sets earlier; an unknown name is empty; "\$" is a dollar sign.
func expandEnv(vars []envVar, known map[string]string) map[string]string {
	out := make(map[string]string, len(vars))
	total := 0
	for _, v := range vars {
		value := v.value
		if !v.literal && total < maxResolvedBytes {
			value = expandValue(value, known, out)
		}
		total += len(value)
		out[v.name] = value
	}
	return out
}

func expandValue(value string, known, file map[string]string) string {
	var b strings.Builder
	end := 0
	for _, m := range envRef.FindAllStringSubmatchIndex(value, -1) {
		b.WriteString(value[end:m[0]])
		end = m[1]
		switch {
		case value[m[0]] == '\\':
			b.WriteByte('$')
		case m[2] >= 0:
			b.WriteString(envLookup(value[m[2]:m[3]], known, file))
			if m[4] >= 0 && envLookup(value[m[2]:m[3]], known, file) == "" {
				b.WriteString(value[m[4]:m[5]])
			}
		default:
			b.WriteString(envLookup(value[m[6]:m[7]], known, file))
		}
		if b.Len() > maxTextSize {
			break
		}
	}
	b.WriteString(value[end:])
	return b.String()
}

func envLookup(name string, known, file map[string]string) string {
	if s := known[name]; s != "" {
		return s
	}
	return file[name]
}

// LoadEnv reads one .env file with its references replaced: of what is known, then of what the file sets itself. An absent
// file is empty, and a fault when it must be there.
func (s *Scope) LoadEnv(name string, known map[string]string, must bool) map[string]string {
	text, err := s.ReadFile(name)
	if err != nil {
		if must || !errors.Is(err, fs.ErrNotExist) {
			s.Faultf(cfn.Place{File: s.Shown(name)}, "the file of variables cannot be read: %v", input.Plain(err))
		}
		return nil
	}
	vars, faults := parseEnv(string(text))
	for _, f := range faults {
		s.Warnf(cfn.Place{File: s.Shown(name), Line: f.line}, "line %d of %s is left out: %s", f.line, s.Shown(name), f.what)
	}
	return expandEnv(vars, known)
}

// Environment is what ${env:…} is answered from, the process's environment with what --env-file sets on top, and what of it
// the functions get as well. Both maps are the caller's.
func (s *Scope) Environment() (env, functions map[string]string) {
	env, functions = map[string]string{}, map[string]string{}
	if s.EnvFile != "" {
		Fill(functions, s.LoadEnv(s.EnvFile, s.Env, true))
	}
	Fill(env, functions)
	Fill(env, s.Env)
	return env, functions
}

// Fill adds what is not there yet: of two sources the one that comes first counts.
func Fill(into, from map[string]string) {
	for k, v := range from {
		if _, ok := into[k]; !ok {
			into[k] = v
		}
	}
}
