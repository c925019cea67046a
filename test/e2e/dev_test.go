//go:build e2e

package e2e_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience bounds every wait. It is long because a busy machine must not fail a test; nothing waits for it to pass.
const patience = 20 * time.Second

// dev is one running `cleat dev`.
type dev struct {
	*process
	dir    string // the copy of the project
	port   int
	events string // the file to which the project's functions append what they record
}

// options say how to start a project; the zero value starts it as `cleat dev` alone would.
type options struct {
	args    []string // further arguments of `cleat dev`
	env     []string // further variables, which win over the test's own
	noWait  bool     // do not wait until it is ready
	modules string   // a folder of npm packages to lay at node_modules, or ""
}

// startDev copies testdata/name and runs `cleat dev` in the copy.
func startDev(t *testing.T, name string, o options) *dev {
	t.Helper()
	return startDevIn(t, copyProject(t, filepath.Join("testdata", name), o.modules), o)
}

// startDevIn runs `cleat dev` in dir, waits until it says it is ready, and ends it when the test ends.
func startDevIn(t *testing.T, dir string, o options) *dev {
	t.Helper()
	d := &dev{dir: dir, port: freePort(t), events: filepath.Join(t.TempDir(), "events.jsonl")}
	env := append([]string{"E2E_EVENTS=" + d.events}, o.env...)
	d.process = startProcess(t, dir, internalError, env, append([]string{"dev", "--port", strconv.Itoa(d.port)}, o.args...)...)
	t.Cleanup(d.finish)
	if !o.noWait {
		d.waitReady()
	}
	return d
}

// cleanEnv is this process's environment without what would decide where AWS clients turn, whom they trust, and who
// they are: each test sets what it is about.
func cleanEnv() []string {
	foreign := []string{"SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_OPTIONS", "PYTHONPATH", "PATH", "XDG_STATE_HOME"}
	env := slices.DeleteFunc(os.Environ(), func(pair string) bool {
		name, _, _ := strings.Cut(pair, "=")
		return strings.HasPrefix(name, "AWS_") || strings.HasSuffix(strings.ToLower(name), "_proxy") || slices.Contains(foreign, name)
	})
	return append(env, "PATH="+built.path, "XDG_STATE_HOME="+built.state, "AWS_EC2_METADATA_DISABLED=true")
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("find a free port: %v", err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// copyProject copies a project to a temporary folder, so that a test may edit it and run beside others.
func copyProject(t *testing.T, from, modules string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), filepath.Base(from))
	err := filepath.WalkDir(from, func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		to := filepath.Join(dir, strings.TrimPrefix(path, from))
		if !entry.IsDir() {
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			return os.WriteFile(to, content, 0o644)
		}
		if entry.Name() == "node_modules" {
			return filepath.SkipDir
		}
		return os.MkdirAll(to, 0o755)
	})
	if err != nil {
		t.Fatalf("copy %s: %v", from, err)
	}
	if modules == "" {
		return dir
	}
	target, err := filepath.Abs(modules)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(target); err != nil {
		t.Fatalf("%v: run test/e2e/setup.sh", err)
	}
	if err := os.Symlink(target, filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// in is d for a subtest, whose failures are then the subtest's own.
func (d *dev) in(t *testing.T) *dev {
	t.Helper()
	sub := *d
	sub.process = d.process.in(t)
	return &sub
}

func (d *dev) waitReady() {
	d.t.Helper()
	client := &http.Client{Timeout: time.Second}
	d.eventually("cleat dev is ready", func() error {
		resp, err := client.Get(d.url("/_cleat/healthz"))
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("healthz answers %s", resp.Status)
		}
		return nil
	})
}

// url is an address of the running process, "http://127.0.0.1:3001" and path.
func (d *dev) url(path string) string { return fmt.Sprintf("http://127.0.0.1:%d%s", d.port, path) }

// endpoint is the management endpoint that `cleat dev` prints for a stage "dev".
func (d *dev) endpoint() string { return fmt.Sprintf("http://localhost:%d/dev", d.port) }

// ws is the WebSocket URL that `cleat dev` prints for a stage "dev".
func (d *dev) ws() string { return fmt.Sprintf("ws://localhost:%d/dev", d.port) }

// poll calls check until it answers nil, abort is closed (nil: never) or patience ends.
func poll(check func() error, abort <-chan struct{}) error {
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-abort:
			return fmt.Errorf("the process ended, while: %w", err)
		case <-deadline.C:
			return fmt.Errorf("still after %v: %w", patience, err)
		}
	}
}

// internalError is a line of `cleat dev`'s own log that asks somebody to act.
var internalError = regexp.MustCompile(`^\S+  error  `)

// workers are the processes that still run with the project's variables, read from /proc where there is one.
func (d *dev) workers() error {
	environs, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		return err
	}
	for _, name := range environs {
		environ, err := os.ReadFile(name)
		if err == nil && bytes.Contains(environ, []byte("E2E_EVENTS="+d.events)) { // what cannot be read has gone or is not ours
			return fmt.Errorf("%s is still there", filepath.Dir(name))
		}
	}
	return nil
}

// event is what tests look at in the events that functions record.
type event struct {
	Headers map[string]string `json:"headers"`
	Context struct {
		APIID        string `json:"apiId"`
		RouteKey     string `json:"routeKey"`
		EventType    string `json:"eventType"`
		ConnectionID string `json:"connectionId"`
		DomainName   string `json:"domainName"`
		Stage        string `json:"stage"`
		Code         *int   `json:"disconnectStatusCode"`
		Reason       string `json:"disconnectReason"`
	} `json:"requestContext"`
	Body string `json:"body"`
}

// recorded returns what the functions have recorded so far.
func (d *dev) recorded() ([]event, error) {
	content, err := os.ReadFile(d.events)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read what the functions recorded: %w", err)
	}
	var events []event
	lines := bufio.NewScanner(bytes.NewReader(content))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return nil, fmt.Errorf("read what the functions recorded: %w in %q", err, lines.Text())
		}
		events = append(events, e)
	}
	return events, lines.Err()
}

// awaitEvent waits until the functions have recorded an event of the connection, and returns it.
func (d *dev) awaitEvent(eventType, connectionID string) event {
	d.t.Helper()
	var found event
	d.eventually(fmt.Sprintf("%s event of %s", eventType, connectionID), func() error {
		events, err := d.recorded()
		if err != nil {
			return err
		}
		for _, e := range events {
			if e.Context.EventType == eventType && e.Context.ConnectionID == connectionID {
				found = e
				return nil
			}
		}
		return fmt.Errorf("not among %d events", len(events))
	})
	return found
}

// transcript collects what a process prints.
type transcript struct {
	mu   sync.Mutex
	data bytes.Buffer
}

func newTranscript() *transcript { return &transcript{} }

var _ io.Writer = (*transcript)(nil)

func (tr *transcript) Write(p []byte) (int, error) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return tr.data.Write(p)
}

func (tr *transcript) text() string {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return tr.data.String()
}

// length is how much was printed so far; text()[length:] is what came since.
func (tr *transcript) length() int {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return tr.data.Len()
}

// awaitLog waits until one line printed after offset contains all parts.
func (d *dev) awaitLog(offset int, parts ...string) string {
	d.t.Helper()
	var found string
	d.eventually(fmt.Sprintf("a line with %q", parts), func() error {
		for line := range strings.Lines(d.log.text()[offset:]) {
			if containsAll(line, parts) {
				found = line
				return nil
			}
		}
		return errors.New("not printed")
	})
	return found
}

func containsAll(s string, parts []string) bool {
	return !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(s, part) })
}
