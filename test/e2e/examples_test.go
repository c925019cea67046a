//go:build e2e

package e2e_test

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
)

// The example "echo" is what TestTour runs.

func TestExampleChat(t *testing.T) {
	const dir = "../../examples/chat"
	dynamodb := startServer(t, filepath.Join(dir, "node_modules/.bin/dynalite"), "--host", "127.0.0.1", "--createTableMs", "0", "--port")
	d := startDevIn(t, copyProject(t, dir, filepath.Join(dir, "node_modules")), options{args: []string{"--dynamodb", dynamodb}})
	ada := dial(t, d.ws()+"?name=ada", nil)
	grace := dial(t, d.ws()+"?name=grace", nil)
	for name, from := range map[string]*client{"ada": ada, "grace": grace} {
		from.send(`{"action":"say","text":"hello"}`)
		for _, to := range []*client{ada, grace} {
			if got, want := to.receive(), fmt.Sprintf(`{"event":"said","name":%q,"text":"hello"}`, name); got != want {
				t.Errorf("received %s, want %s", got, want)
			}
		}
	}
	grace.conn.Close(1000, "")
	if got, want := ada.receive(), `{"event":"left","name":"grace"}`; got != want {
		t.Errorf("received %s, want %s", got, want)
	}
	if got := refused(t, d.ws()); got != 400 {
		t.Errorf("without a name the connect is refused with %d, want 400", got)
	}
}

// A row whose connection has gone without a $disconnect, as after a crash on AWS, is taken out by the next broadcast.
func TestExampleChatPrunes(t *testing.T) {
	const dir = "../../examples/chat"
	dynamodb := startServer(t, filepath.Join(dir, "node_modules/.bin/dynalite"), "--host", "127.0.0.1", "--createTableMs", "0", "--port")
	modules := filepath.Join(dir, "node_modules")
	first := startDevIn(t, copyProject(t, dir, modules), options{args: []string{"--dynamodb", dynamodb}})
	dial(t, first.ws()+"?name=left-behind", nil)
	if err := first.cmd.Process.Kill(); err != nil { // no $disconnect
		t.Fatal(err)
	}
	first.wait()

	d := startDevIn(t, copyProject(t, dir, modules), options{args: []string{"--dynamodb", dynamodb}})
	ada := dial(t, d.ws()+"?name=ada", nil)
	if got, want := ada.ask(`{"action":"say","text":"anybody?"}`), `{"event":"said","name":"ada","text":"anybody?"}`; got != want {
		t.Errorf("received %s, want %s", got, want)
	}
	d.eventually("only ada is left in the table", func() error {
		rows := mustCommand(t, nil, "", "node", filepath.Join("clients", "rows.cjs"), modules, dynamodb, "chat-dev-connections")
		if rows != "[\"ada\"]\n" {
			return fmt.Errorf("names in the table: %s", rows)
		}
		return nil
	})
}

func TestExamplePythonChat(t *testing.T) {
	d := startDevIn(t, copyProject(t, "../../examples/python-chat", ""), options{})
	ada, adaID := d.connect()
	grace, graceID := d.connect()
	tell := fmt.Sprintf(`{"action":"tell","to":%q,"text":"hello"}`, graceID)
	if got, want := ada.ask(tell), `{"told": true}`; got != want {
		t.Errorf("received %s, want %s", got, want)
	}
	if got, want := grace.receive(), fmt.Sprintf(`{"from": %q, "text": "hello"}`, adaID); got != want {
		t.Errorf("received %s, want %s", got, want)
	}
	grace.conn.Close(1000, "")
	d.awaitLog(0, "disconnect", graceID)
	if got, want := ada.ask(tell), `{"told": false, "why": "gone"}`; got != want {
		t.Errorf("received %s, want %s", got, want)
	}
}

func TestExampleHTTPBackend(t *testing.T) {
	program := filepath.Join(t.TempDir(), "http-backend")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./http-backend")
	build.Dir = "../../examples"
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the example: %v\n%s", err, out)
	}
	dir := copyProject(t, "../../examples/http-backend", "")
	port := freePort(t)
	d := startDevIn(t, dir, options{env: []string{"BACKEND=http://127.0.0.1:" + strconv.Itoa(port)}})
	startListener(t, port, program, "-listen", "127.0.0.1:"+strconv.Itoa(port), "-cleat", d.endpoint())

	if got := refused(t, d.ws()); got != 400 {
		t.Errorf("without a name the connect is refused with %d, want 400", got)
	}
	ada := dial(t, d.ws()+"?name=ada", nil)
	grace := dial(t, d.ws()+"?name=grace", nil)
	if got, want := ada.receive(), "grace is here"; got != want {
		t.Errorf("received %q, want %q", got, want)
	}
	grace.send("hello")
	for _, c := range []*client{ada, grace} {
		if got, want := c.receive(), "grace: hello"; got != want {
			t.Errorf("received %q, want %q", got, want)
		}
	}
	grace.conn.Close(1000, "")
	if got, want := ada.receive(), "grace has left"; got != want {
		t.Errorf("received %q, want %q", got, want)
	}
}

// startServer starts a program that takes a port as its last argument, and returns its URL.
func startServer(t *testing.T, program string, args ...string) string {
	t.Helper()
	port := freePort(t)
	startListener(t, port, program, append(slices.Clone(args), strconv.Itoa(port))...)
	return "http://127.0.0.1:" + strconv.Itoa(port)
}

// startListener starts a program, waits until it listens on the port, and ends it when the test ends.
func startListener(t *testing.T, port int, program string, args ...string) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background()) // what was started after it needs it to the end of its own cleanup
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = cleanEnv()
	out := newTranscript()
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		stop()
		t.Fatalf("start %s: %v (run test/e2e/setup.sh)", program, err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		cmd.Wait() // it ends by a signal
	}()
	t.Cleanup(func() {
		stop()
		<-ended
	})
	dialer := &net.Dialer{Timeout: patience}
	err := poll(func() error {
		conn, err := dialer.DialContext(t.Context(), "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			return err
		}
		return conn.Close()
	}, ended)
	if err != nil {
		t.Fatalf("%s does not listen: %v\n%s", program, err, out.text())
	}
}
