//go:build e2e

package e2e_test

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The README's tour: an example, wscat, and the AWS CLI with the connection ID that wscat shows.
func TestTour(t *testing.T) {
	for _, aws := range awsCLIs(t) {
		t.Run(strings.ReplaceAll(aws, "/", "_"), func(t *testing.T) {
			d := startDevIn(t, copyProject(t, "../../examples/echo", "../../examples/echo/node_modules"), options{})
			cat := startWscat(t, d.ws())
			cat.say(`{"action":"whoami"}`)
			cat.say(`{"action": "echo", "text": "hello"}`)
			cat.hear(`^< (\{"text":"hello"\})$`)
			id := reply[struct{ ConnectionID string }](t, cat.hear(`^< (\{"connectionId":"[\w-]{15}="\})$`)).ConnectionID

			get := d.aws(aws, "", "get-connection", "--connection-id", id)
			var connection struct {
				ConnectedAt, LastActiveAt string
				Identity                  struct{ SourceIP string }
			}
			if err := json.Unmarshal([]byte(get), &connection); err != nil {
				t.Fatalf("get-connection printed %q: %v", get, err)
			}
			if connection.Identity.SourceIP != "127.0.0.1" || connection.ConnectedAt == "" || connection.LastActiveAt == "" {
				t.Errorf("get-connection printed %s, want the times and 127.0.0.1", get)
			}

			message := filepath.Join(t.TempDir(), "message.txt")
			writeFile(t, message, "hello from the CLI")
			d.aws(aws, "", "post-to-connection", "--connection-id", id, "--data", "fileb://"+message)
			cat.hear(`^< (hello from the CLI)$`)
			d.aws(aws, "pushed from a pipe", "post-to-connection", "--connection-id", id, "--data", "fileb:///dev/stdin")
			cat.hear(`^< (pushed from a pipe)$`)

			d.edit("src/handler.js", "{ text }) };", "{ text: text.toUpperCase() }) };")
			d.awaitLog(0, "reloaded", "handler.js")
			cat.say(`{"action": "echo", "text": "edited"}`)
			cat.hear(`^< (\{"text":"EDITED"\})$`)

			d.aws(aws, "", "delete-connection", "--connection-id", id)
			cat.hear(`^Disconnected \(code: (1000), reason: "Connection Closed Normally"\)`)
			d.awaitLog(0, "disconnect", id, "1000")
		})
	}
}

// awsCLIs are the AWS CLIs of this machine: the first on the PATH, and Debian's when that is another. Versions 1 and 2
// take --data differently, and both are in use.
func awsCLIs(t *testing.T) []string {
	t.Helper()
	first, err := exec.LookPath("aws")
	if err != nil {
		t.Fatalf("%v: run test/e2e/setup.sh", err)
	}
	const debian = "/usr/bin/aws"
	if _, err := os.Stat(debian); err != nil || first == debian {
		return []string{first}
	}
	return []string{first, debian}
}

// aws runs a command of the management API with the AWS CLI.
func (d *dev) aws(program, stdin string, args ...string) string {
	d.t.Helper()
	env := []string{"AWS_ACCESS_KEY_ID=any", "AWS_SECRET_ACCESS_KEY=any", "AWS_REGION=eu-west-1", "AWS_DEFAULT_REGION=eu-west-1", "AWS_PAGER="}
	args = append(append([]string{"apigatewaymanagementapi"}, args...), "--endpoint-url", d.endpoint())
	return mustCommand(d.t, env, stdin, program, args...)
}

// wscat is one running wscat.
type wscat struct {
	t     *testing.T
	stdin io.Writer
	out   *transcript
	ended chan struct{}
}

func startWscat(t *testing.T, url string) *wscat {
	t.Helper()
	// wscat says little without a terminal: script(1) gives it one.
	cmd := exec.CommandContext(t.Context(), "script", "-qec", "node node_modules/wscat/bin/wscat --no-color -c "+url, os.DevNull)
	cmd.Env = cleanEnv()
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	w := &wscat{t: t, stdin: stdin, out: newTranscript(), ended: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = w.out, w.out
	if err := cmd.Start(); err != nil {
		t.Fatalf("start wscat: %v", err)
	}
	go func() {
		defer close(w.ended)
		cmd.Wait() // it ends with the test, and what it has to say is in its output
	}()
	t.Cleanup(func() { <-w.ended })
	w.hear(`^(Connected)`)
	return w
}

func (w *wscat) say(text string) {
	w.t.Helper()
	if _, err := io.WriteString(w.stdin, text+"\n"); err != nil {
		w.t.Fatalf("write to wscat: %v", err)
	}
}

// escapes are what a terminal takes for movements of its cursor.
var escapes = regexp.MustCompile(`\x1b\[[0-9;?]*[A-Za-z]`)

// printed is what wscat has printed so far, each thing that it has put at a line's beginning on a line of its own.
func (w *wscat) printed() string {
	return strings.ReplaceAll(escapes.ReplaceAllString(w.out.text(), ""), "\r", "\n")
}

// hear waits until wscat has printed a line that matches, and returns the pattern's first group.
func (w *wscat) hear(pattern string) string {
	w.t.Helper()
	line := regexp.MustCompile(`(?m)` + pattern)
	var heard string
	err := poll(func() error {
		found := line.FindStringSubmatch(w.printed())
		if found == nil {
			return errors.New("no such line")
		}
		heard = found[1]
		return nil
	}, nil)
	if err != nil {
		w.t.Fatalf("wscat never printed %s, but:\n%s", pattern, w.printed())
	}
	return heard
}
