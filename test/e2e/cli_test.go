//go:build e2e

package e2e_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

func TestConnectionsCommand(t *testing.T) {
	d := startDev(t, "recorder", options{})
	c, id := d.connect()
	_, otherID := d.connect()
	cleat := func(args ...string) string {
		t.Helper()
		return mustCommand(t, nil, "from standard input", built.cleat, append([]string{"connections", "--endpoint", d.endpoint()}, args...)...)
	}

	listed := cleat("ls")
	if !containsAll(listed, []string{id, otherID, "127.0.0.1"}) {
		t.Errorf("ls printed:\n%swant both connections", listed)
	}
	lines := strings.Split(strings.TrimSpace(cleat("ls", "--json")), "\n")
	if len(lines) != 2 || !json.Valid([]byte(lines[0])) || !json.Valid([]byte(lines[1])) {
		t.Errorf("ls --json printed %q, want two JSON objects", lines)
	}
	if got := cleat("get", id); !containsAll(got, []string{"connectedAt", "lastActiveAt", "127.0.0.1"}) {
		t.Errorf("get printed %s", got)
	}
	cleat("post", id, "from a shell")
	if got := c.receive(); got != "from a shell" {
		t.Errorf("received %q", got)
	}
	cleat("post", id, "-")
	if got := c.receive(); got != "from standard input" {
		t.Errorf("received %q", got)
	}
	cleat("rm", id)
	if code, _ := c.receiveClose(); code != websocket.StatusNormalClosure {
		t.Errorf("rm closed the connection with %d, want 1000", code)
	}
	d.awaitEvent("DISCONNECT", id)
	if listed := cleat("ls"); strings.Contains(listed, id) || !strings.Contains(listed, otherID) {
		t.Errorf("after rm, ls printed:\n%s", listed)
	}
	_, stderr, err := command(t, nil, "", built.cleat, "connections", "--endpoint", d.endpoint(), "post", id, "too late")
	if err == nil || !strings.Contains(stderr, "410") {
		t.Errorf("post to a connection that has gone: %v, %q, want a failure that says 410", err, stderr)
	}
}

func TestConnectionsTail(t *testing.T) {
	d := startDev(t, "recorder", options{})
	c, id := d.connect()
	other := dial(t, d.ws(), nil)
	tail := exec.CommandContext(t.Context(), built.cleat, "connections", "--endpoint", d.endpoint(), "tail", id)
	out := newTranscript()
	tail.Stdout, tail.Stderr = out, out
	if err := tail.Start(); err != nil {
		t.Fatal(err)
	}
	// Nothing tells from outside when it has begun to follow: messages go on until one is seen.
	d.eventually("tail shows a message", func() error {
		c.ask("seen?")
		if !containsAll(out.text(), []string{id, "$default"}) {
			return fmt.Errorf("printed %q", out.text())
		}
		return nil
	})
	c.conn.CloseNow() // clients that do not answer the close frame would hold up the end
	other.conn.CloseNow()
	d.stop()
	if err := tail.Wait(); err != nil {
		t.Errorf("when the node ended, tail ended with %v", err)
	}
	for line := range strings.Lines(out.text()) {
		if !json.Valid([]byte(line)) || !strings.Contains(line, id) {
			t.Errorf("tail of one connection printed %s", line)
		}
	}
}

// Every fault is reported at once, each with its file and line.
func TestCheck(t *testing.T) {
	stdout, stderr, err := command(t, nil, "", built.cleat, "check", "testdata/broken")
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Errorf("check of a broken project ended with %v, want exit code 1", err)
	}
	report := stdout + stderr
	for line, about := range map[int]string{
		7:  "CLEAT_E2E_IS_NOT_SET", // a variable that nobody sets
		15: "nowhere/file",         // a handler whose file is not there
		21: `\$connect`,            // a route that two functions claim
		22: "routes",               // a property that there is not
	} {
		if !regexp.MustCompile(fmt.Sprintf(`(?m)serverless\.yml:%d\b.*%s`, line, about)).MatchString(report) {
			t.Errorf("check does not report line %d (%s); it printed:\n%s", line, about, report)
		}
	}
	// `dev` refuses the same project in the same words.
	_, devErr, err := command(t, nil, "", built.cleat, "dev", "--port", "0", "testdata/broken")
	if err == nil || !strings.Contains(devErr, "serverless.yml:7") {
		t.Errorf("dev of a broken project: %v, %q", err, devErr)
	}

	for _, dir := range []string{"testdata/recorder", "testdata/acceptance", "../../examples/echo", "../../examples/chat", "../../examples/python-chat", "../../examples/http-backend"} {
		mustCommand(t, []string{"E2E_EVENTS=x", "AWS_REGION=eu-west-1"}, "", built.cleat, "check", dir)
	}
}

// The flags of `dev`, and the machine-readable output by which another program can follow it.
func TestDevFlags(t *testing.T) {
	d := startDev(t, "recorder", options{noWait: true, args: []string{
		"--port", "0", "--stage", "prod", "--region", "us-west-2", "--limits", "open", "--log-format", "json",
	}})
	type entry struct{ Msg, URL, Management, Stage, Region string }
	var started entry
	d.eventually("it says that it has started", func() error {
		for line := range strings.Lines(d.log.text()) {
			if json.Unmarshal([]byte(line), &started) == nil && started.Msg == "started" {
				return nil
			}
		}
		return errors.New("no such line")
	})
	if started.Stage != "prod" || started.Region != "us-west-2" || !strings.HasSuffix(started.URL, "/prod") || !strings.HasSuffix(started.Management, "/prod") {
		t.Errorf("started with %+v, want stage prod in us-west-2", started)
	}
	c := dial(t, started.URL, nil)
	id := c.ask(`{"action":"whoami"}`)
	if got := d.awaitEvent("CONNECT", id).Context.Stage; got != "prod" {
		t.Errorf("$connect got the stage %q", got)
	}
	// Under the limits "open" a binary message is welcome.
	if err := c.conn.Write(t.Context(), websocket.MessageBinary, []byte("binary")); err != nil {
		t.Fatal(err)
	}
	d.awaitEvent("MESSAGE", id)
	c.conn.CloseNow()
	d.stop()
	for line := range strings.Lines(d.log.text()) {
		if !json.Valid([]byte(line)) {
			t.Errorf("not JSON: %s", line)
		}
	}
}

func TestPortInUse(t *testing.T) {
	d := startDev(t, "recorder", options{})
	port := fmt.Sprint(d.port)
	_, stderr, err := command(t, []string{"E2E_EVENTS=x"}, "", built.cleat, "dev", "--port", port, d.dir)
	var exit *exec.ExitError
	if !errors.As(err, &exit) || !containsAll(stderr, []string{port, "in use"}) {
		t.Errorf("dev on a port that is in use: %v, %q, want a failure that says so", err, stderr)
	}
}

func TestVersion(t *testing.T) {
	if got := mustCommand(t, nil, "", built.cleat, "version"); !strings.HasPrefix(got, "cleat ") {
		t.Errorf("version printed %q", got)
	}
}

// Ctrl-C closes everybody with 1001, lets $disconnect finish, and ends with 0.
func TestInterrupt(t *testing.T) {
	d := startDev(t, "recorder", options{})
	ids := map[string]*client{}
	for range 3 {
		c, id := d.connect()
		ids[id] = c
	}
	d.interrupt()
	for _, c := range ids {
		if code, _ := c.receiveClose(); code != websocket.StatusGoingAway {
			t.Errorf("a client was closed with %d, want 1001", code)
		}
	}
	if code := d.wait(); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
	events, err := d.recorded()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		if e.Context.EventType == "DISCONNECT" && e.Context.Code != nil && *e.Context.Code == 1001 {
			delete(ids, e.Context.ConnectionID)
		}
	}
	if len(ids) > 0 {
		t.Errorf("%d connections never had a $disconnect with 1001", len(ids))
	}
	if err := d.workers(); err != nil {
		t.Errorf("after the end: %v", err)
	}
}

// However Cleat ends, the functions' processes end too.
func TestKilled(t *testing.T) {
	d := startDev(t, "recorder", options{})
	d.connect()
	if d.workers() == nil {
		t.Fatal("no function's process was found")
	}
	if err := d.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	d.wait()
	if err := poll(d.workers, nil); err != nil {
		t.Errorf("after Cleat was killed: %v", err)
	}
}

// A second Ctrl-C ends the process at once, whatever it waits for.
func TestSecondInterrupt(t *testing.T) {
	d := startDev(t, "recorder", options{env: []string{"E2E_HOLD_DISCONNECT=yes"}})
	c, _ := d.connect()
	d.interrupt()
	c.receiveClose() // the orderly end has begun, and $disconnect takes its time
	select {
	case <-d.ended:
		t.Fatalf("the process ended without waiting for $disconnect: %v", d.err)
	case <-time.After(200 * time.Millisecond): // how long it must at least wait to show that it waits
	}
	second := time.Now()
	d.interrupt()
	d.wait()
	if took := time.Since(second); took > 2*time.Second {
		t.Errorf("the process ended %v after the second Ctrl-C", took)
	}
	if err := poll(d.workers, nil); err != nil {
		t.Errorf("after the second Ctrl-C: %v", err)
	}
}
