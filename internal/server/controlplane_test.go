package server_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// admin is a client of a node's control plane.
type admin struct {
	t    *testing.T
	base string // URL
}

// must sends a request that must succeed, and returns the member of its answer that is wanted, "" where there is none.
func (a admin) must(method, path, body, member string) string {
	a.t.Helper()
	r, err := http.NewRequestWithContext(a.t.Context(), method, a.base+path, strings.NewReader(body))
	if err != nil {
		a.t.Fatal(err)
	}
	// What tells a request of the control plane on a port that it shares with the data plane.
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260101/eu-west-1/apigateway/aws4_request, SignedHeaders=host, Signature=0")
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		a.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode >= 300 {
		a.t.Fatalf("%s %s: %d %s, %v", method, path, resp.StatusCode, b, err)
	}
	all := map[string]any{}
	if len(b) > 0 {
		if err := json.Unmarshal(b, &all); err != nil {
			a.t.Fatal(err)
		}
	}
	text, _ := all[member].(string)
	return text
}

// echoAPI makes an API whose route $default answers with a text, and returns the paths of the API and of what makes the
// text.
func (a admin) echoAPI(text string) (api, response string) {
	a.t.Helper()
	api = "/v2/apis/" + a.must("POST", "/v2/apis", `{"name":"other","protocolType":"WEBSOCKET","routeSelectionExpression":"$request.body.action"}`, "apiId")
	integration := a.must("POST", api+"/integrations", `{"integrationType":"MOCK","requestTemplates":{"$default":"{\"statusCode\":200}"}}`, "integrationId")
	path := api + "/integrations/" + integration + "/integrationresponses"
	response = path + "/" + a.must("POST", path, `{"integrationResponseKey":"$default","responseTemplates":{"$default":"`+text+`"}}`, "integrationResponseId")
	route := a.must("POST", api+"/routes", `{"routeKey":"$default","target":"integrations/`+integration+`","routeResponseSelectionExpression":"$default"}`, "routeId")
	a.must("POST", api+"/routes/"+route+"/routeresponses", `{"routeResponseKey":"$default"}`, "")
	return api, response
}

// TestChangesReachOpenConnections: a connection follows what the control plane makes of its stage with its next message,
// and nothing that it sends meanwhile is lost (spec control-plane §10, §11, open-questions 47).
func TestChangesReachOpenConnections(t *testing.T) {
	r := start(t, map[string]string{"serverless.yml": "service: s\nprovider: {name: aws, runtime: nodejs20.x}\nfunctions: {}\n"})
	a := admin{t, "http://" + r.info.Addr}
	api, response := a.echoAPI("0")
	dial := func(stage string) *websocket.Conn {
		var ws *websocket.Conn
		eventually(t, "the stage is not served", func() bool {
			conn, resp, err := websocket.DefaultDialer.DialContext(t.Context(), "ws://"+r.info.Addr+strings.TrimPrefix(api, "/v2/apis")+"/"+stage, nil)
			if err == nil {
				ws = conn
			} else if resp != nil {
				_ = resp.Body.Close()
			}
			return err == nil
		})
		t.Cleanup(func() { _ = ws.Close() })
		return ws
	}
	a.must("POST", api+"/deployments", `{}`, "")
	first := a.must("POST", api+"/deployments", `{}`, "deploymentId")
	a.must("POST", api+"/stages", `{"stageName":"still","deploymentId":"`+first+`"}`, "")
	a.must("POST", api+"/stages", `{"stageName":"auto","autoDeploy":true}`, "")
	still, auto := dial("still"), dial("auto")

	// Messages go on while one deployment follows the other.
	const messages = 400
	answers := make(chan string, messages)
	go func() {
		defer close(answers)
		for range messages {
			_, b, err := auto.ReadMessage()
			if err != nil {
				answers <- err.Error()
				return
			}
			answers <- string(b)
		}
	}()
	const changes = 20
	sent := make(chan error, 1)
	go func() {
		var err error
		for i := 0; i < messages && err == nil; i++ {
			err = auto.WriteMessage(websocket.TextMessage, []byte("x"))
			time.Sleep(time.Millisecond)
		}
		sent <- err
	}()
	for i := 1; i <= changes; i++ {
		a.must("PATCH", response, fmt.Sprintf(`{"responseTemplates":{"$default":"%d"}}`, i), "")
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	n := 0
	for answer := range answers {
		n++
		if strings.Trim(answer, "0123456789") != "" {
			t.Fatalf("answer %q", answer)
		}
	}
	if n != messages {
		t.Errorf("%d answers, want %d", n, messages)
	}
	last := fmt.Sprint(changes)
	eventually(t, "the open connection does not follow", func() bool { return ask(t, auto, "x") == last })

	// The other stage has what was deployed to it, until something else is.
	if got := ask(t, still, "x"); got != "0" {
		t.Errorf("without a deployment: %q, want 0", got)
	}
	a.must("POST", api+"/deployments", `{"stageName":"still"}`, "")
	eventually(t, "the open connection does not follow the deployment", func() bool { return ask(t, still, "x") == last })
	a.must("PATCH", api+"/stages/still", `{"deploymentId":"`+first+`"}`, "")
	eventually(t, "the open connection does not go back", func() bool { return ask(t, still, "x") == "0" })

	// Stage variables need no deployment.
	a.must("PATCH", response, `{"responseTemplates":{"$default":"is $stageVariables.v"}}`, "") // no answer is empty, which would not be sent
	a.must("PATCH", api+"/stages/auto", `{"stageVariables":{"v":"one"}}`, "")
	eventually(t, "the open connection does not see stage variables", func() bool { return ask(t, auto, "x") == "is one" })
	a.must("PATCH", api+"/stages/auto", `{"stageVariables":{"v":"two"}}`, "")
	eventually(t, "the open connection does not see a changed stage variable", func() bool { return ask(t, auto, "x") == "is two" })
}
