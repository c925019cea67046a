//go:build e2e

package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const cdkModules = "../../examples/cdk-chat/node_modules"

// TestExampleSAMChat runs a SAM template as its author deploys it.
func TestExampleSAMChat(t *testing.T) {
	checkTelling(t, startDevIn(t, copyProject(t, "../../examples/sam-chat", ""), options{}), `{"told": true}`, `{"from": %q, "text": "hello"}`)
}

// TestExampleCDKChat synthesizes a CDK app of two stacks and runs it; another `cdk synth` takes effect in connections that are open.
func TestExampleCDKChat(t *testing.T) {
	dir := copyProject(t, "../../examples/cdk-chat", cdkModules)
	synthesize(t, dir, "node bin/app.js")
	d := startDevIn(t, dir, options{})
	checkTelling(t, d, `{"told":true}`, `{"from":%q,"text":"hello"}`)

	c, _ := d.connect()
	before := d.log.length()
	d.edit("lib/chat-stack.js", "body: event.requestContext.connectionId", "body: event.requestContext.stage")
	synthesize(t, dir, "node bin/app.js")
	d.awaitLog(before, "reloaded")
	d.eventually("the new code answers", func() error {
		if got := c.ask(`{"action":"whoami"}`); got != "dev" {
			return fmt.Errorf("answered %s", got)
		}
		return nil
	})
}

// checkTelling has one client write to another.
func checkTelling(t *testing.T, d *dev, told, received string) {
	t.Helper()
	ada, adaID := d.connect()
	grace, graceID := d.connect()
	if got := ada.ask(fmt.Sprintf(`{"action":"tell","to":%q,"text":"hello"}`, graceID)); got != told {
		t.Errorf("received %s, want %s", got, told)
	}
	if got, want := grace.receive(), fmt.Sprintf(received, adaID); got != want {
		t.Errorf("received %s, want %s", got, want)
	}
}

// synthesize runs `cdk synth`, which needs no network and no account.
func synthesize(t *testing.T, dir, app string) {
	t.Helper()
	modules, err := filepath.Abs(cdkModules)
	if err != nil {
		t.Fatal(err)
	}
	runIn(t, dir, filepath.Join(modules, ".bin", "cdk"), "synth", "--quiet", "--no-notices", "--app", app)
}

// runIn runs a tool in a project's folder.
func runIn(t *testing.T, dir, program string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Dir = dir
	cmd.Env = append(cleanEnv(), "CI=1", "SLS_TELEMETRY_DISABLED=1", "SLS_NOTIFICATIONS_MODE=off", "E2E_EVENTS="+filepath.Join(dir, "events.jsonl"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s %q: %v\n%s", program, args, err, out)
	}
}

// TestForms runs one app from serverless.yml, the package that osls makes of it, a SAM template and what CDK makes: a client's
// whole life gives the same events (spec control-plane §15-§18).
func TestForms(t *testing.T) {
	modules, err := filepath.Abs("node_modules")
	if err != nil {
		t.Fatal(err)
	}
	forms := map[string]func(t *testing.T, dir string) options{
		"serverless.yml": func(t *testing.T, dir string) options {
			t.Helper()
			return options{env: []string{"E2E_EVENTS=" + filepath.Join(dir, "events.jsonl")}}
		},
		".serverless": func(t *testing.T, dir string) options {
			t.Helper()
			runIn(t, dir, filepath.Join(modules, ".bin", "osls"), "package")
			for _, name := range []string{"serverless.yml", "index.js"} { // the package is all that is left
				if err := os.Remove(filepath.Join(dir, name)); err != nil {
					t.Fatal(err)
				}
			}
			return options{}
		},
		"SAM": func(t *testing.T, dir string) options {
			t.Helper()
			replaceProject(t, dir, "testdata/sam/template.yaml")
			return options{args: []string{"--param", "Events=" + filepath.Join(dir, "events.jsonl")}}
		},
		"CDK": func(t *testing.T, dir string) options {
			t.Helper()
			replaceProject(t, dir, "testdata/cdk/app.js")
			linked, err := filepath.Abs(cdkModules)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(linked, filepath.Join(dir, "node_modules")); err != nil {
				t.Fatal(err)
			}
			synthesize(t, dir, "node app.js")
			return options{args: []string{"--param", "Events=" + filepath.Join(dir, "events.jsonl")}}
		},
	}
	var want string
	for _, form := range []string{"serverless.yml", ".serverless", "SAM", "CDK"} {
		t.Run(form, func(t *testing.T) {
			dir := copyProject(t, "testdata/recorder", "")
			d := startDevIn(t, dir, forms[form](t, dir))
			d.events = filepath.Join(dir, "events.jsonl")
			c, id := d.connect()
			if got, want := c.ask("plain text"), "plain text"; got != want {
				t.Errorf("received %q, want %q", got, want)
			}
			c.conn.Close(1000, "bye")
			d.awaitEvent("DISCONNECT", id)
			got := d.lifeOf(id)
			if form == "serverless.yml" {
				want = got
			}
			if got != want {
				t.Errorf("the events are\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// replaceProject puts another project file in place of serverless.yml.
func replaceProject(t *testing.T, dir, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, filepath.Base(file)), text, 0o600)
	}
	if err == nil {
		err = os.Remove(filepath.Join(dir, "serverless.yml"))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// lifeOf are the events of a connection as they were recorded, without what is new each time.
func (d *dev) lifeOf(id string) string {
	d.t.Helper()
	text, err := os.ReadFile(d.events)
	if err != nil {
		d.t.Fatal(err)
	}
	var life strings.Builder
	for line := range bytes.Lines(text) {
		var e struct {
			Headers map[string]string
			Multi   map[string]any `json:"multiValueHeaders"`
			Context map[string]any `json:"requestContext"`
			Rest    map[string]any `json:"-"`
		}
		if err := json.Unmarshal(line, &e.Rest); err != nil {
			d.t.Fatal(err)
		}
		if err := json.Unmarshal(line, &e); err != nil {
			d.t.Fatal(err)
		}
		if e.Context["connectionId"] != id {
			continue
		}
		for _, name := range []string{"connectionId", "requestId", "extendedRequestId", "messageId", "apiId", "domainName", "requestTime", "requestTimeEpoch", "connectedAt"} {
			if _, ok := e.Context[name]; ok {
				e.Context[name] = "…"
			}
		}
		for _, name := range []string{"Host", "Sec-Websocket-Key", "X-Amzn-Trace-Id", "X-Forwarded-Port"} {
			if _, ok := e.Headers[name]; ok {
				e.Headers[name], e.Multi[name] = "…", "…"
			}
		}
		e.Rest["headers"], e.Rest["multiValueHeaders"], e.Rest["requestContext"] = e.Headers, e.Multi, e.Context
		shown, err := json.MarshalIndent(e.Rest, "", " ")
		if err != nil {
			d.t.Fatal(err)
		}
		life.Write(append(shown, '\n'))
	}
	return life.String()
}
