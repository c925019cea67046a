package gateway_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"go.uber.org/goleak"

	"cleat/internal/apigw"
	"cleat/internal/awsapi"
	"cleat/internal/conn"
	"cleat/internal/gateway"
	"cleat/internal/integration"
	"cleat/internal/listen"
	"cleat/internal/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must come, on the slowest of machines.
const patience = time.Minute

// functions is a Lambda that is not there: it answers by function name and keeps what it was called with.
type functions struct {
	mu      sync.Mutex
	calls   []call
	answers map[string]func(event map[string]any) (awsapi.InvocationResult, error)
	called  chan struct{} // one value per call, never closed

	fast atomic.Pointer[instant] // when set, answers everything, and nothing is kept
}

type call struct {
	function string
	event    map[string]any
}

func newFunctions() *functions {
	return &functions{answers: map[string]func(map[string]any) (awsapi.InvocationResult, error){}, called: make(chan struct{}, 1000)}
}

func (f *functions) on(name string, answer func(event map[string]any) (awsapi.InvocationResult, error)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answers[name] = answer
}

func (f *functions) returns(name, payload string) {
	f.on(name, func(map[string]any) (awsapi.InvocationResult, error) {
		return awsapi.InvocationResult{Payload: []byte(payload)}, nil
	})
}

func (f *functions) Invoke(ctx context.Context, i awsapi.Invocation) (awsapi.InvocationResult, error) {
	if fast := f.fast.Load(); fast != nil {
		return fast.Invoke(ctx, i)
	}
	name, err := awsapi.ParseFunctionName(i.Function)
	if err != nil {
		return awsapi.InvocationResult{}, err
	}
	var event map[string]any
	if err := json.Unmarshal(i.Payload, &event); err != nil {
		return awsapi.InvocationResult{}, err
	}
	f.mu.Lock()
	f.calls = append(f.calls, call{name.Name, event})
	answer := f.answers[name.Name]
	f.mu.Unlock()
	f.called <- struct{}{}
	if answer == nil {
		return awsapi.InvocationResult{Payload: []byte(`{"statusCode":200}`)}, nil
	}
	return answer(event)
}

// await returns the first call of a function, made or still to come.
func (f *functions) await(tb testing.TB, name string) map[string]any {
	tb.Helper()
	deadline := time.After(patience)
	for {
		f.mu.Lock()
		i := slices.IndexFunc(f.calls, func(c call) bool { return c.function == name })
		var event map[string]any
		if i >= 0 {
			event = f.calls[i].event
		}
		f.mu.Unlock()
		if event != nil {
			return event
		}
		select {
		case <-f.called:
		case <-deadline:
			tb.Fatalf("%s was not called", name)
		}
	}
}

func (f *functions) count(name string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, c := range f.calls {
		if c.function == name {
			n++
		}
	}
	return n
}

const apiID = "a1b2c3d4e5"

// api builds definitions of one API: route key to function name, or to the URL of an HTTP backend.
type api struct {
	routes    map[string]string
	twoWay    []string
	variables map[string]string
	timeout   int
	params    map[string]apigw.ParameterConstraint // of $connect
	http      integration.HTTP                     // nil: echo
	keepAlive time.Duration                        // of the hub
}

func (a api) serving(revision int) store.Serving {
	def := apigw.Definition{RouteSelectionExpression: "$request.body.action"}
	for key, function := range a.routes {
		r := apigw.Route{RouteID: "r" + key, RouteKey: key}
		if key == apigw.RouteConnect {
			r.RequestParameters = a.params
		}
		if function != "" {
			r.Target = "integrations/i" + key
			def.Integrations = append(def.Integrations, apigw.Integration{
				IntegrationID: "i" + key, IntegrationType: apigw.IntegrationAWSProxy, TimeoutInMillis: a.timeout,
				IntegrationURI: awsapi.LambdaURI("eu-west-1", awsapi.FunctionARN("eu-west-1", awsapi.DefaultAccount, function)),
			})
		}
		if strings.HasPrefix(function, "http") { // an HTTP backend's URL instead of a function's name
			in := &def.Integrations[len(def.Integrations)-1]
			in.IntegrationType, in.IntegrationMethod, in.IntegrationURI = apigw.IntegrationHTTPProxy, "POST", function
		}
		if slices.Contains(a.twoWay, key) {
			def.RouteResponses = append(def.RouteResponses, apigw.RouteResponse{RouteID: r.RouteID, RouteResponseKey: "$default"})
		}
		def.Routes = append(def.Routes, r)
	}
	id := fmt.Sprintf("dep%d", revision)
	return store.Serving{Stages: []store.Published{{
		API:        &apigw.API{APIID: apiID},
		Stage:      &apigw.Stage{StageName: "prod", DeploymentID: id, StageVariables: a.variables},
		Deployment: &apigw.Deployment{DeploymentID: id}, Frozen: store.Freeze(&def),
	}}}
}

// definition is that of the only stage, to be changed.
func definition(s store.Serving) *apigw.Definition {
	d, err := s.Stages[0].Frozen.Definition()
	if err != nil {
		panic(err) // frozen without a store, it is there
	}
	return d
}

// node is a gateway behind a real listener.
type node struct {
	*gateway.Gateway
	addr      string
	functions *functions
	records   chan *apigw.Record
	kept      []*apigw.Record                     // that record has passed over
	more      func(*apigw.Record)                 // an observer beside the channel; nil: none. To be set before anything happens
	only      atomic.Pointer[func(*apigw.Record)] // then gets them instead of records
}

func newTestNode(tb testing.TB, a api, limits apigw.Limits) *node {
	tb.Helper()
	n := &node{functions: newFunctions(), records: make(chan *apigw.Record, 1000)}
	if a.http == nil {
		a.http = echo{}
	}
	g, err := gateway.New(gateway.Options{
		Log: slog.New(slog.DiscardHandler), Observe: n.observe,
		Integration: integration.Dependencies{Functions: n.functions, HTTP: a.http},
		Conn:        conn.Options{Limits: limits, KeepAlive: a.keepAlive},
	})
	if err != nil {
		tb.Fatal(err)
	}
	n.Gateway = g
	if err := g.Swap(a.serving(1)); err != nil {
		tb.Fatal(err)
	}
	ln, err := listen.Open(tb.Context(), "127.0.0.1:0", 0)
	if err != nil {
		tb.Fatal(err)
	}
	n.addr = ln.Addr().String()
	srv := listen.New(ln, listen.Options{Log: slog.New(slog.DiscardHandler), Handler: g, Yields: true})
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = srv.Run(ctx) })
	hubCtx, stopHub := context.WithCancel(context.Background())
	running.Go(func() { _ = g.Run(hubCtx) })
	tb.Cleanup(func() {
		end, stop := context.WithTimeout(context.Background(), patience)
		defer stop()
		if err := g.Shutdown(end); err != nil {
			tb.Errorf("shutdown: %v", err)
		}
		cancel()
		stopHub()
		running.Wait()
	})
	return n
}

// record returns the next record of an operation; those of others are kept. Nothing orders a connect's record before that of
// the client's first message: who is let in may speak before its connect is on record.
func (n *node) record(tb testing.TB, operation string) *apigw.Record {
	tb.Helper()
	of := func(r *apigw.Record) bool { return r.Operation == operation }
	if i := slices.IndexFunc(n.kept, of); i >= 0 {
		r := n.kept[i]
		n.kept = slices.Delete(n.kept, i, i+1)
		return r
	}
	for {
		select {
		case r := <-n.records:
			if of(r) {
				return r
			}
			n.kept = append(n.kept, r)
		case <-time.After(patience):
			tb.Fatalf("no record of a %s", operation)
		}
	}
}

func (n *node) observe(r *apigw.Record) {
	if n.more != nil {
		n.more(r)
	}
	if only := n.only.Load(); only != nil {
		(*only)(r)
		return
	}
	n.records <- r.Clone()
}

func (n *node) dial(tb testing.TB, path string, h http.Header) (*websocket.Conn, *http.Response, error) {
	tb.Helper()
	d := websocket.Dialer{HandshakeTimeout: patience}
	ws, res, err := d.DialContext(tb.Context(), "ws://"+n.addr+path, h)
	if ws != nil {
		tb.Cleanup(func() { _ = ws.Close() })
	}
	return ws, res, err
}

// A host of Amazon's with an API ID that this node does not have means the default API (docs/decisions/0003).
func TestAlias(t *testing.T) {
	n := newTestNode(t, api{routes: map[string]string{"$default": "any"}}, apigw.LimitsAWS())
	for host, want := range map[string]int{
		apiID + ".execute-api.eu-west-1.amazonaws.com":   101,
		"zzzzzzzzzz.execute-api.eu-west-1.amazonaws.com": 101,
		"zzzzzzzzzz.execute-api.localhost":               403,
	} {
		_, res, err := n.dial(t, "/prod", http.Header{"Host": {host}})
		if res == nil {
			t.Fatal(err)
		}
		if res.StatusCode != want {
			t.Errorf("%s: got %d, want %d", host, res.StatusCode, want)
		}
	}
}

// A client that hangs up while $connect runs: spec data-plane §2.3.
func TestHangUpDuringConnect(t *testing.T) {
	n := newTestNode(t, api{routes: map[string]string{"$connect": "hello", "$disconnect": "bye"}}, apigw.LimitsAWS())
	ctx, hangUp := context.WithCancel(t.Context())
	n.functions.on("hello", func(map[string]any) (awsapi.InvocationResult, error) {
		hangUp() // as net/http does when the client closes its side
		return awsapi.InvocationResult{Payload: []byte(`{}`)}, nil
	})
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/prod", nil)
	for name, value := range map[string]string{
		"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "Q0FGRUJBQkVERUFEQkVFRg==",
	} {
		r.Header.Set(name, value)
	}
	n.ServeHTTP(httptest.NewRecorder(), r)
	if rec := <-n.records; rec.Operation != "connect" || rec.Status != 499 || rec.Err == nil || rec.BackendStatus != 200 {
		t.Errorf("got %+v", rec)
	}
	if n.Connections() != 0 || n.functions.count("bye") != 0 {
		t.Errorf("%d connections, $disconnect %d times", n.Connections(), n.functions.count("bye"))
	}
}

// A reply that is no text would break the client; profile "open" has binary messages.
func TestReplyNotText(t *testing.T) {
	for name, test := range map[string]struct {
		limits apigw.Limits
		want   int // message type
	}{"aws": {apigw.LimitsAWS(), websocket.TextMessage}, "open": {apigw.LimitsOpen(), websocket.BinaryMessage}} {
		t.Run(name, func(t *testing.T) {
			n := newTestNode(t, api{routes: map[string]string{"$default": "raw"}, twoWay: []string{"$default"}}, test.limits)
			n.functions.returns("raw", `{"body":"//4=","isBase64Encoded":true}`)
			ws := n.open(t)
			say(t, ws, "x")
			kind, b, err := ws.ReadMessage()
			if err != nil || kind != test.want {
				t.Fatalf("got type %d, %v", kind, err)
			}
			if kind == websocket.BinaryMessage && string(b) != "\xff\xfe" {
				t.Errorf("got %q", b)
			}
			if kind == websocket.TextMessage && !strings.HasPrefix(string(b), `{"message": "Internal server error", `) {
				t.Errorf("got %s", b)
			}
		})
	}
}

func (n *node) open(tb testing.TB) *websocket.Conn {
	tb.Helper()
	ws, _, err := n.dial(tb, "/prod", nil)
	if err != nil {
		tb.Fatal(err)
	}
	if err := ws.SetReadDeadline(time.Now().Add(patience)); err != nil {
		tb.Fatal(err)
	}
	return ws
}

func say(t *testing.T, ws *websocket.Conn, text string) {
	t.Helper()
	if err := ws.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
		t.Fatal(err)
	}
}

func hear(t *testing.T, ws *websocket.Conn) string {
	t.Helper()
	kind, b, err := ws.ReadMessage()
	if err != nil {
		t.Fatal(err)
	}
	if kind != websocket.TextMessage {
		t.Fatalf("got message type %d, want text", kind)
	}
	return string(b)
}

func requestContext(tb testing.TB, event map[string]any) map[string]any {
	tb.Helper()
	rc, ok := event["requestContext"].(map[string]any)
	if !ok {
		tb.Fatalf("the event has no requestContext: %v", event)
	}
	return rc
}

// What $connect's function answers decides the status of the handshake: spec data-plane §2, table.
func TestConnectStatuses(t *testing.T) {
	failed := func(r awsapi.InvocationResult, err error) func(map[string]any) (awsapi.InvocationResult, error) {
		return func(map[string]any) (awsapi.InvocationResult, error) { return r, err }
	}
	payload := func(s string) func(map[string]any) (awsapi.InvocationResult, error) {
		return failed(awsapi.InvocationResult{Payload: []byte(s)}, nil)
	}
	for name, test := range map[string]struct {
		answer func(map[string]any) (awsapi.InvocationResult, error)
		want   int
		body   string
	}{
		"200":              {payload(`{"statusCode":200}`), 101, ""},
		"201":              {payload(`{"statusCode":201}`), 101, ""},
		"empty object":     {payload(`{}`), 101, ""},
		"301":              {payload(`{"statusCode":301}`), 301, ""},
		"400":              {payload(`{"statusCode":400,"body":"secret"}`), 400, `"message": "Bad Request"`},
		"401":              {payload(`{"statusCode":401}`), 401, `"message": "Unauthorized"`},
		"501":              {payload(`{"statusCode":501}`), 501, ""},
		"unknown key":      {payload(`{"statusCode":200,"foo":1}`), 502, `"message": "Internal server error"`},
		"null":             {payload(`null`), 502, ""},
		"function error":   {failed(awsapi.InvocationResult{Payload: []byte(`{"errorMessage":"boom"}`), FunctionError: "Unhandled"}, nil), 502, `"message": "Internal server error"`},
		"no such function": {failed(awsapi.InvocationResult{}, &apigw.Error{Kind: apigw.KindFunctionNotFound}), 502, ""},
	} {
		t.Run(name, func(t *testing.T) {
			n := newTestNode(t, api{routes: map[string]string{"$connect": "onConnect", "$disconnect": "onDisconnect"}}, apigw.LimitsAWS())
			n.functions.on("onConnect", test.answer)
			ws, res, err := n.dial(t, "/prod", nil)
			if res == nil {
				t.Fatal(err)
			}
			if res.StatusCode != test.want {
				t.Errorf("got status %d, want %d", res.StatusCode, test.want)
			}
			if (ws != nil) != (test.want == 101) {
				t.Errorf("got a connection: %v", ws != nil)
			}
			body, _ := io.ReadAll(res.Body)
			if !strings.Contains(string(body), test.body) || strings.Contains(string(body), "secret") {
				t.Errorf("got body %s, want %s in it", body, test.body)
			}
			if test.want != 101 {
				if res.Header.Get("X-Amzn-Requestid") == "" || res.Header.Get("X-Amz-Apigw-Id") == "" {
					t.Errorf("request IDs are missing: %v", res.Header)
				}
				if got := n.Connections(); got != 0 {
					t.Errorf("%d connections are left of a refused one", got)
				}
			}
		})
	}
}

// Without a $connect route everybody is let in: spec data-plane §2 step 5.
func TestConnectWithoutRoute(t *testing.T) {
	n := newTestNode(t, api{routes: map[string]string{"$default": "any"}}, apigw.LimitsAWS())
	n.open(t)
	if got := n.functions.count("any"); got != 0 {
		t.Errorf("$default was called %d times by a connect", got)
	}
}

// Addresses that name nothing: spec data-plane §2 steps 1 and 2, §1 (a plain GET).
func TestRefusals(t *testing.T) {
	n := newTestNode(t, api{routes: map[string]string{"$default": "any"}}, apigw.LimitsAWS())
	for path, want := range map[string]int{
		"/nope":                   403,
		"/":                       101,
		"/prod/":                  101,
		"/" + apiID + "/prod":     101,
		"/" + apiID + "/nope":     403,
		"/prod/elsewhere":         403,
		"/zzzzzzzzzz/prod":        403,
		"/prod?token=x&token=%zz": 101,
	} {
		_, res, err := n.dial(t, path, nil)
		if res == nil {
			t.Fatal(err)
		}
		if res.StatusCode != want {
			t.Errorf("%s: got %d, want %d", path, res.StatusCode, want)
		}
	}
	// A push to a stage that nobody has is no proof that the connection is gone: spec management-api §4.
	if got := n.manage(t, "POST", "/nope/@connections/"+url.PathEscape("Qyi07eCbtjMCJKw="), "x").StatusCode; got != 403 {
		t.Errorf("a push to an unknown stage: got %d, want 403", got)
	}
	if got := n.manage(t, "POST", "/prod/@connections/"+url.PathEscape("Qyi07eCbtjMCJKw="), "x").StatusCode; got != 410 {
		t.Errorf("a push to an unknown connection: got %d, want 410", got)
	}
	_, res, _ := n.dial(t, "/nope", nil)
	if got := res.Header.Get("X-Amzn-Errortype"); got != "ForbiddenException" {
		t.Errorf("got error type %q", got)
	}
	plain, err := http.Get("http://" + n.addr + "/prod")
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Body.Close()
	if plain.StatusCode != http.StatusUpgradeRequired || plain.Header.Get("Sec-WebSocket-Version") != "13" {
		t.Errorf("a plain GET got %d %v", plain.StatusCode, plain.Header)
	}
	http.DefaultClient.CloseIdleConnections()
}

// The CONNECT event: spec events-and-integrations §1.1.
func TestConnectEvent(t *testing.T) {
	n := newTestNode(t, api{routes: map[string]string{"$connect": "onConnect"}, variables: map[string]string{"env": "beta"}}, apigw.LimitsAWS())
	h := http.Header{"x-Custom-ID": {"7"}, "User-Agent": {"demo/1.0"}, "X-Forwarded-For": {"192.0.2.9"}}
	if _, _, err := n.dial(t, "/prod?room=red&room=blue&x=%20y", h); err != nil {
		t.Fatal(err)
	}
	ev := n.functions.await(t, "onConnect")
	headers, _ := ev["headers"].(map[string]any)
	for name, want := range map[string]string{
		"x-Custom-ID": "7", "User-Agent": "demo/1.0", "Host": n.addr, "Sec-WebSocket-Version": "13",
		"X-Forwarded-For": "192.0.2.9, 127.0.0.1", "X-Forwarded-Proto": "http",
	} {
		if headers[name] != want {
			t.Errorf("header %s: got %v, want %s", name, headers[name], want)
		}
	}
	for _, name := range []string{"Connection", "Upgrade"} {
		if headers[name] != nil {
			t.Errorf("header %s is shown", name)
		}
	}
	if trace, _ := headers["X-Amzn-Trace-Id"].(string); !strings.HasPrefix(trace, "Root=1-") {
		t.Errorf("got trace %q", trace)
	}
	query, _ := ev["queryStringParameters"].(map[string]any)
	if query["room"] != "blue" || query["x"] != " y" {
		t.Errorf("got query %v", query)
	}
	rc := requestContext(t, ev)
	for name, want := range map[string]any{
		"routeKey": "$connect", "eventType": "CONNECT", "messageDirection": "IN", "stage": "prod", "apiId": apiID, "domainName": n.addr,
	} {
		if rc[name] != want {
			t.Errorf("%s: got %v, want %v", name, rc[name], want)
		}
	}
	if rc["requestId"] != rc["extendedRequestId"] || rc["requestId"] == "" {
		t.Errorf("request IDs: %v, %v", rc["requestId"], rc["extendedRequestId"])
	}
	if id, _ := rc["connectionId"].(string); len(id) != 16 || !strings.HasSuffix(id, "=") {
		t.Errorf("connection ID %q", id)
	}
	if variables, _ := ev["stageVariables"].(map[string]any); variables["env"] != "beta" {
		t.Errorf("stage variables %v", ev["stageVariables"])
	}
}

// The subprotocol is the one header of the function that the client sees: spec data-plane §2.1.
func TestSubprotocol(t *testing.T) {
	n := newTestNode(t, api{routes: map[string]string{"$connect": "onConnect"}}, apigw.LimitsAWS())
	offer := http.Header{"Sec-WebSocket-Protocol": {"v1.example, v2.example"}}
	n.functions.returns("onConnect", `{"statusCode":200,"headers":{"sec-websocket-protocol":"v2.example","X-Other":"no"}}`)
	ws, res, err := n.dial(t, "/prod", offer)
	if err != nil {
		t.Fatal(err)
	}
	if ws.Subprotocol() != "v2.example" || res.Header.Get("X-Other") != "" {
		t.Errorf("got subprotocol %q, headers %v", ws.Subprotocol(), res.Header)
	}
	n.functions.returns("onConnect", `{"statusCode":200}`)
	if ws, _, err = n.dial(t, "/prod", offer); err != nil || ws.Subprotocol() != "" {
		t.Errorf("not echoed by the function: got %q, %v", ws.Subprotocol(), err)
	}
	n.functions.returns("onConnect", `{"statusCode":200,"headers":{"Sec-WebSocket-Protocol":"a\r\nX-Evil: 1"}}`)
	if _, res, err = n.dial(t, "/prod", offer); err == nil || res.StatusCode != 502 {
		t.Errorf("header injection got through: %v", res)
	}
}

// While $connect runs the ID answers 410, and the 101 waits: spec data-plane §3, management-api §9.
func TestPendingIsGone(t *testing.T) {
	n := newTestNode(t, api{routes: map[string]string{"$connect": "onConnect"}}, apigw.LimitsAWS())
	statuses := make(chan int, 3)
	n.functions.on("onConnect", func(ev map[string]any) (awsapi.InvocationResult, error) {
		rc, _ := ev["requestContext"].(map[string]any)
		id, _ := rc["connectionId"].(string)
		for _, method := range []string{"POST", "GET", "DELETE"} {
			statuses <- n.manage(t, method, "/prod/@connections/"+url.PathEscape(id), "hi").StatusCode
		}
		return awsapi.InvocationResult{Payload: []byte(`{}`)}, nil
	})
	n.open(t)
	for range 3 {
		if got := <-statuses; got != http.StatusGone {
			t.Errorf("got %d during $connect, want 410", got)
		}
	}
}

func (n *node) manage(t *testing.T, method, path, body string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), method, "http://"+n.addr+path, strings.NewReader(body))
	if err != nil {
		t.Error(err)
		return &http.Response{}
	}
	r.Close = true
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Error(err)
		return &http.Response{}
	}
	b, _ := io.ReadAll(res.Body)
	_ = res.Body.Close()
	res.Body = io.NopCloser(strings.NewReader(string(b)))
	return res
}

// Routing of messages and the frames that tell of errors, to the byte: spec data-plane §4.3, §5 and §6.
func TestMessages(t *testing.T) {
	a := api{
		routes: map[string]string{"say": "say", "ask": "ask", "$default": "any", "dangling": "", "$disconnect": "bye"},
		twoWay: []string{"ask"},
	}
	n := newTestNode(t, a, apigw.LimitsAWS())
	n.functions.returns("ask", `{"statusCode":500,"body":"answer"}`)
	n.functions.on("say", func(map[string]any) (awsapi.InvocationResult, error) {
		return awsapi.InvocationResult{FunctionError: "Unhandled", Payload: []byte(`{"errorMessage":"boom"}`), Cause: "app.js:3: boom"}, nil
	})
	ws := n.open(t)
	say(t, ws, `{"action":"ask"}`)
	if got := hear(t, ws); got != "answer" {
		t.Errorf("two-way: got %q", got)
	}
	rc := requestContext(t, n.functions.await(t, "ask"))
	id, _ := rc["connectionId"].(string)
	if mid, _ := rc["messageId"].(string); len(mid) != 16 || mid[12:] != id[12:] {
		t.Errorf("message ID %q of connection %q", mid, id)
	}
	// One-way routes are silent on success and tell of errors all the same.
	say(t, ws, `{"action":"say"}`)
	frame := hear(t, ws)
	requestID, _ := requestContext(t, n.functions.await(t, "say"))["requestId"].(string)
	if want := fmt.Sprintf(`{"message": "Internal server error", "connectionId":"%s", "requestId":"%s"}`, id, requestID); frame != want {
		t.Errorf("got  %s\nwant %s", frame, want)
	}
	say(t, ws, `{"action":"dangling"}`)
	if got := hear(t, ws); !strings.HasPrefix(got, `{"message": "Internal server error", `) {
		t.Errorf("a route without target: got %s", got)
	}
	for i, text := range []string{`not json`, `[1]`, `{"action":"$disconnect"}`, `{"action":""}`, `{"other":1}`, `{"action":"unknown"}`} {
		say(t, ws, text)
		deadline := time.Now().Add(patience)
		for n.functions.count("any") != i+1 {
			if time.Now().After(deadline) {
				t.Fatalf("%s did not reach $default", text)
			}
			time.Sleep(time.Millisecond)
		}
	}
	if n.functions.count("bye") != 0 {
		t.Error("a message ran $disconnect")
	}
}

// No route and no $default: spec data-plane §4.3 step 3 and §6.
func TestForbiddenFrame(t *testing.T) {
	n := newTestNode(t, api{routes: map[string]string{"$connect": "onConnect", "say": "say"}}, apigw.LimitsAWS())
	ws := n.open(t)
	id, _ := requestContext(t, n.functions.await(t, "onConnect"))["connectionId"].(string)
	say(t, ws, `{"action":"nope"}`)
	frame := hear(t, ws)
	if prefix := `{"message": "Forbidden", "connectionId":"` + id + `", "requestId":"`; !strings.HasPrefix(frame, prefix) || !strings.HasSuffix(frame, `="}`) {
		t.Errorf("got %s", frame)
	}
	if r := n.record(t, "message"); r.Selected != "nope" || r.Err == nil || r.Status != 403 {
		t.Errorf("the log does not say why: %+v", r)
	}
}

// An integration slower than its time-out: spec data-plane §6, open-questions 8 and 15.
func TestIntegrationTimeout(t *testing.T) {
	n := newTestNode(t, api{routes: map[string]string{"slow": "slow"}, timeout: 60}, apigw.LimitsAWS())
	release := make(chan struct{})
	defer close(release)
	n.functions.on("slow", func(map[string]any) (awsapi.InvocationResult, error) {
		select {
		case <-release:
		case <-time.After(200 * time.Millisecond): // longer than the integration waits
		}
		return awsapi.InvocationResult{}, context.DeadlineExceeded
	})
	ws := n.open(t)
	say(t, ws, `{"action":"slow"}`)
	if got := hear(t, ws); !strings.HasPrefix(got, `{"message": "Endpoint request timed out", `) {
		t.Errorf("got %s", got)
	}
}

// $disconnect comes once, with the code and reason of spec data-plane §3.3.
func TestDisconnect(t *testing.T) {
	for name, test := range map[string]struct {
		end    func(t *testing.T, n *node, ws *websocket.Conn, id string)
		code   float64
		reason string
	}{
		"client, no status": {func(t *testing.T, _ *node, ws *websocket.Conn, _ string) {
			t.Helper()
			_ = ws.WriteControl(websocket.CloseMessage, nil, time.Now().Add(time.Second))
		}, 1005, "Client-side close frame status not set"},
		"client, code and reason": {func(t *testing.T, _ *node, ws *websocket.Conn, _ string) {
			t.Helper()
			_ = ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(4001, "bye now"), time.Now().Add(time.Second))
		}, 4001, "bye now"},
		"client, code only": {func(t *testing.T, _ *node, ws *websocket.Conn, _ string) {
			t.Helper()
			_ = ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(1001, ""), time.Now().Add(time.Second))
		}, 1001, ""},
		"lost": {func(t *testing.T, _ *node, ws *websocket.Conn, _ string) {
			t.Helper()
			_ = ws.NetConn().Close()
		}, 1006, "Connection Closed Abnormally"},
		"deleted": {func(t *testing.T, n *node, ws *websocket.Conn, id string) {
			t.Helper()
			if got := n.manage(t, "DELETE", "/prod/@connections/"+url.PathEscape(id), "").StatusCode; got != 204 {
				t.Errorf("DELETE answered %d", got)
			}
			_, _, err := ws.ReadMessage()
			var closed *websocket.CloseError
			if !errors.As(err, &closed) || closed.Code != 1000 {
				t.Errorf("the client saw %v, want a close with 1000", err)
			}
			if got := n.manage(t, "DELETE", "/prod/@connections/"+url.PathEscape(id), "").StatusCode; got != 410 {
				t.Errorf("the second DELETE answered %d", got)
			}
		}, 1000, "Connection Closed Normally"},
	} {
		t.Run(name, func(t *testing.T) {
			n := newTestNode(t, api{routes: map[string]string{"$connect": "hello", "$disconnect": "bye"}}, apigw.LimitsAWS())
			ws := n.open(t)
			id, _ := requestContext(t, n.functions.await(t, "hello"))["connectionId"].(string)
			test.end(t, n, ws, id)
			rc := requestContext(t, n.functions.await(t, "bye"))
			if rc["disconnectStatusCode"] != test.code || rc["disconnectReason"] != test.reason {
				t.Errorf("got %v %q, want %v %q", rc["disconnectStatusCode"], rc["disconnectReason"], test.code, test.reason)
			}
			if rc["eventType"] != "DISCONNECT" || rc["routeKey"] != "$disconnect" || rc["connectionId"] != id {
				t.Errorf("got %v", rc)
			}
			if got := n.manage(t, "POST", "/prod/@connections/"+url.PathEscape(id), "x").StatusCode; got != 410 {
				t.Errorf("a push after the end got %d", got)
			}
			if got := n.functions.count("bye"); got != 1 {
				t.Errorf("$disconnect came %d times", got)
			}
		})
	}
}

// Open connections follow a new deployment; a stage that goes takes its connections along: spec data-plane §3,
// open-questions 47 and 48.
func TestSwap(t *testing.T) {
	n := newTestNode(t, api{routes: map[string]string{"ask": "one", "$disconnect": "bye"}, twoWay: []string{"ask"}}, apigw.LimitsAWS())
	n.functions.returns("one", `{"body":"one"}`)
	n.functions.returns("two", `{"body":"two"}`)
	ws := n.open(t)
	say(t, ws, `{"action":"ask"}`)
	if got := hear(t, ws); got != "one" {
		t.Fatalf("got %q", got)
	}
	if err := n.Swap(api{routes: map[string]string{"ask": "two", "$disconnect": "bye"}, twoWay: []string{"ask"}}.serving(2)); err != nil {
		t.Fatal(err)
	}
	say(t, ws, `{"action":"ask"}`)
	if got := hear(t, ws); got != "two" {
		t.Fatalf("after the new deployment: got %q", got)
	}
	broken := api{routes: map[string]string{"ask": "two"}}.serving(3)
	definition(broken).Integrations[0].IntegrationURI = "nonsense"
	if err := n.Swap(broken); err == nil {
		t.Error("a definition that does not compile was taken")
	}
	say(t, ws, `{"action":"ask"}`)
	if got := hear(t, ws); got != "two" {
		t.Fatalf("after the broken deployment: got %q", got)
	}
	if err := n.Swap(store.Serving{}); err != nil {
		t.Fatal(err)
	}
	_, _, err := ws.ReadMessage()
	var closed *websocket.CloseError
	if !errors.As(err, &closed) || closed.Code != 1001 {
		t.Errorf("the stage is gone; the client saw %v, want a close with 1001", err)
	}
}

// The node's end: clients see 1001 and $disconnect is delivered before Shutdown returns.
func TestShutdown(t *testing.T) {
	n := newTestNode(t, api{routes: map[string]string{"$disconnect": "bye"}}, apigw.LimitsAWS())
	ws := n.open(t)
	done := make(chan error, 1)
	go func() {
		_, _, err := ws.ReadMessage() // the client answers the close frame
		done <- err
	}()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := n.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	if got := n.functions.count("bye"); got != 1 {
		t.Errorf("$disconnect came %d times before Shutdown returned", got)
	}
	var closed *websocket.CloseError
	if err := <-done; !errors.As(err, &closed) || closed.Code != 1001 || closed.Text != "Going away" {
		t.Errorf("the client saw %v", err)
	}
	if _, res, err := n.dial(t, "/prod", nil); err == nil || res == nil || res.StatusCode < 500 {
		t.Errorf("a connect after Shutdown: %v, %v", res, err)
	}
}

// Required request parameters: spec data-plane §2 step 9.
func TestRequiredParameters(t *testing.T) {
	n := newTestNode(t, api{
		routes: map[string]string{"$connect": "hello"},
		params: map[string]apigw.ParameterConstraint{"route.request.querystring.token": {Required: true}, "route.request.header.X-Room": {Required: true}},
	}, apigw.LimitsAWS())
	_, res, err := n.dial(t, "/prod", nil)
	if res == nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(res.Body)
	if res.StatusCode != 400 || !strings.Contains(string(body), "Missing required request parameters: [X-Room, token]") {
		t.Errorf("got %d %s", res.StatusCode, body)
	}
	if _, _, err := n.dial(t, "/prod?token=x", http.Header{"x-room": {"1"}}); err != nil {
		t.Error(err)
	}
}
