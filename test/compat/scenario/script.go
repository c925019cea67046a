package scenario

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// verb is what a step may look like.
type verb struct {
	arg   argKind
	below string // kinds of lines that may stand below: ">" "<" as marks, "e" an event's, "r" a request's, "h" has and lacks
}

type argKind int

const (
	argNone argKind = iota
	argAny          // may be empty
	argText         // must be there
	argDuration
	argName // a function, a path, a name
)

var verbs = map[string]verb{
	// Handshakes and requests.
	"connect": {argAny, "><"},
	"finish":  {argNone, "<"},
	"tcp":     {argNone, ""},
	"write":   {argText, ""},
	"answer":  {argNone, "<"},
	"GET":     {argText, "><"}, "POST": {argText, "><"}, "DELETE": {argText, "><"}, "PUT": {argText, "><"},
	"PATCH": {argText, "><"}, "HEAD": {argText, "><"}, "OPTIONS": {argText, "><"},
	// Frames.
	"send":    {argAny, ""},
	"frame":   {argText, ""},
	"receive": {argAny, "h"},
	"binary":  {argAny, ""},
	"ping":    {argAny, ""},
	"pong":    {argAny, ""},
	"close":   {argAny, ""},
	"closed":  {argAny, ""},
	"dropped": {argNone, ""},
	"hangup":  {argNone, ""},
	"quiet":   {argDuration, ""},
	// Backends and time.
	"event":    {argName, "e"},
	"request":  {argName, "r"},
	"uncalled": {argName, ""},
	"release":  {argName, ""},
	"sleep":    {argDuration, ""},
	"deploy":   {argName, ""},
}

var clientName = regexp.MustCompile(`^([a-z][a-z0-9]*): +(.*)$`)

func (p *parser) script(part section) error {
	blocks, err := p.blocks(part)
	if err != nil {
		return err
	}
	for i, b := range blocks {
		st := Step{Line: b.line, Client: DefaultClient, End: part.line + len(part.lines)}
		if i+1 < len(blocks) {
			st.End = blocks[i+1].line
		}
		text := b.text
		if m := clientName.FindStringSubmatch(text); m != nil {
			st.Client, text = m[1], m[2]
		}
		st.Verb, st.Arg, _ = strings.Cut(text, " ")
		v, ok := verbs[st.Verb]
		if !ok {
			return p.fault(b.line, "unknown step %q", st.Verb)
		}
		if err := p.argument(&st, v.arg); err != nil {
			return err
		}
		for _, l := range b.below {
			line, err := p.line(v, l)
			if err != nil {
				return err
			}
			st.Lines = append(st.Lines, line)
		}
		p.s.Steps = append(p.s.Steps, st)
	}
	if len(p.s.Steps) == 0 {
		return p.fault(part.line, "the script has no steps")
	}
	return nil
}

func (p *parser) argument(st *Step, kind argKind) error {
	switch kind {
	case argNone:
		if st.Arg != "" {
			return p.fault(st.Line, "%s stands alone, without %q", st.Verb, st.Arg)
		}
	case argText, argName:
		if st.Arg == "" {
			return p.fault(st.Line, "%s needs something behind it", st.Verb)
		}
		if kind == argName && strings.ContainsAny(st.Arg, " ") {
			return p.fault(st.Line, "%s names one thing, not %q", st.Verb, st.Arg)
		}
	case argDuration:
		if d, err := time.ParseDuration(st.Arg); err != nil || d <= 0 || d > time.Minute {
			return p.fault(st.Line, "%s needs a time such as 100ms, not %q", st.Verb, st.Arg)
		}
	case argAny:
	}
	return nil
}

// line reads a line below a step.
func (p *parser) line(v verb, l Text) (Line, error) {
	out := Line{Line: l.Line, Text: l.Text}
	switch {
	case strings.Contains(v.below, ">") || strings.Contains(v.below, "<"):
		return p.httpLine(v, l)
	case v.below == "e" || v.below == "h":
		word, rest, _ := strings.Cut(l.Text, " ")
		if word == "header" && v.below == "e" {
			return p.headerLine(Line{Line: l.Line}, rest)
		}
		if word == "has" || word == "lacks" {
			return p.memberLine(Line{Line: l.Line}, word, rest)
		}
		if word == "frames" && v.below == "h" && frameSizes.MatchString(rest) {
			return Line{Line: l.Line, Word: word, Text: rest}, nil
		}
		if v.below == "h" {
			return out, p.fault(l.Line, "below receive stand \"has PATH VALUE\", \"lacks PATH\" and \"frames SIZE SIZE…\", not %q", l.Text)
		}
		out.Word = "text" // a piece of the event, which may be broken anywhere
	case v.below == "r":
		word, rest, _ := strings.Cut(l.Text, " ")
		switch word {
		case "header", "no":
			return p.headerLine(Line{Line: l.Line, Word: word}, rest)
		case "method", "body", "query":
			return Line{Line: l.Line, Word: word, Text: rest}, nil
		case "only", "empty":
			return Line{Line: l.Line, Word: word}, nil
		case "has", "lacks":
			return p.memberLine(Line{Line: l.Line}, word, rest)
		}
		return out, p.fault(l.Line, "below request stand method, query, header, no, only, body, empty, has and lacks, not %q", l.Text)
	default:
		return out, p.fault(l.Line, "nothing stands below this step")
	}
	return out, nil
}

func (p *parser) memberLine(l Line, word, rest string) (Line, error) {
	l.Word = word
	l.Name, l.Text, _ = strings.Cut(rest, " ")
	if l.Name == "" || (word == "has") != (l.Text != "") {
		return l, p.fault(l.Line, "want \"has PATH VALUE\" or \"lacks PATH\"")
	}
	return l, nil
}

func (p *parser) headerLine(l Line, text string) (Line, error) {
	if l.Word == "no" {
		l.Name = text
		if !fieldName.MatchString(text) {
			return l, p.fault(l.Line, "want \"no Name\", the name of a header")
		}
		return l, nil
	}
	name, value, ok := strings.Cut(text, ":")
	if !ok || !fieldName.MatchString(name) {
		return l, p.fault(l.Line, "want \"Name: value\", not %q", text)
	}
	l.Word, l.Name, l.Text = "header", name, strings.TrimPrefix(value, " ")
	return l, nil
}

var (
	fieldName  = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")
	frameSizes = regexp.MustCompile(`^[0-9]+(?: [0-9]+)*$`)
	statusText = regexp.MustCompile(`^[1-9][0-9][0-9]$`)
)

// httpLine reads "> …" and "< …".
func (p *parser) httpLine(v verb, l Text) (Line, error) {
	out := Line{Line: l.Line}
	mark, rest, _ := strings.Cut(l.Text, " ")
	if !strings.Contains(v.below, mark) || mark == "" {
		return out, p.fault(l.Line, "a line here begins with one of %q: > is sent, < must come back", strings.Split(v.below, ""))
	}
	out.Mark = mark
	word, text, _ := strings.Cut(rest, " ")
	switch {
	case mark == "<" && statusText.MatchString(rest):
		out.Word, out.Text = "status", rest
	case word == "body":
		out.Word, out.Text = word, text
	case word == "bytes" && mark == ">":
		out.Word, out.Text = word, text
		if _, err := Unescape(text); err != nil {
			return out, p.fault(l.Line, "bytes: %v", err)
		}
	case rest == "empty" && mark == "<", rest == "later" && mark == ">":
		out.Word = rest
	case (word == "has" || word == "lacks") && mark == "<":
		return p.memberLine(out, word, text)
	case word == "repeat" && mark == ">":
		out.Word, out.Text = word, text
		if n, err := strconv.Atoi(text); err != nil || n < 1 || n > 10000 {
			return out, p.fault(l.Line, "repeat needs a number up to 10000: the request is made so often at most, until its answer is as wanted")
		}
	case word == "signed" && mark == ">":
		out.Word, out.Text = word, text
		if _, err := ParseSignature(text); err != nil {
			return out, p.fault(l.Line, "signed: %v", err)
		}
	case word == "no":
		out.Word = word
		return p.headerLine(out, text)
	default:
		return p.headerLine(out, rest)
	}
	return out, nil
}

// checkSteps finds out what the script needs and what cannot be.
func (p *parser) checkSteps() error {
	holds := []string{}
	for i := range p.s.Backends {
		for _, a := range p.s.Backends[i].Answers {
			holds = append(holds, a.Hold)
		}
	}
	for i := range p.s.Steps {
		st := &p.s.Steps[i]
		switch st.Verb {
		case "event", "uncalled", "request":
			if !p.mentioned(st.Arg) {
				return p.fault(st.Line, "no API of this scenario mentions %s", st.Arg)
			}
		case "release":
			if !slices.Contains(holds, st.Arg) {
				return p.fault(st.Line, "no backend holds %q", st.Arg)
			}
		case "deploy":
			p.need(NeedDeploy)
			if _, ok := p.s.APIs[st.Arg]; !ok {
				return p.fault(st.Line, "there is no section -- %s --", st.Arg)
			}
		case "frame":
			if _, err := ParseFrame(st.Arg); err != nil {
				return p.fault(st.Line, "frame: %v", err)
			}
		case "write", "binary":
			if _, err := Unescape(st.Arg); err != nil {
				return p.fault(st.Line, "%s: %v", st.Verb, err)
			}
		}
		for _, l := range st.Lines {
			if l.Mark == ">" && l.Word == "header" && strings.EqualFold(l.Name, "Host") {
				p.need(NeedHost)
			}
		}
	}
	return nil
}
