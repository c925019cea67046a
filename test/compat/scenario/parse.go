package scenario

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// maxFile bounds a scenario: what is longer is no text for people.
const maxFile = 256 << 10

// Parse reads a scenario. name is its Name, file what messages call it. The error is a Fault.
func Parse(name, file string, text []byte) (*Scenario, error) {
	p := &parser{s: &Scenario{Name: name, File: file, APIs: map[string]Text{}}}
	if err := p.parse(text); err != nil {
		return nil, err
	}
	return p.s, nil
}

type parser struct {
	s *Scenario
}

func (p *parser) fault(line int, format string, args ...any) error {
	return Fault{p.s.File, line, fmt.Sprintf(format, args...)}
}

// section is a part of the file: txtar's form, with the number of each line kept.
type section struct {
	name  string
	line  int // of its first line
	lines []string
}

var sectionName = regexp.MustCompile(`^-- ([a-z0-9.-]+) --$`)

func sections(text string) []section {
	out := []section{{line: 1}}
	for i, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		if m := sectionName.FindStringSubmatch(line); m != nil {
			out = append(out, section{name: m[1], line: i + 2})
			continue
		}
		out[len(out)-1].lines = append(out[len(out)-1].lines, line)
	}
	return out
}

func (p *parser) parse(text []byte) error {
	if len(text) > maxFile {
		return p.fault(1, "the scenario is longer than %d bytes", maxFile)
	}
	if !utf8.Valid(text) || strings.ContainsRune(string(text), '\r') {
		return p.fault(1, "a scenario is UTF-8 text with \\n at the ends of lines; other bytes are written as escapes")
	}
	parts := sections(string(text))
	if err := p.header(parts[0]); err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, part := range parts[1:] {
		if seen[part.name] {
			return p.fault(part.line-1, "there are two sections -- %s --", part.name)
		}
		seen[part.name] = true
		var err error
		switch {
		case part.name == APIMain, strings.HasPrefix(part.name, APIMain+"."):
			p.s.APIs[part.name] = Text{part.line, strings.Join(part.lines, "\n") + "\n"}
		case part.name == "backend":
			err = p.backends(part)
		case part.name == "script":
			err = p.script(part)
		default:
			err = p.fault(part.line-1, "unknown section %q: there are api, api.NAME, backend and script", part.name)
		}
		if err != nil {
			return err
		}
	}
	for _, need := range []string{APIMain, "script"} {
		if !seen[need] {
			return p.fault(1, "there is no section -- %s --", need)
		}
	}
	return p.check()
}

// header reads the lines above the first section: "title: …", "spec: …", "status: same" or "status: differs: …".
func (p *parser) header(part section) error {
	set := map[string]int{}
	for i, text := range part.lines {
		line := part.line + i
		if text == "" || text[0] == '#' {
			continue
		}
		key, value, ok := strings.Cut(text, ":")
		value = strings.TrimSpace(value)
		if !ok || value == "" {
			return p.fault(line, "want title:, spec:, status: or needs:, each with a value, not %q", text)
		}
		if set[key] > 0 {
			return p.fault(line, "%s: is there twice", key)
		}
		set[key] = line
		switch key {
		case "title":
			p.s.Title = value
		case "spec":
			p.s.Spec = value
		case "needs":
			for n := range strings.FieldsSeq(value) {
				switch Need(n) {
				case NeedCleat, NeedConfig, NeedHost:
					p.need(Need(n))
				default:
					return p.fault(line, "needs: %s: only cleat, config and host are stated, the others follow from the scenario", n)
				}
			}
		case "status":
			reason, differs := strings.CutPrefix(value, "differs:")
			p.s.Differs = strings.TrimSpace(reason)
			if !differs && value != "same" || differs && p.s.Differs == "" {
				return p.fault(line, "status is \"same\", or \"differs:\" and the reason")
			}
			if !differs {
				p.s.Differs = ""
			}
		default:
			return p.fault(line, "unknown %q: want title:, spec:, status: or needs:", key+":")
		}
	}
	for _, key := range []string{"title", "spec", "status"} {
		if set[key] == 0 {
			return p.fault(1, "there is no %s:", key)
		}
	}
	if !specSection.MatchString(p.s.Spec) {
		return p.fault(set["spec"], "spec: names files of the specification with a section, such as \"data-plane 2.1\" or \"events-and-integrations 2, open question 11\"")
	}
	return nil
}

var specSection = regexp.MustCompile(`^(?:(?:data-plane|events-and-integrations|mapping-templates|management-api|control-plane|lambda) [0-9]+(?:\.[0-9]+)*|open question [0-9]+|RFC [0-9]+ [0-9.]+)(?:, (?:(?:data-plane|events-and-integrations|mapping-templates|management-api|control-plane|lambda) [0-9]+(?:\.[0-9]+)*|open question [0-9]+|RFC [0-9]+ [0-9.]+))*$`)

func (p *parser) need(n Need) {
	if !slices.Contains(p.s.Needs, n) {
		p.s.Needs = append(p.s.Needs, n)
		slices.Sort(p.s.Needs)
	}
}

// block is a line with the indented lines below it.
type block struct {
	line  int
	text  string
	below []Text
}

// blocks cuts a section into blocks. Empty lines and lines whose first character is # are for readers only.
func (p *parser) blocks(part section) ([]block, error) {
	var out []block
	for i, text := range part.lines {
		line := part.line + i
		trimmed := strings.TrimLeft(text, " ")
		switch {
		case strings.HasPrefix(trimmed, "\t"):
			return nil, p.fault(line, "indent with blanks, not with tabs")
		case trimmed == "" || trimmed[0] == '#':
		case len(trimmed) == len(text):
			out = append(out, block{line: line, text: text})
		case len(out) == 0:
			return nil, p.fault(line, "an indented line belongs to a line above it, and there is none")
		default:
			b := &out[len(out)-1]
			b.below = append(b.below, Text{line, trimmed})
		}
	}
	return out, nil
}

func (p *parser) backends(part section) error {
	blocks, err := p.blocks(part)
	if err != nil {
		return err
	}
	for _, b := range blocks {
		kind, name, _ := strings.Cut(b.text, " ")
		be := Backend{Line: b.line}
		switch {
		case kind == "function" && functionName.MatchString(name):
			be.Function = name
		case kind == "http" && strings.HasPrefix(name, "/"):
			be.Path = name
		default:
			return p.fault(b.line, "a backend begins with \"function NAME\" or \"http /PATH\", not %q", b.text)
		}
		if slices.ContainsFunc(p.s.Backends, func(o Backend) bool { return o.Function == be.Function && o.Path == be.Path }) {
			return p.fault(b.line, "%s is there twice", b.text)
		}
		if be.Answers, err = p.answers(be, b); err != nil {
			return err
		}
		p.s.Backends = append(p.s.Backends, be)
	}
	return nil
}

var functionName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

func (p *parser) answers(be Backend, b block) ([]Answer, error) {
	var out []Answer
	var next Answer // what wait and hold say of the answer that follows
	for _, l := range b.below {
		word, rest, _ := strings.Cut(l.Text, " ")
		rest = strings.TrimSpace(rest)
		var err error
		switch word {
		case "wait":
			if next.Wait, err = time.ParseDuration(rest); err != nil {
				return nil, p.fault(l.Line, "wait: %v", err)
			}
		case "hold":
			if next.Hold = rest; !functionName.MatchString(rest) {
				return nil, p.fault(l.Line, "hold needs a name for the script's release")
			}
		case "header", "body", "bytes":
			if len(out) == 0 || out[len(out)-1].Kind != AnswerStatus {
				return nil, p.fault(l.Line, "%s belongs below \"answer STATUS\"", word)
			}
			if err := p.part(&out[len(out)-1], l.Line, word, rest); err != nil {
				return nil, err
			}
		default:
			next.Line, next.Kind, next.Text = l.Line, AnswerKind(word), rest
			if err := p.answer(be, &next); err != nil {
				return nil, err
			}
			out, next = append(out, next), Answer{}
		}
	}
	if len(out) == 0 || next.Wait != 0 || next.Hold != "" {
		return nil, p.fault(b.line, "%s does not say what it answers", b.text)
	}
	return out, nil
}

// part reads a line that belongs to an HTTP answer.
func (p *parser) part(a *Answer, line int, word, text string) (err error) {
	switch word {
	case "header":
		name, value, ok := strings.Cut(text, ":")
		if !ok {
			return p.fault(line, "want \"header Name: value\"")
		}
		a.Headers = append(a.Headers, Field{name, strings.TrimSpace(value)})
	case "body":
		a.Body = text
	default:
		a.Bytes = true
		if a.Body, err = Unescape(text); err != nil {
			return p.fault(line, "bytes: %v", err)
		}
	}
	return nil
}

// answer checks an answer and reads what stands behind its kind.
func (p *parser) answer(be Backend, a *Answer) (err error) {
	text := a.Text
	switch a.Kind {
	case AnswerReturn, AnswerError:
		if be.Function == "" {
			return p.fault(a.Line, "%s is for functions; an HTTP backend has \"answer STATUS\"", a.Kind)
		}
	case AnswerRefuse:
		var status string
		status, a.Text, _ = strings.Cut(text, " ")
		if a.Status, err = strconv.Atoi(status); err != nil || be.Function == "" || a.Text == "" {
			return p.fault(a.Line, "\"refuse STATUS ERRORTYPE\" is how the Invoke API refuses to run a function")
		}
	case AnswerStatus:
		a.Text = ""
		if a.Status, err = strconv.Atoi(text); err != nil || a.Status < 100 || a.Status > 999 || be.Path == "" {
			return p.fault(a.Line, "\"answer STATUS\" is for HTTP backends, with a status of three digits")
		}
	case AnswerRaw:
		a.Bytes = true
		if a.Text, err = Unescape(text); err != nil {
			return p.fault(a.Line, "raw: %v", err)
		}
	case AnswerEndless:
		if text == "" {
			return p.fault(a.Line, "endless needs the piece that is sent over and over")
		}
	case AnswerHang, AnswerReset:
		if text != "" {
			return p.fault(a.Line, "%s stands alone", a.Kind)
		}
	default:
		return p.fault(a.Line, "unknown %q in a backend: there are wait, hold, return, error, refuse, answer, header, body, bytes, raw, endless, hang and reset", a.Kind)
	}
	return nil
}

// check looks at the scenario as a whole and finds out what it needs.
func (p *parser) check() error {
	main := p.s.APIs[APIMain]
	for _, api := range p.s.APIs {
		for i, line := range strings.Split(api.Text, "\n") {
			if strings.HasPrefix(line, "limits:") {
				p.need(NeedLimits)
			}
			if key, _, ok := strings.Cut(line, ":"); ok && slices.Contains(runnersKeys, key) {
				return p.fault(api.Line+i, "%s is set by the runner", key)
			}
		}
	}
	for i := range p.s.Backends {
		be := &p.s.Backends[i]
		name := be.Function
		if name == "" {
			name = be.Path
		}
		if !p.mentioned(name) {
			return p.fault(be.Line, "no API of this scenario mentions %s", name)
		}
		for _, a := range be.Answers {
			if be.Function != "" && slices.Contains([]AnswerKind{AnswerRefuse, AnswerReset, AnswerRaw, AnswerEndless}, a.Kind) {
				p.need(NeedInvoke)
			}
		}
	}
	if strings.TrimSpace(main.Text) == "" {
		return p.fault(main.Line, "the API has no definition")
	}
	return p.checkSteps()
}

// runnersKeys are the settings of cleat.yaml that say where things are: the runner knows.
var runnersKeys = []string{"name", "stage", "region", "remoteFunctions"}

// mentioned tells whether an API has a function or a path, as far as text can tell: a URL may have variable parts.
func (p *parser) mentioned(name string) bool {
	for _, api := range p.s.APIs {
		if strings.Contains(api.Text, name) || name[0] == '/' && strings.Contains(api.Text, "{") {
			return true
		}
	}
	return false
}
