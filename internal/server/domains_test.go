package server_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
)

const domainYML = `service: demo
provider: {name: aws, runtime: nodejs20.x}
functions:
  ask:
    handler: h.ask
    events: [{websocket: {route: $default, routeResponseSelectionExpression: $default}}]
resources:
  Resources:
    Domain: {Type: 'AWS::ApiGatewayV2::DomainName', Properties: {DomainName: chat.example.test, DomainNameConfigurations: [{CertificateArn: !Ref Certificate}]}}
    Certificate: {Type: 'AWS::CertificateManager::Certificate', Properties: {DomainName: chat.example.test}}
    Mapping: {Type: 'AWS::ApiGatewayV2::ApiMapping', Properties: {DomainName: !Ref Domain, ApiId: !Ref WebsocketsApi, Stage: !Ref WebsocketsDeploymentStage, ApiMappingKey: v1}}
`

// domainJS pushes to its own connection by the management API, at the path that the message names.
const domainJS = `const https = require('https')
exports.ask = async (e) => {
  const { domainName, stage, connectionId } = e.requestContext
  const at = 'https://' + domainName + e.body + '/@connections/' + encodeURIComponent(connectionId)
  const answer = await new Promise((ok, no) => {
    const r = https.request(at, { method: 'POST' }, (res) => { let b = ''; res.on('data', (c) => { b += c }); res.on('end', () => ok(res.statusCode + ' ' + b)) })
    r.on('error', no)
    r.end('pushed')
  })
  return { statusCode: 200, body: JSON.stringify({ domainName, stage, answer }) }
}
`

// A project under its custom domain name, from a client's handshake to the push of a local function, which reaches Cleat
// by the name although no DNS leads here; and a name that comes and goes with a reload.
func TestCustomDomain(t *testing.T) {
	r := start(t, map[string]string{"serverless.yml": domainYML, "h.js": domainJS})
	dial := func(host, path string) (*websocket.Conn, *http.Response, error) {
		ws, res, err := websocket.DefaultDialer.DialContext(t.Context(), "ws://"+r.info.Addr+path, http.Header{"Host": {host}})
		if ws != nil {
			t.Cleanup(func() { _ = ws.Close() })
		}
		return ws, res, err
	}
	if d := r.info.Outcome.APIs[0].Domains; len(d) != 1 || d[0].Name != "chat.example.test" || d[0].Key != "v1" || d[0].Stage != "dev" {
		t.Errorf("the outcome has %+v", d)
	}
	_, port, _ := strings.Cut(r.info.Addr, ":")
	for _, host := range []string{"chat.example.test", "chat.example.test:" + port} {
		ws, _, err := dial(host, "/v1")
		if err != nil {
			t.Fatal(err)
		}
		if got := ask(t, ws, "/v1"); got != "pushed" {
			t.Fatalf("%s: got %q before the answer, want the push", host, got)
		}
		_, b, err := ws.ReadMessage()
		var got struct{ DomainName, Stage, Answer string }
		if err != nil || json.Unmarshal(b, &got) != nil || got.DomainName != host || got.Stage != "dev" || got.Answer != "200 " {
			t.Errorf("%s: got %s, %v", host, b, err)
		}
		// The stage does not belong into the path (spec data-plane §1.1).
		if got := ask(t, ws, "/v1/dev"); !strings.Contains(got, `"answer":"404 {\"message\":\"No method found matching route dev/@connections/`) {
			t.Errorf("%s: with the stage left in the path got %s", host, got)
		}
	}

	r.write(t, "serverless.yml", strings.ReplaceAll(domainYML, "chat.example.test", "talk.example.test"))
	if re := <-r.reloaded; !re.Moved {
		t.Errorf("got %+v, want to be told of the new address", re)
	}
	if _, res, err := dial("chat.example.test", "/v1"); res == nil || res.StatusCode != http.StatusForbidden {
		t.Errorf("the former name: %v %+v, want 403", err, res)
	}
	if _, _, err := dial("talk.example.test", "/v1"); err != nil {
		t.Errorf("the new name: %v", err)
	}
	r.write(t, "serverless.yml", strings.Replace(strings.ReplaceAll(domainYML, "chat.example.test", "talk.example.test"), "service: demo", "service: renamed", 1))
	<-r.reloaded
	if _, _, err := dial("talk.example.test", "/v1"); err != nil {
		t.Errorf("the new name, in a project of another name: %v", err)
	}
}
