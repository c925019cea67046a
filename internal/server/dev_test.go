package server_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"go.uber.org/goleak"

	"cleat/internal/apigw"
	"cleat/internal/cfn"
	"cleat/internal/eventstream"
	"cleat/internal/lambda"
	"cleat/internal/meter/report"
	"cleat/internal/project"
	"cleat/internal/server"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// reporter keeps what it is told.
type reporter struct {
	started  chan server.Started
	reloaded chan server.Reloaded
	faults   chan error
	stopping chan int
	used     chan report.Usage

	mu     sync.Mutex
	events []*apigw.Record
	lines  []lambda.Line
}

func newReporter() *reporter {
	return &reporter{
		started: make(chan server.Started, 1), reloaded: make(chan server.Reloaded, 100),
		faults: make(chan error, 100), stopping: make(chan int, 1), used: make(chan report.Usage, 1),
	}
}

func (r *reporter) Started(s server.Started)   { r.started <- s }
func (r *reporter) Reloaded(s server.Reloaded) { r.reloaded <- s }
func (r *reporter) Faults(err error)           { r.faults <- err }
func (r *reporter) Warn(cfn.Fault)             {}
func (r *reporter) Stopping(n int)             { r.stopping <- n }
func (r *reporter) Used(u report.Usage)        { r.used <- u }

func (r *reporter) Event(e *apigw.Record) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e.Clone())
}

func (r *reporter) Line(l lambda.Line) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, l)
}

func (r *reporter) has(match func(*apigw.Record) bool) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.ContainsFunc(r.events, match)
}

// run is a running RunDev.
type run struct {
	*reporter
	dir   string
	state string
	info  server.Started
	stop  func() error // idempotent; ends it and returns what RunDev returned
}

func start(t *testing.T, files map[string]string) *run {
	t.Helper()
	r := &run{reporter: newReporter(), dir: t.TempDir(), state: t.TempDir()}
	for name, text := range files {
		r.write(t, name, text)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- server.RunDev(ctx, server.DevOptions{
			Dir: r.dir, StateDir: r.state, Env: os.Environ(), Log: slog.New(slog.DiscardHandler), Report: r,
			Project: project.Options{Env: os.Environ()},
		})
	}()
	r.stop = sync.OnceValue(func() error { cancel(); return <-done })
	t.Cleanup(func() {
		if err := r.stop(); err != nil {
			t.Errorf("RunDev: %v", err)
		}
	})
	select {
	case r.info = <-r.started:
	case err := <-done:
		done <- err
		t.Fatalf("did not start: %v", err)
	case <-time.After(time.Minute):
		t.Fatal("did not start")
	}
	return r
}

func (r *run) write(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join(r.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (r *run) dial(t *testing.T) *websocket.Conn {
	t.Helper()
	ws, _, err := websocket.DefaultDialer.DialContext(t.Context(), "ws://"+r.info.Addr+"/dev", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ws.Close() })
	return ws
}

func ask(t *testing.T, ws *websocket.Conn, text string) string {
	t.Helper()
	if err := ws.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := ws.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	_, b, err := ws.ReadMessage()
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

const serverlessYML = `service: demo
provider: {name: aws, runtime: nodejs20.x}
functions:
  ask:
    handler: h.ask
    events:
      - websocket: {route: ask, routeResponseSelectionExpression: $default}
      - websocket: $connect
  bye:
    handler: h.bye
    events: [{websocket: $disconnect}]
`

const handlerJS = `exports.ask = async (e) => ({ statusCode: 200, body: 'one' });
exports.bye = async (e) => { console.log('bye', e.requestContext.disconnectStatusCode); return {}; };
`

// A project runs, reloads its code and its definitions with connections open, and stops in order.
func TestRunDev(t *testing.T) {
	r := start(t, map[string]string{"serverless.yml": serverlessYML, "h.js": handlerJS})
	ws := r.dial(t)
	if got := ask(t, ws, `{"action":"ask"}`); got != "one" {
		t.Fatalf("got %q", got)
	}

	r.write(t, "h.js", strings.ReplaceAll(handlerJS, "one", "two"))
	if re := <-r.reloaded; re.Definitions {
		t.Error("a change of code read the project again")
	}
	if got := ask(t, ws, `{"action":"ask"}`); got != "two" {
		t.Errorf("after saving the code: got %q", got)
	}

	if got := ask(t, ws, `{"action":"other"}`); !strings.HasPrefix(got, `{"message": "Forbidden"`) {
		t.Errorf("before the route was there: got %s", got)
	}
	r.write(t, "serverless.yml", strings.ReplaceAll(serverlessYML, "{route: ask,", "{route: other,"))
	if re := <-r.reloaded; !re.Definitions {
		t.Error("a change of the project was not read")
	}
	if got := ask(t, ws, `{"action":"other"}`); got != "two" {
		t.Errorf("after saving the project: got %q", got)
	}

	r.write(t, "serverless.yml", "functions: [")
	var faults cfn.Faults
	if err := <-r.faults; !errors.As(err, &faults) || faults[0].Place.File != "serverless.yml" {
		t.Errorf("got %v, want faults with their place", err)
	}
	if got := ask(t, ws, `{"action":"other"}`); got != "two" {
		t.Errorf("after a broken save: got %q", got)
	}

	read := make(chan error, 1)
	go func() {
		_, _, err := ws.ReadMessage()
		read <- err
	}()
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	if !websocket.IsCloseError(<-read, websocket.CloseGoingAway) {
		t.Error("the client was not told with 1001")
	}
	if !r.has(func(e *apigw.Record) bool { return e.Operation == "disconnect" && e.CloseCode == 1001 && e.Err == nil }) {
		t.Errorf("$disconnect did not end in order: %+v", r.events)
	}
	if n := <-r.stopping; n != 1 {
		t.Errorf("stopping told of %d connections", n)
	}
}

// A project that gets another name or stage is served under it, its connections are told, and their $disconnect finds
// the function that they connected with.
func TestReloadMoves(t *testing.T) {
	for name, test := range map[string]struct{ from, to, path string }{
		"name":  {"service: demo", "service: renamed", "/dev"},
		"stage": {"{name: aws,", "{name: aws, stage: qa,", "/qa"},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, map[string]string{"serverless.yml": serverlessYML, "h.js": handlerJS})
			ws := r.dial(t)
			r.write(t, "serverless.yml", strings.Replace(serverlessYML, test.from, test.to, 1))
			if re := <-r.reloaded; !re.Definitions || !re.Moved || len(re.Outcome.APIs) != 1 {
				t.Errorf("got %+v", re)
			}
			if _, _, err := ws.ReadMessage(); !websocket.IsCloseError(err, websocket.CloseGoingAway) {
				t.Errorf("the client saw %v, want a close with 1001", err)
			}
			deadline := time.Now().Add(time.Minute)
			for !r.has(func(e *apigw.Record) bool { return e.Operation == "disconnect" && e.CloseCode == 1001 && e.Err == nil }) {
				if time.Now().After(deadline) {
					t.Fatalf("$disconnect was not delivered: %+v", r.events)
				}
				time.Sleep(5 * time.Millisecond)
			}
			moved, res, err := websocket.DefaultDialer.DialContext(t.Context(), "ws://"+r.info.Addr+test.path, nil)
			if err != nil {
				t.Fatalf("at %s: %v %+v", test.path, err, res)
			}
			defer moved.Close()
			if got := ask(t, moved, `{"action":"ask"}`); got != "one" {
				t.Errorf("got %q", got)
			}
		})
	}
}

// A function that runs elsewhere is called over the Invoke API: Lambda itself, an emulator, or a Runtime Interface
// Emulator's single URL.
func TestRemoteFunctions(t *testing.T) {
	paths := make(chan string, 10)
	remote := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		var event struct{ Body string }
		if err := json.NewDecoder(q.Body).Decode(&event); err != nil {
			t.Error(err)
		}
		paths <- q.URL.Path
		_ = json.NewEncoder(w).Encode(map[string]any{"statusCode": 200, "body": "remote " + event.Body})
	}))
	defer remote.Close()
	for name, test := range map[string]struct{ endpoint, path string }{
		"an emulator":                  {remote.URL, "/2015-03-31/functions/report/invocations"},
		"a Runtime Interface Emulator": {remote.URL + "/2015-03-31/functions/function/invocations", "/2015-03-31/functions/function/invocations"},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, map[string]string{
				"cleat.yaml": "name: demo\nroutes:\n  $default: {function: report, twoWay: true}\nremoteFunctions:\n  rep*: {endpoint: '" + test.endpoint + "', region: eu-west-1}\n",
			})
			if got := ask(t, r.dial(t), "hi"); got != "remote hi" {
				t.Errorf("got %q", got)
			}
			if got := <-paths; !strings.HasSuffix(got, test.path) {
				t.Errorf("called %s, want %s", got, test.path)
			}
		})
	}
}

// Access and execution logs go where the project says, and /metrics has AWS's figures.
func TestLogsAndMetrics(t *testing.T) {
	r := start(t, map[string]string{"cleat.yaml": `name: demo
routes:
  $default: {mock: {statusCode: 200}}
logs:
  access: {to: access.txt, format: '$context.eventType $context.routeKey $context.status $context.requestId'}
  execution: {to: execution.log, level: INFO, dataTrace: on}
`})
	ws := r.dial(t)
	if err := ws.WriteMessage(websocket.TextMessage, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(time.Minute)
	for !r.has(func(e *apigw.Record) bool { return e.Operation == "message" }) {
		if time.Now().After(deadline) {
			t.Fatal("the message was not handled")
		}
		time.Sleep(5 * time.Millisecond)
	}
	for text := ""; strings.Count(text, "\n") < 2; {
		if time.Now().After(deadline) {
			t.Fatalf("access log: %q", text)
		}
		b, _ := os.ReadFile(filepath.Join(r.dir, "access.txt"))
		text = string(b)
	}
	r.write(t, "access.txt.1", "put aside")
	r.write(t, "last.js", "")
	if got := <-r.reloaded; !slices.Equal(got.Files, []string{"last.js"}) {
		t.Errorf("reloaded after %q: logs are no changes of the project", got.Files)
	}
	res, err := http.Get("http://" + r.info.Addr + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"aws_apigateway_message_count_total{", `route="",stage="dev"} 1`, "\ncleat_connections 1\n", "go_goroutines "} {
		if !strings.Contains(string(text), want) {
			t.Errorf("/metrics lacks %q", want)
		}
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	access, err := os.ReadFile(filepath.Join(r.dir, "access.txt"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(access)), "\n")
	slices.Sort(lines) // who is let in may speak before its connect is on record
	if len(lines) != 3 || !strings.HasPrefix(lines[0], "CONNECT - 101 ") || !strings.HasPrefix(lines[1], "DISCONNECT - 200 ") || !strings.HasPrefix(lines[2], "MESSAGE $default 200 ") {
		t.Errorf("access log:\n%s", access)
	}
	execution, err := os.ReadFile(filepath.Join(r.dir, "execution.log"))
	if err != nil || !strings.Contains(string(execution), "Message: hello") || !strings.Contains(string(execution), "Route: $default") {
		t.Errorf("execution log: %v\n%s", err, execution)
	}
}

// get asks the node for a path and returns the answer with its body. change, when not nil, changes the request before.
func (r *run) get(t *testing.T, path string, change func(*http.Request)) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+r.info.Addr+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Close = true
	if change != nil {
		change(req)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(body)
}

// One port: plain and TLS, the management API with its guard, health, the event stream.
func TestDevPort(t *testing.T) {
	r := start(t, map[string]string{"cleat.yaml": "name: demo\nroutes:\n  $default: {mock: {statusCode: 200}}\n"})
	ws := r.dial(t)
	if res, _ := r.get(t, "/_cleat/healthz", nil); res.StatusCode != 200 {
		t.Errorf("health: %d", res.StatusCode)
	}
	res, list := r.get(t, "/@connections", nil)
	var page struct {
		Connections []struct{ ConnectionID string }
	}
	if err := json.Unmarshal([]byte(list), &page); res.StatusCode != 200 || err != nil || len(page.Connections) != 1 {
		t.Fatalf("list: %d %s", res.StatusCode, list)
	}
	one := "/dev/@connections/" + url.PathEscape(page.Connections[0].ConnectionID)
	if res, body := r.get(t, one, nil); res.StatusCode != 200 {
		t.Errorf("get: %d %s", res.StatusCode, body)
	}
	for name, change := range map[string]func(*http.Request){
		"foreign origin": func(q *http.Request) { q.Header.Set("Origin", "https://evil.example") },
		"unknown host":   func(q *http.Request) { q.Host = "evil.example" },
	} {
		for _, path := range []string{one, "/@connections", "/_cleat/events"} {
			if res, _ := r.get(t, path, change); res.StatusCode != 403 {
				t.Errorf("%s at %s: got %d, want 403", name, path, res.StatusCode)
			}
		}
	}

	// The event stream tells of what happens next.
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+r.info.Addr+"/_cleat/events", nil)
	req.Close = true
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if err := ws.WriteMessage(websocket.TextMessage, []byte("hi")); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(res.Body).ReadString('\n')
	var event eventstream.Event
	if err != nil || json.Unmarshal([]byte(line), &event) != nil || event.Operation != "message" || event.RouteKey != "$default" || event.BytesIn != 2 {
		t.Errorf("got event %s, %v", line, err)
	}

	// TLS on the same port, with the local authority's certificate, for the names that functions use.
	pem, err := os.ReadFile(caFile(t, r.state))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		t.Fatal("no certificate in the authority's file")
	}
	for _, name := range []string{"localhost", "a1b2c3d4e5.execute-api.us-east-1.amazonaws.com"} {
		d := websocket.Dialer{TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: name, MinVersion: tls.VersionTLS12}}
		secure, _, err := d.DialContext(t.Context(), "wss://"+r.info.Addr+"/dev", nil)
		if err != nil {
			t.Errorf("TLS as %s: %v", name, err)
			continue
		}
		_ = secure.Close()
	}
}

func caFile(t *testing.T, state string) string {
	t.Helper()
	found := ""
	err := filepath.WalkDir(state, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() && !strings.Contains(filepath.Base(path), "key") && strings.HasSuffix(path, ".pem") {
			found = path
		}
		return err
	})
	if err != nil || found == "" {
		t.Fatalf("no certificate file in the state folder: %v", err)
	}
	return found
}

// A project with faults does not start, and all its faults are told at once.
func TestRunDevFaults(t *testing.T) {
	dir := t.TempDir()
	text := "service: demo\nprovider: {name: aws, runtime: nodejs20.x}\nfunctions:\n  a: {events: [{websocket: $connect}]}\n  b: {handler: h.b, events: [{websocket: {rout: say}}]}\n  c: {handler: serverless.c, events: [{websocket: {route: $connect, authorizer: b}}]}\n"
	if err := os.WriteFile(filepath.Join(dir, "serverless.yml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, run := range map[string]func() error{
		"dev": func() error {
			return server.RunDev(t.Context(), server.DevOptions{Dir: dir, StateDir: t.TempDir(), Log: slog.New(slog.DiscardHandler), Report: newReporter()})
		},
		"check": func() error {
			_, err := server.Check(t.Context(), dir, project.Options{})
			return err
		},
	} {
		var faults cfn.Faults
		if err := run(); !errors.As(err, &faults) || len(faults) < 2 {
			t.Errorf("%s: got %v, want at least two faults", name, err)
		}
	}
}

func TestCheck(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"serverless.yml": serverlessYML, "h.js": handlerJS} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	report, err := server.Check(t.Context(), dir, project.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Outcome.APIs) != 1 || len(report.Outcome.APIs[0].Routes) != 3 {
		t.Errorf("got %+v", report.Outcome)
	}
}
