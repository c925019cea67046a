//go:build e2e

package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os/exec"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

// client is one WebSocket connection of the test itself.
type client struct {
	t    *testing.T
	conn *websocket.Conn
}

// dial connects, and closes the connection when the test ends.
func dial(t *testing.T, url string, o *websocket.DialOptions) *client {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conn, resp, err := websocket.Dial(ctx, url, o)
	if err != nil {
		status := ""
		if resp != nil {
			status = resp.Status
		}
		t.Fatalf("connect to %s: %v %s", url, err, status)
	}
	conn.SetReadLimit(1 << 20)
	t.Cleanup(func() { conn.CloseNow() }) // what it says about a connection that is closed already matters to nobody
	return &client{t: t, conn: conn}
}

// refused connects and returns the status with which that was refused.
func refused(t *testing.T, url string) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conn, resp, err := websocket.Dial(ctx, url, nil)
	if err == nil {
		conn.CloseNow()
		t.Fatalf("connect to %s succeeded, want a refusal", url)
	}
	if resp == nil {
		t.Fatalf("connect to %s: %v, want an HTTP answer", url, err)
	}
	return resp.StatusCode
}

// in is c for a subtest, whose failures are then the subtest's own.
func (c *client) in(t *testing.T) *client {
	t.Helper()
	return &client{t: t, conn: c.conn}
}

func (c *client) send(text string) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	if err := c.conn.Write(ctx, websocket.MessageText, []byte(text)); err != nil {
		c.t.Fatalf("send %s: %v", text, err)
	}
}

func (c *client) receive() string {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	kind, data, err := c.conn.Read(ctx)
	if err != nil {
		c.t.Fatalf("receive a message: %v", err)
	}
	if kind != websocket.MessageText {
		c.t.Fatalf("received a %v message, want text: %q", kind, data)
	}
	return string(data)
}

// ask sends a message and returns the next one that comes.
func (c *client) ask(text string) string {
	c.t.Helper()
	c.send(text)
	return c.receive()
}

// receiveClose reads until the server closes the connection, and returns its code and reason.
func (c *client) receiveClose() (code websocket.StatusCode, reason string) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	_, data, err := c.conn.Read(ctx)
	var closed websocket.CloseError
	if !errors.As(err, &closed) {
		c.t.Fatalf("received %q, %v, want a close frame", data, err)
	}
	return closed.Code, closed.Reason
}

// reply unmarshals a message that a function sent.
func reply[T any](t *testing.T, text string) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("received %q: %v", text, err)
	}
	return v
}

// connect connects to a project with a two-way route "whoami", and returns the connection and its ID.
func (d *dev) connect() (*client, string) {
	d.t.Helper()
	c := dial(d.t, d.ws(), nil)
	id := c.ask(`{"action":"whoami"}`)
	if len(id) != 16 || !strings.HasSuffix(id, "=") {
		d.t.Fatalf("connection ID %q, want 16 characters that end in =", id)
	}
	return c, id
}

// command runs a program to its end with the environment of the tests, and returns what it printed.
func command(t *testing.T, env []string, stdin, name string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	var out, errOut bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(cleanEnv(), env...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errOut
	err = cmd.Run()
	return out.String(), errOut.String(), err
}

// mustCommand is command for one that has to succeed.
func mustCommand(t *testing.T, env []string, stdin, name string, args ...string) string {
	t.Helper()
	stdout, stderr, err := command(t, env, stdin, name, args...)
	if err != nil {
		t.Fatalf("%s %q: %v\n%s%s", name, args, err, stdout, stderr)
	}
	return stdout
}
