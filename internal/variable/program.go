package variable

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"cleat/internal/cfn"
	"cleat/internal/input"
)

// Values of JavaScript files, ${file(x.js):address}. The file runs in a Node process of its own that ends with the answer:
//
//	Node:  TOKEN {"variable": "self:custom.x"}            as often as the file asks
//	Cleat: {"value": …} or {"error": "…"}
//	Node:  TOKEN {"done": true, "value": …} or {"done": true, "error": "…", "stack": "…"}

const (
	maxProgramTime  = 10 * time.Second
	maxProgramLine  = input.MaxFileSize // bytes of one message
	maxProgramError = 16 << 10          // bytes of standard error that are kept
	maxProgramAsks  = 1000
	maxPrograms     = 50 // that one Load runs
)

//go:embed program.js
var programRunner string

// program is what one run of a JavaScript file gave.
type program struct {
	value *cfn.Value // nil: the address leads to nothing
	whole bool       // value is what the file exports, whatever the address
	why   string     // what went wrong, "" if nothing did
	files []string
	busy  bool // still running
}

// programMessage is a message of the process.
type programMessage struct {
	Variable *string         `json:"variable"`
	Done     bool            `json:"done"`
	Value    json.RawMessage `json:"value"`
	Whole    bool            `json:"whole"`
	Absent   bool            `json:"absent"`
	Error    string          `json:"error"`
	Stack    string          `json:"stack"`
	Files    []string        `json:"files"`
}

// program answers ${file(x.js):address}: what the file exports, functions called, with the address followed.
func (r *Resolver) program(name, address string, at cfn.Place) found {
	r.scope.Watch(name)
	if !input.IsFile(r.scope.Abs(name)) {
		return found{why: "there is no file " + name + " (paths are relative to the project's folder)"}
	}
	keys, err := splitAddress(address)
	if err != nil {
		return found{why: err.Error()}
	}
	node := r.scope.nodePath()
	if node == "" {
		return found{why: name + " is a program, and there is no `node` in the PATH to run it: install Node, or give a default", outside: true}
	}
	p := r.programRun(node, name, keys)
	for _, file := range p.files {
		if !slices.Contains(strings.Split(filepath.ToSlash(file), "/"), "node_modules") {
			r.scope.Watch(file)
		}
	}
	switch {
	case p.busy:
		return found{value: r.fail(at, "the variables refer to each other in a circle: %s asks for a variable that leads back to it", name)}
	case p.why != "":
		return found{value: r.fail(at, "%s: %s", name, p.why)}
	}
	if !p.whole {
		keys = nil // the address is followed already
	}
	v := r.At(p.value, keys...) // the value may hold variables itself
	switch {
	case v == nil && address != "":
		return found{why: "there is no " + address + " in what " + name + " exports"}
	case v == nil:
		return found{why: name + " exports nothing, or a function that returns nothing"}
	case !r.IsBroken(v) && v.Kind != cfn.List && v.Kind != cfn.Map:
		v = placed(v, at)
	}
	return found{value: v}
}

// placed is a value with another place: that in JSON made on the way means nothing to anybody.
func placed(v *cfn.Value, at cfn.Place) *cfn.Value {
	if v == nil {
		return &cfn.Value{Kind: cfn.Null, Place: at} // the document "null"
	}
	out := &cfn.Value{Kind: v.Kind, Text: v.Text, Place: at}
	for _, item := range v.Items {
		out.Items = append(out.Items, placed(item, at))
	}
	for _, e := range v.Keys {
		out.Keys = append(out.Keys, cfn.Entry{Key: e.Key, Place: at, Value: placed(e.Value, at)})
	}
	return out
}

// nodePath is the program that runs JavaScript, "" when there is none.
func (s *Scope) nodePath() string {
	if s.NodePath != "" {
		return s.NodePath
	}
	for _, dir := range filepath.SplitList(s.Env["PATH"]) {
		if !filepath.IsAbs(dir) {
			continue
		}
		if path, err := exec.LookPath(filepath.Join(dir, "node")); err == nil {
			return path
		}
	}
	return ""
}

// programRun runs a file, once for the same stage and environment; for each address anew only where functions are exported.
func (r *Resolver) programRun(node, name string, keys []string) *program {
	stage := r.Stage
	if stage == "" {
		stage = r.scope.Stage
	}
	if stage == "" {
		stage = DefaultStage
	}
	options := map[string]string{}
	maps.Copy(options, r.scope.Opt)
	options["stage"], options["region"] = stage, r.region()
	if region := r.Given["provider.region"]; region != "" {
		options["region"] = region
	}
	env := make([]string, 0, len(r.env))
	for _, k := range slices.Sorted(maps.Keys(r.env)) {
		env = append(env, k+"="+r.env[k])
	}
	whole := strings.Join(slices.Concat([]string{r.scope.Abs(name), options["stage"], options["region"]}, env), "\x00")
	id := whole + "\x00\x00" + strings.Join(keys, "\x00")
	for _, id := range []string{whole, id} {
		if p := r.scope.programs[id]; p != nil {
			return p
		}
	}
	if len(r.scope.programs) >= maxPrograms {
		return &program{why: fmt.Sprintf("the project runs more than %d programs", maxPrograms)}
	}
	p := &program{busy: true}
	r.scope.programs[id] = p
	token := rand.Text() + " "
	request, err := json.Marshal(map[string]any{"file": r.scope.Abs(name), "keys": append([]string{}, keys...), "options": options, "token": token})
	if err != nil {
		p.why, p.busy = err.Error(), false
		return p
	}
	done := &programProcess{r: r, token: token, dir: r.scope.Dir}
	m, why := done.run(node, string(request), env)
	*p = program{whole: m.Whole, why: why, files: m.Files}
	if why == "" && !m.Absent {
		shown := r.scope.Shown(name)
		v, err := cfn.Parse(shown, m.Value)
		if err != nil {
			p.why = fmt.Sprintf("the value cannot be used: %v", err)
		}
		p.value = placed(v, cfn.Place{File: shown})
	}
	if p.whole {
		r.scope.programs[whole] = p
	}
	return p
}

// programProcess is one Node process.
type programProcess struct {
	r      *Resolver
	token  string
	dir    string
	stderr head
}

// run runs the program. What it says at the end is worth something if why is "".
func (p *programProcess) run(node, request string, env []string) (m programMessage, why string) {
	ctx, cancel := context.WithTimeout(context.Background(), p.r.scope.programTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, node, "-e", programRunner, request) //nolint:gosec // running the project's own program is the point
	cmd.Dir, cmd.Env, cmd.Stderr, cmd.WaitDelay = p.dir, env, &p.stderr, time.Second
	in, err := cmd.StdinPipe()
	if err != nil {
		return m, "start node: " + err.Error()
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return m, "start node: " + err.Error()
	}
	if err := cmd.Start(); err != nil {
		return m, "start node: " + err.Error()
	}
	// What the program started itself may hold its output open for longer: WaitDelay after the end of ctx it is closed.
	m, talked := p.talk(in, out)
	if !m.Done || m.Error == "" {
		cancel() // it has said what it had to say
	}
	ended := cmd.Wait()
	switch {
	case m.Done && m.Error != "":
		return m, m.Error + p.where(m.Stack)
	case m.Done && !m.Absent && m.Value == nil:
		return m, "the value cannot be used: only what JSON can hold"
	case m.Done:
		return m, ""
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return m, fmt.Sprintf("it did not give its value within %v", p.r.scope.programTime)
	case talked != nil && !errors.Is(talked, io.EOF):
		return m, talked.Error()
	}
	why = "it ended without a value"
	if ended != nil {
		why += ": " + ended.Error()
	}
	return m, why + p.where("")
}

// talk answers the process until it is done; the message it returns is the last.
func (p *programProcess) talk(in io.Writer, out io.Reader) (programMessage, error) {
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, maxProgramLine)
	for asked := 0; lines.Scan(); {
		text, ok := bytes.CutPrefix(lines.Bytes(), []byte(p.token))
		if !ok {
			continue // of a program that it started
		}
		var m programMessage
		if err := json.Unmarshal(text, &m); err != nil {
			return programMessage{}, fmt.Errorf("the value cannot be used: %w", err)
		}
		if m.Done || m.Variable == nil {
			m.Value = bytes.Clone(m.Value)
			return m, nil
		}
		if asked++; asked > maxProgramAsks {
			return programMessage{}, fmt.Errorf("it asks for more than %d variables", maxProgramAsks)
		}
		if _, err := in.Write(append(p.r.answer(*m.Variable), '\n')); err != nil {
			return programMessage{}, io.EOF // it has ended; its exit says more
		}
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return programMessage{}, fmt.Errorf("the value is larger than %d MiB", maxProgramLine>>20)
	}
	return programMessage{}, io.EOF
}

// answer resolves a variable for resolveVariable: "self:custom.x", "env:HOME, 'x'".
func (r *Resolver) answer(variable string) []byte {
	reply := map[string]any{}
	at := cfn.Place{File: "resolveVariable"}
	v := cfn.TextOf(at, "${"+variable+"}")
	if parts, err := parseText(v.Text); err != nil || lone(parts) == nil {
		reply["error"] = fmt.Sprintf("%q is not a variable, such as self:custom.x", variable)
	} else if value, err := r.plain(r.variable(lone(parts).variable, at), 0); err != nil {
		reply["error"] = err.Error()
	} else {
		reply["value"] = value
	}
	text, err := json.Marshal(reply)
	if err != nil {
		return []byte(`{"error":"the value cannot be passed on"}`)
	}
	return text
}

// plain is a value with everything in it resolved, as encoding/json writes it.
func (r *Resolver) plain(v *cfn.Value, depth int) (any, error) {
	if b, ok := r.broken[v]; ok {
		return nil, errors.New(b.fault.Message)
	}
	if r.nodes++; r.nodes > maxResolvedNodes || depth > maxResolvedDepth {
		return nil, errors.New("the variables make too large a tree")
	}
	switch {
	case v == nil || v.Kind == cfn.Null:
		return nil, nil //nolint:nilnil // null is a value
	case v.Kind == cfn.Bool:
		return v.Text == "true", nil
	case v.Kind == cfn.Number:
		if json.Valid([]byte(v.Text)) {
			return json.RawMessage(v.Text), nil
		}
		return v.Text, nil
	case v.Kind == cfn.List:
		out := make([]any, len(v.Items))
		for i, item := range v.Items {
			var err error
			if out[i], err = r.plain(r.Value(item), depth+1); err != nil {
				return nil, err
			}
		}
		return out, nil
	case v.Kind == cfn.Map:
		out := make(map[string]any, len(v.Keys))
		for _, e := range v.Keys {
			var err error
			if out[e.Key], err = r.plain(r.Value(e.Value), depth+1); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	return v.Text, nil
}

var fileURL = regexp.MustCompile(`file:///\S+`) // which is how ES modules are named

// where names the first file and line of the project in a stack, or else in what Node printed; " (lib/x.js:3)".
func (p *programProcess) where(stack string) string {
	place := regexp.MustCompile(`(?:` + regexp.QuoteMeta(p.dir) + `|` + regexp.QuoteMeta(filepath.ToSlash(p.dir)) + `)[/\\]([^:\n]+:[0-9]+)`)
	for _, text := range []string{stack, p.stderr.String()} {
		text = fileURL.ReplaceAllStringFunc(text, func(s string) string {
			if path, err := url.PathUnescape(s); err == nil {
				return path
			}
			return s
		})
		for _, m := range place.FindAllStringSubmatch(text, -1) {
			if !strings.Contains(m[1], "node_modules") {
				return " (" + filepath.ToSlash(m[1]) + ")"
			}
		}
	}
	if first, _, _ := strings.Cut(strings.TrimSpace(p.stderr.String()), "\n"); stack == "" && first != "" {
		return ": " + first[:min(len(first), 200)]
	}
	return ""
}

// head keeps the beginning of what is written to it.
type head struct{ b bytes.Buffer }

func (h *head) Write(p []byte) (int, error) {
	h.b.Write(p[:min(len(p), maxProgramError-h.b.Len())])
	return len(p), nil
}

func (h *head) String() string { return h.b.String() }
