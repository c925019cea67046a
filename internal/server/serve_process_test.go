package server_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"cleat/internal/apigw"
	"cleat/internal/awsapi"
	"cleat/internal/cfn"
	"cleat/internal/control/stacks"
	"cleat/internal/project"
	"cleat/internal/server"
	"cleat/internal/store"
	"cleat/internal/store/memory"
	"cleat/internal/testkit"
)

// serving is a running RunServe.
type serving struct {
	server.Serving
	dir string             // of cleat.yaml
	key awsapi.Credentials // of the administrator
	log *testkit.Log
	end context.CancelFunc
	// stop ends it, if it has not ended, and returns what RunServe returned.
	stop func() error
}

// awaitLog waits until a log has a text.
func awaitLog(t *testing.T, b *testkit.Log, text string) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !strings.Contains(b.String(), text); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the log has no %q:\n%s", text, b)
		}
	}
}

// launch starts a node with a cleat.yaml. It listens on free ports of 127.0.0.1 unless o says otherwise.
func launch(t *testing.T, yaml string, o server.ServeOptions) (*serving, <-chan server.Serving, <-chan error) {
	t.Helper()
	s := &serving{dir: t.TempDir(), log: &testkit.Log{}}
	o.Config = filepath.Join(s.dir, "cleat.yaml")
	if err := os.WriteFile(o.Config, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(yaml, "public:") {
		o.Overrides = append(o.Overrides, project.Override{Setting: "public.listen", Values: []string{"127.0.0.1:0"}, From: "--public"})
	}
	if !strings.Contains(yaml, "admin:") {
		o.Overrides = append(o.Overrides, project.Override{Setting: "admin.listen", Values: []string{"127.0.0.1:0"}, From: "--admin"})
	}
	o.Poll = 5 * time.Millisecond
	if o.DataDir == "" {
		o.DataDir = t.TempDir()
	}
	o.Access.ShowFirstKey = func(c awsapi.Credentials) error { s.key = c; return nil }
	o.NewLog = func(_ string, level slog.Leveler) *slog.Logger {
		return slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: level}))
	}
	ready := make(chan server.Serving, 1)
	o.Ready = func(is server.Serving) { ready <- is }
	ctx, end := context.WithCancel(context.Background())
	s.end = end
	done := make(chan error, 1)
	go func() { done <- server.RunServe(ctx, o) }()
	s.stop = sync.OnceValue(func() error { end(); return <-done })
	return s, ready, done
}

func serveFile(t *testing.T, yaml string, o server.ServeOptions, keep ...*store.Store) *serving {
	t.Helper()
	if len(keep) > 0 {
		o = server.WithStore(o, keep[0])
	}
	s, ready, done := launch(t, yaml, o)
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Errorf("RunServe: %v\n%s", err, s.log)
		}
	})
	select {
	case s.Serving = <-ready:
	case err := <-done:
		s.stop = func() error { return nil }
		t.Fatalf("did not start: %v\n%s", err, s.log)
	case <-time.After(time.Minute):
		t.Fatal("did not start")
	}
	return s
}

// defined is a store with the API of a cleat.yaml.
func defined(t *testing.T, yaml string) *store.Store {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "cleat.yaml"), []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := project.Load(dir, project.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := store.New(memory.New())
	if _, err := stacks.New(s, stacks.Options{}).Apply(t.Context(), stacks.Stack{Name: p.Name, Template: p.Template, Region: p.Region, Account: awsapi.DefaultAccount}); err != nil {
		t.Fatal(err)
	}
	return s
}

// get returns status and body of an answer; the caller's client makes no connection that outlives it.
func get(t *testing.T, url string) (int, string) {
	t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	resp, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// Below a domain of its own a node's APIs have their names, and the control plane says so.
func TestServeDomain(t *testing.T) {
	s := serveFile(t, "public: { listen: '127.0.0.1:0', domain: 'ws.example.com:8443' }\n", server.ServeOptions{})
	resp := signedCall(t, addrOf(t, s.Admin[0]), "apigateway", s.key, http.MethodPost, "/v2/apis", createAPI)
	defer resp.Body.Close()
	var api apigw.API
	if err := json.NewDecoder(resp.Body).Decode(&api); err != nil || resp.StatusCode != http.StatusCreated {
		t.Fatalf("got %d, %+v, %v", resp.StatusCode, api, err)
	}
	if want := "ws://" + string(api.APIID) + ".ws.example.com:8443"; api.APIEndpoint != want {
		t.Errorf("endpoint %q, want %q", api.APIEndpoint, want)
	}
}

// Each listener answers its own, and health to anybody.
func TestServeListeners(t *testing.T) {
	s := serveFile(t, "", server.ServeOptions{Version: "1.2.3"})
	public := "http" + strings.TrimPrefix(s.Public[0], "ws")
	for url, want := range map[string]struct {
		status int
		text   string
	}{
		public + "/_cleat/healthz":             {200, "ok"},
		public + "/_cleat/readyz":              {200, "ready"},
		public + "/metrics":                    {403, ""},
		public + "/v2/apis":                    {403, ""},
		public + "/debug/pprof/":               {403, ""},
		s.Admin[0] + "/_cleat/readyz":          {200, "ready"},
		s.Admin[0] + "/_cleat/usage":           {200, `"region": "us-east-1"`},
		s.Admin[0] + "/debug/pprof/goroutine":  {200, ""},
		s.Admin[0] + "/metrics":                {200, `cleat_build_info{goversion="go`},
		s.Admin[0] + "/metrics?":               {200, "cleat_ready 1\n"},
		s.Admin[0] + "/v2/apis/0123456789":     {403, "Missing Authentication Token"},
		s.Admin[0] + "/dev":                    {403, ""},
		s.Admin[0] + "/_cleat/nothing-of-ours": {403, ""},
	} {
		if status, body := get(t, url); status != want.status || !strings.Contains(body, want.text) {
			t.Errorf("%s: got %d %s, want %d %s", url, status, body, want.status, want.text)
		}
	}
	r, err := http.NewRequest(http.MethodGet, s.Admin[0]+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "rebound.example" // a page's own name, led to this machine
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	if err != nil || resp.StatusCode != http.StatusForbidden {
		t.Errorf("a foreign host name: %v, %v", resp, err)
	}
	resp.Body.Close()
}

// The stop: not ready, no new connections, 1001 for those open, $disconnect delivered while pushes are still answered.
func TestServeStop(t *testing.T) {
	disconnecting, finish := make(chan string, 1), make(chan struct{})
	backend := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/gone" {
			disconnecting <- r.Header.Get("Connectionid")
			<-finish
		}
	}))
	defer backend.Close()
	st := defined(t, "name: chat\nroutes:\n  $connect: { mock: true }\n  $default: { mock: true }\n  $disconnect: { http: '"+backend.URL+"/gone', headers: { connectionid: context.connectionId } }\n")
	s := serveFile(t, "stop: { timeout: 20s }\n", server.ServeOptions{}, st)
	if s.APIs != 1 || s.Stages != 1 {
		t.Errorf("serving %+v", s.Serving)
	}
	c, _, err := websocket.DefaultDialer.Dial(s.Public[0]+"/dev", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s.end()
	var closed *websocket.CloseError
	if _, _, err := c.ReadMessage(); !errors.As(err, &closed) || closed.Code != websocket.CloseGoingAway {
		t.Errorf("the connection ended with %v", err)
	}
	id := <-disconnecting
	public := "http" + strings.TrimPrefix(s.Public[0], "ws")
	if status, body := get(t, public+"/_cleat/readyz"); status != http.StatusServiceUnavailable || body != "stopping\n" {
		t.Errorf("readyz: %d %s", status, body)
	}
	if _, resp, err := websocket.DefaultDialer.Dial(s.Public[0]+"/dev", nil); err == nil || resp == nil || resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("a handshake during the stop: %v, %v", resp, err)
	}
	resp := signedCall(t, addrOf(t, s.Public[0]), "execute-api", s.key, http.MethodGet, "/dev/@connections/"+id, "")
	if resp.Body.Close(); resp.StatusCode != http.StatusGone {
		t.Errorf("a push during the stop: %d", resp.StatusCode)
	}
	close(finish)
	if err := s.stop(); err != nil {
		t.Error(err)
	}
	awaitLog(t, s.log, "every connection has ended")
}

// What does not end is cut off at the deadline, and told of.
func TestServeStopDeadline(t *testing.T) {
	entered, release := make(chan struct{}, 1), make(chan struct{})
	backend := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		entered <- struct{}{}
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}))
	defer backend.Close()
	defer close(release)
	s := serveFile(t, "stop: { timeout: 1s }\n", server.ServeOptions{}, defined(t, "name: chat\nroutes:\n  $connect: { mock: true }\n  $disconnect: '"+backend.URL+"'\n"))
	c, _, err := websocket.DefaultDialer.Dial(s.Public[0]+"/dev", nil)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	<-entered
	begun := time.Now()
	if err := s.stop(); err != nil {
		t.Error(err)
	}
	if took := time.Since(begun); took > 3*time.Second {
		t.Errorf("the stop took %s", took)
	}
	awaitLog(t, s.log, "cut off at its deadline")
}

// A listener that fails ends the node, in order and with an error.
func TestServeListenerFails(t *testing.T) {
	for _, name := range []string{"public", "admin"} {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		s, ready, done := launch(t, "", server.ServeOptions{Sockets: map[string][]net.Listener{name: {ln}}})
		select {
		case <-ready:
		case err := <-done:
			t.Fatal(err)
		}
		ln.Close()
		if err := <-done; err == nil || !strings.Contains(err.Error(), "the "+name+" listener: ") {
			t.Errorf("got %v", err)
		}
		awaitLog(t, s.log, "every connection has ended")
		s.end()
	}
}

// A node that cannot start says why, where it can with the place of the setting.
func TestServeRefuses(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for name, c := range map[string]struct{ yaml, want string }{
		"a fault":      {"stop: { timeout: soon }\n", `cleat.yaml:1: stop.timeout: "soon" is not a duration`},
		"two":          {"stop: { timeout: soon }\ntls: { cert: none.pem, key: none.key }\n", "cleat.yaml:2: tls: the certificate: open "},
		"in use":       {"public:\n  listen:\n  - 127.0.0.1:0\n  - " + taken.Addr().String() + "\n", "cleat.yaml:4: public.listen: listen tcp "},
		"no directory": {"data: /dev/null/x\n", "data directory /dev/null/x: mkdir /dev/null"},
	} {
		t.Run(name, func(t *testing.T) {
			s, _, done := launch(t, c.yaml, server.ServeOptions{})
			if err := <-done; err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
			s.end()
		})
	}
}

// A change of the file, or a request, is put into effect; with a fault everything stays; and what needs a restart is named.
func TestServeReload(t *testing.T) {
	reload := make(chan struct{})
	notify, socket := notifySocket(t)
	st := defined(t, "name: chat\nroutes:\n  $connect: { mock: true }\n  $default: { mock: { response: { ok: true } } }\n")
	s := serveFile(t, "limits: { messageSize: 100KB }\n", server.ServeOptions{Reload: reload, Env: []string{"NOTIFY_SOCKET=" + socket}}, st)
	write := func(yaml string) {
		t.Helper()
		file := filepath.Join(s.dir, "cleat.yaml")
		if err := errors.Join(os.WriteFile(file+".new", []byte(yaml), 0o600), os.Rename(file+".new", file)); err != nil {
			t.Fatal(err)
		}
	}
	if got := <-notify; got != "READY=1" {
		t.Errorf("systemd was told %q", got)
	}
	c, _, err := websocket.DefaultDialer.Dial(s.Public[0]+"/dev", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	write("limits: { messageSize: 10B }\nregion: eu-west-1\nlogs: { level: warn }\n")
	awaitLog(t, s.log, `some settings change with the next start" settings=region`)
	if a, b := <-notify, <-notify; a != "RELOADING=1" || b != "READY=1" {
		t.Errorf("systemd was told %q, %q", a, b)
	}
	write("limits: { messageSize: 0 }\n")
	awaitLog(t, s.log, "cleat.yaml:1: limits.messageSize must be more than zero")
	if a, b := <-notify, <-notify; a != "RELOADING=1" || b != "READY=1" {
		t.Errorf("systemd was told %q, %q", a, b)
	}
	if _, metrics := get(t, s.Admin[0]+"/metrics"); !strings.Contains(metrics, `cleat_settings_reloads_total{result="failed"} 1`) {
		t.Error("the metrics do not tell of the fault")
	}
	if err := c.WriteMessage(websocket.TextMessage, []byte(`{"longer": "than ten"}`)); err != nil {
		t.Fatal(err)
	}
	var closed *websocket.CloseError
	if _, _, err := c.ReadMessage(); !errors.As(err, &closed) || closed.Code != websocket.CloseMessageTooBig {
		t.Errorf("the new limit does not hold: %v", err)
	}
	write("users: {}\n")
	reload <- struct{}{}
	awaitLog(t, s.log, "users has nobody in it")
	s.end()
	for {
		if got := <-notify; got == "STOPPING=1" {
			break
		}
	}
}

// notifySocket is where a process tells systemd how it is.
func notifySocket(t *testing.T) (<-chan string, string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "n") // a socket's path has at most 108 bytes
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "s")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	told := make(chan string, 1000)
	done := make(chan struct{})
	go func() {
		defer close(done)
		b := make([]byte, 4096)
		for {
			n, err := c.Read(b)
			if err != nil {
				return
			}
			told <- string(b[:n])
		}
	}()
	t.Cleanup(func() {
		c.Close()
		<-done
		os.RemoveAll(dir)
	})
	return told, path
}

// systemd's watchdog is kept quiet.
func TestServeWatchdog(t *testing.T) {
	notify, socket := notifySocket(t)
	serveFile(t, "", server.ServeOptions{Env: []string{"NOTIFY_SOCKET=" + socket, "WATCHDOG_USEC=20000"}})
	seen := 0
	for seen < 3 {
		if <-notify == "WATCHDOG=1" {
			seen++
		}
	}
}

// A node behind a proxy knows its clients by what the proxy says (docs/running-a-node.md).
func TestServeBehindProxy(t *testing.T) {
	st := defined(t, `name: chat
routes:
  $connect: { mock: true }
  $default: { mock: { response: '$context.identity.sourceIp $context.domainName' } }
`)
	s := serveFile(t, "public: { listen: '127.0.0.1:0', trustedProxies: 127.0.0.1, forwardedHeaders: [X-Forwarded-For, X-Forwarded-Host] }\n", server.ServeOptions{}, st)
	c, _, err := websocket.DefaultDialer.Dial(s.Public[0]+"/dev", http.Header{"X-Forwarded-For": {"1.1.1.1, 203.0.113.7"}, "X-Forwarded-Host": {"ws.example.com"}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.WriteMessage(websocket.TextMessage, []byte(`{}`)); err != nil {
		t.Fatal(err)
	}
	if _, got, err := c.ReadMessage(); err != nil || string(got) != "203.0.113.7 ws.example.com" {
		t.Errorf("got %q, %v", got, err)
	}
}

// What "cleat check --serve" says.
func TestCheckServe(t *testing.T) {
	file := filepath.Join(t.TempDir(), "cleat.yaml")
	if err := os.WriteFile(file, []byte("name: chat\nroutes: { $default: x }\nadmin: { listen: ':3002' }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	report, err := server.CheckServe(server.ServeOptions{Config: file})
	if err != nil || strings.Join(report.Definitions, " ") != "name routes" || len(report.Warnings) != 1 ||
		!strings.HasPrefix(report.Warnings[0].Error(), "cleat.yaml:3: admin.listen: :3002 can be reached from other machines, in plain HTTP") {
		t.Errorf("got %+v, %v", report, err)
	}
	_, err = server.CheckServe(server.ServeOptions{Overrides: []project.Override{{Setting: "tls.cert", Values: []string{"/x"}, From: "--tls-cert"}}})
	faults, ok := errors.AsType[cfn.Faults](err)
	if !ok || len(faults) != 1 || !strings.HasPrefix(faults[0].Error(), "--tls-cert: tls has no `key`") {
		t.Errorf("got %v", err)
	}
}
