package server_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"cleat/internal/apigw"
	"cleat/internal/awsapi"
	"cleat/internal/config"
	"cleat/internal/control"
	"cleat/internal/server"
	"cleat/internal/store"
	"cleat/internal/store/memory"
)

// running is a node with its control plane and its data plane on two ports.
type running struct {
	tb            testing.TB
	node          *server.TestNode
	control, data *httptest.Server
}

func runNode(tb testing.TB, s *store.Store, dir string, links ...config.VPCLink) *running {
	tb.Helper()
	n, err := server.StartNode(s, dir, links)
	if err != nil {
		tb.Fatal(err)
	}
	return &running{tb, n, httptest.NewServer(n.Control), httptest.NewServer(n.Data)}
}

func (r *running) stop() {
	r.tb.Helper()
	r.control.Close()
	r.data.Close()
	if err := r.node.Stop(); err != nil {
		r.tb.Error(err)
	}
}

// call makes a call of the control plane that must succeed, and reads the answer into out.
func (r *running) call(method, path, body string, out any) {
	r.tb.Helper()
	req, err := http.NewRequestWithContext(r.tb.Context(), method, r.control.URL+path, strings.NewReader(body))
	if err != nil {
		r.tb.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		r.tb.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode >= 300 {
		r.tb.Fatalf("%s %s: %d %s %v", method, path, res.StatusCode, text, err)
	}
	if err := json.Unmarshal(text, out); err != nil {
		r.tb.Fatalf("%s %s: %s: %v", method, path, text, err)
	}
}

// connect tries with an API key until the answer is not the unwanted one, for changes take a moment, and returns its
// status.
func (r *running) connect(key string, unwanted int) int {
	r.tb.Helper()
	for end := time.Now().Add(10 * time.Second); ; {
		ws, res, err := websocket.DefaultDialer.DialContext(r.tb.Context(), strings.Replace(r.data.URL, "http", "ws", 1)+"/prod", http.Header{"x-api-key": {key}})
		if res == nil {
			r.tb.Fatal(err)
		}
		_ = res.Body.Close()
		if ws != nil {
			_ = ws.Close()
		}
		if res.StatusCode != unwanted || time.Now().After(end) {
			return res.StatusCode
		}
		time.Sleep(time.Millisecond)
	}
}

// shopOf makes an API whose clients need a key.
func shopOf(tb testing.TB, s *store.Store) apigw.APIID {
	tb.Helper()
	c, ctx := control.New(s, control.Options{}), tb.Context()
	api, err := c.CreateAPI(ctx, apigw.API{Name: "shop", ProtocolType: "WEBSOCKET", RouteSelectionExpression: "$request.body.action"}, awsapi.DefaultRegion)
	if err != nil {
		tb.Fatal(err)
	}
	in, err := c.CreateIntegration(ctx, api.APIID, apigw.Integration{
		IntegrationType: apigw.IntegrationMock, RequestTemplates: map[string]string{"$default": `{"statusCode": 200}`}, TemplateSelectionExpression: "\\$default",
	})
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := c.CreateRoute(ctx, api.APIID, apigw.Route{RouteKey: "$connect", APIKeyRequired: true, Target: "integrations/" + in.IntegrationID}); err != nil {
		tb.Fatal(err)
	}
	if _, err := c.CreateStage(ctx, api.APIID, apigw.Stage{StageName: "prod", AutoDeploy: true}); err != nil {
		tb.Fatal(err)
	}
	return api.APIID
}

// A key that is made over HTTP opens a stage at once; what it has used of its quota outlives the node, and UpdateUsage
// gives it more (spec control-plane §14).
func TestKeysOverHTTP(t *testing.T) {
	s, dir := store.New(memory.New()), t.TempDir()
	api := shopOf(t, s)
	r := runNode(t, s, dir)
	var plan, key struct{ ID, Value string }
	r.call("POST", "/usageplans", `{"name":"gold","apiStages":[{"apiId":"`+string(api)+`","stage":"prod"}],"quota":{"limit":2,"period":"MONTH"}}`, &plan)
	r.call("POST", "/apikeys", `{"enabled":true}`, &key)
	if status := r.connect(key.Value, 404); status != 403 {
		t.Errorf("a key in no plan: got %d", status)
	}
	r.call("POST", "/usageplans/"+plan.ID+"/keys", `{"keyId":"`+key.ID+`","keyType":"API_KEY"}`, &struct{}{})
	for range 2 {
		if status := r.connect(key.Value, 403); status != 101 {
			t.Errorf("got %d, want 101", status)
		}
	}
	if status := r.connect(key.Value, 101); status != 429 {
		t.Errorf("past the quota: got %d", status)
	}
	r.stop()

	r = runNode(t, s, dir)
	if status := r.connect(key.Value, 403); status != 429 {
		t.Errorf("past the quota, after a restart: got %d", status)
	}
	usage := func() string {
		t.Helper()
		var u struct {
			Values map[string][][2]int64
		}
		today := time.Now().UTC().Format(time.DateOnly)
		r.call("GET", "/usageplans/"+plan.ID+"/usage?startDate="+today+"&endDate="+today, "", &u)
		b, err := json.Marshal(u.Values[key.ID])
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	if got := usage(); got != "[[2,0]]" {
		t.Errorf("usage %s", got)
	}
	r.call("PATCH", "/usageplans/"+plan.ID+"/keys/"+key.ID+"/usage", `{"patchOperations":[{"op":"replace","path":"/remaining","value":"1"}]}`, &struct{}{})
	if status := r.connect(key.Value, 429); status != 101 {
		t.Errorf("with one more: got %d", status)
	}
	if got := usage(); got != "[[3,0]]" {
		t.Errorf("usage %s", got)
	}
	r.call("PATCH", "/apikeys/"+key.ID, `{"patchOperations":[{"op":"replace","path":"/enabled","value":"false"}]}`, &struct{}{})
	if status := r.connect(key.Value, 429); status != 403 {
		t.Errorf("turned off: got %d", status)
	}
	r.stop()
}

// A VPC link of the control plane leads where cleat.yaml says by its ID, its name or its load balancer's, or to the URL
// that is its target; integrations name it by its ID or its name (spec control-plane §13).
func TestVPCLinksOverHTTP(t *testing.T) {
	called := make(chan string, 10)
	backend := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { called <- r.URL.Path }))
	defer backend.Close()
	s := store.New(memory.New())
	links := []config.VPCLink{{Name: "main", Targets: []string{backend.URL}}, {Name: "balancer", Targets: []string{backend.URL}}}
	r := runNode(t, s, t.TempDir(), links...)
	defer r.stop()
	c := control.New(s, control.Options{})
	api, err := c.CreateAPI(t.Context(), apigw.API{Name: "shop", ProtocolType: "WEBSOCKET", RouteSelectionExpression: "$request.body.action"}, awsapi.DefaultRegion)
	if err != nil {
		t.Fatal(err)
	}
	const arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/net/NAME/0123456789abcdef"
	ids := map[string]string{}
	for name, target := range map[string]string{"main": strings.Replace(arn, "NAME", "x", 1), "other": strings.Replace(arn, "NAME", "balancer", 1), "direct": backend.URL, "lost": strings.Replace(arn, "NAME", "y", 1)} {
		var l struct{ ID, StatusMessage string }
		r.call("POST", "/vpclinks", `{"name":"`+name+`","targetArns":["`+target+`"]}`, &l)
		ids[name] = l.ID
		if (name == "lost") != strings.Contains(l.StatusMessage, "leads nowhere here") {
			t.Errorf("%s: status message %q", name, l.StatusMessage)
		}
	}
	for path, link := range map[string]string{
		"id-of-main": ids["main"], "main": "main", "id-of-other": ids["other"], "other": "other", "id-of-direct": ids["direct"], "direct": "direct", "balancer": "balancer",
	} {
		in, err := c.CreateIntegration(t.Context(), api.APIID, apigw.Integration{
			IntegrationType: apigw.IntegrationHTTPProxy, IntegrationMethod: "POST", IntegrationURI: "http://backend/" + path, ConnectionType: "VPC_LINK", ConnectionID: link,
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.CreateRoute(t.Context(), api.APIID, apigw.Route{RouteKey: path, Target: "integrations/" + in.IntegrationID}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.CreateStage(t.Context(), api.APIID, apigw.Stage{StageName: "prod", AutoDeploy: true}); err != nil {
		t.Fatal(err)
	}
	if status := r.connect("", 403); status != 101 {
		t.Fatalf("got %d", status)
	}
	ws, res, err := websocket.DefaultDialer.DialContext(t.Context(), strings.Replace(r.data.URL, "http", "ws", 1)+"/prod", nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	defer func() { _ = ws.Close() }()
	for _, path := range []string{"id-of-main", "main", "id-of-other", "other", "id-of-direct", "direct", "balancer"} {
		if err := ws.WriteMessage(websocket.TextMessage, []byte(`{"action":"`+path+`"}`)); err != nil {
			t.Fatal(err)
		}
		select {
		case got := <-called:
			if got != "/"+path {
				t.Errorf("got %s, want /%s", got, path)
			}
		case <-time.After(time.Minute):
			t.Fatalf("%s: the backend was not called", path)
		}
	}
}
