//go:build e2e

package e2e_test

import (
	"archive/zip"
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"cleat/internal/controlapi/apigatewayv2"
)

// lifeCall is one call of testdata/life/life.txt.
type lifeCall struct {
	line      int
	service   string
	operation string
	params    string // JSON, with {names}
	want      string // JSON, with {names}, or an exception's name, or ""
}

// readLife reads the calls of each phase.
func readLife(t *testing.T) map[string][]*lifeCall {
	t.Helper()
	text, err := os.ReadFile("testdata/life/life.txt")
	if err != nil {
		t.Fatal(err)
	}
	phases, phase := map[string][]*lifeCall{}, ""
	var last *string // what a line that begins with blanks goes on with
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		line = strings.TrimRight(line, "\n")
		switch calls := phases[phase]; {
		case line == "" || strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "== "):
			phase = strings.TrimPrefix(line, "== ")
		case strings.HasPrefix(line, " "):
			*last += line
		case strings.HasPrefix(line, "< "):
			last = &calls[len(calls)-1].want
			*last = strings.TrimPrefix(line, "< ")
		default:
			name, params, _ := strings.Cut(line, " ")
			service, operation, _ := strings.Cut(name, ".")
			c := &lifeCall{line: n, service: service, operation: operation, params: params}
			phases[phase], last = append(calls, c), &c.params
		}
	}
	return phases
}

// The life calls every operation of apigatewayv2 that Cleat answers.
func TestLifeIsWhole(t *testing.T) {
	called := map[string]bool{}
	for _, calls := range readLife(t) {
		for _, c := range calls {
			called[c.operation] = called[c.operation] || c.service == "apigatewayv2"
		}
	}
	for _, op := range apigatewayv2.Service(nil).Operations {
		if !called[op.Name] {
			t.Errorf("life.txt never calls apigatewayv2.%s", op.Name)
		}
	}
}

// toolCall is what a tool is asked to do.
type toolCall struct {
	Service   string            `json:"service"`
	Endpoint  string            `json:"endpoint"`
	Operation string            `json:"operation"`
	Params    map[string]any    `json:"params"`
	Blobs     map[string][]byte `json:"blobs"` // parameters that are bytes
}

// toolAnswer is what came of it.
type toolAnswer struct {
	Result map[string]any
	Error  *struct {
		Name, Message string
		Status        int
	}
}

// caller makes calls with one of AWS's tools.
type caller func(t *testing.T, call toolCall) toolAnswer

// life plays the phases against a node.
type life struct {
	t      *testing.T
	node   *serve
	caller caller
	calls  map[string][]*lifeCall
	names  map[string]string
}

// blobs are the parameters that are bytes: of a file, or a text.
var blobs = map[string]func(text string) ([]byte, error){
	"ZipFile": os.ReadFile,
	"Payload": func(text string) ([]byte, error) { return []byte(text), nil },
	"Data":    func(text string) ([]byte, error) { return []byte(text), nil },
}

var nameInText = regexp.MustCompile(`\{(\w+)\}`)

// fill puts what the names stand for into a JSON text.
func (l *life) fill(text string) string {
	return nameInText.ReplaceAllStringFunc(text, func(found string) string {
		value, ok := l.names[found[1:len(found)-1]]
		if !ok {
			return found
		}
		quoted, err := json.Marshal(value)
		if err != nil {
			l.t.Fatal(err)
		}
		return string(quoted[1 : len(quoted)-1])
	})
}

// play makes a phase's calls.
func (l *life) play(phase string) {
	l.t.Helper()
	for _, c := range l.calls[phase] {
		call := toolCall{Service: c.service, Endpoint: l.node.endpoint(), Operation: c.operation, Blobs: map[string][]byte{}}
		if c.service == "apigatewaymanagementapi" {
			call.Endpoint = l.node.connections(l.names["api"], "prod")
		}
		where := fmt.Sprintf("life.txt:%d: %s", c.line, c.operation)
		if err := json.Unmarshal([]byte(l.fill(c.params)), &call.Params); err != nil {
			l.t.Fatalf("%s: %v", where, err)
		}
		for name, read := range blobs {
			text, ok := call.Params[name].(string)
			if !ok {
				continue
			}
			content, err := read(text)
			if err != nil {
				l.t.Fatalf("%s: %v", where, err)
			}
			call.Blobs[name] = content
			delete(call.Params, name)
		}
		l.check(where, c.want, l.caller(l.t, call))
	}
}

func (l *life) check(where, want string, got toolAnswer) {
	l.t.Helper()
	if want != "" && !strings.HasPrefix(want, "{") {
		if got.Error == nil || got.Error.Name != want {
			l.t.Errorf("%s: %+v %+v, want %s", where, got.Result, got.Error, want)
		}
		return
	}
	if got.Error != nil {
		l.t.Fatalf("%s: %+v", where, *got.Error)
	}
	if want == "" {
		return
	}
	var wanted map[string]any
	if err := json.Unmarshal([]byte(l.fill(want)), &wanted); err != nil {
		l.t.Fatalf("%s: %v", where, err)
	}
	for _, fault := range l.compare("", wanted, got.Result) {
		l.t.Errorf("%s: %s", where, fault)
	}
	if l.t.Failed() {
		l.t.FailNow() // what follows uses what is missing
	}
}

var nameTaken = regexp.MustCompile(`^\{(\w+)=\}$`)

// compare tells where got lacks what is wanted.
func (l *life) compare(path string, want, got any) (faults []string) {
	switch want := want.(type) {
	case map[string]any:
		object, ok := got.(map[string]any)
		if !ok {
			return []string{fmt.Sprintf("%s is %v, want an object", path, got)}
		}
		members := map[string]any{}
		for name, value := range object {
			members[memberName(name)] = value
		}
		for _, name := range slices.Sorted(maps.Keys(want)) {
			faults = append(faults, l.compare(path+"."+name, want[name], members[memberName(name)])...)
		}
		return faults
	case []any:
		list, ok := got.([]any)
		if got == nil {
			list, ok = nil, true
		}
		if !ok || len(list) != len(want) {
			return []string{fmt.Sprintf("%s is %v, want %d items", path, got, len(want))}
		}
		for i := range want {
			faults = append(faults, l.compare(fmt.Sprintf("%s[%d]", path, i), want[i], list[i])...)
		}
		return faults
	case string:
		if name := nameTaken.FindStringSubmatch(want); name != nil {
			if text, _ := got.(string); text != "" {
				l.names[name[1]] = text
				return nil
			}
			return []string{fmt.Sprintf("%s is %v, want a text", path, got)}
		}
	case nil:
		if empty(got) {
			return nil
		}
	}
	if got != want {
		return []string{fmt.Sprintf("%s is %v, want %v", path, got, want)}
	}
	return nil
}

// memberName is a member's name in the case of Go's structs, for not all tools write it as the service does.
func memberName(name string) string { return strings.ToUpper(name[:1]) + name[1:] }

// empty tells what tools that know no null show for a member that is not there.
func empty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case map[string]any:
		return len(v) == 0
	case []any:
		return len(v) == 0
	}
	return false
}

// TestLife has each tool lead an API through its whole life on a node of its own, with clients that come and go meanwhile
// (spec control-plane §2 to §14).
func TestLife(t *testing.T) {
	t.Parallel()
	tools := map[string]func(t *testing.T, s *serve) caller{
		"JavaScript SDK v3": lineTool("node", "clients/calls.mjs"),
		"boto3":             lineTool(filepath.Join(strings.SplitN(built.path, ":", 2)[0], "python3"), "clients/calls.py"),
		"Go SDK v2":         goSDK,
	}
	for _, program := range awsCLIs(t) {
		tools["AWS CLI "+strings.ReplaceAll(program, "/", "_")] = awsCLI(program)
	}
	for name, start := range tools {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startServe(t)
			l := &life{t: t, node: s, caller: start(t, s), calls: readLife(t), names: map[string]string{
				"zip": zipFile(t, "testdata/life/index.js", ""),
				"assume": `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
					"Principal": {"Service": "lambda.amazonaws.com"}}]}`,
				"push": `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "execute-api:ManageConnections", "Resource": "*"}]}`,
			}}
			l.live()
		})
	}
}

func (l *life) live() {
	t, s := l.t, l.node
	l.play("make")
	url := s.ws(l.names["api"], "prod")
	for why, denied := range map[string]string{"no token, no key": url, "no key": url + "?token=let-me-in"} {
		if status := refused(t, denied); status != 403 && status != 401 {
			t.Errorf("%s: status %d, want 401 or 403", why, status)
		}
	}
	var c *client
	connect := func() {
		t.Helper()
		c = dialSoon(t, url+"?token=let-me-in", "X-Api-Key: "+l.names["keyValue"], "Nowhere: yes")
	}
	connect()
	// A change takes a moment to reach connections, though none of them is closed.
	asks := func(message, want string) {
		t.Helper()
		s.eventually(message+" is answered with "+want, func() error {
			if got := c.ask(message); got != want {
				return fmt.Errorf("received %s", got)
			}
			return nil
		})
	}
	asks("hello", "first got hello")
	asks(`{"action": "mock"}`, `{"mock": "red"}`)

	l.names["connection"] = s.onlyID(l.names["api"], "prod")
	l.play("push")
	if got := c.receive(); got != "pushed: grüße" {
		t.Errorf("received %q", got)
	}
	l.play("change") // the connection stays, and sees what is new with its next message
	asks(`{"action": "mock"}`, `{"changed": "blue"}`)
	asks("hello", "second got hello")
	l.play("close")
	c.receiveClose()

	s.restart(syscall.SIGTERM)
	s.restart(syscall.SIGKILL)
	l.play("read")
	connect()
	asks("hello", "second got hello")
	asks(`{"action": "mock"}`, `{"changed": "blue"}`)
	c.conn.CloseNow()

	l.play("delete")
	if status := refused(t, url+"?token=let-me-in"); status != 403 {
		t.Errorf("a client of a deleted API gets %d, want 403", status)
	}
}

// zipFile packs one file, with a comment at its end, and returns the archive's name.
func zipFile(t *testing.T, name, comment string) string {
	t.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var archive bytes.Buffer
	w := zip.NewWriter(&archive)
	f, err := w.Create(filepath.Base(name))
	if err == nil {
		_, err = f.Write(append(content, "// "+comment+"\n"...))
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	zipped := filepath.Join(t.TempDir(), "code.zip")
	writeFile(t, zipped, archive.String())
	return zipped
}

// lineTool is a program that reads calls, one a line, and answers each with a line.
func lineTool(program, script string) func(*testing.T, *serve) caller {
	return func(t *testing.T, s *serve) caller {
		t.Helper()
		cmd := exec.CommandContext(context.WithoutCancel(t.Context()), program, script) // it ends when its input does
		cmd.Env = append(cleanEnv(), s.key...)
		stderr := newTranscript()
		cmd.Stderr = stderr
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		answers := bufio.NewReader(out)
		t.Cleanup(func() {
			in.Close()
			if err := cmd.Wait(); err != nil {
				t.Errorf("%s: %v\n%s", script, err, stderr.text())
			}
		})
		return func(t *testing.T, call toolCall) toolAnswer {
			t.Helper()
			line, err := json.Marshal(call)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := in.Write(append(line, '\n')); err != nil {
				t.Fatalf("%s: %v\n%s", script, err, stderr.text())
			}
			answer, err := answers.ReadString('\n')
			if err != nil && !errors.Is(err, io.EOF) {
				t.Fatalf("%s: %v", script, err)
			}
			if answer == "" {
				t.Fatalf("%s has ended:\n%s", script, stderr.text())
			}
			return reply[toolAnswer](t, answer)
		}
	}
}

var cliError = regexp.MustCompile(`An error occurred \((\w+)\)`)

// awsCLI is one of the AWS CLIs, which is started anew for each call.
func awsCLI(program string) func(*testing.T, *serve) caller {
	return func(_ *testing.T, s *serve) caller {
		return func(t *testing.T, call toolCall) toolAnswer {
			t.Helper()
			stdout, stderr, err := command(t, s.key, "", program, cliArguments(t, &call)...)
			var answer toolAnswer
			if err != nil {
				if found := cliError.FindStringSubmatch(stderr); found != nil {
					return reply[toolAnswer](t, fmt.Sprintf(`{"error": {"name": %q, "message": %q}}`, found[1], strings.TrimSpace(stderr)))
				}
				t.Fatalf("%s %s: %v\n%s", call.Service, call.Operation, err, stderr)
			}
			if strings.TrimSpace(stdout) != "" {
				answer.Result = reply[map[string]any](t, stdout)
			}
			if name, ok := call.Params["outfile"].(string); ok {
				payload, err := os.ReadFile(name)
				if err != nil {
					t.Fatal(err)
				}
				answer.Result["Payload"] = string(payload)
			}
			return answer
		}
	}
}

var wordInName = regexp.MustCompile(`V2|[A-Z][a-z]*`)

// kebab is an operation's name as a command: "CreateApi" is create-api.
func kebab(name string) string {
	return strings.ToLower(strings.Join(wordInName.FindAllString(name, -1), "-"))
}

// cliArguments are those of a call. It takes out of the call's parameters what is no member of the input.
func cliArguments(t *testing.T, call *toolCall) []string {
	t.Helper()
	args := []string{call.Service}
	input := maps.Clone(call.Params)
	var byFlag []string // members that the CLI does not take out of --cli-input-json
	switch call.Operation {
	case "Wait":
		args = append(args, "wait", kebab(call.Params["Waiter"].(string)))
		delete(input, "Waiter")
	case "Paginate":
		args = append(args, kebab(call.Params["Operation"].(string)), "--page-size", "1")
		delete(input, "Operation")
	case "Invoke", "ExportApi": // their answers go to a file
		call.Params["outfile"] = filepath.Join(t.TempDir(), "answer")
		args = append(args, kebab(call.Operation), call.Params["outfile"].(string))
		byFlag = []string{"FunctionName", "Qualifier", "ApiId", "Specification", "OutputType"}
	default:
		args = append(args, kebab(call.Operation))
		byFlag = []string{"Body"}
	}
	for name, content := range call.Blobs {
		file := filepath.Join(t.TempDir(), name)
		writeFile(t, file, string(content))
		args = append(args, "--"+kebab(name), "fileb://"+file)
	}
	for _, name := range byFlag {
		if text, ok := input[name].(string); ok {
			args = append(args, "--"+kebab(name), text)
			delete(input, name)
		}
	}
	if len(input) > 0 {
		params, err := json.Marshal(input)
		if err != nil {
			t.Fatal(err)
		}
		args = append(args, "--cli-input-json", string(params))
	}
	return append(args, "--endpoint-url", call.Endpoint, "--output", "json")
}
