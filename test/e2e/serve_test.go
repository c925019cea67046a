//go:build e2e

package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// region is where the nodes of these tests pose to be.
const region = "us-east-1"

// serve is one `cleat serve`, which may be ended and started again.
type serve struct {
	*process
	t             *testing.T
	data          string   // its data directory
	public, admin int      // ports
	args          []string // further arguments of `cleat serve`
	key           []string // variables with the administrator's access key
}

// serveFault is a line of a node's own log that asks somebody to act.
var serveFault = regexp.MustCompile(`^time=\S+ level=ERROR `)

// startServe runs a node in a fresh data directory, takes the key that its first start prints, and ends it when the test
// ends.
func startServe(t *testing.T, args ...string) *serve {
	t.Helper()
	s := &serve{t: t, data: filepath.Join(t.TempDir(), "data"), public: freePort(t), admin: freePort(t), args: args}
	s.start()
	found := regexp.MustCompile(`(?m)^ +access key ID +(\S+)\n +secret access key +(\S+)$`).FindStringSubmatch(s.log.text())
	if found == nil {
		t.Fatalf("the first start prints no access key, but:\n%s", s.log.text())
	}
	s.key = signWith(found[1], found[2])
	return s
}

// start starts the node, which may have run before, and waits until it serves.
func (s *serve) start() {
	s.t.Helper()
	args := []string{"serve", "--data", s.data, "--public", fmt.Sprintf("127.0.0.1:%d", s.public), "--admin", fmt.Sprintf("127.0.0.1:%d", s.admin)}
	s.process = startProcess(s.t, s.t.TempDir(), serveFault, nil, append(args, s.args...)...)
	s.t.Cleanup(s.finish)
	client := &http.Client{Timeout: time.Second}
	s.eventually("cleat serve is ready", func() error {
		resp, err := client.Get(s.endpoint() + "/_cleat/readyz")
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("readyz answers %s", resp.Status)
		}
		return nil
	})
}

// restart ends the node by a signal and starts it again.
func (s *serve) restart(by syscall.Signal) {
	s.t.Helper()
	s.signal(by)
	if code := s.wait(); by != syscall.SIGKILL && code != 0 {
		s.t.Errorf("after %v the node ended with %d, want 0", by, code)
	}
	s.start()
	if strings.Contains(s.log.text(), "secret access key") {
		s.t.Error("a second start prints an access key again")
	}
}

// endpoint is the control plane's address.
func (s *serve) endpoint() string { return fmt.Sprintf("http://127.0.0.1:%d", s.admin) }

// ws is the address of a stage for clients.
func (s *serve) ws(api, stage string) string {
	return fmt.Sprintf("ws://127.0.0.1:%d/%s/%s", s.public, api, stage)
}

// connections is the address of a stage for pushes.
func (s *serve) connections(api, stage string) string {
	return fmt.Sprintf("http://127.0.0.1:%d/%s/%s", s.public, api, stage)
}

// signWith are the variables that have every tool sign with a key.
func signWith(id, secret string) []string {
	return []string{"AWS_ACCESS_KEY_ID=" + id, "AWS_SECRET_ACCESS_KEY=" + secret, "AWS_REGION=" + region, "AWS_DEFAULT_REGION=" + region, "AWS_PAGER="}
}

// in is s for a subtest, whose failures are then the subtest's own.
func (s *serve) in(t *testing.T) *serve {
	t.Helper()
	sub := *s
	sub.t, sub.process = t, s.process.in(t)
	return &sub
}

// aws runs a command of the AWS CLI, its first words in one text, and returns what it prints in the form of text.
func (s *serve) aws(program, words string, args ...string) string {
	s.t.Helper()
	args = append(append(strings.Fields(words), args...), "--endpoint-url", s.endpoint(), "--output", "text")
	return strings.TrimSpace(mustCommand(s.t, s.key, "", program, args...))
}

// dialSoon connects to a stage that was made or changed just now, with header fields, "Name: value": clients see a change
// after a moment.
func dialSoon(t *testing.T, url string, fields ...string) *client {
	t.Helper()
	// A connection of its own for each attempt: on one that is used again a node does not see how the client spells names.
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	o := &websocket.DialOptions{HTTPHeader: http.Header{}, HTTPClient: &http.Client{Transport: transport}}
	for _, field := range fields {
		name, value, _ := strings.Cut(field, ": ")
		o.HTTPHeader.Set(name, value)
	}
	var c *client
	err := poll(func() error {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		conn, _, err := websocket.Dial(ctx, url, o)
		if err != nil {
			transport.CloseIdleConnections()
			return err
		}
		t.Cleanup(func() { conn.CloseNow() }) // what it says about a connection that is closed already matters to nobody
		c = &client{t: t, conn: conn}
		return nil
	}, nil)
	if err != nil {
		t.Fatalf("connect to %s: %v", url, err)
	}
	return c
}

// ids asks the node which connections a stage has.
func (s *serve) ids(api, stage string) []string {
	s.t.Helper()
	listed := mustCommand(s.t, s.key, "", built.cleat, "connections", "--endpoint", s.connections(api, stage), "ls")
	return regexp.MustCompile(`(?m)^[\w-]{15}=`).FindAllString(listed, -1)
}

// onlyID is the ID of the one connection that a stage has.
func (s *serve) onlyID(api, stage string) string {
	s.t.Helper()
	var id string
	s.eventually("the stage has one connection", func() error {
		ids := s.ids(api, stage)
		if len(ids) != 1 {
			return errors.New(strconv.Itoa(len(ids)) + " connections are listed")
		}
		id = ids[0]
		return nil
	})
	return id
}
